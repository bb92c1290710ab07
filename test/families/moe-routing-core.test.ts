/** Gate, plan, dispatch and combine: laws, and a second plan written plainly. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  add,
  blockExperts,
  combine,
  dispatch,
  gather,
  gradcheck,
  mul,
  planDispatch,
  planRows,
  setThreads,
  sum,
  tensor,
  threads,
  topKGate,
  vjp,
  withBackend,
  type DispatchPlan,
  type PlanOptions,
  type Tensor,
} from '../../lib/index.js';
import { Random } from '../../lib/core/random.js';
import { gateOperator } from '../../lib/families/moe-routing/gate.js';

const HOST = ['cpu', 'wasm'] as const;
const list = (t: Tensor) => Array.from(t.dataSync());
const integers = (values: readonly number[], shape: readonly number[]) =>
  tensor(Int32Array.from(values), { shape: [...shape], device: 'host' });
const floats = (values: ArrayLike<number>, shape: readonly number[]) =>
  tensor(Float64Array.from(values), { shape: [...shape], dtype: 'f32', device: 'host' });

function normals(shape: readonly number[], name: string, dtype: 'f32' | 'f64' = 'f32'): Tensor {
  const random = new Random(5).split(name);
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float64Array.from({ length: size }, () => random.normal());
  return tensor(values, { shape: [...shape], dtype, device: 'host' });
}

/** Kept choices [token, choice] of each expert by position. */
type Kept = [number, number][][];

interface Simulated {
  experts: number;
  capacity?: number;
  order: 'token-major' | 'choice-major';
  priority?: readonly number[];
  offsetBy: 'kept' | 'all';
}

/** Who gets in, one choice after another as the libraries' texts say it, with sparse positions like theirs. */
function simulate(choices: readonly (readonly number[])[], s: Simulated): Kept {
  const capacity = s.capacity ?? Infinity;
  const queue = choices.map((_, t) => t);
  if (s.priority) queue.sort((a, b) => s.priority![b] - s.priority![a]);
  const seats = Array.from({ length: s.experts }, () => new Map<number, [number, number]>());
  if (s.order === 'token-major') {
    const arrived = new Array<number>(s.experts).fill(0);
    for (const t of queue)
      for (const [j, e] of choices[t].entries()) {
        if (e === -1) continue;
        if (arrived[e] < capacity) seats[e].set(arrived[e], [t, j]);
        arrived[e]++;
      }
  } else {
    const before = new Array<number>(s.experts).fill(0);
    for (let j = 0; j < choices[0].length; j++)
      for (let e = 0; e < s.experts; e++) {
        const candidates = queue.filter((t) => choices[t][j] === e);
        let kept = 0;
        for (const [rank, t] of candidates.entries())
          if (before[e] + rank < capacity) {
            seats[e].set(before[e] + rank, [t, j]);
            kept++;
          }
        before[e] += s.offsetBy === 'kept' ? kept : candidates.length;
      }
  }
  return seats.map((m) => [...m.entries()].sort((a, b) => a[0] - b[0]).map(([, c]) => c));
}

/** The same from a plan, after checking that its tensors tell one story. */
function keptOf(plan: DispatchPlan, k: number): Kept {
  const [slots, offsets, counts, source] = [plan.slots, plan.offsets, plan.counts, plan.source].map(list);
  expect(source.length).toBe(plan.rows);
  slots.forEach((row, c) => row >= 0 && expect(source[row]).toBe(c));
  expect(source.filter((c) => c >= 0).length).toBe(slots.filter((row) => row >= 0).length);
  expect(offsets[offsets.length - 1]).toBeLessThanOrEqual(plan.rows);
  return counts.map((n, e) => {
    const region = source.slice(offsets[e], offsets[e + 1]);
    expect(region.slice(n).every((c) => c === -1)).toBe(true);
    return region.slice(0, n).map((c): [number, number] => [Math.floor(c / k), c % k]);
  });
}

