/** DeltaNet and Gated DeltaNet: upstream's numbers (test/golden/make/delta_rule.py), gates, what they become, messages. */
import { describe, expect, it } from 'vitest';
import '../../lib/cpu/index.js';
import * as math from '../../lib/core/math.js';
import { relativeRms } from '../../lib/core/compare.js';
import {
  deltaBeta,
  deltaDecay,
  deltaNet,
  deltaNetOperator,
  gatedDeltaNet,
  gatedDeltaNetOperator,
  type GatedDeltaNetInputs,
} from '../../lib/families/delta-rule/index.js';
import { affine, mul } from '../../lib/ops/map/index.js';
import { sum } from '../../lib/ops/reduce/index.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import { tensor, zeros, type Tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, goldenJson } from '../nn/support.js';
import { describeLaws, drawer, goldenDisagreements, type Draw, type GoldenCase } from './mixer-support.js';

type DeltaCase = GoldenCase & { source: string; normalize: boolean; scale?: number };
const golden = goldenJson('delta-rule.json').cases as DeltaCase[];
const FORMS = ['recurrent', 'chunk'] as const;

describe('upstream agrees on outputs and all gradients', () => {
  /** Scale and shift of inputs, as in the script. */
  const scales = { k: [1, 0], beta: [1, 0.5], decay: [1, -0.5] } as const;
  for (const c of golden)
    for (const arithmetic of ARITHMETICS)
      it(`${c.source}, ${arithmetic.name}`, () => {
        for (const form of ['reference', ...FORMS] as const) {
          if (form === 'reference' && arithmetic.backend === 'wasm') continue;
          const options = { normalize: c.normalize, scale: c.scale, form };
          const found = goldenDisagreements(
            c,
            arithmetic,
            (p) => {
              const { y, finalState } = p.decay
                ? gatedDeltaNet(p as unknown as GatedDeltaNetInputs, options)
                : deltaNet(p as unknown as GatedDeltaNetInputs, options);
              return { y, finalState };
            },
            scales,
          );
          expect(found).toEqual([]);
        }
      });
});

describe('Gated DeltaNet with keys of any length', () => {
  describeLaws({
    op: gatedDeltaNetOperator,
    forms: FORMS,
    timed: ['v', 'q', 'k', 'beta', 'decay'],
    state: [4, 11, 10],
    width: 40,
    inputs: (T, draw) => ({
      v: draw.normal([1, T, 4, 10]),
      q: draw.normal([1, T, 2, 11]),
      k: draw.normal([1, T, 2, 11]),
      beta: draw.uniform([1, T, 4], 0, 2),
      decay: draw.uniform([1, T, 4], -0.5, 0),
    }),
    states: (rows, draw) => draw.normal([rows, 4, 11, 10]),
  });
});

const make = ({ shape, values }: ReturnType<Draw['normal']>): Tensor =>
  tensor(Float64Array.from(values), { shape, dtype: 'f64', device: 'host' });

function inputs(T = 37): GatedDeltaNetInputs {
  const draw = drawer(3);
  return {
    q: make(draw.normal([1, T, 2, 6])),
    k: make(draw.normal([1, T, 2, 6])),
    v: make(draw.normal([1, T, 2, 5])),
    beta: make(draw.uniform([1, T, 2], 0, 1)),
    decay: make(draw.uniform([1, T, 2], -0.5, 0)),
  };
}

