/** Dispatch and combine: rows to their experts and back, deterministic in both directions. */
import { ArgumentError } from '../../core/errors.js';
import { sizeOf, type Dims } from '../../core/shape.js';
import { defineOperator, type Call } from '../../tensor/operator.js';
import type { InputSpec, OperatorCase } from '../../tensor/record.js';
import type { Tensor } from '../../tensor/tensor.js';
import { combineWasm, dispatchWasm } from './forms.js';
import { combineGpu, dispatchGpu } from './gpu.js';
import { combineReference, dispatchReference } from './reference.js';
import type { DispatchPlan } from './types.js';

/** Integers on the host stay inside the tensors they point into; kernels on a GPU check each of them themselves. */
function check(call: Call): void {
  const { source, slots } = call.in;
  if (source!.device === 'gpu') return;
  const within = (t: Tensor, name: string, end: number) =>
    t.dataSync().forEach((v: number, i: number) => {
      if (v < -1 || v >= end)
        throw new ArgumentError(`${call.op.id}: ${name} must lie in [-1, ${end}), got ${v} at ${i}`);
    });
  within(source!, 'source', slots!.size);
  within(slots!, 'slots', source!.size);
}

const integers: InputSpec[] = [
  {
    name: 'source',
    shape: 'N',
    dtypes: ['i32'],
    differentiable: false,
    doc: 'choice of each row, -1: empty',
  },
  {
    name: 'slots',
    shape: 'T k',
    dtypes: ['i32'],
    differentiable: false,
    doc: 'row of each choice, -1: none',
  },
];
const weights: InputSpec = {
  name: 'weights',
  shape: 'T k',
  optional: true,
  doc: 'factor of each choice; absent: 1',
};

const cases: OperatorCase[] = [
  { name: 'plain', dims: { T: 7, k: 2, N: 17, D: 5 } },
  { name: 'weighted', dims: { T: 9, k: 3, N: 32, D: 6 }, with: ['weights'] },
  { name: 'one', dims: { T: 1, k: 1, N: 1, D: 1 }, with: ['weights'] },
  { name: 'wide', dims: { T: 5, k: 4, N: 23, D: 131 }, with: ['weights'] },
  { name: 'lanes', dims: { T: 67, k: 2, N: 150, D: 64 }, with: ['weights'] },
  { name: 'nothing', dims: { T: 3, k: 2, N: 0, D: 4 } },
];

/** A plan of T k choices in N rows: choice c in row (c step) mod N, every fifth one and what finds no room dropped. */
function sample(input: string, shape: readonly number[], _: () => number, d: Dims) {
  if (input !== 'source' && input !== 'slots') return undefined;
  const slots = new Int32Array(d.T * d.k).fill(-1);
  const source = new Int32Array(d.N).fill(-1);
  const common = (a: number, b: number): number => (b === 0 ? a : common(b, a % b));
  let step = 5;
  while (common(step, Math.max(1, d.N)) > 1) step++;
  for (let c = 0; c < slots.length && c < d.N; c++)
    if (c % 5 !== 3) {
      slots[c] = (c * step) % d.N;
      source[slots[c]] = c;
    }
  return (input === 'slots' ? slots : source).slice(0, sizeOf(shape));
}

const cost = {
  flops: (d: Dims) => 2 * d.T * d.k * d.D,
  bytes: (d: Dims) => 4 * (d.T * d.D + d.N * d.D + d.T * d.k + d.N),
};

const dispatchOp = defineOperator({
  id: 'moe-routing/dispatch',
  summary: 'rows of tokens in the layout of a plan, empty rows zero',
  equation: 'rows_r = w_c x_t with c = source_r = t k + j; 0 where source_r = -1',
  inputs: [{ name: 'x', shape: 'T D', half: true, doc: 'tokens' }, ...integers, weights],
  outputs: [{ name: 'rows', shape: 'N D', doc: 'dispatched rows' }],
  parameters: {},
  check,
  forms: { reference: { cpu: dispatchReference }, parallel: { wasm: dispatchWasm, webgpu: dispatchGpu } },
  ...cost,
  cases,
  sample,
  sources: ['permutation by expert: MegaBlocks, arXiv 2211.15841, section 5'],
});

const combineOp = defineOperator({
  id: 'moe-routing/combine',
  summary: 'weighted sum of the rows of each token, in the order of its choices',
  equation: 'y_t = sum_j w_tj rows_slot(t,j), without dropped choices',
  inputs: [{ name: 'rows', shape: 'N D', half: true, doc: 'rows of the experts' }, ...integers, weights],
  outputs: [{ name: 'y', shape: 'T D', doc: 'tokens; 0 where all choices were dropped' }],
  parameters: {},
  check,
  forms: { reference: { cpu: combineReference }, parallel: { wasm: combineWasm, webgpu: combineGpu } },
  ...cost,
  cases,
  sample,
  sources: ['Switch, arXiv 2101.03961, equation 2; MegaBlocks, arXiv 2211.15841, section 5'],
});

/**
 * x [T,D] in the layout of a plan: [N,D], each row the token of its choice (times weights [T,k] where given, as in
 * gates that scale the input), empty rows zero. Gradients flow to x and weights, sums in the order of the choices.
 * @throws ArgumentError on the host for a plan made for other sizes
 */
export function dispatch(x: Tensor, plan: DispatchPlan, weights?: Tensor): Tensor {
  return dispatchOp({ x, source: plan.source, slots: plan.slots, weights }).rows;
}

/**
 * Back to tokens: rows [N,D] give y [T,D], the sum of each token's rows times weights [T,k] (absent: 1), in the order
 * of the choices; dropped choices add nothing. Gradients flow to rows and weights.
 * @throws ArgumentError on the host for a plan made for other sizes
 */
export function combine(rows: Tensor, plan: DispatchPlan, weights?: Tensor): Tensor {
  return combineOp({ rows, source: plan.source, slots: plan.slots, weights }).y;
}

export { combineOp as combineOperator, dispatchOp as dispatchOperator };
