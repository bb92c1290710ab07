/**
 * Keys and values of the tokens seen so far, in preallocated memory on the host and on a GPU alike: appending a token
 * writes one row and copies nothing.
 */
import { ArgumentError, DtypeError, ShapeError, show } from '../core/errors.js';
import { appendRowsGpu } from '../families/softmax-attention/gpu-cache.js';
import { softmaxAttention } from '../families/softmax-attention/index.js';
import { sameShape } from '../core/shape.js';
import { keep } from '../tensor/scope.js';
import { Tensor } from '../tensor/tensor.js';

/** Sizes of a cache: sequences, key/value heads, size of a head. */
export interface KeyValueSizes {
  batch: number;
  heads: number;
  size: number;
}

/** A growing cache of one attention layer. Unlike tensors it changes in place; dispose it when done. */
export class KeyValueCache {
  #length = 0;
  #capacity: number;
  /** [B, capacity, H, K], of which the first `length` rows are in use. */
  #store: { keys: Tensor; values: Tensor } | undefined;

  /** `capacity` tokens are allocated at the first use; the cache doubles when they are used up. */
  constructor(
    readonly sizes: KeyValueSizes,
    capacity = 256,
  ) {
    if (!Number.isInteger(capacity) || capacity < 1)
      throw new ArgumentError(`KeyValueCache: capacity must be a positive integer, got ${show(capacity)}`);
    this.#capacity = capacity;
  }

  /** Tokens seen. */
  get length(): number {
    return this.#length;
  }

  /** Bytes that hold the tokens seen (f32): 2 B length H K 4. This grows with every token. */
  get bytes(): number {
    return 8 * this.sizes.batch * this.#length * this.sizes.heads * this.sizes.size;
  }

  /**
   * Adds keys and values [B,T,H,K] and lets queries [B,T,Hq,K] of the same tokens attend causally to everything seen.
   * @returns [B,T,Hq,K]
   * No gradients flow to the tokens kept.
   * @throws ShapeError when k or v does not fit the cache's sizes; DtypeError when a type or device changes
   */
  attend(q: Tensor, k: Tensor, v: Tensor): Tensor {
    const { batch, heads, size } = this.sizes;
    for (const [name, t] of Object.entries({ k, v }))
      if (!sameShape(t.shape, [batch, k.shape[1], heads, size]))
        throw new ShapeError(
          `KeyValueCache: ${name} must have shape [${batch},T,${heads},${size}], got ${show([...t.shape])}`,
        );
    const stored = this.#store?.keys;
    for (const [name, t] of Object.entries({ q, k, v }))
      if (t.dtype !== (stored ?? k).dtype || t.device !== (stored ?? k).device)
        throw new DtypeError(
          `KeyValueCache: ${name} must be ${(stored ?? k).dtype} on the ${(stored ?? k).device} like the keys kept, got ${t.toString()}`,
        );
    const time = k.shape[1];
    this.#reserve(this.#length + time, k);
    const { keys, values } = this.#store!;
    copyRows(k, time, keys, this.#length);
    copyRows(v, time, values, this.#length);
    this.#length += time;
    const form = time === 1 ? 'step' : undefined;
    return softmaxAttention(q, keys, values, { causal: true, keys: this.#length, form });
  }

  /** Makes room for `tokens`; doubling keeps the copies per token constant on average. */
  #reserve(tokens: number, { dtype, device }: Tensor): void {
    if (this.#store && tokens <= this.#capacity) return;
    while (this.#capacity < tokens) this.#capacity *= 2;
    const { batch, heads, size } = this.sizes;
    const room = (old: Tensor | undefined) => {
      const made = keep(Tensor.empty([batch, this.#capacity, heads, size], dtype, device, 'KeyValueCache'));
      if (old) copyRows(old, this.#length, made, 0);
      old?.dispose();
      return made;
    };
    this.#store = { keys: room(this.#store?.keys), values: room(this.#store?.values) };
  }

  /**
   * Forgets all but the first `length` tokens, as after rejected speculative tokens; nothing is copied.
   * @throws ArgumentError when `length` is not a number of tokens seen
   */
  truncate(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.#length)
      throw new ArgumentError(
        `KeyValueCache.truncate: length must lie in 0..${this.#length}, got ${show(length)}`,
      );
    this.#length = length;
  }

  dispose(): void {
    this.#store?.keys.dispose();
    this.#store?.values.dispose();
    this.#store = undefined;
    this.#length = 0;
  }
}

/** Copies the first `count` tokens of every sequence from [B,T1,H,K] to [B,T2,H,K] at token `at`. */
function copyRows(from: Tensor, count: number, to: Tensor, at: number): void {
  if (from.device === 'gpu') return appendRowsGpu(from, count, to, at);
  const width = from.shape[2] * from.shape[3];
  const source = from.dataSync() as Float32Array;
  const target = to.dataSync() as Float32Array;
  for (let b = 0; b < from.shape[0]; b++) {
    const first = b * from.shape[1] * width;
    target.set(source.subarray(first, first + count * width), (b * to.shape[1] + at) * width);
  }
}
