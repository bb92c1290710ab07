import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatErrorText, formatValue } from '../../../kernel/display/index.js';

const anything = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withObjectString: true,
  withSparseArray: true,
  withTypedArray: true,
});

describe('any value', () => {
  it('has a bundle with text that a message and a notebook can carry', async () => {
    await fc.assert(
      fc.asyncProperty(anything, async (value) => {
        const { data, metadata } = await formatValue(value);
        expect(typeof data['text/plain']).toBe('string');
        expect(data['text/plain']).not.toContain('could not be shown');
        expect(JSON.parse(JSON.stringify(structuredClone({ data, metadata })))).toEqual({ data, metadata });
      }),
      { numRuns: 400 },
    );
  });

  it('in the place of traces of a figure, rows of a table or a thrown error is shown as well', async () => {
    await fc.assert(
      fc.asyncProperty(anything, anything, async (one, two) => {
        expect(typeof formatErrorText(one)).toBe('string');
        expect(typeof formatErrorText(new Error('x', { cause: one }))).toBe('string');
        for (const value of [
          { data: [{ type: 'scatter', x: one, y: two }], layout: {} },
          { data: [{ type: 'bar', y: [one, two] }] },
          { data: [{ type: 'heatmap', z: [[one], [two]] }] },
          { data: [{ x: [one], y: [two] }], layout: { title: one } },
          [{ a: one, b: 1, c: 2 }, { a: two, b: 3, c: 4 }], // prettier-ignore
        ]) {
          const { data } = await formatValue(value);
          expect(typeof data['text/plain']).toBe('string');
          expect(JSON.stringify(data['text/html'] ?? '')).not.toContain('<script');
          structuredClone(data);
        }
      }),
      { numRuns: 200 },
    );
  });
});
