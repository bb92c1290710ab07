/** The layer: one expert is a dense block, everything equals the dense sum, capacity and padding do what they say. */
import { describe, expect, it } from 'vitest';
import { compare, TOLERANCES } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import {
  deepseekGate,
  denseMoe,
  expertChoiceGate,
  gshardGate,
  mixtralGate,
  moeFeedForward,
  planDispatch,
  sinkhornGate,
  switchGate,
  type ExpertActivation,
  type ExpertWeights,
  type MoeOptions,
  type Routing,
} from '../../lib/families/moe-routing/index.js';
import '../../lib/index.js';
import { gelu, matmul, mul, relu, reshape, silu, sum } from '../../lib/ops/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import { vjp } from '../../lib/tensor/tape.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { host, ints, list, normal, permuted, rows } from './moe-routing-support.js';

type Dtype = 'f32' | 'f64';

function expertsOf(E: number, D: number, F: number, gated: boolean, dtype: Dtype = 'f64'): ExpertWeights {
  const draw = (name: string, shape: number[]) => normal(`${name} ${E}`, shape, 0.5, dtype);
  const gate = gated ? draw('gate', [E, D, F]) : undefined;
  return { up: draw('up', [E, D, F]), down: draw('down', [E, F, D]), gate };
}

function close(actual: Tensor, expected: Tensor, tolerance: number): void {
  const r = compare(actual.dataSync(), expected.dataSync(), {
    name: 'y',
    dims: actual.shape,
    tolerance,
    floor: 1e-6,
  });
  expect(r.ok, r.text).toBe(true);
}

const ACTIVATIONS = { relu, gelu, silu };

describe('one expert is a dense feed-forward block', () => {
  for (const activation of Object.keys(ACTIVATIONS) as ExpertActivation[])
    for (const gated of [false, true])
      it(`${activation}${gated ? ', gated' : ''}`, () =>
        withBackend('cpu', () => {
          const x = normal('x', [9, 5]);
          const { up, down, gate } = expertsOf(1, 5, 7, gated);
          const flat = (t: Tensor) => reshape(t, t.shape.slice(1));
          const act = ACTIVATIONS[activation];
          const hidden = gate
            ? mul(act(matmul(x, flat(gate))), matmul(x, flat(up)))
            : act(matmul(x, flat(up)));
          const routing = mixtralGate(normal('one', [9, 1]), { k: 1 });
          const { y } = moeFeedForward(x, { up, down, gate }, routing, { activation });
          close(y, matmul(hidden, flat(down)), 1e-13);
        }));
});

interface Case {
  name: string;
  T: number;
  E: number;
  routing: (logits: Tensor) => Routing & { capacity?: number };
  options?: MoeOptions;
  /** Added to the logits of expert 0. */
  skew?: number;
}

const CASES: Case[] = [
  { name: 'dropless top 2 of 8', T: 33, E: 8, routing: (l) => mixtralGate(l) },
  { name: 'blocks of 4', T: 33, E: 8, routing: (l) => mixtralGate(l), options: { block: 4 } },
  {
    name: 'capacity 3, first choices first',
    T: 33,
    E: 8,
    routing: (l) => mixtralGate(l),
    options: { capacity: 3, order: 'choice-major' },
  },
  { name: 'switch at capacity 2', T: 17, E: 4, routing: (l) => switchGate(l), options: { capacity: 2 } },
  { name: 'gshard', T: 17, E: 4, routing: (l) => gshardGate(l, { random: new Random(1) }) },
  { name: 'deepseek with a scale', T: 17, E: 9, routing: (l) => deepseekGate(l, { k: 4, scale: 2.5 }) },
  { name: 'expert choice', T: 17, E: 4, routing: (l) => expertChoiceGate(l) },
  { name: 'sinkhorn', T: 17, E: 4, routing: (l) => sinkhornGate(l, { k: 2 }) },
  { name: 'k = E', T: 11, E: 3, routing: (l) => mixtralGate(l, { k: 3 }) },
  { name: 'T = 1', T: 1, E: 8, routing: (l) => mixtralGate(l) },
  { name: 'E = 257', T: 40, E: 257, routing: (l) => mixtralGate(l) },
  { name: 'all tokens to one expert', T: 20, E: 6, routing: (l) => switchGate(l), skew: 1000 },
];

