/** Byte language models: an embedding, Mamba or transformer blocks, a final norm and a head. */
import { ArgumentError, ShapeError, show } from '../core/errors.js';
import { Random } from '../core/random.js';
import { sizeOf } from '../core/shape.js';
import { gather } from '../ops/index/index.js';
import { matmul } from '../ops/matmul/index.js';
import { rmsNorm } from '../ops/norm/index.js';
import { mean } from '../ops/reduce/index.js';
import { crossEntropy } from '../ops/softmax/index.js';
import { reshape } from '../ops/structure/index.js';
import { ones, type Tensor } from '../tensor/tensor.js';
import { treeTensors } from '../tensor/tree.js';
import { KeyValueCache } from './kv-cache.js';
import {
  createMambaBlock,
  mambaBlock,
  mambaShapes,
  mambaState,
  type MambaConfig,
  type MambaParameters,
  type MambaState,
} from './mamba.js';
import { linearWeights, normal } from './parameters.js';
import { addLearned, addSinusoids } from './positions.js';
import {
  createTransformerBlock,
  transformerBlock,
  transformerShapes,
  transformerState,
  type TransformerConfig,
  type TransformerParameters,
} from './transformer.js';

interface CommonConfig {
  layers: number;
  /** Number of tokens, default 256: bytes. */
  vocabulary?: number;
  /** Use the embedding as head too, default false: at byte vocabularies the head is small and learns faster untied. */
  tied?: boolean;
}

/** Everything that defines a model but its weights; plain JSON. */
export type LanguageModelConfig =
  | ({ kind: 'mamba' } & CommonConfig & MambaConfig)
  | ({ kind: 'transformer' } & CommonConfig & TransformerConfig);

type Body = {
  embedding: Tensor;
  layers: (MambaParameters | TransformerParameters)[];
  norm: Tensor;
};
/** [vocabulary, width] */
type Head = { head: Tensor };
/** [context, width] */
type LearnedPositions = { positions: Tensor };

/** `head` is absent when tied, `positions` unless they are learned. */
export type LanguageModelParameters =
  Body | (Body & Head) | (Body & LearnedPositions) | (Body & Head & LearnedPositions);

/** What a model carries from token to token: per layer a MambaState (replaced) or a KeyValueCache (grows in place). */
export type LanguageModelState = { batch: number; layers: (MambaState | KeyValueCache)[] };

/** A language model: pure functions of parameters. */
export interface LanguageModel {
  readonly config: LanguageModelConfig;
  readonly vocabulary: number;
  readonly parameterCount: number;
  /** Fresh parameters, a function of the seed alone. */
  initialize(seed: number | string): LanguageModelParameters;
  /** Logits [B,T,V] of i32 ids [B,T]; with a state the tokens follow those it has seen. */
  forward(
    params: LanguageModelParameters,
    ids: Tensor,
    state?: LanguageModelState,
  ): { logits: Tensor; state: LanguageModelState | undefined };
  /** Mean cross-entropy in nats per token of i32 targets [B,T]; divide by ln 2 for bits per byte. */
  loss(params: LanguageModelParameters, ids: Tensor, targets: Tensor): Tensor;
  /** State before the first token; `capacity` tokens are allocated at once for a transformer's cache. */
  initialState(batch: number, capacity?: number): LanguageModelState;
  /** One token per sequence: i32 ids [B] to logits [B,V]. Mamba: constant time and memory. */
  step(
    params: LanguageModelParameters,
    ids: Tensor,
    state: LanguageModelState,
  ): { logits: Tensor; state: LanguageModelState };
}

const VOCABULARY = 256;

function checkConfig(config: LanguageModelConfig): void {
  if (config.kind !== 'mamba' && config.kind !== 'transformer')
    throw new ArgumentError(
      `createLanguageModel: kind must be mamba or transformer, got ${show((config as { kind: unknown }).kind)}`,
    );
  const whole = { layers: config.layers, width: config.width, vocabulary: config.vocabulary ?? VOCABULARY };
  for (const [name, value] of Object.entries(whole))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`createLanguageModel: ${name} must be a positive integer, got ${show(value)}`);
}

