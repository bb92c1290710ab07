/** SSD: laws of every form, the selective scan as a special case, upstream's numbers, a whole Mamba-2 mixer. */
import { describe, expect, it } from 'vitest';
import '../../lib/cpu/index.js';
import { linearAttention } from '../../lib/families/linear-attention/index.js';
import { selectiveScan } from '../../lib/families/selective-scan/index.js';
import { gatedRmsNorm, ssd, ssdOperator, ssdStep } from '../../lib/families/ssd/index.js';
import { causalConv1d } from '../../lib/ops/conv/index.js';
import { exp, neg, silu } from '../../lib/ops/map/index.js';
import { matmul } from '../../lib/ops/matmul/index.js';
import { reshape, split } from '../../lib/ops/structure/index.js';
import type { Shape } from '../../lib/core/shape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { vjp } from '../../lib/tensor/tape.js';
import { ARITHMETICS, goldenJson } from '../nn/support.js';
import { describeLaws, drawer, expectClose, goldenDisagreements, type GoldenCase } from './mixer-support.js';

interface SsdCase extends GoldenCase {
  dt: [number, number];
  options: { softplus?: boolean; dtLimit?: [number, number] };
}
const golden = goldenJson('linear-attention.json') as unknown as {
  ssd: SsdCase[];
  norm: (GoldenCase & { normBeforeGate: boolean; groups: number })[];
  mamba2: GoldenCase & { scales: Record<string, number>; eps: number };
};
const FORMS = ['chunk', 'recurrent', 'parallel'] as const;
const host = (shape: Shape, values: ArrayLike<number>) =>
  tensor(Float64Array.from(values), { shape, dtype: 'f64', device: 'host' });

describe('ssd', () => {
  describeLaws({
    op: ssdOperator,
    params: { softplus: true },
    forms: FORMS,
    timed: ['x', 'dt', 'B', 'C'],
    state: [4, 5, 3],
    width: 12,
    inputs: (T, draw) => ({
      x: draw.normal([1, T, 4, 3]),
      dt: draw.uniform([1, T, 4], -2, 1),
      A: draw.uniform([4], -2, -0.2),
      B: draw.normal([1, T, 2, 5]),
      C: draw.normal([1, T, 2, 5]),
      D: draw.normal([4]),
      dtBias: draw.uniform([4], -1, 1),
    }),
    states: (rows, draw) => draw.normal([rows, 4, 5, 3]),
  });

  for (const c of golden.ssd)
    for (const arithmetic of ARITHMETICS)
      it(`agrees with ${c.name === 'minimal' ? "the paper's listing" : `transformers' chunk scan, ${c.name},`} in ${arithmetic.name}`, () => {
        for (const form of ['reference', ...FORMS] as const)
          expect(
            goldenDisagreements(c, arithmetic, (x) => ssd(x as never, { ...c.options, form }), {
              dt: c.dt,
              A: [2, -1.25],
            }),
          ).toEqual([]);
      });

  it('is the selective scan with one rate for all states and channels of a head, gradients included', () => {
    const draw = drawer(7);
    const [T, H, P, N, G] = [37, 4, 3, 5, 2];
    const leaf = (shape: Shape, low = -1, high = 1) => host(shape, draw.uniform(shape, low, high).values);
    const x = {
      x: leaf([1, T, H, P]),
      dt: leaf([1, T, H]),
      A: leaf([H], -2, -0.1),
      B: leaf([1, T, G, N]),
      C: leaf([1, T, G, N]),
      D: leaf([H, P]),
      dtBias: leaf([H]),
      initialState: leaf([1, H, N, P]),
    };
    /** Each head's number for all its channels. */
    const spread = (t: Tensor) => matmul(reshape(t, [t.size / H, H]), copies);
    const copies = host(
      [H, H * P],
      Float64Array.from({ length: H * H * P }, (_, i) =>
        Number(Math.floor((i % (H * P)) / P) === Math.floor(i / (H * P))),
      ),
    );
    const seeds = { y: leaf([1, T, H, P]), state: leaf([1, H, N, P]) };
    const one = vjp((p: typeof x) => {
      const { y, finalState } = ssd(p, { softplus: true, form: 'reference' });
      return { y, state: finalState };
    }, x);
    const two = vjp((p: typeof x) => {
      const rates = matmul(reshape(spread(p.A), [H * P, 1]), host([1, N], new Float64Array(N).fill(1)));
      const { y, finalState } = selectiveScan(
        {
          u: reshape(p.x, [1, T, H * P]),
          delta: reshape(spread(p.dt), [1, T, H * P]),
          A: rates,
          B: p.B,
          C: p.C,
          D: reshape(p.D, [H * P]),
          deltaBias: reshape(spread(p.dtBias), [H * P]),
          initialState: reshape(swapLast(p.initialState), [1, H * P, N]),
        },
        { softplus: true, form: 'reference' },
      );
      return { y: reshape(y, [1, T, H, P]), state: swapLast(reshape(finalState, [1, H, P, N])) };
    }, x);
    const [first, second] = [one.pull(seeds), two.pull(seeds)];
    for (const name of ['y', 'state'] as const)
      expectClose(one.outputs[name].dataSync(), two.outputs[name].dataSync(), 1e-12, name);
    for (const name of Object.keys(x) as (keyof typeof x)[])
      expectClose(first[name].dataSync(), second[name].dataSync(), 1e-12, `gradient of ${name}`);
  });

  it('is linear attention of C, B and x where nothing decays and steps are 1', () => {
    const draw = drawer(8);
    const [B, C] = [1, 2].map(() => host([1, 70, 2, 5], draw.normal([1, 70, 2, 5]).values));
    const x = host([1, 70, 4, 3], draw.normal([1, 70, 4, 3]).values);
    const dt = host([1, 70, 4], new Float64Array(280).fill(1));
    const A = host([4], new Float64Array(4));
    for (const form of FORMS) {
      const one = ssd({ x, dt, A, B, C }, { form });
      const two = linearAttention({ q: C, k: B, v: x }, { normalize: false, form });
      expectClose(one.y.dataSync(), two.y.dataSync(), 1e-12, 'y');
    }
  });

  it('lets no gradient to dt where a limit holds, and clamps after softplus, in a step too', () => {
    const x = host([1, 1, 2, 1], [1, 1]);
    const A = host([2], [-1, -1]);
    const one = host([1, 1, 1, 1], [1]);
    for (const form of ['reference', 'recurrent', 'step'] as const) {
      const { outputs, pull } = vjp(
        (p: { dt: Tensor }) => ({
          y: ssd({ x, dt: p.dt, A, B: one, C: one }, { softplus: true, dtLimit: [0, 1], form }).y,
        }),
        { dt: host([1, 1, 2], [3, 0]) },
      );
      expectClose(outputs.y.dataSync(), [1, Math.log(2)], 1e-15, 'y');
      expectClose(pull({ y: host([1, 1, 2, 1], [1, 1]) }).dt.dataSync(), [0, 0.5], 1e-15, 'slope');
    }
  });

  it('names wrong groups, limits and lengths', () => {
    const zero = (...shape: number[]) => host(shape, new Float64Array(shape.reduce((a, b) => a * b)));
    const x = {
      x: zero(1, 2, 3, 2),
      dt: zero(1, 2, 3),
      A: zero(3),
      B: zero(1, 2, 2, 4),
      C: zero(1, 2, 2, 4),
    };
    expect(() => ssd(x)).toThrow('ssd: G must divide H = 3, got G = 2');
    const fit = { ...x, B: zero(1, 2, 1, 4), C: zero(1, 2, 1, 4) };
    expect(() => ssd(fit, { dtLimit: [1, 0] })).toThrow('ssd: dtLimit must be [least, largest], got [1, 0]');
    expect(() => ssd(fit, { dtLimit: 5 as never })).toThrow('ssd: dtLimit must be [least, largest], got 5');
    expect(() => ssd(fit, { dtSoftplus: true } as never)).toThrow(
      'ssd: parameters must be among softplus, dtMinimum, dtMaximum, got "dtSoftplus"',
    );
    expect(() => ssdStep(fit)).toThrow('ssd: x must hold one token in form step, got T = 2');
    expect(() => ssd({ ...fit, initialState: zero(1, 3, 2, 4) })).toThrow(
      'ssd: initialState must have shape',
    );
  });
});

