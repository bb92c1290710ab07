/** Losses on the router: load balancing as each library normalises it, importance and load, router z-loss. */
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import {
  add,
  affine,
  compare,
  concat,
  div,
  logsumexp,
  maximum,
  mean,
  mul,
  reshape,
  slice,
  square,
  sub,
  sum,
  where,
} from '../../ops/index.js';
import { noGrad } from '../../tensor/tape.js';
import { ones, type Tensor } from '../../tensor/tensor.js';
import { choiceMatrix, denseWeights, masked, maskLike, routerScores, scalarLike } from './gates/common.js';
import type { Routing } from './types.js';

/** What a library counts and by what it multiplies sum_e f_e P_e. */
interface Rule {
  /** Which choices make f: the first of every token, or all k (f then sums to k). */
  choices: 'first' | 'all';
  /** Factor in terms of E and k. */
  scale: (E: number, k: number) => number;
  /** The probabilities of a token are divided by their sum: 1 for a softmax, not for the sigmoid. */
  shares?: boolean;
  /** What several layers mean: one pool of tokens, or the mean of their losses. */
  layers?: 'pooled' | 'mean';
}

const RULES = {
  switch: { choices: 'first', scale: (E) => E },
  mesh: { choices: 'first', scale: (E) => E },
  'st-moe': { choices: 'first', scale: (E) => E },
  tutel: { choices: 'first', scale: (E) => E },
  gshard: { choices: 'first', scale: (E) => 1 / E },
  flaxformer: { choices: 'all', scale: (E) => E },
  'transformers-switch': { choices: 'all', scale: (E) => E, layers: 'pooled' },
  'transformers-mixtral': { choices: 'all', scale: (E) => E, layers: 'pooled' },
  megablocks: { choices: 'all', scale: (E, k) => E / k, layers: 'mean' },
  megatron: { choices: 'all', scale: (E, k) => E / k },
  deepseek: { choices: 'all', scale: (E, k) => E / k, shares: true },
} satisfies Record<string, Rule>;

export type LoadBalancingConvention = keyof typeof RULES;

export const LOAD_BALANCING_CONVENTIONS = Object.keys(RULES) as readonly LoadBalancingConvention[];

/** What the losses read of a routing. */
export type RoutedScores = Pick<Routing, 'probabilities' | 'experts' | 'mask'>;

export interface LoadBalancingOptions {
  convention: LoadBalancingConvention;
  /**
   * The tokens are this many groups of equal size, one after the other (sequences, or GShard's groups): the loss is the
   * mean of the groups' losses; groups of padding alone are left out. Default 1.
   */
  groups?: number;
}

/**
 * scale sum_e f_e P_e, f_e the share of the real tokens that chose expert e and P_e their mean probability of it.
 * Gradients flow through P alone: d/dlogits = (scale / T) p (f - sum_e p_e f_e). Value at perfect balance:
 *
 * | convention | counts | scale | at balance |
 * | --- | --- | --- | --- |
 * | switch, mesh, st-moe, tutel | first choices | E | 1 |
 * | gshard | first choices | 1 / E | 1 / E^2 |
 * | flaxformer | all k | E | k |
 * | transformers-switch | all k, the tokens of all layers of a group in one pool | E | k |
 * | transformers-mixtral | all k, the tokens of all layers in one pool | E | k |
 * | megablocks | all k, mean over layers | E / k | 1 |
 * | megatron | all k | E / k | 1 |
 * | deepseek | all k; P from scores divided by their sum over the experts | E / k | 1 |
 *
 * No coefficient is in it. Choices are those before any capacity. Padding counts nowhere, also where the library counts
 * it (flaxformer divides by all tokens).
 * @param routing one layer, or several for transformers-mixtral, transformers-switch and megablocks
 * @throws ArgumentError for several layers where the convention is about one: add or average their losses
 */
export function loadBalancingLoss(
  routing: RoutedScores | readonly RoutedScores[],
  options: LoadBalancingOptions,
): Tensor {
  const { convention, groups = 1 } = options;
  if (!Object.hasOwn(RULES, convention))
    throw new ArgumentError(
      `loadBalancingLoss: convention must be one of ${LOAD_BALANCING_CONVENTIONS.join(', ')}, got ${show(convention)}`,
    );
  const rule: Rule = RULES[convention];
  const layers: readonly RoutedScores[] = Array.isArray(routing) ? routing : [routing as RoutedScores];
  if (layers.length === 0 || (layers.length > 1 && !rule.layers))
    throw new ArgumentError(
      `loadBalancingLoss: routing must be one layer for ${convention}, got ${layers.length}; add or average the losses of the layers`,
    );
  if (layers.length === 1) return balance(layers[0], rule, groups);
  if (rule.layers === 'pooled') return balance(pool(layers, groups), rule, groups);
  const total = layers.map((layer) => balance(layer, rule, groups)).reduce((a, b) => add(a, b));
  return affine(total, 1 / layers.length, 0);
}

