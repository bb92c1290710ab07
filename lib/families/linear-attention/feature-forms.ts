/** Feature maps written with operators: the same on every backend. */
import { add, affine, exp, mul, neg, relu, sub } from '../../ops/map/index.js';
import { matmul } from '../../ops/matmul/index.js';
import { softmax } from '../../ops/softmax/index.js';
import { concat, permute, reshape } from '../../ops/structure/index.js';
import { composed } from '../../tensor/composed.js';
import type { Implementation } from '../../tensor/operator.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';

/** [B,T,H,K] times the transpose of [F,K] or [H,F,K], plus [F] or [H,F]. */
function project(x: Tensor, weight: Tensor, bias?: Tensor): Tensor {
  if (weight.rank === 2) return matmul(x, weight, { transposeB: true, bias });
  const [B, T, H, K] = x.shape;
  const F = weight.shape[1];
  const heads = reshape(permute(x, [2, 0, 1, 3]), [H, B * T, K]);
  const z = reshape(matmul(heads, weight, { transposeB: true }), [H, B, T, F]);
  const back = permute(z, [1, 2, 0, 3]);
  return bias ? add(back, bias) : back;
}

/**
 * Both Taylor maps are (x L + a) (x R + b), element by element: a constant from a = b = 1, x_i from a row of L and
 * b = 1, a product x_i x_j from a row each.
 */
function taylor(x: Tensor, symmetric: boolean): Tensor {
  const d = x.shape[3];
  const columns: [left: number, right: number, weight: number][] = [];
  for (let i = 0; i < d; i++)
    for (let j = symmetric ? i : 0; j < d; j++)
      columns.push([i, j, symmetric && i !== j ? 1 / Math.sqrt(d) : 1 / Math.sqrt(2 * d)]);
  const size = 1 + d + columns.length;
  const [L, R] = [new Float64Array(d * size), new Float64Array(d * size)];
  const [a, b] = [new Float64Array(size), new Float64Array(size)];
  a[0] = b[0] = 1;
  for (let i = 0; i < d; i++) {
    L[i * size + 1 + i] = 1 / Math.sqrt(Math.sqrt(d));
    b[1 + i] = 1;
  }
  columns.forEach(([i, j, weight], n) => {
    L[i * size + 1 + d + n] = weight;
    R[j * size + 1 + d + n] = 1;
  });
  const matrix = (values: Float64Array, shape: number[]) =>
    tensor(values, { shape, dtype: x.dtype, device: x.device });
  const side = (m: Float64Array, shift: Float64Array) =>
    matmul(x, matrix(m, [d, size]), { bias: matrix(shift, [size]) });
  return mul(side(L, a), side(R, b));
}

export const featureForm: Implementation = composed(({ x, weight, bias }, { params }) => {
  const rows = x!;
  switch (params.map) {
    case 'elu': {
      // e^m + (x - m) with m = min(x, 0): no exponential of a positive number, and the slope at 0 is 1.
      const least = neg(relu(neg(rows)));
      return { y: add(exp(least), sub(rows, least)) };
    }
    case 'relu':
      return { y: relu(rows) };
    case 'softmax':
      return { y: softmax(rows) };
    case 'hedgehog': {
      const z = affine(weight ? project(rows, weight, bias) : rows, params.factor as number, 0);
      return { y: softmax(concat([z, neg(z)], 3)) };
    }
    default:
      return { y: taylor(rows, params.map === 'taylor-symmetric') };
  }
});
