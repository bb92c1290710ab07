// Gradients of the chunked scalar-decay recurrence. With o_i = scale dy_i, P = Q K^T, A = O V^T, X = A * L, W = P * L, S
// the state before the chunk and D the gradient of the state behind it (* between matrices is element by element):
//   dq_i = sum_{j<=i} X_ij k_j + head_i S o_i          dk_j = sum_{i>=j} X_ij q_i + tail_j D v_j
//   dv_j = sum_{i>=j} W_ij o_i + tail_j D^T k_j        D <- head_{n-1} D + sum_i head_i q_i o_i^T
// Everything that passes through token t's decay is a pair of a source before t and a reader from t on, so
//   dg_t = sum_{i>=t>j} (X * P)_ij + sum_{i>=t} head_i q_i.(S o_i) + sum_{j<t} tail_j k_j.(D v_j) + head_{n-1} <S, D>.
// Sums of what is there, no difference of large sums: under strong decay dg keeps its digits.
import { hsum, splat } from './math';
import { micro, packA, packB } from './gemm';
import { scratch } from './scratch';
import {
  CHUNK, DECAY_BYTES, L, clearRows4, firstSlot, fromPanels, head, packColumns, packTokens, placeDecays, prepareDecays,
  scaleBlock, scalePanel, sequenceBegin, tail, toPanels, transpose4, up8, weights,
} from './scalar-decay-common';

const ROW: usize = CHUNK * 4;

// Scratch of one unit, by address; [depth][8] panels unless said otherwise. high = up8(K), broad = up8(w).
let keys: usize = 0; // K transposed: [token / 8][high]
let values: usize = 0; // V transposed: [token / 8][broad]
let kRows: usize = 0; // [key / 8][CHUNK]
let qRows: usize = 0;
let oRows: usize = 0; // [column / 8][CHUNK]
let before: usize = 0; // S transposed: [key / 8][broad]
let adjoint: usize = 0; // D: [column / 8][high]
let turned: usize = 0; // D transposed: [key / 8][broad]
let q4: usize = 0; // [high][4], four tokens
let o4: usize = 0; // [broad][4]
let weighted: usize = 0; // [max(high, broad)][4]
let xRows: usize = 0; // X of four tokens: [CHUNK][4]
let xColumns: usize = 0; // [token j / 4][token i][4]
let wColumns: usize = 0;
let pairs: usize = 0; // X * P: rows of CHUNK
let read: usize = 0; // head_i q_i.(S o_i) [CHUNK]
let written: usize = 0; // tail_j k_j.(D v_j) [CHUNK]
let column: usize = 0; // running sums over rows of `pairs` [CHUNK]
let spare: usize = 0; // two 4 x 8 tiles
let lines: usize = 0; // [4][max(high, broad)]
let workEnd: usize = 0;

// @ts-ignore: decorator
@inline function take(at: usize, floats: i32): usize {
  return at + (<usize>floats << 2);
}

function place(K: i32, wide: i32): void {
  const high = up8(K);
  const broad = up8(wide);
  const most = max(high, broad);
  placeDecays(scratch());
  keys = scratch() + DECAY_BYTES;
  values = take(keys, CHUNK * high);
  kRows = take(values, CHUNK * broad);
  qRows = take(kRows, CHUNK * high);
  oRows = take(qRows, CHUNK * high);
  before = take(oRows, CHUNK * broad);
  adjoint = take(before, high * broad);
  turned = take(adjoint, high * broad);
  q4 = take(turned, high * broad);
  o4 = take(q4, 4 * high);
  weighted = take(o4, 4 * broad);
  xRows = take(weighted, 4 * most);
  xColumns = take(xRows, 4 * CHUNK);
  wColumns = take(xColumns, CHUNK * CHUNK);
  pairs = take(wColumns, CHUNK * CHUNK);
  read = take(pairs, CHUNK * CHUNK);
  written = take(read, CHUNK);
  column = take(written, CHUNK);
  spare = take(column, CHUNK);
  lines = take(spare, 64);
  workEnd = take(lines, 4 * most);
}

/** Scratch bytes of `scalarDecayBackward`. */
export function scalarDecayBackwardBytes(K: i32, wide: i32): i32 {
  place(K, wide);
  return <i32>(workEnd - scratch());
}