/** All layers as one pool of tokens, group by group. */
function pool(layers: readonly RoutedScores[], groups: number): RoutedScores {
  const [T, E] = layers[0].probabilities.shape;
  const k = layers[0].experts.shape[1];
  for (const { probabilities: p, experts } of layers)
    if (p.shape[0] !== T || p.shape[1] !== E || experts.shape[1] !== k)
      throw new ShapeError(
        `loadBalancingLoss: routing must have [${T}, ${E}] scores and ${k} choices in all layers, got ${show([...p.shape])} and ${experts.shape[1]}`,
      );
  checkGroups(T, groups);
  const join = (parts: Tensor[], width: number) =>
    reshape(
      concat(
        parts.map((t) => reshape(t, [groups, T / groups, width])),
        1,
      ),
      [layers.length * T, width],
    );
  const masks = layers.map(({ mask, probabilities: p }) =>
    mask ? maskLike('loadBalancingLoss', mask, p, T, [T]) : ones([T], { dtype: p.dtype, device: p.device }),
  );
  return {
    probabilities: join(
      layers.map((l) => l.probabilities),
      E,
    ),
    experts: join(
      layers.map((l) => l.experts),
      k,
    ),
    mask: layers.some((l) => l.mask) ? join(masks, 1) : undefined,
  };
}

function checkGroups(T: number, groups: number): void {
  if (!Number.isInteger(groups) || groups < 1 || T % groups !== 0 || T === 0)
    throw new ArgumentError(`loadBalancingLoss: groups must divide ${T} tokens, got ${show(groups)}`);
}

/** scale times the mean over groups of sum_e f_e P_e. */
function balance(routing: RoutedScores, rule: Rule, groups: number): Tensor {
  const { probabilities, experts, mask } = routing;
  const [T, E] = probabilities.shape;
  const [rows, k] = experts.shape;
  if (rows !== T)
    throw new ShapeError(`loadBalancingLoss: experts must have ${T} rows, got ${show([...experts.shape])}`);
  checkGroups(T, groups);
  const S = T / groups;
  const column = mask && maskLike('loadBalancingLoss', mask, probabilities, T, [T, 1]);
  const counted = rule.choices === 'first' ? slice(experts, 1, 0, 1) : experts;
  const hits = noGrad(() => masked(choiceMatrix(counted, E, probabilities), column));
  const perGroup = (t: Tensor) => sum(reshape(t, [groups, S, E]), 1);
  const scores = masked(probabilities, column);
  const P = perGroup(rule.shares ? sharesOf(scores, column) : scores);
  const f = noGrad(() => perGroup(hits));
  const products = sum(mul(P, f), 1);
  const scale = rule.scale(E, k);
  if (!column) return affine(sum(products), scale / (S * S * groups), 0);
  const real = noGrad(() => sum(reshape(column, [groups, S]), 1));
  const filled = noGrad(() => maximum(sum(compare(real, 'gt', scalarLike(0, real))), 1));
  const each = div(
    products,
    noGrad(() => square(maximum(real, 1))),
  );
  return affine(div(sum(each), filled), scale, 0);
}

/** Rows divided by their sums; padding rows stay zero. */
function sharesOf(scores: Tensor, column: Tensor | undefined): Tensor {
  const sums = sum(scores, 1, true);
  return div(scores, column ? where(column, sums, scalarLike(1, sums)) : sums);
}

/** What CV^2 divides the squared deviations by: n as the authors' code, or n - 1. */
export type VarianceConvention = 'population' | 'unbiased';

/**
 * Squared coefficient of variation, variance / (mean^2 + 1e-10): 0 when all elements are equal.
 * outrageously-large, arXiv 1701.06538, equations 6 and 11. The authors' code (tensor2tensor) has the population
 * variance, PyTorch versions and Tutel the unbiased one: n / (n - 1) times as much.
 */
export function cvSquared(values: Tensor, options: { variance?: VarianceConvention } = {}): Tensor {
  const { variance = 'population' } = options;
  if (variance !== 'population' && variance !== 'unbiased')
    throw new ArgumentError(`cvSquared: variance must be population or unbiased, got ${show(variance)}`);
  if (values.size === 0) throw new ShapeError('cvSquared: values must not be empty, got size 0');
  const n = values.size;
  const centre = mean(values);
  const total = sum(square(sub(values, centre)));
  const spread = affine(total, 1 / (variance === 'population' ? n : Math.max(1, n - 1)), 0);
  return div(spread, affine(square(centre), 1, 1e-10));
}

/**
 * CV^2 of the importance, the sum of every expert's gate values over the batch; gradients flow to the weights.
 * outrageously-large, arXiv 1701.06538, equation 6, without its coefficient.
 */
export function importanceLoss(routing: Routing, options: { variance?: VarianceConvention } = {}): Tensor {
  return cvSquared(sum(denseWeights(routing, routing.probabilities.shape[1]), 0), options);
}

/**
 * CV^2 of the smooth load of a noisy gate. outrageously-large, arXiv 1701.06538, equation 11, without its coefficient.
 */
export function loadLoss(routing: { load: Tensor }, options: { variance?: VarianceConvention } = {}): Tensor {
  return cvSquared(routing.load, options);
}

/**
 * Mean over the real tokens of (log sum_e e^logit)^2; d/dlogits = 2 / T lse p. st-moe, arXiv 2202.08906, equation 5,
 * without its coefficient (0.001).
 * @param logits [T,E]
 */
export function routerZLoss(logits: Tensor, options: { mask?: Tensor } = {}): Tensor {
  const l = routerScores('routerZLoss', 'logits', logits);
  const T = l.shape[0];
  if (!options.mask) return mean(square(logsumexp(l, -1)));
  const counts = maskLike('routerZLoss', options.mask, l, T, [T]);
  const real = noGrad(() => maximum(sum(counts), 1));
  return div(sum(masked(square(logsumexp(l, -1)), counts)), real);
}
