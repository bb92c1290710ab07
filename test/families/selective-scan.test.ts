/** Laws of the selective scan that hold in every form. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare, TOLERANCES } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import { selectiveScanOperator as scan } from '../../lib/families/selective-scan/index.js';
import '../../lib/index.js';
import { withBackend, type BackendName, type Form } from '../../lib/tensor/backend.js';
import { conform } from '../../lib/tensor/conformance.js';
import type { Tensors } from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';

type Arrays = Record<string, { shape: Shape; values: Float64Array }>;
type Results = Record<string, ArrayLike<number>>;

interface Sizes {
  T: number;
  D: number;
  N: number;
  G: number;
}

const FORMS: Form[] = ['recurrent', 'chunk', 'scan'];
const PLACES = FORMS.flatMap((form) =>
  (['cpu', 'wasm'] as const).map((backend) => ({ form, backend }) as const),
);

function inputsOf({ T, D, N, G }: Sizes, seed: number): Arrays {
  const random = new Random(seed);
  const draw = (shape: Shape, f: () => number) => ({
    shape,
    values: Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(f())),
  });
  return {
    u: draw([1, T, D], () => random.normal()),
    delta: draw([1, T, D], () => 0.01 + random.uniform() / 2),
    A: draw([D, N], () => -0.1 - 4 * random.uniform()),
    B: draw([1, T, G, N], () => random.normal()),
    C: draw([1, T, G, N], () => random.normal()),
    D: draw([D], () => random.normal()),
    z: draw([1, T, D], () => random.normal()),
    initialState: draw([1, D, N], () => random.normal()),
  };
}

/** Seeds of the pull-back, by position in time. */
function seedsOf({ T, D, N }: Sizes, seed: number): Arrays {
  const all = inputsOf({ T, D, N, G: 1 }, seed + 1);
  return { y: all.u, finalState: all.initialState };
}

/** Outputs and gradients by name. */
function run(
  x: Arrays,
  seeds: Arrays,
  place: { form: Form; backend: BackendName },
  options: { dtype?: 'f32' | 'f64'; cuSeqlens?: number[] } = {},
): Results {
  const { dtype = 'f32', cuSeqlens } = options;
  const make = (a: Arrays) =>
    Object.fromEntries(
      Object.entries(a).map(([k, { shape, values }]) => [
        k,
        tensor(values, { shape, dtype, device: 'host' }),
      ]),
    );
  const packed = cuSeqlens && { cuSeqlens: tensor(cuSeqlens, { dtype: 'i32', device: 'host' }) };
  return withBackend(place.backend, () => {
    const { outputs, pull } = vjp(
      (p: Record<string, Tensor>) => scan({ ...p, ...packed }, {}, { form: place.form }),
      make(x),
    );
    const grads: Tensors = pull(make(seeds));
    const named = Object.entries(grads).map(([k, g]) => [`d${k}`, g.dataSync()] as const);
    return Object.fromEntries([
      ...Object.entries(outputs).map(([k, t]) => [k, t.dataSync()] as const),
      ...named,
    ]);
  });
}

/** Steps from..to of everything that varies in time. */
function cut(x: Arrays, from: number, to: number): Arrays {
  return Object.fromEntries(
    Object.entries(x).map(([name, { shape, values }]) => {
      if (!['u', 'delta', 'B', 'C', 'z', 'y'].includes(name)) return [name, { shape, values }];
      const width = sizeOf(shape.slice(2));
      return [
        name,
        { shape: [1, to - from, ...shape.slice(2)], values: values.slice(from * width, to * width) },
      ];
    }),
  );
}

function scaled(x: Arrays, factors: Record<string, number>): Arrays {
  const times = ({ shape, values }: Arrays[string], f: number) => ({
    shape,
    values: values.map((v) => v * f),
  });
  return {
    ...x,
    ...Object.fromEntries(Object.entries(factors).map(([name, f]) => [name, times(x[name], f)])),
  };
}

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number, name: string): void {
  const report = compare(got, want, { name, tolerance });
  expect(report.ok, report.text).toBe(true);
}

const sizes: Sizes = { T: 600, D: 6, N: 5, G: 2 };

