/** What a gate hands to the rest of a mixture of experts, and the plan of one dispatch. */
import type { Tensor } from '../../tensor/tensor.js';

/**
 * The decision of a gate over T tokens and E experts. A padding token (`mask` 0) has weight 0, expert -1 and
 * probability 0.
 */
export interface Routing {
  /** [T,k] weights of the chosen experts, in the order of the choices. */
  weights: Tensor;
  /** i32 [T,k] chosen experts; -1: no choice. */
  experts: Tensor;
  /** [T,E] scores of all experts (softmax or sigmoid); differentiable, the losses start here. */
  probabilities: Tensor;
  /** [T,E] logits that the gate was given. */
  logits: Tensor;
  /** [T], 1 for tokens that count and 0 for padding; absent: all count. */
  mask?: Tensor;
}

/** Order in which choices compete for the capacity of an expert, and in which its rows stand. */
export type DispatchOrder = 'choice-major' | 'token-major';

/** What `planDispatch` may be told. */
export interface PlanOptions {
  /** E, the number of experts. */
  experts: number;
  /** Largest number of rows an expert takes; absent: dropless. */
  capacity?: number;
  /** Default token-major: (token 0, choice 0), (token 0, choice 1), ...; choice-major: all first choices first. */
  order?: DispatchOrder;
  /** f32 [T], finite: tokens with a larger priority come first (batch-prioritised); ties: lower token first. */
  priority?: Tensor;
  /** Dropless only: the region of every expert is padded to a multiple of this many rows. Default 1. */
  block?: number;
}

/** Where every choice goes: the static layout of a dispatched buffer of N rows. All integers, no gradients. */
export interface DispatchPlan {
  /** i32 [T,k]: row of the buffer, -1 when dropped or padding. */
  slots: Tensor;
  /**
   * i32 [E+1]: rows of expert e are offsets[e] .. offsets[e+1]-1, unused rows of capacity or block included;
   * offsets[E] is the end of the last region.
   */
  offsets: Tensor;
  /** i32 [E]: rows kept of every expert; they stand at the start of its region. */
  counts: Tensor;
  /** i32 [E]: choices of every expert before the capacity. */
  load: Tensor;
  /** i32 [N]: t * k + j of the choice in each row, -1 for an empty row. */
  source: Tensor;
  /** N, an upper bound known without reading anything back. */
  rows: number;
}
