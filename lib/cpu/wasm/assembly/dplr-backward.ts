// The chunked form, backward: groups of chunks from a kept state, computed again forwards, then chunk by chunk
// backwards with the adjoint D of the state. Sums of the decays' gradients hold only terms that carry the decay.
import { hsum, loadUpTo, splat, storeUpTo } from './math';
import { GEMM_SCRATCH, tileProduct } from './gemm';
import { sequenceStart } from './scan-common';
import { scratch } from './scratch';
import {
  A, B, CHUNK, dplrSolve, giveRows, giveState, groupOf, KEEP, keptSlot, KEPT, KEY, lanesOf, PAIR_ROW, Q,
  scaleRows, takeState, WIDTH,
} from './dplr-common';
import {
  advanceState, aqAt, chunkBytes, kbAt, pairsAt, prepareChunk, stateAt, takeValues, vrAt, wholeAt,
} from './dplr-chunk';

/** x_j = given_j + sum over i > j of ab_ij x_i, in place on n rows. */
function solveTransposed(m: usize, n: i32, x: usize, stride: i32): void {
  const row = <usize>stride << 2;
  for (let j = n - 2; j >= 0; j--) {
    for (let at: usize = 0; at < row; at += 32) {
      const to = x + <usize>j * row + at;
      let x0 = v128.load(to);
      let x1 = v128.load(to, 16);
      let from = to + row;
      for (let i = j + 1; i < n; i++) {
        const f = v128.load32_splat(m + <usize>i * PAIR_ROW + (<usize>(n + j) << 2));
        x0 = f32x4.add(x0, f32x4.mul(f, v128.load(from)));
        x1 = f32x4.add(x1, f32x4.mul(f, v128.load(from, 16)));
        from += row;
      }
      v128.store(to, x0);
      v128.store(to, x1, 16);
    }
  }
}

/** to[i] = factors[i] (row i of x . row i of y). */
function rowDots(x: usize, y: usize, K: i32, stride: i32, factors: usize, to: usize): void {
  const row = <usize>stride << 2;
  for (let i = 0; i < K; i++) {
    let sum = splat(0);
    for (let at: usize = 0; at < row; at += 16) {
      sum = f32x4.add(sum, f32x4.mul(v128.load(x + at), v128.load(y + at)));
    }
    const place = <usize>i << 2;
    store<f32>(to + place, load<f32>(factors + place) * hsum(sum));
    x += row;
    y += row;
  }
}

/**
 * Gradients of the rows of a chunk on four lanes. dAq [2n], dKb [2n] rows of `row` bytes: gradients of the decayed rows;
 * d: gradients of the pairs. `to` gets q, k, a, b, g [5][CHUNK] of 16 bytes. z: 2 CHUNK of 16 bytes.
 */
function rowGradients(
  rows: usize, n: i32, row: usize, lane: usize, dAq: usize, dKb: usize, aq: usize, kb: usize, passing: v128, d: usize,
  to: usize, z: usize,
): void {
  const part = <usize>CHUNK * row;
  const second = <usize>n * row;
  const own: usize = CHUNK * 16;
  const keeps = rows + <usize>KEEP * part + lane;
  // Through the decayed rows: the decay of token i acts on k, b before it, and on q from it and a after it.
  let before = passing;
  let head = splat(1);
  for (let i = 0; i < n; i++) {
    const at = <usize>i * row + lane;
    const place = to + (<usize>i << 4);
    v128.store(place + <usize>KEEP * own, before);
    before = f32x4.add(before, f32x4.mul(v128.load(kb + at), v128.load(dKb + at)));
    before = f32x4.add(before, f32x4.mul(v128.load(kb + second + at), v128.load(dKb + second + at)));
    v128.store(place + <usize>A * own, f32x4.mul(v128.load(dAq + at), head));
    head = f32x4.mul(head, v128.load(keeps + <usize>i * row));
    v128.store(place + <usize>Q * own, f32x4.mul(v128.load(dAq + second + at), head));
  }
  let after = splat(0);
  let tail = splat(1);
  for (let i = n - 1; i >= 0; i--) {
    const at = <usize>i * row + lane;
    const place = to + (<usize>i << 4);
    after = f32x4.add(after, f32x4.mul(v128.load(aq + second + at), v128.load(dAq + second + at)));
    v128.store(place + <usize>KEEP * own, f32x4.add(v128.load(place + <usize>KEEP * own), after));
    after = f32x4.add(after, f32x4.mul(v128.load(aq + at), v128.load(dAq + at)));
    v128.store(place + <usize>KEY * own, f32x4.mul(v128.load(dKb + at), tail));
    v128.store(place + <usize>B * own, f32x4.mul(v128.load(dKb + second + at), tail));
    tail = f32x4.mul(tail, v128.load(keeps + <usize>i * row));
  }
  for (let j = 0; j < n; j++) pairGradients(rows, n, row, lane, d, j, to, z);
}

