// The recurrent form, backward: from a kept state the states of 16 tokens are computed again, eight columns at a time,
// and the adjoint G of the state goes back through them token by token. Nothing is inverted.
import { madd, splat } from './math';
import { GEMM_SCRATCH } from './gemm';
import { sequenceStart } from './scan-common';
import { scratch } from './scratch';
import {
  A, CHUNK, giveRows, giveState, groupOf, hsum4, keptSlot, KEPT, lanesOf, takeChunk, takeRows, takeState, WIDTH,
} from './dplr-common';
import { ITEM, itemsOf, readState, stepColumns } from './dplr-recurrent';

/** Bytes of a row of eight columns. */
const LINE: usize = 32;

/** G += q dy^T; x = G^T b, dv = G^T k; dots[i] gets four partial sums of S_i . dy. */
function enter(
  items: usize, adjoint: usize, row: usize, after: usize, K: i32, dy: usize, x: usize, dv: usize, dots: usize,
): void {
  const d0 = v128.load(dy);
  const d1 = v128.load(dy, 16);
  let x0 = splat(0);
  let x1 = splat(0);
  let v0 = splat(0);
  let v1 = splat(0);
  for (let i = 0; i < K; i++) {
    let f = v128.load32_splat(items, 12);
    const g0 = madd(f, d0, v128.load(adjoint));
    const g1 = madd(f, d1, v128.load(adjoint, 16));
    v128.store(adjoint, g0);
    v128.store(adjoint, g1, 16);
    f = v128.load32_splat(items, 4);
    x0 = madd(f, g0, x0);
    x1 = madd(f, g1, x1);
    f = v128.load32_splat(items, 8);
    v0 = madd(f, g0, v0);
    v1 = madd(f, g1, v1);
    v128.store(dots, madd(v128.load(after, 16), d1, f32x4.mul(v128.load(after), d0)));
    items += ITEM;
    adjoint += row;
    after += LINE;
    dots += 16;
  }
  v128.store(x, x0);
  v128.store(x, x1, 16);
  v128.store(dv, v0);
  v128.store(dv, v1, 16);
}

/** Adds (dk, db, da, dg) of each key to sums [K] of 16 bytes; G <- Diag(e^g) G + a x^T. */
function leave(
  items: usize, a: usize, adjoint: usize, row: usize, before: usize, K: i32, v: usize, r: usize, x: usize, sums: usize,
): void {
  const v0 = v128.load(v);
  const v1 = v128.load(v, 16);
  const r0 = v128.load(r);
  const r1 = v128.load(r, 16);
  const x0 = v128.load(x);
  const x1 = v128.load(x, 16);
  for (let i = 0; i < K; i++) {
    let g0 = v128.load(adjoint);
    let g1 = v128.load(adjoint, 16);
    const s0 = v128.load(before);
    const s1 = v128.load(before, 16);
    const dk = madd(g1, v1, f32x4.mul(g0, v0));
    const db = madd(g1, r1, f32x4.mul(g0, r0));
    const da = madd(s1, x1, f32x4.mul(s0, x0));
    const keep = v128.load32_splat(items);
    g0 = f32x4.mul(keep, g0);
    g1 = f32x4.mul(keep, g1);
    const dg = madd(g1, s1, f32x4.mul(g0, s0));
    v128.store(sums, f32x4.add(v128.load(sums), hsum4(dk, db, da, dg)));
    const f = v128.load32_splat(a);
    v128.store(adjoint, madd(f, x0, g0));
    v128.store(adjoint, madd(f, x1, g1), 16);
    items += ITEM;
    a += 4;
    adjoint += row;
    before += LINE;
    sums += 16;
  }
}

/** Adds the sums of `lanes` quads of partial sums to a row. */
function addDots(dots: usize, lanes: i32, to: usize): void {
  for (let i = 0; i < lanes; i += 4) {
    const sums = hsum4(v128.load(dots), v128.load(dots, 16), v128.load(dots, 32), v128.load(dots, 48));
    v128.store(to, f32x4.add(v128.load(to), sums));
    dots += 64;
    to += 16;
  }
}

// @ts-ignore: decorator
@inline function place(to: usize, value: f32, add: bool): void {
  store<f32>(to, add ? load<f32>(to) + value : value);
}

/** Sums of a chunk to the outputs; dq comes from rows of lanes. */
function giveSums(
  sums: usize, qs: usize, n: i32, K: i32, lanes: i32, at: usize, row: usize, scale: f32, add: bool, dq: usize,
  dk: usize, da: usize, db: usize, dg: usize,
): void {
  for (let t = 0; t < n; t++) {
    for (let i = 0; i < K; i++) {
      const to = at + (<usize>i << 2);
      place(dq + to, scale * load<f32>(qs + (<usize>i << 2)), add);
      place(dk + to, load<f32>(sums), add);
      place(db + to, load<f32>(sums, 4), add);
      place(da + to, load<f32>(sums, 8), add);
      place(dg + to, load<f32>(sums, 12), add);
      sums += 16;
    }
    qs += <usize>lanes << 2;
    at += row;
  }
}

/**
 * Units: sequences x heads. kept as the forward pass left it; dy, dfinal, dh0 may be 0.
 * Tiles of the values run one after another and add to dq, dk, da, db, dg.
 */
