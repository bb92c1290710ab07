// The delta rule backward, by chunks from the last to the first. Keys read the state as queries do: what they read has
// the adjoint -beta du, so the two go through the same products (lib/ops/delta-rule/chunk.ts has the equations).
import { hsum, splat } from './math';
import { scratch } from './scratch';
import {
  BELOW, FULL, loadColumns, loadRows, LOWER, padded, product, scaleAll, scaleRows, solveUpper, storeColumns, turnPanels,
  UPPER,
} from './delta-panels';
import {
  betas, CHUNK, decays, firstChunk, firstRow, fromStart, GATES, keptErrors, keptState, loadGates, toEnd, wholeDecay,
} from './delta-common';

const SQUARE: usize = <usize>(CHUNK * CHUNK) << 2;
const VECTOR: usize = <usize>CHUNK << 2;
/** Bytes of one panel of tokens. */
const PANEL: usize = <usize>CHUNK << 5;

/** out = strict lower triangle of x with panels over columns, each row i times -beta_i. */
function negated(x: usize, beta: usize, out: usize): void {
  const lanes = i32x4(0, 1, 2, 3);
  for (let p = 0; p < CHUNK; p += 8) {
    for (let i = p; i < CHUNK; i++) {
      const at = <usize>(p >> 3) * PANEL + (<usize>i << 5);
      const s = f32x4.neg(v128.load32_splat(beta + (<usize>i << 2)));
      v128.store(out + at, v128.and(f32x4.mul(v128.load(x + at), s), i32x4.lt_s(lanes, i32x4.splat(i - p))));
      const high = v128.and(f32x4.mul(v128.load(x + at, 16), s), i32x4.lt_s(lanes, i32x4.splat(i - p - 4)));
      v128.store(out + at, high, 16);
    }
  }
}

/** x *= y below the diagonal of panels over columns; the lanes above it become 0, with the diagonal where `strict`. */
function maskedTimes(x: usize, y: usize, strict: i32): void {
  const lanes = i32x4(0, 1, 2, 3);
  for (let p = 0; p < CHUNK; p += 8) {
    for (let i = p; i < CHUNK; i++) {
      const at = <usize>(p >> 3) * PANEL + (<usize>i << 5);
      const low = i32x4.le_s(lanes, i32x4.splat(i - p - strict));
      const high = i32x4.le_s(lanes, i32x4.splat(i - p - 4 - strict));
      v128.store(x + at, v128.and(f32x4.mul(v128.load(x + at), v128.load(y + at)), low));
      v128.store(x + at, v128.and(f32x4.mul(v128.load(x + at, 16), v128.load(y + at, 16)), high), 16);
    }
  }
}

/** out[i] (+)= the dot product of row i of x and y, panels over columns; x `xLines` and y `yLines` rows a panel. */
function dotRows(x: usize, xLines: i32, y: usize, yLines: i32, columns: i32, add: bool, out: usize): void {
  for (let i: usize = 0; i < <usize>CHUNK; i++) {
    let sum = splat(0);
    for (let p: usize = 0; p < <usize>columns >> 3; p++) {
      const a = x + ((p * <usize>xLines + i) << 5);
      const b = y + ((p * <usize>yLines + i) << 5);
      sum = f32x4.add(sum, f32x4.mul(v128.load(a), v128.load(b)));
      sum = f32x4.add(sum, f32x4.mul(v128.load(a, 16), v128.load(b, 16)));
    }
    const before: f32 = add ? load<f32>(out + (i << 2)) : 0;
    store<f32>(out + (i << 2), before + hsum(sum));
  }
}

/** out[t] += sum over i >= t > j of the pairs x_ij y_ij, panels over columns: what a decay at t is between. */
function addCrossing(x: usize, y: usize, out: usize): void {
  const lanes = i32x4(0, 1, 2, 3);
  for (let p = 0; p < CHUNK; p += 8) {
    let low = splat(0);
    let high = splat(0);
    for (let t = CHUNK - 1; t > p; t--) {
      const at = <usize>(p >> 3) * PANEL + (<usize>t << 5);
      const before = i32x4.lt_s(lanes, i32x4.splat(t - p));
      const beforeHigh = i32x4.lt_s(lanes, i32x4.splat(t - p - 4));
      low = v128.and(f32x4.add(low, f32x4.mul(v128.load(x + at), v128.load(y + at))), before);
      high = v128.and(f32x4.add(high, f32x4.mul(v128.load(x + at, 16), v128.load(y + at, 16))), beforeHigh);
      const to = out + (<usize>t << 2);
      store<f32>(to, load<f32>(to) + hsum(f32x4.add(low, high)));
    }
  }
}

