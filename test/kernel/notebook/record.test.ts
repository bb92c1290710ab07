/** Values for the table of runs. */
import { beforeEach, describe, expect, it } from 'vitest';
import { record } from '../../../kernel/notebook/index.js';
import { RECORD_MIME } from '../../../kernel/run/records.js';
import { FakeHost } from './fake-host.js';

let host: FakeHost;
beforeEach(() => {
  host = new FakeHost().install();
});

describe('record', () => {
  it('shows values in the type that the table of runs reads', () => {
    host.in('a', () => record('loss', 0.5));
    host.in('a', () => record({ steps: 3, curve: [1, Infinity] }));
    expect(host.outputs.map(({ output }) => output)).toMatchObject([
      { kind: 'display', data: { [RECORD_MIME]: { loss: 0.5 }, 'text/plain': 'loss: 0.5' } },
      { data: { [RECORD_MIME]: { steps: 3, curve: [1, 'Infinity'] } } },
    ]);
  });

  it.each([[undefined], [() => 1]])('refuses what is not plain data', (value) => {
    expect(() => record('x', value)).toThrow(/record: x must be plain data/);
  });

  it('keeps typed arrays as lists and refuses what has no names', () => {
    record('list', new Float32Array([1, NaN]));
    expect(host.page).toMatchObject([{ [RECORD_MIME]: { list: [1, 'NaN'] } }]);
    expect(() => record(1 as unknown as string, 1)).toThrow(/must be a name and a value or an object, got 1/);
  });
});
