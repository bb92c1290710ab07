import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isComplete } from '../../../kernel/types/is-complete.js';
import { Notebook } from './thread.js';

let notebook: Notebook;
beforeAll(() => {
  notebook = new Notebook();
  notebook.prepare(
    '/** Adds two.\n * @param a the first\n * @returns the sum */\nfunction add(a: number, b = 2) { return a + b }',
  );
  notebook.prepare(
    "const records = [{ alpha: 1, beta: 'x' }]; let mode: 'fast' | 'slow' = 'fast'; type Opt = { width: number; 'two words'?: 1 }; let maybe = undefined as Opt | undefined",
  );
  notebook.prepare("import * as assay from 'assay'");
});
afterAll(() => notebook.close());

describe('completion', () => {
  const texts = (code: string, cursor?: number) =>
    notebook.complete(code, cursor).completions.map((one) => one.text);

  it.each([
    ['members', 'records[0].al', ['alpha']],
    ['members after a bare dot', 'records[0].', ['alpha', 'beta']],
    ['string unions', "mode = '", ['fast', 'slow']],
    ['keys of object literals', 'const o: Opt = { wi', ['width']],
    ['names of earlier cells', 'reco', ['records']],
    ['members behind undefined', 'maybe.wi', ['?.width']],
    ['the library', 'assay.zer', ['zeros']],
    ['names of imports', "import { zero } from 'assay'", ['zeros'], 13],
    ['built-in modules', "import 'node:fs/p", ['promises']],
    ['globals', 'structuredC', ['structuredClone']],
    ['keywords', 'awai', ['await']],
    ['names of the cell itself', 'const later = 1; lat', ['later']],
    ['after magic lines', '%%time\nreco', ['records']],
  ])('knows %s', (_what, code, expected, cursor?: number) => {
    const found = texts(code, cursor);
    for (const one of expected) expect(found).toContain(one);
  });

  it('replaces the word at the cursor, in UTF-16 units', () => {
    const code = "'😀'; records[0].alp";
    expect(notebook.complete(code)).toMatchObject({ start: code.length - 3, end: code.length });
    expect(notebook.complete('records[0].alp + 1', 13)).toMatchObject({ start: 11, end: 14 });
    expect(notebook.complete('maybe.wi')).toMatchObject({ start: 5, end: 8 });
  });

  it('says kinds and signatures', () => {
    expect(notebook.complete('add').completions[0]).toMatchObject({ text: 'add', kind: 'function' });
    const kinds = ['assay.zeros', 'assay.Random'].map((code) => notebook.complete(code).completions[0]?.kind);
    expect(kinds).toEqual(['function', 'class']);
    const [first] = notebook.complete('records[0].al').completions;
    expect(first).toEqual({ text: 'alpha', kind: 'property', signature: 'alpha: number' });
  });

  it('offers local files', () => {
    notebook.write('helper.ts', 'export const helping = 1');
    expect(texts("import { x } from './hel").some((one) => one.startsWith('helper'))).toBe(true);
  });

  it('is capped and hides the kernel’s own names', () => {
    const found = texts('');
    expect(found.length).toBeLessThanOrEqual(400);
    expect(found.filter((one) => one.startsWith('__assay'))).toEqual([]);
  });

  it('leaves the session as it was', () => {
    notebook.complete('const drafted = 1; draf');
    expect(notebook.errors('drafted')).toEqual(['1:1 TS2304']);
  });
});

describe('inspection', () => {
  it.each([
    ['a function of an earlier cell with its docs', 'add', 'Adds two.'],
    ['with its signature', 'add', 'function add(a: number, b?: number): number'],
    ['a call being written, after (', 'add(', 'Adds two.'],
    ['and after a comma', 'add(1, ', 'add(a: number, b?: number): number'],
    ['a tag', 'add', '@param a the first'],
    ['a variable', 'records', 'alpha: number'],
    ['a member', 'records.map', 'Calls a defined callback'],
    ['a type', 'Opt', 'width: number'],
    ['the library', 'assay.zeros', 'shape: Shape'],
    ['the kernel’s own names', 'cell.signal', 'AbortSignal'],
  ])('tells %s', (_what, code, expected) => {
    expect(notebook.inspect(code)).toContain(expected);
  });

  it('finds the name the cursor stands in', () => {
    expect(notebook.inspect('add(1, 2)', 1)).toContain('Adds two.');
  });

  it('gives markdown as well', () => {
    const answer = notebook.thread.handle({ type: 'inspect', code: 'add', cursor: 3, detail: 0 });
    expect(answer).toMatchObject({ found: true });
    expect(JSON.stringify(answer)).toContain('```typescript');
  });

  it('finds nothing in nothing', () => {
    expect(notebook.thread.handle({ type: 'inspect', code: '', cursor: 0, detail: 0 })).toEqual({
      found: false,
      data: {},
    });
  });
});

describe('completeness', () => {
  it.each([
    ['1 + 1', 'complete', ''],
    ['', 'complete', ''],
    ['// only this', 'complete', ''],
    ['{ a: 1 }', 'complete', ''],
    ['foo()\n.bar', 'complete', ''],
    ['await (async () => 1)()', 'complete', ''],
    ['if (x) {', 'incomplete', '  '],
    ['function f() {\n  for (;;) {', 'incomplete', '    '],
    ['function f() {\n  return 1;', 'incomplete', '  '],
    ['foo(', 'incomplete', '  '],
    ['[1,', 'incomplete', ''],
    ['a +', 'incomplete', ''],
    ['const a = ', 'incomplete', ''],
    ['x.', 'incomplete', ''],
    ['const f = () =>', 'incomplete', '  '],
    ['`abc', 'incomplete', ''],
    ['`a ${b', 'incomplete', ''],
    ['/* open', 'incomplete', ''],
    ['if (a) b\nelse', 'incomplete', ''],
    ['try { x }', 'incomplete', ''],
    ['type A =', 'incomplete', ''],
    ['class A {', 'incomplete', '  '],
    ["let s = 'abc", 'invalid', ''],
    ['x = )', 'invalid', ''],
    ['}', 'invalid', ''],
    ['let 1x', 'invalid', ''],
    ['/abc', 'invalid', ''],
  ])('%j is %s', (code, status, indent) => {
    expect(isComplete(code)).toEqual({ status, indent });
  });
});
