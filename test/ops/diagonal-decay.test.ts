/** Linear attention with diagonal decay: laws of every form, upstream's bonus, reductions, messages, fall-backs. */
import { describe, expect, it } from 'vitest';
import { TOLERANCES } from '../../lib/core/compare.js';
import { sizeOf } from '../../lib/core/shape.js';
import '../../lib/cpu/index.js';
import { diagonalDecay, diagonalDecayOperator } from '../../lib/ops/diagonal-decay/index.js';
import { scalarDecayOperator } from '../../lib/ops/scalar-decay/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { conform } from '../../lib/tensor/conformance.js';
import { tensor } from '../../lib/tensor/tensor.js';
import {
  describeLaws,
  drawer,
  expectClose,
  goldenDisagreements,
  run,
  type Arrays,
  type GoldenCase,
  type Results,
} from '../families/mixer-support.js';
import { ARITHMETICS, goldenJson } from '../nn/support.js';

const FORMS = ['chunk', 'recurrent'] as const;
const [H, K, V] = [3, 12, 10];
const lanes = (T: number) => [1, T, H, K];

describe('the inclusive read with decays of the token (GLA)', () => {
  describeLaws({
    op: diagonalDecayOperator,
    params: { scale: 0.4 },
    forms: FORMS,
    timed: ['v', 'q', 'k', 'decay'],
    state: [H, K, V],
    width: H * V,
    inputs: (T, draw) => ({
      q: draw.normal(lanes(T)),
      k: draw.normal(lanes(T)),
      v: draw.normal([1, T, H, V]),
      decay: draw.uniform(lanes(T), -1, 0),
    }),
    states: (rows, draw) => draw.normal([rows, H, K, V]),
  });
});

describe('the exclusive read with a bonus and fixed decays (RWKV-5)', () => {
  describeLaws({
    op: diagonalDecayOperator,
    forms: FORMS,
    timed: ['v', 'q', 'k'],
    state: [H, K, V],
    width: H * V,
    inputs: (T, draw) => ({
      q: draw.normal(lanes(T)),
      k: draw.normal(lanes(T)),
      v: draw.normal([1, T, H, V]),
      decay: draw.uniform([H, K], -0.5, 0),
      bonus: draw.normal([H, K]),
    }),
    states: (rows, draw) => draw.normal([rows, H, K, V]),
  });
});

describe('upstream agrees on the exclusive read, with all gradients', () => {
  type ReadCase = GoldenCase & { scales: Record<string, [number, number]> };
  const golden = goldenJson('gated-linear-attention.json') as unknown as { rwkv: ReadCase[] };
  for (const c of golden.rwkv)
    for (const arithmetic of ARITHMETICS)
      it(`${c.name} (flash-linear-attention, scale 1) in ${arithmetic.name}`, () => {
        for (const form of ['reference', ...FORMS] as const)
          expect(
            goldenDisagreements(
              c,
              arithmetic,
              ({ q, k, v, decay, bonus, initialState }) =>
                diagonalDecay({ q, k, v, decay, bonus, initialState }, { form }),
              c.scales,
            ),
          ).toEqual([]);
      });
});

/** Inputs of a call with decays of the token, and gradients to send into its outputs. */
function problem(T: number, decay: (draw: ReturnType<typeof drawer>) => Arrays[string], seed = 4) {
  const draw = drawer(seed);
  const x: Arrays = {
    q: draw.normal(lanes(T)),
    k: draw.normal(lanes(T)),
    v: draw.normal([1, T, H, V]),
    decay: decay(draw),
    initialState: draw.normal([1, H, K, V]),
  };
  return { x, seeds: { y: draw.normal([1, T, H, V]), finalState: draw.normal([1, H, K, V]) } };
}

describe('diagonal decay reduces to simpler operators', () => {
  const places = [
    { backend: 'cpu', dtype: 'f64', tolerance: { forward: 1e-11, gradient: 1e-11 } },
    { backend: 'wasm', dtype: 'f32', tolerance: TOLERANCES.wasm },
  ] as const;

  it.each(places)(
    'to scalar decay where all lanes are alike, on $backend',
    ({ backend, dtype, tolerance }) => {
      const T = 83;
      const { x, seeds } = problem(T, (draw) => draw.uniform([1, T, H], -1, 0));
      const spread = {
        shape: lanes(T),
        values: Float64Array.from({ length: T * H * K }, (_, i) => x.decay.values[Math.floor(i / K)]),
      };
      for (const form of FORMS) {
        const ours = run(diagonalDecayOperator, {}, { ...x, decay: spread }, seeds, { form, backend, dtype });
        const theirs = run(scalarDecayOperator, {}, x, seeds, { form, backend, dtype });
        for (const name of ['y', 'finalState'])
          expectClose(ours[name], theirs[name], tolerance.forward, `${form} ${name}`);
        for (const name of ['dq', 'dk', 'dv', 'dinitialState'])
          expectClose(ours[name], theirs[name], tolerance.gradient, `${form} ${name}`);
        const summed = Array.from(theirs.ddecay, (_, i) =>
          Array.from(ours.ddecay.length ? Array.from(ours.ddecay).slice(i * K, i * K + K) : []).reduce(
            (a, b) => a + b,
          ),
        );
        expectClose(summed, theirs.ddecay, tolerance.gradient, `${form} ddecay`);
      }
    },
  );

  it('to the inclusive read with a bonus of one and no decay', () => {
    const T = 40;
    const { x, seeds } = problem(T, (draw) => draw.uniform(lanes(T), 0, 0));
    const ones = { shape: [H, K], values: new Float64Array(H * K).fill(1) };
    for (const form of FORMS) {
      const place = { form, backend: 'cpu', dtype: 'f64' } as const;
      const plain = run(diagonalDecayOperator, {}, x, seeds, place);
      const bonus = run(diagonalDecayOperator, {}, { ...x, bonus: ones }, seeds, place);
      for (const name of ['y', 'finalState', 'dq', 'dk', 'dv', 'dinitialState'])
        expectClose(bonus[name], plain[name], 1e-12, `${form} ${name}`);
    }
  });
});

