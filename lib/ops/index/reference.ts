/** Gather, scatter, top-k and sort as plain loops. */
import { allocate, type Kernel } from '../../tensor/operator.js';

/** y_i = table[ids_i]. */
export const gather: Kernel = (call) => {
  const table = call.in.table!;
  const ids = call.in.ids!;
  const width = table.shape[1];
  const y = allocate(call, [...ids.shape, width], table.dtype);
  const from = table.floats('ops/gather');
  const to = y.floats('ops/gather');
  ids.dataSync().forEach((id, i) => to.set(from.subarray(id * width, (id + 1) * width), i * width));
  return { y };
};

/** y[ids_i] += updates_i, in order of i. */
export const scatterAdd: Kernel = (call) => {
  const rows = call.params.rows as number;
  const width = call.dims.D;
  const sums = new Float64Array(rows * width);
  const from = call.in.updates!.floats('ops/scatter-add');
  call.in.ids!.dataSync().forEach((id, i) => {
    for (let j = 0; j < width; j++) sums[id * width + j] += from[i * width + j];
  });
  const y = allocate(call, [rows, width], call.in.updates!.dtype);
  (y.floats('ops/scatter-add') as Float64Array).set(sums);
  return { y };
};

/** Row indices ordered by value; equal values keep their order; NaN counts as the largest. */
export function order(row: ArrayLike<number>, descending: boolean): number[] {
  const key = (i: number) => (row[i] !== row[i] ? Infinity : row[i]);
  const indices = Array.from({ length: row.length }, (_, i) => i);
  return indices.sort((i, j) => {
    const [a, b] = [key(i), key(j)];
    if (a === b) return i - j;
    return descending === a > b ? -1 : 1;
  });
}

export const topK: Kernel = (call) => {
  const x = call.in.x!;
  const k = call.params.k as number;
  const n = call.dims.D;
  const values = allocate(call, [...call.lead, k], x.dtype);
  const indices = allocate(call, [...call.lead, k], 'i32');
  const from = x.floats('ops/top-k');
  const [v, ix] = [values.dataSync(), indices.dataSync()];
  for (let r = 0; r * n < from.length; r++) {
    const row = from.subarray(r * n, (r + 1) * n);
    order(row, true)
      .slice(0, k)
      .forEach((i, j) => {
        v[r * k + j] = row[i];
        ix[r * k + j] = i;
      });
  }
  return { values, indices };
};

export const argsort: Kernel = (call) => {
  const x = call.in.x!;
  const n = call.dims.D;
  const indices = allocate(call, x.shape, 'i32');
  const from = x.floats('ops/argsort');
  const to = indices.dataSync() as Int32Array;
  for (let r = 0; r * n < from.length; r++)
    to.set(order(from.subarray(r * n, (r + 1) * n), call.params.descending as boolean), r * n);
  return { indices };
};
