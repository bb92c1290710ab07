import { describe, expect, it } from 'vitest';
import { CellSource, CellSources } from '../../../kernel/user/cell-map.js';
import { mapFrameLines, shownFile } from '../../../kernel/user/stack.js';

const cells = new CellSources();
cells.add(3, new CellSource('go()', 'guard;go()', { edits: [[0, 6, 0]] }));
const mapper = { cells, folder: '/books', own: 'file:///kernel/user/' };

describe('stacks', () => {
  it('have the own places of cells', () => {
    expect(mapFrameLines(['    at go (cell-3.ts:1:7)', '    at cell-3.ts:1:7'], mapper)).toEqual([
      '    at go (cell-3.ts:1:1)',
      '    at cell-3.ts:1:1',
    ]);
  });

  it('end where the kernel begins', () => {
    const lines = [
      '    at f (cell-3.ts:1:7)',
      '    at Session.post (node:inspector:5:6)',
      '    at Evaluator.post (file:///kernel/user/evaluate.js:1:2)',
    ];
    expect(mapFrameLines(lines, mapper)).toEqual(['    at f (cell-3.ts:1:1)']);
  });

  it('leave out the kernel in the middle and Node below the user’s code, but not above it', () => {
    const lines = [
      '    at readFileSync (node:fs:1:2)',
      '    at f (cell-3.ts:1:7)',
      '    at wrapped (file:///kernel/user/timers.js:3:4)',
      '    at listOnTimeout (node:internal/timers:5:6)',
      '    at process.processTimers (node:internal/timers:7:8)',
    ];
    expect(mapFrameLines(lines, mapper)).toEqual([
      '    at readFileSync (node:fs:1:2)',
      '    at f (cell-3.ts:1:1)',
    ]);
  });

  it('name local files by their path in the notebook’s folder, without versions', () => {
    const lines = ['    at m (file:///books/sub/mod.ts?v=abc:6:39)', '    at n (/elsewhere/x.js:1:2)'];
    expect(mapFrameLines(lines, mapper)).toEqual([
      '    at m (sub/mod.ts:6:39)',
      '    at n (/elsewhere/x.js:1:2)',
    ]);
  });
});

describe('files as shown', () => {
  it('are whole paths outside of the folder and in node_modules', () => {
    expect(shownFile('file:///books/node_modules/p/i.js', '/books')).toBe('/books/node_modules/p/i.js');
    expect(shownFile('/other/i.js', '/books')).toBe('/other/i.js');
    expect(shownFile('cell-1.ts', '/books')).toBe('cell-1.ts');
  });
});
