/** Generation of bytes from a language model: O(1) steps for Mamba and RWKV, cached steps for a transformer, or recomputation. */
import { stopSignal } from '../core/ambient-signal.js';
import { ArgumentError, CancelledError, show } from '../core/errors.js';
import * as math from '../core/math.js';
import { Random } from '../core/random.js';
import { slice } from '../ops/structure/index.js';
import { scope } from '../tensor/scope.js';
import { noGrad } from '../tensor/tape.js';
import { tensor, type Tensor } from '../tensor/tensor.js';
import type { Tree } from '../tensor/tree.js';
import type { KeyValueCache } from './kv-cache.js';
import { disposeState, stateTensors } from './language-model.js';
import { yieldToEvents } from './progress.js';

/** What generation needs of a model: LanguageModel and RwkvModel have it. P are its parameters, S its state. */
export interface GenerativeModel<P, S extends GenerativeState> {
  readonly vocabulary: number;
  forward(params: P, ids: Tensor, state?: S): { logits: Tensor; state: S | undefined };
  initialState(batch: number, capacity?: number): S;
  step(params: P, ids: Tensor, state: S): { logits: Tensor; state: S };
}

/** A state: per layer tensors that every step replaces, or a cache that grows in place. */
export interface GenerativeState {
  layers: readonly (Tree | KeyValueCache)[];
}

export interface GenerateOptions {
  /** Text or token ids to continue, at least one. */
  prompt: string | ArrayLike<number>;
  /** Tokens to make. */
  count: number;
  /** 0 takes the most likely token; default 1. */
  temperature?: number;
  /** Draw from the k most likely tokens only; default all. */
  topK?: number;
  /** Draw from the fewest tokens whose probabilities add up to this, in (0, 1]; default 1. */
  topP?: number;
  /** Default 0. */
  seed?: number | string;
  /** 'step' (default) carries a state; 'recompute' runs the whole text for every token. */
  mode?: 'step' | 'recompute';
  signal?: AbortSignal;
}

function check({ vocabulary }: { vocabulary: number }, options: GenerateOptions): number[] {
  const { prompt, count, temperature = 1, topK, topP = 1 } = options;
  const ids = typeof prompt === 'string' ? Array.from(new TextEncoder().encode(prompt)) : Array.from(prompt);
  if (ids.length === 0)
    throw new ArgumentError('generate: prompt must hold at least one token, got an empty one');
  const bad = ids.findIndex((v) => !Number.isInteger(v) || v < 0 || v >= vocabulary);
  if (bad >= 0)
    throw new ArgumentError(
      `generate: prompt must hold ids in [0, ${vocabulary}), got ${ids[bad]} at ${bad}`,
    );
  if (!Number.isInteger(count) || count < 0)
    throw new ArgumentError(`generate: count must be an integer >= 0, got ${show(count)}`);
  if (!(temperature >= 0 && temperature < Infinity))
    throw new ArgumentError(`generate: temperature must be finite and >= 0, got ${show(temperature)}`);
  if (topK !== undefined && (!Number.isInteger(topK) || topK < 1))
    throw new ArgumentError(`generate: topK must be an integer >= 1, got ${show(topK)}`);
  if (!(topP > 0 && topP <= 1))
    throw new ArgumentError(`generate: topP must be in (0, 1], got ${show(topP)}`);
  return ids;
}

/**
 * Yields token ids (bytes) one by one. The same seed gives the same text on the same backend.
 * @throws ArgumentError for bad options; CancelledError when the signal fires
 */
export async function* generate<P, S extends GenerativeState>(
  model: GenerativeModel<P, S>,
  params: P,
  options: GenerateOptions,
): AsyncGenerator<number, void, void> {
  const text = check(model, options);
  const { count, temperature = 1, topK = model.vocabulary, topP = 1 } = options;
  const signal = stopSignal(options.signal);
  const random = new Random(options.seed ?? 0).split('sample');
  const reader =
    options.mode === 'recompute'
      ? new Recompute(model, params)
      : new Stepper(model, params, text.length + count);
  try {
    let fresh = text;
    for (let i = 0; i < count; i++) {
      if (signal?.aborted)
        throw new CancelledError(`generate: signal must not fire, got an abort after ${i} tokens`);
      const logits = await reader.read(fresh);
      const token = sample(logits, temperature, topK, random, topP);
      fresh = [token];
      yield token;
      await yieldToEvents();
    }
  } finally {
    reader.dispose();
  }
}

