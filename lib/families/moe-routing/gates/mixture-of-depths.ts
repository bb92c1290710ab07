/** Mixture of depths: a block works on a fixed share of every sequence's tokens, the others pass by. */
import { ArgumentError, ShapeError, show } from '../../../core/errors.js';
import * as ops from '../../../ops/index.js';
import { noGrad } from '../../../tensor/tape.js';
import { ones, type Tensor } from '../../../tensor/tensor.js';
import { lanesLike, masked, maskLike, refuseNaN, routerScores, scalarLike } from './common.js';

const EXACT = 2 ** 24;

/** Which tokens a block sees: the C tokens with the largest scores of every sequence, in the order of time. */
export interface DepthRouting {
  /** i32 [B,C] positions within the sequence, ascending: what causal attention and rotary embeddings need. */
  positions: Tensor;
  /** i32 [B*C] the same as rows of [B*T, ...]. */
  rows: Tensor;
  /** [B,C] scores of the chosen tokens, 0 for padding; differentiable. */
  weights: Tensor;
  /** [B,T] 1 where a token was chosen, else 0; no gradient. Targets for the causal predictor. */
  chosen: Tensor;
  /** C. */
  capacity: number;
}

export interface DepthOptions {
  /** Share of a sequence that is seen, 0.125 by default; C = floor(share T), at least 1. */
  share?: number;
  /** C, instead of `share`. */
  capacity?: number;
  /** [B,T]; padding is chosen only when there is nothing else, and then has weight 0. */
  mask?: Tensor;
}

/**
 * The tokens a block sees. mixture-of-depths, arXiv 2404.02258, sections 3.3 to 3.5: expert-choice routing with one
 * expert, ties to the earlier token. Whether a token is chosen depends on later ones, so sampling needs a causal
 * predictor (section 3.5): a small one trained by `depthPredictorLoss` on `chosen`.
 * @param scores [B,T] one number a token, r = w . x
 */
export function depthGate(scores: Tensor, options: DepthOptions = {}): DepthRouting {
  const { mask } = options;
  const r = routerScores('depthGate', 'scores', scores);
  const [B, T] = r.shape;
  const capacity = seen(T, options);
  if (B * T > EXACT)
    throw new ShapeError(
      `depthGate: scores must hold at most ${EXACT} tokens, got ${B * T}; use fewer sequences`,
    );
  const counts = mask && maskLike('depthGate', mask, r, B * T, [B, T]);
  refuseNaN('depthGate', 'scores', r, mask);
  const { positions, rows } = noGrad(() => {
    const ranked = counts ? ops.where(counts, r, scalarLike(-3e38, r)) : r;
    const best = ops.cast(ops.topK(ranked, capacity).indices, 'f32');
    const ordered = ops.neg(ops.topK(ops.neg(best), capacity).values);
    const starts = ops.affine(ops.reshape(lanesLike(B, ordered), [B, 1]), T, 0);
    return {
      positions: ops.cast(ordered, 'i32'),
      rows: ops.reshape(ops.cast(ops.add(ordered, starts), 'i32'), [B * capacity]),
    };
  });
  const pick = (t: Tensor) => ops.reshape(ops.gather(ops.reshape(t, [B * T, 1]), rows), [B, capacity]);
  const weights = masked(pick(r), counts && noGrad(() => pick(counts)));
  const chosen = noGrad(() => {
    const unit = ones([B * capacity, 1], { dtype: r.dtype, device: r.device });
    const marked = ops.reshape(ops.scatterAdd(unit, rows, B * T), [B, T]);
    return counts ? ops.mul(marked, counts) : marked;
  });
  return { positions, rows, weights, chosen, capacity };
}

function seen(T: number, options: DepthOptions): number {
  const { share = 0.125 } = options;
  if (!(share > 0 && share <= 1))
    throw new ArgumentError(`depthGate: share must lie in (0, 1], got ${show(share)}`);
  const capacity = options.capacity ?? Math.max(1, Math.floor(share * T));
  if (!Number.isInteger(capacity) || capacity < 1 || capacity > T)
    throw new ArgumentError(`depthGate: capacity must be an integer in 1..${T}, got ${show(capacity)}`);
  return capacity;
}

/** The chosen tokens of x [B,T,D] as [B,C,D]: the input of the block. */
export function depthSelect(x: Tensor, routing: DepthRouting): Tensor {
  const [B, T, D] = checked('depthSelect', x, routing);
  return ops.reshape(ops.gather(ops.reshape(x, [B * T, D]), routing.rows), [B, routing.capacity, D]);
}

/**
 * x + r f for the chosen tokens, x for the others (equation 1 of the paper; f is the block without its residual).
 * @param x [B,T,D]
 * @param f [B,C,D]
 */
export function depthCombine(x: Tensor, f: Tensor, routing: DepthRouting): Tensor {
  const [B, T, D] = checked('depthCombine', x, routing);
  const C = routing.capacity;
  if (f.rank !== 3 || f.shape[0] !== B || f.shape[1] !== C || f.shape[2] !== D)
    throw new ShapeError(`depthCombine: f must be [${B}, ${C}, ${D}], got ${show([...f.shape])}`);
  const weighted = ops.mul(f, ops.reshape(routing.weights, [B, C, 1]));
  const spread = ops.scatterAdd(ops.reshape(weighted, [B * C, D]), routing.rows, B * T);
  return ops.add(x, ops.reshape(spread, [B, T, D]));
}

function checked(caller: string, x: Tensor, routing: DepthRouting): readonly number[] {
  const [B, T] = routing.chosen.shape;
  if (x.rank !== 3 || x.shape[0] !== B || x.shape[1] !== T)
    throw new ShapeError(`${caller}: x must be [${B}, ${T}, D], got ${show([...x.shape])}`);
  return x.shape;
}

/**
 * Mean binary cross-entropy, in nats, of predicting the choice from each token alone. Logits may be the router's own
 * scores (then the loss shapes the router) or a predictor's that reads x without gradient.
 * @param logits [B,T]; @param options.mask [B,T]
 */
export function depthPredictorLoss(
  logits: Tensor,
  routing: DepthRouting,
  options: { mask?: Tensor } = {},
): Tensor {
  const l = routerScores('depthPredictorLoss', 'logits', logits);
  const [B, T] = l.shape;
  const each = ops.sub(ops.softplus(l), ops.mul(l, ops.cast(routing.chosen, l.dtype)));
  if (!options.mask) return ops.mean(each);
  const count = maskLike('depthPredictorLoss', options.mask, l, B * T, [B, T]);
  const real = noGrad(() => ops.maximum(ops.sum(count), 1));
  return ops.div(ops.sum(masked(each, count)), real);
}
