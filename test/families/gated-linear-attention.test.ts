/** GLA, simple GLA and HGRN-2: laws of every form, gates, upstream's functions and layers. */
import { describe, expect, it } from 'vitest';
import '../../lib/cpu/index.js';
import {
  forgetGate,
  gatedLinearAttention,
  gatedLinearAttentionOperator,
  gatedLinearAttentionStep,
  gatedNorm,
  hgrn2,
  hgrn2Operator,
  hgrn2Step,
  logSigmoidGate,
  simpleGatedLinearAttention,
  simpleGatedLinearAttentionOperator,
} from '../../lib/families/gated-linear-attention/index.js';
import { hgrnLogGate, hgrnLowerBounds } from '../../lib/families/hgrn/index.js';
import { mul } from '../../lib/ops/map/index.js';
import { sum } from '../../lib/ops/reduce/index.js';
import { reshape, slice } from '../../lib/ops/structure/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, goldenJson } from '../nn/support.js';
import { describeLaws, drawer, expectClose, goldenDisagreements, type GoldenCase } from './mixer-support.js';

const FORMS = ['chunk', 'recurrent'] as const;
const ALL = ['reference', ...FORMS] as const;
const [H, K, V] = [3, 11, 13];
const lanes = (T: number) => [1, T, H, K];

describe('gated linear attention', () => {
  describeLaws({
    op: gatedLinearAttentionOperator,
    forms: FORMS,
    timed: ['v', 'q', 'k', 'gk'],
    state: [H, K, V],
    width: H * V,
    inputs: (T, draw) => ({
      q: draw.normal(lanes(T)),
      k: draw.normal(lanes(T)),
      v: draw.normal([1, T, H, V]),
      gk: draw.uniform(lanes(T), -1, 0),
    }),
    states: (rows, draw) => draw.normal([rows, H, K, V]),
  });
});

describe('simple gated linear attention', () => {
  describeLaws({
    op: simpleGatedLinearAttentionOperator,
    params: { scale: 0.6 },
    forms: FORMS,
    timed: ['v', 'q', 'k', 'g'],
    state: [8, K, V],
    width: 8 * V,
    inputs: (T, draw) => ({
      q: draw.normal([1, T, 8, K]),
      k: draw.normal([1, T, 8, K]),
      v: draw.normal([1, T, 8, V]),
      g: draw.uniform([1, T, 8], -1, 0),
    }),
    states: (rows, draw) => draw.normal([rows, 8, K, V]),
  });
});

describe('HGRN-2', () => {
  describeLaws({
    op: hgrn2Operator,
    forms: FORMS,
    timed: ['i', 'q', 'f'],
    state: [H, K, V],
    width: H * V,
    inputs: (T, draw) => ({
      q: draw.normal(lanes(T)),
      f: draw.normal(lanes(T)),
      i: draw.normal([1, T, H, V]),
      lowerBound: draw.uniform([H, K], 0.05, 0.9),
    }),
    states: (rows, draw) => draw.normal([rows, H, K, V]),
  });
});

type UpstreamCase = GoldenCase & {
  scales: Record<string, [number, number]>;
  scale?: number;
  normalizer?: number;
  way?: string;
  minimum?: number;
  eps?: number;
};
const golden = goldenJson('gated-linear-attention.json') as unknown as Record<
  'gla' | 'simple' | 'layers',
  UpstreamCase[]
>;

type Compute = (x: Record<string, Tensor>, form: (typeof ALL)[number]) => { y: Tensor; finalState?: Tensor };

function agrees(c: UpstreamCase, arithmetic: (typeof ARITHMETICS)[number], compute: Compute): void {
  for (const form of ALL)
    expect(
      goldenDisagreements(c, arithmetic, (x) => ({ ...compute(x, form) }), c.scales),
      form,
    ).toEqual([]);
}

