/** Gates that look at the whole batch: expert choice, Sinkhorn, mixture of depths. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../lib/core/random.js';
import {
  depthCombine,
  depthGate,
  depthPredictorLoss,
  depthSelect,
  expertChoiceGate,
  planDispatch,
  sinkhornGate,
  sinkhornPlan,
} from '../../lib/families/moe-routing/index.js';
import '../../lib/index.js';
import { add, mul, sum, tanh } from '../../lib/ops/index.js';
import { useBackend } from '../../lib/tensor/backend.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import {
  countsOf,
  host,
  ints,
  list,
  normal,
  permuted,
  rows,
  softmaxOf,
  total,
} from './moe-routing-support.js';

beforeAll(() => useBackend('cpu'));

const columns = (t: Tensor) => rows(t)[0].map((_, e) => rows(t).map((r) => r[e]));

describe('expert choice', () => {
  const [T, E] = [37, 5];
  const logits = normal('expert choice', [T, E], 2);
  const routing = expertChoiceGate(logits);

  it('gives every expert exactly its capacity, floor(2 T / E), and the plan drops nothing', () => {
    expect(routing.capacity).toBe(14);
    expect(countsOf(routing.experts, E)).toEqual([14, 14, 14, 14, 14]);
    const plan = planDispatch(routing.experts, { experts: E, capacity: routing.capacity });
    expect(list(plan.counts)).toEqual([14, 14, 14, 14, 14]);
    expect(plan.rows).toBe(70);
    expect(list(plan.source)).not.toContain(-1);
  });
  it('takes the tokens with the largest scores of each expert, and combines them with the scores', () => {
    const S = rows(logits).map(softmaxOf);
    for (let e = 0; e < E; e++) {
      const best = S.map((_, t) => t)
        .sort((a, b) => S[b][e] - S[a][e])
        .slice(0, 14);
      rows(routing.experts).forEach((r, t) => {
        expect(r[e]).toBe(best.includes(t) ? e : -1);
        expect(rows(routing.weights)[t][e]).toBeCloseTo(best.includes(t) ? S[t][e] : 0, 12);
      });
    }
  });
  it('gives ties to the lower token', () => {
    const even = expertChoiceGate(host(new Array<number>(12).fill(0), [6, 2]), { capacity: 2 });
    expect(rows(even.experts)).toEqual([
      [0, 1],
      [0, 1],
      [-1, -1],
      [-1, -1],
      [-1, -1],
      [-1, -1],
    ]);
  });
  it('permuting tokens permutes the routing', () => {
    const order = new Random(2).permutation(T);
    const moved = expertChoiceGate(permuted(logits, order));
    expect(rows(moved.experts)).toEqual(Array.from(order, (t) => rows(routing.experts)[t]));
  });
  it('never takes padding, which changes nothing for the others at the same capacity', () => {
    const padded = host([...list(logits), ...new Array<number>(3 * E).fill(NaN)], [T + 3, E]);
    const mask = ints([...new Array<number>(T).fill(1), 0, 0, 0]);
    const masked = expertChoiceGate(padded, { mask, capacity: 14 });
    expect(rows(masked.experts).slice(0, T)).toEqual(rows(routing.experts));
    expect(list(masked.weights)).toEqual([...list(routing.weights), ...new Array<number>(3 * E).fill(0)]);
    const few = expertChoiceGate(logits, {
      mask: ints([1, 1, ...new Array<number>(T - 2).fill(0)]),
      capacity: 9,
    });
    expect(countsOf(few.experts, E)).toEqual([2, 2, 2, 2, 2]);
  });
  it('has gradients through the chosen scores', () => {
    const dy = normal('dy', [T, E]);
    const report = gradcheck((l) => sum(mul(expertChoiceGate(l).weights, dy)), [logits]);
    expect(report.ok, JSON.stringify(report)).toBe(true);
  });
  it('refuses NaN and a capacity outside 1..T', () => {
    expect(() => expertChoiceGate(host([NaN, 0], [1, 2]))).toThrow(/logits must not be NaN/);
    expect(() => expertChoiceGate(logits, { capacity: 38 })).toThrow(/capacity must/);
  });
});

describe('Sinkhorn', () => {
  const [T, E] = [24, 6];
  const logits = normal('sinkhorn', [T, E], 2);

  it('has rows that sum to 1/T and columns that sum to 1/E', () => {
    const plan = sinkhornPlan(logits, { iterations: 200 });
    for (const r of rows(plan)) expect(total(r)).toBeCloseTo(1 / T, 10);
    for (const c of columns(plan)) expect(total(c)).toBeCloseTo(1 / E, 12);
  });
  it('is what the plain iteration on e^logits converges to', () => {
    const cost = rows(logits).map((r) => r.map(Math.exp));
    let d1 = new Array<number>(E).fill(1);
    let d0: number[] = [];
    for (let i = 0; i < 32; i++) {
      d0 = cost.map((r) => 1 / (T * total(r.map((c, e) => c * d1[e]))));
      d1 = d1.map((_, e) => 1 / (E * total(cost.map((r, t) => r[e] * d0[t]))));
    }
    rows(sinkhornPlan(logits)).forEach((r, t) =>
      r.forEach((v, e) => expect(v).toBeCloseTo(cost[t][e] * d0[t] * d1[e], 12)),
    );
  });
  it.each(['f64', 'f32'] as const)('does not overflow at logits of 1e4 in %s', (dtype) => {
    const large = normal('large', [T, E], 1e4, dtype);
    const plan = sinkhornPlan(large, { iterations: 200 });
    expect(list(plan).every((v) => v >= 0 && v <= 1)).toBe(true);
    // One place of f32 at 1e4 is 1e-3, and it stands in an exponent.
    for (const c of columns(plan))
      expect(Math.abs(E * total(c) - 1)).toBeLessThan(dtype === 'f64' ? 1e-9 : 1e-2);
    const { experts, weights } = sinkhornGate(large);
    expect(countsOf(experts, E).reduce((a, b) => a + b)).toBe(T);
    expect(list(weights).every((v) => Number.isFinite(v))).toBe(true);
  });
  it('spreads tokens that all prefer one expert, and does not when not balanced', () => {
    const skewed = host(
      rows(logits).flatMap((r) => r.map((v, e) => v + (e === 0 ? 30 : 0))),
      [T, E],
    );
    expect(countsOf(sinkhornGate(skewed, { balanced: false }).experts, E)).toEqual([24, 0, 0, 0, 0, 0]);
    expect(Math.max(...countsOf(sinkhornGate(skewed).experts, E))).toBeLessThan(10);
  });
  it('weights are the sigmoid of the chosen logit, for k > 1 the softmax, with gradients through them alone', () => {
    const one = sinkhornGate(logits);
    rows(one.experts).forEach(([e], t) =>
      expect(list(one.weights)[t]).toBeCloseTo(1 / (1 + Math.exp(-rows(logits)[t][e])), 12),
    );
    const two = sinkhornGate(logits, { k: 2 });
    rows(two.experts).forEach((ids, t) =>
      ids.forEach((e, j) => expect(rows(two.weights)[t][j]).toBeCloseTo(softmaxOf(rows(logits)[t])[e], 12)),
    );
    const dy = normal('dy', [T, 2]);
    const report = gradcheck((l) => sum(mul(sinkhornGate(l, { k: 2 }).weights, dy)), [logits]);
    expect(report.ok, JSON.stringify(report)).toBe(true);
  });
  it('refuses logits that are not finite: an expert without a token cannot be balanced', () => {
    expect(() => sinkhornPlan(host([NaN, 0], [1, 2]))).toThrow(/logits must be finite, got NaN/);
    expect(() => sinkhornGate(host([-Infinity, 0], [1, 2]))).toThrow(/logits must be finite/);
    const routing = sinkhornGate(host([-Infinity, 0], [1, 2]), { balanced: false });
    expect(list(routing.experts)).toEqual([1]);
    expect(() => sinkhornPlan(logits, { iterations: 0 })).toThrow(/iterations must be/);
  });
  it('padding changes nothing for the others and goes nowhere', () => {
    const padded = host([...list(logits), ...new Array<number>(2 * E).fill(NaN)], [T + 2, E]);
    const mask = ints([...new Array<number>(T).fill(1), 0, 0]);
    const masked = rows(sinkhornPlan(padded, { mask }));
    rows(sinkhornPlan(logits)).forEach((r, t) =>
      r.forEach((v, e) => expect(masked[t][e]).toBeCloseTo(v, 14)),
    );
    expect(masked.slice(T).flat()).toEqual(new Array<number>(2 * E).fill(0));
    const gate = sinkhornGate(padded, { mask });
    expect(list(gate.experts)).toEqual([...list(sinkhornGate(logits).experts), -1, -1]);
    expect(list(gate.weights).slice(T)).toEqual([0, 0]);
  });
});

describe('mixture of depths', () => {
  const [B, T, D] = [2, 19, 3];
  const scores = normal('depth', [B, T]);
  const x = normal('x', [B, T, D]);

  it('sees floor(T / 8) tokens of every sequence, the ones with the largest scores, in the order of time', () => {
    const r = depthGate(scores);
    expect(r.capacity).toBe(2);
    const wide = depthGate(scores, { capacity: 7 });
    rows(scores).forEach((s, b) => {
      const best = s
        .map((_, t) => t)
        .sort((a, c) => s[c] - s[a])
        .slice(0, 7)
        .sort((a, c) => a - c);
      expect(rows(wide.positions)[b]).toEqual(best);
      expect(rows(wide.weights)[b]).toEqual(best.map((t) => s[t]));
      expect(rows(wide.chosen)[b]).toEqual(s.map((_, t) => Number(best.includes(t))));
    });
    expect(list(wide.rows)).toEqual(rows(wide.positions).flatMap((p, b) => p.map((t) => b * T + t)));
  });
  it('gives x + r f(x) where chosen and x elsewhere, with gradients to x and scores', () => {
    const options = { capacity: 5 };
    const run = (tokens: Tensor, s: Tensor) => {
      const r = depthGate(s, options);
      return depthCombine(tokens, tanh(depthSelect(tokens, r)), r);
    };
    const y = rows(run(x, scores));
    const chosen = list(depthGate(scores, options).chosen);
    rows(x).forEach((row, i) =>
      row.forEach((v, d) =>
        expect(y[i][d]).toBeCloseTo(chosen[i] ? v + list(scores)[i] * Math.tanh(v) : v, 12),
      ),
    );
    const dy = normal('dy', [B, T, D]);
    const report = gradcheck((t, s) => sum(mul(run(t, s), dy)), [x, scores]);
    expect(report.ok, JSON.stringify(report)).toBe(true);
  });
  it('prefers every real token to padding, which has weight 0', () => {
    const mask = ints([...new Array<number>(T).fill(1), 1, 1, ...new Array<number>(T - 2).fill(0)], [B, T]);
    const r = depthGate(scores, { capacity: 4, mask });
    expect(rows(r.positions)[1].slice(0, 2)).toEqual([0, 1]);
    expect(rows(r.weights)[1].slice(2)).toEqual([0, 0]);
    expect(total(rows(r.chosen)[1])).toBe(2);
    expect(rows(r.positions)[0]).toEqual(rows(depthGate(scores, { capacity: 4 }).positions)[0]);
  });
  it('trains a causal predictor by binary cross-entropy on the choice', () => {
    const r = depthGate(scores, { capacity: 5 });
    const l = normal('predictor', [B, T]);
    const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
    const each = list(l).map((v, i) => -Math.log(list(r.chosen)[i] ? sigmoid(v) : 1 - sigmoid(v)));
    expect(list(depthPredictorLoss(l, r))[0]).toBeCloseTo(total(each) / (B * T), 12);
    const mask = ints(
      Array.from({ length: B * T }, (_, i) => Number(i < 30)),
      [B, T],
    );
    expect(list(depthPredictorLoss(l, r, { mask }))[0]).toBeCloseTo(total(each.slice(0, 30)) / 30, 12);
    const report = gradcheck((p) => add(depthPredictorLoss(p, r), depthPredictorLoss(p, r, { mask })), [l]);
    expect(report.ok, JSON.stringify(report)).toBe(true);
  });
  it('refuses NaN, wrong shapes and shares', () => {
    expect(() => depthGate(host([NaN, 0], [1, 2]))).toThrow(/scores must not be NaN/);
    expect(() => depthGate(scores, { share: 0 })).toThrow(/share must lie in/);
    expect(() => depthSelect(scores, depthGate(scores))).toThrow(/x must be/);
  });
});
