/** The plan of a dispatch: histogram, scan and stable scatter of choices into the regions of their experts. */
import { ArgumentError } from '../../core/errors.js';
import { sizeOf, type Dims } from '../../core/shape.js';
import { defineOperator, type Call, type Params } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { blockExpertsGpu, planGpu } from './gpu-plan.js';
import { blockExpertsReference, planReference } from './reference.js';
import { planSizes } from './sizes.js';
import type { DispatchPlan, PlanOptions } from './types.js';

function check(call: Call): void {
  const { E, capacity, block, rows } = planSizes(call.dims, call.params);
  if (capacity !== undefined && block !== 1)
    throw new ArgumentError(
      `${call.op.id}: block must be 1 with a capacity, got ${block}; round the capacity up to a multiple of it`,
    );
  if (rows >= 2 ** 30 || sizeOf(call.in.experts!.shape) >= 2 ** 30)
    throw new ArgumentError(`${call.op.id}: rows must stay below 2^30, got ${rows}`);
  const { experts, priority } = call.in;
  if (experts!.device === 'gpu') return;
  experts!.dataSync().forEach((e: number, c: number) => {
    if (e < -1 || e >= E)
      throw new ArgumentError(`${call.op.id}: experts must lie in [-1, ${E}), got ${e} at choice ${c}`);
  });
  priority?.dataSync().forEach((v: number, t: number) => {
    if (!Number.isFinite(v))
      throw new ArgumentError(`${call.op.id}: priority must be finite, got ${v} for token ${t}`);
  });
}

/** In cases one choice in ten is padding; with the size `hot` all go to the last expert; few distinct priorities. */
function sample(
  input: string,
  shape: readonly number[],
  uniform: () => number,
  dims: Dims,
  params: Params,
): ArrayLike<number> | undefined {
  const E = params.experts as number;
  const draw = () => (uniform() < 0.1 ? -1 : dims.hot ? E - 1 : Math.floor(uniform() * E));
  if (input === 'experts') return Int32Array.from({ length: sizeOf(shape) }, draw);
  return Float64Array.from({ length: sizeOf(shape) }, () => Math.floor(uniform() * 7) / 8 - 0.25);
}

const op = defineOperator({
  id: 'moe-routing/plan',
  summary:
    'rows of a dispatched buffer for every choice, grouped by expert; stable, dropless or with a capacity',
  equation:
    'position(c) = |{c before it: the same expert}|; slot(c) = offsets[e] + position(c) if position(c) < capacity, else -1',
  inputs: [
    {
      name: 'experts',
      shape: 'T k',
      dtypes: ['i32'],
      differentiable: false,
      doc: 'chosen experts; -1: no choice',
    },
    {
      name: 'priority',
      shape: 'T',
      optional: true,
      differentiable: false,
      doc: 'tokens with a larger one come first, ties in order of position; finite',
    },
  ],
  outputs: [
    { name: 'slots', shape: 'T k', doc: 'i32 row of each choice, -1 when dropped', differentiable: false },
    { name: 'offsets', shape: '*', doc: 'i32 [E+1] start of each region', differentiable: false },
    { name: 'counts', shape: '*', doc: 'i32 [E] rows kept', differentiable: false },
    { name: 'load', shape: '*', doc: 'i32 [E] choices before the capacity', differentiable: false },
    {
      name: 'source',
      shape: '*',
      doc: 'i32 [N] choice t * k + j of each row, -1: empty',
      differentiable: false,
    },
  ],
  parameters: {
    experts: { type: 'integer', default: undefined, required: true, minimum: 1, doc: 'E' },
    capacity: {
      type: 'integer',
      default: undefined,
      minimum: 0,
      doc: 'rows of an expert at most; absent: dropless',
    },
    order: {
      type: 'string',
      default: 'token-major',
      oneOf: ['token-major', 'choice-major'],
      doc: 'choice-major: all first choices before all second ones',
    },
    block: {
      type: 'integer',
      default: 1,
      minimum: 1,
      doc: 'dropless: regions are multiples of this many rows',
    },
  },
  check,
  forms: { reference: { cpu: { forward: planReference } }, scan: { webgpu: planGpu } },
  flops: (d, p) => 4 * d.T * d.k + 4 * (p.experts as number),
  bytes: (d, p) => 4 * (3 * d.T * d.k + planSizes(d, p).rows + 4 * (p.experts as number)),
  cases: [
    { name: 'dropless', dims: { T: 37, k: 2 }, params: { experts: 5 } },
    { name: 'capacity', dims: { T: 29, k: 2 }, params: { experts: 4, capacity: 9 } },
    {
      name: 'choice-major',
      dims: { T: 31, k: 3 },
      params: { experts: 6, capacity: 7, order: 'choice-major' },
    },
    {
      name: 'priority',
      dims: { T: 41, k: 2 },
      params: { experts: 3, capacity: 11, order: 'choice-major' },
      with: ['priority'],
    },
    { name: 'priority-dropless', dims: { T: 23, k: 2 }, params: { experts: 4 }, with: ['priority'] },
    { name: 'blocks', dims: { T: 50, k: 2 }, params: { experts: 7, block: 16 } },
    { name: 'blocks-wide', dims: { T: 300, k: 2 }, params: { experts: 3, block: 128 } },
    { name: 'hot', dims: { T: 67, k: 1, hot: 1 }, params: { experts: 9, capacity: 13 } },
    { name: 'one-token', dims: { T: 1, k: 8 }, params: { experts: 257, block: 16 } },
    { name: 'many', dims: { T: 1100, k: 2 }, params: { experts: 257, order: 'choice-major' } },
    { name: 'nothing-kept', dims: { T: 5, k: 2 }, params: { experts: 3, capacity: 0 } },
    { name: 'empty', dims: { T: 0, k: 2 }, params: { experts: 3, block: 16 } },
  ],
  sample,
  sources: [
    'positions and capacity: GShard, arXiv 2006.16668, algorithm 1; Switch, arXiv 2101.03961, section 2.2',
    'priority: V-MoE, arXiv 2106.05974, section 4; dropless regions in blocks: MegaBlocks, arXiv 2211.15841, section 5',
  ],
});