/** <x, y> over n floats, a multiple of 8. */
function dot(x: usize, y: usize, n: i32): f32 {
  let a = splat(0);
  let b = splat(0);
  for (let i: usize = 0; i < <usize>n << 2; i += 32) {
    a = f32x4.add(a, f32x4.mul(v128.load(x + i), v128.load(y + i)));
    b = f32x4.add(b, f32x4.mul(v128.load(x + i, 16), v128.load(y + i, 16)));
  }
  return hsum(f32x4.add(a, b));
}

/** Sums of `reads` from t on and of `writes` before t, and what passes through, added to out[0..count). */
function addEnds(out: usize, reads: usize, writes: usize, through: f32): void {
  let sum: f32 = 0;
  for (let t = CHUNK - 1; t >= 0; t--) {
    const x = <usize>t << 2;
    sum += load<f32>(reads + x);
    store<f32>(out + x, load<f32>(out + x) + sum + through);
  }
  sum = 0;
  for (let t: usize = 0; t < VECTOR; t += 4) {
    store<f32>(out + t, load<f32>(out + t) + sum);
    sum += load<f32>(writes + t);
  }
}

/** Lines of y added to lines of x: panels over columns, x with `xLines` rows a panel. */
function addRows(x: usize, xLines: i32, y: usize, columns: i32): void {
  for (let p: usize = 0; p < <usize>columns >> 3; p++) {
    let to = x + ((p * <usize>xLines) << 5);
    for (let i: i32 = 0; i < CHUNK; i++, to += 32, y += 32) {
      v128.store(to, f32x4.add(v128.load(to), v128.load(y)));
      v128.store(to, f32x4.add(v128.load(to, 16), v128.load(y, 16)), 16);
    }
  }
}

/** The first `count` of a vector over tokens to every H-th place of memory. */
function storeGates(from: usize, count: i32, to: usize, H: i32): void {
  for (let i: usize = 0; i < <usize>count; i++) store<f32>(to + ((i * <usize>H) << 2), load<f32>(from + (i << 2)));
}

// Scratch of one unit; all of tokens x features are [features/8][tokens][8] (panels over columns) unless said otherwise.
let dState: usize = 0;
let turnedState: usize = 0;
let gates: usize = 0;
/** [Q; K], panels over rows. */
let x: usize = 0;
let queries: usize = 0;
let keys: usize = 0;
/** Gradients of [Q; K]. */
let dx: usize = 0;
let written: usize = 0;
/** Triangles of Q and of K with the keys, times the decays. */
let scores: usize = 0;
let dScores: usize = 0;
/** Decays, panels over columns. */
let between: usize = 0;
let square: usize = 0;
/** Adjoints of what Q and what K read; panels over columns, then over rows. */
let r: usize = 0;
let turnedR: usize = 0;
let u: usize = 0;
let turnedU: usize = 0;
let vectors: usize = 0;

function layout(Kp: i32, Vp: i32): void {
  const key = <usize>(CHUNK * Kp) << 2;
  const value = <usize>(CHUNK * Vp) << 2;
  const state = <usize>(Kp * Vp) << 2;
  dState = scratch();
  turnedState = dState + state;
  gates = turnedState + state;
  x = gates + (<usize>GATES << 2);
  queries = x + 2 * key;
  keys = queries + key;
  dx = keys + key;
  written = dx + 2 * key;
  scores = written + key;
  dScores = scores + 2 * SQUARE;
  between = dScores + 2 * SQUARE;
  square = between + SQUARE;
  r = square + SQUARE;
  turnedR = r + 2 * value;
  u = turnedR + 2 * value;
  turnedU = u + value;
  vectors = turnedU + value;
}