describe('flash-linear-attention agrees, with all gradients', () => {
  for (const arithmetic of ARITHMETICS) {
    for (const c of golden.gla)
      it(`${c.name}: gates from raw numbers, default scale, in ${arithmetic.name}`, () => {
        agrees(c, arithmetic, ({ q, k, v, raw, initialState }, form) =>
          gatedLinearAttention(
            { q, k, v, gk: logSigmoidGate(raw, { normalizer: c.normalizer }), initialState },
            { form },
          ),
        );
      });
    for (const c of golden.simple)
      it(`simple GLA, its ${c.way} way, in ${arithmetic.name}`, () => {
        agrees(c, arithmetic, ({ q, k, v, g, initialState }, form) =>
          simpleGatedLinearAttention({ q, k, v, g, initialState }, { scale: c.scale, form }),
        );
      });
    for (const c of golden.layers)
      it(`the layer ${c.name} from its projections on, in ${arithmetic.name}`, () => {
        agrees(c, arithmetic, ({ q, k, v, raw, gate, weight, f, i, lowerBound }, form) => {
          if (c.name !== 'gla-layer') return hgrn2({ q, f, i, lowerBound }, { scale: c.scale, form });
          const gk = logSigmoidGate(raw, { minimum: c.minimum });
          const { y } = gatedLinearAttention({ q, k, v, gk }, { form });
          return { y: gatedNorm(y, gate, weight, { eps: c.eps }) };
        });
      });
  }
});

const host = (shape: number[], values: ArrayLike<number>) =>
  tensor(Float64Array.from(values), { shape, dtype: 'f64', device: 'host' });
const drawn = (seed: number, ...shapes: number[][]) => {
  const draw = drawer(seed);
  return shapes.map((shape) => host(shape, draw.normal(shape).values));
};

describe('the operators are one another where they should be', () => {
  it('GLA with equal gates in all lanes is simple GLA', () => {
    const T = 70;
    const [q, k, v] = drawn(1, lanes(T), lanes(T), [1, T, H, V]);
    const g = drawer(2).uniform([1, T, H], -1, 0).values;
    const spread = Float64Array.from({ length: T * H * K }, (_, i) => g[Math.floor(i / K)]);
    const one = gatedLinearAttention({ q, k, v, gk: host(lanes(T), spread) });
    const two = simpleGatedLinearAttention({ q, k, v, g: host([1, T, H], g) });
    expectClose(one.y.dataSync(), two.y.dataSync(), 1e-12, 'y');
    expectClose(one.finalState.dataSync(), two.finalState.dataSync(), 1e-12, 'finalState');
  });

  it('HGRN-2 is GLA with k = 1 - f and silu(q), and takes one token at a time', () => {
    const T = 12;
    const [q, f, i] = drawn(3, lanes(T), lanes(T), [1, T, H, V]);
    const whole = hgrn2({ q, f, i });
    const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
    const map = (t: Tensor, fn: (x: number) => number) => host(lanes(T), Array.from(t.dataSync(), fn));
    const same = gatedLinearAttention(
      {
        q: map(q, (x) => x * sigmoid(x)),
        k: map(f, (x) => 1 - sigmoid(x)),
        v: i,
        gk: map(f, (x) => Math.log(sigmoid(x))),
      },
      { scale: 1 },
    );
    expectClose(whole.y.dataSync(), same.y.dataSync(), 1e-12, 'y');
    let state: Tensor | undefined;
    for (let t = 0; t < T; t++) {
      const at = (x: Tensor) => slice(x, 1, t, t + 1);
      const token = hgrn2Step({ q: at(q), f: at(f), i: at(i), initialState: state });
      expectClose(token.y.dataSync(), slice(whole.y, 1, t, t + 1).dataSync(), 1e-12, `token ${t}`);
      state = token.finalState;
    }
    const [key] = drawn(4, lanes(1));
    const step = gatedLinearAttentionStep({
      q: key,
      k: key,
      v: slice(i, 1, 0, 1),
      gk: host(lanes(1), new Array(H * K).fill(0)),
    });
    expect(step.finalState.shape).toEqual([1, H, K, V]);
  });

  it('the default scale is K^-1/2 for GLA and simple GLA, 1 for HGRN-2', () => {
    const [q, k, v] = drawn(5, lanes(9), lanes(9), [1, 9, H, V]);
    const gk = host(lanes(9), drawer(6).uniform(lanes(9), -1, 0).values);
    const given = gatedLinearAttention({ q, k, v, gk }, { scale: K ** -0.5 });
    expect(gatedLinearAttention({ q, k, v, gk }).y.dataSync()).toEqual(given.y.dataSync());
    const one = hgrn2({ q, f: k, i: v }, { scale: 1 });
    expect(hgrn2({ q, f: k, i: v }).y.dataSync()).toEqual(one.y.dataSync());
  });
});

