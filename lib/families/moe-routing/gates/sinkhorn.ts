/** Sinkhorn balancing in the log domain and the gate of S-BASE, as in Megatron. */
import { ArgumentError, show } from '../../../core/errors.js';
import * as math from '../../../core/math.js';
import {
  add,
  affine,
  amax,
  broadcastTo,
  exp,
  log,
  logsumexp,
  maximum,
  neg,
  sigmoid,
  softmax,
  sub,
  sum,
  topK,
  where,
} from '../../../ops/index.js';
import { noGrad } from '../../../tensor/tape.js';
import type { Tensor } from '../../../tensor/tensor.js';
import type { Routing } from '../types.js';
import {
  checkChoices,
  keepExperts,
  masked,
  maskLike,
  refuseNaN,
  routerScores,
  scalarLike,
  valuesAt,
} from './common.js';

const ITERATIONS = 32;

/** u_t and v_e of the plan e^(logits + u + v). */
interface Duals {
  u: Tensor;
  v: Tensor;
}

/**
 * The plan with rows 1/T and columns 1/E that is nearest to e^logits: alternating u_t = -log T - lse_e(l + v),
 * v_e = -log E - lse_t(l + u), beginning with v = 0. Logarithms all the way, so no logit overflows. Columns are exact,
 * rows approach 1/T. Padding rows are zero and T counts the real ones. No gradient.
 * S-BASE in arXiv 2202.01169; the same fixed point as Megatron's `sinkhorn`, which stops at a tolerance: a
 * test that would read from a GPU in every round, so the number of rounds is fixed here.
 * @param logits [T,E]
 */
export function sinkhornPlan(logits: Tensor, options: { iterations?: number; mask?: Tensor } = {}): Tensor {
  const scores = routerScores('sinkhornPlan', 'logits', logits);
  return noGrad(() => {
    const { u, v } = duals('sinkhornPlan', scores, options);
    const count =
      options.mask && maskLike('sinkhornPlan', options.mask, scores, scores.shape[0], [scores.shape[0], 1]);
    return masked(exp(add(add(scores, u), v)), count);
  });
}

/** log sum e^x along an axis that stays with size 1. On the host out of operators that have vector kernels. */
function logSum(x: Tensor, axis: number): Tensor {
  if (x.device === 'gpu') return logsumexp(x, axis, true);
  const top = amax(x, axis, true);
  return add(log(sum(exp(sub(x, top)), axis, true)), top);
}

function duals(caller: string, logits: Tensor, options: { iterations?: number; mask?: Tensor }): Duals {
  const { iterations = ITERATIONS, mask } = options;
  if (!Number.isInteger(iterations) || iterations < 1)
    throw new ArgumentError(`${caller}: iterations must be a positive integer, got ${show(iterations)}`);
  refuseNaN(caller, 'logits', logits, mask, true);
  const [T, E] = logits.shape;
  const count = mask && maskLike(caller, mask, logits, T, [T, 1]);
  const l = masked(logits, count);
  const rows = count ? log(maximum(sum(count), 1)) : scalarLike(math.log(T), logits);
  let v = scalarLike(0, logits);
  let u = v;
  for (let i = 0; i < iterations; i++) {
    u = neg(add(logSum(add(l, v), 1), rows));
    // A padding row takes part in no column.
    if (count) u = where(count, u, scalarLike(-1e30, u));
    v = affine(logSum(add(l, u), 0), -1, -math.log(E));
  }
  return { u, v };
}

export interface SinkhornOptions {
  k?: number;
  /** False takes the largest logits, as S-BASE does outside training. */
  balanced?: boolean;
  /** Rounds, 32 by default. */
  iterations?: number;
  mask?: Tensor;
}

/**
 * Experts from the balanced plan, weights from the logits: sigmoid(l) for k = 1, softmax(l) over all experts at the
 * chosen ones for k > 1 (not renormalised). Gradients flow through the weights only. The choice needs the whole batch,
 * so it is not causal while training. S-BASE in arXiv 2202.01169; weights as in Megatron.
 * @param logits [T,E]
 */
export function sinkhornGate(logits: Tensor, options: SinkhornOptions = {}): Routing {
  const { k = 1, balanced = true, mask, iterations } = options;
  const scores = routerScores('sinkhornGate', 'logits', logits);
  const [T, E] = scores.shape;
  checkChoices('sinkhornGate', k, E);
  const count = mask && maskLike('sinkhornGate', mask, scores, T, [T, 1]);
  const experts = noGrad(() => {
    refuseNaN('sinkhornGate', 'logits', scores, mask, balanced);
    // u is one number a token and cannot change which of its entries are largest.
    const ranked = balanced ? add(scores, duals('sinkhornGate', scores, { iterations, mask }).v) : scores;
    const { indices } = topK(masked(ranked, count), k);
    return count ? keepExperts(indices, broadcastTo(count, [T, k])) : indices;
  });
  const probabilities = masked(k === 1 ? sigmoid(scores) : softmax(scores), count);
  return { weights: valuesAt(probabilities, experts), experts, probabilities, logits: scores, mask };
}
