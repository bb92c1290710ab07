/**
 * Positions added to the embedding of a transformer, the way before rotary ones.
 *
 *   learned      x_t = e_t + p_t, p a table of parameters      (Devlin et al. 2018, arXiv 1810.04805)
 *   sinusoidal   x_t = sqrt(d) e_t + s_t, s_t = sin(t w_j) in even and cos(t w_j) in odd features, w_j = 10000^(-2j/d)
 *                (Vaswani et al. 2017, arXiv 1706.03762v7, sections 3.4 and 3.5)
 */
import { ArgumentError } from '../core/errors.js';
import * as math from '../core/math.js';
import { add, mul } from '../ops/map/index.js';
import { slice } from '../ops/structure/index.js';
import { full, tensor, type Tensor } from '../tensor/tensor.js';

/** s [count, width] of the positions from `first` on. */
export function sinusoids(first: number, count: number, width: number): Float32Array {
  const values = new Float32Array(count * width);
  for (let j = 0; j < width; j++) {
    const frequency = math.pow(10000, -(j - (j % 2)) / width);
    for (let t = 0; t < count; t++) {
      const angle = (first + t) * frequency;
      values[t * width + j] = j % 2 === 0 ? math.sin(angle) : math.cos(angle);
    }
  }
  return values;
}

/** Embeddings [B,T,d] of tokens at `first` and after, with the sinusoids of their places. */
export function addSinusoids(embedded: Tensor, first: number): Tensor {
  const [, time, width] = embedded.shape;
  const { device, dtype } = embedded;
  const table = tensor(sinusoids(first, time, width), { shape: [time, width], dtype, device });
  return add(mul(embedded, full([1], Math.sqrt(width), { dtype, device })), table);
}

/** Embeddings [B,T,d] with rows `first` and after of a table [context,d]. @throws ArgumentError beyond its end */
export function addLearned(embedded: Tensor, table: Tensor, first: number): Tensor {
  const end = first + embedded.shape[1];
  if (end > table.shape[0])
    throw new ArgumentError(
      `languageModel: ids must end within the ${table.shape[0]} learned positions, got ${end} tokens; raise context`,
    );
  return add(embedded, slice(table, 0, first, end));
}