/** Panels [column / 8][rows][8] transposed to [row / 8][columns][8]; both sizes are multiples of 8. */
function turn(from: usize, rows: i32, columns: i32, to: usize): void {
  for (let c = 0; c < columns; c += 8) {
    for (let r = 0; r < rows; r += 4) {
      const at = from + ((<usize>c * rows + <usize>r * 8) << 2);
      const out = to + ((<usize>(r & ~7) * columns + <usize>c * 8 + <usize>(r & 4)) << 2);
      transpose4(v128.load(at), v128.load(at, 32), v128.load(at, 64), v128.load(at, 96), out, 32);
      transpose4(v128.load(at, 16), v128.load(at, 48), v128.load(at, 80), v128.load(at, 112), out + 128, 32);
    }
  }
}

/** sum x y over `count` numbers in four lanes; count is a multiple of 4. */
function dot(x: usize, y: usize, count: i32): f32 {
  let sum = splat(0);
  const end = x + (<usize>count << 2);
  while (x < end) {
    sum = f32x4.add(sum, f32x4.mul(v128.load(x), v128.load(y)));
    x += 16;
    y += 16;
  }
  return hsum(sum);
}

/** sum x y over `count` numbers, any count. */
function dotAny(x: usize, y: usize, count: i32): f32 {
  const whole = count & ~3;
  let sum = dot(x, y, whole);
  for (let i = whole; i < count; i++) sum += load<f32>(x + (<usize>i << 2)) * load<f32>(y + (<usize>i << 2));
  return sum;
}

/** One row of a tile: X and W to the columns' panels, X * P to `pairs`; gives X. */
// @ts-ignore: decorator
@inline function pairRow(i: i32, j: i32, lanes: v128, p: usize, a: usize, grads: bool): v128 {
  const mask = i32x4.le_s(lanes, i32x4.splat(i));
  const l = v128.load(L + <usize>i * ROW + (<usize>j << 2));
  const P = v128.and(v128.load(p), mask);
  const X = v128.and(f32x4.mul(v128.load(a), l), mask);
  const at = (<usize>(j >> 2) * CHUNK + <usize>i) << 4;
  v128.store(xColumns + at, X);
  v128.store(wColumns + at, f32x4.mul(P, l));
  if (grads) v128.store(pairs + <usize>i * ROW + (<usize>j << 2), f32x4.mul(X, P));
  return X;
}

/** Rows i .. i + 3 of X, W and X * P from the packed q4 and o4. Rows beyond n go to lines that nobody reads. */
function pairsOf(i: i32, n: i32, K: i32, w: i32, grads: bool): void {
  const last = min(n, i + 4);
  for (let j = 0; j < last; j += 8) {
    micro(q4, keys + ((<usize>j * up8(K)) << 2), 32, K, spare, 32, false, 0);
    micro(o4, values + ((<usize>j * up8(w)) << 2), 32, w, spare + 128, 32, false, 0);
    for (let half = 0; half < 8 && j + half < last; half += 4) {
      const j4 = j + half;
      const at = spare + (<usize>half << 2);
      const lanes = i32x4.add(i32x4.splat(j4), i32x4(0, 1, 2, 3));
      const x0 = pairRow(i, j4, lanes, at, at + 128, grads);
      const x1 = i + 1 < n ? pairRow(i + 1, j4, lanes, at + 32, at + 160, grads) : splat(0);
      const x2 = i + 2 < n ? pairRow(i + 2, j4, lanes, at + 64, at + 192, grads) : splat(0);
      const x3 = i + 3 < n ? pairRow(i + 3, j4, lanes, at + 96, at + 224, grads) : splat(0);
      transpose4(x0, x1, x2, x3, xRows + (<usize>j4 << 4), 16);
    }
  }
}

/** to[r] = lines[r] for the rows there are. */
function putLines(step: usize, rows: i32, columns: i32, to: usize, toStep: usize): void {
  for (let r = 0; r < rows; r++) memory.copy(to + <usize>r * toStep, lines + <usize>r * step, <usize>columns << 2);
}

/** dq of tokens i .. i + 3. Pointers at the chunk's first token. */
function queryGradient(i: i32, n: i32, K: i32, w: i32, q: usize, keyStep: usize, dq: usize, dqStep: usize, grads: bool): void {
  const step = <usize>up8(K) << 2;
  const last = min(n, i + 4);
  scalePanel(o4, weights(head + (<usize>i << 2), n - i), w, weighted);
  for (let c = 0; c < K; c += 8) {
    micro(weighted, before + ((<usize>c * up8(w)) << 2), 32, w, lines + (<usize>c << 2), step, false, 0);
  }
  if (grads) {
    for (let r = i; r < last; r++) {
      store<f32>(read + (<usize>r << 2), dotAny(q + <usize>r * keyStep, lines + <usize>(r - i) * step, K));
    }
  }
  for (let c = 0; c < K; c += 8) {
    micro(xRows, kRows + ((<usize>c * CHUNK) << 2), 32, last, lines + (<usize>c << 2), step, true, 0);
  }
  putLines(step, last - i, K, dq + <usize>i * dqStep, dqStep);
}

