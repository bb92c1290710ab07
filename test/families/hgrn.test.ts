/** HGRN against upstream's naive recurrence (test/golden/make/hgrn.py), and laws of its recurrence and gates. */
import { describe, expect, it } from 'vitest';
import { compare, relativeRms } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import type { Shape } from '../../lib/core/shape.js';
import { hgrn, hgrnLogGate, hgrnLowerBounds, hgrnMixer, hgrnOutput, hgrnStep } from '../../lib/index.js';
import { add, mul, reshape, silu, slice, sum } from '../../lib/ops/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, formula, goldenJson } from '../nn/support.js';

interface GoldenCase {
  name: string;
  gate: [number, number];
  bounded: boolean;
  inputs: Record<string, number[]>;
  g: number[];
  y: number[];
  finalState: number[];
  gradients: Record<string, number[]>;
}

const golden = goldenJson('hgrn.json');
const cases = golden.cases as GoldenCase[];

function draw(c: GoldenCase, name: string, shape: Shape, dtype: 'f32' | 'f64'): Tensor {
  const special: Record<string, [number, number]> = {
    i: [4, 0],
    f: c.gate,
    gate: [4, 0],
    norm: [1, 1],
    bounds: [4, 0],
  };
  const [scale, shift] = special[name] ?? [2, 0];
  const values = formula(`${c.name}/${name}`, shape, scale).map((v) => Math.fround(v + shift));
  return tensor(values, { shape, dtype, device: 'host' });
}

function run(p: Record<string, Tensor>, form: 'reference' | 'recurrent' | 'chunk') {
  const bound = p.bounds && slice(hgrnLowerBounds(p.bounds), 0, 2, 3);
  const g = hgrnLogGate(p.f, bound && reshape(bound, [p.f.shape[2]]));
  const { y, finalState } = hgrn({ i: silu(p.i), g, initialState: p.initialState }, { form });
  return { g, y: hgrnOutput(y, p.gate, p.norm, { eps: 1e-5 }), finalState };
}

describe('gates, recurrence and gated norm give the outputs and all gradients of upstream', () => {
  for (const c of cases)
    for (const { name, dtype, backend, tolerance } of ARITHMETICS)
      it.each(['reference', 'recurrent', 'chunk'] as const)(`${c.name} in ${name}, form %s`, (form) => {
        const failed = withBackend(backend, () => {
          const leaves = Object.fromEntries(
            Object.entries(c.inputs).map(([k, shape]) => [k, draw(c, k, shape, dtype)]),
          );
          const { outputs, pull } = vjp((p: Record<string, Tensor>) => run(p, form), leaves);
          const grads = pull({
            y: draw(c, 'dy', outputs.y.shape, dtype),
            finalState: draw(c, 'dfinalState', outputs.finalState.shape, dtype),
          });
          // Closed gates leave nothing of the initial state: its gradient is a product of e^-20s.
          const report = (k: string, t: Tensor, want: number[], limit: number) =>
            compare(t.dataSync(), want, { name: k, dims: t.shape, tolerance: limit, floor: 1e-6 });
          return [
            ...(['g', 'y', 'finalState'] as const).map((k) => report(k, outputs[k], c[k], tolerance.forward)),
            ...Object.entries(c.gradients).map(([k, want]) => report(k, grads[k], want, tolerance.gradient)),
          ].filter((r) => !r.ok);
        });
        expect(failed.map((r) => r.text)).toEqual([]);
      });

  it('and its own chunk form is no oracle: it agrees for one chunk and fails for two', () => {
    expect(golden.chunk).toEqual({ whole: 0, two: 'RuntimeError' });
  });
});

const random = new Random(5);
const normal = (shape: number[], dtype: 'f32' | 'f64' = 'f32', scale = 1) =>
  tensor(
    Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => scale * random.normal()),
    { shape, dtype, device: 'host' },
  );
const drawn = (B: number, T: number, D: number, dtype: 'f32' | 'f64' = 'f32') => ({
  i: normal([B, T, D], dtype),
  g: hgrnLogGate(normal([B, T, D], dtype)),
});

