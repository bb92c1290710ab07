/** Expert choice: every expert takes its best tokens, so the load is even by construction. */
import { ArgumentError, show } from '../../../core/errors.js';
import {
  affine,
  broadcastTo,
  cast,
  mul,
  permute,
  reshape,
  scatterAdd,
  softmax,
  topK,
  where,
} from '../../../ops/index.js';
import { noGrad } from '../../../tensor/tape.js';
import { tensor, type Tensor } from '../../../tensor/tensor.js';
import { capacityOf } from '../capacity.js';
import type { Routing } from '../types.js';
import { lanesLike, masked, maskLike, refuseNaN, routerScores, scalarLike } from './common.js';

/** A routing with k = E: column e of `experts` is e where expert e took the token, else -1. */
export interface ExpertChoiceRouting extends Routing {
  /** Tokens every expert takes; hand it to the plan, which then drops nothing. */
  capacity: number;
}

export interface ExpertChoiceOptions {
  /** Experts a token has on average, 2 by default: capacity = floor(factor T / E), at least 1, at most T. */
  factor?: number;
  /** Tokens every expert takes, instead of `factor`. With padding: give it, or T counts the padding. */
  capacity?: number;
  mask?: Tensor;
}

/**
 * S = softmax over the experts; expert e takes the `capacity` tokens with the largest S[:, e] (ties: lower token) and
 * combines them with S. expert-choice, arXiv 2202.09368, section 3. No auxiliary loss is needed. Whether a token is
 * taken depends on later tokens: not causal, so a decoder trained with it has seen its future.
 * Padding is never taken; with fewer real tokens than the capacity an expert takes all of them.
 * @param logits [T,E]
 */
export function expertChoiceGate(logits: Tensor, options: ExpertChoiceOptions = {}): ExpertChoiceRouting {
  const { mask } = options;
  const scores = routerScores('expertChoiceGate', 'logits', logits);
  const [T, E] = scores.shape;
  const capacity = takes(T, E, options);
  refuseNaN('expertChoiceGate', 'logits', scores, mask);
  const count = mask && maskLike('expertChoiceGate', mask, scores, T, [T, 1]);
  const probabilities = masked(softmax(scores), count);
  const chosen = noGrad(() => choice(probabilities, capacity, count));
  return {
    weights: mul(probabilities, chosen),
    experts: noGrad(() => cast(affine(mul(chosen, affine(lanesLike(E, scores), 1, 1)), 1, -1), 'i32')),
    probabilities,
    logits: scores,
    mask,
    capacity,
  };
}

function takes(T: number, E: number, options: ExpertChoiceOptions): number {
  const { capacity, factor = 2 } = options;
  if (capacity === undefined)
    return capacityOf({ tokens: T, experts: E, factor, convention: 'expert-choice' });
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > T)
    throw new ArgumentError(
      `expertChoiceGate: capacity must be an integer in 1..${T}, got ${show(capacity)}`,
    );
  return capacity;
}

/** [T,E] of 0 and 1: which token every expert takes. */
function choice(probabilities: Tensor, capacity: number, count: Tensor | undefined): Tensor {
  const [T, E] = probabilities.shape;
  const ranked = count ? where(count, probabilities, scalarLike(-1, probabilities)) : probabilities;
  const { indices } = topK(permute(ranked, [1, 0]), capacity);
  // Row e C + c of the updates is the unit vector of expert e: adding it at its token marks the choice.
  const unit = Float64Array.from({ length: E * E }, (_, i) => (i % (E + 1) === 0 ? 1 : 0));
  const { dtype, device } = probabilities;
  const units = tensor(unit, { shape: [E, 1, E], dtype, device });
  const updates = reshape(broadcastTo(units, [E, capacity, E]), [E * capacity, E]);
  const chosen = scatterAdd(updates, reshape(indices, [E * capacity]), T);
  return count ? mul(chosen, count) : chosen;
}
