/**
 * TypeScript forms with sums in f64 and memory that does not grow with T. Form chunk, with b the sum of log-decays from
 * the chunk's start, S the state before it, D the gradient of the state behind it and o_i = scale dy_i:
 *   P_ij = e^{b_i - b_j} q_i.k_j,  A_ij = e^{b_i - b_j} o_i.v_j  (j <= i)
 *   y_i = scale (sum_j P_ij v_j + e^{b_i} S^T q_i),        S' = e^{b_C} S + sum_j e^{b_C - b_j} k_j v_j^T
 *   dq_i = sum_j A_ij k_j + e^{b_i} S o_i,                 dk_j = sum_i A_ij q_i + e^{b_C - b_j} D v_j
 *   dv_j = sum_i P_ij o_i + e^{b_C - b_j} D^T k_j,         D' = e^{b_C} D + sum_i e^{b_i} q_i o_i^T
 *   dg_t = sum_{i>=t>j} A_ij q_i.k_j + sum_{i>=t} e^{b_i} q_i.(S o_i) + sum_{j<t} e^{b_C - b_j} k_j.(D v_j) + e^{b_C} <S, D>
 * (design: universal backward identities; the sums of dg over pairs on both sides of t avoid differences).
 * e^{b_i - b_j} is the product of the tokens' decays, so a huge decay costs its neighbours no digits.
 */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { gradientSums, gradientTensors, type GradientSums } from '../../tensor/gradient-sums.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import {
  advance,
  decayView,
  finalAdjoint,
  initialState,
  read,
  tokenBackward,
  type DecayView,
} from './reference.js';

const WHERE = 'ops/scalar-decay';
/** Short, so that small cases have several chunks. */
const CHUNK = 16;

type Matrix = Float64Array;
/** First position and length. */
type Span = readonly [number, number];

function spansOf(first: number, length: number): Span[] {
  return Array.from(
    { length: Math.ceil(length / CHUNK) },
    (_, c) => [first + c * CHUNK, Math.min(CHUNK, length - c * CHUNK)] as const,
  );
}

/** e^{b_i - b_j} for j <= i, row-major n x n, and e^{b_i}. */
function decaysOf(s: DecayView, [first, n]: Span, h: number): { L: Matrix; head: Matrix } {
  const L = new Float64Array(n * n);
  const head = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const one = math.exp(s.decay(first + i, h));
    head[i] = i === 0 ? one : one * head[i - 1];
    for (let j = 0; j < i; j++) L[i * n + j] = one * L[(i - 1) * n + j];
    L[i * n + i] = 1;
  }
  return { L, head };
}

/** sum_a x[a] y[a]. */
function dot(x: FloatArray, atX: number, y: FloatArray, atY: number, count: number): number {
  let sum = 0;
  for (let a = 0; a < count; a++) sum += x[atX + a] * y[atY + a];
  return sum;
}

/** to[a] += by from[a]. */
function addTo(
  to: FloatArray,
  at: number,
  by: number,
  from: FloatArray,
  atFrom: number,
  count: number,
): void {
  for (let a = 0; a < count; a++) to[at + a] += by * from[atFrom + a];
}

/** S' = e^{b_C} S + sum_j w_j x_j z_j^T, in place. */
function carry(
  S: Matrix,
  kept: number,
  n: number,
  pair: (j: number) => readonly [weight: number, x: FloatArray, atX: number, z: FloatArray, atZ: number],
  K: number,
  V: number,
): void {
  for (let a = 0; a < S.length; a++) S[a] *= kept;
  for (let j = 0; j < n; j++) {
    const [weight, x, atX, z, atZ] = pair(j);
    for (let i = 0; i < K; i++) addTo(S, i * V, weight * x[atX + i], z, atZ, V);
  }
}

/** The state behind a span, in place. */
function carryState(s: DecayView, call: Call, S: Matrix, span: Span, h: number): void {
  const { K, V } = call.dims;
  const [first, n] = span;
  const { L, head } = decaysOf(s, span, h);
  const pair = (j: number) =>
    [L[(n - 1) * n + j], s.k, s.atKey(first + j, h), s.v, s.atValue(first + j, h)] as const;
  carry(S, head[n - 1], n, pair, K, V);
}

