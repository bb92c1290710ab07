// The recurrent form, forward: eight columns of the state at a time over 16 tokens. One pass over the state a token:
// decay, correct, write, read, and what the next token's correction reads.
import { madd, splat } from './math';
import { GEMM_SCRATCH } from './gemm';
import { sequenceStart } from './scan-common';
import { scratch } from './scratch';
import {
  A, B, CHUNK, giveRows, giveState, KEEP, keptSlot, KEPT, KEY, lanesOf, Q, takeChunk, takeRows, takeState, WIDTH,
} from './dplr-common';

/** Bytes between the numbers of one key of one token: e^g, b, k, q, and a of the next token. */
export const ITEM: usize = 32;

/** The rows of a chunk as items [n][K]; the last token's next a is 0. */
export function itemsOf(rows: usize, n: i32, K: i32, lanes: i32, items: usize): void {
  const row = <usize>lanes << 2;
  const part = <usize>CHUNK * row;
  for (let t = 0; t < n; t++) {
    for (let i = 0; i < K; i++) {
      const at = rows + <usize>t * row + (<usize>i << 2);
      store<f32>(items, load<f32>(at + <usize>KEEP * part), 0);
      store<f32>(items, load<f32>(at + <usize>B * part), 4);
      store<f32>(items, load<f32>(at + <usize>KEY * part), 8);
      store<f32>(items, load<f32>(at + <usize>Q * part), 12);
      store<f32>(items, t + 1 < n ? load<f32>(at + <usize>A * part + row) : 0, 16);
      items += ITEM;
    }
  }
}

/** r = a^T S on eight columns, S [K] rows of `row` bytes. */
export function readState(a: usize, state: usize, row: usize, K: i32, r: usize): void {
  let r0 = splat(0);
  let r1 = splat(0);
  for (let i = 0; i < K; i++) {
    const f = v128.load32_splat(a + (<usize>i << 2));
    r0 = madd(f, v128.load(state), r0);
    r1 = madd(f, v128.load(state, 16), r1);
    state += row;
  }
  v128.store(r, r0);
  v128.store(r, r1, 16);
}

/**
 * One token on eight columns: `to` = Diag(e^g) S + b r^T + k v^T (to may be S). y = its read by q; r becomes what the
 * next token's a reads.
 */
export function stepColumns(
  items: usize, from: usize, row: usize, to: usize, toRow: usize, K: i32, v: usize, r: usize, next: usize, y: usize,
): void {
  const v0 = v128.load(v);
  const v1 = v128.load(v, 16);
  const r0 = v128.load(r);
  const r1 = v128.load(r, 16);
  let y0 = splat(0);
  let y1 = splat(0);
  let n0 = splat(0);
  let n1 = splat(0);
  const end = items + <usize>K * ITEM;
  while (items < end) {
    let f = v128.load32_splat(items, 0);
    let s0 = f32x4.mul(f, v128.load(from));
    let s1 = f32x4.mul(f, v128.load(from, 16));
    f = v128.load32_splat(items, 4);
    s0 = madd(f, r0, s0);
    s1 = madd(f, r1, s1);
    f = v128.load32_splat(items, 8);
    s0 = madd(f, v0, s0);
    s1 = madd(f, v1, s1);
    v128.store(to, s0);
    v128.store(to, s1, 16);
    f = v128.load32_splat(items, 12);
    y0 = madd(f, s0, y0);
    y1 = madd(f, s1, y1);
    f = v128.load32_splat(items, 16);
    n0 = madd(f, s0, n0);
    n1 = madd(f, s1, n1);
    items += ITEM;
    from += row;
    to += toRow;
  }
  v128.store(y, y0);
  v128.store(y, y1, 16);
  v128.store(next, n0);
  v128.store(next, n1, 16);
}

/** Units: dplrUnits. h0, kept may be 0; kept [slots, H, K, V] gets the state before every 64th token. */
export function dplrRecurrent(
  start: i32, end: i32, q: usize, k: usize, v: usize, a: usize, b: usize, g: usize, h0: usize, y: usize, final: usize,
  kept: usize, T: i32, H: i32, K: i32, V: i32, scale: f32, cu: usize,
): void {
  const lanes = lanesOf(K);
  const tiles = (V + WIDTH - 1) / WIDTH;
  const part = (<usize>(CHUNK * lanes)) << 2;
  const rows = scratch() + GEMM_SCRATCH;
  const items = rows + 5 * part;
  const vs = items + <usize>CHUNK * K * ITEM;
  const ys = vs + ((<usize>(CHUNK * WIDTH)) << 2);
  const r = ys + ((<usize>(CHUNK * WIDTH)) << 2);
  const state = r + 32;
  for (let unit = start; unit < end; unit++) {
    const sh = unit / tiles;
    const v0 = (unit - sh * tiles) * WIDTH;
    const s = sh / H;
    const h = sh - s * H;
    const w = min(WIDTH, V - v0);
    const stride = (w + 7) & ~7;
    const size = <usize>K * V;
    const edge = ((<usize>sh * size) + v0) << 2;
    const row = <usize>stride << 2;
    takeState(h0 ? h0 + edge : 0, K, V, w, stride, state);
    const t0 = sequenceStart(cu, s, T);
    const t1 = sequenceStart(cu, s + 1, T);
    for (let p = t0; p < t1; p += CHUNK) {
      const n = min(CHUNK, t1 - p);
      if (kept && (p - t0) % KEPT == 0) {
        const slot = keptSlot(t0, s) + (p - t0) / KEPT;
        giveState(state, K, V, w, stride, kept + (((<usize>slot * H + h) * size + v0) << 2));
      }
      const valueAt = ((<usize>p * H + h) * V + v0) << 2;
      const valueRow = (<usize>H * V) << 2;
      takeChunk(rows, q, k, a, b, g, p, n, H, h, K, scale);
      itemsOf(rows, n, K, lanes, items);
      takeRows(v + valueAt, valueRow, n, w, stride, 1, vs);
      for (let j: usize = 0; j < row; j += 32) {
        readState(rows + <usize>A * part, state + j, row, K, r);
        for (let t = 0; t < n; t++) {
          const at = <usize>t * row + j;
          stepColumns(items + <usize>(t * K) * ITEM, state + j, row, state + j, row, K, vs + at, r, r, ys + at);
        }
      }
      giveRows(ys, n, w, stride, y + valueAt, valueRow, false);
    }
    giveState(state, K, V, w, stride, final + edge);
  }
}
