import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { backwardPlace, forwardPlace } from '../../../kernel/types/places.js';
import { Repl } from './repl.js';

let repl: Repl;
beforeAll(() => {
  repl = new Repl();
});
afterAll(() => repl.close());
beforeEach(() => {
  repl.imported.length = 0;
  repl.modules = {
    m: { default: 'D', a: 1, b: 2, 'odd-name': 3 },
    './types': {},
    side: {},
  };
});

/** Cells in order, and the value of the last. */
const VALUES: [what: string, cells: string[], value: unknown][] = [
  ['an expression is its value', ['1 + 1'], 2],
  ['a declaration has no value', ['const one = 1'], undefined],
  ['a value before a declaration is not the cell’s', ['5; const five = 5'], undefined],
  ['a loop has no value', ['for (let i = 0; i < 3; i++) i'], undefined],
  ['an expression before a function declaration is the last one', ['f1(); function f1() { return 4 }'], 4],
  ['a brace opens an object literal', ['{ a: 1 }'], { a: 1 }],
  ['an object literal may be followed by a comment', ['{ a: 1, b: [2] } // so'], { a: 1, b: [2] }],
  ['an object literal in parentheses stays one', ['({ a: 1 })'], { a: 1 }],
  ['a brace that opens statements opens a block', ['let blk = 0; blk', '{ blk = 3; }', 'blk'], 3],
  ['names reach later cells', ['const n1 = 2; let n2 = 3; var n3 = 4', 'n1 * n2 * n3'], 24],
  [
    'closures see what later cells assign',
    ['let c = 3; function getC() { return c }; const arrow = () => c', 'c = 11', 'getC() + arrow()'],
    22,
  ],
  ['const can be declared again as let', ['const k = 1', 'let k = 2', 'k'], 2],
  ['let can be declared again as a class', ['let K1 = 1', 'class K1 { x = 5 }', 'new K1().x'], 5],
  ['a class can be declared again as a function', ['class K2 {}', 'function K2() { return 6 }', 'K2()'], 6],
  ['a function can be declared again as an enum', ['function K3() {}', 'enum K3 { A = 7 }', 'K3.A'], 7],
  [
    'an enum can be declared again as a namespace',
    ['enum K4 { A }', 'namespace K4 { export const b = 8 }', 'K4.b + Object.keys(K4).length'],
    9,
  ],
  [
    'a namespace can be declared again as an import',
    ['namespace K5 { export const x = 1 }', "import K5 from 'm'", 'K5'],
    'D',
  ],
  ['an import can be declared again as const', ["import K6 from 'm'", 'const K6 = [1]', 'K6'], [1]],
  [
    'an enum declared again does not keep old members',
    ['enum E { A, B }', 'enum E { C }', 'Object.keys(E)'],
    ['0', 'C'],
  ],
  [
    'enums of one name in one cell merge',
    ['enum E2 { A } enum E2 { B = 1 }; Object.keys(E2)'],
    ['0', '1', 'A', 'B'],
  ],
  ['a namespace adds to its class', ['class CN {} namespace CN { export const x = 4 }', 'CN.x'], 4],
  [
    'a declaration without a value starts undefined',
    ['let u = 5', 'let u: number | undefined', 'u'],
    undefined,
  ],
  ['var without a value keeps the old one', ['var v = 5', 'var v: number', 'v'], 5],
  ['a declaration ends at its line end', ['let w1 = 1\nlet w\n[1, 2].map((one) => one * 2)'], [2, 4]],
  [
    'destructuring declares all its names',
    ['const { d1, d2: [d3, ...d4], ...d5 } = { d1: 1, d2: [2, 3, 4], d6: 5 }', '[d1, d3, d4, d5]'],
    [1, 2, [3, 4], { d6: 5 }],
  ],
  [
    'types vanish',
    ['interface I { x: number }\ntype T = I["x"]\nconst t: T = ({ x: 2 } as I).x!; t satisfies number'],
    2,
  ],
  [
    'generics vanish',
    ['function id<T extends object>(x: T): T { return x }\nid<{ a: number }>({ a: 1 })'],
    { a: 1 },
  ],
  ['a type assertion in brackets works', ['const s1 = <string>("x" as unknown); s1'], 'x'],
  [
    'functions can be used before their line',
    ['hoisted(2)\nfunction hoisted(x: number): number { return x + 1 }'],
    3,
  ],
  [
    'async functions and generators work',
    [
      'async function* g1() { yield 1; yield await 2 }\nconst l1: number[] = []\nfor await (const x of g1()) l1.push(x)\nl1',
    ],
    [1, 2],
  ],
  ['await of a call', ['async function f2() { return 2 }', 'await f2()'], 2],
  ['await of a parenthesis', ['await (f2())'], 2],
  ['await of an async arrow', ['await (async () => 3)()'], 3],
  [
    'await inside an expression',
    ['(await (await Promise.resolve({ json: async () => ({ a: [7] }) })).json()).a[0]'],
    7,
  ],
  ['await of a cast', ['const aw = await (Promise.resolve(4) as any); aw'], 4],
  ['await in a pattern', ['const [q1, { z = await f2() }] = [await f2(), {} as { z?: number }]; q1 + z'], 4],
  ['await in a template and a condition', ['`${await f2()}${(await f2()) > 1 ? "y" : "n"}`'], '2y'],
  [
    'await using disposes at the end of the cell',
    [
      'const log: string[] = []',
      '{\n  await using r = { async [Symbol.asyncDispose]() { log.push("gone") } }\n  log.push("in")\n}\nlog.join()',
    ],
    'in,gone',
  ],
  [
    'using at the top level disposes after the last expression',
    [
      'const log2: string[] = []',
      'using r2 = { [Symbol.dispose]() { log2.push("gone") } }; log2.push("in")',
      'log2',
    ],
    ['in', 'gone'],
  ],
  [
    'labelled loops break and continue',
    [
      'let seen = ""\nouter: for (const a of [1, 2, 3]) for (const b of [1, 2, 3]) { if (b === 2) continue outer; if (a === 3) break outer; seen += `${a}${b} ` }\nseen',
    ],
    '11 21 ',
  ],
  [
    'loops without braces',
    [
      'let lo = 0\nfor (let i = 0; i < 3; i++) lo += i\nwhile (lo < 10) lo++\ndo lo += 5; while (lo < 20)\nfor (const k in { a: 1 }) lo += k.length\nfor (;;) if (lo++ > 30) break; else continue\nlo',
    ],
    32,
  ],
  ['an empty loop body', ['let em = 0; while (em++ < 5);\nem'], 6],
  [
    'parameter properties',
    [
      'class P { constructor(private readonly x: number, public y = 2) {} sum() { return this.x + this.y } }',
      'new P(1).sum()',
    ],
    3,
  ],
  [
    'standard decorators',
    [
      'function twice(value: any, _: unknown) { return function (this: any, ...a: any[]) { return 2 * value.apply(this, a) } }\nclass Q { @twice m(x: number) { return x } }',
      'new Q().m(4)',
    ],
    8,
  ],
  ['accessors', ['class Acc { accessor x = 3 }', 'new Acc().x'], 3],
  [
    'abstract classes, overloads, declare fields, index signatures',
    [
      'abstract class Base { abstract m(): number; declare z: string; [key: string]: unknown; o(x: string): string; o(x: number): number; o(x: any) { return x } }\nclass Derived extends Base { m() { return 9 } }\nnew Derived().m()',
    ],
    9,
  ],
  ['const enums are objects', ['const enum CE { A = 5 }', 'CE.A'], 5],
  ['import of names', ["import D1, { a as a1, b } from 'm'", '[D1, a1, b]'], ['D', 1, 2]],
  ['import of a namespace', ["import * as ns1 from 'm'", 'ns1.a'], 1],
  ['import of a default and a namespace', ["import D2, * as ns2 from 'm'", '[D2, ns2.b]'], ['D', 2]],
  ['import of an odd name', ["import { 'odd-name' as odd, default as D3 } from 'm'", '[odd, D3]'], [3, 'D']],
  ['import over several lines', ["import {\n  a as a3, // one\n  b as b3,\n} from 'm'; [a3, b3]"], [1, 2]],
  ['import of a built-in module', ["import { join } from 'node:path'", "join('a', 'b').length"], 3],
  ['dynamic import anywhere', ["const load = async () => (await import('m')).a", 'await load()'], 1],
  ['import.meta', ['import.meta.url'], 'file:///notebook/'],
  [
    'exports are declarations',
    [
      'export const ex1 = 1; export default class Ex2 { y = 2 }\nexport { ex1 as other }',
      'ex1 + new Ex2().y',
    ],
    3,
  ],
  ['export default of an expression is its value', ['export default { a: 1 }'], { a: 1 }],
  ['export default after a line without semicolon', ['let fd = [1]\nfd\nexport default (1 + 1)'], 2],
  ['a name of globalThis is shadowed', ['const performance = 5', 'performance'], 5],
  [
    'a global is never replaced',
    [
      'let fetch = 1; function setTimeout() { return 2 }; class URL {}',
      '[typeof globalThis.fetch, typeof globalThis.setTimeout.call, "searchParams" in new globalThis.URL("a:b"), fetch, setTimeout() as unknown, setTimeout.name]',
    ],
    ['function', 'function', true, 1, 2, 'setTimeout'],
  ],
  [
    'an import of a global’s name shadows it',
    ["import { performance as pp, default as unescape } from 'm'", '[unescape, typeof globalThis.unescape]'],
    ['D', 'function'],
  ],
  [
    'a pattern of globals and others',
    [
      "import { a as mixed1, b as atob } from 'm'\nconst { btoa, mixed2 = 3 } = { btoa: 1 } as any, escape = 2",
      '[mixed1, atob, btoa, mixed2, escape]',
    ],
    [1, 2, 1, 3, 2],
  ],
  ['names that begin with underscores', ['const __x = 1, ___y = 2', '__x + ___y'], 3],
  ['a directive is a value when it is all there is', ['"use strict"'], 'use strict'],
  ['an empty cell', [''], undefined],
  ['a comment', ['// nothing'], undefined],
  ['a hash-bang line', ['#!/usr/bin/env node\n3'], 3],
  ['windows line ends', ['let crlf = 1\r\ncrlf += 1\r\ncrlf'], 2],
  [
    'an aliased namespace member',
    ['namespace N1 { export const deep = { x: 1 } }\nimport al = N1.deep', 'al.x'],
    1,
  ],
  [
    'regular expressions and divisions are told apart',
    ['const re = 4 / 2 / 1; /[/]{1}/.test("/") ? re : 0'],
    2,
  ],
];

