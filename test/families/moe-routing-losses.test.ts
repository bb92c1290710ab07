/** Losses: values at balance by library, gradients in closed form, padding, capacity conventions. */
import { beforeAll, describe, expect, it } from 'vitest';
import {
  capacityOf,
  cvSquared,
  deepseekGate,
  importanceLoss,
  loadBalancingLoss,
  loadLoss,
  mixtralGate,
  noisyTopKGate,
  routerZLoss,
  switchGate,
  LOAD_BALANCING_CONVENTIONS,
  type CapacityConvention,
  type LoadBalancingConvention,
} from '../../lib/families/moe-routing/index.js';
import '../../lib/index.js';
import { useBackend } from '../../lib/tensor/backend.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import { grad } from '../../lib/tensor/tape.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { countsOf, host, ints, list, normal, rows, softmaxOf, total } from './moe-routing-support.js';

beforeAll(() => useBackend('cpu'));

/** Token t prefers expert t mod E, then the next ones: T = 2 E tokens balance every choice and every probability. */
function balanced(E: number, k: number): Tensor {
  const row = (t: number) => Array.from({ length: E }, (_, e) => (E - ((e - t + 2 * E) % E)) / k);
  return host(Array.from({ length: 2 * E }, (_, t) => row(t)).flat(), [2 * E, E]);
}

describe('the load-balancing loss at perfect balance is the value of each library', () => {
  const E = 6;
  const values: Record<LoadBalancingConvention, (k: number) => number> = {
    switch: () => 1,
    mesh: () => 1,
    'st-moe': () => 1,
    tutel: () => 1,
    gshard: () => 1 / (E * E),
    flaxformer: (k) => k,
    'transformers-switch': (k) => k,
    'transformers-mixtral': (k) => k,
    megablocks: () => 1,
    megatron: () => 1,
    deepseek: () => 1,
  };
  it('and every convention has one', () =>
    expect(Object.keys(values).sort()).toEqual([...LOAD_BALANCING_CONVENTIONS].sort()));
  for (const convention of LOAD_BALANCING_CONVENTIONS)
    for (const k of [1, 2, 6])
      it(`${convention}, k = ${k}: ${values[convention](k)}`, () => {
        const routing = mixtralGate(balanced(E, k), { k });
        expect(list(loadBalancingLoss(routing, { convention }))[0]).toBeCloseTo(values[convention](k), 12);
      });
});