describe('DeltaNet', () => {
  it('is Gated DeltaNet with log-decays of 0', () => {
    const { decay, ...x } = inputs();
    for (const form of ['reference', ...FORMS] as const) {
      const plain = deltaNet(x, { form });
      const gated = gatedDeltaNet({ ...x, decay: affine(decay, 0, 0) }, { form });
      expect(Array.from(plain.y.dataSync())).toEqual(Array.from(gated.y.dataSync()));
      expect(Array.from(plain.finalState.dataSync())).toEqual(Array.from(gated.finalState.dataSync()));
    }
  });

  it('does not see the length of keys and queries, and reads with 1/sqrt(K)', () => {
    const { decay: _, ...x } = inputs();
    const once = deltaNet(x, { eps: 0 });
    const longer = deltaNet({ ...x, k: affine(x.k, 40, 0), q: affine(x.q, 0.01, 0) }, { eps: 0 });
    expect(relativeRms(longer.y.dataSync(), once.y.dataSync())).toBeLessThan(1e-13);
    const unscaled = deltaNet(x, { eps: 0, scale: 1 });
    const scaled = unscaled.y.dataSync().map((v) => v / Math.sqrt(6));
    expect(relativeRms(once.y.dataSync(), scaled)).toBeLessThan(1e-13);
  });

  it('stays bounded with unit keys where long ones would overflow', () => {
    const draw = drawer(12);
    const f32 = ({ shape, values }: ReturnType<Draw['normal']>) =>
      tensor(Float32Array.from(values), { shape, device: 'host' });
    const x = {
      q: f32(draw.normal([1, 256, 1, 64])),
      k: f32(draw.normal([1, 256, 1, 64])),
      v: f32(draw.normal([1, 256, 1, 8])),
      beta: f32(draw.uniform([1, 256, 1], 0.5, 0.5)),
    };
    for (const form of FORMS) {
      expect(deltaNet(x, { form }).finalState.dataSync().every(Number.isFinite)).toBe(true);
      const long = deltaNet(x, { form, normalize: false }).finalState.dataSync();
      expect(long.every((v) => Math.abs(v) < 1e6)).toBe(false);
    }
  });

  it('reflects along a unit key when beta is 2', () => {
    const { decay: _, ...x } = inputs(1);
    const state = make(drawer(5).normal([1, 2, 6, 5]));
    const beta = make({ shape: [1, 1, 2], values: new Float64Array(2).fill(2) });
    const v = make({ shape: [1, 1, 2, 5], values: new Float64Array(10) });
    const run = (initialState: Tensor) => deltaNet({ ...x, v, beta, initialState }, { eps: 0 }).finalState;
    expect(relativeRms(run(run(state)).dataSync(), state.dataSync())).toBeLessThan(1e-13);
  });
});

describe('the gates', () => {
  const draw = drawer(9);
  const a = make(draw.uniform([2, 3, 4], -6, 6));
  const ALog = make(draw.uniform([4], -2, 2));
  const dtBias = make(draw.uniform([4], -3, 3));

  it('decay by -exp(ALog) softplus(a + dtBias), head by head, and write with sigmoid or twice that', () => {
    const g = deltaDecay(a, { ALog, dtBias }).dataSync();
    const beta = deltaBeta(a).dataSync();
    const twice = deltaBeta(a, { negativeEigenvalues: true }).dataSync();
    a.dataSync().forEach((x, i) => {
      const want = -math.exp(ALog.dataSync()[i % 4]) * Math.log1p(Math.exp(x + dtBias.dataSync()[i % 4]));
      expect(g[i]).toBeCloseTo(want, 12);
      expect(beta[i]).toBeCloseTo(1 / (1 + Math.exp(-x)), 14);
      expect(twice[i]).toBe(2 * beta[i]);
    });
  });

  it('have gradients in every weight', () => {
    const weights = make(draw.normal([2, 3, 4]));
    const report = gradcheck(
      (x: Tensor, l: Tensor, b: Tensor) =>
        sum(
          mul(
            mul(deltaDecay(x, { ALog: l, dtBias: b }), deltaBeta(x, { negativeEigenvalues: true })),
            weights,
          ),
        ),
      [a, ALog, dtBias],
    );
    expect(report.ok, JSON.stringify(report)).toBe(true);
  });

  it('name a weight of the wrong shape', () => {
    expect(() => deltaDecay(a, { ALog: dtBias, dtBias: make(draw.normal([3])) })).toThrow(
      'deltaDecay: dtBias must have shape [4], got [3]',
    );
  });
});

describe('messages', () => {
  const x = (...shape: number[]) => zeros(shape, { device: 'host' });
  const given = { q: x(1, 4, 2, 3), k: x(1, 4, 2, 3), v: x(1, 4, 4, 5), beta: x(1, 4, 4) };

  it('name the operator, the input and what it must be', () => {
    expect(() => deltaNet({ ...given, v: x(1, 4, 3, 5), beta: x(1, 4, 3) })).toThrow(
      'delta-net: q must have a number of heads that divides H = 3, got 2',
    );
    expect(() => deltaNet({ ...given, beta: x(1, 4, 2) })).toThrow(/^delta-net: beta must have shape/);
    expect(() => gatedDeltaNet(given as GatedDeltaNetInputs)).toThrow(
      /^gated-delta-net: decay must be given/,
    );
    expect(() => deltaNet(given, { eps: -1 })).toThrow('delta-net: eps must be >= 0, got -1');
    expect(() => deltaNet(given, { form: 'step' })).toThrow(/^delta-net: q must hold one token in form step/);
    expect(() => deltaNetOperator({ ...given, decay: x(1, 4, 4) })).toThrow(/^delta-net: inputs must be/);
  });
});
