/**
 * Models of the recall experiment: an embedding, layers that mix tokens and nothing else, a norm and a head.
 *
 *   r <- r + o(mixer(q, k, v)) with q, k, v = projections of RMSNorm(r), one head
 *
 * A mixer is softmax attention with rotary positions, over all tokens or over a sliding window, or linear attention
 * without positions: with Taylor features (Based) or with 1 + elu. Without feed-forward parts, as in the paper's
 * synthetic task. Sources: based, arXiv 2402.18668; Zoology, arXiv 2312.04927.
 */
import { ArgumentError, show } from '../../core/errors.js';
import { Random } from '../../core/random.js';
import { featureSize, linearAttention, type FeatureMap } from '../../families/linear-attention/index.js';
import { softmaxAttention } from '../../families/softmax-attention/index.js';
import { linearWeights, normal } from '../../nn/index.js';
import { add } from '../../ops/map/index.js';
import { gather } from '../../ops/index/index.js';
import { matmul } from '../../ops/matmul/index.js';
import { rmsNorm } from '../../ops/norm/index.js';
import { rope } from '../../ops/rope/index.js';
import { reshape } from '../../ops/structure/index.js';
import { ones, type Tensor } from '../../tensor/tensor.js';
import type { SequenceModel } from '../sequence-answers.js';

/** What mixes the tokens of one layer. */
export type RecallMixer =
  | { kind: 'attention' }
  /** Tokens that a query sees, its own included. */
  | { kind: 'window'; window: number }
  /** Linear attention; queries and keys have `key` entries before the feature map. */
  | { kind: 'linear'; key: number; features: Extract<FeatureMap, 'elu' | 'taylor-symmetric'> };

/** A model in plain data. */
export interface RecallModel {
  width: number;
  vocabulary: number;
  /** One layer each. */
  mixers: readonly RecallMixer[];
}

type Layer = { norm: Tensor; q: Tensor; k: Tensor; v: Tensor; o: Tensor };
/** Weights are [out, in]. */
export type RecallParameters = { embedding: Tensor; layers: Layer[]; norm: Tensor; head: Tensor };

const keySize = (mixer: RecallMixer, width: number): number => (mixer.kind === 'linear' ? mixer.key : width);

/**
 * Bytes of f32 that a layer keeps of one sequence after `tokens`: keys and values, or the state with its sums of keys.
 */
export function mixerState(mixer: RecallMixer, width: number, tokens: number): number {
  switch (mixer.kind) {
    case 'attention':
      return 4 * 2 * width * tokens;
    case 'window':
      return 4 * 2 * width * Math.min(mixer.window, tokens);
    case 'linear':
      return 4 * featureSize(mixer.features, mixer.key) * (width + 1);
    default:
      return mixer satisfies never;
  }
}

/** Bytes that a model keeps of one sequence after `tokens`. */
export function recallState({ mixers, width }: RecallModel, tokens: number): number {
  return mixers.reduce((bytes, mixer) => bytes + mixerState(mixer, width, tokens), 0);
}

function mix(mixer: RecallMixer, q: Tensor, k: Tensor, v: Tensor): Tensor {
  if (mixer.kind === 'linear') return linearAttention({ q, k, v }, { featureMap: mixer.features }).y;
  const window = mixer.kind === 'window' ? ([mixer.window - 1, 0] as const) : undefined;
  return softmaxAttention(rope(q), rope(k), v, { causal: true, ...(window ? { window } : {}) });
}

function layer(mixer: RecallMixer, p: Layer, x: Tensor): Tensor {
  const [batch, time] = x.shape;
  const h = rmsNorm(x, p.norm);
  const project = (weight: Tensor) => {
    const y = matmul(h, weight, { transposeB: true });
    return reshape(y, [batch, time, 1, weight.shape[0]]);
  };
  const y = mix(mixer, project(p.q), project(p.k), project(p.v));
  return add(x, matmul(reshape(y, x.shape), p.o, { transposeB: true }));
}

function initialize({ width, vocabulary, mixers }: RecallModel, random: Random): RecallParameters {
  const residual = 1 / Math.sqrt(2 * mixers.length);
  return {
    embedding: normal(random.split('embedding'), [vocabulary, width], 0.02),
    layers: mixers.map((mixer, i) => {
      const stream = random.split('layers').split(i);
      const linear = (name: string, out: number, gain = 1) =>
        linearWeights(stream.split(name), out, width, gain);
      const key = keySize(mixer, width);
      return {
        norm: ones([width]),
        q: linear('q', key),
        k: linear('k', key),
        v: linear('v', width),
        o: linear('o', width, residual),
      };
    }),
    norm: ones([width]),
    head: linearWeights(random.split('head'), vocabulary, width),
  };
}

/** The model of a configuration. @throws ArgumentError for sizes that are not positive integers */
export function recallModel(config: RecallModel): SequenceModel<RecallParameters> {
  const { width, vocabulary, mixers } = config;
  const sizes: [string, number][] = mixers.map((mixer, i) => [
    `mixers[${i}]`,
    mixer.kind === 'linear' ? mixer.key : mixer.kind === 'window' ? mixer.window : 1,
  ]);
  for (const [name, value] of [['width', width], ['vocabulary', vocabulary], ...sizes] as const)
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`recallModel: ${name} must be a positive integer, got ${show(value)}`);
  const perLayer = (mixer: RecallMixer) => width + 2 * width * keySize(mixer, width) + 2 * width * width;
  return {
    config: { kind: 'recall', ...config },
    vocabulary,
    parameterCount: 2 * vocabulary * width + width + mixers.reduce((sum, mixer) => sum + perLayer(mixer), 0),
    initialize: (seed) => initialize(config, new Random(seed)),
    forward: (params, ids) => {
      const mixed = mixers.reduce(
        (x, mixer, i) => layer(mixer, params.layers[i], x),
        gather(params.embedding, ids),
      );
      return { logits: matmul(rmsNorm(mixed, params.norm), params.head, { transposeB: true }) };
    },
  };
}
