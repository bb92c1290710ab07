// S_t = e^{g_t} S_{t-1} + k_t v_t^T; y_t = scale S_t^T q_t, in chunks and token by token.
// In a chunk, with P = Q K^T and S the state before it: Y = [diag(head) Q, P * L] [S; V] in one product, and
// S <- head_{n-1} S + (diag(tail) K)^T V. The rows of V are packed behind those of S, so one panel serves both.
import { expV, splat } from './math';
import { micro, packA, packB } from './gemm';
import { scratch } from './scratch';
import {
  CHUNK, DECAY_BYTES, L, clearRows4, firstSlot, fromPanels, head, packColumns, packTokens, placeDecays, prepareDecays,
  product, scaleBlock, scalePanel, sequenceBegin, tail, toPanels, transpose4, up8,
  weights,
} from './scalar-decay-common';

// Scratch of one unit, by address.
/** Panels [column / 8][up8(K) rows of S, CHUNK rows of V][8]. */
let state: usize = 0;
/** Left operand of four tokens: [up8(K) of their queries, CHUNK of P * L][4]. */
let left: usize = 0;
let query: usize = 0;
/** K transposed: [token / 8][up8(K)][8]. */
let keys: usize = 0;
let columns: usize = 0;
let spare: usize = 0;
let workEnd: usize = 0;

function place(K: i32, wide: i32): void {
  const high = up8(K);
  state = scratch() + DECAY_BYTES;
  left = state + ((<usize>(high + CHUNK) * up8(wide)) << 2);
  query = left + (<usize>(high + CHUNK) << 4);
  keys = query + (<usize>high << 4);
  columns = keys + ((<usize>high * CHUNK) << 2);
  spare = columns + (CHUNK << 4);
  workEnd = spare + 128;
  placeDecays(scratch());
}

/** Scratch bytes of `scalarDecayChunk`. */
export function scalarDecayChunkBytes(K: i32, wide: i32): i32 {
  place(K, wide);
  return <i32>(workEnd - scratch());
}

/** Rows i .. i + 3 of P * L behind the weighted queries in `left`, as [token j][4]. */
function scores(i: i32, n: i32, K: i32): void {
  const last = min(n, i + 4);
  const high = up8(K);
  for (let j = 0; j < last; j += 8) {
    micro(query, keys + ((<usize>j * high) << 2), 32, K, spare, 32, false, 0);
    for (let half = 0; half < 8; half += 4) {
      const j4 = j + half;
      if (j4 >= last) break;
      const from = spare + (<usize>half << 2);
      const row = L + ((<usize>i * CHUNK + j4) << 2);
      const lanes = i32x4.add(i32x4.splat(j4), i32x4(0, 1, 2, 3));
      // Rows beyond the chunk are 0 by the padding of the queries; L is read from a row that exists.
      const r1 = <usize>min(1, last - 1 - i) * (CHUNK * 4);
      const r2 = <usize>min(2, last - 1 - i) * (CHUNK * 4);
      const r3 = <usize>min(3, last - 1 - i) * (CHUNK * 4);
      const p0 = f32x4.mul(v128.load(from), v128.load(row));
      const p1 = f32x4.mul(v128.load(from, 32), v128.load(row + r1));
      const p2 = f32x4.mul(v128.load(from, 64), v128.load(row + r2));
      const p3 = f32x4.mul(v128.load(from, 96), v128.load(row + r3));
      transpose4(
        v128.and(p0, i32x4.le_s(lanes, i32x4.splat(i))),
        v128.and(p1, i32x4.le_s(lanes, i32x4.splat(i + 1))),
        v128.and(p2, i32x4.le_s(lanes, i32x4.splat(i + 2))),
        v128.and(p3, i32x4.le_s(lanes, i32x4.splat(i + 3))),
        left + (<usize>(high + j4) << 4), 16,
      );
    }
  }
}