/** Shapes of all parameters by path, without making them. */
export function parameterShapes(config: LanguageModelConfig): Record<string, number[]> {
  checkConfig(config);
  const block = config.kind === 'mamba' ? mambaShapes(config) : transformerShapes(config);
  const vocabulary = config.vocabulary ?? VOCABULARY;
  const shapes: Record<string, number[]> = { embedding: [vocabulary, config.width] };
  if (config.kind === 'transformer' && config.positions === 'learned')
    shapes.positions = [config.context!, config.width];
  for (let i = 0; i < config.layers; i++)
    for (const [path, shape] of Object.entries(block)) shapes[`layers.${i}.${path}`] = shape;
  shapes.norm = [config.width];
  if (!config.tied) shapes.head = [vocabulary, config.width];
  return shapes;
}

/** Number of parameters of a configuration, embedding and head included. */
export function parameterCount(config: LanguageModelConfig): number {
  return Object.values(parameterShapes(config)).reduce((n, shape) => n + sizeOf(shape), 0);
}

/**
 * Changes one size of `config` (hidden of a transformer, width of a Mamba model) so that its parameters come as close
 * as possible to those of `reference`.
 * @throws ArgumentError when the closest size is more than 2 % away
 */
export function matchParameters<C extends LanguageModelConfig>(config: C, reference: LanguageModelConfig): C {
  const target = parameterCount(reference);
  const key = config.kind === 'transformer' ? 'hidden' : 'width';
  const sized = (n: number): C => ({ ...config, [key]: n });
  const count = (n: number) => parameterCount(sized(n));
  let low = 1;
  let high = 1;
  while (count(high) < target) high *= 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (count(middle) < target) low = middle + 1;
    else high = middle;
  }
  const best = low > 1 && target - count(low - 1) < count(low) - target ? low - 1 : low;
  const found = sized(best);
  const away = Math.abs(count(best) - target) / target;
  if (!(away <= 0.02))
    throw new ArgumentError(
      `matchParameters: config must reach ${target} parameters within 2 %, got ${count(best)} at ${key} ${best}; change layers or width`,
    );
  return found;
}

/** The model of a configuration. @throws ArgumentError for sizes that do not fit together */
export function languageModel(config: LanguageModelConfig): LanguageModel {
  const vocabulary = config.vocabulary ?? VOCABULARY;
  const count = parameterCount(config);
  const run = (params: LanguageModelParameters, ids: Tensor, state?: LanguageModelState) => {
    if (state && state.batch !== ids.shape[0])
      throw new ShapeError(
        `languageModel: ids must have ${state.batch} sequences like the state, got ${ids.shape[0]}`,
      );
    const hidden = runBlocks(config, params, embed(config, params, ids, state), state);
    const head = 'head' in params ? params.head : params.embedding;
    const logits = matmul(rmsNorm(hidden.x, params.norm), head, { transposeB: true });
    return { logits, state: state && { batch: state.batch, layers: hidden.layers } };
  };
  return {
    config,
    vocabulary,
    parameterCount: count,
    initialize: (seed) => initialize(config, vocabulary, new Random(seed)),
    forward: (params, ids, state) => {
      checkIds('forward', ids, 2);
      return run(params, ids, state);
    },
    loss: (params, ids, targets) => {
      checkIds('loss', ids, 2);
      return mean(crossEntropy(run(params, ids).logits, targets));
    },
    initialState: (batch, capacity) => initialState(config, batch, capacity),
    step: (params, ids, state) => {
      checkIds('step', ids, 1);
      const after = run(params, reshape(ids, [ids.size, 1]), state);
      return { logits: reshape(after.logits, [ids.size, vocabulary]), state: after.state! };
    },
  };
}

/** The model of a configuration together with fresh parameters of a seed. */
export function createLanguageModel(
  config: LanguageModelConfig,
  seed: number | string = 0,
): LanguageModel & { params: LanguageModelParameters } {
  const model = languageModel(config);
  return { ...model, params: model.initialize(seed) };
}

