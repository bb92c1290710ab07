/** Sizes of a plan, known before any number is: what keeps a dispatch free of readbacks. */
import type { Dims } from '../../core/shape.js';
import type { Params } from '../../tensor/operator.js';

/** E, capacity (undefined: dropless), block and the rows N of the dispatched buffer. */
export interface PlanSizes {
  E: number;
  capacity: number | undefined;
  block: number;
  rows: number;
}

/**
 * Rows N of the buffer. With a capacity C: E C. Dropless: at most min(E, T k) experts have rows, each wastes at most
 * block - 1, so N = T k + min(E, T k) (block - 1), rounded up to a multiple of the block.
 */
export function planRows(
  choices: number,
  options: { experts: number; capacity?: number; block?: number },
): number {
  const { experts, capacity, block = 1 } = options;
  if (capacity !== undefined) return experts * capacity;
  return Math.ceil((choices + Math.min(experts, choices) * (block - 1)) / block) * block;
}

/** The sizes of one call. */
export function planSizes(dims: Dims, params: Params): PlanSizes {
  const { experts, capacity, block } = params as { experts: number; capacity?: number; block: number };
  return { E: experts, capacity, block, rows: planRows(dims.T * dims.k, { experts, capacity, block }) };
}
