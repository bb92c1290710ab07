/** A decoder language model in numbers: parameters, operations and bytes of a pass and of a generated token. */
import { ArgumentError, show } from '../core/errors.js';
import {
  kvCacheBytes,
  mixerCost,
  mixerStepCost,
  recurrentStateBytes,
  type MixerCost,
} from './sequence-mixers.js';

/** Sizes of a decoder whose layers are a mixer and a feed-forward part. */
export interface DecoderSizes {
  layers: number;
  width: number;
  heads: number;
  /** Key/value heads of softmax attention; default `heads`. Linear mixers have `heads`. */
  keyValueHeads?: number;
  /** Width of a query and key head; default width / heads. */
  key?: number;
  /** Width of a value head; default `key`. */
  value?: number;
  /** Inner width of the feed-forward part. */
  hidden: number;
  /** Matrices of the feed-forward part: 2, or 3 with a gate. Default 3. */
  feedForwardMatrices?: 2 | 3;
  /** Rows of the embedding. */
  vocabulary: number;
  /** Does the head share the embedding? Default false. */
  tied?: boolean;
  /** Default softmax. Linear mixers keep a state [H, K, V]. */
  mixer?: 'softmax' | 'linear';
  /** A gate of the mixer's output, width x (H V). Default no for softmax, yes for linear. */
  gated?: boolean;
  window?: number;
  chunk?: number;
}

export interface DecoderUse {
  /** Tokens before the generated one, or of the pass. */
  tokens: number;
  batch?: number;
  /** Bytes of a stored weight; default 2. */
  weightBytes?: number;
  /** Bytes of a stored key or value; default 2. Recurrent states are f32. */
  cacheBytes?: number;
}

export interface DecoderCost {
  parameters: { embedding: number; mixer: number; feedForward: number; head: number; total: number };
  /** Bytes of all weights. */
  weights: number;
  /** Bytes that the sequences keep after `tokens`. */
  kept: number;
  /** A pass over `tokens`, forward. */
  pass: MixerCost;
  /** One more token for each sequence: the weights are read once for the batch. */
  step: MixerCost;
}

/**
 * Counts of a decoder. Norms and biases are left out (well below a percent), as are the bytes of activations in a pass,
 * but for what the mixers read and write (f32).
 * A weight costs two operations a token; the embedding is a lookup.
 */
export function decoderCost(sizes: DecoderSizes, use: DecoderUse): DecoderCost {
  const { layers, width, heads, keyValueHeads = heads, hidden, vocabulary, tied = false } = sizes;
  const { key = width / heads, value = key, mixer = 'softmax', gated = mixer === 'linear' } = sizes;
  const { tokens, batch = 1, weightBytes = 2, cacheBytes = 2 } = use;
  if (sizes.key === undefined && !Number.isInteger(key))
    throw new ArgumentError(`decoderCost: heads must divide width, got ${show(heads)} and ${show(width)}`);
  const readers = mixer === 'softmax' ? keyValueHeads : heads;
  const mixing = width * (heads * key + readers * (key + value) + (gated ? 2 : 1) * heads * value);
  const parameters = {
    embedding: vocabulary * width,
    mixer: layers * mixing,
    feedForward: layers * (sizes.feedForwardMatrices ?? 3) * width * hidden,
    head: tied ? 0 : vocabulary * width,
  };
  const total = parameters.embedding + parameters.mixer + parameters.feedForward + parameters.head;
  const multiplied = parameters.mixer + parameters.feedForward + vocabulary * width;
  const each = {
    batch,
    tokens,
    heads,
    keyValueHeads: readers,
    key,
    value,
    window: sizes.window,
    chunk: sizes.chunk,
  };
  const pass = mixerCost(mixer === 'softmax' ? 'attention' : 'chunk', each);
  const step =
    mixer === 'softmax'
      ? mixerStepCost('attention', { ...each, bytes: cacheBytes })
      : mixerStepCost('recurrent', { ...each, bytes: 4 });
  const read = (total - (tied ? 0 : parameters.embedding)) * weightBytes;
  return {
    parameters: { ...parameters, total },
    weights: total * weightBytes,
    kept:
      mixer === 'softmax'
        ? kvCacheBytes({
            layers,
            keyValueHeads,
            key,
            value,
            tokens,
            batch,
            window: sizes.window,
            bytes: cacheBytes,
          })
        : recurrentStateBytes({ layers, heads, key, value, batch }),
    pass: { flops: 2 * multiplied * batch * tokens + layers * pass.flops, bytes: read + layers * pass.bytes },
    step: { flops: 2 * multiplied * batch + layers * step.flops, bytes: read + layers * step.bytes },
  };
}