describe('scan and chunk in f64 are the reference', () => {
  it.each(['chunk', 'scan'] as const)('%s to twelve digits, with all gradients, for any length', (form) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 99 }), (T, seed) => {
        const size = { T, D: 4, N: 3, G: 2 };
        const [x, seeds] = [inputsOf(size, seed), seedsOf(size, seed)];
        const want = run(x, seeds, { form: 'reference', backend: 'cpu' }, { dtype: 'f64' });
        const got = run(x, seeds, { form, backend: 'cpu' }, { dtype: 'f64' });
        for (const name of Object.keys(want)) expectClose(got[name], want[name], 1e-12, name);
      }),
      { numRuns: 12, seed: 3 },
    );
  });
});

describe('more states than the WASM kernels hold', () => {
  it.each(FORMS)('%s still agrees with the reference', async (form) => {
    const c = { name: 'beyond', dims: { B: 1, T: 70, D: 3, N: 1030, G: 1 } };
    const failed = (await conform(scan, c, form, 'wasm')).filter((r) => !r.ok);
    expect(failed.map((r) => r.text)).toEqual([]);
  });
});

describe.each(PLACES)('form $form on $backend', (place) => {
  const tolerance = TOLERANCES[place.backend];

  it('cut anywhere in two calls through the state is the one call, with its gradients', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: sizes.T - 1 }), (at) => {
        const [x, seeds] = [inputsOf(sizes, 5), seedsOf(sizes, 5)];
        const whole = run(x, seeds, place);
        const { N, D, T } = sizes;
        const zero = { shape: [1, D, N], values: new Float64Array(D * N) };
        const first = run(cut(x, 0, at), cut({ ...seeds, finalState: zero }, 0, at), place);
        const state = { shape: [1, D, N], values: Float64Array.from(first.finalState) };
        const second = run({ ...cut(x, at, T), initialState: state }, cut(seeds, at, T), place);
        const adjoint = { shape: [1, D, N], values: Float64Array.from(second.dinitialState) };
        const again = run(cut(x, 0, at), cut({ ...seeds, finalState: adjoint }, 0, at), place);
        const joined = (name: string) => [...Array.from(again[name]), ...Array.from(second[name])];
        const added = (name: string) => Array.from(again[name], (v, i) => v + second[name][i]);
        expectClose(joined('y'), whole.y, tolerance.forward, 'y');
        expectClose(second.finalState, whole.finalState, tolerance.forward, 'finalState');
        for (const name of ['du', 'ddelta', 'dB', 'dC', 'dz'])
          expectClose(joined(name), whole[name], tolerance.gradient, name);
        for (const name of ['dA', 'dD']) expectClose(added(name), whole[name], tolerance.gradient, name);
        expectClose(again.dinitialState, whole.dinitialState, tolerance.gradient, 'dinitialState');
      }),
      { numRuns: 4, seed: 7, examples: [[256], [64]] },
    );
  });

  it('packed gives every sequence the bits it has alone, outputs and gradients', () => {
    const starts = [0, 300, 300, 301, 600];
    const { D, N } = sizes;
    const [x, seeds] = [inputsOf(sizes, 9), seedsOf(sizes, 9)];
    const states = (seed: number) => inputsOf({ ...sizes, D: 4 * D, T: 1 }, seed).initialState.values;
    const many = (values: Float64Array) => ({ shape: [4, D, N], values });
    const [initial, final] = [states(1), states(2)];
    const whole = run({ ...x, initialState: many(initial) }, { ...seeds, finalState: many(final) }, place, {
      cuSeqlens: starts,
    });
    starts.slice(1).forEach((end, s) => {
      const start = starts[s];
      if (start === end) return;
      const row = (values: Float64Array) => ({
        shape: [1, D, N],
        values: values.slice(s * D * N, (s + 1) * D * N),
      });
      const alone = run(
        { ...cut(x, start, end), initialState: row(initial) },
        { ...cut(seeds, start, end), finalState: row(final) },
        place,
      );
      const span = (name: string, from: number, to: number) => Array.from(whole[name]).slice(from, to);
      for (const name of ['y', 'du', 'ddelta', 'dz', 'dB', 'dC']) {
        const width = whole[name].length / sizes.T;
        expect(Array.from(alone[name]), name).toEqual(span(name, start * width, end * width));
      }
      for (const name of ['finalState', 'dinitialState'])
        expect(Array.from(alone[name]), name).toEqual(span(name, s * D * N, (s + 1) * D * N));
    });
  });

  it('does not look ahead: later inputs leave earlier outputs as they are, to the bit', () => {
    const [x, seeds] = [inputsOf(sizes, 11), seedsOf(sizes, 11)];
    const other = inputsOf(sizes, 12);
    const at = 391;
    const mixed = { ...x };
    for (const name of ['u', 'delta', 'B', 'C', 'z']) {
      const width = x[name].values.length / sizes.T;
      const values = Float64Array.from(x[name].values);
      values.set(other[name].values.subarray(at * width), at * width);
      mixed[name] = { shape: x[name].shape, values };
    }
    const until = (r: Results) => Array.from(r.y).slice(0, at * sizes.D);
    expect(until(run(mixed, seeds, place))).toEqual(until(run(x, seeds, place)));
  });

  it('powers of two move between u, B and C, and between delta, A and u, without changing a bit of y', () => {
    const [x, seeds] = [inputsOf(sizes, 13), seedsOf(sizes, 13)];
    const plain = run(x, seeds, place);
    const moved = run(scaled(x, { B: 4, C: 0.25, initialState: 4 }), seeds, place);
    expect(moved.y).toEqual(plain.y);
    expect(moved.finalState).toEqual(scaleOf(plain.finalState, 4));
    const slower = run(scaled(x, { delta: 2, A: 0.5, B: 0.5 }), seeds, place);
    expect(slower.y).toEqual(plain.y);
  });

  it('keeps a zero state zero under rates that grow, however long: late inputs give finite outputs', () => {
    const [x, seeds] = [inputsOf(sizes, 19), seedsOf(sizes, 19)];
    x.A.values.fill(1);
    x.delta.values.fill(0.5);
    x.u.values.fill(0, 0, 590 * sizes.D);
    x.initialState.values.fill(0);
    const want = run(x, seeds, { form: 'reference', backend: 'cpu' }, { dtype: 'f64' });
    const got = run(x, seeds, place);
    for (const name of ['y', 'finalState']) expectClose(got[name], want[name], tolerance.forward, name);
  });

  it('is linear in the input and the initial state for fixed steps', () => {
    const [x, y] = [inputsOf(sizes, 15), inputsOf(sizes, 16)];
    const seeds = seedsOf(sizes, 15);
    const mix = (name: string) => ({
      shape: x[name].shape,
      values: x[name].values.map((v, i) => Math.fround(2 * v - y[name].values[i])),
    });
    const one = run(x, seeds, place);
    const two = run({ ...x, u: y.u, initialState: y.initialState }, seeds, place);
    const both = run({ ...x, u: mix('u'), initialState: mix('initialState') }, seeds, place);
    const combined = (name: string) => Array.from(one[name], (v, i) => 2 * v - two[name][i]);
    // Both sides are rounded, and the right one twice its terms.
    expectClose(both.y, combined('y'), 4 * tolerance.forward, 'y');
    expectClose(both.finalState, combined('finalState'), 4 * tolerance.forward, 'finalState');
  });

  it('swapping the groups swaps their channels, to the bit', () => {
    const [x, seeds] = [inputsOf(sizes, 17), seedsOf(sizes, 17)];
    const swapped: Arrays = Object.fromEntries(
      Object.entries(x).map(([name, { shape, values }]) => [
        name,
        { shape, values: swap(values, halfOf(name)) },
      ]),
    );
    const seedsSwapped = {
      y: { ...seeds.y, values: swap(seeds.y.values, 3) },
      finalState: { ...seeds.finalState, values: swap(seeds.finalState.values, 15) },
    };
    const [plain, turned] = [run(x, seeds, place), run(swapped, seedsSwapped, place)];
    for (const [name, values] of Object.entries(plain)) {
      const half = name === 'y' ? 3 : name === 'finalState' ? 15 : halfOf(name.slice(1));
      expect(Array.from(turned[name]), name).toEqual(Array.from(swap(Float64Array.from(values), half)));
    }
  });
});

function scaleOf(values: ArrayLike<number>, factor: number): Float32Array {
  return Float32Array.from(values, (v) => v * factor);
}

/** Elements of one group of two, for D = 6 and N = 5. */
function halfOf(name: string): number {
  return { u: 3, delta: 3, z: 3, D: 3, A: 15, initialState: 15, B: 5, C: 5 }[name] ?? 0;
}

/** Swaps neighbouring runs of `half` elements. */
function swap(values: Float64Array, half: number): Float64Array {
  return values.map((_, i) => values[Math.floor(i / half) % 2 === 0 ? i + half : i - half]);
}
