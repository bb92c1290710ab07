/** The gates around gated linear attention: log-decays from raw numbers, forget gates with a bound, gated outputs. */
import { ArgumentError, show } from '../../core/errors.js';
import { add, affine, clamp, log, mul, neg, sigmoid, silu, softplus, sub } from '../../ops/map/index.js';
import { rmsNorm } from '../../ops/norm/index.js';
import { requireTensor, type Tensor } from '../../tensor/tensor.js';

/** Largest number that clamps nothing: log-decays are at most 0. */
const NO_LIMIT = 3e38;
/** Bounds are kept inside (0, 1), where their logarithms and the gradients of these exist. */
const LEAST_BOUND = 1e-30;
const LARGEST_BOUND = 1 - 2 ** -24;

/** log sigmoid(x) = -softplus(-x): keeps its digits where sigmoid(x) is next to 1. */
export const logSigmoid = (x: Tensor): Tensor => neg(softplus(neg(x)));

/**
 * Log-decays log sigmoid(x) / normalizer of any shape, at least `minimum` where given: the gates of GLA (arXiv
 * 2312.06635v6, section 4.4: normalizer 16 = tau) and of simple GLA.
 * @throws ArgumentError unless normalizer > 0 and minimum <= 0
 */
export function logSigmoidGate(x: Tensor, options: { normalizer?: number; minimum?: number } = {}): Tensor {
  const { normalizer = 16, minimum } = options;
  requireTensor('logSigmoidGate', 'x', x);
  if (!(normalizer > 0 && normalizer < Infinity))
    throw new ArgumentError(`logSigmoidGate: normalizer must be > 0, got ${show(normalizer)}`);
  if (minimum !== undefined && !(minimum <= 0))
    throw new ArgumentError(`logSigmoidGate: minimum must be <= 0, got ${show(minimum)}`);
  const gate = affine(logSigmoid(x), 1 / normalizer, 0);
  return minimum === undefined ? gate : clamp(gate, minimum, NO_LIMIT);
}

/**
 * Forget gate f' = b + (1 - b) sigmoid(f) of HGRN-2 (arXiv 2404.07904v2, section 3) as its logarithm and as what it
 * leaves, 1 - f'; raw f [B,T,H,K], bound b [H,K] in [0, 1), 0 when absent. f' is the sigmoid of
 * z = f + softplus(log b - f) - log(1 - b), so that both keep their digits where f' is next to 1.
 */
export function forgetGate(f: Tensor, lowerBound?: Tensor): { logarithm: Tensor; rest: Tensor } {
  requireTensor('forgetGate', 'f', f);
  if (!lowerBound) return { logarithm: logSigmoid(f), rest: sigmoid(neg(f)) };
  const lower = clamp(lowerBound, LEAST_BOUND, LARGEST_BOUND);
  const above = affine(lower, -1, 1);
  const z = sub(add(f, softplus(sub(log(lower), f))), log(above));
  return { logarithm: logSigmoid(z), rest: mul(sigmoid(neg(f)), above) };
}

/** RMSNorm over the columns of every head, weight [V], times silu(gate): y, gate [B,T,H,V]. What leaves the mixer. */
export function gatedNorm(y: Tensor, gate: Tensor, weight?: Tensor, options: { eps?: number } = {}): Tensor {
  return mul(rmsNorm(y, weight, options), silu(gate));
}
