/** BaseConv, the gated convolution of Zoology: the smallest mixer that contains H3 and Hyena. */
import { add, mul, silu } from '../../ops/map/index.js';
import { matmul } from '../../ops/matmul/index.js';
import type { Form } from '../../tensor/backend.js';
import type { Tensor } from '../../tensor/tensor.js';
import { longConvolution } from './index.js';

/** Weights of one mixer of D channels. */
export interface BaseConvWeights {
  /** [D,D], as [out, in], and [D]: the linear branch. */
  weight: Tensor;
  bias?: Tensor;
  /** [W,D], newest input first, and [D]: the convolution. */
  filter: Tensor;
  filterBias?: Tensor;
}

/**
 * y = (W u + b1) (h * u + b2), element by element, for u [B,T,D] (Zoology, arXiv 2312.04927, equation 4). The published
 * code adds u to the product (`residual`), offers SiLU on both branches (`activation`), and its long filters see h * u + u
 * (`skip` of ones).
 */
export function baseConv(
  u: Tensor,
  weights: BaseConvWeights,
  options: {
    residual?: boolean;
    activation?: boolean;
    skip?: Tensor;
    initialState?: Tensor;
    form?: Form;
  } = {},
): { y: Tensor; finalState: Tensor } {
  const { residual = false, activation = false, skip, initialState, form } = options;
  const { weight, bias, filter, filterBias } = weights;
  const act = (t: Tensor) => (activation ? silu(t) : t);
  const { y: mixed, finalState } = longConvolution(u, filter, { skip, initialState, form });
  const projected = matmul(u, weight, { transposeB: true, bias });
  const y = mul(act(filterBias ? add(mixed, filterBias) : mixed), act(projected));
  return { y: residual ? add(y, u) : y, finalState };
}