export function dplrRecurrentBackward(
  start: i32, end: i32, q: usize, k: usize, v: usize, a: usize, b: usize, g: usize, kept: usize, dy: usize,
  dfinal: usize, dq: usize, dk: usize, dv: usize, da: usize, db: usize, dg: usize, dh0: usize, T: i32, H: i32, K: i32,
  V: i32, scale: f32, cu: usize,
): void {
  const lanes = lanesOf(K);
  const part = (<usize>(CHUNK * lanes)) << 2;
  const tile = (<usize>(CHUNK * WIDTH)) << 2;
  const group = groupOf(K);
  const per = KEPT / CHUNK;
  const size = <usize>K * V;
  const keyRow = (<usize>H * K) << 2;
  const valueRow = (<usize>H * V) << 2;
  const history = <usize>K * LINE;
  const rows = scratch() + GEMM_SCRATCH;
  const items = rows + 5 * part;
  const vs = items + <usize>CHUNK * K * ITEM;
  const dys = vs + tile;
  const dvs = dys + tile;
  const r = dvs + tile;
  const x = r + <usize>(CHUNK + 1) * LINE;
  const dots = x + LINE;
  const qs = dots + (<usize>lanes << 4);
  const sums = qs + part;
  const states = sums + <usize>CHUNK * (<usize>K << 4);
  const adjoint = states + <usize>(CHUNK + 1) * history;
  for (let sh = start; sh < end; sh++) {
    const s = sh / H;
    const h = sh - s * H;
    const t0 = sequenceStart(cu, s, T);
    const t1 = sequenceStart(cu, s + 1, T);
    const count = (t1 - t0 + CHUNK - 1) / CHUNK;
    for (let v0 = 0; v0 < V; v0 += WIDTH) {
      const w = min(WIDTH, V - v0);
      const stride = (w + 7) & ~7;
      const row = <usize>stride << 2;
      const whole = <usize>K * row;
      const starts = adjoint + whole;
      const edge = (<usize>sh * size + v0) << 2;
      memory.fill(dots, 0, <usize>lanes << 4);
      takeState(dfinal ? dfinal + edge : 0, K, V, w, stride, adjoint);
      for (let last = count; last > 0; ) {
        const first = ((last - 1) / group) * group;
        const from = ((first * CHUNK) / KEPT) * per;
        // The state before every chunk of the group.
        const slot = keptSlot(t0, s) + from / per;
        takeState(kept + (((<usize>slot * H + h) * size + v0) << 2), K, V, w, stride, starts);
        for (let c = from; c < last - 1; c++) {
          const source = starts + <usize>max(0, c - first) * whole;
          const target = starts + <usize>max(0, c + 1 - first) * whole;
          const p = t0 + c * CHUNK;
          takeChunk(rows, q, k, a, b, g, p, CHUNK, H, h, K, scale);
          itemsOf(rows, CHUNK, K, lanes, items);
          takeRows(v + (((<usize>p * H + h) * V + v0) << 2), valueRow, CHUNK, w, stride, 1, vs);
          for (let j: usize = 0; j < row; j += LINE) {
            readState(rows + <usize>A * part, source + j, row, K, r);
            for (let t = 0; t < CHUNK; t++) {
              const S = (t == 0 ? source : target) + j;
              const item = items + <usize>(t * K) * ITEM;
              stepColumns(item, S, row, target + j, row, K, vs + <usize>t * row + j, r, r, x);
            }
          }
        }
        for (let c = last - 1; c >= first; c--) {
          const p = t0 + c * CHUNK;
          const n = min(CHUNK, t1 - p);
          const token = <usize>p * H + h;
          const S = starts + <usize>(c - first) * whole;
          takeChunk(rows, q, k, a, b, g, p, n, H, h, K, scale);
          itemsOf(rows, n, K, lanes, items);
          takeRows(v + ((token * V + v0) << 2), valueRow, n, w, stride, 1, vs);
          if (dy) takeRows(dy + ((token * V + v0) << 2), valueRow, n, w, stride, 1, dys);
          else memory.fill(dys, 0, tile);
          memory.fill(qs, 0, part);
          memory.fill(sums, 0, <usize>n * (<usize>K << 4));
          for (let j: usize = 0; j < row; j += LINE) {
            readState(rows + <usize>A * part, S + j, row, K, r);
            for (let i = 0; i < K; i++) {
              const to = states + <usize>i * LINE;
              v128.store(to, v128.load(S + j + <usize>i * row));
              v128.store(to, v128.load(S + j + <usize>i * row, 16), 16);
            }
            for (let t = 0; t < n; t++) {
              const from = states + <usize>t * history;
              const read = r + <usize>t * LINE;
              const item = items + <usize>(t * K) * ITEM;
              stepColumns(item, from, LINE, from + history, LINE, K, vs + <usize>t * row + j, read, read + LINE, x);
            }
            for (let t = n - 1; t >= 0; t--) {
              const at = <usize>t * row + j;
              const item = items + <usize>(t * K) * ITEM;
              const before = states + <usize>t * history;
              const G = adjoint + j;
              enter(item, G, row, before + history, K, dys + at, x, dvs + at, dots);
              addDots(dots, lanes, qs + ((<usize>(t * lanes)) << 2));
              const as = rows + <usize>A * part + ((<usize>(t * lanes)) << 2);
              leave(item, as, G, row, before, K, vs + at, r + <usize>t * LINE, x, sums + <usize>(t * K) * 16);
            }
          }
          giveRows(dvs, n, w, stride, dv + ((token * V + v0) << 2), valueRow, false);
          giveSums(sums, qs, n, K, lanes, (token * K) << 2, keyRow, scale, v0 > 0, dq, dk, da, db, dg);
        }
        last = first;
      }
      if (dh0) giveState(adjoint, K, V, w, stride, dh0 + edge);
    }
  }
}
