import * as aq from 'arquero';
import { describe, expect, it } from 'vitest';
import { formatValue } from '../../../kernel/display/index.js';

async function both(value: unknown, options = {}): Promise<{ text: string; html?: string }> {
  const { data } = await formatValue(value, { colour: false, ...options });
  return { text: data['text/plain'] as string, html: data['text/html'] as string | undefined };
}

describe('arrays of records', () => {
  it('are tables with types, aligned numbers and escaped words', async () => {
    const { text, html } = await both([
      { id: 1, name: '<b>one</b>', at: new Date(0) },
      { id: 20, name: 'two\nlines', at: null },
    ]);
    expect(text).toBe(
      [
        'Array 2 rows × 3 columns',
        '      id  name        at',
        '  number  string      date',
        '       1  <b>one</b>  1970-01-01T00:00:00.000Z',
        '      20  two↵lines   null',
      ].join('\n'),
    );
    expect(html).toContain('&lt;b&gt;one&lt;/b&gt;');
    expect(html).not.toContain('<b>one');
  });

  it('show the first rows and columns and count the rest', async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => ({ i, twice: 2 * i, name: `n${i}` }));
    const { text, html } = await both(rows, { columns: 2 });
    expect(text).toContain('Array 50,000 rows × 3 columns');
    expect(text).toContain('… the first 20 rows are shown; 1 more column not shown');
    expect(html!.match(/<tr>/g)).toHaveLength(21);
    expect(html!.length).toBeLessThan(6000);
  });

  it('may miss values and hold different types', async () => {
    const { text } = await both([{ a: 1, b: 2 }, { a: 'x' }, { a: NaN, b: undefined }]);
    expect(text).toContain('mixed  number');
  });

  it('are text when they are trees or unlike each other', async () => {
    for (const value of [
      [{ kind: 'a', children: [{}] }, { op: 1 }, { left: {}, right: {} }],
      [{ nested: { a: 1 } }, { nested: { a: 2 } }],
      [{}, {}],
      [1, 2],
      [{ a: 1 }, null],
      [new Map([['a', 1]])],
    ])
      expect((await both(value)).html).toBeUndefined();
  });

  it('do not run getters', async () => {
    const row = {
      a: 1,
      b: 2,
      get c(): never {
        throw new Error('ran');
      },
    };
    expect((await both([row])).text).toContain('Array 1 row × 3 columns');
  });

  it('of claims with judgements show the verdicts', async () => {
    const judgement = {
      outcome: 'supports',
      scope: 'S1',
      evidence: 'strong',
      word: 'reproduced',
      why: 'it holds',
      estimate: 0.031,
      interval: { low: 0.012, high: 0.05, confidence: 0.95 },
    };
    const { text } = await both([{ claim: { id: 'mamba/x', headline: true, kind: 'quality' }, judgement }]);
    expect(text).toMatch(/^Verdicts 1 row/);
    expect(text).toMatch(/mamba\/x +true +quality +supports +S1 +strong +reproduced +0\.031/);
  });
});

describe('tables of columns', () => {
  it('of Arquero show filtered rows, types and the count', async () => {
    const table = aq.table({ a: [1, 2, 3], b: ['x', 'y', 'z'], c: Float64Array.of(0.5, NaN, 1e-9) });
    expect((await both(table)).text).toBe(
      [
        'Table 3 rows × 3 columns',
        '       a  b          c',
        '  number  string   f64',
        '       1  x        0.5',
        '       2  y        NaN',
        '       3  z       1e-9',
      ].join('\n'),
    );
    const some = await both(table.filter((row: { a: number }) => row.a > 1));
    expect(some.text).toMatch(/^Table 2 rows/);
    expect(some.text).not.toContain('0.5');
  });

  it('of typed arrays of equal length are tables, others are text', async () => {
    const { text } = await both({ step: Int32Array.of(1, 2), loss: [0.5, 0.25], name: ['a', 'b'] });
    expect(text).toMatch(/^Object of columns 2 rows × 3 columns\n/);
    expect((await both({ a: Int32Array.of(1), b: [1, 2] })).html).toBeUndefined();
    expect((await both({ a: [1, 2], b: [1, 2] })).html).toBeUndefined();
  });
});
