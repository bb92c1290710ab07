/** Byte language models of the RWKV family: an embedding, layers of time and channel mixing, a head; states of fixed size. */
import type { Dtype } from '../../core/dtype.js';
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import { channelMixing } from '../../families/rwkv/index.js';
import { gather } from '../../ops/index/index.js';
import { add } from '../../ops/map/index.js';
import { matmul } from '../../ops/matmul/index.js';
import { layerNorm } from '../../ops/norm/index.js';
import { mean } from '../../ops/reduce/index.js';
import { crossEntropy } from '../../ops/softmax/index.js';
import { reshape } from '../../ops/structure/index.js';
import type { Form } from '../../tensor/backend.js';
import { zeros, type Tensor } from '../../tensor/tensor.js';
import { decodeRwkv } from '../rwkv-file.js';
import {
  rwkvConfig,
  rwkvParameters,
  rwkvSizes,
  type Affine,
  type RwkvConfig,
  type RwkvParameters,
  type RwkvSizes,
  type TimeMixing5,
  type TimeMixing7,
} from './config.js';
import { initializeRwkv } from './initialize.js';
import { timeMixing5, timeMixing7 } from './time-mixing.js';

/** State of one layer: last tokens of both mixings [B,D], and of the recurrence [B,H,K,K]. */
export type RwkvLayerState = { timeShift: Tensor; channelShift: Tensor; wkv: Tensor };

/** What a model carries from token to token; its size does not depend on how many it has seen. */
export type RwkvState = { version: 5 | 7; batch: number; layers: RwkvLayerState[] };

/** A language model: pure functions of parameters. */
export interface RwkvModel {
  readonly config: RwkvConfig;
  readonly sizes: RwkvSizes;
  readonly vocabulary: number;
  /** Fresh parameters, a function of the seed alone. */
  initialize(seed: number | string): RwkvParameters;
  /**
   * Logits [B,T,V] of i32 ids [B,T] and the state after them; with a state the tokens follow those it has seen, else they
   * are the first. `form` names the form of the recurrence.
   */
  forward(
    params: RwkvParameters,
    ids: Tensor,
    state?: RwkvState,
    options?: { form?: Form },
  ): { logits: Tensor; state: RwkvState };
  /** Mean cross-entropy in nats per token of i32 targets [B,T]; divide by ln 2 for bits per byte. */
  loss(params: RwkvParameters, ids: Tensor, targets: Tensor): Tensor;
  /** State before the first token: zeros. The capacity is not used; states do not grow. */
  initialState(batch: number, capacity?: number, dtype?: Dtype): RwkvState;
  /** One token per sequence: i32 ids [B] to logits [B,V], in constant time and memory. */
  step(params: RwkvParameters, ids: Tensor, state: RwkvState): { logits: Tensor; state: RwkvState };
}

const norm = (x: Tensor, p: Affine) => layerNorm(x, p.weight, p.bias);

function checkIds(where: string, ids: Tensor, rank: number, state: RwkvState | undefined): void {
  if (ids.rank !== rank || ids.size === 0)
    throw new ShapeError(
      `rwkvModel.${where}: ids must be i32 ${rank === 2 ? '[B,T]' : '[B]'} with at least one token, got ${show([...ids.shape])}`,
    );
  if (state && state.batch !== ids.shape[0])
    throw new ShapeError(
      `rwkvModel.${where}: ids must have ${state.batch} sequences like the state, got ${ids.shape[0]}`,
    );
}

/** A state or parameters of another model would run, and give wrong numbers. */
function checkModel(
  where: string,
  { version, layers }: RwkvSizes,
  params: RwkvParameters,
  state: RwkvState | undefined,
): void {
  if (params?.layers?.length !== layers)
    throw new ArgumentError(
      `rwkvModel.${where}: params must have ${layers} layers, got ${show(params?.layers?.length)}`,
    );
  if (params.layers.some((p) => 'mix' in p.time !== (version === 7)))
    throw new ArgumentError(
      `rwkvModel.${where}: params must be of version ${version}, got those of another one`,
    );
  if (where === 'step' && !state)
    throw new ArgumentError(
      `rwkvModel.step: state must be given, got ${show(state)}; take it from initialState`,
    );
  if (state && (state.version !== version || state.layers.length !== layers))
    throw new ArgumentError(
      `rwkvModel.${where}: state must be of version ${version} with ${layers} layers, got version ${show(state.version)} with ${show(state.layers?.length)}; take it from initialState or an earlier call`,
    );
}

