import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CellSource, undoEdits } from '../../../kernel/user/cell-map.js';

type Edit = [at: number, put: number, taken: number];

/** Applies replacements of `taken` units by `put` units, each some units after the last one's end. */
function edited(text: string, steps: readonly (readonly [number, number, number])[]) {
  const edits: Edit[] = [];
  /** For every unit of the result: its offset in `text`, or that of the edit that put it in. */
  const origins: number[] = [];
  let at = 0;
  for (const [gap, put, taken] of steps) {
    if (at + gap + taken > text.length) break;
    for (let i = 0; i < gap; i++) origins.push(at + i);
    at += gap;
    edits.push([origins.length, put, taken]);
    for (let i = 0; i < put; i++) origins.push(at);
    at += taken;
  }
  for (; at < text.length; at++) origins.push(at);
  return { edits, origins };
}

describe('undoing edits', () => {
  it('leads every unit back to where it was, and what was put in to its place', () => {
    const step = fc.tuple(fc.nat(6), fc.nat(5), fc.nat(4));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
        const { edits, origins } = edited('x'.repeat(60), steps);
        expect(origins.map((_, offset) => undoEdits(edits, offset))).toEqual(origins);
      }),
    );
  });
});

describe('places of a cell', () => {
  it('are those of the JavaScript where nothing was edited', () => {
    const code = 'let a = 1;\nthrow a;';
    const source = new CellSource(code, `${code}\n//# sourceURL=cell-1.ts`, { edits: [] });
    expect(source.back({ line: 2, column: 7 })).toEqual({ line: 2, column: 7 });
  });

  it('lose the columns of what was put in before them on their line', () => {
    const code = 'first();\nfor (;;) { work(); }';
    const guard = 'if(stop);';
    const at = code.indexOf('{') + 1;
    const js = code.slice(0, at) + guard + code.slice(at);
    const source = new CellSource(code, js, { edits: [[at, guard.length, 0]] });
    const column = js.split('\n')[1].indexOf('work') + 1;
    expect(source.back({ line: 2, column })).toEqual({ line: 2, column: 12 });
    expect(source.back({ line: 1, column: 1 })).toEqual({ line: 1, column: 1 });
  });

  it('go through the source map of a cell that had to be emitted', () => {
    // One segment: line 3, column 0 of the output is line 2, column 4 of the cell.
    const sourceMap = JSON.stringify({ version: 3, sources: ['c'], names: [], mappings: ';;AACI' });
    const source = new CellSource('enum E {}\n    boom()', 'var E;\n\n__();boom()', {
      edits: [[8, 5, 0]],
      sourceMap,
    });
    expect(source.back({ line: 3, column: 6 })).toEqual({ line: 2, column: 5 });
  });

  it('outside of the JavaScript stay as they are', () => {
    const source = new CellSource('a', 'a', { edits: [] });
    expect(source.back({ line: 9, column: 2 })).toEqual({ line: 9, column: 2 });
  });
});