/** Triangles of scores from x, and du in the second half of r from dO in the first. */
function solveAdjoints(Kp: i32, Vp: i32, varies: bool): void {
  const kRows = x + (<usize>(CHUNK * Kp) << 2);
  const rk = r + (<usize>(CHUNK * Vp) << 2);
  turnPanels(decays(gates), CHUNK, CHUNK, between);
  product(x, kRows, scores, CHUNK, CHUNK, Kp, CHUNK, BELOW, false);
  product(kRows, kRows, scores + SQUARE, CHUNK, CHUNK, Kp, CHUNK, BELOW, false);
  maskedTimes(scores, between, 0);
  maskedTimes(scores + SQUARE, between, 1);
  negated(scores + SQUARE, betas(gates), square);
  product(kRows, dState, rk, CHUNK, Vp, Kp, CHUNK, FULL, false);
  if (varies) scaleRows(rk, CHUNK, Vp, CHUNK, toEnd(gates));
  product(scores, r, rk, CHUNK, Vp, CHUNK, CHUNK, UPPER, true);
  solveUpper(square, rk, CHUNK, Vp);
}

/** Gradients of Q and K by reading the state, and `written` by writing into the one after; score gradients. */
function throughState(Kp: i32, Vp: i32, kept: usize, varies: bool): void {
  const value = <usize>(CHUNK * Vp) << 2;
  turnPanels(r, CHUNK, Vp, turnedR);
  turnPanels(r + value, CHUNK, Vp, turnedR + value);
  turnPanels(u, CHUNK, Vp, turnedU);
  turnPanels(dState, Kp, Vp, turnedState);
  product(turnedR, kept, dx, 2 * CHUNK, Kp, Vp, 2 * CHUNK, FULL, false);
  product(turnedR, turnedU, dScores, CHUNK, CHUNK, Vp, CHUNK, BELOW, false);
  product(turnedR + value, turnedU, dScores + SQUARE, CHUNK, CHUNK, Vp, CHUNK, BELOW, false);
  product(turnedU, turnedState, written, CHUNK, Kp, Vp, CHUNK, FULL, false);
  if (!varies) return;
  scaleRows(dx, CHUNK, Kp, 2 * CHUNK, fromStart(gates));
  scaleRows(dx + PANEL, CHUNK, Kp, 2 * CHUNK, fromStart(gates));
  scaleRows(written, CHUNK, Kp, CHUNK, toEnd(gates));
}

/** Gradients of the log-decays, in the first of `vectors`: sums of what crosses each, so that small ones keep digits. */
function decayGradients(Kp: i32, Vp: i32, kept: usize): void {
  memory.fill(vectors, 0, VECTOR);
  addCrossing(dScores, scores, vectors);
  addCrossing(dScores + SQUARE, scores + SQUARE, vectors);
  const reads = vectors + VECTOR;
  const writes = reads + VECTOR;
  dotRows(dx, 2 * CHUNK, queries, CHUNK, Kp, false, reads);
  dotRows(dx + PANEL, 2 * CHUNK, keys, CHUNK, Kp, true, reads);
  dotRows(written, CHUNK, keys, CHUNK, Kp, false, writes);
  addEnds(vectors, reads, writes, wholeDecay(gates) * dot(turnedState, kept, Kp * Vp));
}

/** Adds what goes by the scores within the chunk to the gradients of Q and K, and turns dState to the chunk's start. */
function withinChunk(Kp: i32, Vp: i32, varies: bool): void {
  const dk = dx + PANEL;
  maskedTimes(dScores, between, 0);
  maskedTimes(dScores + SQUARE, between, 1);
  addRows(dk, 2 * CHUNK, written, Kp);
  turnPanels(dScores, CHUNK, CHUNK, square);
  product(square, keys, dx, CHUNK, Kp, CHUNK, 2 * CHUNK, LOWER, true);
  turnPanels(dScores + SQUARE, CHUNK, CHUNK, square);
  product(square, keys, dk, CHUNK, Kp, CHUNK, 2 * CHUNK, LOWER, true);
  product(dScores, queries, dk, CHUNK, Kp, CHUNK, 2 * CHUNK, UPPER, true);
  product(dScores + SQUARE, keys, dk, CHUNK, Kp, CHUNK, 2 * CHUNK, UPPER, true);
  if (varies) {
    scaleAll(dState, Kp * Vp, wholeDecay(gates));
    scaleRows(queries, CHUNK, Kp, CHUNK, fromStart(gates));
    scaleRows(keys, CHUNK, Kp, CHUNK, fromStart(gates));
  }
  product(queries, r, dState, Kp, Vp, CHUNK, Kp, FULL, true);
  product(keys, r + (<usize>(CHUNK * Vp) << 2), dState, Kp, Vp, CHUNK, Kp, FULL, true);
}