/** Through the pairs of column j: the chain z(i) = z(i-1) e^(g_i) from k_j and b_j, and its adjoint. */
function pairGradients(
  rows: usize, n: i32, row: usize, lane: usize, d: usize, j: i32, to: usize, z: usize,
): void {
  const part = <usize>CHUNK * row;
  const own: usize = CHUNK * 16;
  const at0 = rows + lane;
  let k = v128.load(at0 + <usize>KEY * part + <usize>j * row);
  let b = v128.load(at0 + <usize>B * part + <usize>j * row);
  v128.store(z, k);
  v128.store(z, b, 16);
  for (let i = j + 1; i < n; i++) {
    const keep = v128.load(at0 + <usize>KEEP * part + <usize>i * row);
    k = f32x4.mul(k, keep);
    b = f32x4.mul(b, keep);
    v128.store(z + (<usize>(i - j) << 5), k);
    v128.store(z + (<usize>(i - j) << 5), b, 16);
  }
  let gk = splat(0);
  let gb = splat(0);
  for (let i = n - 1; i >= j; i--) {
    const at = at0 + <usize>i * row;
    const place = to + (<usize>i << 4);
    const line = d + <usize>(n + i) * PAIR_ROW + (<usize>j << 2);
    const dqk = v128.load32_splat(line);
    const dqb = v128.load32_splat(line + (<usize>n << 2));
    const q = v128.load(at + <usize>Q * part);
    const dq = f32x4.add(f32x4.mul(dqk, k), f32x4.mul(dqb, b));
    v128.store(place + <usize>Q * own, f32x4.add(v128.load(place + <usize>Q * own), dq));
    gk = f32x4.add(gk, f32x4.mul(dqk, q));
    gb = f32x4.add(gb, f32x4.mul(dqb, q));
    if (i == j) break;
    const dg = f32x4.add(f32x4.mul(gk, k), f32x4.mul(gb, b));
    v128.store(place + <usize>KEEP * own, f32x4.add(v128.load(place + <usize>KEEP * own), dg));
    const earlier = z + (<usize>(i - j - 1) << 5);
    k = v128.load(earlier);
    b = v128.load(earlier, 16);
    const up = line - <usize>n * PAIR_ROW;
    const dak = v128.load32_splat(up);
    const dab = v128.load32_splat(up + (<usize>n << 2));
    const da = f32x4.add(f32x4.mul(dak, k), f32x4.mul(dab, b));
    v128.store(place + <usize>A * own, f32x4.add(v128.load(place + <usize>A * own), da));
    const keep = v128.load(at + <usize>KEEP * part);
    const a = v128.load(at + <usize>A * part);
    gk = f32x4.add(f32x4.mul(gk, keep), f32x4.mul(dak, a));
    gb = f32x4.add(f32x4.mul(gb, keep), f32x4.mul(dab, a));
  }
  const place = to + (<usize>j << 4);
  v128.store(place + <usize>KEY * own, f32x4.add(v128.load(place + <usize>KEY * own), gk));
  v128.store(place + <usize>B * own, f32x4.add(v128.load(place + <usize>B * own), gb));
}