/** dk of tokens j .. j + 3. */
function keyGradient(
  j: i32, n: i32, K: i32, w: i32, k: usize, keyStep: usize, v: usize, valueStep: usize, dk: usize, dkStep: usize,
  grads: bool,
): void {
  const step = <usize>up8(K) << 2;
  const last = min(n, j + 4);
  packA(v + <usize>j * valueStep, <i32>(valueStep >> 2), 1, last - j, w, o4);
  scalePanel(o4, weights(tail + (<usize>j << 2), n - j), w, weighted);
  for (let c = 0; c < K; c += 8) {
    micro(weighted, turned + ((<usize>c * up8(w)) << 2), 32, w, lines + (<usize>c << 2), step, false, 0);
  }
  if (grads) {
    for (let r = j; r < last; r++) {
      store<f32>(written + (<usize>r << 2), dotAny(k + <usize>r * keyStep, lines + <usize>(r - j) * step, K));
    }
  }
  const own = xColumns + ((<usize>(j >> 2) * CHUNK + <usize>j) << 4);
  for (let c = 0; c < K; c += 8) {
    micro(own, qRows + ((<usize>c * CHUNK + <usize>j * 8) << 2), 32, n - j, lines + (<usize>c << 2), step, true, 0);
  }
  putLines(step, last - j, K, dk + <usize>j * dkStep, dkStep);
}

/** dv of tokens j .. j + 3. */
function valueGradient(j: i32, n: i32, K: i32, w: i32, k: usize, keyStep: usize, dv: usize, valueStep: usize): void {
  const step = <usize>up8(w) << 2;
  const last = min(n, j + 4);
  packA(k + <usize>j * keyStep, <i32>(keyStep >> 2), 1, last - j, K, q4);
  scalePanel(q4, weights(tail + (<usize>j << 2), n - j), K, weighted);
  const own = wColumns + ((<usize>(j >> 2) * CHUNK + <usize>j) << 4);
  for (let c = 0; c < w; c += 8) {
    micro(weighted, adjoint + ((<usize>c * up8(K)) << 2), 32, K, lines + (<usize>c << 2), step, false, 0);
    micro(own, oRows + ((<usize>c * CHUNK + <usize>j * 8) << 2), 32, n - j, lines + (<usize>c << 2), step, true, 0);
  }
  putLines(step, last - j, w, dv + <usize>j * valueStep, valueStep);
}

/** dg of a chunk; `through` is head_{n-1} <S, D>. */
function decayGradient(n: i32, through: f32, dg: usize, dgStep: usize): void {
  let sum = through;
  for (let t = 0; t < n; t++) {
    store<f32>(dg + <usize>t * dgStep, sum);
    sum += load<f32>(written + (<usize>t << 2));
  }
  memory.fill(column, 0, ROW);
  let after: f32 = 0;
  for (let t = n - 1; t >= 0; t--) {
    const row = pairs + <usize>t * ROW;
    let total = splat(0);
    for (let j = 0; j < t; j += 4) {
      const at = <usize>j << 2;
      const lanes = i32x4.add(i32x4.splat(j), i32x4(0, 1, 2, 3));
      const running = f32x4.add(v128.load(column + at), v128.load(row + at));
      v128.store(column + at, running);
      total = f32x4.add(total, v128.and(running, i32x4.lt_s(lanes, i32x4.splat(t))));
    }
    after += load<f32>(read + (<usize>t << 2));
    const to = dg + <usize>t * dgStep;
    store<f32>(to, load<f32>(to) + (after + hsum(total)));
  }
}

/** D <- head_{n-1} D + sum_i head_i q_i o_i^T. */
function carryAdjoint(n: i32, K: i32, w: i32, q: usize, keyStep: usize): void {
  const high = up8(K);
  scaleBlock(adjoint, load<f32>(head + (<usize>(n - 1) << 2)), (<usize>high * up8(w)) << 2);
  for (let r = 0; r < K; r += 4) {
    packColumns(q, keyStep, n, r, K, head, xRows);
    for (let c = 0; c < w; c += 8) {
      micro(xRows, oRows + ((<usize>c * CHUNK) << 2), 32, n, adjoint + ((<usize>c * high + <usize>r * 8) << 2), 32, true, 0);
    }
  }
}

