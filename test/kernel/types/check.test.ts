import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Notebook } from './thread.js';

let notebook: Notebook;
beforeAll(async () => {
  notebook = new Notebook();
  await notebook.thread.warm();
});
afterAll(() => notebook.close());

/** Cells in order; those before the last must be accepted, the last has these errors. */
const ERRORS: [what: string, cells: string[], errors: string[]][] = [
  ['a type error has its place', ['const pad = 1\nlet s: string = 5'], ['2:5 TS2322']],
  ['columns count UTF-16 units', ["const em = '😀'; em.nope"], ['1:21 TS2339']],
  ['an error in an object literal cell has its own column', ['{ a: 1, b: nope }'], ['1:12 TS2304']],
  ['all errors of a cell are told', ['nope1\nnope2()'], ['1:1 TS2304', '2:1 TS2304']],
  ['a name nobody declared is an error', ['undeclared'], ['1:1 TS2304']],
  [
    'values, functions, classes, enums, namespaces and types reach later cells',
    [
      'const v1 = 1; function f1(x: number) { return x }\nclass C1<T> { constructor(public v: T) {} }\nenum E1 { A }\nnamespace N1 { export type Z = string; export const q = 1 }\ninterface I1 { m(): void }\ntype T1<X> = { x: X }',
      'f1(v1); new C1("s").v.length; E1.A; const z1: N1.Z = "s"; N1.q; const i1: I1 = { m() {} }; const t1: T1<number> = { x: v1 }; let c1: C1<number> | undefined',
    ],
    [],
  ],
  ['their types are checked in later cells', ['f1("x")'], ['1:4 TS2345']],
  ['a name declared again has its new type', ['const r1 = 1', 'const r1 = "s"', 'r1.length'], []],
  ['and no longer its old one', ['r1.toFixed()'], ['1:4 TS2551']],
  [
    'a kind may change',
    ['let k1 = 1', 'function k1() { return "s" }', 'class k1 { x = 1 }', 'new k1().x.toFixed()'],
    [],
  ],
  [
    'a function keeps the types it was checked with',
    ['let base = 1; function useBase() { return base }', 'let base = "s"', 'useBase().toFixed()'],
    [],
  ],
  [
    'an enum declared again has only its new members',
    ['enum E2 { Old }', 'enum E2 { New }', 'E2.Old'],
    ['1:4 TS2339'],
  ],
  ['let can be assigned in a later cell', ['let l1: string | undefined', 'l1 = "x"; l1.length'], []],
  ['with its type', ['l1 = 5'], ['1:1 TS2322']],
  ['const cannot', ['const c2 = 1', 'c2 = 2'], ['1:1 TS2588']],
  ['nor can an import', ["import { join } from 'node:path'", 'join = 1 as any'], ['1:1 TS2632']],
  ['null is checked', ['let nn: { x: number } | null = null as any', 'nn.x'], ['1:1 TS18047']],
  [
    'parameters may be any',
    [
      'const anyFn = (a, b) => a + b; function g1(z) { return z.x }; try { 1 } catch (e) { e.message }',
      'anyFn(1, 2)',
    ],
    [],
  ],
  ['an empty list takes what is put in', ['let list = []; list.push(1)', 'list.push("x")'], []],
  [
    'top-level await in every form',
    [
      'const aw = await (async () => 3)(); for await (const x of [aw]) x.toFixed(); const [d1 = await aw] = []; await using u1 = { async [Symbol.asyncDispose]() {} }',
    ],
    [],
  ],
  [
    'imports of later cells keep every meaning',
    [
      "import { Readable, type ReadableOptions } from 'node:stream'",
      'let rs: Readable | undefined; const ro: ReadableOptions = {}; new Readable(ro)',
    ],
    [],
  ],
  [
    'a type and a value of one name',
    ['type Both<T> = { v: T }\nconst Both = 1', 'const b1: Both<string> = { v: "s" }; Both.toFixed()'],
    [],
  ],
  ['private members stay private', ['class Pr { private y = 1 }', 'new Pr().y'], ['1:10 TS2341']],
  ['symbols stay unique', ['const sym = Symbol(); const so = { [sym]: 1 }', 'so[sym].toFixed()'], []],
  [
    'assertion functions narrow',
    ['function must(x: unknown): asserts x is string {}\nlet un: unknown', 'must(un); un.length'],
    [],
  ],
  ['a missing module is an error', ["import x from './nowhere'"], ['1:15 TS2307']],
  ['also when imported for its effects', ["import 'no-such-package'"], ['1:8 TS2307']],
  ['return belongs in functions', ['return 1'], ['1:1 TS1108']],
  ['the same name twice in one cell', ['const tw = 1; const tw = 2'], ['1:7 TS2451', '1:21 TS2451']],
  ['expected errors are expected', ['// @ts-expect-error\nconst ee: string = 5\n// @ts-ignore\nnope()'], []],
  [
    'a file that wants no checks gets none',
    ['// a comment\n// @ts-nocheck\nconst nc: string = 5', 'nc.length'],
    [],
  ],
  [
    'exports are tolerated',
    ['export const ex = 1; export default class Dx {}\nexport { ex as other }', 'ex + 1; new Dx()'],
    [],
  ],
  [
    'require is typed',
    ["import fs = require('fs'); fs.readFileSync; require('x'); __dirname; __filename"],
    [],
  ],
  [
    'Node and the web’s names it has',
    [
      'fetch; new URL("a:b"); performance.now(); structuredClone(1); new AbortController(); new TextEncoder(); Buffer.from(""); crypto.randomUUID(); new Blob([]); queueMicrotask; console.log(btoa("a")); new WebAssembly.Memory({ initial: 1 }).buffer',
    ],
    [],
  ],
  [
    'WebGPU is typed',
    [
      'const adapter = (await navigator.gpu.requestAdapter())!; const device = await adapter.requestDevice(); const usage = GPUBufferUsage.STORAGE; const buffer: GPUBuffer = device.createBuffer({ size: 4, usage }); device.queue.writeBuffer(buffer, 0, new Float32Array(1))',
    ],
    [],
  ],
  ['and checked', ['device.createBuffer({ size: "4", usage })'], ['1:23 TS2322']],
  [
    'the kernel’s own names are typed',
    ['cell.signal.aborted; cell.count.toFixed(); prompt("x").length; _.whatever'],
    [],
  ],
  [
    'the library is typed from any folder',
    ["import { zeros } from 'assay'\nconst tz = zeros([2, 3])", 'tz.shape.length'],
    [],
  ],
  ['and checked too', ['tz.shap'], ['1:4 TS2551']],
  [
    'the modules of notebooks are found',
    ["import * as nbm from 'assay/notebook'; import * as tslab from 'tslab'; nbm; tslab"],
    [],
  ],
];

