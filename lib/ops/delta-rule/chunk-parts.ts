/**
 * The delta rule by chunks in TypeScript. With b the sum of log-decays since the start of a chunk, D_ij = e^{b_i-b_j},
 * N = strict-lower(K K^T * D) and S the state at the start, the errors E = v - S'^T k of a chunk solve
 *   (I + N diag(beta)) E = V - e^b K S,   U = beta E,
 * Y = scale (e^b Q S + (Q K^T * D, lower) U),   S <- e^{b_C} S + (K e^{b_C-b})^T U.
 * That is the WY form of arXiv 2406.06484, section 3, with the decays of arXiv 2412.06464, section 3, its inverse
 * replaced by a solve. A read of the state by a key is one of a query whose adjoint is -beta times that of u, so that
 * the backward pass treats both alike.
 */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import type { DeltaView } from './reference.js';

/** Tokens of a chunk: a constant, so that packed equals separate to the bit. */
export const CHUNK = 32;

/** One chunk of one head: its tokens, and what both passes need of it. */
export interface Chunk {
  p: number;
  size: number;
  h: number;
  beta: Float64Array;
  /** e^{b_i}: from the start of the chunk through token i. */
  fromStart: Float64Array;
  /** e^{b_C - b_j}. */
  toEnd: Float64Array;
  /** e^{b_C}. */
  whole: number;
  /** Row-major [size, size], zero above the diagonal: e^{b_i - b_j}. */
  D: Float64Array;
}

/** e^{b_i - b_j} from sums of the entries between: differences of long sums would lose the small ones. */
export function chunkOf(d: DeltaView, p: number, size: number, h: number): Chunk {
  const D = new Float64Array(size * size);
  const fromStart = new Float64Array(size);
  const sums = new Float64Array(size);
  let start = 0;
  for (let i = 0; i < size; i++) {
    const g = d.decay ? d.decay[(p + i) * d.H + h] : 0;
    start += g;
    fromStart[i] = math.exp(start);
    for (let j = 0; j < i; j++) D[i * size + j] = math.exp((sums[j] += g));
    D[i * size + i] = 1;
  }
  const beta = Float64Array.from({ length: size }, (_, i) => d.beta[(p + i) * d.H + h]);
  return {
    ...{ p, size, h, beta, D, fromStart },
    toEnd: D.slice((size - 1) * size),
    whole: fromStart[size - 1],
  };
}

/** Rows of a chunk from an array with the given offsets. */
export function rows(from: FloatArray, size: number, width: number, at: (i: number) => number): Float64Array {
  const out = new Float64Array(size * width);
  for (let i = 0; i < size; i++) for (let c = 0; c < width; c++) out[i * width + c] = from[at(i) + c];
  return out;
}

/** C += factor A B with A [m, n], B [n, w]; element (i, j) of A is a[i * row + j * column]. */
export function addProduct(
  C: Float64Array,
  a: Float64Array,
  [row, column]: readonly [number, number],
  B: Float64Array,
  [m, n, w]: readonly [number, number, number],
  factor = 1,
): void {
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const x = factor * a[i * row + j * column];
      if (x !== 0) for (let c = 0; c < w; c++) C[i * w + c] += x * B[j * w + c];
    }
}

export function transposed(a: Float64Array, m: number, n: number): Float64Array {
  return Float64Array.from({ length: m * n }, (_, i) => a[(i % m) * n + Math.floor(i / m)]);
}

/** The lower triangle of X B^T, rows of width w; with the diagonal or without. */
export function scores(
  X: Float64Array,
  B: Float64Array,
  size: number,
  w: number,
  diagonal: boolean,
): Float64Array {
  const out = new Float64Array(size * size);
  for (let i = 0; i < size; i++)
    for (let j = 0; j < i + Number(diagonal); j++) {
      let sum = 0;
      for (let c = 0; c < w; c++) sum += X[i * w + c] * B[j * w + c];
      out[i * size + j] = sum;
    }
  return out;
}

/** x *= y, in place. */
export function times(x: Float64Array, y: Float64Array): Float64Array {
  for (let i = 0; i < x.length; i++) x[i] *= y[i];
  return x;
}

/** x[i] *= by[i] for rows of width w, in place. */
export function scaleRows(x: Float64Array, by: Float64Array, w: number): Float64Array {
  for (let i = 0; i < x.length; i++) x[i] *= by[Math.floor(i / w)];
  return x;
}

/** Keys, queries and the two triangles of a chunk. */
export function keysOf(d: DeltaView, c: Chunk) {
  const at = (i: number) => d.atKey(c.p + i, c.h);
  const k = rows(d.k, c.size, d.K, at);
  const q = rows(d.q, c.size, d.K, at);
  const N = times(scores(k, k, c.size, d.K, false), c.D);
  return { k, q, N, A: times(scores(q, k, c.size, d.K, true), c.D) };
}

export type Keys = ReturnType<typeof keysOf>;

/** E of a chunk from the state before it, by forward substitution. */
export function errorsOf(d: DeltaView, c: Chunk, { k, N }: Keys, S: Float64Array): Float64Array {
  const { size } = c;
  const { K, V } = d;
  const E = rows(d.v, size, V, (i) => d.atValue(c.p + i, c.h));
  const predicted = new Float64Array(size * V);
  addProduct(predicted, k, [K, 1], S, [size, K, V]);
  for (let i = 0; i < size; i++) {
    for (let x = 0; x < V; x++) E[i * V + x] -= c.fromStart[i] * predicted[i * V + x];
    for (let j = 0; j < i; j++) {
      const weight = N[i * size + j] * c.beta[j];
      for (let x = 0; x < V; x++) E[i * V + x] -= weight * E[j * V + x];
    }
  }
  return E;
}

/** S <- e^{b_C} S + (K e^{b_C-b})^T U. */
export function carry(d: DeltaView, c: Chunk, k: Float64Array, U: Float64Array, S: Float64Array): void {
  for (let i = 0; i < S.length; i++) S[i] *= c.whole;
  addProduct(S, scaleRows(k.slice(), c.toEnd, d.K), [1, d.K], U, [d.K, c.size, d.V]);
}
