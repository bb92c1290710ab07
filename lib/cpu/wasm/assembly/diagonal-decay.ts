// Linear attention with diagonal decay, forward, in blocks of 16 tokens: inside a block scores by running products of
// decays, everything else matrix products. See diagonal-decay-common.ts for layouts and numerics.
import { hsum, splat } from './math';
import { gemm, gemmTiles, GEMM_SCRATCH, tileProduct } from './gemm';
import { decayOfAll } from './decay-sums';
import { scratch } from './scratch';
import {
  BLOCK, BLOCKS, copyLanes, decayLanes, decayState, firstRow, keptRow, prefixed, rowBytes, suffixed,
} from './diagonal-decay-common';

/** Scores of one column j over 16 lanes at `at`: sums_i += q_i . w_i of these lanes, w running in registers. */
// @ts-ignore: decorator
@inline function scores16(q: usize, a: usize, w: usize, sums: usize, first: i32, skip: i32, m: i32, row: usize): void {
  let w0 = v128.load(w);
  let w1 = v128.load(w, 16);
  let w2 = v128.load(w, 32);
  let w3 = v128.load(w, 48);
  for (let i = first; i < m; i++) {
    const qi = q + <usize>i * row;
    const to = sums + (<usize>i << 4);
    // Decays up to token i, or with a bonus up to the one before.
    if (i > first || !skip) {
      const ai = a + <usize>(i - skip) * row;
      w0 = f32x4.mul(w0, v128.load(ai));
      w1 = f32x4.mul(w1, v128.load(ai, 16));
      w2 = f32x4.mul(w2, v128.load(ai, 32));
      w3 = f32x4.mul(w3, v128.load(ai, 48));
    }
    const x = f32x4.add(f32x4.mul(w0, v128.load(qi)), f32x4.mul(w1, v128.load(qi, 16)));
    const y = f32x4.add(f32x4.mul(w2, v128.load(qi, 32)), f32x4.mul(w3, v128.load(qi, 48)));
    v128.store(to, f32x4.add(v128.load(to), f32x4.add(x, y)));
  }
}

/** The same over four lanes. */
// @ts-ignore: decorator
@inline function scores4(q: usize, a: usize, w: usize, sums: usize, first: i32, skip: i32, m: i32, row: usize): void {
  let x = v128.load(w);
  for (let i = first; i < m; i++) {
    const to = sums + (<usize>i << 4);
    if (i > first || !skip) x = f32x4.mul(x, v128.load(a + <usize>(i - skip) * row));
    v128.store(to, f32x4.add(v128.load(to), f32x4.mul(x, v128.load(q + <usize>i * row))));
  }
}

/**
 * p_ij = sum_c q_ic k_jc (decays between j and i)_c for j <= i, 0 above, rows `pRow` bytes apart. With a bonus u the
 * decay of token i itself is left out and p_ii = sum_c q_ic u_c k_ic. `sums` holds 16 vectors.
 */
function scores(q: usize, k: usize, a: usize, u: usize, p: usize, pRow: usize, m: i32, row: usize, sums: usize): void {
  const skip: i32 = u ? 1 : 0;
  for (let j = 0; j < m; j++) {
    const column = p + (<usize>j << 2);
    const kj = k + <usize>j * row;
    const qj = q + <usize>j * row;
    for (let i = 0; i < j; i++) store<f32>(column + <usize>i * pRow, 0);
    memory.fill(sums, 0, BLOCK * 16);
    let own = splat(0);
    for (let at: usize = 0; at < row; at += 16) {
      const x = v128.load(kj + at);
      const z = u ? f32x4.mul(x, v128.load(u + at)) : x;
      own = f32x4.add(own, f32x4.mul(z, v128.load(qj + at)));
    }
    store<f32>(column + <usize>j * pRow, hsum(own));
    let at: usize = 0;
    for (; at + 64 <= row; at += 64) scores16(q + at, a + at, kj + at, sums, j + 1, skip, m, row);
    for (; at < row; at += 16) scores4(q + at, a + at, kj + at, sums, j + 1, skip, m, row);
    for (let i = j + 1; i < m; i++) store<f32>(column + <usize>i * pRow, hsum(v128.load(sums + (<usize>i << 4))));
  }
}