describe('types of cells', () => {
  it.each(ERRORS)('%s', (_what, cells, errors) => {
    for (const cell of cells.slice(0, -1)) expect(notebook.errors(cell), cell).toEqual([]);
    expect(notebook.errors(cells[cells.length - 1])).toEqual(errors);
  });

  it('a refused cell declares nothing', () => {
    expect(notebook.errors('const refused: string = 1')).toHaveLength(1);
    expect(notebook.errors('refused')).toEqual(['1:1 TS2304']);
  });

  it('an unchecked cell declares its names', () => {
    expect(notebook.prepare('const loose: string = 1 as never; nope', false).ok).toBe(true);
    expect(notebook.errors('loose.length')).toEqual([]);
  });

  it('syntax errors are told with or without checks', () => {
    for (const check of [true, false]) {
      const made = notebook.prepare('let 1x = ;', check);
      expect(made).toMatchObject({ ok: false, kind: 'syntax' });
    }
  });

  it('notes name the cell a declaration came from', () => {
    notebook.prepare('interface Told { alpha: string }');
    const made = notebook.prepare('const told: Told = { alpha: 1 }');
    if (made.ok) throw new Error('must be refused');
    expect(made.diagnostics[0].notes.join()).toMatch(/^cell-\d+\.ts:1:18: .*property 'alpha'/);
  });

  it('at most ten errors are shown', () => {
    expect(notebook.errors('nope();'.repeat(30))).toHaveLength(10);
  });

  it('messages never show names of the compiler’s own files', () => {
    notebook.prepare("import * as lib from 'assay'");
    const made = notebook.prepare('const wrong: lib.Tensor = lib.zeros');
    expect(made.ok).toBe(false);
    expect(JSON.stringify(made)).not.toMatch(/__assay\$|%cell/);
  });

  it('a cell that means the same is not made again, and one whose names changed is', () => {
    notebook.prepare('let meaning = 1');
    const first = notebook.prepare('const seen = meaning');
    expect(notebook.prepare('const seen = meaning')).toMatchObject({ map: first.ok && first.map });
    notebook.prepare('let meaning = "s"');
    expect(notebook.errors('const seen = meaning')).toEqual([]);
    expect(notebook.errors('seen.length')).toEqual([]);
  });

  it('a type and a value of one name live side by side, whichever cell declares which', () => {
    expect(notebook.errors('class Side { a = 1 }')).toEqual([]);
    expect(notebook.errors('interface Side { b: number }')).toEqual([]);
    expect(notebook.errors('const side: Side = { b: 1 }; new Side().a')).toEqual([]);
    expect(notebook.errors('new Side().b')).toEqual(['1:12 TS2339']);
    expect(notebook.errors('type Id<T> = T[]')).toEqual([]);
    expect(notebook.errors('function Id(x: number) { return x }')).toEqual([]);
    expect(notebook.errors('const ids: Id<number> = [Id(3)]; ids')).toEqual([]);
    expect(notebook.errors('const Id = 3; const more: Id<string> = [Id.toFixed()]')).toEqual([]);
    // A class is both, so nothing of the type is left.
    expect(notebook.errors('class Id { own = 1 }')).toEqual([]);
    expect(notebook.errors('const id: Id = { own: new Id().own }')).toEqual([]);
  });

  it('a cell may begin with a hashbang', () => {
    expect(notebook.errors('#!/usr/bin/env node\n1 + 2')).toEqual([]);
    expect(notebook.errors('#!/usr/bin/env node\n1 + nothing')).toEqual(['2:5 TS2304']);
  });

  it('names that came by the debugger are of any type', () => {
    expect(notebook.errors('fromConsole')).toEqual(['1:1 TS2304']);
    notebook.thread.handle({
      type: 'declare',
      code: 'let fromConsole = 1, { other } = x; assigned = 2; seen = 3',
    });
    expect(notebook.errors('fromConsole.anything; other.anything; assigned.anything')).toEqual([]);
  });

  it('an unchecked cell demands values of its imports and no types', () => {
    notebook.write('both.ts', 'export interface OnlyType { x: number }\nexport const value = 1');
    const made = notebook.prepare("import { OnlyType, value, missing } from './both'", false);
    expect(made.ok && made.js).toContain('["value","missing"]');
  });

  it('imports of types alone do not run', () => {
    notebook.write('only-types.d.ts', 'export interface Only { x: number }');
    const made = notebook.prepare(
      "import { Only } from './only-types'; import { join as j2 } from 'node:path'\nconst only: Only = { x: 1 }",
    );
    expect(made.ok && made.js).not.toContain('only-types');
    expect(made.ok && made.js).toContain("__assay.import('node:path'");
    expect(notebook.errors('const again: Only = only')).toEqual([]);
  });
});

