/** Plans on the GPU: ranks and histograms by block, a scan over blocks and experts, placement; nothing is read back. */
import { dispatch, gpuEmpty } from '../../gpu/dispatch.js';
import type { Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { planSizes, type PlanSizes } from './sizes.js';
import type { DispatchPlan } from './types.js';

const PLAN = 'moe-routing/plan';
/** Choices a block at least, and blocks at most: a histogram of E counts a block stays small. */
const LEAST = 1024;
const BLOCKS = 1024;

/** Choices i32 [T,k] in the order in which they compete. */
interface Choices {
  experts: Tensor;
  /** i32 [T]: tokens in that order; absent: as they stand. */
  order: Tensor | undefined;
  choiceMajor: boolean;
}

/** The passes of a stable counting sort by expert. */
function countingSort({ experts, order, choiceMajor }: Choices, sizes: PlanSizes): DispatchPlan {
  const { E, capacity, block, rows } = sizes;
  const T = experts.shape[0];
  const k = experts.shape[1];
  const n = T * k;
  const per = Math.max(LEAST, Math.ceil(n / BLOCKS / 256) * 256);
  const blocks = Math.ceil(n / per);
  const integers = (shape: number[]) => gpuEmpty(PLAN, shape, 'i32');
  const slots = integers([T, k]);
  const offsets = integers([E + 1]);
  const counts = integers([E]);
  const load = integers([E]);
  const source = integers([rows]);
  const histogram = integers([blocks, E]);
  const params = { n, tokens: T, k, experts: E, per, blocks };
  const overrides = { CHOICE_MAJOR: choiceMajor ? 1 : 0, ORDERED: order ? 1 : 0 };
  dispatch({
    where: PLAN,
    kernel: 'families/moe-routing/plan-local',
    overrides,
    tensors: { experts, order, slots, histogram },
    params,
    rows: blocks,
    work: n * 256,
  });
  dispatch({
    where: PLAN,
    kernel: 'families/moe-routing/plan-scan',
    tensors: { histogram, load },
    params: { experts: E, blocks },
    rows: E,
    work: E * (256 + 2 * blocks),
  });
  dispatch({
    where: PLAN,
    kernel: 'families/moe-routing/plan-offsets',
    overrides: { CAPPED: capacity === undefined ? 0 : 1 },
    tensors: { load, counts, offsets },
    params: { experts: E, capacity: capacity ?? 0, block },
    groups: [1, 1, 1],
    work: 8 * E,
  });
  dispatch({
    where: PLAN,
    kernel: 'families/moe-routing/plan-empty',
    tensors: { source },
    params: { count: rows },
    threads: rows,
  });
  dispatch({
    where: PLAN,
    kernel: 'families/moe-routing/plan-place',
    overrides,
    tensors: { experts, order, histogram, offsets, counts, slots, source },
    params: { n, tokens: T, k, experts: E, per },
    threads: n,
    work: 8 * n,
  });
  histogram.dispose();
  return { slots, offsets, counts, load, source, rows };
}

/** Tokens by falling priority, ties in order of position: four counting sorts by eight bits of the key. */
function priorityOrder(priority: Tensor): Tensor {
  const T = priority.size;
  const sizes = { E: 256, capacity: undefined, block: 1, rows: T };
  let order: Tensor | undefined;
  for (let shift = 0; shift < 32; shift += 8) {
    const digits = gpuEmpty(PLAN, [T, 1], 'i32');
    dispatch({
      where: PLAN,
      kernel: 'families/moe-routing/plan-digit',
      overrides: { ORDERED: order ? 1 : 0 },
      tensors: { priority, order, digits },
      params: { count: T, shift },
      threads: T,
    });
    const sorted = countingSort({ experts: digits, order: undefined, choiceMajor: false }, sizes);
    digits.dispose();
    for (const t of [sorted.slots, sorted.offsets, sorted.counts, sorted.load]) t.dispose();
    order = order ? composed(order, sorted.source) : sorted.source;
  }
  return order!;
}

/** order[step], in place of both. */
function composed(order: Tensor, step: Tensor): Tensor {
  const y = gpuEmpty(PLAN, [step.size], 'i32');
  dispatch({
    where: PLAN,
    kernel: 'ops/index/gather',
    defs: { T: 'u32' },
    tensors: { table: order, ids: step, y },
    params: { count: y.size, d: 1, rows: order.size },
    threads: y.size,
  });
  order.dispose();
  step.dispose();
  return y;
}

export const planGpu: Implementation = {
  forward: (call) => {
    const { experts, priority } = call.in;
    const order = priority ? priorityOrder(priority) : undefined;
    const choiceMajor = call.params.order === 'choice-major';
    const plan = countingSort({ experts: experts!, order, choiceMajor }, planSizes(call.dims, call.params));
    order?.dispose();
    const { slots, offsets, counts, load, source } = plan;
    return { slots, offsets, counts, load, source };
  },
};

export const blockExpertsGpu: Implementation = {
  forward: (call) => {
    const { block, blocks } = call.params as { block: number; blocks: number };
    const experts = gpuEmpty(call.op.id, [blocks], 'i32');
    dispatch({
      where: call.op.id,
      kernel: 'families/moe-routing/block-experts',
      tensors: { offsets: call.in.offsets, blocks: experts },
      params: { count: blocks, experts: call.dims.X - 1, block },
      threads: blocks,
    });
    return { experts };
  },
};
