/**
 * Interpolated modified Kneser-Ney n-gram model over bytes, a baseline for language models.
 *
 *   P_n(w | h) = max(c(h w) - D(c(h w)), 0) / c(h .) + gamma(h) P_{n-1}(w | h'),      P_0 = 1/256,
 *   gamma(h) = (D_1 N_1(h .) + D_2 N_2(h .) + D_3 N_3+(h .)) / c(h .)
 *
 * with h' = h without its first byte. The highest order counts occurrences; lower orders count the distinct bytes seen
 * before (continuation counts). Discounts per order: Y = n_1 / (n_1 + 2 n_2), D_k = k - (k + 1) Y n_{k+1} / n_k.
 * Source: Chen and Goodman, "An empirical study of smoothing techniques for language modeling", Computer Speech and
 * Language 13 (1999), equations 26 to 28. Deviation: a discount outside 0..k (too little data) becomes k / 2.
 */
import { ArgumentError } from '../core/errors.js';
import { log2 } from '../core/math.js';

/** Counts of one order: n-grams as sorted numbers, first byte most significant, and sums over each context. */
interface Order {
  grams: Float64Array;
  counts: Uint32Array;
  contexts: Float64Array;
  totals: Float64Array;
  /** D_1 N_1 + D_2 N_2 + D_3 N_3+ of each context. */
  leftover: Float64Array;
  discounts: readonly [number, number, number];
}

/** A trained model. */
export class KneserNey {
  private readonly orders: Order[];

  /** Counts a training text; `order` 5 means contexts of 4 bytes (1 to 6 fit exactly into numbers). */
  constructor(
    train: Uint8Array,
    readonly order = 5,
  ) {
    if (!Number.isInteger(order) || order < 1 || order > 6) {
      throw new ArgumentError(`KneserNey: order must be an integer in 1..6, got ${order}`);
    }
    if (train.length < order) {
      throw new ArgumentError(`KneserNey: train must hold at least ${order} bytes, got ${train.length}`);
    }
    let level = countGrams(train, order);
    this.orders = [summarise(level)];
    for (let n = order - 1; n >= 1; n--) {
      level = continuations(level.grams, 256 ** n);
      this.orders.unshift(summarise(level));
    }
  }

  /** P(byte | the bytes before `position` in `bytes`); the byte itself need not be there. */
  probability(bytes: Uint8Array, position: number, byte: number): number {
    let p = 1 / 256;
    let context = 0;
    for (let n = 1; n <= this.order; n++) {
      if (n > 1) {
        if (position - n + 1 < 0) return p;
        context += bytes[position - n + 1] * 256 ** (n - 2);
      }
      const { grams, counts, contexts, totals, leftover, discounts } = this.orders[n - 1];
      const place = find(contexts, context);
      // A context never seen has no longer context that was seen.
      if (place < 0) return p;
      const gram = find(grams, context * 256 + byte);
      const count = gram < 0 ? 0 : counts[gram];
      const kept = count === 0 ? 0 : count - discounts[Math.min(count, 3) - 1];
      p = (kept + leftover[place] * p) / totals[place];
    }
    return p;
  }

  /** Mean -log2 P over bytes[from..], each with the bytes before it as context. */
  bitsPerByte(bytes: Uint8Array, from = 0): number {
    if (from >= bytes.length) {
      throw new ArgumentError(`KneserNey.bitsPerByte: from must be below ${bytes.length}, got ${from}`);
    }
    let bits = 0;
    for (let i = from; i < bytes.length; i++) bits -= log2(this.probability(bytes, i, bytes[i]));
    return bits / (bytes.length - from);
  }
}

/** Validation bits per byte of a model trained on bytes[0..split). */
export function kneserNeyBits(bytes: Uint8Array, split: number, order = 5): number {
  return new KneserNey(bytes.subarray(0, split), order).bitsPerByte(bytes, split);
}

interface Level {
  grams: Float64Array;
  counts: Uint32Array;
}

/** Distinct values of a sorted array with how often each occurs. */
function runLengths(sorted: Float64Array): Level {
  let distinct = sorted.length === 0 ? 0 : 1;
  for (let i = 1; i < sorted.length; i++) if (sorted[i] !== sorted[i - 1]) distinct++;
  const grams = new Float64Array(distinct);
  const counts = new Uint32Array(distinct);
  let at = -1;
  for (let i = 0; i < sorted.length; i++) {
    if (i === 0 || sorted[i] !== sorted[i - 1]) grams[++at] = sorted[i];
    counts[at]++;
  }
  return { grams, counts };
}

function countGrams(bytes: Uint8Array, n: number): Level {
  const keys = new Float64Array(bytes.length - n + 1);
  const top = 256 ** (n - 1);
  let key = 0;
  for (let i = 0; i < bytes.length; i++) {
    key = (key % top) * 256 + bytes[i];
    if (i >= n - 1) keys[i - n + 1] = key;
  }
  return runLengths(keys.sort());
}

/** Number of distinct first bytes of each rest: what is left of the distinct grams without their first byte. */
function continuations(grams: Float64Array, size: number): Level {
  return runLengths(grams.map((gram) => gram % size).sort());
}

function summarise({ grams, counts }: Level): Order {
  const discounts = estimateDiscounts(counts);
  const owners = grams.map((gram) => Math.floor(gram / 256));
  const { grams: contexts, counts: sizes } = runLengths(owners);
  const totals = new Float64Array(contexts.length);
  const leftover = new Float64Array(contexts.length);
  let at = 0;
  for (let c = 0; c < contexts.length; c++) {
    for (const end = at + sizes[c]; at < end; at++) {
      totals[c] += counts[at];
      leftover[c] += discounts[Math.min(counts[at], 3) - 1];
    }
  }
  return { grams, counts, contexts, totals, leftover, discounts };
}

function estimateDiscounts(counts: Uint32Array): [number, number, number] {
  const n = [0, 0, 0, 0, 0];
  for (const count of counts) if (count <= 4) n[count]++;
  const y = n[1] / (n[1] + 2 * n[2]);
  const discount = (k: number): number => {
    const d = k - (k + 1) * y * (n[k + 1] / n[k]);
    return d > 0 && d < k ? d : k / 2;
  };
  return [discount(1), discount(2), discount(3)];
}

/** Index of a value in a sorted array; -1 when it is not there. */
function find(sorted: Float64Array, value: number): number {
  let low = 0;
  let high = sorted.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] < value) low = middle + 1;
    else if (sorted[middle] > value) high = middle - 1;
    else return middle;
  }
  return -1;
}