/**
 * Gradients of all inputs. dq and dk are [rows, H, K], one a value head; dDecay and dInitial are written where given;
 * dy and dFinal may be 0. Units: sequences x H.
 */
export function deltaRuleBackward(
  start: i32, end: i32, q: usize, k: usize, beta: usize, decay: usize, states: usize, errors: usize, dy: usize,
  dFinal: usize, dq: usize, dk: usize, dv: usize, dBeta: usize, dDecay: usize, dInitial: usize, T: i32, G: i32,
  H: i32, K: i32, V: i32, cu: usize, scale: f32,
): void {
  const Kp = padded(K);
  const Vp = padded(V);
  const varies = decay != 0;
  const kStep = <usize>(G * K) << 2;
  const vStep = <usize>(H * V) << 2;
  layout(Kp, Vp);
  const rk = r + (<usize>(CHUNK * Vp) << 2);
  for (let unit = start; unit < end; unit++) {
    const s = unit / H;
    const h = unit - s * H;
    const first = firstRow(cu, s, T);
    const length = firstRow(cu, s + 1, T) - first;
    const own = (<usize>unit * <usize>(K * V)) << 2;
    loadColumns(dFinal + own, <usize>V << 2, dFinal ? K : 0, Kp, V, 0, dState);
    for (let c = (length + CHUNK - 1) / CHUNK - 1; c >= 0; c--) {
      const row = first + c * CHUNK;
      const count = min(CHUNK, length - c * CHUNK);
      const kAt = (<usize>(row * G + (h * G) / H) * <usize>K) << 2;
      const head = <usize>(row * H + h);
      const vAt = (head * <usize>V) << 2;
      const number = firstChunk(cu, s, T) + c;
      const kept = keptState(states, number, H, h, K, V);
      const error = keptErrors(errors, number, H, h, V);
      loadGates(beta, decay, row, count, H, h, gates);
      loadRows(q + kAt, kStep, count, CHUNK, K, x);
      loadRows(k + kAt, kStep, count, CHUNK, K, x + (<usize>(CHUNK * Kp) << 2));
      loadColumns(q + kAt, kStep, count, CHUNK, K, 0, queries);
      loadColumns(k + kAt, kStep, count, CHUNK, K, 0, keys);
      loadColumns(dy + vAt, vStep, dy ? count : 0, CHUNK, V, 0, r);
      if (scale != 1) scaleAll(r, CHUNK * Vp, scale);
      solveAdjoints(Kp, Vp, varies);
      dotRows(rk, CHUNK, error, CHUNK, Vp, false, vectors);
      storeGates(vectors, count, dBeta + (head << 2), H);
      scaleRows(rk, CHUNK, Vp, CHUNK, betas(gates));
      storeColumns(rk, CHUNK, count, V, 1, dv + vAt, vStep);
      scaleAll(rk, CHUNK * Vp, -1);
      memory.copy(u, error, <usize>(CHUNK * Vp) << 2);
      scaleRows(u, CHUNK, Vp, CHUNK, betas(gates));
      throughState(Kp, Vp, kept, varies);
      if (dDecay) {
        decayGradients(Kp, Vp, kept);
        storeGates(vectors, count, dDecay + (head << 2), H);
      }
      withinChunk(Kp, Vp, varies);
      const at = (head * <usize>K) << 2;
      storeColumns(dx, 2 * CHUNK, count, K, 1, dq + at, <usize>(H * K) << 2);
      storeColumns(dx + PANEL, 2 * CHUNK, count, K, 1, dk + at, <usize>(H * K) << 2);
    }
    if (dInitial) storeColumns(dState, Kp, K, V, 1, dInitial + own, <usize>V << 2);
  }
}
