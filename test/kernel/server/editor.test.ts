import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { toPoints, toUnits } from '../../../kernel/server/code-points.js';
import { startRig, type Rig } from './support.js';

let rig: Rig;
beforeAll(async () => (rig = await startRig()));
afterAll(() => rig.close());

async function complete(code: string, cursor = [...code].length) {
  const { reply } = await rig.client.request('shell', 'complete_request', { code, cursor_pos: cursor });
  return reply!.content as { matches: string[]; cursor_start: number; cursor_end: number; metadata: unknown };
}

describe('cursor positions', () => {
  test('count code points in messages and UTF-16 units inside', () => {
    const code = 'a😀b😀';
    expect([0, 1, 2, 3, 4, 9].map((cursor) => toUnits(code, cursor))).toEqual([0, 1, 3, 4, 6, 6]);
    expect([0, 1, 3, 4, 6].map((units) => toPoints(code, units))).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('the editor', () => {
  test('completions come from the compiler with their kinds, at code points', async () => {
    rig.types = (question) =>
      question.type === 'complete'
        ? {
            start: question.cursor - 2,
            end: question.cursor,
            completions: [{ text: 'beta', kind: 'property', signature: '(property) beta: string' }],
          }
        : undefined;
    const code = "const s = '😀😀'; myobj.be";
    const content = await complete(code);
    const length = [...code].length;
    expect(content).toMatchObject({ matches: ['beta'], cursor_start: length - 2, cursor_end: length });
    expect(content.metadata).toEqual({
      _jupyter_types_experimental: [
        {
          start: length - 2,
          end: length,
          text: 'beta',
          type: 'property',
          signature: '(property) beta: string',
        },
      ],
    });
  });

  test('members of live objects are added, and used alone where the compiler knows none', async () => {
    rig.onMessage = (message) => {
      if (message.type === 'members')
        rig.post({ ...message, names: ['beta', 'bell', 'not a name', 'alpha'] });
    };
    expect((await complete('obj.be')).matches).toEqual(['beta', 'bell']);
    rig.types = () => ({ start: 6, end: 6, completions: [] });
    expect(await complete('obj.be')).toMatchObject({
      matches: ['beta', 'bell'],
      cursor_start: 4,
      cursor_end: 6,
    });
    rig.onMessage = () => {};
    expect((await complete('obj.be')).matches).toEqual([]);
  });

  test('a failing compiler is an error reply, and the next question is answered', async () => {
    rig.types = () => {
      throw new Error('the compiler fell over');
    };
    const failed = await rig.client.request('shell', 'inspect_request', { code: 'x', cursor_pos: 0 });
    expect(failed.reply?.content.status).toBe('error');
    rig.types = () => ({ found: true, data: { 'text/plain': 'x: number' } });
    const found = await rig.client.request('shell', 'inspect_request', { code: 'x', cursor_pos: 0 });
    expect(found.reply?.content).toMatchObject({
      status: 'ok',
      found: true,
      data: { 'text/plain': 'x: number' },
    });
  });

  test('is_complete gives an indent only for incomplete code', async () => {
    rig.types = () => ({ status: 'incomplete', indent: '  ' });
    const ask = () => rig.client.request('shell', 'is_complete_request', { code: '{' });
    expect((await ask()).reply?.content).toEqual({ status: 'incomplete', indent: '  ' });
    rig.types = () => ({ status: 'complete', indent: '' });
    expect((await ask()).reply?.content).toEqual({ status: 'complete' });
  });
});
