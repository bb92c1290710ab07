import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { glob, History, historyFiles } from '../../../kernel/server/history.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'assay-history-'));
  file = join(folder, 'deep', 'history.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function session(...inputs: string[]): History {
  const history = new History([file]);
  inputs.forEach((input, i) => history.input(i + 1, input));
  return history;
}

const rows = (history: History, content: object) => history.answer({ ...content }).history;

describe('history', () => {
  test('tail gives the last cells, over sessions', () => {
    session('a', 'b');
    const second = session('c');
    expect(rows(second, { hist_access_type: 'tail', n: 2 })).toEqual([
      [1, 2, 'b'],
      [2, 1, 'c'],
    ]);
    expect(rows(second, { hist_access_type: 'tail', n: 0 })).toEqual([]);
  });

  test('range gives lines of this session (0), of one before (-1) or of a numbered one, stop not included', () => {
    session('a', 'b', 'c');
    const second = session('d', 'e', 'f');
    expect(rows(second, { hist_access_type: 'range', session: 0, start: 1, stop: 3 })).toEqual([
      [2, 1, 'd'],
      [2, 2, 'e'],
    ]);
    expect(rows(second, { hist_access_type: 'range', session: -1, start: 3 })).toEqual([[1, 3, 'c']]);
    expect(rows(second, { hist_access_type: 'range', session: 1, start: 1, stop: 2 })).toEqual([[1, 1, 'a']]);
  });

  test('search matches whole inputs by glob, the last n of them, once each where asked', () => {
    const history = session('let a = 1', 'a + 1', 'b', 'a + 1');
    const search = (more: object) => rows(history, { hist_access_type: 'search', ...more });
    expect(search({ pattern: '*1' })).toHaveLength(3);
    expect(search({ pattern: '*1', n: 1 })).toEqual([[1, 4, 'a + 1']]);
    expect(search({ pattern: 'a*', unique: true })).toEqual([[1, 4, 'a + 1']]);
    expect(search({ pattern: 'a' })).toEqual([]);
  });

  test('output comes with the input where asked, null where there was none', () => {
    const history = session('1+1', 'let x');
    history.output(1, '2');
    const expected = [
      [1, 1, ['1+1', '2']],
      [1, 2, ['let x', null]],
    ];
    expect(rows(history, { hist_access_type: 'tail', n: 5, output: true })).toEqual(expected);
    expect(rows(session(), { hist_access_type: 'tail', n: 5, output: true })).toEqual(expected);
  });

  test('several kernels append at once and each reads a consistent numbering', () => {
    const kernels = [new History([file]), new History([file]), new History([file])];
    for (let line = 1; line <= 20; line++) kernels.forEach((kernel, k) => kernel.input(line, `${k}:${line}`));
    for (const [k, kernel] of kernels.entries()) {
      const own = rows(kernel, { hist_access_type: 'range', session: 0 }) as [number, number, string][];
      expect(own.map(([, , input]) => input)).toEqual(Array.from({ length: 20 }, (_, i) => `${k}:${i + 1}`));
      expect(own[0][0]).toBe(k + 1);
    }
  });

  test('damaged lines are ignored', () => {
    session('a');
    appendFileSync(file, '{"session":\nnull\n5\n{"session":"x","line":"one","input":"no"}\n\u0000\u0001\n');
    expect(rows(session('b'), { hist_access_type: 'tail', n: 9 })).toEqual([
      [1, 1, 'a'],
      [2, 1, 'b'],
    ]);
  });

  test('the file stays bounded; the newest cells and their session numbers survive', () => {
    for (let s = 1; s <= 30; s++) new History([file], 2000).input(1, `session ${s} ${'x'.repeat(300)}`);
    const size = (name: string) => statSync(join(folder, 'deep', name)).size;
    expect(size('history.jsonl') + size('history.1.jsonl')).toBeLessThan(8000);
    const last = rows(new History([file]), { hist_access_type: 'tail', n: 1 }) as [number, number, string][];
    expect(last[0][0]).toBe(30);
    expect(last[0][2]).toContain('session 30 ');
  });

  test('where the file cannot be written the next one is used, and without any the session still remembers', () => {
    writeFileSync(join(folder, 'blocked'), '');
    const blocked = join(folder, 'blocked', 'history.jsonl');
    const history = new History([blocked, file]);
    history.input(1, 'a');
    expect(readFileSync(file, 'utf8')).toContain('"a"');
    const nowhere = new History([blocked]);
    nowhere.input(1, 'b');
    expect(rows(nowhere, { hist_access_type: 'tail', n: 1 })).toEqual([[1, 1, 'b']]);
  });

  test('requests that make no sense are refused', () => {
    const history = session('a');
    expect(() => history.answer({ hist_access_type: 'sideways' })).toThrow('hist_access_type must be');
    expect(() => history.answer({ hist_access_type: 'tail', n: 'many' })).toThrow('n must be');
    expect(() => history.answer({ hist_access_type: 'search', pattern: 5 })).toThrow('pattern must be');
  });

  test('ASSAY_HISTORY names another file or switches it off', () => {
    expect(historyFiles(folder, { ASSAY_HISTORY: 'off' })).toEqual([]);
    expect(historyFiles(folder, { ASSAY_HISTORY: file })).toEqual([file]);
    expect(historyFiles(folder, {})[0]).toBe(join(folder, '.assay', 'history.jsonl'));
    new History([]).input(1, 'a');
    expect(existsSync(file)).toBe(false);
    mkdirSync(join(folder, 'deep'));
  });
});

describe('glob', () => {
  test('knows *, ?, sets and characters beyond the basic plane', () => {
    expect(glob('a*c')('abbbc')).toBe(true);
    expect(glob('a*c')('abbb')).toBe(false);
    expect(glob('?')('😀')).toBe(true);
    expect(glob('[a-c]x[!0-9]')('bxz')).toBe(true);
    expect(glob('[a-c]x[!0-9]')('bx1')).toBe(false);
    expect(glob('[')('[')).toBe(true);
    expect(glob('*\n*')('a\nb')).toBe(true);
    expect(glob('')('')).toBe(true);
  });

  test('a pattern of many stars on a long text ends', () => {
    expect(glob('*a*a*a*a*a*a*a*a*b')('a'.repeat(20_000))).toBe(false);
  });
});
