/** Products of row groups as plain loops; sums in f64. */
import { allocate, type Kernel } from '../../tensor/operator.js';

/** y_i = x_i W_e (or x_i W_e^T) for the rows i of group e; rows of no group are zero. */
export const groupedMatmul: Kernel = (call) => {
  const { N, D, F, E } = call.dims;
  const y = allocate(call, [N, F]);
  const x = call.in.rows!.floats(call.op.id);
  const w = call.in.weights!.floats(call.op.id);
  const out = y.floats(call.op.id);
  const offsets = call.in.offsets!.dataSync();
  const [step, next] = call.params.transpose ? [1, D] : [F, 1];
  const line = new Float64Array(F);
  out.fill(0);
  for (let e = 0; e < E; e++)
    for (let i = offsets[e]; i < offsets[e + 1]; i++) {
      line.fill(0);
      for (let d = 0; d < D; d++) {
        const v = x[i * D + d];
        const from = e * D * F + d * step;
        for (let f = 0; f < F; f++) line[f] += v * w[from + f * next];
      }
      for (let f = 0; f < F; f++) out[i * F + f] = line[f];
    }
  return { y };
};

/** y_e = sum of a_i^T b_i over the rows i of group e, in order of i. */
export const groupedOuter: Kernel = (call) => {
  const { D, F, E } = call.dims;
  const y = allocate(call, [E, D, F]);
  const a = call.in.a!.floats(call.op.id);
  const b = call.in.b!.floats(call.op.id);
  const out = y.floats(call.op.id);
  const offsets = call.in.offsets!.dataSync();
  const sums = new Float64Array(D * F);
  for (let e = 0; e < E; e++) {
    sums.fill(0);
    for (let i = offsets[e]; i < offsets[e + 1]; i++)
      for (let d = 0; d < D; d++) {
        const v = a[i * D + d];
        for (let f = 0; f < F; f++) sums[d * F + f] += v * b[i * F + f];
      }
    for (let j = 0; j < D * F; j++) out[e * D * F + j] = sums[j];
  }
  return { y };
};
