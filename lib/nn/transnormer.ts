/** Pieces of TransNormerLLM that are no operators: the gated linear unit without an activation. */
import { mul } from '../ops/map/index.js';
import { matmul } from '../ops/matmul/index.js';
import type { Tensor } from '../tensor/tensor.js';

/** Weights [out, in]: both halves [inner, width] and down [width, inner]. */
export type SimpleGluParameters = { left: Tensor; right: Tensor; down: Tensor };

/**
 * SGLU: down(left(x) * right(x)), [..., width] to [..., width]. The product is the only nonlinearity.
 * TransNormerLLM, arXiv 2307.14995v2, section 3.
 */
export function simpleGlu(p: SimpleGluParameters, x: Tensor): Tensor {
  const linear = (t: Tensor, weight: Tensor) => matmul(t, weight, { transposeB: true });
  return linear(mul(linear(x, p.left), linear(x, p.right)), p.down);
}