/** y of one chunk, then the state behind it. Pointers at the first token; steps in bytes between tokens. */
function chunk(
  q: usize, k: usize, keyStep: usize, v: usize, y: usize, valueStep: usize, n: i32, K: i32, w: i32, scale: f32,
): void {
  const high = up8(K);
  const panel = <usize>(high + CHUNK) << 5;
  packTokens(v, valueStep, n, w, 1, state + (<usize>high << 5), panel);
  for (let j = 0; j < n; j += 8) {
    packB(k + <usize>j * keyStep, 1, <i32>(keyStep >> 2), min(8, n - j), K, keys + ((<usize>j * high) << 2));
  }
  for (let i = 0; i < n; i += 4) {
    packA(q + <usize>i * keyStep, <i32>(keyStep >> 2), 1, min(4, n - i), K, query);
    scalePanel(query, splat(scale), K, query);
    scalePanel(query, weights(head + (<usize>i << 2), n - i), K, left);
    scores(i, n, K);
    const depth = high + min(n, i + 4);
    for (let c = 0; c < w; c += 8) {
      const to = y + <usize>i * valueStep + (<usize>c << 2);
      product(left, state + <usize>(c >> 3) * panel, depth, to, valueStep, n - i, w - c, spare);
    }
  }
  for (let c = 0; c < w; c += 8) {
    scaleBlock(state + <usize>(c >> 3) * panel, load<f32>(head + (<usize>(n - 1) << 2)), <usize>high << 5);
  }
  for (let r = 0; r < K; r += 4) {
    packColumns(k, keyStep, n, r, K, tail, columns);
    for (let c = 0; c < w; c += 8) {
      const at = state + <usize>(c >> 3) * panel;
      micro(columns, at + (<usize>high << 5), 32, n, at + (<usize>r << 5), 32, true, 0);
    }
  }
}

/** Copies the state of the unit to a stored one, [column / 8][up8(K)][8]. */
function keep(to: usize, K: i32, w: i32): void {
  const bytes = <usize>up8(K) << 5;
  for (let c = 0; c < w; c += 8) {
    memory.copy(to, state + <usize>(c >> 3) * (bytes + (CHUNK << 5)), bytes);
    to += bytes;
  }
}

/** The state before the first token: rows of `initial`, or zeros. Padding is zero. */
function begin(initial: usize, V: i32, K: i32, w: i32): void {
  const high = up8(K);
  const panel = <usize>(high + CHUNK) << 5;
  for (let c = 0; c < w; c += 8) memory.fill(state + <usize>(c >> 3) * panel, 0, <usize>high << 5);
  if (initial) packTokens(initial, <usize>V << 2, K, w, 1, state, panel);
  clearRows4(left, K, high);
}

/**
 * Units: sequences x H x tiles of `wide` value columns. decay [B,T,H], [H] with `fixed`, or 0. `kept` (or 0) gets the
 * state before every chunk: [slot][H][tile][up8(K) up8(min(wide, V))].
 */
export function scalarDecayChunk(
  start: i32, end: i32, q: usize, k: usize, v: usize, decay: usize, initial: usize, y: usize, final: usize,
  kept: usize, T: i32, G: i32, H: i32, K: i32, V: i32, cu: usize, scale: f32, fixed: i32, wide: i32,
): void {
  place(K, wide);
  const tiles = (V + wide - 1) / wide;
  const keptBytes = (<usize>up8(K) * up8(min(wide, V))) << 2;
  const keyStep = <usize>(G * K) << 2;
  const valueStep = <usize>(H * V) << 2;
  for (let u = start; u < end; u++) {
    const tile = u % tiles;
    const h = (u / tiles) % H;
    const s = u / tiles / H;
    const first = sequenceBegin(cu, s, T);
    const stop = sequenceBegin(cu, s + 1, T);
    const c0 = tile * wide;
    const w = min(wide, V - c0);
    const row = ((<usize>(s * H + h) * K) * V + c0) << 2;
    begin(initial ? initial + row : 0, V, K, w);
    for (let t = first; t < stop; t += CHUNK) {
      const n = min(CHUNK, stop - t);
      const slot = firstSlot(cu, s, T) + (t - first) / CHUNK;
      if (kept) keep(kept + <usize>((slot * H + h) * tiles + tile) * keptBytes, K, w);
      const gate = fixed ? h : t * H + h;
      prepareDecays(decay ? decay + (<usize>gate << 2) : 0, fixed ? 0 : <usize>H << 2, n);
      const key = (<usize>(t * G + h * G / H) * K) << 2;
      const value = (<usize>(t * H + h) * V + c0) << 2;
      chunk(q + key, k + key, keyStep, v + value, y + value, valueStep, n, K, w, scale);
    }
    fromPanels(state, <usize>(up8(K) + CHUNK) << 5, K, w, final + row, <usize>V << 2);
  }
}