function readSpan(s: DecayView, call: Call, S: Matrix, span: Span, h: number, y: FloatArray): void {
  const { K, V } = call.dims;
  const [first, n] = span;
  const { L, head } = decaysOf(s, span, h);
  const sum = new Float64Array(V);
  for (let i = 0; i < n; i++) {
    const atQ = s.atKey(first + i, h);
    sum.fill(0);
    for (let j = 0; j <= i; j++) {
      const score = L[i * n + j] * dot(s.q, atQ, s.k, s.atKey(first + j, h), K);
      addTo(sum, 0, score, s.v, s.atValue(first + j, h), V);
    }
    for (let a = 0; a < K; a++) addTo(sum, 0, head[i] * s.q[atQ + a], S, a * V, V);
    const to = s.atValue(first + i, h);
    for (let b = 0; b < V; b++) y[to + b] = s.scale * sum[b];
  }
}

const chunkForward: Kernel = (call) => {
  const { H, K, V } = call.dims;
  const s = decayView(call);
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [s.sequences.length, H, K, V]);
  const [to, last] = [y.floats(WHERE), finalState.floats(WHERE)];
  for (const [row, first, length] of s.sequences)
    for (let h = 0; h < H; h++) {
      const S = initialState(s, call, row, h);
      for (const span of spansOf(first, length)) {
        readSpan(s, call, S, span, h, to);
        carryState(s, call, S, span, h);
      }
      last.set(S, (row * H + h) * K * V);
    }
  return { y, finalState };
};

/** What the gradients of one span share. */
interface Chunk {
  s: DecayView;
  sums: GradientSums;
  span: Span;
  h: number;
  K: number;
  V: number;
  /** o = scale dy, rows of V. */
  o: Matrix;
  /** State before, gradient of the state behind. */
  S: Matrix;
  D: Matrix;
  L: Matrix;
  head: Matrix;
}

/** Pairs j <= i: adds to dq, dk, dv; gives A_ij q_i.k_j, row-major. */
function pairGradients({ s, sums, span: [first, n], h, K, V, o, L }: Chunk): Matrix {
  const pairs = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      const [atQ, atK, atV] = [s.atKey(first + i, h), s.atKey(first + j, h), s.atValue(first + j, h)];
      const score = dot(s.q, atQ, s.k, atK, K);
      const A = L[i * n + j] * dot(o, i * V, s.v, atV, V);
      addTo(sums.q, atQ, A, s.k, atK, K);
      addTo(sums.k, atK, A, s.q, atQ, K);
      addTo(sums.v, atV, L[i * n + j] * score, o, i * V, V);
      pairs[i * n + j] = A * score;
    }
  return pairs;
}

/** Adds what passes through the states at both ends; gives e^{b_i} q_i.(S o_i) and e^{b_C - b_j} k_j.(D v_j). */
function stateGradients({ s, sums, span: [first, n], h, K, V, o, S, D, L, head }: Chunk): [Matrix, Matrix] {
  const read = new Float64Array(n);
  const written = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const [atKey, atValue] = [s.atKey(first + i, h), s.atValue(first + i, h)];
    const tail = L[(n - 1) * n + i];
    for (let a = 0; a < K; a++) {
      const dq = head[i] * dot(S, a * V, o, i * V, V);
      const dk = tail * dot(D, a * V, s.v, atValue, V);
      sums.q[atKey + a] += dq;
      sums.k[atKey + a] += dk;
      read[i] += dq * s.q[atKey + a];
      written[i] += dk * s.k[atKey + a];
      addTo(sums.v, atValue, tail * s.k[atKey + a], D, a * V, V);
    }
  }
  return [read, written];
}

/** Sum over i >= t > j of a lower triangle. */
function across(pairs: Matrix, n: number, t: number): number {
  let sum = 0;
  for (let i = t; i < n; i++) for (let j = 0; j < t; j++) sum += pairs[i * n + j];
  return sum;
}

