/** Noisy top-k gating with the smooth estimate of the load (Shazeer et al.). */
import { ArgumentError, ShapeError, show } from '../../../core/errors.js';
import type { Random } from '../../../core/random.js';
import { sameShape } from '../../../core/shape.js';
import {
  add,
  affine,
  compare,
  div,
  mul,
  slice,
  softplus,
  sub,
  sum,
  topK,
  where,
} from '../../../ops/index.js';
import type { Tensor } from '../../../tensor/tensor.js';
import { topKGate } from '../gate.js';
import type { Routing } from '../types.js';
import {
  checkChoices,
  choiceMatrix,
  denseWeights,
  masked,
  maskLike,
  normalsLike,
  refuseNaN,
  routerScores,
} from './common.js';
import { normalCdf } from './normal-cdf.js';

export interface NoisyRouting extends Routing {
  /** [E] sum of the gate values of every expert over the batch. */
  importance: Tensor;
  /** [E] with noise: expected number of tokens, differentiable; without: the number of tokens. */
  load: Tensor;
}

export interface NoisyTopKOptions {
  k: number;
  /** Draws the noise: T E normals. Absent (and no `normals`): no noise, as in evaluation. */
  random?: Random;
  /** [T,E] standard normals instead of a stream. */
  normals?: Tensor;
  /** Least standard deviation, 0.01 by default (the authors' code; 0 in the paper). */
  epsilon?: number;
  mask?: Tensor;
}

/**
 * H = clean + normal * (softplus(raw) + epsilon), gates = softmax over the k largest of H, zeros elsewhere.
 * outrageously-large, arXiv 1701.06538, equations 3 to 5; load: equations 8 to 10, P(e is chosen | the other noise) =
 * Phi((clean_e - threshold_e) / std_e) with threshold_e the k-th largest of H without expert e. Gradients flow
 * through thresholds and noise too. At k = E every expert is chosen and the load is the number of tokens.
 * @param clean [T,E] x W_g; `logits` of the result are H, and `probabilities` softmax(H) over all experts
 * @param raw [T,E] x W_noise
 */
export function noisyTopKGate(clean: Tensor, raw: Tensor, options: NoisyTopKOptions): NoisyRouting {
  const { k, random, epsilon = 1e-2, mask } = options;
  const scores = routerScores('noisyTopKGate', 'clean', clean);
  const spread = routerScores('noisyTopKGate', 'raw', raw);
  const [T, E] = scores.shape;
  checkChoices('noisyTopKGate', k, E);
  if (!sameShape(spread.shape, scores.shape))
    throw new ShapeError(`noisyTopKGate: raw must be [${T}, ${E}] like clean, got ${show([...raw.shape])}`);
  if (!(epsilon >= 0 && epsilon < Infinity))
    throw new ArgumentError(`noisyTopKGate: epsilon must be finite and not negative, got ${show(epsilon)}`);
  refuseNaN('noisyTopKGate', 'raw', spread, mask);
  const normals = options.normals ?? (random && normalsLike(random, [T, E], scores));
  const std = normals && affine(softplus(spread), 1, epsilon);
  const logits = std ? add(scores, mul(normals, std)) : scores;
  const routing: Routing = { ...topKGate(logits, { k, normalize: 'chosen', mask }), logits, mask };
  const count = mask && maskLike('noisyTopKGate', mask, scores, T, [T, 1]);
  const chances =
    std && k < E
      ? masked(chanceOfChoice(scores, logits, std, k), count)
      : choiceMatrix(routing.experts, E, scores);
  return { ...routing, importance: sum(denseWeights(routing, E), 0), load: sum(chances, 0) };
}

/** [T,E]: chance that an expert is among the k largest when its own noise is drawn again. */
function chanceOfChoice(clean: Tensor, noisy: Tensor, std: Tensor, k: number): Tensor {
  const { values } = topK(noisy, k + 1);
  const ifIn = slice(values, 1, k, k + 1);
  const ifOut = slice(values, 1, k - 1, k);
  const threshold = where(compare(noisy, 'gt', ifIn), ifIn, ifOut);
  return normalCdf(div(sub(clean, threshold), std));
}