describe('decays of any size', () => {
  it('a decay of -3e5 forgets exactly what came before, and tiny ones keep their digits', () => {
    const T = 150;
    const { x, seeds } = problem(T, (draw) => draw.uniform(lanes(T), -1e-4, 0));
    for (let c = 0; c < H * K; c++) x.decay.values[70 * H * K + c] = -3e5;
    const want = run(diagonalDecayOperator, {}, x, seeds, {
      form: 'reference',
      backend: 'cpu',
      dtype: 'f64',
    });
    for (const form of FORMS) {
      const got = run(diagonalDecayOperator, {}, x, seeds, { form, backend: 'wasm' });
      expectClose(got.y, want.y, 1e-6, `${form} y`);
      expectClose(got.dq, want.dq, 1e-6, `${form} dq`);
      const other = { ...x, initialState: drawer(5).normal([1, H, K, V]) };
      const after = (r: Results) => Array.from(r.y).slice(70 * H * V);
      const again = run(diagonalDecayOperator, {}, other, seeds, { form, backend: 'wasm' });
      expect(after(again)).toEqual(after(got));
    }
  });
});

describe('sizes beyond the kernels', () => {
  it.each([
    ['keys wider than the blocked kernels hold', { B: 1, T: 19, H: 1, K: 515, V: 3 }],
    ['values wider than the backward pass holds', { B: 1, T: 5, H: 1, K: 2, V: 2600 }],
    ['a row of decays beyond a thread’s memory', { B: 1, T: 3, H: 1, K: 2 ** 18 + 1, V: 1 }],
  ])('%s: other forms take over', async (_, dims) => {
    for (const form of FORMS) {
      const c = { name: 'beyond', dims, with: ['initialState', 'bonus'] };
      const failed = (await conform(diagonalDecayOperator, c, form, 'wasm')).filter((r) => !r.ok);
      expect(failed.map((r) => r.text)).toEqual([]);
    }
  });

  it('thousands of tokens that hardly fade lose no digits in chunks', async () => {
    for (const least of [1e-8, 1e-5, 1e-4, 1e-3]) {
      const dims = { B: 1, T: 2003, H: 1, K: 6, V: 5, least, strong: 0 };
      const c = { name: 'hardly-fading', dims, with: ['initialState'] };
      const failed = (await conform(diagonalDecayOperator, c, 'chunk', 'wasm')).filter((r) => !r.ok);
      expect(failed.map((r) => r.text)).toEqual([]);
    }
  });

  it('T = 2,100 on WASM, K = V = 64', async () => {
    const c = { name: 'long', dims: { B: 1, T: 2100, H: 1, K: 64, V: 64 }, params: { scale: 0.125 } };
    const failed = (await conform(diagonalDecayOperator, c, 'chunk', 'wasm')).filter((r) => !r.ok);
    expect(failed.map((r) => r.text)).toEqual([]);
  });
});

describe('bad inputs are named', () => {
  const host = (shape: number[]) => tensor(new Float64Array(sizeOf(shape)), { shape, device: 'host' });
  const good = () => ({
    q: host([1, 5, 2, 3]),
    k: host([1, 5, 2, 3]),
    v: host([1, 5, 2, 4]),
    decay: host([2, 3]),
  });
  const cu = (values: number[]) => tensor(Int32Array.from(values), { dtype: 'i32', device: 'host' });

  it.each([
    ['a decay of another rank', { decay: host([1, 5, 2]) }, /decay/],
    ['keys of another width', { k: host([1, 5, 2, 4]) }, /k must/],
    ['a bonus with time', { bonus: host([1, 5, 2, 3]) }, /bonus/],
    ['a transposed state', { initialState: host([1, 2, 4, 3]) }, /initialState/],
    ['states for another batch', { initialState: host([2, 2, 3, 4]) }, /initialState/],
    ['starts that do not end at T', { cuSeqlens: cu([0, 3]) }, /cuSeqlens must .* end at T = 5/],
    ['no lanes', { q: host([1, 5, 2, 0]), k: host([1, 5, 2, 0]), decay: host([2, 0]) }, /at least 1/],
  ])('%s', (_, change, message) => {
    expect(() => withBackend('wasm', () => diagonalDecay({ ...good(), ...change }))).toThrow(message);
  });

  it('several tokens in form step', () => {
    expect(() => diagonalDecay(good(), { form: 'step' })).toThrow(/one token in form step, got T = 5/);
  });
});