describe('the load-balancing loss', () => {
  const [T, E] = [20, 5];
  const logits = normal('balance', [T, E], 2);
  const p = rows(logits).map(softmaxOf);

  it('has the gradient (E / T) p (f - sum p f) through the probabilities alone', () => {
    const f = countsOf(switchGate(logits).experts, E).map((n) => n / T);
    const found = rows(
      grad((l: Tensor) => loadBalancingLoss(switchGate(l), { convention: 'switch' }))(logits),
    );
    p.forEach((row, t) => {
      const inner = total(row.map((v, e) => v * f[e]));
      row.forEach((v, e) => expect(found[t][e]).toBeCloseTo((E / T) * v * (f[e] - inner), 14));
    });
  });
  it.each(LOAD_BALANCING_CONVENTIONS)('agrees with finite differences: %s', (convention) => {
    const report = gradcheck((l) => loadBalancingLoss(mixtralGate(l, { k: 2 }), { convention }), [logits]);
    expect(report.ok, JSON.stringify(report)).toBe(true);
  });
  it('for deepseek divides sigmoid scores by their sum: 1 at balance, with gradients', () => {
    const even = deepseekGate(balanced(E, 2), { k: 2 });
    expect(list(loadBalancingLoss(even, { convention: 'deepseek' }))[0]).toBeCloseTo(1, 12);
    const mask = ints(Array.from({ length: T }, (_, t) => Number(t % 3 > 0)));
    const loss = (l: Tensor) =>
      loadBalancingLoss(deepseekGate(l, { k: 2, mask }), { convention: 'deepseek' });
    const report = gradcheck(loss, [logits]);
    expect(report.ok, JSON.stringify(report)).toBe(true);
  });
  it('counts choices alike whether the one-hot block is made at once or choice by choice', () => {
    const many = normal('many', [3000, 64], 1, 'f32');
    const routing = mixtralGate(many, { k: 6 });
    const f = countsOf(routing.experts, 64).map((n) => n / 3000);
    const P = rows(routing.probabilities).reduce(
      (s, r) => s.map((v, e) => v + r[e] / 3000),
      f.map(() => 0),
    );
    const want = 64 * total(f.map((v, e) => v * P[e]));
    expect(list(loadBalancingLoss(routing, { convention: 'flaxformer' }))[0] / want).toBeCloseTo(1, 6);
  });
  it('of all tokens on one expert is E for switch', () => {
    const one = host(
      Array.from({ length: 4 * E }, (_, i) => (i % E === 2 ? 60 : 0)),
      [4, E],
    );
    expect(list(loadBalancingLoss(switchGate(one), { convention: 'switch' }))[0]).toBeCloseTo(E, 12);
  });
  it('of several layers is that of one pool for transformers-mixtral, the mean for megablocks, refused for others', () => {
    const other = normal('other layer', [T, E], 3);
    const layers = [mixtralGate(logits), mixtralGate(other)];
    const pooled = host([...list(logits), ...list(other)], [2 * T, E]);
    const of = (r: Parameters<typeof loadBalancingLoss>[0], convention: LoadBalancingConvention) =>
      list(loadBalancingLoss(r, { convention }))[0];
    expect(of(layers, 'transformers-mixtral')).toBeCloseTo(
      of(mixtralGate(pooled), 'transformers-mixtral'),
      12,
    );
    const each = layers.map((l) => of(l, 'megablocks'));
    expect(of(layers, 'megablocks')).toBeCloseTo((each[0] + each[1]) / 2, 12);
    expect(Math.abs(of(layers, 'transformers-mixtral') - each[0] - each[1])).toBeGreaterThan(1e-6);
    expect(() => of(layers, 'switch')).toThrow(/routing must be one layer/);
  });
  it('of groups is the mean of the groups', () => {
    const half = (g: number) => host(list(logits).slice(g * 10 * E, (g + 1) * 10 * E), [10, E]);
    const convention = 'gshard';
    const parts = [0, 1].map((g) => list(loadBalancingLoss(mixtralGate(half(g)), { convention }))[0]);
    const whole = list(loadBalancingLoss(mixtralGate(logits), { convention, groups: 2 }))[0];
    expect(whole).toBeCloseTo((parts[0] + parts[1]) / 2, 14);
    expect(() => loadBalancingLoss(mixtralGate(logits), { convention, groups: 3 })).toThrow(
      /groups must divide/,
    );
  });
  it('does not change with padding, in one group or as a group of its own', () => {
    const padded = host([...list(logits), ...new Array<number>(10 * E).fill(NaN)], [30, E]);
    const mask = ints(Array.from({ length: 30 }, (_, t) => Number(t < 20)));
    for (const convention of LOAD_BALANCING_CONVENTIONS)
      for (const [groups, plain] of [
        [1, 1],
        [3, 2],
      ] as const) {
        const want = list(loadBalancingLoss(mixtralGate(logits), { convention, groups: plain }))[0];
        const got = loadBalancingLoss(mixtralGate(padded, { mask }), { convention, groups });
        expect(list(got)[0]).toBeCloseTo(want, 12);
      }
  });
  it('refuses a convention it does not know', () => {
    const routing = switchGate(logits);
    expect(() => loadBalancingLoss(routing, { convention: 'fair' as 'switch' })).toThrow(
      /convention must be one of/,
    );
  });
});

describe('the router z-loss', () => {
  const logits = normal('z', [7, 4], 3);
  it('is the mean of squared logsumexps with the gradient 2 / T lse p', () => {
    const lse = rows(logits).map((r) => Math.log(total(r.map(Math.exp))));
    expect(list(routerZLoss(logits))[0]).toBeCloseTo(total(lse.map((v) => v * v)) / 7, 12);
    const found = rows(grad((l: Tensor) => routerZLoss(l))(logits));
    rows(logits).forEach((r, t) =>
      softmaxOf(r).forEach((p, e) => expect(found[t][e]).toBeCloseTo((2 / 7) * lse[t] * p, 13)),
    );
  });
  it('leaves padding out, and does not overflow at logits of 1e4', () => {
    const padded = host([...list(logits), NaN, NaN, NaN, NaN], [8, 4]);
    const mask = ints([1, 1, 1, 1, 1, 1, 1, 0]);
    expect(list(routerZLoss(padded, { mask }))[0]).toBeCloseTo(list(routerZLoss(logits))[0], 12);
    expect(list(routerZLoss(host([1e4, 0], [1, 2])))[0]).toBeCloseTo(1e8, 4);
  });
});

