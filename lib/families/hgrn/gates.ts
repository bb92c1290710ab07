/** The gates around the recurrence of HGRN: lower bounds over layers, forget gates as logarithms, gated output. */
import { ShapeError, show } from '../../core/errors.js';
import { add, affine, clamp, log, mul, neg, silu, softplus, sub } from '../../ops/map/index.js';
import { rmsNorm } from '../../ops/norm/index.js';
import { cumsum } from '../../ops/scan/index.js';
import { softmax } from '../../ops/softmax/index.js';
import { slice } from '../../ops/structure/index.js';
import { requireTensor, type Tensor } from '../../tensor/tensor.js';

/** Bounds are kept inside (0, 1), where their logarithms and the gradients of these exist. */
const LEAST_BOUND = 1e-30;
const LARGEST_BOUND = 1 - 2 ** -24;

/**
 * Lower bounds of the forget gates, [L,D] from free parameters [L,D]: the running sum over layers of their softmax over
 * layers, less the first layer's share. Row 0 is zero, rows rise, and all stay below 1 (HGRN, section 3.3).
 * @throws ShapeError unless the parameters have two axes
 */
export function hgrnLowerBounds(parameters: Tensor): Tensor {
  requireTensor('hgrnLowerBounds', 'parameters', parameters);
  if (parameters.rank !== 2)
    throw new ShapeError(
      `hgrnLowerBounds: parameters must have shape [L,D], got ${show([...parameters.shape])}`,
    );
  const shares = softmax(parameters, 0);
  return sub(cumsum(shares, 0), slice(shares, 0, 0, 1));
}

/**
 * Natural logarithm of the forget gate lower + (1 - lower) sigmoid(f), from raw f [B,T,D] and a bound [D]; without a
 * bound (the first layer) log sigmoid(f).
 *
 * The gate is the sigmoid of z = log((lower + e^f) / (1 - lower)) = f + softplus(log lower - f) - log(1 - lower), so its
 * logarithm is -softplus(-z): no sum of exponentials is taken, and gates next to 1 keep the digits of their distance.
 */
export function hgrnLogGate(f: Tensor, lowerBound?: Tensor): Tensor {
  if (!lowerBound) return neg(softplus(neg(f)));
  const lower = clamp(lowerBound, LEAST_BOUND, LARGEST_BOUND);
  const z = sub(add(f, softplus(sub(log(lower), f))), log(affine(lower, -1, 1)));
  return neg(softplus(neg(z)));
}

/** RMSNorm(h) silu(gate), over the last axis: what leaves the mixer before its output map. */
export function hgrnOutput(h: Tensor, gate: Tensor, weight?: Tensor, options: { eps?: number } = {}): Tensor {
  return mul(rmsNorm(h, weight, options), silu(gate));
}