describe('a plan', () => {
  const setting = fc.record({
    T: fc.integer({ min: 1, max: 40 }),
    k: fc.integer({ min: 1, max: 4 }),
    experts: fc.integer({ min: 1, max: 9 }),
    capacity: fc.option(fc.integer({ min: 0, max: 12 }), { nil: undefined }),
    order: fc.constantFrom('token-major' as const, 'choice-major' as const),
    offsetBy: fc.constantFrom('kept' as const, 'all' as const),
    prioritised: fc.boolean(),
    seed: fc.integer({ min: 0, max: 1e6 }),
  });

  it('keeps, in this order, exactly the choices that the written rule keeps, by either convention of offsets', () => {
    fc.assert(
      fc.property(setting, ({ T, k, seed, prioritised, offsetBy, ...rest }) => {
        const random = new Random(seed);
        const choices = Array.from({ length: T }, () =>
          Array.from({ length: k }, () => Math.floor(random.uniform() * (rest.experts + 1)) - 1),
        );
        const priority = prioritised
          ? choices.map(() => Math.floor(random.uniform() * 5) / 4 - 0.5)
          : undefined;
        const options: PlanOptions = { ...rest, priority: priority && floats(priority, [T]) };
        const plan = planDispatch(integers(choices.flat(), [T, k]), options);
        const kept = keptOf(plan, k);
        expect(kept).toEqual(simulate(choices, { ...rest, offsetBy, priority }));
        for (const region of kept) expect(region.length).toBeLessThanOrEqual(rest.capacity ?? Infinity);
        const load = Array.from(
          { length: rest.experts },
          (_, e) => choices.flat().filter((c) => c === e).length,
        );
        expect(list(plan.load)).toEqual(load);
      }),
      { numRuns: 200 },
    );
  });

  it('drops the tokens of the lowest priority, not the last ones', () => {
    const experts = integers([0, 0, 0, 0], [4, 1]);
    const options = { experts: 1, capacity: 2 };
    expect(list(planDispatch(experts, options).slots)).toEqual([0, 1, -1, -1]);
    const priority = floats([0.1, 0.9, 0.9, 0.95], [4]);
    expect(list(planDispatch(experts, { ...options, priority }).slots)).toEqual([-1, 1, -1, 0]);
  });

  it('serves all first choices before any second one in the order choice-major', () => {
    const experts = integers([0, 1, 1, 0], [2, 2]);
    const common = { experts: 2, capacity: 1 };
    expect(list(planDispatch(experts, common).slots)).toEqual([0, 1, -1, -1]);
    expect(list(planDispatch(experts, { ...common, order: 'choice-major' }).slots)).toEqual([0, -1, 1, -1]);
  });

  it('aligns blocks like the example in the documentation of vLLM', () => {
    const experts = integers([2, 3, 4, 1, 2, 4, 1, 3, 4, 1, 2, 3], [4, 3]);
    const plan = planDispatch(experts, { experts: 5, block: 4 });
    const used = list(plan.offsets)[5];
    expect(used).toBe(16);
    expect(list(plan.source).slice(0, used)).toEqual([3, 6, 9, -1, 0, 4, 10, -1, 1, 7, 11, -1, 2, 5, 8, -1]);
    expect(list(blockExperts(plan, 4)).slice(0, used / 4)).toEqual([1, 2, 3, 4]);
  });

  it.each([
    { T: 1, k: 8, experts: 257, block: 16 },
    { T: 1, k: 8, experts: 257, block: 128 },
    { T: 83, k: 6, experts: 257, block: 128 },
    { T: 300, k: 2, experts: 8, block: 16 },
    { T: 7, k: 4, experts: 4, block: 1 },
  ])('rounds every region up to the block and bounds the rows: $T x $k into $experts by $block', (s) => {
    const { T, k, experts, block } = s;
    const random = new Random(2);
    const ids = Array.from({ length: T * k }, () => Math.floor(random.uniform() * experts));
    const plan = planDispatch(integers(ids, [T, k]), { experts, block });
    const [offsets, load] = [plan.offsets, plan.load].map(list);
    expect(list(plan.counts)).toEqual(load);
    load.forEach((n, e) => expect(offsets[e + 1] - offsets[e]).toBe(Math.ceil(n / block) * block));
    expect(plan.rows % block).toBe(0);
    expect(plan.rows).toBe(planRows(T * k, { experts, block }));
    expect(plan.rows).toBeLessThanOrEqual(Math.ceil((T * k + experts * (block - 1)) / block) * block);
    expect(plan.rows).toBeGreaterThanOrEqual(offsets[experts]);
    const blocks = load.flatMap((n, e) => new Array<number>(Math.ceil(n / block)).fill(e));
    const tail = new Array<number>(plan.rows / block - blocks.length).fill(-1);
    expect(list(blockExperts(plan, block))).toEqual([...blocks, ...tail]);
  });

  it('keeps nothing of padding tokens, of a capacity of 0, and of no tokens', () => {
    const padded = planDispatch(integers([-1, -1, 1, 0], [2, 2]), { experts: 3, capacity: 1 });
    expect(list(padded.slots)).toEqual([-1, -1, 1, 0]);
    expect(list(padded.load)).toEqual([1, 1, 0]);
    const none = planDispatch(integers([0, 1], [2, 1]), { experts: 2, capacity: 0 });
    expect(list(none.slots)).toEqual([-1, -1]);
    expect(none.rows).toBe(0);
    const empty = planDispatch(integers([], [0, 2]), { experts: 2, block: 16 });
    expect([empty.rows, list(empty.offsets)]).toEqual([0, [0, 0, 0]]);
  });

  it('refuses what it cannot place', () => {
    const experts = integers([0, 3], [2, 1]);
    expect(() => planDispatch(experts, { experts: 3 })).toThrow(
      /experts must lie in \[-1, 3\), got 3 at choice 1/,
    );
    const priority = floats([NaN, 0], [2]);
    expect(() => planDispatch(experts, { experts: 4, priority })).toThrow(/priority must be finite, got NaN/);
    expect(() => planDispatch(experts, { experts: 4, capacity: 8, block: 4 })).toThrow(
      /block must be 1 with a capacity, got 4/,
    );
    const plan = planDispatch(experts, { experts: 4, block: 2 });
    expect(() => blockExperts(plan, 3)).toThrow(/positive divisor of 4 rows, got 3/);
    expect(() => blockExperts(planDispatch(experts, { experts: 4 }), 2)).toThrow(/multiples of 2/);
    const other = planDispatch(integers([0], [1, 1]), { experts: 1 });
    expect(() => dispatch(normals([2, 3], 'x'), other)).toThrow(/moe-routing\/dispatch: slots must/);
    expect(() => combine(normals([9, 3], 'x'), plan)).toThrow(/moe-routing\/combine: source must/);
  });
});