/** One token on 16 columns of the state, rows `row` bytes apart: S = a S + k v^T and y = scale S^T q. */
function token16(S: usize, row: usize, q: usize, k: usize, v: usize, y: usize, K: i32, a: v128, scale: v128): void {
  const v0 = v128.load(v);
  const v1 = v128.load(v, 16);
  const v2 = v128.load(v, 32);
  const v3 = v128.load(v, 48);
  let y0 = splat(0);
  let y1 = splat(0);
  let y2 = splat(0);
  let y3 = splat(0);
  const end = k + (<usize>K << 2);
  while (k < end) {
    const kk = v128.load32_splat(k);
    const qq = v128.load32_splat(q);
    const s0 = f32x4.add(f32x4.mul(a, v128.load(S)), f32x4.mul(kk, v0));
    const s1 = f32x4.add(f32x4.mul(a, v128.load(S, 16)), f32x4.mul(kk, v1));
    const s2 = f32x4.add(f32x4.mul(a, v128.load(S, 32)), f32x4.mul(kk, v2));
    const s3 = f32x4.add(f32x4.mul(a, v128.load(S, 48)), f32x4.mul(kk, v3));
    v128.store(S, s0);
    v128.store(S, s1, 16);
    v128.store(S, s2, 32);
    v128.store(S, s3, 48);
    y0 = f32x4.add(y0, f32x4.mul(qq, s0));
    y1 = f32x4.add(y1, f32x4.mul(qq, s1));
    y2 = f32x4.add(y2, f32x4.mul(qq, s2));
    y3 = f32x4.add(y3, f32x4.mul(qq, s3));
    S += row;
    k += 4;
    q += 4;
  }
  v128.store(y, f32x4.mul(y0, scale));
  v128.store(y, f32x4.mul(y1, scale), 16);
  v128.store(y, f32x4.mul(y2, scale), 32);
  v128.store(y, f32x4.mul(y3, scale), 48);
}

/** The same on one column. */
function token1(S: usize, row: usize, q: usize, k: usize, v: f32, K: i32, a: f32): f32 {
  let sum: f32 = 0;
  for (let i = 0; i < K; i++) {
    const s = a * load<f32>(S) + load<f32>(k + (<usize>i << 2)) * v;
    store<f32>(S, s);
    sum += load<f32>(q + (<usize>i << 2)) * s;
    S += row;
  }
  return sum;
}

/** One token on w columns. */
function token(S: usize, row: usize, q: usize, k: usize, v: usize, y: usize, K: i32, w: i32, g: f32, scale: f32): void {
  const a = expV(splat(g));
  const whole = <usize>(w & ~15) << 2;
  let c: usize = 0;
  for (; c < whole; c += 64) token16(S + c, row, q, k, v + c, y + c, K, a, splat(scale));
  for (; c < <usize>w << 2; c += 4) {
    store<f32>(y + c, scale * token1(S + c, row, q, k, load<f32>(v + c), K, f32x4.extract_lane(a, 0)));
  }
}

/** The recurrence; units and `kept` as in `scalarDecayChunk`. The state is worked on in `final`. */
export function scalarDecayRecurrent(
  start: i32, end: i32, q: usize, k: usize, v: usize, decay: usize, initial: usize, y: usize, final: usize,
  kept: usize, T: i32, G: i32, H: i32, K: i32, V: i32, cu: usize, scale: f32, fixed: i32, wide: i32,
): void {
  const tiles = (V + wide - 1) / wide;
  const keptBytes = (<usize>up8(K) * up8(min(wide, V))) << 2;
  const row = <usize>V << 2;
  for (let u = start; u < end; u++) {
    const tile = u % tiles;
    const h = (u / tiles) % H;
    const s = u / tiles / H;
    const first = sequenceBegin(cu, s, T);
    const stop = sequenceBegin(cu, s + 1, T);
    const c0 = tile * wide;
    const w = min(wide, V - c0);
    const at = ((<usize>(s * H + h) * K) * V + c0) << 2;
    const S = final + at;
    for (let i: usize = 0; i < <usize>K * row; i += row) {
      if (initial) memory.copy(S + i, initial + at + i, <usize>w << 2);
      else memory.fill(S + i, 0, <usize>w << 2);
    }
    for (let t = first; t < stop; t++) {
      if (kept && (t - first) % CHUNK == 0) {
        const slot = firstSlot(cu, s, T) + (t - first) / CHUNK;
        toPanels(S, row, K, w, up8(K), kept + <usize>((slot * H + h) * tiles + tile) * keptBytes);
      }
      const g: f32 = decay ? load<f32>(decay + (<usize>(fixed ? h : t * H + h) << 2)) : 0;
      const key = (<usize>(t * G + h * G / H) * K) << 2;
      const value = (<usize>(t * H + h) * V + c0) << 2;
      token(S, row, q + key, k + key, v + value, y + value, K, w, g, scale);
    }
  }
}
