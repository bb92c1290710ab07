/** From what the models learn to log-decays: natural logarithms, at most 0. */
import * as math from '../../core/math.js';
import { affine, exp, neg, sigmoid } from '../../ops/map/index.js';
import type { Tensor } from '../../tensor/tensor.js';

/** -e^raw, so that the decay itself is exp(-exp(raw)): RWKV-4 (fixed, [D]), RWKV-5 ([H,K]), RWKV-6 (of the token). */
export function rwkvDecay(raw: Tensor): Tensor {
  return neg(exp(raw));
}

/** Most that RWKV-7 forgets in one token: e^{-1/2} of log-decay, a factor of 0.545. */
export const RWKV7_DECAY = math.exp(-0.5);

/**
 * -e^{-1/2} sigmoid(raw): RWKV-7. The same number as -exp(-softplus(-raw) - 1/2), the form the training code has.
 */
export function rwkv7Decay(raw: Tensor): Tensor {
  return affine(sigmoid(raw), -RWKV7_DECAY, 0);
}