/** C = A B (+ C) for at most 16 rows, rows of B read where they stand. */
// @ts-ignore: decorator
@inline function fewRows(
  a: usize, aRow: i32, b: usize, bRow: i32, c: usize, cRow: i32, m: i32, n: i32, depth: i32, beta: i32,
): void {
  gemm(0, gemmTiles(1, m, n), a, aRow, 1, 0, b, bRow, 1, 0, c, cRow, 0, 0, m, n, depth, beta);
}

/**
 * y, final from q, k, v, decay (decayRow = H K elements between tokens, or 0 when fixed), u [H, K]?, h0?. kept? gets the
 * state before every 64 tokens, saved? the scores [rows, H, 16]. Units: S*H.
 */
export function diagonalDecay(
  start: i32, end: i32, q: usize, k: usize, v: usize, g: usize, u: usize, h0: usize, y: usize, final: usize,
  kept: usize, saved: usize, T: i32, H: i32, K: i32, V: i32, cu: usize, decayRow: i32, scale: f32,
): void {
  const row = rowBytes(K);
  const block = <usize>BLOCK * row;
  const qs = scratch() + GEMM_SCRATCH;
  const ks = qs + block;
  const a = ks + block;
  const qi = a + block;
  const ke = qi + block;
  const total = ke + block;
  const sums = total + row;
  const us = sums + BLOCK * 16;
  const own = us + row;
  const stateBytes = (<usize>K * <usize>V) << 2;
  const exclusive: i32 = u ? 1 : 0;
  for (let unit = start; unit < end; unit++) {
    const s = unit / H;
    const h = unit - s * H;
    const first = firstRow(cu, s, T);
    const last = firstRow(cu, s + 1, T);
    const S = final + <usize>unit * stateBytes;
    if (h0) memory.copy(S, h0 + <usize>unit * stateBytes, stateBytes);
    else memory.fill(S, 0, stateBytes);
    if (u) copyLanes(u + ((<usize>h * K) << 2), us, K, splat(1));
    for (let i = 0; i < BLOCK && !decayRow; i++) decayLanes(g + ((<usize>h * K) << 2), a + <usize>i * row, K);
    let n: i32 = 0;
    for (let t = first; t < last; t += BLOCK, n++) {
      const m = min(BLOCK, last - t);
      const head = <usize>(t * H + h);
      if (kept != 0 && n % BLOCKS == 0) {
        memory.copy(kept + (<usize>keptRow(first, s, n / BLOCKS) * H + h) * stateBytes, S, stateBytes);
      }
      for (let i = 0; i < m; i++) {
        const at = ((head + <usize>i * H) * K) << 2;
        const to = <usize>i * row;
        copyLanes(q + at, qs + to, K, splat(scale));
        copyLanes(k + at, ks + to, K, splat(1));
        if (decayRow) decayLanes(g + at, a + to, K);
      }
      const p = saved ? saved + (head << 6) : own;
      const pRow: usize = saved ? <usize>H << 6 : BLOCK << 2;
      scores(qs, ks, a, u ? us : 0, p, pRow, m, row, sums);
      prefixed(qs, a, qi, m, row, exclusive);
      decayOfAll(g + (decayRow ? (head * K) << 2 : (<usize>h * K) << 2), <usize>decayRow << 2, m, K, total);
      suffixed(ks, a, ke, m, row);
      const lanes = <i32>(row >> 2);
      const vAt = v + ((head * V) << 2);
      const yAt = y + ((head * V) << 2);
      fewRows(qi, lanes, S, V, yAt, H * V, m, V, K, 0);
      fewRows(p, <i32>(pRow >> 2), vAt, H * V, yAt, H * V, m, V, m, 1);
      decayState(S, total, K, V);
      tileProduct(ke, 1, lanes, vAt, H * V, 1, S, V, K, V, m, 1);
    }
  }
}