/** Four lanes of n tokens to an output, times scale, added when `add`. */
function giveLanes(from: usize, n: i32, to: usize, row: usize, count: i32, scale: f32, add: bool): void {
  for (let t = 0; t < n; t++) {
    let x = f32x4.mul(v128.load(from + (<usize>t << 4)), splat(scale));
    if (add) x = f32x4.add(loadUpTo(to, count), x);
    storeUpTo(to, x, count);
    to += row;
  }
}

/** Gradients of q, k, a, b, g of a chunk from the products with the state, the adjoint and the pairs. */
function giveGradients(
  area: usize, n: i32, K: i32, row: usize, at: usize, dAq: usize, dKb: usize, passing: usize, d: usize, work: usize,
  scale: f32, add: bool, dq: usize, dk: usize, da: usize, db: usize, dg: usize,
): void {
  const lanes = lanesOf(K);
  const own: usize = CHUNK * 16;
  const z = work + 5 * own;
  for (let l = 0; l < K; l += 4) {
    const lane = <usize>l << 2;
    const count = K - l;
    const aq = area + aqAt(lanes);
    const kb = area + kbAt(lanes);
    const pass = loadUpTo(passing + lane, count);
    rowGradients(area, n, <usize>lanes << 2, lane, dAq, dKb, aq, kb, pass, d, work, z);
    giveLanes(work + <usize>Q * own, n, dq + at + lane, row, count, scale, add);
    giveLanes(work + <usize>KEY * own, n, dk + at + lane, row, count, 1, add);
    giveLanes(work + <usize>A * own, n, da + at + lane, row, count, 1, add);
    giveLanes(work + <usize>B * own, n, db + at + lane, row, count, 1, add);
    giveLanes(work + <usize>KEEP * own, n, dg + at + lane, row, count, 1, add);
  }
}

/**
 * Units: sequences x heads. kept as the forward pass left it; dy, dfinal, dh0 may be 0.
 * Tiles of the values run one after another and add to dq, dk, da, db, dg.
 */
