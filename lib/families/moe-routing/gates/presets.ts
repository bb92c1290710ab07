/** Token-choice gates by the names of the models that made them known, and balancing without a loss. */
import { ArgumentError, ShapeError, show } from '../../../core/errors.js';
import type { Random } from '../../../core/random.js';
import { affine, amax, cast, compare, concat, mul, slice, sub, sum, where } from '../../../ops/index.js';
import { noGrad } from '../../../tensor/tape.js';
import type { Tensor } from '../../../tensor/tensor.js';
import { topKGate } from '../gate.js';
import type { Routing } from '../types.js';
import { keepExperts, routerScores, scalarLike, uniformsLike } from './common.js';

/**
 * Switch: one expert a token, weight p_max of the softmax over all experts (not renormalised: that would be 1, and the
 * router would learn nothing from the task). switch-transformer, arXiv 2101.03961, equations 1 and 2.
 * @param logits [T,E]
 */
export function switchGate(logits: Tensor, options: { mask?: Tensor } = {}): Routing {
  return routed('switchGate', logits, { k: 1, ...options });
}

/**
 * Mixtral: softmax over the k chosen logits, which equals the softmax over all renormalised over the chosen.
 * mixtral, arXiv 2401.04088, section 2.1.
 * @param logits [T,E]
 */
export function mixtralGate(logits: Tensor, options: { k?: number; mask?: Tensor } = {}): Routing {
  return routed('mixtralGate', logits, { k: options.k ?? 2, normalize: 'chosen', mask: options.mask });
}

export interface DeepseekOptions {
  /** Routed experts a token. */
  k: number;
  /** Affinity of token and expert. Default sigmoid (V3); softmax is V2's. */
  score?: 'sigmoid' | 'softmax';
  /** [E], added to the scores for the choice only; see updateBias. */
  bias?: Tensor;
  /** Factor on the weights, 1 by default (V2 16, V3 2.5). */
  scale?: number;
  /** Default: chosen for the sigmoid (V3), none for the softmax (V2). */
  normalize?: 'none' | 'chosen';
  mask?: Tensor;
}

/**
 * DeepSeek: the k largest of score + bias are chosen, weights come from the scores without the bias.
 * deepseek-v3, arXiv 2412.19437, equations 13 to 16; loss-free balancing, arXiv 2408.15664, equation 3.
 * @param logits [T,E]
 */
export function deepseekGate(logits: Tensor, options: DeepseekOptions): Routing {
  const { score = 'sigmoid', normalize = score === 'sigmoid' ? 'chosen' : 'none', ...rest } = options;
  return routed('deepseekGate', logits, { ...rest, score, normalize });
}

/**
 * One step of balancing without a loss: b_e + rate sign(mean load - load_e). Returns a new bias; nothing is recorded.
 * arXiv 2408.15664, algorithm 1.
 * @param bias [E]
 * @param load [E] i32 or float: choices before the capacity, as `load` of a plan; the step of the current batch must
 * not change the current batch's routing
 * @param options.rate default 0.001
 */
export function updateBias(bias: Tensor, load: Tensor, options: { rate?: number } = {}): Tensor {
  const { rate = 0.001 } = options;
  if (load.size !== bias.size)
    throw new ShapeError(`updateBias: load must hold ${bias.size} values, got ${show([...load.shape])}`);
  if (!(rate >= 0 && rate < Infinity))
    throw new ArgumentError(`updateBias: rate must be finite and not negative, got ${show(rate)}`);
  return noGrad(() => {
    const counts = load.dtype === bias.dtype ? load : cast(load, bias.dtype);
    // E load against the total: exact in f32 below 2^24 choices, where a mean would round.
    const scaled = affine(counts, bias.size, 0);
    const total = sum(counts);
    const sign = sub(compare(scaled, 'lt', total), compare(scaled, 'gt', total));
    return sub(bias, affine(sign, -rate, 0));
  });
}