function run(
  { version, headSize }: RwkvSizes,
  params: RwkvParameters,
  ids: Tensor,
  state: RwkvState | undefined,
  form: Form | undefined,
): { logits: Tensor; state: RwkvState } {
  let x = norm(gather(params.embedding, ids), params.embeddingNorm);
  let first: Tensor | undefined;
  const layers = params.layers.map((p, i): RwkvLayerState => {
    const before = state?.layers[i];
    const input = { x: norm(x, p.timeNorm), shift: before?.timeShift, wkv: before?.wkv, headSize, form };
    const time =
      version === 7
        ? timeMixing7(p.time as TimeMixing7, input, first)
        : { ...timeMixing5(p.time as TimeMixing5, input), first };
    first ??= time.first;
    x = add(x, time.y);
    const channel = channelMixing(p.channel, norm(x, p.channelNorm), {
      version,
      state: before?.channelShift,
    });
    x = add(x, channel.y);
    return { timeShift: time.shift, channelShift: channel.finalState, wkv: time.wkv };
  });
  const logits = matmul(norm(x, params.norm), params.head, { transposeB: true });
  return { logits, state: { version, batch: ids.shape[0], layers } };
}

function initialState(sizes: RwkvSizes, batch: number, dtype: Dtype): RwkvState {
  const { version, layers, width, heads, headSize } = sizes;
  if (!Number.isInteger(batch) || batch < 1)
    throw new ArgumentError(`rwkvModel.initialState: batch must be a positive integer, got ${show(batch)}`);
  const layer = () => ({
    timeShift: zeros([batch, width], { dtype }),
    channelShift: zeros([batch, width], { dtype }),
    wkv: zeros([batch, heads, headSize, headSize], { dtype }),
  });
  return { version, batch, layers: Array.from({ length: layers }, layer) };
}

/**
 * The model of a configuration: RWKV-5.2 (Eagle, arXiv 2404.05892v4) or RWKV-7 (Goose, arXiv 2503.14456v2).
 * Parameters in f64 compute in f64 (backend cpu); ids live where the parameters live.
 * @throws ArgumentError for sizes that do not fit together
 */
export function rwkvModel(config: RwkvConfig): RwkvModel {
  const sizes = rwkvSizes(config);
  return {
    config,
    sizes,
    vocabulary: sizes.vocabulary,
    initialize: (seed) => initializeRwkv(sizes, seed),
    forward: (params, ids, state, options = {}) => {
      checkModel('forward', sizes, params, state);
      checkIds('forward', ids, 2, state);
      return run(sizes, params, ids, state, options.form);
    },
    loss: (params, ids, targets) => {
      checkModel('loss', sizes, params, undefined);
      checkIds('loss', ids, 2, undefined);
      return mean(crossEntropy(run(sizes, params, ids, undefined, undefined).logits, targets));
    },
    initialState: (batch, _, dtype = 'f32') => initialState(sizes, batch, dtype),
    step: (params, ids, state) => {
      checkModel('step', sizes, params, state);
      checkIds('step', ids, 1, state);
      const after = run(sizes, params, reshape(ids, [ids.size, 1]), state, 'step');
      return { logits: reshape(after.logits, [ids.size, sizes.vocabulary]), state: after.state };
    },
  };
}

/**
 * Model and parameters of a file of rwkv.cpp, in f32 or, for references, f64.
 * @throws DataError for a malformed file or another architecture
 */
export function loadRwkv(
  bytes: Uint8Array,
  dtype: 'f32' | 'f64' = 'f32',
): { model: RwkvModel; params: RwkvParameters } {
  const file = decodeRwkv(bytes);
  return { model: rwkvModel(rwkvConfig(file)), params: rwkvParameters(file, dtype) };
}