describe('promises nobody waits for', () => {
  const floating = (code: string) => {
    const made = notebook.prepare(code);
    if (!made.ok) throw new Error(made.diagnostics[0].message);
    return made.floating.map((one) => `${one.line}:${one.column}`);
  };

  it('are noted with the fix', () => {
    notebook.prepare('async function work(x?: number) { return x }');
    const made = notebook.prepare('work(1)');
    expect(made).toMatchObject({ ok: true, floating: [{ line: 1, column: 1, length: 7, code: 0 }] });
    expect(made.ok && made.floating[0].message).toContain('write await work(1)');
  });

  it.each([
    ['work()', ['1:1']],
    ['1;\n  work().finally(() => 1)', ['2:3']],
    ['for (const x of [1]) { work(x) }', ['1:24']],
    ['const w1 = work(); w1', ['1:20']],
    ['Promise.all([work()])', ['1:1']],
    ['true && work()', ['1:1']],
    ['await work(); void work(); const w2 = work(); let w3; w3 = work()', []],
    ['work().then(() => 1); work().catch(() => 1); [1].forEach(async () => work())', []],
    ['const later = () => { work() }; (1 as any); 5', []],
  ])('%s', (code, places) => {
    expect(floating(code)).toEqual(places);
  });
});

describe('local files of checked cells', () => {
  it('are checked through what they export, in every spelling', () => {
    notebook.write('lib/b.ts', 'export const b = 1;\nexport type B = { b: number };\n');
    notebook.write('plain.js', 'export const plain = [1, 2]');
    notebook.write('data.json', '{ "x": 1 }');
    for (const spelling of ['./lib/b', './lib/b.ts', './lib/b.js'])
      expect(
        notebook.errors(`import { b, type B } from '${spelling}'; const bb: B = { b }; b.toFixed()`),
      ).toEqual([]);
    expect(
      notebook.errors(
        "import { plain } from './plain.js'; import data from './data.json'; plain.push(data.x)",
      ),
    ).toEqual([]);
    expect(notebook.errors("import { nothing } from './lib/b'")).toEqual(['1:10 TS2305']);
  });

  it('are seen as they are now', () => {
    notebook.write('hot.ts', 'export const hot = 1');
    expect(notebook.errors("import { hot } from './hot'; hot.toFixed()")).toEqual([]);
    notebook.write('hot.ts', 'export const hot = "now text"');
    expect(notebook.errors("import { hot } from './hot'; hot.toFixed()")).toEqual(['1:34 TS2551']);
    expect(notebook.errors("import { hot } from './hot'; hot.length")).toEqual([]);
  });

  it('may come after an import of them failed', () => {
    expect(notebook.errors("import { late } from './late'")).toEqual(['1:22 TS2307']);
    notebook.write('late.ts', "export { later as late } from './later'");
    expect(notebook.errors("import { late } from './late'; late.nope")).toEqual([]);
    notebook.write('later.ts', 'export const later = 1');
    expect(notebook.errors("import { late } from './late'; late.nope")).toEqual(['1:37 TS2339']);
  });

  it('packages may come too, with an exports map or without types', () => {
    expect(notebook.errors("import { p } from 'pack/sub'")).toEqual(['1:19 TS2307']);
    notebook.write(
      'node_modules/pack/package.json',
      JSON.stringify({
        name: 'pack',
        type: 'module',
        exports: { './sub': { types: './t/sub.d.ts', default: './sub.js' } },
      }),
    );
    notebook.write('node_modules/pack/t/sub.d.ts', 'export declare const p: number');
    expect(notebook.errors("import { p } from 'pack/sub'; p.toFixed(); p.nope")).toEqual(['1:46 TS2339']);
    notebook.write('node_modules/bare/package.json', JSON.stringify({ name: 'bare', main: 'index.js' }));
    notebook.write('node_modules/bare/index.js', 'module.exports = { x: 1 }');
    expect(notebook.errors("import bare, { x } from 'bare'; bare.anything(x)")).toEqual([]);
  });
});

describe('memory', () => {
  it('cells whose names are declared again are dropped', () => {
    const slots = (notebook.thread as unknown as { service: { slots: { held: number } } }).service.slots;
    for (let i = 0; i < 1100; i++) notebook.prepare(`const again1 = { at: ${i} }; again1.at`);
    expect(slots.held).toBeLessThanOrEqual(512);
  });
});
