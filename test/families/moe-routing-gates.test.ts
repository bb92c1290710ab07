/** Gates: what each convention promises, with hand calculations where the convention is a formula. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../lib/core/random.js';
import { normalCdf } from '../../lib/core/distributions.js';
import {
  batchPriority,
  deepseekGate,
  gshardGate,
  inputJitter,
  loadLoss,
  mixtralGate,
  noisyTopKGate,
  planDispatch,
  switchGate,
  updateBias,
} from '../../lib/families/moe-routing/index.js';
import '../../lib/index.js';
import { add, mul, sum } from '../../lib/ops/index.js';
import { useBackend } from '../../lib/tensor/backend.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import { full, ones } from '../../lib/tensor/tensor.js';
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

describe('weights sum to what the convention says', () => {
  const logits = normal('weights', [23, 7], 2);
  it('1 for mixtral and deepseek with the sigmoid, the scale times 1 with a scale', () => {
    const sums = (w: number[][]) => w.map(total);
    for (const s of sums(rows(mixtralGate(logits, { k: 3 }).weights))) expect(s).toBeCloseTo(1, 12);
    for (const s of sums(rows(deepseekGate(logits, { k: 3 }).weights))) expect(s).toBeCloseTo(1, 12);
    for (const s of sums(rows(deepseekGate(logits, { k: 3, scale: 2.5 }).weights)))
      expect(s).toBeCloseTo(2.5, 12);
  });
  it('the probability itself for switch and for deepseek with the softmax', () => {
    const p = rows(logits).map(softmaxOf);
    rows(switchGate(logits).weights).forEach(([w], t) => expect(w).toBeCloseTo(Math.max(...p[t]), 12));
    rows(deepseekGate(logits, { k: 2, score: 'softmax' }).weights).forEach((w, t) => {
      const best = [...p[t]].sort((a, b) => b - a);
      w.forEach((v, j) => expect(v).toBeCloseTo(best[j], 12));
    });
  });
  it('softmax and renormalise equals softmax over the chosen logits', () => {
    const { weights, experts } = mixtralGate(logits, { k: 3 });
    const ids = rows(experts);
    rows(weights).forEach((w, t) => {
      const direct = softmaxOf(ids[t].map((e) => rows(logits)[t][e]));
      w.forEach((v, j) => expect(v).toBeCloseTo(direct[j], 12));
    });
  });
  it('k = E gives the dense softmax', () => {
    const { weights, experts } = mixtralGate(logits, { k: 7 });
    const ids = rows(experts);
    rows(weights).forEach((w, t) => {
      const p = softmaxOf(rows(logits)[t]);
      w.forEach((v, j) => expect(v).toBeCloseTo(p[ids[t][j]], 12));
    });
  });
});

describe('gshard', () => {
  const logits = normal('gshard', [4000, 5], 1.5);
  const all = gshardGate(logits);
  it('keeps every second expert without a stream, with weights that sum to 1', () => {
    expect(list(all.experts)).not.toContain(-1);
    for (const w of rows(all.weights)) expect(total(w)).toBeCloseTo(1, 12);
  });
  it('keeps the second expert with probability min(1, 2 g2), and the first weight as it was', () => {
    const { weights, experts } = gshardGate(logits, { random: new Random(5) });
    const before = rows(all.weights);
    const after = rows(weights);
    const ids = rows(experts);
    let expected = 0;
    let kept = 0;
    after.forEach((w, t) => {
      expect(w[0]).toBe(before[t][0]);
      const chance = Math.min(1, 2 * before[t][1]);
      expected += chance;
      if (chance === 1) expect(ids[t][1]).toBeGreaterThanOrEqual(0);
      if (ids[t][1] < 0) expect(w[1]).toBe(0);
      else {
        kept++;
        expect(w[1]).toBe(before[t][1]);
      }
    });
    expect(Math.abs(kept - expected)).toBeLessThan(4 * Math.sqrt(expected));
    expect(kept).toBeLessThan(4000);
  });
  it('repeats from the same seed, differs from another, and moves the stream by one word a token', () => {
    const random = new Random(5);
    const first = list(gshardGate(logits, { random }).experts);
    expect(random.position).toBe(4000);
    expect(list(gshardGate(logits, { random: new Random(5) }).experts)).toEqual(first);
    expect(list(gshardGate(logits, { random: new Random(6) }).experts)).not.toEqual(first);
  });
  it('keeps what exceeds the threshold, deterministically', () => {
    const { experts } = gshardGate(logits, { second: 'threshold', threshold: 0.2 });
    rows(experts).forEach((ids, t) => expect(ids[1] >= 0).toBe(rows(all.weights)[t][1] > 0.2));
  });
  it('refuses random without a stream', () => {
    expect(() => gshardGate(logits, { second: 'random' })).toThrow(/random must be a stream/);
    expect(() => gshardGate(logits, { second: 'some' as 'all' })).toThrow(/second must be/);
  });
});

describe('loss-free balancing', () => {
  it('a bias changes the choice and no weight of a chosen expert', () => {
    const logits = host([2, 1, 0, -1], [1, 4]);
    const plain = deepseekGate(logits, { k: 2, normalize: 'none' });
    const biased = deepseekGate(logits, { k: 2, normalize: 'none', bias: host([0, -1, 0, 0], [4]) });
    expect(list(plain.experts)).toEqual([0, 1]);
    expect(list(biased.experts)).toEqual([0, 2]);
    expect(list(biased.weights)[0]).toBe(list(plain.weights)[0]);
    expect(list(biased.weights)[1]).toBeCloseTo(0.5, 12);
  });
  it('moves every bias by the rate towards the mean load, and not at the mean', () => {
    const next = updateBias(host([0, 0, 1, 0], [4]), ints([5, 1, 3, 3]), { rate: 0.25 });
    expect(list(next)).toEqual([-0.25, 0.25, 1, 0]);
  });
  it('reduces the imbalance of planted, skewed logits', () => {
    const [T, E, k] = [512, 8, 2];
    const skew = Array.from({ length: E }, (_, e) => (e < 2 ? 1.5 : 0));
    const batch = (step: number) =>
      host(
        rows(normal(`skew ${step}`, [T, E])).flatMap((r) => r.map((v, e) => v + skew[e])),
        [T, E],
      );
    const excess = (counts: number[]) => Math.max(...counts) / ((T * k) / E) - 1;
    let bias = full([E], 0, { dtype: 'f64', device: 'host' });
    const seen: number[] = [];
    for (let step = 0; step < 120; step++) {
      const { experts } = deepseekGate(batch(step), { k, bias });
      const { load } = planDispatch(experts, { experts: E });
      expect(list(load)).toEqual(countsOf(experts, E));
      seen.push(excess(list(load)));
      bias = updateBias(bias, load, { rate: 0.01 });
    }
    expect(seen[0]).toBeGreaterThan(1);
    expect(total(seen.slice(-20)) / 20).toBeLessThan(0.25);
  });
  it('refuses a load of another size', () => {
    expect(() => updateBias(host([0, 0], [2]), ints([1]))).toThrow(/load must hold 2 values/);
  });
});

describe('noisy top-k', () => {
  const clean = normal('clean', [9, 5]);
  const raw = normal('raw', [9, 5]);
  const normals = normal('normals', [9, 5]);
  const softplus = (v: number) => Math.log1p(Math.exp(v));

  it('gates are the softmax over the k largest noisy logits', () => {
    const { weights, experts, logits } = noisyTopKGate(clean, raw, { k: 2, normals });
    const std = list(raw).map((v) => softplus(v) + 1e-2);
    list(logits).forEach((h, i) => expect(h).toBeCloseTo(list(clean)[i] + list(normals)[i] * std[i], 12));
    rows(logits).forEach((h, t) => {
      const order = [0, 1, 2, 3, 4].sort((a, b) => h[b] - h[a]).slice(0, 2);
      expect(rows(experts)[t]).toEqual(order);
      softmaxOf(order.map((e) => h[e])).forEach((g, j) => expect(rows(weights)[t][j]).toBeCloseTo(g, 12));
    });
  });
  it('the load is the chance of being chosen again when only the own noise is drawn anew', () => {
    const { load, importance, logits, weights, experts } = noisyTopKGate(clean, raw, { k: 2, normals });
    const expected = new Array<number>(5).fill(0);
    const gates = new Array<number>(5).fill(0);
    rows(logits).forEach((h, t) => {
      for (let e = 0; e < 5; e++) {
        const others = h.filter((_, i) => i !== e).sort((a, b) => b - a);
        const std = softplus(rows(raw)[t][e]) + 1e-2;
        expected[e] += normalCdf((rows(clean)[t][e] - others[1]) / std);
      }
      rows(experts)[t].forEach((e, j) => (gates[e] += rows(weights)[t][j]));
    });
    list(load).forEach((v, e) => expect(v).toBeCloseTo(expected[e], 10));
    list(importance).forEach((v, e) => expect(v).toBeCloseTo(gates[e], 12));
  });
  it('is differentiable through gates, importance and load', () => {
    const dy = normal('dy', [9, 2]);
    const dl = normal('dl', [5]);
    const report = gradcheck(
      (c, r) => {
        const g = noisyTopKGate(c, r, { k: 2, normals });
        return add(add(sum(mul(g.weights, dy)), sum(mul(g.load, dl))), loadLoss(g));
      },
      [clean, raw],
    );
    expect(report.ok, JSON.stringify(report)).toBe(true);
  });
  it('without noise counts tokens; at k = E so does the load with noise', () => {
    const still = noisyTopKGate(clean, raw, { k: 2 });
    expect(list(still.load)).toEqual(countsOf(still.experts, 5));
    expect(list(still.logits)).toEqual(list(clean));
    expect(list(noisyTopKGate(clean, raw, { k: 5, normals }).load)).toEqual([9, 9, 9, 9, 9]);
  });
  it('draws T E normals from the stream', () => {
    const random = new Random(3);
    const first = noisyTopKGate(clean, raw, { k: 2, random });
    expect(random.position).toBe(2 * 45);
    const again = noisyTopKGate(clean, raw, { k: 2, random: new Random(3) });
    expect(list(again.logits)).toEqual(list(first.logits));
  });
});

describe('padding', () => {
  const T = 6;
  const logits = normal('padding', [T, 4]);
  const padded = host([...list(logits), ...new Array<number>(8).fill(NaN)], [T + 2, 4]);
  const mask = ints([1, 1, 1, 1, 1, 1, 0, 0]);
  const raw = normal('padding raw', [T, 4]);
  const rawPadded = host([...list(raw), ...new Array<number>(8).fill(NaN)], [T + 2, 4]);
  const normals = normal('padding noise', [T, 4]);
  const normalsPadded = host([...list(normals), ...new Array<number>(8).fill(0)], [T + 2, 4]);

  it('has expert -1 and weight 0 and changes nothing for the others, whatever stands in it', () => {
    const pairs = [
      [switchGate(logits), switchGate(padded, { mask })],
      [mixtralGate(logits), mixtralGate(padded, { mask })],
      [deepseekGate(logits, { k: 2 }), deepseekGate(padded, { k: 2, mask })],
      [gshardGate(logits, { random: new Random(1) }), gshardGate(padded, { random: new Random(1), mask })],
      [
        noisyTopKGate(logits, raw, { k: 2, normals }),
        noisyTopKGate(padded, rawPadded, { k: 2, normals: normalsPadded, mask }),
      ],
    ] as const;
    for (const [plain, masked] of pairs) {
      const n = plain.weights.size;
      expect(list(masked.experts)).toEqual([...list(plain.experts), ...list(masked.experts).slice(n)]);
      expect(new Set(list(masked.experts).slice(n))).toEqual(new Set([-1]));
      expect(list(masked.weights)).toEqual([
        ...list(plain.weights),
        ...list(masked.weights)
          .slice(n)
          .map(() => 0),
      ]);
      expect(list(masked.probabilities).slice(0, T * 4)).toEqual(list(plain.probabilities));
    }
    const [plain, masked] = pairs[4];
    expect(list(masked.load)).toEqual(list(plain.load));
    expect(list(masked.importance)).toEqual(list(plain.importance));
  });
});

describe('order, priority, jitter', () => {
  it('permuting tokens permutes the routing', () => {
    const logits = normal('permute', [11, 6]);
    const order = new Random(2).permutation(11);
    const plain = mixtralGate(logits, { k: 3 });
    const moved = mixtralGate(permuted(logits, order), { k: 3 });
    expect(rows(moved.experts)).toEqual(Array.from(order, (t) => rows(plain.experts)[t]));
    expect(rows(moved.weights)).toEqual(Array.from(order, (t) => rows(plain.weights)[t]));
  });
  it('equal logits go to the lower experts', () => {
    expect(list(mixtralGate(host([0, 0, 0, 0], [1, 4])).experts)).toEqual([0, 1]);
  });
  it('NaN is refused on the host', () => {
    expect(() => switchGate(host([0, NaN], [1, 2]))).toThrow(/logits must/);
    expect(() => noisyTopKGate(host([0, 1], [1, 2]), host([0, NaN], [1, 2]), { k: 1 })).toThrow(/raw must/);
  });
  it('a tight capacity serves the surest tokens first with batch priority', () => {
    const logits = host([1, 0, 3, 0, 2, 0], [3, 2]);
    const routing = switchGate(logits);
    const priority = batchPriority(routing);
    expect(priority.dtype).toBe('f32');
    const { slots } = planDispatch(routing.experts, { experts: 2, capacity: 1, priority });
    expect(list(slots)).toEqual([-1, 0, -1]);
    expect(list(batchPriority(mixtralGate(logits), { by: 'chosen' }))).toEqual([1, 1, 1]);
  });
  it('jitter multiplies by numbers within epsilon of 1 whose mean is 1, and repeats from a seed', () => {
    const x = ones([100, 30], { dtype: 'f32', device: 'host' });
    const values = list(inputJitter(x, new Random(4), { epsilon: 0.1 }));
    expect(Math.min(...values)).toBeGreaterThanOrEqual(Math.fround(0.9) - 1e-7);
    expect(Math.max(...values)).toBeLessThanOrEqual(1.1 + 1e-7);
    // Standard error of the mean: 0.1 / sqrt(3 * 3000).
    expect(Math.abs(total(values) / 3000 - 1)).toBeLessThan(0.0045);
    expect(list(inputJitter(x, new Random(4), { epsilon: 0.1 }))).toEqual(values);
  });
});