describe('gates', () => {
  it('keep their digits where sigmoids are next to 0 and 1', () => {
    const x = [-80, -30, -12, 0, 12, 20, 30];
    const { logarithm, rest } = withBackend('wasm', () =>
      forgetGate(tensor(x, { shape: [1, 1, 1, 7], dtype: 'f32', device: 'host' })),
    );
    x.forEach((v, i) => {
      const exact = v > 0 ? -Math.log1p(Math.exp(-v)) : v - Math.log1p(Math.exp(v));
      expect(Math.abs(logarithm.dataSync()[i] / exact - 1)).toBeLessThan(4e-7);
      expect(Math.abs(rest.dataSync()[i] * (1 + Math.exp(v)) - 1)).toBeLessThan(4e-7);
    });
  });

  it('agree with the lower bounds and gates of HGRN, layer by layer', () => {
    const [parameters, f] = drawn(7, [4, H * K], lanes(6));
    const bounds = hgrnLowerBounds(parameters);
    for (let layer = 1; layer < 4; layer++) {
      const bound = reshape(slice(bounds, 0, layer, layer + 1), [H, K]);
      const { logarithm, rest } = forgetGate(f, bound);
      const theirs = hgrnLogGate(reshape(f, [1, 6, H * K]), reshape(bound, [H * K]));
      expectClose(logarithm.dataSync(), theirs.dataSync(), 1e-14, 'logarithm');
      const left = Array.from(logarithm.dataSync(), (g) => -Math.expm1(g));
      expectClose(rest.dataSync(), left, 1e-13, 'rest');
    }
  });

  it('have the slopes of finite differences', () => {
    const [f] = drawn(8, [1, 3, 1, 4]);
    const bound = host([1, 4], [0.1, 0.5, 0.9, 0.001]);
    const weights = host([1, 3, 1, 4], drawer(9).normal([1, 3, 1, 4]).values);
    const read = (part: 'logarithm' | 'rest') => (x: Tensor, b: Tensor) =>
      sum(mul(forgetGate(x, b)[part], weights));
    for (const part of ['logarithm', 'rest'] as const)
      expect(gradcheck(read(part), [f, bound]).ok).toBe(true);
    const gate = (x: Tensor) => sum(mul(logSigmoidGate(x, { normalizer: 4 }), weights));
    expect(gradcheck(gate, [f]).ok).toBe(true);
  });

  it('clamp at the minimum, and name bad options', () => {
    const x = host([3], [-100, 0, 100]);
    const clamped = logSigmoidGate(x, { minimum: -2 }).dataSync();
    expectClose(clamped, [-2, -Math.log(2) / 16, -Math.exp(-100) / 16], 1e-12, 'gate');
    expect(() => logSigmoidGate(x, { normalizer: 0 })).toThrow(/normalizer must be > 0, got 0/);
    expect(() => logSigmoidGate(x, { minimum: 1 })).toThrow(/minimum must be <= 0, got 1/);
  });
});

describe('bad inputs are named', () => {
  const zeros = (shape: number[]) => host(shape, new Array(shape.reduce((a, b) => a * b, 1)).fill(0));
  it.each([
    [
      'a gate a head for GLA',
      () =>
        gatedLinearAttention({
          q: zeros([1, 2, 1, 3]),
          k: zeros([1, 2, 1, 3]),
          v: zeros([1, 2, 1, 2]),
          gk: zeros([1, 2, 1]),
        }),
      /gated-linear-attention: gk/,
    ],
    [
      'a gate a lane for simple GLA',
      () =>
        simpleGatedLinearAttention({
          q: zeros([1, 2, 1, 3]),
          k: zeros([1, 2, 1, 3]),
          v: zeros([1, 2, 1, 2]),
          g: zeros([1, 2, 1, 3]),
        }),
      /simple-gated-linear-attention: g/,
    ],
    [
      'bounds for other heads',
      () =>
        hgrn2({
          q: zeros([1, 2, 1, 3]),
          f: zeros([1, 2, 1, 3]),
          i: zeros([1, 2, 1, 2]),
          lowerBound: zeros([2, 3]),
        }),
      /hgrn2: lowerBound/,
    ],
    [
      'two tokens in form step',
      () => hgrn2Step({ q: zeros([1, 2, 1, 3]), f: zeros([1, 2, 1, 3]), i: zeros([1, 2, 1, 2]) }),
      /one token/,
    ],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(message);
  });
});