/**
 * Where each choice of `experts` (i32 [T,k], -1: none) goes. Choices compete in the given order; with a capacity C an
 * expert keeps the first C and drops the others, and N = E C with region e at e C. Dropless nothing is dropped,
 * regions follow each other, each rounded up to `block` rows, and N is the bound of `planRows`. Nothing is read back.
 *
 * In the order choice-major, libraries let the second choices of an expert start behind the first choices that were
 * kept (Mesh TensorFlow) or behind all of them (Tutel). Both keep the same choices in the same rows: they differ only
 * where the first choices overflow, and then nothing is left for the second ones either way.
 * @throws ArgumentError on the host for an expert outside [-1, E) and a priority that is not finite; on a GPU such
 * experts count as none, NaN as the largest priority
 */
export function planDispatch(experts: Tensor, options: PlanOptions): DispatchPlan {
  const { priority, ...params } = options;
  const { slots, offsets, counts, load, source } = op({ experts, priority }, params);
  return { slots, offsets, counts, load, source, rows: source.size };
}

const blocksOp = defineOperator({
  id: 'moe-routing/block-experts',
  summary: 'the expert of each block of rows of a plan whose regions are multiples of the block',
  equation: 'blocks_b = e with offsets[e] <= b block < offsets[e+1], else -1',
  inputs: [
    {
      name: 'offsets',
      shape: 'X',
      dtypes: ['i32'],
      differentiable: false,
      doc: '[E+1] start of each region',
    },
  ],
  outputs: [{ name: 'experts', shape: '*', doc: 'i32, one a block', differentiable: false }],
  parameters: {
    block: { type: 'integer', default: 1, minimum: 1, doc: 'rows of a block' },
    blocks: { type: 'integer', default: undefined, required: true, minimum: 0, doc: 'blocks of the buffer' },
  },
  check: (call) => {
    const { block, blocks } = call.params as { block: number; blocks: number };
    const offsets = call.in.offsets!;
    if (offsets.size === 0) throw new ArgumentError(`${call.op.id}: offsets must hold E + 1 rows, got none`);
    if (offsets.device === 'gpu') return;
    offsets.dataSync().forEach((v: number) => {
      if (v % block !== 0 || v < 0 || v > block * blocks)
        throw new ArgumentError(
          `${call.op.id}: offsets must be multiples of ${block} up to ${block * blocks}, got ${v}`,
        );
    });
  },
  forms: {
    reference: { cpu: { forward: blockExpertsReference } },
    parallel: { webgpu: blockExpertsGpu },
  },
  flops: (d, p) => (p.blocks as number) * Math.ceil(Math.log2(d.X + 1)),
  bytes: (d, p) => 4 * (d.X + (p.blocks as number)),
  cases: [
    { name: 'regions', dims: { X: 8 }, params: { block: 16, blocks: 40 } },
    { name: 'one-expert', dims: { X: 2 }, params: { block: 128, blocks: 3 } },
    { name: 'no-blocks', dims: { X: 1 }, params: { block: 4, blocks: 0 } },
  ],
  // Rising multiples of the block; some regions are empty.
  sample: (_, shape, uniform, __, params) => {
    const steps = Int32Array.from({ length: shape[0] }, (_v, i) => (i === 0 ? 0 : Math.floor(uniform() * 3)));
    let sum = 0;
    return steps.map((s) => (sum += s) * (params.block as number));
  },
  sources: ['block-sparse products over groups: MegaBlocks, arXiv 2211.15841, section 5'],
});

/**
 * The expert of every block of `block` rows: i32 [N / block], -1 behind the last region.
 * @throws ArgumentError unless the plan was made with regions that are multiples of `block`
 */
export function blockExperts(plan: DispatchPlan, block: number): Tensor {
  if (!Number.isInteger(block) || block < 1 || plan.rows % block !== 0)
    throw new ArgumentError(
      `blockExperts: block must be a positive divisor of ${plan.rows} rows, got ${block}`,
    );
  return blocksOp({ offsets: plan.offsets }, { block, blocks: plan.rows / block }).experts;
}

export { op as planOperator };