function layerOf(c: Case, dtype: Dtype) {
  const [D, F] = [6, 5];
  const x = normal(`x ${c.name}`, [c.T, D], 1, dtype);
  const logits = host(
    rows(normal(`l ${c.name}`, [c.T, c.E], 2)).flatMap((r) =>
      r.map((v, e) => v + (e === 0 ? (c.skew ?? 0) : 0)),
    ),
    [c.T, c.E],
    dtype,
  );
  const leaves = { x, logits, ...expertsOf(c.E, D, F, true, dtype) } as Record<string, Tensor>;
  const dy = normal(`dy ${c.name}`, [c.T, D], 1, dtype);
  const run = (how: 'sparse' | 'dense') => {
    const { outputs, pull } = vjp((p: Record<string, Tensor>) => {
      const routing = c.routing(p.logits);
      const weights = { up: p.up, down: p.down, gate: p.gate };
      const options = { capacity: routing.capacity, ...c.options };
      const plan = planDispatch(routing.experts, { experts: c.E, ...options });
      const y =
        how === 'dense'
          ? denseMoe(p.x, weights, routing, { plan })
          : moeFeedForward(p.x, weights, routing, options).y;
      return { y };
    }, leaves);
    return { y: outputs.y, grads: pull({ y: dy }) };
  };
  return { sparse: run('sparse'), dense: run('dense') };
}

describe('the layer and all its gradients equal the masked dense sum', () => {
  for (const c of CASES)
    for (const [backend, dtype] of [
      ['cpu', 'f64'],
      ['cpu', 'f32'],
      ['wasm', 'f32'],
    ] as const)
      it(`${c.name} on ${backend} in ${dtype}`, () =>
        withBackend(backend, () => {
          const { sparse, dense } = layerOf(c, dtype);
          const limit = dtype === 'f64' ? { forward: 1e-12, gradient: 1e-12 } : TOLERANCES[backend];
          close(sparse.y, dense.y, limit.forward);
          for (const name of Object.keys(sparse.grads))
            close(sparse.grads[name], dense.grads[name], limit.gradient);
        }));
});

describe('the layer', () => {
  const [T, E, D, F] = [12, 4, 5, 6];
  const x = normal('x', [T, D]);
  const logits = normal('logits', [T, E]);
  const weights = expertsOf(E, D, F, true);
  const on = <R>(run: () => R) => withBackend('cpu', run);

  it('has gradients that agree with finite differences to x, logits and experts', () =>
    on(() => {
      const dy = normal('dy', [T, D]);
      const report = gradcheck(
        (p, l, up, down, gate) =>
          sum(mul(moeFeedForward(p, { up, down, gate }, mixtralGate(l), { capacity: 5 }).y, dy)),
        [x, logits, weights.up, weights.down, weights.gate!],
      );
      expect(report.ok, JSON.stringify(report)).toBe(true);
    }));
  it('permuting the tokens permutes the output, bit for bit', () =>
    on(() => {
      const order = new Random(3).permutation(T);
      const { y } = moeFeedForward(x, weights, mixtralGate(logits));
      const moved = moeFeedForward(permuted(x, order), weights, mixtralGate(permuted(logits, order)));
      expect(rows(moved.y)).toEqual(Array.from(order, (t) => rows(y)[t]));
    }));
  it('never gives an expert more rows than its capacity, and tokens without an expert give 0', () =>
    on(() => {
      const { y, plan } = moeFeedForward(x, weights, switchGate(logits), { capacity: 1 });
      expect(Math.max(...list(plan.counts))).toBe(1);
      const slots = list(plan.slots);
      expect(slots.filter((s) => s < 0).length).toBeGreaterThan(0);
      rows(y).forEach((row, t) => {
        if (slots[t] < 0) expect(row).toEqual([0, 0, 0, 0, 0]);
        else expect(row).not.toContain(0);
      });
    }));
  it('padding takes no capacity and changes no bit of the others', () =>
    on(() => {
      const wider = (t: Tensor, width: number, fill: number) =>
        host([...new Array<number>(2 * width).fill(fill), ...list(t)], [T + 2, width]);
      const mask = ints([0, 0, ...new Array<number>(T).fill(1)]);
      const padded = mixtralGate(wider(logits, E, 9), { mask });
      for (const options of [{}, { capacity: 3 }] as MoeOptions[]) {
        const { y } = moeFeedForward(x, weights, mixtralGate(logits), options);
        const got = moeFeedForward(wider(x, D, 7), weights, padded, options);
        expect(rows(got.y).slice(2)).toEqual(rows(y));
        expect(rows(got.y).slice(0, 2).flat()).toEqual(new Array<number>(2 * D).fill(0));
      }
    }));
  it('refuses weights and routings that do not fit', () =>
    on(() => {
      const routing = mixtralGate(logits);
      const wrong = { ...weights, down: weights.up };
      expect(() => moeFeedForward(x, wrong, routing)).toThrow(/down must be \[4, 6, 5\]/);
      expect(() => moeFeedForward(reshape(x, [T * D]), weights, routing)).toThrow(/x must be \[T,D\]/);
      expect(() => denseMoe(x, weights, mixtralGate(normal('few', [3, E])))).toThrow(/routing must hold 12/);
      const activation = 'tanh' as ExpertActivation;
      expect(() => moeFeedForward(x, weights, routing, { activation })).toThrow(/activation must be one of/);
    }));
});