/** [.., a, b] as [.., b, a]. */
function swapLast(t: Tensor): Tensor {
  const [B, H, a, b] = t.shape;
  const turned = host(
    [a * b, a * b],
    Float64Array.from({ length: (a * b) ** 2 }, (_, i) => {
      const [from, to] = [Math.floor(i / (a * b)), i % (a * b)];
      return Number(from === (to % a) * b + Math.floor(to / a));
    }),
  );
  return reshape(matmul(reshape(t, [B * H, a * b]), turned), [B, H, b, a]);
}

describe('the gated norm', () => {
  for (const c of golden.norm)
    it(`agrees with mamba-ssm, ${c.normBeforeGate ? 'norm' : 'gate'} first, ${c.groups} groups`, () => {
      for (const arithmetic of ARITHMETICS)
        expect(
          goldenDisagreements(
            c,
            arithmetic,
            ({ x, z, weight }) => ({
              y: gatedRmsNorm(x, z, weight, {
                groups: c.groups,
                normBeforeGate: c.normBeforeGate,
                eps: 1e-5,
              }),
            }),
            { z: [4, 0] },
          ),
        ).toEqual([]);
    });
});

describe("a Mamba-2 mixer of convolution, ssd and gated norm is transformers' Mamba2Mixer", () => {
  const c = golden.mamba2;
  const [H, P, N, G] = [4, 3, 5, 2];
  const mixer = (p: Record<string, Tensor>, chunked: 'chunk' | 'reference') => {
    const [B, T] = p.x.shape;
    const linear = (t: Tensor, name: string) => matmul(t, p[`${name}.weight`], { transposeB: true });
    const [z, xBC, dt] = split(linear(p.x, 'in_proj'), [H * P, H * P + 2 * G * N, H], 2);
    const taps = p['conv1d.weight'];
    const weight = reshape(taps, [taps.shape[0], taps.shape[2]]);
    const u = silu(causalConv1d(xBC, weight, { bias: p['conv1d.bias'] }).y);
    const [x, b, cc] = split(u, [H * P, G * N, G * N], 2);
    const { y } = ssd(
      {
        x: reshape(x, [B, T, H, P]),
        dt,
        A: neg(exp(p.A_log)),
        B: reshape(b, [B, T, G, N]),
        C: reshape(cc, [B, T, G, N]),
        D: p.D,
        dtBias: p.dt_bias,
      },
      { softplus: true, form: chunked },
    );
    const normed = gatedRmsNorm(reshape(y, [B, T, H * P]), z, p['norm.weight'], { groups: G, eps: c.eps });
    return { y: linear(normed, 'out_proj') };
  };
  for (const arithmetic of ARITHMETICS)
    it(`with all gradients in ${arithmetic.name}`, () => {
      const scales = Object.fromEntries(Object.entries(c.scales).map(([k, s]) => [k, [s, 0] as const]));
      for (const form of ['reference', 'chunk'] as const)
        expect(goldenDisagreements(c, arithmetic, (p) => mixer(p, form), scales)).toEqual([]);
    });
});
