import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { backwardPlace, forwardPlace } from '../../../kernel/types/places.js';
import { Repl } from './repl.js';

let repl: Repl;
beforeAll(() => {
  repl = new Repl();
});
afterAll(() => repl.close());

const NAMES = ['p1', 'p2', 'p3'];
const name = fc.constantFrom(...NAMES);
const small = fc.integer({ min: 0, max: 4 });

/** Statements that always end, with braces and semicolons left out where the language allows it. */
const { statement } = fc.letrec<{ expression: string; statement: string; body: string }>((tie) => ({
  expression: fc.oneof(
    { maxDepth: 2 },
    small.map(String),
    name,
    fc
      .tuple(tie('expression'), fc.constantFrom('+', '-', '*'), tie('expression'))
      .map(([a, o, b]) => `(${a} ${o} ${b})`),
    tie('expression').map((one) => `((x: number): number => x + 1)(${one} as number)`),
    tie('expression').map((one) => `(await ${one})`),
  ),
  body: fc.oneof(
    { maxDepth: 3 },
    fc.tuple(name, tie('expression')).map(([n, e]) => `${n} += ${e}`),
    fc.array(tie('statement'), { maxLength: 3 }).map((list) => `{\n${list.join('\n')}\n}`),
    tie('statement'),
    fc.constant(';'),
  ),
  statement: fc.oneof(
    { maxDepth: 3 },
    fc.tuple(name, tie('expression')).map(([n, e]) => `${n} = ${e}`),
    fc.tuple(name, tie('expression')).map(([n, e]) => `${n} += ${e};`),
    fc.tuple(small, tie('body')).map(([n, b]) => `for (let i = 0; i < ${n}; i++) ${b}`),
    fc.tuple(small, tie('body')).map(([n, b]) => `for (const k of Array(${n}).keys()) ${b}`),
    fc.tuple(small, tie('body')).map(([n, b]) => `for (const k in { a: ${n}, b: 2 }) ${b}`),
    fc.tuple(small, tie('body')).map(([n, b]) => `{ let w = ${n}; while (w-- > 0) ${b}\n}`),
    fc.tuple(small, tie('body')).map(([n, b]) => `{ let d = ${n}; do ${b}\nwhile (d-- > 0)\n}`),
    fc.tuple(small, tie('body')).map(([n, b]) => `for await (const k of [${n}, Promise.resolve(1)]) ${b}`),
    fc.tuple(tie('expression'), tie('body'), tie('body')).map(([e, a, b]) => `if (${e} > 2) ${a}\nelse ${b}`),
    fc
      .tuple(small, tie('body'), fc.nat())
      .map(
        ([n, b, id]) =>
          `out${id}: for (let i = 0; ; i++) { for (;;) { if (i >= ${n}) break out${id}; break }\n${b}\n}`,
      ),
  ),
}));

const declaration = fc.constantFrom('let', 'const', 'var');

it('rewritten cells compute what the same statements compute as they are', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(statement, { minLength: 1, maxLength: 5 }),
      declaration,
      async (list, keyword) => {
        const own = `${keyword} total: number = p1 + p2;`;
        const cell = [`p1 = 1; p2 = 2; p3 = 3`, ...list, own, '[p1, p2, p3, total]'].join('\n');
        await repl.run('let p1 = 0, p2 = 0, p3 = 0');
        const rewritten = await repl.run(cell);
        // The same text as the body of an async function, which needs no rewriting but that of types.
        const plain = cell.replaceAll(': number', '').replaceAll(' as number', '');
        const direct = await repl.evaluate(
          `await (async () => { let p1, p2, p3; ${plain.replace(/\n(\[.*\])$/, '\nreturn $1')} })()`,
        );
        expect(rewritten).toEqual(direct);
      },
    ),
    { numRuns: 150 },
  );
});

it('rewriting keeps lines, and every place goes forward and back', () => {
  fc.assert(
    fc.property(fc.array(statement, { minLength: 1, maxLength: 5 }), (list) => {
      const cell = [
        'const first = 1',
        ...list,
        "import { sep } from 'node:path'",
        'class Some {}',
        'sep',
      ].join('\n');
      const { body, map } = repl.prepare(cell);
      const lines = cell.split('\n');
      expect(body.split('\n').length).toBe(lines.length);
      lines.forEach((text, at) => {
        if (text.startsWith('import')) return;
        for (let column = 1; column <= text.length; column++) {
          const place = { line: at + 1, column };
          const forward = forwardPlace(body, map, place)!;
          expect(forward.line).toBe(place.line);
          expect(backwardPlace(body, map, forward)).toEqual(place);
        }
      });
    }),
    { numRuns: 60 },
  );
});
