import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Outputs } from '../../../kernel/server/outputs.js';
import { Parents } from '../../../kernel/server/parents.js';
import { Streams, type StreamItem } from '../../../kernel/server/streams.js';
import type { JsonObject, Outgoing } from '../../../kernel/server/wire.js';

interface Sent {
  type: string;
  content: JsonObject;
  parent: string | undefined;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function make(options: { streamLimit?: number } = {}) {
  const sent: Sent[] = [];
  const parents = new Parents(2);
  const send = (type: string, content: JsonObject, { parent }: Outgoing) =>
    void sent.push({ type, content, parent: parent?.toString() });
  const outputs = new Outputs({ send, parents, ...options });
  const begin = (id: string) => {
    parents.begin(id, Buffer.from(id));
    outputs.busy(id, true);
    sent.length = 0;
  };
  const display = (
    id: string,
    displayId: string,
    value: string,
    kind: 'display_data' | 'update_display_data',
  ) => outputs.display({ type: 'display', id, kind, data: { 'text/plain': value }, metadata: {}, displayId });
  return { sent, parents, outputs, begin, display };
}

const values = (sent: Sent[]) => sent.map(({ content }) => (content.data as JsonObject)['text/plain']);

describe('streams', () => {
  test('text of one stream within a short time is one message, and it waits for no more than that time', () => {
    const { sent, outputs, begin } = make();
    begin('a');
    for (let i = 0; i < 1000; i++) outputs.stream('a', 'stdout', `${i}\n`);
    expect(sent).toHaveLength(0);
    vi.advanceTimersByTime(50);
    expect(sent).toHaveLength(1);
    expect((sent[0].content.text as string).split('\n')).toHaveLength(1001);
  });

  test('stdout, stderr and the streams of other executions keep their order', () => {
    const { sent, outputs, begin } = make();
    begin('a');
    begin('b');
    outputs.stream('a', 'stdout', '1');
    outputs.stream('a', 'stdout', '2');
    outputs.stream('a', 'stderr', '3');
    outputs.stream('b', 'stdout', '4');
    outputs.stream('a', 'stdout', '5');
    vi.advanceTimersByTime(50);
    expect(sent.map(({ content, parent }) => [parent, content.name, content.text])).toEqual([
      ['a', 'stdout', '12'],
      ['a', 'stderr', '3'],
      ['b', 'stdout', '4'],
      ['a', 'stdout', '5'],
    ]);
  });

  test('a display, an error or an idle comes after the text printed before it', () => {
    const { sent, outputs, begin } = make();
    begin('a');
    outputs.stream('a', 'stdout', 'before');
    outputs.publish('error', { ename: 'E' }, 'a');
    outputs.stream('a', 'stdout', 'after');
    outputs.idle('a');
    expect(sent.map(({ type }) => type)).toEqual(['stream', 'error', 'stream', 'status']);
  });

  test('beyond the limit text is dropped, with a note at once and the amount at the end', () => {
    const { sent, outputs, begin } = make({ streamLimit: 100 });
    begin('a');
    outputs.stream('a', 'stdout', 'x'.repeat(90));
    outputs.stream('a', 'stdout', 'y'.repeat(30));
    outputs.stream('a', 'stdout', 'z'.repeat(50));
    vi.advanceTimersByTime(50);
    expect(sent.map(({ content }) => content.name)).toEqual(['stdout', 'stderr']);
    expect(sent[0].content.text).toBe('x'.repeat(90) + 'y'.repeat(10));
    expect(sent[1].content.text).toContain('truncated');
    outputs.finish('a');
    expect(sent.at(-1)?.content.text).toBe('Characters not shown: 70.\n');
    begin('full');
    outputs.stream('full', 'stdout', 'x'.repeat(100));
    outputs.stream('full', 'stdout', 'y');
    outputs.finish('full');
    expect(sent.at(-1)?.content.text).toMatch(/truncated here[^]*not shown: 1\./);
    begin('b');
    outputs.stream('b', 'stdout', 'fresh');
    outputs.finish('b');
    expect(sent.at(-1)?.content.text).toBe('fresh');
  });

  test('a long text goes out in pieces that cut no character and lose none', () => {
    const items: StreamItem[] = [];
    const streams = new Streams({ send: (item) => items.push(item) });
    const text = `a${'😀'.repeat(1024 * 1024)}`;
    streams.add('a', 'stdout', text);
    streams.flush();
    expect(items.length).toBeGreaterThan(1);
    expect(items.map((item) => item.text).join('')).toBe(text);
    for (const item of items) expect(item.text).not.toMatch(/^[\udc00-\udfff]|[\ud800-\udbff]$/);
  });
});

describe('updates of displays', () => {
  test('the first goes out at once, of later ones at most ten a second, and the last always', () => {
    const { sent, begin, display } = make();
    begin('a');
    for (let i = 0; i < 100; i++) {
      display('a', 'd', String(i), 'update_display_data');
      vi.advanceTimersByTime(10);
    }
    vi.advanceTimersByTime(200);
    expect(values(sent)[0]).toBe('0');
    expect(values(sent).at(-1)).toBe('99');
    expect(sent.length).toBeLessThanOrEqual(12);
  });

  test('the last is out before the execution goes idle', () => {
    const { sent, outputs, begin, display } = make();
    begin('a');
    display('a', 'd', '1', 'update_display_data');
    display('a', 'd', '2', 'update_display_data');
    display('a', 'd', '3', 'update_display_data');
    outputs.idle('a');
    expect(sent.map(({ type }) => type)).toEqual(['update_display_data', 'update_display_data', 'status']);
    expect(values(sent.slice(0, 2))).toEqual(['1', '3']);
  });

  test('displays do not hold each other back, and a new display comes after the update before it', () => {
    const { sent, begin, display } = make();
    begin('a');
    display('a', 'd', '1', 'update_display_data');
    display('a', 'e', '2', 'update_display_data');
    display('a', 'd', '3', 'update_display_data');
    display('a', 'd', '4', 'display_data');
    expect(values(sent)).toEqual(['1', '2', '3', '4']);
  });

  test('updates of two executions of one display both arrive, each with its own parent', () => {
    const { sent, begin, display } = make();
    begin('a');
    display('a', 'd', '1', 'update_display_data');
    display('a', 'd', '2', 'update_display_data');
    begin('b');
    display('b', 'd', '3', 'update_display_data');
    vi.advanceTimersByTime(500);
    expect(sent.map(({ parent }) => parent)).toEqual(['a', 'b']);
    expect(values(sent)).toEqual(['2', '3']);
  });
});

describe('parents and status', () => {
  test('late output has the parent of its own execution, until that is long forgotten', () => {
    const { sent, parents, outputs, begin } = make();
    begin('a');
    outputs.idle('a');
    parents.end('a');
    outputs.publish('stream', {}, 'a');
    expect(sent.at(-1)?.parent).toBe('a');
    for (const id of ['b', 'c', 'd']) {
      begin(id);
      parents.end(id);
    }
    outputs.publish('stream', {}, 'a');
    expect(sent.at(-1)?.parent).toBeUndefined();
  });

  test('when something else ends while a cell runs, busy is said once more for the cell', () => {
    const { sent, parents, outputs, begin } = make();
    begin('cell');
    parents.begin('question', Buffer.from('question'));
    outputs.busy('question', false);
    outputs.idle('question');
    const said = sent.map(({ content, parent }) => [content.execution_state, parent]);
    expect(said).toEqual([
      ['busy', 'question'],
      ['idle', 'question'],
      ['busy', 'cell'],
    ]);
    outputs.idle('cell');
    expect(sent.at(-1)?.content.execution_state).toBe('idle');
  });
});
