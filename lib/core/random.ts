/**
 * Seeded random streams on Philox. Word number p of a stream is word p mod 4 of block floor(p / 4) with counter
 * (block low, block high, 0, 0) and the stream's key, so any backend can make the same words from the key alone.
 * All values are bit-identical on every machine: nothing here uses a transcendental function of the engine.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { ArgumentError, show } from './errors.js';
import { cos, log, sin } from './math.js';
import { philoxBlock, wordToUniform } from './philox.js';

const TWO_PI = 6.283185307179586;
const TWO_TO_MINUS_32 = 2.3283064365386963e-10;
const TWO_TO_MINUS_53 = 1.1102230246251565e-16;

/** A stream of random numbers with an explicit seed; there is no global generator. */
export class Random {
  /** The Philox key of this stream. */
  readonly key: readonly [number, number];
  private readonly block = new Uint32Array(4);
  private blockIndex = -1;
  private next = 0;

  /** A safe integer or any text; 1 and '1' are different seeds. */
  constructor(seed: number | string) {
    if (typeof seed !== 'string' && !Number.isSafeInteger(seed)) {
      throw new ArgumentError(`Random: seed must be a safe integer or a string, got ${show(seed)}`);
    }
    this.key = keyOf(`seed ${typeof seed} ${seed}`);
  }

  /** An independent stream named under this one; does not advance this stream. */
  split(name: string | number): Random {
    if (typeof name !== 'string' && !Number.isSafeInteger(name)) {
      throw new ArgumentError(`Random.split: name must be a safe integer or a string, got ${show(name)}`);
    }
    const child = new Random(0);
    (child as { key: readonly [number, number] }).key = keyOf(
      `split ${this.key[0]} ${this.key[1]} ${typeof name} ${name}`,
    );
    return child;
  }

  /** Number of 32-bit words taken so far. */
  get position(): number {
    return this.next;
  }

  /** Continues at a position read earlier, for resuming from a checkpoint. */
  seek(position: number): void {
    if (!Number.isSafeInteger(position) || position < 0) {
      throw new ArgumentError(`Random.seek: position must be a non-negative integer, got ${show(position)}`);
    }
    this.next = position;
  }

  /** The next unsigned 32-bit word. */
  u32(): number {
    const index = Math.floor(this.next / 4);
    if (index !== this.blockIndex) {
      const high = Math.floor(index / 4294967296);
      philoxBlock(index >>> 0, high, 0, 0, this.key[0], this.key[1], this.block, 0);
      this.blockIndex = index;
    }
    return this.block[this.next++ % 4];
  }

  /** Uniform in [0, 1), a multiple of 2^-24 and exact in f32; takes one word. */
  uniform(): number {
    return wordToUniform(this.u32());
  }

  /** Uniform in [0, 1), a multiple of 2^-53; takes two words. */
  uniform53(): number {
    const high = this.u32() >>> 5;
    return (high * 67108864 + (this.u32() >>> 6)) * TWO_TO_MINUS_53;
  }

  /** Standard normal by Box-Muller, r cos(2 pi v) with r = sqrt(-2 log u); takes two words. */
  normal(): number {
    const radius = Math.sqrt(-2 * log((this.u32() + 1) * TWO_TO_MINUS_32));
    return radius * cos(TWO_PI * this.u32() * TWO_TO_MINUS_32);
  }

  /** Uniform integer in 0..n-1 without bias (rejection), 1 <= n <= 2^32. */
  int(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 4294967296) {
      throw new ArgumentError(`Random.int: n must be an integer in 1..2^32, got ${show(n)}`);
    }
    const limit = 4294967296 - (4294967296 % n);
    for (;;) {
      const word = this.u32();
      if (word < limit) return word % n;
    }
  }

  /** A random order of 0..n-1 (Fisher-Yates). */
  permutation(n: number): Int32Array {
    if (!Number.isInteger(n) || n < 0 || n > 2147483647) {
      throw new ArgumentError(`Random.permutation: n must be an integer in 0..2^31-1, got ${show(n)}`);
    }
    const order = new Int32Array(n);
    for (let i = 0; i < n; i++) order[i] = i;
    return this.shuffle(order);
  }

  /** Shuffles in place and returns its argument. */
  shuffle<A extends { length: number; [index: number]: unknown }>(values: A): A {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const kept = values[i];
      values[i] = values[j];
      values[j] = kept;
    }
    return values;
  }

  /** An index drawn with probability weight / sum of weights; takes two words. */
  categorical(weights: ArrayLike<number>): number {
    let total = 0;
    for (let i = 0; i < weights.length; i++) {
      if (!(weights[i] >= 0 && weights[i] < Infinity)) {
        throw new ArgumentError(
          `Random.categorical: weights[${i}] must be finite and not negative, got ${weights[i]}`,
        );
      }
      total += weights[i];
    }
    if (!(total > 0 && total < Infinity)) {
      throw new ArgumentError(
        `Random.categorical: weights must have a positive finite sum, got ${total} of ${weights.length} weights`,
      );
    }
    const target = this.uniform53() * total;
    let sum = 0;
    let last = 0;
    for (let i = 0; i < weights.length; i++) {
      if (weights[i] === 0) continue;
      sum += weights[i];
      last = i;
      if (target < sum) return i;
    }
    return last;
  }

  /** Fills with f32 values uniform in [low, high), one word each: fround(low + u (high - low)). */
  fillUniform(out: Float32Array, low = 0, high = 1): void {
    if (!(low <= high && high - low < Infinity)) {
      throw new ArgumentError(
        `Random.fillUniform: low, high must be finite and ordered, got ${low}, ${high}`,
      );
    }
    const range = high - low;
    for (let i = 0; i < out.length; i++) {
      out[i] = low + this.uniform() * range;
      // Rounding to f32 may reach the excluded end.
      if (out[i] >= high && low < high) out[i] = low;
    }
  }

  /** Fills with normal values rounded once to f32; both Box-Muller values of a pair of words are used. */
  fillNormal(out: Float32Array, mean = 0, standardDeviation = 1): void {
    if (!(standardDeviation >= 0 && Math.abs(mean) + standardDeviation < Infinity)) {
      throw new ArgumentError(
        `Random.fillNormal: standardDeviation must be finite and not negative, got ${standardDeviation} (mean ${mean})`,
      );
    }
    for (let i = 0; i < out.length; i += 2) {
      const radius = standardDeviation * Math.sqrt(-2 * log((this.u32() + 1) * TWO_TO_MINUS_32));
      const angle = TWO_PI * this.u32() * TWO_TO_MINUS_32;
      out[i] = mean + radius * cos(angle);
      if (i + 1 < out.length) out[i + 1] = mean + radius * sin(angle);
    }
  }
}

/** First 64 bits of sha256 of a stream's description. */
function keyOf(description: string): [number, number] {
  const digest = sha256(utf8ToBytes(`assay random ${description}`));
  const view = new DataView(digest.buffer, digest.byteOffset);
  return [view.getUint32(0, true), view.getUint32(4, true)];
}