function spanGradients(c: Chunk): void {
  const { s, sums, span, h, K, V, o, S, D, head } = c;
  const [first, n] = span;
  const pairs = pairGradients(c);
  const [read, written] = stateGradients(c);
  let fixed = head[n - 1] * dot(S, 0, D, 0, K * V);
  let readers = read.reduce((a, b) => a + b, 0);
  for (let t = 0; t < n && sums.decay; t++) {
    sums.decay[s.atDecay(first + t, h)] += fixed + readers + across(pairs, n, t);
    fixed += written[t];
    readers = read.subarray(t + 1).reduce((a, b) => a + b, 0);
  }
  const pair = (i: number) => [head[i], s.q, s.atKey(first + i, h), o, i * V] as const;
  carry(D, head[n - 1], n, pair, K, V);
}

const chunkBackward: Kernel = (call) => {
  const { H, K, V } = call.dims;
  const s = decayView(call);
  const sums = gradientSums(call);
  const dy = call.grad.y?.floats(WHERE);
  for (const [row, first, length] of s.sequences)
    for (let h = 0; h < H; h++) {
      const spans = spansOf(first, length);
      const states = [initialState(s, call, row, h)];
      for (const span of spans.slice(0, -1)) {
        states.push(states[states.length - 1].slice());
        carryState(s, call, states[states.length - 1], span, h);
      }
      const D = finalAdjoint(call, row, h);
      for (let c = spans.length - 1; c >= 0; c--) {
        const span = spans[c];
        const o = new Float64Array(span[1] * V);
        for (let i = 0; dy && i < span[1]; i++) addTo(o, i * V, s.scale, dy, s.atValue(span[0] + i, h), V);
        spanGradients({ s, sums, span, h, K, V, o, S: states[c], D, ...decaysOf(s, span, h) });
      }
      sums.initialState?.set(D, (row * H + h) * K * V);
    }
  return gradientTensors(call, sums);
};

/** Form `chunk` in TypeScript. */
export const chunkCpu: Implementation = { forward: chunkForward, backward: chunkBackward };

/** One pass over time for each head, the state in one small array. */
const recurrentForward: Kernel = (call) => {
  const { H, K, V } = call.dims;
  const s = decayView(call);
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [s.sequences.length, H, K, V]);
  const [to, last] = [y.floats(WHERE), finalState.floats(WHERE)];
  for (const [row, first, length] of s.sequences)
    for (let h = 0; h < H; h++) {
      const S = initialState(s, call, row, h);
      for (let p = first; p < first + length; p++) {
        advance(s, call, S, p, h);
        read(s, call, S, p, h, to);
      }
      last.set(S, (row * H + h) * K * V);
    }
  return { y, finalState };
};

/** Keeps the state before every span; those inside a span are made again. */
const recurrentBackward: Kernel = (call) => {
  const { H, K, V } = call.dims;
  const s = decayView(call);
  const sums = gradientSums(call);
  for (const [row, first, length] of s.sequences)
    for (let h = 0; h < H; h++) {
      const spans = spansOf(first, length);
      const S = initialState(s, call, row, h);
      const starts = spans.map(([begin, n]) => {
        const start = S.slice();
        for (let p = begin; p < begin + n; p++) advance(s, call, S, p, h);
        return start;
      });
      const A = finalAdjoint(call, row, h);
      for (let c = spans.length - 1; c >= 0; c--) {
        const states = [starts[c]];
        for (let t = 0; t < spans[c][1]; t++) {
          states.push(states[t].slice());
          advance(s, call, states[t + 1], spans[c][0] + t, h);
        }
        for (let t = spans[c][1] - 1; t >= 0; t--)
          tokenBackward(s, call, sums, [states[t], states[t + 1], A], spans[c][0] + t, h);
      }
      sums.initialState?.set(A, (row * H + h) * K * V);
    }
  return gradientTensors(call, sums);
};

/** Form `recurrent` in TypeScript. */
export const recurrentCpu: Implementation = { forward: recurrentForward, backward: recurrentBackward };
