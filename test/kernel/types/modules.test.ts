import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { TraceMap, originalPositionFor } from '@jridgewell/trace-mapping';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Notebook } from './thread.js';
import { root } from '../../structure/support.js';

let notebook: Notebook;
let rounds = 0;
beforeAll(() => {
  notebook = new Notebook();
  const flags = new Proxy([0], { get: () => (rounds++, 0) });
  Object.defineProperty(globalThis, '__assay', {
    value: { f: flags, stop: () => undefined },
    configurable: true,
  });
});
afterAll(() => notebook.close());
beforeEach(() => {
  rounds = 0;
});

/** Loads a prepared module as Node's hook would: every versioned address is a file of its own. */
async function load(name: string): Promise<Record<string, unknown>> {
  const written = new Set<string>();
  const write = (file: string, version: string): string => {
    const out = `${file}.${version}.mjs`;
    if (written.has(out) || existsSync(out)) return out;
    written.add(out);
    const made = notebook.module(path.relative(notebook.folder, file));
    if (!made.ok) throw new Error(made.diagnostics[0].message);
    const js = made.js.replace(
      /(file:\/\/[^"]+)\?v=(\w+)/g,
      (_, url: string, inner: string) => pathToFileURL(write(fileURLToPath(url), inner)).href,
    );
    writeFileSync(out, js);
    return out;
  };
  const { file, version } = notebook.locate(`./${name}`)!;
  return import(/* @vite-ignore */ pathToFileURL(write(file, version)).href) as Promise<
    Record<string, unknown>
  >;
}

describe('local modules', () => {
  it('run with their types erased, loops guarded and imports in every spelling', async () => {
    notebook.write(
      'a.ts',
      `import { b, type B } from './sub/b.js';
import type { Gone } from './gone';
import { T, t } from './sub/t';
import plain from './plain.mjs';
export type A = B & T & Gone;
export interface I { x: number }
export { t, type A as AA };
export const all: number[] = [];
for (const one of [b, t, plain]) all.push(one as number);
export const lazy = async () => (await import('./sub/lazy.ts')).lazy;
export const place = import.meta.url.startsWith('file:');
export const waited = await Promise.resolve(4);
`,
    );
    notebook.write('sub/b.ts', 'export type B = {}; export const b = 1');
    notebook.write('sub/t.ts', 'export interface T {}\nexport const t = 2');
    notebook.write('sub/lazy.ts', 'export enum Lazy { A = 5 }\nexport const lazy = Lazy.A');
    notebook.write('plain.mjs', 'export default 3');
    const made = await load('a.ts');
    expect(made).toMatchObject({ all: [1, 2, 3], place: true, waited: 4, t: 2 });
    expect(await (made.lazy as () => Promise<number>)()).toBe(5);
    expect(rounds).toBe(3);
    expect(Object.keys(made)).not.toContain('A');
  });

  it('keep every line when their types are blanked', () => {
    notebook.write(
      'lines.ts',
      'interface A {\n  x: number\n}\n\nexport const y: number =\n  1;\nthrow new Error("8")\n',
    );
    const made = notebook.module('lines.ts');
    if (!made.ok) throw new Error('must be accepted');
    expect(made.js).not.toContain('sourceMappingURL');
    expect(made.js.split('\n').findIndex((line) => line.includes('throw'))).toBe(6);
  });

  it('carry a source map to their own lines and columns where they had to be emitted', () => {
    const code =
      'enum E { A }\n\nexport class C {\n  constructor(private x: number) {}\n  m() { for (const k of [1]) { throw new Error("here" + k + this.x) } }\n}\nE.A;\n';
    notebook.write('emitted.ts', code);
    const made = notebook.module('emitted.ts');
    if (!made.ok) throw new Error('must be accepted');
    const [, encoded] = /sourceMappingURL=data:application\/json;base64,(\S+)/.exec(made.js)!;
    const map = new TraceMap(Buffer.from(encoded, 'base64').toString());
    const lines = made.js.split('\n');
    const line = lines.findIndex((one) => one.includes('throw'));
    const found = originalPositionFor(map, { line: line + 1, column: lines[line].indexOf('throw') });
    expect(found).toMatchObject({
      source: pathToFileURL(notebook.path('emitted.ts')).href,
      line: 5,
      column: code.split('\n')[4].indexOf('throw'),
    });
  });

  it('may use the names of CommonJS', async () => {
    notebook.write(
      'common.ts',
      "import os = require('node:os');\nexport const sep: string = require('node:path').sep;\nexport const dir = __dirname;\nexport const eol = os.EOL;",
    );
    expect(await load('common.ts')).toMatchObject({ sep: path.sep, dir: notebook.folder });
  });

  it('that import each other have versions of their own and load', async () => {
    notebook.write(
      'even.ts',
      "import { odd } from './odd';\nexport const even = (n: number): boolean => (n === 0 ? true : odd(n - 1));",
    );
    notebook.write(
      'odd.ts',
      "import { even } from './even';\nexport const odd = (n: number): boolean => (n === 0 ? false : even(n - 1));",
    );
    const made = await load('even.ts');
    expect((made.even as (n: number) => boolean)(4)).toBe(true);
  });

  it('have a new version when they or what they import change, and only then', () => {
    notebook.write('top.ts', "import './middle';\nimport 'node:fs';");
    notebook.write('middle.ts', "export * from './bottom.js'");
    notebook.write('bottom.ts', 'export const x = 1');
    notebook.write('apart.ts', 'export const x = 1');
    const versions = () =>
      ['./top', './middle', './bottom', './apart'].map((one) => notebook.locate(one)!.version);
    const before = versions();
    expect(versions()).toEqual(before);
    notebook.write('bottom.ts', 'export const x = 2');
    const after = versions();
    expect(after.map((one, at) => one === before[at])).toEqual([false, false, false, true]);
    notebook.write('bottom.ts', 'export const x = 1');
    expect(versions()).toEqual(before);
  });

  it('with a syntax error are refused with file and place', () => {
    notebook.write('sub/broken.ts', 'export const ok = 1;\nexport const x: = 2;');
    expect(notebook.module('sub/broken.ts')).toMatchObject({
      ok: false,
      kind: 'syntax',
      diagnostics: [{ file: path.join('sub', 'broken.ts'), line: 2, column: 17 }],
    });
  });

  it('written in JavaScript are modules by their syntax or by package.json; CommonJS is left to Node', () => {
    notebook.write('esm.js', 'export const x = 1');
    notebook.write('node-style.js', 'module.exports = 1');
    notebook.write('typed/package.json', '{ "type": "module" }');
    notebook.write('typed/bare.js', 'globalThis.ran = 1');
    notebook.write('c.cjs', 'module.exports = 1');
    notebook.write('d.json', '{}');
    const located = [
      './esm',
      './esm.js',
      './node-style.js',
      './typed/bare.js',
      './c.cjs',
      './d.json',
      'node:fs',
      'typescript',
      './nowhere',
    ];
    expect(located.map((one) => notebook.locate(one) !== undefined)).toEqual([
      true,
      true,
      false,
      true,
      false,
      false,
      false,
      false,
      false,
    ]);
  });

  it('are located from a folder, a file or an address with a version', () => {
    const file = notebook.path('sub/b.ts');
    const from = [
      notebook.path('sub'),
      notebook.path('sub/t.ts'),
      `${pathToFileURL(notebook.path('sub/t.ts')).href}?v=12`,
    ];
    for (const one of from) expect(notebook.locate('./b', one)?.file).toBe(file);
    expect(notebook.locate(pathToFileURL(file).href)?.file).toBe(file);
    expect(notebook.locate(file)?.file).toBe(file);
    expect(notebook.locate('./sub/b.js?x=1')?.file).toBe(file);
  });

  it('of the project itself are never copied', () => {
    expect(notebook.locate(path.join(root, 'lib', 'index.js'))).toBeUndefined();
  });

  it('imported by a cell are told, with the names they give', () => {
    const made = notebook.prepare(
      "import d, { x as y } from './esm.js'; import * as all from './a'; import 'node:fs'",
      false,
    );
    expect(made).toMatchObject({
      ok: true,
      localImports: [
        {
          file: notebook.path('esm.js'),
          specifier: './esm.js',
          names: [
            ['d', 'default'],
            ['y', 'x'],
          ],
        },
        { file: notebook.path('a.ts'), specifier: './a', names: [['all', '*']] },
      ],
    });
  });
});
