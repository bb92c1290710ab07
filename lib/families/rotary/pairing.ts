/** The two pairings of rotary features are one another's permutation. */
import { ArgumentError, show } from '../../core/errors.js';

/**
 * Order of features that turns one pairing into the other: new feature i is old feature order[i]. To `interleaved` from
 * `half`, pairs (j, j + R/2) come to stand at (2j, 2j + 1); to `half` it is the inverse. Features from R on stay.
 * Rows of W_q and W_k (per head) reordered by it let a model trained with one pairing run with the other; scores do not
 * change, since both sides of every dot product are reordered alike.
 * @param heads repeats the order for [heads K] rows
 * @throws ArgumentError for another pairing, sizes that are no integers, or R = dims that is odd or above `size` = K
 */
export function pairingOrder(
  to: 'half' | 'interleaved',
  sizes: { dims: number; size?: number; heads?: number },
): Int32Array {
  const { dims, size = dims, heads = 1 } = sizes;
  if (!(Number.isInteger(dims) && dims % 2 === 0 && dims >= 0 && dims <= size))
    throw new ArgumentError(
      `pairingOrder: dims must be even and at most size = ${show(size)}, got ${show(dims)}`,
    );
  if (to !== 'half' && to !== 'interleaved')
    throw new ArgumentError(`pairingOrder: to must be half or interleaved, got ${show(to)}`);
  for (const [name, value] of Object.entries({ size, heads }))
    if (!Number.isInteger(value) || value < 0)
      throw new ArgumentError(`pairingOrder: ${name} must be an integer >= 0, got ${show(value)}`);
  const half = dims / 2;
  const source = (i: number) => {
    if (i >= dims) return i;
    if (to === 'interleaved') return i % 2 === 0 ? i / 2 : half + (i - 1) / 2;
    return i < half ? 2 * i : 2 * (i - half) + 1;
  };
  return Int32Array.from({ length: heads * size }, (_, i) => i - (i % size) + source(i % size));
}
