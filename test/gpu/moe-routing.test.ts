/** Tier adapter: gates, losses and layers of moe-routing on a GPU against the host in f64, forward and backward. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  closeGpu,
  deepseekGate,
  denseMoe,
  depthCombine,
  depthGate,
  depthPredictorLoss,
  depthSelect,
  expertChoiceGate,
  gshardGate,
  importanceLoss,
  inputJitter,
  loadBalancingLoss,
  loadLoss,
  mixtralGate,
  moeFeedForward,
  noisyTopKGate,
  routerZLoss,
  sinkhornGate,
  sinkhornPlan,
  switchGate,
  updateBias,
  type Routing,
} from '../../lib/index.js';
import { compare, TOLERANCES } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import { add, tanh } from '../../lib/ops/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

type Where = 'gpu' | 'host';
type Made = Record<string, Tensor>;

/** f32 numbers on the GPU, the same in f64 on the host. */
function draw(name: string, shape: Shape, where: Where): Tensor {
  const random = new Random(name);
  const values = Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(random.normal()));
  return tensor(values, { shape, dtype: where === 'gpu' ? 'f32' : 'f64', device: where });
}

interface Case {
  name: string;
  inputs: Record<string, Shape>;
  run: (p: Made, where: Where) => Made;
}

const [T, E, D, F] = [21, 6, 5, 7];
const BASE: Record<string, Shape> = { logits: [T, E] };
const LAYER: Record<string, Shape> = { ...BASE, x: [T, D], up: [E, D, F], gate: [E, D, F], down: [E, F, D] };
const maskOn = (where: Where) =>
  tensor(
    Int32Array.from({ length: T }, (_, t) => Number(t % 5 !== 3)),
    { device: where },
  );
const routed = ({ weights, probabilities }: Routing): Made => ({ weights, probabilities });
const layer = (p: Made, routing: Routing, capacity?: number): Made => ({
  y: moeFeedForward(p.x, { up: p.up, gate: p.gate, down: p.down }, routing, { capacity }).y,
});

const CASES: Case[] = [
  { name: 'switch', inputs: BASE, run: (p) => routed(switchGate(p.logits)) },
  {
    name: 'mixtral, padded',
    inputs: BASE,
    run: (p, on) => routed(mixtralGate(p.logits, { mask: maskOn(on) })),
  },
  {
    name: 'gshard at random',
    inputs: BASE,
    run: (p) => routed(gshardGate(p.logits, { random: new Random(1) })),
  },
  {
    name: 'deepseek with a bias from a load',
    inputs: BASE,
    run: (p, on) => {
      const zero = tensor(new Float64Array(E), {
        shape: [E],
        dtype: on === 'gpu' ? 'f32' : 'f64',
        device: on,
      });
      const load = tensor(Int32Array.from([9, 0, 3, 4, 4, 1]), { device: on });
      return routed(deepseekGate(p.logits, { k: 3, bias: updateBias(zero, load, { rate: 0.25 }) }));
    },
  },
  {
    name: 'noisy top-k with importance and load losses',
    inputs: { ...BASE, raw: [T, E] },
    run: (p, on) => {
      const g = noisyTopKGate(p.logits, p.raw, { k: 2, random: new Random(2), mask: maskOn(on) });
      return { weights: g.weights, load: g.load, importance: importanceLoss(g), balance: loadLoss(g) };
    },
  },
  {
    name: 'expert choice, padded',
    inputs: BASE,
    run: (p, on) => routed(expertChoiceGate(p.logits, { capacity: 5, mask: maskOn(on) })),
  },
  {
    name: 'sinkhorn, padded',
    inputs: BASE,
    run: (p, on) => ({
      ...routed(sinkhornGate(p.logits, { k: 2, mask: maskOn(on) })),
      plan: sinkhornPlan(p.logits, { mask: maskOn(on) }),
    }),
  },
  {
    name: 'mixture of depths',
    inputs: { x: [2, 9, 3], scores: [2, 9] },
    run: (p) => {
      const r = depthGate(p.scores, { capacity: 4 });
      return { y: depthCombine(p.x, tanh(depthSelect(p.x, r)), r), loss: depthPredictorLoss(p.scores, r) };
    },
  },
  {
    name: 'losses, padded',
    inputs: BASE,
    run: (p, on) => {
      const mask = maskOn(on);
      const g = mixtralGate(p.logits, { mask });
      return {
        z: routerZLoss(p.logits, { mask }),
        mixtral: loadBalancingLoss([g, g], { convention: 'transformers-mixtral' }),
        groups: loadBalancingLoss(g, { convention: 'switch', groups: 3 }),
      };
    },
  },
  {
    name: 'jitter',
    inputs: { x: [T, D] },
    run: (p) => ({ x: inputJitter(p.x, new Random(3)) }),
  },
  { name: 'layer, dropless', inputs: LAYER, run: (p) => layer(p, mixtralGate(p.logits)) },
  { name: 'layer, capacity 3', inputs: LAYER, run: (p) => layer(p, switchGate(p.logits), 3) },
  {
    name: 'layer, expert choice',
    inputs: LAYER,
    run: (p) => layer(p, expertChoiceGate(p.logits, { capacity: 5 }), 5),
  },
  {
    name: 'dense sum',
    inputs: LAYER,
    run: (p) => ({
      y: add(p.x, denseMoe(p.x, { up: p.up, gate: p.gate, down: p.down }, mixtralGate(p.logits))),
    }),
  },
];

/** Outputs and gradients by name; on the GPU nothing is read before all of it is recorded. */
async function values(c: Case, where: Where): Promise<Record<string, ArrayLike<number>>> {
  const made = withBackend(where === 'gpu' ? 'webgpu' : 'cpu', () => {
    const leaves = Object.fromEntries(Object.entries(c.inputs).map(([n, s]) => [n, draw(n, s, where)]));
    const { outputs, pull } = vjp((p: Made) => c.run(p, where), leaves);
    const live = Object.entries(outputs).filter(([n]) => n !== 'plan');
    const grads = pull(Object.fromEntries(live.map(([n, t]) => [n, draw(`d${n}`, t.shape, where)])));
    return { ...outputs, ...Object.fromEntries(Object.entries(grads).map(([n, t]) => [`grad.${n}`, t])) };
  });
  const read = Object.entries(made).map(async ([n, t]) => [n, await t.data()] as const);
  return Object.fromEntries(await Promise.all(read));
}

describe.skipIf(!context)(`routing on webgpu equals the host in f64 ${reason}`, { timeout: COLD }, () => {
  for (const c of CASES)
    it(c.name, async () => {
      const want = await values(c, 'host');
      const got = await values(c, 'gpu');
      const failed = Object.keys(want)
        .map((name) =>
          compare(got[name], want[name], {
            name,
            dims: [want[name].length],
            tolerance: name.startsWith('grad.') ? TOLERANCES.webgpu.gradient : TOLERANCES.webgpu.forward,
            floor: 1e-6,
          }),
        )
        .filter((r) => !r.ok);
      expect(failed.map((r) => r.text)).toEqual([]);
    });
});
