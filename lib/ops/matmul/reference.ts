/** Matrix products as plain loops; sums in f64. */
import { sizeOf } from '../../core/shape.js';
import { allocate, type Call, type Kernel } from '../../tensor/operator.js';

/** Sizes of a product: batch (1 for b when it is shared), M, N, K and the shape of the result. */
export interface MatmulPlan {
  batch: number;
  m: number;
  n: number;
  k: number;
  sharedB: boolean;
  shape: number[];
}

/** Reads the sizes; with a shared, untransposed-a b the batch folds into M. */
export function planMatmul(call: Call): MatmulPlan {
  const a = call.in.a!;
  const b = call.in.b!;
  const [rows, columns] = [a.shape[a.rank - 2], a.shape[a.rank - 1]];
  const m = call.params.transposeA ? columns : rows;
  const k = call.params.transposeA ? rows : columns;
  const n = call.params.transposeB ? b.shape[b.rank - 2] : b.shape[b.rank - 1];
  const lead = a.shape.slice(0, -2);
  const batch = sizeOf(lead);
  const sharedB = b.rank === 2;
  const shape = [...lead, m, n];
  if (sharedB && !call.params.transposeA) return { batch: 1, m: batch * m, n, k, sharedB, shape };
  return { batch, m, n, k, sharedB, shape };
}

/** C_ij = sum_k A_ik B_kj (+ bias_j). */
export const matmul: Kernel = (call) => {
  const { batch, m, n, k, sharedB, shape } = planMatmul(call);
  const y = allocate(call, shape);
  const a = call.in.a!.floats('matmul');
  const b = call.in.b!.floats('matmul');
  const c = y.floats('matmul');
  const bias = call.in.bias?.floats('matmul');
  const [aRow, aCol] = call.params.transposeA ? [1, m] : [k, 1];
  const [bRow, bCol] = call.params.transposeB ? [1, k] : [n, 1];
  const line = new Float64Array(n);
  for (let s = 0; s < batch; s++)
    for (let i = 0; i < m; i++) {
      line.fill(0);
      for (let p = 0; p < k; p++) {
        const v = a[s * m * k + i * aRow + p * aCol];
        const at = (sharedB ? 0 : s * k * n) + p * bRow;
        for (let j = 0; j < n; j++) line[j] += v * b[at + j * bCol];
      }
      for (let j = 0; j < n; j++) c[(s * m + i) * n + j] = line[j] + (bias ? bias[j] : 0);
    }
  return { y };
};