function checkIds(where: string, ids: Tensor, rank: number): void {
  if (ids.rank !== rank || ids.size === 0)
    throw new ShapeError(
      `languageModel.${where}: ids must be i32 ${rank === 2 ? '[B,T]' : '[B]'} with at least one token, got ${show([...ids.shape])}`,
    );
}

/** Rows of the embedding, with positions where these are added. */
function embed(
  config: LanguageModelConfig,
  params: LanguageModelParameters,
  ids: Tensor,
  state: LanguageModelState | undefined,
): Tensor {
  const rows = gather(params.embedding, ids);
  const cache = state?.layers[0];
  const first = cache instanceof KeyValueCache ? cache.length : 0;
  if ('positions' in params) return addLearned(rows, params.positions, first);
  return config.kind === 'transformer' && config.positions === 'sinusoidal'
    ? addSinusoids(rows, first)
    : rows;
}

function runBlocks(
  config: LanguageModelConfig,
  params: LanguageModelParameters,
  embedded: Tensor,
  state: LanguageModelState | undefined,
): { x: Tensor; layers: LanguageModelState['layers'] } {
  let x = embedded;
  const layers = params.layers.map((p, i) => {
    const before = state?.layers[i];
    if (config.kind === 'mamba') {
      const after = mambaBlock(p as MambaParameters, x, before as MambaState | undefined);
      x = after.y;
      return after.state;
    }
    x = transformerBlock(config, p as TransformerParameters, x, before as KeyValueCache | undefined);
    return before as KeyValueCache;
  });
  return { x, layers };
}

function initialize(
  config: LanguageModelConfig,
  vocabulary: number,
  random: Random,
): LanguageModelParameters {
  const layer = (i: number) => {
    const stream = random.split('layers').split(i);
    return config.kind === 'mamba'
      ? createMambaBlock(config, stream, config.layers)
      : createTransformerBlock(config, stream, config.layers);
  };
  const { width } = config;
  const added = config.kind === 'transformer' ? config.positions : undefined;
  const embedding = normal(
    random.split('embedding'),
    [vocabulary, width],
    // Multiplied by sqrt(width) where sinusoids are added, so that both have variance of the order of 1.
    added === 'sinusoidal' ? 1 / Math.sqrt(width) : 0.02,
  );
  const body: Body = {
    embedding,
    ...(added === 'learned'
      ? { positions: normal(random.split('positions'), parameterShapes(config).positions, 0.02) }
      : {}),
    layers: Array.from({ length: config.layers }, (_, i) => layer(i)),
    norm: ones([width]),
  };
  if (config.tied) return body;
  return { ...body, head: linearWeights(random.split('head'), vocabulary, width) };
}

function initialState(config: LanguageModelConfig, batch: number, capacity?: number): LanguageModelState {
  if (!Number.isInteger(batch) || batch < 1)
    throw new ArgumentError(
      `languageModel.initialState: batch must be a positive integer, got ${show(batch)}`,
    );
  const layer = () =>
    config.kind === 'mamba' ? mambaState(config, batch) : transformerState(config, batch, capacity);
  return { batch, layers: Array.from({ length: config.layers }, layer) };
}

/** Tensors of a state that scopes must keep (a cache keeps its own). */
export function stateTensors(state: { layers: readonly unknown[] }): Tensor[] {
  return state.layers.flatMap((layer) => (layer instanceof KeyValueCache ? [] : treeTensors(layer)));
}

/** Returns a state's memory to its pools. */
export function disposeState(state: { layers: readonly unknown[] }): void {
  for (const layer of state.layers) if (layer instanceof KeyValueCache) layer.dispose();
  for (const t of stateTensors(state)) t.dispose();
}

/** Bytes a state occupies for the tokens seen: constant for Mamba, growing with every token for a transformer. */
export function stateBytes(state: { layers: readonly unknown[] }): number {
  const caches = state.layers.reduce<number>(
    (n, layer) => n + (layer instanceof KeyValueCache ? layer.bytes : 0),
    0,
  );
  return caches + stateTensors(state).reduce((n, t) => n + 4 * t.size, 0);
}