/** All tokens of generate() at once. */
export async function generateBytes<P, S extends GenerativeState>(
  model: GenerativeModel<P, S>,
  params: P,
  options: GenerateOptions,
): Promise<Uint8Array> {
  const out: number[] = [];
  for await (const token of generate(model, params, options)) out.push(token);
  return Uint8Array.from(out);
}

/** Logits after the last of the tokens given, as plain numbers; the tensor is disposed. */
async function lastRow(logits: Tensor): Promise<Float32Array> {
  const values = (await logits.data()) as Float32Array;
  logits.dispose();
  return values;
}

/** Reads the prompt in one pass and then one token at a time. */
class Stepper<P, S extends GenerativeState> {
  private state: S;
  private started = false;

  constructor(
    private readonly model: GenerativeModel<P, S>,
    private readonly params: P,
    capacity: number,
  ) {
    this.state = model.initialState(1, capacity);
  }

  async read(tokens: readonly number[]): Promise<Float32Array> {
    const after = scope(() => noGrad(() => (this.started ? this.one(tokens) : this.all(tokens))));
    this.started = true;
    return lastRow(after.logits);
  }

  private one(tokens: readonly number[]) {
    return this.replace(this.model.step(this.params, tensor(Int32Array.from(tokens)), this.state));
  }

  private all(tokens: readonly number[]) {
    const ids = tensor(Int32Array.from(tokens), { shape: [1, tokens.length] });
    const { logits, state } = this.model.forward(this.params, ids, this.state);
    return this.replace({ logits: slice(logits, 1, tokens.length - 1), state: state! });
  }

  /** The old state's tensors go; caches change in place and stay. */
  private replace(after: { logits: Tensor; state: S }) {
    for (const t of stateTensors(this.state)) t.dispose();
    this.state = after.state;
    return after;
  }

  dispose(): void {
    disposeState(this.state);
  }
}

/** Runs the whole text again for every token: the naive way, O(T^2) tokens in total. */
class Recompute<P, S extends GenerativeState> {
  private readonly text: number[] = [];

  constructor(
    private readonly model: GenerativeModel<P, S>,
    private readonly params: P,
  ) {}

  async read(tokens: readonly number[]): Promise<Float32Array> {
    this.text.push(...tokens);
    const n = this.text.length;
    const logits = scope(() =>
      noGrad(() =>
        slice(
          this.model.forward(this.params, tensor(Int32Array.from(this.text), { shape: [1, n] })).logits,
          1,
          n - 1,
        ),
      ),
    );
    return lastRow(logits);
  }

  dispose(): void {
    this.text.length = 0;
  }
}

/**
 * One token: the largest logit (lowest index wins), or a draw from softmax(logits / temperature) over the top k, of those the
 * fewest that hold `topP` of their probability.
 */
export function sample(
  logits: ArrayLike<number>,
  temperature: number,
  topK: number,
  random: Random,
  topP = 1,
): number {
  const order = Array.from({ length: logits.length }, (_, i) => i).sort(
    (a, b) => logits[b] - logits[a] || a - b,
  );
  const bad = order.find((i) => !(logits[i] < Infinity));
  if (bad !== undefined)
    throw new ArgumentError(`sample: logits must be finite, got ${logits[bad]} at ${bad}`);
  const best = order[0];
  if (temperature === 0) return best;
  const chosen = order.slice(0, topK);
  const weights = chosen.map((i) => math.exp((logits[i] - logits[best]) / temperature));
  return chosen[random.categorical(topP < 1 ? nucleus(weights, topP) : weights)];
}

/** The first weights that add up to a share of all; at least one. */
function nucleus(weights: readonly number[], share: number): number[] {
  const wanted = share * weights.reduce((sum, w) => sum + w, 0);
  let sum = 0;
  const end = weights.findIndex((w) => (sum += w) >= wanted);
  return weights.slice(0, end < 0 ? undefined : end + 1);
}
