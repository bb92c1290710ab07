/** Gates that several mixers have: forget gates with a lower bound as logarithms, and the norm with a gate behind it. */
import type { Tensor } from '../../tensor/tensor.js';
import { add, affine, clamp, log, mul, neg, silu, softplus, sub } from '../map/index.js';
import { rmsNorm } from '../norm/index.js';

/** Bounds are kept inside (0, 1), where their logarithms and the gradients of these exist. */
const LEAST_BOUND = 1e-30;
const LARGEST_BOUND = 1 - 2 ** -24;

/** A lower bound of a gate, kept where its logarithm and that of what is above it exist. */
export const insideBounds = (bound: Tensor): Tensor => clamp(bound, LEAST_BOUND, LARGEST_BOUND);

/** log sigmoid(x) = -softplus(-x): keeps its digits where sigmoid(x) is next to 1. */
export const logSigmoid = (x: Tensor): Tensor => neg(softplus(neg(x)));

/**
 * Natural logarithm of the forget gate lower + (1 - lower) sigmoid(f); log sigmoid(f) without a bound.
 *
 * The gate is the sigmoid of z = log((lower + e^f) / (1 - lower)) = f + softplus(log lower - f) - log(1 - lower), so its
 * logarithm is -softplus(-z): no sum of exponentials is taken, and gates next to 1 keep the digits of their distance.
 */
export function boundedLogGate(f: Tensor, lowerBound?: Tensor): Tensor {
  if (!lowerBound) return logSigmoid(f);
  const lower = insideBounds(lowerBound);
  return logSigmoid(sub(add(f, softplus(sub(log(lower), f))), log(affine(lower, -1, 1))));
}

/** RMSNorm over the last axis, times silu(gate): what leaves a mixer before its output map. */
export function normThenGate(
  x: Tensor,
  gate: Tensor,
  weight?: Tensor,
  options: { eps?: number } = {},
): Tensor {
  return mul(rmsNorm(x, weight, options), silu(gate));
}