describe('cells in REPL mode', () => {
  it.each(VALUES)('%s', async (_what, cells, value) => {
    let last: unknown;
    for (const cell of cells) last = await repl.run(cell);
    expect(last).toEqual(value);
  });

  it('imports of types alone do not run', async () => {
    await repl.run(
      "import type { A } from 'gone'\nimport { type B } from 'gone-too'\nimport type * as C from 'x'",
    );
    expect(repl.imported).toEqual([]);
  });

  it('an import for its side effects runs, and attributes reach the import', async () => {
    repl.modules['./d.json'] = { default: { x: 1 } };
    await repl.run("import 'side'\nimport d from './d.json' with { type: 'json' }");
    expect(repl.imported).toEqual(['side', './d.json {"with":{"type":"json"}}']);
  });

  it('an endless loop of any form stops by its guard', async () => {
    const loops = [
      'for (;;);',
      'while (true) {}',
      'do ; while (true)',
      'for (;;) { await null }',
      'const spin = () => { for (;;) 1 }; spin()',
    ];
    for (const loop of loops) {
      repl.rounds = 0;
      repl.most = 100;
      await expect(repl.run(loop), loop).rejects.toThrow('stopped');
    }
    repl.most = Infinity;
  });

  it('errors name the cell’s own lines and, through the record of edits, its columns', async () => {
    const code = 'const pad: number = 1; for (const one of [1]) { null!.x }';
    const made = repl.prepare(code);
    const error = (await repl
      .evaluate(`${made.body}\n//# sourceURL=cell-77.ts`)
      .catch((thrown: Error) => thrown)) as Error;
    const [, line, column] = /cell-77\.ts:(\d+):(\d+)/.exec(error.message)!;
    expect(backwardPlace(made.body, made.map, { line: +line, column: +column })).toEqual({
      line: 1,
      column: code.indexOf('x }') + 1,
    });
  });

  it('an emitted cell finds its places through the source map', async () => {
    const code =
      'enum Col { A }\n\nclass Em { constructor(private x: number) {}\n  boom() { throw new Error("b" + this.x) } }\nnew Em(1).boom()';
    const made = repl.prepare(code);
    const error = (await repl
      .evaluate(`${made.body}\n//# sourceURL=cell-78.ts`)
      .catch((thrown: Error) => thrown)) as Error;
    const places = [...error.message.matchAll(/cell-78\.ts:(\d+):(\d+)/g)].map(([, line, column]) =>
      backwardPlace(made.body, made.map, { line: +line, column: +column }),
    );
    expect(places.map((place) => place?.line)).toEqual([4, 5]);
    expect(forwardPlace(made.body, made.map, { line: 4, column: 12 })).toBeDefined();
  });

  it('places go forward and back through edits', () => {
    const made = repl.prepare("let a0: string = 'x'\nfor (const b0 of a0) { import('m'); b0 }");
    const forward = forwardPlace(made.body, made.map, { line: 2, column: 24 })!;
    expect(made.body.split('\n')[1].slice(forward.column - 1)).toMatch(/^__assay\.import|^import/);
    expect(backwardPlace(made.body, made.map, forward)).toEqual({ line: 2, column: 24 });
  });
});