describe.each(HOST)('on %s', (backend) => {
  it('combine undoes dispatch on real tokens when one expert is chosen and nothing dropped', () => {
    withBackend(backend, () => {
      const x = normals([19, 7], 'x');
      const ids = Array.from({ length: 19 }, (_, t) => (t % 6 === 4 ? -1 : (t * 5) % 4));
      const plan = planDispatch(integers(ids, [19, 1]), { experts: 4, block: 16 });
      const ones = floats(new Float64Array(19).fill(1), [19, 1]);
      const expected = list(x).map((v, i) => (ids[Math.floor(i / 7)] < 0 ? 0 : v));
      expect(list(combine(dispatch(x, plan), plan, ones))).toEqual(expected);
      expect(list(combine(dispatch(x, plan), plan))).toEqual(expected);
    });
  });

  it('permuting tokens permutes outputs to the bit', () => {
    const [T, E, D, k] = [23, 5, 6, 3];
    const [x, logits, table] = [normals([T, D], 'x'), normals([T, E], 'l'), normals([E, D], 'w')];
    const order = Array.from({ length: T }, (_, t) => (t * 7 + 3) % T);
    const layer = (tokens: Tensor, scores: Tensor) => {
      const { weights, experts } = topKGate(scores, { k, normalize: 'chosen' });
      const plan = planDispatch(experts, { experts: E });
      const rowExperts = list(blockExperts(plan, 1)).map((e) => Math.max(e, 0));
      const rows = mul(dispatch(tokens, plan), gather(table, integers(rowExperts, [plan.rows])));
      return combine(rows, plan, weights);
    };
    withBackend(backend, () => {
      const ids = integers(order, [T]);
      expect(list(layer(gather(x, ids), gather(logits, ids)))).toEqual(list(gather(layer(x, logits), ids)));
    });
  });

  it('adds choices in their order and leaves dropped ones out, whatever their weight', () => {
    withBackend(backend, () => {
      const plan = planDispatch(integers([0, 1, 0, 1], [2, 2]), { experts: 2, capacity: 1 });
      const rows = floats([1, 2, 10, 20], [2, 2]);
      const weights = floats([0.5, 2, NaN, NaN], [2, 2]);
      expect(list(combine(rows, plan, weights))).toEqual([20.5, 41, 0, 0]);
    });
  });
});

describe('on wasm', () => {
  it('dispatch, combine and their gradients have the same bits on one thread and on two', () => {
    const [T, E, D, k] = [700, 9, 67, 3];
    const x = normals([T, D], 'x');
    const { weights, experts } = topKGate(normals([T, E], 'l'), { k });
    const run = () =>
      withBackend('wasm', () => {
        const plan = planDispatch(experts, { experts: E, capacity: 200 });
        const { outputs, pull } = vjp(
          (p: { x: Tensor; weights: Tensor }) => ({ y: combine(dispatch(p.x, plan), plan, p.weights) }),
          { x, weights },
        );
        const grads = pull({ y: normals([T, D], 'dy') });
        return [outputs.y, grads.x, grads.weights].map(list);
      });
    const before = threads();
    try {
      setThreads(1);
      const alone = run();
      setThreads(2);
      expect(run()).toEqual(alone);
    } finally {
      setThreads(before);
    }
  });
});

