/** Gates of the delta rule from what a layer projects. */
import { ShapeError, show } from '../../core/errors.js';
import { add, affine, exp, mul, sigmoid, softplus } from '../../ops/map/index.js';
import type { Tensor } from '../../tensor/tensor.js';

/**
 * Log-decays of Gated DeltaNet: g = -exp(ALog) softplus(a + dtBias), Mamba-2's parametrisation (arXiv 2412.06464,
 * section 3). a [B,T,H]; ALog and dtBias [H]. All f32: decays are never f16.
 * @throws ShapeError
 */
export function deltaDecay(a: Tensor, weights: { ALog: Tensor; dtBias: Tensor }): Tensor {
  const heads = a.shape[a.rank - 1];
  for (const [name, t] of Object.entries(weights))
    if (t.rank !== 1 || t.shape[0] !== heads)
      throw new ShapeError(`deltaDecay: ${name} must have shape [${heads}], got ${show([...t.shape])}`);
  return mul(affine(exp(weights.ALog), -1, 0), softplus(add(a, weights.dtBias)));
}

/**
 * Writing strengths: beta = sigmoid(b), in (0, 1); twice that where `negativeEigenvalues`, so that the transition
 * e^g (I - beta k k^T) may have eigenvalues down to -e^g (arXiv 2411.12537). b [B,T,H].
 */
export function deltaBeta(b: Tensor, options: { negativeEigenvalues?: boolean } = {}): Tensor {
  const beta = sigmoid(b);
  return options.negativeEigenvalues ? affine(beta, 2, 0) : beta;
}
