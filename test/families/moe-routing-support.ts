/** What the routing tests share: draws, host arrays, distributions of choices. */
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';

/** Normal numbers in f64 on the host. */
export function normal(seed: string, shape: Shape, scale = 1, dtype: 'f32' | 'f64' = 'f64'): Tensor {
  const random = new Random(seed);
  const values = Float64Array.from({ length: sizeOf(shape) }, () => scale * random.normal());
  return tensor(values, { shape, dtype, device: 'host' });
}

export function host(values: readonly number[] | Float64Array, shape: Shape, dtype: 'f32' | 'f64' = 'f64') {
  return tensor(Float64Array.from(values), { shape, dtype, device: 'host' });
}

export function ints(values: readonly number[], shape: Shape = [values.length]): Tensor {
  return tensor(Int32Array.from(values), { shape, device: 'host' });
}

export const list = (t: Tensor): number[] => Array.from(t.dataSync() as Float64Array);

/** Rows of a matrix. */
export function rows(t: Tensor): number[][] {
  const width = t.shape[t.rank - 1];
  const values = list(t);
  return Array.from({ length: t.size / width }, (_, i) => values.slice(i * width, (i + 1) * width));
}

export const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Softmax of a row, written out. */
export function softmaxOf(row: readonly number[]): number[] {
  const top = Math.max(...row);
  const e = row.map((v) => Math.exp(v - top));
  return e.map((v) => v / total(e));
}

/** How often every expert was chosen. */
export function countsOf(experts: Tensor, E: number): number[] {
  const counts = new Array<number>(E).fill(0);
  for (const e of list(experts)) if (e >= 0) counts[e]++;
  return counts;
}

/** A matrix with its rows in another order. */
export function permuted(t: Tensor, order: ArrayLike<number>): Tensor {
  const all = rows(t);
  return host(Array.from(order, (i) => all[i]).flat(), t.shape, t.dtype as 'f64');
}
