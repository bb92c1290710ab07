/** Inputs, calls and comparisons that the tests of RWKV share. */
// Registers the host backends.
import '../../lib/cpu/index.js';
import { expect } from 'vitest';
import { compare } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import { wkv4Operator } from '../../lib/families/rwkv/index.js';
import { withBackend, type BackendName, type Form } from '../../lib/tensor/backend.js';
import type { Operator } from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
export type Arrays = Record<string, { shape: Shape; values: Float64Array }>;
export type Results = Record<string, ArrayLike<number>>;

export const PLACES = [
  { form: 'recurrent', backend: 'cpu' },
  { form: 'chunk', backend: 'cpu' },
  { form: 'recurrent', backend: 'wasm' },
] as const;
/** Inputs and gradients that have a row a token, and those that have one a sequence. */
export const TIMED = ['k', 'v', 'y'];
export const D = 37;

export function draw(shape: Shape, seed: string, f: (r: Random, i: number) => number = (r) => r.normal()) {
  const random = new Random(7).split(seed);
  return { shape, values: Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(f(random, i))) };
}

export const stateLike = (rows: number, seed: string) =>
  draw([rows, 3, D], seed, (r, i) => (Math.floor(i / D) % 3 === 1 ? 0.3 + r.uniform() : r.normal()));

export function inputsOf(T: number): Arrays {
  return {
    k: draw([1, T, D], 'k', (r) => 3 * r.normal()),
    v: draw([1, T, D], 'v'),
    decay: draw([D], 'decay', (r) => -0.01 - r.uniform()),
    bonus: draw([D], 'bonus'),
    initialState: stateLike(1, 'state'),
  };
}

export const seedsOf = (T: number): Arrays => ({
  y: draw([1, T, D], 'dy'),
  finalState: draw([1, 3, D], 'dfinal'),
});

/** Outputs and gradients by name. */
export function run(
  x: Arrays,
  seeds: Arrays,
  place: { form?: Form; backend: BackendName },
  cuSeqlens?: number[],
  op: Operator = wkv4Operator,
): Results {
  const make = (a: Arrays) =>
    Object.fromEntries(
      Object.entries(a).map(([k, { shape, values }]) => [
        k,
        tensor(values, { shape, dtype: 'f32', device: 'host' }),
      ]),
    );
  const packed = cuSeqlens && { cuSeqlens: tensor(cuSeqlens, { dtype: 'i32', device: 'host' }) };
  return withBackend(place.backend, () => {
    const { outputs, pull } = vjp(
      (p: Record<string, Tensor>) => op({ ...p, ...packed }, {}, { form: place.form }),
      make(x),
    );
    const named = Object.entries(pull(make(seeds))).map(([k, g]) => [`d${k}`, g.dataSync()] as const);
    return Object.fromEntries([
      ...Object.entries(outputs).map(([k, t]) => [k, t.dataSync()] as const),
      ...named,
    ]);
  });
}

/** Steps from..to of everything that varies in time. */
export function cut(x: Arrays, from: number, to: number): Arrays {
  return Object.fromEntries(
    Object.entries(x).map(([name, { shape, values }]) =>
      TIMED.includes(name)
        ? [name, { shape: [1, to - from, D], values: values.slice(from * D, to * D) }]
        : [name, { shape, values }],
    ),
  );
}

export function expectClose(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  tolerance: number,
  name: string,
): void {
  const report = compare(got, want, { name, tolerance });
  expect(report.ok, report.text).toBe(true);
}