describe.each(['cpu', 'wasm'] as const)('the recurrence on %s', (backend) => {
  it.each(['recurrent', 'chunk'] as const)('cut anywhere is the whole, in form %s', (form) => {
    withBackend(backend, () => {
      const { i, g } = drawn(2, 600, 5);
      const whole = hgrn({ i, g }, { form });
      for (const at of [1, 255, 256, 599]) {
        const part = (t: Tensor, from: number, to: number) => slice(t, 1, from, to);
        const first = hgrn({ i: part(i, 0, at), g: part(g, 0, at) }, { form });
        const rest = hgrn(
          { i: part(i, at, 600), g: part(g, at, 600), initialState: first.finalState },
          { form },
        );
        const want = slice(whole.y, 1, at, 600).dataSync();
        expect(relativeRms(rest.y.dataSync(), want)).toBeLessThan(1e-6);
        expect(relativeRms(rest.finalState.dataSync(), whole.finalState.dataSync())).toBeLessThan(1e-6);
      }
    });
  });

  it('step by step is the recurrent form, on wasm to the bit', () => {
    withBackend(backend, () => {
      const { i, g } = drawn(2, 9, 7);
      const whole = hgrn({ i, g }, { form: 'recurrent' });
      // States are f64 within a call on cpu, and f32 between calls.
      const limit = backend === 'wasm' ? 0 : 1e-7;
      const same = (got: Tensor, want: Tensor) =>
        expect(relativeRms(got.dataSync(), want.dataSync())).toBeLessThanOrEqual(limit);
      let state: Tensor | undefined;
      for (let t = 0; t < 9; t++) {
        const token = { i: slice(i, 1, t, t + 1), g: slice(g, 1, t, t + 1), initialState: state };
        const { y, finalState } = hgrnStep(token);
        same(y, slice(whole.y, 1, t, t + 1));
        state = finalState;
      }
      same(state!, whole.finalState);
    });
  });

  it.each(['recurrent', 'chunk'] as const)(
    'packed has the bits of separate sequences, in form %s',
    (form) => {
      withBackend(backend, () => {
        const starts = [0, 1, 1, 300, 600];
        const { i, g } = drawn(1, 600, 6);
        const cuSeqlens = tensor(Int32Array.from(starts), { device: 'host' });
        const packed = hgrn({ i, g, cuSeqlens }, { form });
        for (let s = 0; s + 1 < starts.length; s++) {
          const part = (t: Tensor) => slice(t, 1, starts[s], starts[s + 1]);
          const alone = hgrn({ i: part(i), g: part(g) }, { form });
          expect(part(packed.y).dataSync()).toEqual(alone.y.dataSync());
          expect(slice(packed.finalState, 0, s, s + 1).dataSync()).toEqual(alone.finalState.dataSync());
        }
      });
    },
  );
});

describe('gates', () => {
  it('have bounds that start at zero, rise over layers and stay below one', () => {
    const bounds = hgrnLowerBounds(normal([5, 3], 'f64', 3)).dataSync();
    for (let d = 0; d < 3; d++) {
      const column = [0, 1, 2, 3, 4].map((l) => bounds[l * 3 + d]);
      expect(column[0]).toBe(0);
      column.slice(1).forEach((v, l) => expect(v).toBeGreaterThan(column[l]));
      expect(column[4]).toBeLessThan(1);
    }
  });

  it('with a bound of zero are those without one, and no gradient is lost to log 0', () => {
    const f = normal([1, 4, 3], 'f64', 5);
    const zero = tensor([0, 0, 0], { dtype: 'f64', device: 'host' });
    const { outputs, pull } = vjp((p: { f: Tensor; zero: Tensor }) => ({ g: hgrnLogGate(p.f, p.zero) }), {
      f,
      zero,
    });
    expect(relativeRms(outputs.g.dataSync(), hgrnLogGate(f).dataSync())).toBeLessThan(1e-15);
    const grads = pull({ g: normal([1, 4, 3], 'f64') });
    for (const t of [grads.f, grads.zero]) expect(t.dataSync().every(Number.isFinite)).toBe(true);
  });

  it('next to one keep the digits of their distance in f32', () => {
    const f = tensor([[[14, 18, 25]]], { device: 'host' });
    const bound = tensor([0.5, 0.25, 0.9], { device: 'host' });
    const g = hgrnLogGate(f, bound).dataSync();
    [14, 18, 25].forEach((v, d) => {
      const share = [0.5, 0.75, 0.1][d] / (1 + Math.exp(v));
      expect(Math.abs(g[d] / Math.log1p(-share) - 1)).toBeLessThan(1e-5);
    });
  });

  it('refuse parameters that are no table of layers', () => {
    expect(() => hgrnLowerBounds(normal([3]))).toThrow(
      'hgrnLowerBounds: parameters must have shape [L,D], got [3]',
    );
  });
});

describe('a mixer', () => {
  it('has the gradients of finite differences in every weight, and carries its state', () => {
    const [B, T, E, D] = [1, 5, 4, 3];
    const x = normal([B, T, E], 'f64');
    const weights = {
      input: normal([D, E], 'f64'),
      forget: normal([D, E], 'f64'),
      gate: normal([D, E], 'f64'),
      norm: normal([D], 'f64'),
      output: normal([E, D], 'f64'),
    };
    const lowerBound = tensor([0.2, 0.5, 0.8], { dtype: 'f64', device: 'host' });
    const dy = normal([B, T, E], 'f64');
    const ds = normal([B, D], 'f64');
    const names = Object.keys(weights) as (keyof typeof weights)[];
    const report = gradcheck(
      (...given: Tensor[]) => {
        const w = Object.fromEntries(names.map((n, i) => [n, given[i + 2]])) as typeof weights;
        const { y, finalState } = hgrnMixer(given[0], w, { lowerBound: given[1] });
        return add(sum(mul(y, dy)), sum(mul(finalState, ds)));
      },
      [x, lowerBound, ...names.map((n) => weights[n])],
    );
    expect(report.ok, JSON.stringify(report)).toBe(true);
    const whole = hgrnMixer(x, weights, { lowerBound });
    const first = hgrnMixer(slice(x, 1, 0, 2), weights, { lowerBound });
    const rest = hgrnMixer(slice(x, 1, 2, T), weights, { lowerBound, initialState: first.finalState });
    expect(relativeRms(rest.y.dataSync(), slice(whole.y, 1, 2, T).dataSync())).toBeLessThan(1e-12);
  });
});
