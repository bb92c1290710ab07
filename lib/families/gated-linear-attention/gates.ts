/** The gates around gated linear attention: log-decays from raw numbers, forget gates with a bound, gated outputs. */
import { ArgumentError, show } from '../../core/errors.js';
import { affine, clamp, mul, neg, sigmoid } from '../../ops/map/index.js';
import { boundedLogGate, insideBounds, logSigmoid, normThenGate } from '../../ops/sequence/gates.js';
import { requireTensor, type Tensor } from '../../tensor/tensor.js';

/** Largest number that clamps nothing: log-decays are at most 0. */
const NO_LIMIT = 3e38;
export { logSigmoid };

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
 * leaves, 1 - f'; raw f [B,T,H,K], bound b [H,K] in [0, 1), 0 when absent. Both keep their digits where f' is next to 1.
 */
export function forgetGate(f: Tensor, lowerBound?: Tensor): { logarithm: Tensor; rest: Tensor } {
  requireTensor('forgetGate', 'f', f);
  const logarithm = boundedLogGate(f, lowerBound);
  const shut = sigmoid(neg(f));
  return { logarithm, rest: lowerBound ? mul(shut, affine(insideBounds(lowerBound), -1, 1)) : shut };
}

/** RMSNorm over the columns of every head, weight [V], times silu(gate): y, gate [B,T,H,V]. What leaves the mixer. */
export const gatedNorm: typeof normThenGate = normThenGate;
