/** Is anything lost when experts and tokens move? A layer of experts on one rank, and the same spread over several. */
import { Random } from '../../core/random.js';
import { combine, dispatch, planDispatch, topKGate } from '../../families/moe-routing/index.js';
import { groupedMatmul, matmul, silu } from '../../ops/index.js';
import { keep, scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';
import type { Measurement } from '../ledger/types.js';

const T = 64;
const E = 8;
const K = 2;
const D = 24;
const F = 40;

/** Values on the host with their shape. */
interface Values {
  values: Float32Array;
  shape: readonly number[];
}

/** Weights of a layer: [D,E], [E,D,F], [E,F,D]. */
interface Layer {
  router: Values;
  up: Values;
  down: Values;
}

function draw(random: Random, shape: readonly number[], deviation: number): Values {
  const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
  random.fillNormal(values, 0, deviation);
  return { values, shape };
}

/** The same with the slices along an axis in a new order. */
function reorder({ values, shape }: Values, axis: number, order: Int32Array): Values {
  const size = (part: readonly number[]) => part.reduce((a, b) => a * b, 1);
  const [outer, inner] = [size(shape.slice(0, axis)), size(shape.slice(axis + 1))];
  const to = new Float32Array(values.length);
  for (let o = 0; o < outer; o++)
    order.forEach((source, i) => {
      const start = (o * order.length + source) * inner;
      to.set(values.subarray(start, start + inner), (o * order.length + i) * inner);
    });
  return { values: to, shape };
}

/**
 * Output [T,D] of the layer for tokens x. `place` [E] says at which place of `up` and `down` the expert of a router column
 * stands; the router itself is never reordered, as the order of its softmax sum could change a last bit.
 */
async function forward(x: Values, layer: Layer, place?: Int32Array): Promise<Values> {
  const load = ({ values, shape }: Values): Tensor => tensor(values, { shape });
  const gate = scope(() =>
    noGrad(() => {
      const { weights, experts } = topKGate(matmul(load(x), load(layer.router)), { k: K });
      return { weights: keep(weights), experts: keep(experts) };
    }),
  );
  const chosen = Int32Array.from(await gate.experts.data(), (e) => (place ? place[e] : e));
  const y = scope(() =>
    noGrad(() => {
      const plan = planDispatch(tensor(chosen, { shape: [T, K] }), { experts: E });
      const up = groupedMatmul(dispatch(load(x), plan), load(layer.up), plan.offsets);
      const rows = groupedMatmul(silu(up), load(layer.down), plan.offsets);
      return keep(combine(rows, plan, gate.weights));
    }),
  );
  const values = Float32Array.from(await y.data());
  for (const t of [gate.weights, gate.experts, y]) t.dispose();
  return { values, shape: x.shape };
}

const inverse = (order: Int32Array): Int32Array => {
  const back = new Int32Array(order.length);
  order.forEach((from, to) => (back[from] = to));
  return back;
};

const largestDifference = (a: Values, b: Values): number =>
  a.values.reduce((most, v, i) => Math.max(most, Math.abs(v - b.values[i])), 0);

/** Largest difference of an output when tokens are shuffled and back, experts regrouped, both; and with wrong experts. */
export async function measureLoss(): Promise<Measurement[]> {
  const random = new Random('lossless');
  const x = draw(random, [T, D], 1);
  const layer: Layer = {
    router: draw(random, [D, E], 0.3),
    up: draw(random, [E, D, F], 0.2),
    down: draw(random, [E, F, D], 0.2),
  };
  const [tokens, experts] = [random.permutation(T), random.permutation(E)];
  const regrouped: Layer = {
    router: layer.router,
    up: reorder(layer.up, 0, experts),
    down: reorder(layer.down, 0, experts),
  };
  const place = inverse(experts);
  const shuffled = reorder(x, 0, tokens);
  const back = (y: Values) => reorder(y, 0, inverse(tokens));
  const y = await forward(x, layer);
  const loss = async (arm: string, other: Promise<Values>, home = (v: Values) => v) => ({
    arm,
    value: largestDifference(y, home(await other)),
  });
  return [
    await loss('tokens shuffled', forward(shuffled, layer), back),
    await loss('experts grouped', forward(x, regrouped, place)),
    await loss('both', forward(shuffled, regrouped, place), back),
    await loss('experts moved, router not told', forward(x, regrouped)),
  ];
}