/** What the products of a chunk read; `kept` is the state before it. */
function packChunk(
  n: i32, K: i32, w: i32, q: usize, k: usize, keyStep: usize, v: usize, dy: usize, valueStep: usize, scale: f32,
  kept: usize,
): void {
  const high = up8(K);
  const broad = up8(w);
  for (let j = 0; j < n; j += 8) {
    const count = min(8, n - j);
    packB(k + <usize>j * keyStep, 1, <i32>(keyStep >> 2), count, K, keys + ((<usize>j * high) << 2));
    packB(v + <usize>j * valueStep, 1, <i32>(valueStep >> 2), count, w, values + ((<usize>j * broad) << 2));
  }
  packTokens(k, keyStep, n, K, 1, kRows, ROW << 3);
  packTokens(q, keyStep, n, K, 1, qRows, ROW << 3);
  packTokens(dy, valueStep, n, w, scale, oRows, ROW << 3);
  turn(kept, high, broad, before);
  turn(adjoint, high, broad, turned);
}

/**
 * Units as in `scalarDecayChunk`. dq, dk [B,T,G,parts,K] with parts = H / G x tiles; dg [B,T,H,tiles] or 0; dv [B,T,H,V];
 * dinitial [S,H,K,V] or 0. dfinal may be 0.
 */
export function scalarDecayBackward(
  start: i32, end: i32, q: usize, k: usize, v: usize, decay: usize, kept: usize, dy: usize, dfinal: usize, dq: usize,
  dk: usize, dv: usize, dg: usize, dinitial: usize, T: i32, G: i32, H: i32, K: i32, V: i32, cu: usize, scale: f32,
  fixed: i32, wide: i32,
): void {
  place(K, wide);
  const tiles = (V + wide - 1) / wide;
  const keptBytes = (<usize>up8(K) * up8(min(wide, V))) << 2;
  const keyStep = <usize>(G * K) << 2;
  const valueStep = <usize>(H * V) << 2;
  const parts = (H / G) * tiles;
  const partStep = keyStep * parts;
  const grads = dg != 0;
  for (let u = start; u < end; u++) {
    const tile = u % tiles;
    const h = (u / tiles) % H;
    const s = u / tiles / H;
    const first = sequenceBegin(cu, s, T);
    const stop = sequenceBegin(cu, s + 1, T);
    const c0 = tile * wide;
    const w = min(wide, V - c0);
    const g = h * G / H;
    const part = (h - g * (H / G)) * tiles + tile;
    const row = ((<usize>(s * H + h) * K) * V + c0) << 2;
    const size = (<usize>up8(K) * up8(w)) << 2;
    if (dfinal) toPanels(dfinal + row, <usize>V << 2, K, w, up8(K), adjoint);
    else memory.fill(adjoint, 0, size);
    const chunks = (stop - first + CHUNK - 1) / CHUNK;
    for (let c = chunks - 1; c >= 0; c--) {
      const t = first + c * CHUNK;
      const n = min(CHUNK, stop - t);
      const state = kept + <usize>(((firstSlot(cu, s, T) + c) * H + h) * tiles + tile) * keptBytes;
      const gate = fixed ? h : t * H + h;
      prepareDecays(decay ? decay + (<usize>gate << 2) : 0, fixed ? 0 : <usize>H << 2, n);
      const key = (<usize>(t * G + g) * K) << 2;
      const value = (<usize>(t * H + h) * V + c0) << 2;
      const to = (<usize>((t * G + g) * parts + part) * K) << 2;
      packChunk(n, K, w, q + key, k + key, keyStep, v + value, dy + value, valueStep, scale, state);
      for (let i = 0; i < n; i += 4) {
        packA(q + key + <usize>i * keyStep, <i32>(keyStep >> 2), 1, min(4, n - i), K, q4);
        packA(dy + value + <usize>i * valueStep, <i32>(valueStep >> 2), 1, min(4, n - i), w, o4);
        scalePanel(o4, splat(scale), w, o4);
        pairsOf(i, n, K, w, grads);
        queryGradient(i, n, K, w, q + key, keyStep, dq + to, partStep, grads);
      }
      for (let j = 0; j < n; j += 4) {
        keyGradient(j, n, K, w, k + key, keyStep, v + value, valueStep, dk + to, partStep, grads);
        valueGradient(j, n, K, w, k + key, keyStep, dv + value, valueStep);
      }
      if (grads) {
        const through = load<f32>(head + (<usize>(n - 1) << 2)) * dot(state, adjoint, up8(K) * up8(w));
        const step = <usize>(H * tiles) << 2;
        decayGradient(n, through, dg + (<usize>((t * H + h) * tiles + tile) << 2), step);
      }
      carryAdjoint(n, K, w, q + key, keyStep);
    }
    if (dinitial) fromPanels(adjoint, <usize>up8(K) << 5, K, w, dinitial + row, <usize>V << 2);
  }
}
