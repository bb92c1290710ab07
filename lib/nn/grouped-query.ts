/**
 * Conversion of a multi-head transformer to grouped-query attention, the start of uptraining.
 *
 * The key and value projections of the heads of a group become one: their mean, that of the first head, or fresh
 * weights. Query heads stay; head h reads group floor(h G / H), so a group is a run of H / G heads. Source: gqa,
 * arXiv 2305.13245v3, section 2.1 and figure 4 (mean, first, random). G = 1 gives multi-query attention.
 */
import { ArgumentError, show } from '../core/errors.js';
import { Random } from '../core/random.js';
import { mean } from '../ops/reduce/index.js';
import { reshape, slice } from '../ops/structure/index.js';
import { scope } from '../tensor/scope.js';
import { noGrad } from '../tensor/tape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { LanguageModelConfig, LanguageModelParameters } from './language-model.js';
import { linearWeights } from './parameters.js';
import { transformerSizes, type TransformerParameters } from './transformer.js';

export const HEAD_POOLINGS = ['mean', 'first', 'random'] as const;
/** What the one head of a group is made of; `random` draws weights as a fresh model has them. */
export type HeadPooling = (typeof HEAD_POOLINGS)[number];

type TransformerModel = Extract<LanguageModelConfig, { kind: 'transformer' }>;

export interface GroupedQueryOptions {
  /** Groups G: key/value heads of the result. Must divide those of the model. */
  keyValueHeads: number;
  /** Default mean. */
  pooling?: HeadPooling;
  /** Seed of `random`, default 0. */
  seed?: number | string;
}

/**
 * A transformer with fewer key/value heads. Tensors that do not change are the model's own, not copies; no gradient flows
 * to the model. Where the heads of every group are equal, `mean` and `first` change no output.
 * @throws ArgumentError for a model that is no transformer, or groups that do not divide its key/value heads
 */
export function toGroupedQueryAttention(
  config: LanguageModelConfig,
  params: LanguageModelParameters,
  options: GroupedQueryOptions,
): { config: TransformerModel; params: LanguageModelParameters } {
  const { keyValueHeads: groups, pooling = 'mean', seed = 0 } = options;
  if (config.kind !== 'transformer')
    throw new ArgumentError(
      `toGroupedQueryAttention: config must be of kind transformer, got ${show(config.kind)}`,
    );
  const { keyValueHeads: heads, headSize } = transformerSizes(config);
  if (!(Number.isInteger(groups) && groups >= 1 && heads % groups === 0))
    throw new ArgumentError(
      `toGroupedQueryAttention: keyValueHeads must divide the ${heads} of the model, got ${show(groups)}`,
    );
  if (!HEAD_POOLINGS.includes(pooling))
    throw new ArgumentError(
      `toGroupedQueryAttention: pooling must be one of ${HEAD_POOLINGS.join(', ')}, got ${show(pooling)}`,
    );
  const stream = new Random(seed).split('grouped-query');
  const pool = (weight: Tensor, name: string): Tensor => {
    const [rows, width] = weight.shape;
    const shape = [groups * headSize, width];
    if (pooling === 'random') return linearWeights(stream.split(name), shape[0], width);
    const grouped = reshape(weight, [groups, heads / groups, rows / heads, width]);
    return reshape(pooling === 'mean' ? mean(grouped, 1) : slice(grouped, 1, 0, 1), shape);
  };
  const layers = params.layers.map((layer, i) => {
    const p = layer as TransformerParameters;
    const { k, v } = scope(() => noGrad(() => ({ k: pool(p.k, `${i}.k`), v: pool(p.v, `${i}.v`) })));
    return { ...p, k, v };
  });
  return { config: { ...config, keyValueHeads: groups }, params: { ...params, layers } };
}