export interface GshardOptions {
  /**
   * Which second experts are kept: `random` with probability min(1, g2 / threshold), `threshold` where
   * g2 > threshold, `all`. Default random with a stream, else all.
   */
  second?: 'random' | 'threshold' | 'all';
  /** Default 0.5, that is probability min(1, 2 g2) as in the paper; Mesh TensorFlow has 0.2. */
  threshold?: number;
  /** The stream of `random`, which moves on by T words. */
  random?: Random;
  mask?: Tensor;
}

/**
 * GShard: two experts, weights renormalised over both, the second one kept by chance. A token that loses its second
 * expert keeps g1 as it was, so its weights sum to g1 < 1. gshard, arXiv 2006.16668, algorithm 1.
 * @param logits [T,E], E >= 2
 * @throws ArgumentError for `random` without a stream
 */
export function gshardGate(logits: Tensor, options: GshardOptions = {}): Routing {
  const { threshold = 0.5, random, mask } = options;
  const second = options.second ?? (random ? 'random' : 'all');
  if (!['random', 'threshold', 'all'].includes(second))
    throw new ArgumentError(`gshardGate: second must be random, threshold or all, got ${show(second)}`);
  if (!(threshold > 0 && threshold <= 1))
    throw new ArgumentError(`gshardGate: threshold must lie in (0, 1], got ${show(threshold)}`);
  const both = routed('gshardGate', logits, { k: 2, normalize: 'chosen', mask });
  if (second === 'all') return both;
  if (second === 'random' && !random)
    throw new ArgumentError('gshardGate: random must be a stream for second: "random", got none');
  const [T] = both.weights.shape;
  const w2 = slice(both.weights, 1, 1, 2);
  const keep = noGrad(() =>
    second === 'random'
      ? compare(affine(w2, 1 / threshold, 0), 'gt', uniformsLike(random!, [T, 1], w2))
      : compare(w2, 'gt', scalarLike(threshold, w2)),
  );
  return {
    ...both,
    weights: concat([slice(both.weights, 1, 0, 1), where(keep, w2, scalarLike(0, w2))], 1),
    experts: concat([slice(both.experts, 1, 0, 1), keepExperts(slice(both.experts, 1, 1, 2), keep)], 1),
  };
}

/**
 * Multiplies by uniforms in [1 - epsilon, 1 + epsilon): noise on the input of a router while training.
 * switch-transformer, arXiv 2101.03961, appendix C. The stream moves on by one word an element.
 */
export function inputJitter(x: Tensor, random: Random, options: { epsilon?: number } = {}): Tensor {
  const { epsilon = 1e-2 } = options;
  if (!(epsilon >= 0 && epsilon < 1))
    throw new ArgumentError(`inputJitter: epsilon must lie in [0, 1), got ${show(epsilon)}`);
  return mul(x, affine(uniformsLike(random, x.shape, x), 2 * epsilon, 1 - epsilon));
}

/**
 * Priorities for a plan (batch-prioritised routing): tokens surer of their first choice are served first.
 * v-moe, arXiv 2106.05974, section 4.1. f32 [T], without gradient.
 * @param options.by `largest` probability (default) or the sum of the `chosen` weights
 */
export function batchPriority(routing: Routing, options: { by?: 'largest' | 'chosen' } = {}): Tensor {
  const { by = 'largest' } = options;
  if (by !== 'largest' && by !== 'chosen')
    throw new ArgumentError(`batchPriority: by must be largest or chosen, got ${show(by)}`);
  return noGrad(() => {
    const score = by === 'largest' ? amax(routing.probabilities, -1) : sum(routing.weights, -1);
    return score.dtype === 'f32' ? score : cast(score, 'f32');
  });
}

type Options = Parameters<typeof topKGate>[1];

function routed(caller: string, logits: Tensor, options: Options): Routing {
  const scores = routerScores(caller, 'logits', logits);
  return { ...topKGate(scores, options), logits: scores, mask: options.mask };
}
