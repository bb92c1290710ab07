/**
 * The parallel definition of a linear mixer, by plain loops in f64: what references of several families share.
 *
 *   y_i = scale sum_{j<=i} e^{(i-j) g_h} (q_i . k_j) v_j + scale e^{(i+1) g_h} S_0^T q_i      within one sequence, i from 0
 *   S_T = e^{T g_h} S_0 + sum_j e^{(T-1-j) g_h} k_j v_j^T
 *
 * It knows no state between tokens, so it is independent of every recurrent and chunked form.
 */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import type { Sequence } from './index.js';

/** Arrays and sizes: q, k [B,T,G,K], v [B,T,H,V], initial [S,H,K,V]; `log` is the log-decay of a head. */
export interface DoubleSum {
  G: number;
  H: number;
  K: number;
  V: number;
  scale: number;
  q: FloatArray;
  k: FloatArray;
  v: FloatArray;
  initial?: FloatArray;
  log(h: number): number;
  sequences: readonly Sequence[];
}

/** Gradients; `decay` [H] is that of the log-decays. */
export interface DoubleSumGradients {
  q: Float64Array;
  k: Float64Array;
  v: Float64Array;
  initial: Float64Array;
  decay: Float64Array;
}

/** Offsets of a token's keys and values, and of a sequence's state. */
function places({ G, H, K, V }: DoubleSum, h: number) {
  const group = Math.floor((h * G) / H);
  return {
    key: (p: number) => (p * G + group) * K,
    value: (p: number) => (p * H + h) * V,
    state: (row: number) => (row * H + h) * K * V,
  };
}

function dot(a: FloatArray, at: number, b: FloatArray, from: number, n: number): number {
  let sum = 0;
  for (let c = 0; c < n; c++) sum += a[at + c] * b[from + c];
  return sum;
}

function eachHead(s: DoubleSum, visit: (sequence: Sequence, h: number, kept: Float64Array) => void): void {
  for (let h = 0; h < s.H; h++) {
    const longest = Math.max(0, ...s.sequences.map(([, , length]) => length));
    const kept = Float64Array.from({ length: longest + 1 }, (_, n) => (n === 0 ? 1 : math.exp(n * s.log(h))));
    for (const sequence of s.sequences) visit(sequence, h, kept);
  }
}

/** y like v, and the final states [S,H,K,V]. */
export function doubleSum(s: DoubleSum): { y: Float64Array; final: Float64Array } {
  const { K, V, scale } = s;
  const y = new Float64Array(s.v.length);
  const final = new Float64Array(s.sequences.length * s.H * K * V);
  eachHead(s, ([row, first, length], h, kept) => {
    const at = places(s, h);
    const state = at.state(row);
    for (let i = 0; i < length; i++) {
      const [query, to] = [at.key(first + i), at.value(first + i)];
      for (let j = 0; j <= i; j++) {
        const score = scale * kept[i - j] * dot(s.q, query, s.k, at.key(first + j), K);
        for (let c = 0; c < V; c++) y[to + c] += score * s.v[at.value(first + j) + c];
      }
      if (s.initial)
        for (let a = 0; a < K; a++)
          for (let c = 0; c < V; c++)
            y[to + c] += scale * kept[i + 1] * s.q[query + a] * s.initial[state + a * V + c];
    }
    for (let a = 0; a < K; a++)
      for (let c = 0; c < V; c++) {
        let sum = s.initial ? kept[length] * s.initial[state + a * V + c] : 0;
        for (let j = 0; j < length; j++)
          sum += kept[length - 1 - j] * s.k[at.key(first + j) + a] * s.v[at.value(first + j) + c];
        final[state + a * V + c] = sum;
      }
  });
  return { y, final };
}

/** The derivative of every term above; dy is like v, dfinal [S,H,K,V]. */
export function doubleSumBackward(
  s: DoubleSum,
  dy: FloatArray | undefined,
  dfinal: FloatArray | undefined,
): DoubleSumGradients {
  const made = {
    q: new Float64Array(s.q.length),
    k: new Float64Array(s.k.length),
    v: new Float64Array(s.v.length),
    initial: new Float64Array(s.sequences.length * s.H * s.K * s.V),
    decay: new Float64Array(s.H),
  };
  eachHead(s, (sequence, h, kept) => {
    if (dy) pairsBackward(s, made, dy, sequence, h, kept);
    if (dfinal) finalBackward(s, made, dfinal, sequence, h, kept);
  });
  return made;
}

function pairsBackward(
  s: DoubleSum,
  made: DoubleSumGradients,
  dy: FloatArray,
  [row, first, length]: Sequence,
  h: number,
  kept: Float64Array,
): void {
  const { K, V, scale } = s;
  const at = places(s, h);
  for (let i = 0; i < length; i++) {
    const [query, out] = [at.key(first + i), at.value(first + i)];
    for (let j = 0; j <= i; j++) {
      const [key, value] = [at.key(first + j), at.value(first + j)];
      const weight = scale * kept[i - j];
      const score = dot(s.q, query, s.k, key, K);
      const slope = dot(dy, out, s.v, value, V);
      for (let c = 0; c < V; c++) made.v[value + c] += weight * score * dy[out + c];
      for (let a = 0; a < K; a++) {
        made.q[query + a] += weight * slope * s.k[key + a];
        made.k[key + a] += weight * slope * s.q[query + a];
      }
      made.decay[h] += (i - j) * weight * score * slope;
    }
    if (!s.initial) continue;
    const weight = scale * kept[i + 1];
    for (let a = 0; a < K; a++) {
      const from = at.state(row) + a * V;
      const read = dot(dy, out, s.initial, from, V);
      made.q[query + a] += weight * read;
      made.decay[h] += (i + 1) * weight * s.q[query + a] * read;
      for (let c = 0; c < V; c++) made.initial[from + c] += weight * s.q[query + a] * dy[out + c];
    }
  }
}

function finalBackward(
  s: DoubleSum,
  made: DoubleSumGradients,
  dfinal: FloatArray,
  [row, first, length]: Sequence,
  h: number,
  kept: Float64Array,
): void {
  const { K, V } = s;
  const at = places(s, h);
  for (let a = 0; a < K; a++) {
    const from = at.state(row) + a * V;
    for (let j = 0; j < length; j++) {
      const [key, value, age] = [at.key(first + j), at.value(first + j), length - 1 - j];
      const read = dot(dfinal, from, s.v, value, V);
      made.k[key + a] += kept[age] * read;
      made.decay[h] += age * kept[age] * s.k[key + a] * read;
      for (let c = 0; c < V; c++) made.v[value + c] += kept[age] * s.k[key + a] * dfinal[from + c];
    }
    for (let c = 0; c < V; c++) {
      made.initial[from + c] += kept[length] * dfinal[from + c];
      if (s.initial) made.decay[h] += length * kept[length] * s.initial[from + c] * dfinal[from + c];
    }
  }
}