describe('importance and load', () => {
  it('CV^2 is variance / mean^2: 0 when even, n - 1 for one of n', () => {
    expect(list(cvSquared(host([3, 3, 3], [3])))[0]).toBe(0);
    expect(list(cvSquared(host([0, 0, 0, 5], [4])))[0]).toBeCloseTo(3, 9);
    expect(list(cvSquared(host([0, 0, 0, 5], [4]), { variance: 'unbiased' }))[0]).toBeCloseTo(4, 9);
    expect(list(cvSquared(host([5], [1]), { variance: 'unbiased' }))[0]).toBe(0);
  });
  it('the importance loss reads the gate values, with gradients', () => {
    const logits = normal('importance', [9, 4]);
    const routing = mixtralGate(logits);
    const sums = new Array<number>(4).fill(0);
    rows(routing.experts).forEach((ids, t) =>
      ids.forEach((e, j) => (sums[e] += rows(routing.weights)[t][j])),
    );
    expect(list(importanceLoss(routing))[0]).toBeCloseTo(list(cvSquared(host(sums, [4])))[0], 12);
    const report = gradcheck((l) => importanceLoss(mixtralGate(l)), [logits]);
    expect(report.ok, JSON.stringify(report)).toBe(true);
  });
  it('the load loss pushes an overloaded expert down', () => {
    const clean = host(
      Array.from({ length: 40 }, (_, i) => (i % 4 === 0 ? 1 : 0)),
      [10, 4],
    );
    const raw = normal('raw', [10, 4]);
    const normals = normal('noise', [10, 4]);
    const loss = (c: Tensor) => loadLoss(noisyTopKGate(c, raw, { k: 1, normals }));
    const slope = new Array<number>(4).fill(0);
    rows(grad(loss)(clean)).forEach((r) => r.forEach((v, e) => (slope[e] += v)));
    expect(slope[0]).toBeGreaterThan(0);
    expect(total(slope.slice(1))).toBeLessThan(0);
  });
});

describe('capacity by convention', () => {
  const of = (convention: CapacityConvention, tokens: number, experts: number, factor: number, rest = {}) =>
    capacityOf({ convention, tokens, experts, factor, ...rest });

  it('follows each library', () => {
    expect(of('switch', 100, 8, 1.25)).toBe(15);
    expect(of('mesh', 100, 8, 1.25)).toBe(15);
    expect(of('mesh', 8, 8, 1)).toBe(4);
    expect(of('mesh', 3, 8, 16)).toBe(4);
    expect(of('st-moe', 100, 8, 2)).toBe(25);
    expect(of('flaxformer', 100, 8, 1)).toBe(12);
    expect(of('flaxformer', 108, 8, 1)).toBe(14);
    expect(of('flaxformer', 8, 8, 1)).toBe(4);
    expect(of('flaxformer', 8, 8, 1, { minimum: 1 })).toBe(1);
    expect(of('gshard', 100, 8, 1, { k: 2 })).toBe(25);
    expect(of('tutel', 100, 8, 1, { k: 2 })).toBe(26);
    expect(of('tutel', 100, 8, 1.25, { k: 2, alignment: 8 })).toBe(32);
    expect(of('tutel', 100, 8, 0, { largestLoad: 41 })).toBe(41);
    expect(of('tutel', 100, 8, -1, { k: 2, largestLoad: 41 })).toBe(26);
    expect(of('tutel', 100, 8, -1, { k: 2, largestLoad: 20, alignment: 8 })).toBe(24);
    expect(of('megablocks', 100, 8, 1, { k: 2 })).toBe(25);
    expect(of('megablocks', 100, 8, 0, { k: 2, largestLoad: 50 })).toBe(50);
    expect(of('megatron', 100, 8, 1.01, { k: 1 })).toBe(13);
    expect(of('expert-choice', 100, 8, 2)).toBe(25);
    expect(of('expert-choice', 4, 2, 8)).toBe(4);
  });
  it('is at least 1, or the given minimum', () => {
    expect(of('switch', 1, 8, 1)).toBe(1);
    expect(of('megatron', 8, 8, 1, { minimum: 6 })).toBe(6);
  });
  it('refuses sizes, factors and missing loads', () => {
    expect(() => of('switch', 100, 8, 1, { k: 2 })).toThrow(/k must be 1 for switch/);
    expect(() => of('mesh', 0, 8, 1)).toThrow(/tokens must be a positive integer/);
    expect(() => of('mesh', 10, 8, 0)).toThrow(/factor must be positive for mesh/);
    expect(() => of('tutel', 10, 8, NaN)).toThrow(/factor must be positive/);
    expect(() => of('tutel', 10, 8, 0)).toThrow(/largestLoad must be given/);
    expect(() => of('own' as 'mesh', 10, 8, 1)).toThrow(/convention must be one of/);
  });
});
