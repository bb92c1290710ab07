/**
 * What a head of a sequence mixer costs: operations, words moved and what it keeps, for softmax attention and for the
 * linear recurrences S_t = M_t S_{t-1} + k_t v_t^T in their three forms. Multiplications and additions count one each.
 */
import { ArgumentError, show } from '../core/errors.js';
import { roofline, type Machine } from './roofline.js';

/** Sizes of one mixer: heads of keys K and values V over T tokens. */
export interface MixerSizes {
  batch?: number;
  tokens: number;
  heads: number;
  /** Key/value heads of softmax attention; default `heads`. */
  keyValueHeads?: number;
  key: number;
  value: number;
  /** Chunk length of the chunked form. */
  chunk?: number;
  /** Tokens a sliding window sees; softmax attention only. */
  window?: number;
  /** Bytes of one stored element; default 4. */
  bytes?: number;
}

export interface MixerCost {
  flops: number;
  /** Inputs read and outputs written once, and what a form must move besides. */
  bytes: number;
}

/** Forms whose cost is known here. `attention-naive` keeps its scores in memory, `attention` never writes them. */
export type MixerForm = 'attention' | 'attention-naive' | 'parallel' | 'chunk' | 'recurrent';

const positive = (where: string, values: Record<string, number | undefined>): void => {
  for (const [name, value] of Object.entries(values))
    if (value !== undefined && !(Number.isInteger(value) && value > 0))
      throw new ArgumentError(`${where}: ${name} must be a positive integer, got ${show(value)}`);
};

/** Pairs of a query and a key it sees, of one head: the causal triangle, or the band of a window. */
export function visiblePairs(tokens: number, window = tokens): number {
  const w = Math.min(window, tokens);
  return (w * (w + 1)) / 2 + (tokens - w) * w;
}

/**
 * Cost of a causal pass over T tokens.
 * - `attention`: 2 (K + V) operations a visible pair; the exponentials are not counted.
 * - `attention-naive`: the same for all T^2 pairs, hidden ones too, whatever the window. It writes and reads scores and
 *   probabilities, 4 T^2 words a head.
 * - `parallel`: all T^2 pairs without softmax, scores in memory (2 T^2 words: written once, read once).
 * - `chunk`: T C (K + V) inside chunks (halved by the mask) and 4 T K V across; a chunk writes what it adds to the
 *   state, and the state before it is written and read: 3 K V words.
 * - `recurrent`: 4 K V a token to write and read the state, which stays on the chip, and K V for its decay.
 */
export function mixerCost(form: MixerForm, sizes: MixerSizes): MixerCost {
  const { batch = 1, tokens, heads, keyValueHeads = heads, key, value, window, bytes = 4 } = sizes;
  const { chunk = 64 } = sizes;
  positive('mixerCost', { batch, tokens, heads, keyValueHeads, key, value, chunk, window });
  const n = batch * heads;
  const inputs = batch * tokens * (heads * (key + value) + keyValueHeads * (key + value));
  const pairs = n * visiblePairs(tokens, window);
  const chunks = Math.ceil(tokens / chunk);
  const cost = {
    attention: { flops: 2 * pairs * (key + value), words: 0 },
    'attention-naive': { flops: 2 * n * tokens ** 2 * (key + value), words: 4 * n * tokens ** 2 },
    parallel: { flops: 2 * n * tokens ** 2 * (key + value), words: 2 * n * tokens ** 2 },
    chunk: {
      flops: n * tokens * (chunk * (key + value) + 4 * key * value),
      words: 3 * n * chunks * key * value,
    },
    recurrent: { flops: 5 * n * tokens * key * value, words: 0 },
  }[form];
  return { flops: cost.flops, bytes: bytes * (inputs + cost.words) };
}

/** Bytes of keys and values after T tokens: 2 L Hkv d T b for L layers, or of a window of them. */
export function kvCacheBytes(sizes: {
  layers: number;
  keyValueHeads: number;
  key: number;
  value?: number;
  tokens: number;
  batch?: number;
  window?: number;
  bytes?: number;
}): number {
  const { layers, keyValueHeads, key, value = key, tokens, batch = 1, window = tokens, bytes = 2 } = sizes;
  positive('kvCacheBytes', { layers, keyValueHeads, key, value, tokens, batch, window });
  return layers * batch * keyValueHeads * (key + value) * Math.min(tokens, window) * bytes;
}

/** Bytes of matrix states, whatever came before: L H K V b. */
export function recurrentStateBytes(sizes: {
  layers: number;
  heads: number;
  key: number;
  value: number;
  batch?: number;
  bytes?: number;
}): number {
  const { layers, heads, key, value, batch = 1, bytes = 4 } = sizes;
  positive('recurrentStateBytes', { layers, heads, key, value, batch });
  return layers * batch * heads * key * value * bytes;
}

/** Cost of one generated token of a mixer after T tokens: everything it keeps is read once, a state also written. */
export function mixerStepCost(form: 'attention' | 'recurrent', sizes: MixerSizes): MixerCost {
  const { batch = 1, tokens, heads, keyValueHeads = heads, key, value, window = tokens, bytes = 4 } = sizes;
  positive('mixerStepCost', { batch, tokens, heads, keyValueHeads, key, value, window });
  const seen = Math.min(tokens, window);
  if (form === 'attention')
    return {
      flops: 2 * batch * heads * seen * (key + value),
      bytes: bytes * batch * keyValueHeads * seen * (key + value),
    };
  return { flops: 5 * batch * heads * key * value, bytes: bytes * 2 * batch * heads * key * value };
}

/**
 * The shortest length from which on `linear` takes no longer than `quadratic` by the roofline, up to `longest`;
 * undefined where there is none. The ratio of the two times must grow with the length, as that of a quadratic and a linear
 * cost does: then they cross once.
 */
export function crossover(
  machine: Machine,
  quadratic: (tokens: number) => MixerCost,
  linear: (tokens: number) => MixerCost,
  longest = 2 ** 20,
): number | undefined {
  const ahead = (tokens: number) =>
    roofline(linear(tokens), machine).seconds <= roofline(quadratic(tokens), machine).seconds;
  if (!ahead(longest)) return undefined;
  let [below, above] = [0, longest];
  while (above - below > 1) {
    const middle = Math.floor((below + above) / 2);
    if (ahead(middle)) above = middle;
    else below = middle;
  }
  return above;
}
