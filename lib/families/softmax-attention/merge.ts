/** Attention over parts of the keys, put together: split caches, ring attention, prefixes shared by many sequences. */
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import { sameShape } from '../../core/shape.js';
import { add, exp, mul, sub } from '../../ops/map/index.js';
import { logsumexp } from '../../ops/reduce/index.js';
import { cast, concat, permute, reshape } from '../../ops/structure/index.js';
import { requireTensor, type Tensor } from '../../tensor/tensor.js';

/** Attention over some keys: y [B,T,H,V] and lse [B,H,T]. */
export interface AttentionState {
  y: Tensor;
  lse: Tensor;
}

/**
 * Attention over the union of disjoint sets of keys from attention over each: lse = log sum_n e^lse_n,
 * y = sum_n e^(lse_n - lse) y_n. Exact, associative, and differentiable in every y and lse. A part without keys
 * (lse -1e30) counts for nothing; a sink must be in one part only.
 * @throws ArgumentError for no parts, ShapeError for shapes that differ
 */
export function mergeAttentionStates(states: readonly AttentionState[]): AttentionState {
  const given: unknown = states;
  if (!Array.isArray(given) || given.length === 0)
    throw new ArgumentError(
      `mergeAttentionStates: states must hold at least one { y, lse }, got ${show(given)}`,
    );
  const [first] = states;
  for (const { y, lse } of states) {
    requireTensor('mergeAttentionStates', 'y', y);
    requireTensor('mergeAttentionStates', 'lse', lse);
    const [B, T, H] = y.shape;
    if (!sameShape(y.shape, first.y.shape) || y.rank !== 4 || !sameShape(lse.shape, [B, H, T]))
      throw new ShapeError(
        `mergeAttentionStates: states must all have y [B,T,H,V] and lse [B,H,T] of one size, got ${show([...y.shape])} and ${show([...lse.shape])}`,
      );
  }
  const [B, T, H] = first.y.shape;
  const logs = states.map((s) => reshape(s.lse, [1, B, H, T]));
  const lse = logsumexp(concat(logs, 0), 0);
  const half = first.y.dtype === 'f16';
  const parts = states.map(({ y, lse: own }) => {
    const weight = reshape(permute(exp(sub(own, lse)), [0, 2, 1]), [B, T, H, 1]);
    return mul(half ? cast(y, 'f32') : y, weight);
  });
  const y = parts.reduce((sum, part) => add(sum, part));
  return { y: half ? cast(y, 'f16') : y, lse };
}