describe('the gate', () => {
  it('gives equal logits to the lower index, best expert first', () => {
    const gate = topKGate(floats([1, 3, 3, 2, 3], [1, 5]), { k: 4 });
    expect(list(gate.experts)).toEqual([1, 2, 4, 3]);
  });

  it('chooses like its reference among many ties, with and without a bias', () => {
    const [T, E, k] = [50, 12, 5];
    const random = new Random(6);
    const draw = (n: number, levels: number) =>
      Float64Array.from({ length: n }, () => Math.floor(random.uniform() * levels) / 4);
    const inputs = { logits: floats(draw(T * E, 4), [T, E]), bias: floats(draw(E, 2), [E]) };
    for (const given of [inputs, { logits: inputs.logits }])
      for (const score of ['softmax', 'sigmoid'])
        for (const normalize of ['none', 'chosen']) {
          const [fast, slow] = (['parallel', 'reference'] as const).map((form) =>
            gateOperator(given, { k, score, normalize }, { form, backend: 'cpu' }),
          );
          for (const name of ['experts', 'weights', 'probabilities'])
            expect(list(fast[name])).toEqual(list(slow[name]));
        }
  });

  it('tells logits apart whose scores round to the same number', () => {
    const gate = topKGate(floats([30, 31, 32], [1, 3]), { k: 1, score: 'sigmoid' });
    expect(list(gate.probabilities)).toEqual([1, 1, 1]);
    expect(list(gate.experts)).toEqual([2]);
  });

  it('lets a bias decide the choice and nothing else', () => {
    const options = { k: 1, score: 'sigmoid', bias: floats([1, 0], [2]) } as const;
    const gate = topKGate(floats([0, 2], [1, 2]), options);
    expect(list(gate.experts)).toEqual([0]);
    expect(list(gate.weights)).toEqual([0.5]);
  });

  it.each(['softmax', 'sigmoid'] as const)('normalised weights of %s sum to scale, far out too', (score) => {
    const logits = floats([-200, -300, -250, 80, 90, 700], [2, 3]);
    const { weights } = topKGate(logits, { k: 2, score, normalize: 'chosen', scale: 2.5 });
    const w = list(weights);
    for (const t of [0, 1]) expect(w[2 * t] + w[2 * t + 1]).toBeCloseTo(2.5, 6);
    expect(w.every((v) => v >= 0)).toBe(true);
  });

  it('gives padding tokens no expert, no weight and no probability, whatever their logits', () => {
    const logits = floats([NaN, NaN, 1, 2], [2, 2]);
    for (const mask of [floats([0, 1], [2]), integers([0, 1], [2])]) {
      const gate = topKGate(logits, { k: 1, mask });
      expect(list(gate.experts)).toEqual([-1, 1]);
      expect([...list(gate.weights).slice(0, 1), ...list(gate.probabilities).slice(0, 2)]).toEqual([0, 0, 0]);
    }
  });

  it('refuses logits that cannot be routed', () => {
    expect(() => topKGate(floats([1, NaN], [1, 2]), { k: 1 })).toThrow(/got NaN for token 0, expert 1/);
    expect(() => topKGate(floats([1, Infinity], [1, 2]), { k: 1 })).toThrow(/below infinity, got Infinity/);
    expect(() => topKGate(floats([-Infinity, -Infinity], [1, 2]), { k: 1 })).toThrow(
      /leave a token an expert/,
    );
    const bias = floats([0, NaN], [2]);
    expect(() => topKGate(floats([1, 2], [1, 2]), { k: 1, bias })).toThrow(/bias must be finite, got NaN/);
    expect(() => topKGate(floats([1, 2], [1, 2]), { k: 3 })).toThrow(/k must be <= E = 2, got 3/);
    const one = topKGate(floats([-Infinity, 0], [1, 2]), { k: 2 });
    expect([list(one.experts), list(one.weights)]).toEqual([
      [1, 0],
      [1, 0],
    ]);
  });

  it.each([
    { score: 'softmax', normalize: 'none' },
    { score: 'softmax', normalize: 'chosen' },
    { score: 'sigmoid', normalize: 'none' },
    { score: 'sigmoid', normalize: 'chosen' },
  ] as const)('has exact gradients through dispatch and combine: $score, $normalize', (options) => {
    const [T, E, D] = [5, 4, 3];
    const logits = normals([T, E], 'logits', 'f64');
    const mask = integers([1, 1, 0, 1, 1], [T]);
    const gate = (l: Tensor) => topKGate(l, { ...options, k: 2, mask, scale: 1.5 });
    const plan = planDispatch(gate(logits).experts, { experts: E, capacity: 2 });
    const readOut = normals([T, D], 'out', 'f64');
    const weighted = normals([T, E], 'p', 'f64');
    const loss = (l: Tensor, x: Tensor) => {
      const { weights, probabilities } = gate(l);
      const rows = dispatch(x, plan, weights);
      const y = combine(mul(rows, rows), plan, weights);
      return add(sum(mul(y, readOut)), sum(mul(probabilities, weighted)));
    };
    const report = gradcheck(loss, [logits, normals([T, D], 'x', 'f64')]);
    expect(report.ok, JSON.stringify(report)).toBe(true);
  });
});
