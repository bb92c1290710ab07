import { describe, expect, it } from 'vitest';
import { plain } from '../../../kernel/display/ansi.js';
import { formatValue } from '../../../kernel/display/index.js';

const DISPLAY = Symbol.for('Jupyter.display');
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

async function text(value: unknown): Promise<string> {
  const { data } = await formatValue(value);
  return plain(data['text/plain'] as string);
}

describe('formatValue of plain values', () => {
  it('writes primitives as code would, without colours', async () => {
    const cases: [unknown, string][] = [
      [2, '2'],
      [-0, '-0'],
      [NaN, 'NaN'],
      ['a "b"', `'a "b"'`],
      [undefined, 'undefined'],
      [null, 'null'],
      [10n, '10n'],
      [Symbol('s'), 'Symbol(s)'],
      [true, 'true'],
    ];
    for (const [value, expected] of cases)
      expect((await formatValue(value)).data).toEqual({ 'text/plain': expected });
  });

  it('lets a string of 10 MB arrive whole', async () => {
    const { data } = await formatValue('x'.repeat(10 * 1024 * 1024));
    expect((data['text/plain'] as string).length).toBe(10 * 1024 * 1024 + 2);
  });

  it('bounds the text of large and deep objects', async () => {
    const wide = Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`k${i}`, i]));
    const nest = (depth: number): unknown =>
      depth === 0 ? 1 : Array.from({ length: 60 }, () => nest(depth - 1));
    const strings = { a: 's'.repeat(5e6), b: Array.from({ length: 1e5 }, () => 'long '.repeat(50)) };
    for (const value of [wide, nest(4), strings, new Map(Object.entries(wide)), new Set(Object.keys(wide))])
      expect((await text(value)).length).toBeLessThan(70_000);
    expect(await text(wide)).toContain('199,700 more keys');
  });

  it('shows functions, classes, maps, sets, cyclic objects and objects without a prototype', async () => {
    expect(await text(function foo() {})).toBe('[Function: foo]');
    expect(await text(class A {})).toBe('[class A]');
    expect(await text(new Map([[1, new Set(['x'])]]))).toBe("Map(1) { 1 => Set(1) { 'x' } }");
    const cyclic: Record<string, unknown> = { a: 1 };
    cyclic.self = cyclic;
    expect(await text(cyclic)).toBe('<ref *1> { a: 1, self: [Circular *1] }');
    expect(await text(Object.create(null))).toBe('[Object: null prototype] {}');
  });

  it('takes arrays of holes and the largest objects of the process', async () => {
    expect(await text(new Array(5))).toBe('[ <5 empty items> ]');
    expect(await text(new Array(2 ** 32 - 1))).toBe('[ <4294967295 empty items> ]');
    for (const value of [globalThis, process, await import('node:fs')])
      expect((await text(value)).length).toBeLessThan(70_000);
  });

  it('runs no getters and survives hostile proxies', async () => {
    const boom = (): never => {
      throw new Error('trap');
    };
    const trapped = new Proxy({}, { get: boom, has: boom, ownKeys: boom, getPrototypeOf: boom });
    expect(await text(trapped)).toBe('{}');
    const answersAll = new Proxy(() => 1, { get: () => () => answersAll });
    expect(await text(answersAll)).toContain('[Function');
    expect(
      await text({
        get x() {
          return boom();
        },
      }),
    ).toBe('{ x: [Getter] }');
  });

  it('says that a promise wants await', async () => {
    expect(await text(new Promise(() => undefined))).toBe(
      'Promise { <pending> }\n(a promise; write await before it to get its value)',
    );
  });

  it('shows an error as a value with its causes', async () => {
    expect(await text(new Error('a', { cause: new TypeError('b') }))).toMatch(
      /^Error: a\n[^]*caused by TypeError: b/,
    );
  });

  it('uses a custom inspection and names the error of one that fails', async () => {
    expect(await text({ [INSPECT]: () => 'MINE' })).toBe('MINE');
    const broken = {
      [INSPECT]() {
        throw new TypeError('bad');
      },
    };
    expect(await text(broken)).toMatch(/\(its own inspection failed: TypeError: bad\)$/);
  });
});

describe('Symbol.for("Jupyter.display")', () => {
  it('shows the bundle of a method or of its promise, with text added where it has none', async () => {
    const now = { [DISPLAY]: () => ({ 'text/html': '<b>x</b>', 'text/plain': 'P' }) };
    expect(await formatValue(now)).toEqual({
      data: { 'text/html': '<b>x</b>', 'text/plain': 'P' },
      metadata: {},
    });
    class Later {
      async [DISPLAY]() {
        await Promise.resolve();
        return { 'text/markdown': '# m' };
      }
    }
    const { data } = await formatValue(new Later());
    expect(data['text/markdown']).toBe('# m');
    expect(plain(data['text/plain'] as string)).toBe('Later {}');
  });

  it('takes bytes as base64, JSON with typed arrays, and metadata', async () => {
    const value = {
      [DISPLAY]: () => ({
        data: {
          'image/png': Uint8Array.of(1, 2, 3),
          'application/json': { a: Float32Array.of(1, 2), b: 3n },
        },
        metadata: { 'image/png': { width: 10 } },
      }),
    };
    const { data, metadata } = await formatValue(value);
    expect(data['image/png']).toBe('AQID');
    expect(data['application/json']).toEqual({ a: [1, 2], b: 3 });
    expect(metadata).toEqual({ 'image/png': { width: 10 } });
  });

  it('shows the plain text and names the error when the hook fails or shows nothing', async () => {
    const fails = (hook: () => unknown): Promise<string> => text({ id: 7, [DISPLAY]: hook });
    const thrown = await fails(() => {
      throw new RangeError('no picture');
    });
    expect(thrown).toMatch(/id: 7[^]*display"\) failed: RangeError: no picture\)$/);
    expect(await fails(() => Promise.reject(new Error('late')))).toContain('failed: Error: late');
    expect(await fails(() => 5)).toContain('must be an object of MIME types, got number');
    expect(await fails(() => ({ html: 'x' }))).toContain('keys must be MIME types');
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    expect(await fails(() => ({ 'application/json': cyclic }))).toContain('failed: TypeError');
  });
});
