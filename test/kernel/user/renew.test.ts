import { describe, expect, it } from 'vitest';
import { LocalNames } from '../../../kernel/user/renew.js';

function names() {
  const state = { version: '1', exports: { a: 1, default: 'd' } as Record<string, unknown>, broken: false };
  const assigned: [string, unknown][] = [];
  const failed: string[] = [];
  const made = new LocalNames({
    version: async () => state.version,
    import: async () => {
      if (state.broken) throw new Error('no');
      return state.exports;
    },
    assign: async (values) => void assigned.push(...values),
    fail: (specifier) => void failed.push(specifier),
  });
  return { made, state, assigned, failed };
}

const imports = [
  {
    file: '/m.ts',
    specifier: './m',
    names: [
      ['x', 'a'],
      ['all', '*'],
    ] as const,
  },
];

describe('names of local imports', () => {
  it('get the new exports once the file has changed, and only then', async () => {
    const { made, state, assigned } = names();
    await made.imported(imports);
    await made.renew([]);
    expect(assigned).toEqual([]);
    Object.assign(state, { version: '2', exports: { a: 2 } });
    await made.renew([]);
    await made.renew([]);
    expect(assigned).toEqual([
      ['x', 2],
      ['all', { a: 2 }],
    ]);
  });

  it('keep their values where the edited file no longer exports them, and that is told', async () => {
    const { made, state, assigned, failed } = names();
    await made.imported(imports);
    Object.assign(state, { version: '2', exports: { b: 2 } });
    await made.renew([]);
    expect(assigned).toEqual([['all', { b: 2 }]]);
    expect(failed).toEqual(['./m']);
  });

  it('are left alone once a cell declares them itself', async () => {
    const { made, state, assigned } = names();
    await made.imported(imports);
    made.declared(['x']);
    state.version = '2';
    await made.renew([]);
    expect(assigned.map(([name]) => name)).toEqual(['all']);
  });

  it('keep their values when the edited file fails, told once and not where the cell tells it itself', async () => {
    const { made, state, assigned, failed } = names();
    await made.imported(imports);
    Object.assign(state, { version: '2', broken: true });
    await made.renew([]);
    await made.renew([]);
    expect(failed).toEqual(['./m']);
    state.version = '3';
    await made.renew(imports);
    expect(failed).toEqual(['./m']);
    expect(assigned).toEqual([]);
  });
});