export function dplrBackward(
  start: i32, end: i32, q: usize, k: usize, v: usize, a: usize, b: usize, g: usize, kept: usize, dy: usize,
  dfinal: usize, dq: usize, dk: usize, dv: usize, da: usize, db: usize, dg: usize, dh0: usize, T: i32, H: i32, K: i32,
  V: i32, scale: f32, cu: usize,
): void {
  const lanes = lanesOf(K);
  const keyRow = (<usize>H * K) << 2;
  const valueRow = (<usize>H * V) << 2;
  const size = <usize>K * V;
  const group = groupOf(K);
  const areas = scratch() + GEMM_SCRATCH;
  for (let sh = start; sh < end; sh++) {
    const s = sh / H;
    const h = sh - s * H;
    const t0 = sequenceStart(cu, s, T);
    const t1 = sequenceStart(cu, s + 1, T);
    for (let v0 = 0; v0 < V; v0 += WIDTH) {
      const w = min(WIDTH, V - v0);
      const stride = (w + 7) & ~7;
      const tile = (<usize>(2 * CHUNK * stride)) << 2;
      const bytes = chunkBytes(lanes, stride);
      const adjoint = areas + <usize>group * bytes;
      const xdy = adjoint + ((<usize>(lanes * stride)) << 2);
      const p = xdy + tile;
      const d = p + tile;
      const dAq = d + 2 * CHUNK * PAIR_ROW;
      const dKb = dAq + ((<usize>(2 * CHUNK * lanes)) << 2);
      const passing = dKb + ((<usize>(2 * CHUNK * lanes)) << 2);
      const work = passing + (<usize>lanes << 2);
      const edge = (<usize>sh * size + v0) << 2;
      takeState(dfinal ? dfinal + edge : 0, K, V, w, stride, adjoint);
      const count = (t1 - t0 + CHUNK - 1) / CHUNK;
      for (let last = count; last > 0; ) {
        const first = ((last - 1) / group) * group;
        const from = (first * CHUNK) / KEPT;
        // Forwards from the kept state: the chunks before the group pass through the first area.
        for (let c = from * (KEPT / CHUNK); c < last; c++) {
          const area = areas + <usize>max(0, c - first) * bytes;
          const state = area + stateAt(lanes, stride);
          if (c == from * (KEPT / CHUNK)) {
            const slot = keptSlot(t0, s) + from;
            takeState(kept + (((<usize>slot * H + h) * size + v0) << 2), K, V, w, stride, state);
          } else if (c > first) {
            const earlier = area - bytes;
            memory.copy(state, earlier + stateAt(lanes, stride), (<usize>(K * stride)) << 2);
            advanceState(earlier, state, min(CHUNK, t1 - t0 - (c - 1) * CHUNK), K, lanes, stride);
          } else advanceState(area, state, CHUNK, K, lanes, stride);
          const row = t0 + c * CHUNK;
          const n = min(CHUNK, t1 - row);
          prepareChunk(area, q, k, a, b, g, row, n, H, h, K, scale, work);
          const vr = area + vrAt(lanes);
          takeValues(v + (((<usize>row * H + h) * V + v0) << 2), valueRow, n, w, stride, vr);
          tileProduct(area + aqAt(lanes), lanes, 1, state, stride, 1, p, stride, n, stride, K, 0);
          dplrSolve(area + pairsAt(lanes), n, p, vr, stride);
        }
        for (let c = last - 1; c >= first; c--) {
          const area = areas + <usize>(c - first) * bytes;
          const row = t0 + c * CHUNK;
          const n = min(CHUNK, t1 - row);
          const token = <usize>row * H + h;
          const m = area + pairsAt(lanes);
          const mq = m + <usize>n * PAIR_ROW;
          const vr = area + vrAt(lanes);
          const state = area + stateAt(lanes, stride);
          const half = (<usize>(n * stride)) << 2;
          const out = xdy + half;
          if (dy) takeValues(dy + ((token * V + v0) << 2), valueRow, n, w, stride, out);
          else memory.fill(out, 0, half);
          tileProduct(area + kbAt(lanes), lanes, 1, adjoint, stride, 1, p, stride, 2 * n, stride, K, 0);
          tileProduct(mq, 1, 32, out, stride, 1, p, stride, 2 * n, stride, n, 1);
          solveTransposed(m, n, p + half, stride);
          memory.copy(xdy, p + half, half);
          tileProduct(m, 1, 32, xdy, stride, 1, p, stride, n, stride, n, 1);
          giveRows(p, n, w, stride, dv + ((token * V + v0) << 2), valueRow, false);
          tileProduct(xdy, stride, 1, vr, 1, stride, d, 32, 2 * n, 2 * n, stride, 0);
          tileProduct(xdy, stride, 1, state, 1, stride, dAq, lanes, 2 * n, K, stride, 0);
          tileProduct(vr, stride, 1, adjoint, 1, stride, dKb, lanes, 2 * n, K, stride, 0);
          rowDots(state, adjoint, K, stride, area + wholeAt(lanes), passing);
          const keyAt = (token * K) << 2;
          giveGradients(
            area, n, K, keyRow, keyAt, dAq, dKb, passing, d, work, scale, v0 > 0, dq, dk, da, db, dg,
          );
          scaleRows(adjoint, K, stride, area + wholeAt(lanes));
          tileProduct(area + aqAt(lanes), 1, lanes, xdy, stride, 1, adjoint, stride, K, stride, 2 * n, 1);
        }
        last = first;
      }
      if (dh0) giveState(adjoint, K, V, w, stride, dh0 + edge);
    }
  }
}
