// Gradients of linear attention with diagonal decay in blocks of 16 tokens, from the states kept every 64 tokens. With
// G the adjoint of the state after a block and S the state before it, the gradient of a log-decay is the sum of what
// crosses its token: pairs inside the block, what reads S, what writes into G, and S to G. No term is subtracted.
import { loadUpTo, splat, storeUpTo } from './math';
import { decayOfAll } from './decay-sums';
import { GEMM_SCRATCH, tileProduct } from './gemm';
import { scratch } from './scratch';
import {
  BLOCK, BLOCKS, CHUNK, copyLanes, decayLanes, decayState, firstRow, inner, keptRow, prefixed, rowBytes, suffixed,
} from './diagonal-decay-common';

// Lane rows of a block in scratch: scaled q, k, decays, q with the decays before it, k with those after it.
let qs: usize = 0;
let ks: usize = 0;
let a: usize = 0;
let qi: usize = 0;
let ke: usize = 0;
/** dq and dk through the states, then the whole gradients; gradients of the log-decays. */
let xq: usize = 0;
let xk: usize = 0;
let dg: usize = 0;
/** Products of all decays; bonus; sums over tokens of the gradients of a fixed decay and of the bonus. */
let total: usize = 0;
let us: usize = 0;
let sumG: usize = 0;
let sumU: usize = 0;
/** dy . v, [16][16]; one lane of the weights of pairs, [16][4]. */
let dp: usize = 0;
let w: usize = 0;

function layOut(row: usize): void {
  const block = <usize>BLOCK * row;
  qs = scratch() + GEMM_SCRATCH;
  ks = qs + block;
  a = ks + block;
  qi = a + block;
  ke = qi + block;
  xq = ke + block;
  xk = xq + block;
  dg = xk + block;
  total = dg + block;
  us = total + row;
  sumG = us + row;
  sumU = sumG + row;
  dp = sumU + row;
  w = dp + BLOCK * BLOCK * 4;
}

function loadBlock(q: usize, k: usize, g: usize, m: i32, H: i32, K: i32, row: usize, varies: i32, scale: f32): void {
  const step = (<usize>H * K) << 2;
  for (let i = 0; i < m; i++) {
    const at = <usize>i * step;
    const to = <usize>i * row;
    copyLanes(q + at, qs + to, K, splat(scale));
    copyLanes(k + at, ks + to, K, splat(1));
    if (varies) decayLanes(g + at, a + to, K);
  }
}

/** total_c <- total_c (S_c . G_c): what the state before the block gives the adjoint after it. */
function crossing(S: usize, G: usize, K: i32, V: i32): void {
  for (let c = 0; c < K; c++) {
    const at = (<usize>c * V) << 2;
    const to = total + (<usize>c << 2);
    store<f32>(to, load<f32>(to) * inner(S + at, G + at, V));
  }
}

/**
 * What tokens exchange with the states, four lanes at `at`: xq, xk become gradients of scaled q and k, dg starts from
 * total. Padded lanes of xq and xk hold anything.
 */
function outer4(at: usize, m: i32, row: usize, exclusive: i32): void {
  // Reads of S by token i cross the decays up to i; with a bonus those before i.
  let sum = v128.load(total + at);
  let run = splat(1);
  for (let i = m - 1; i >= 0; i--) {
    const p = <usize>i * row + at;
    const read = f32x4.mul(v128.load(xq + p), v128.load(qi + p));
    if (!exclusive) sum = f32x4.add(sum, read);
    v128.store(dg + p, sum);
    if (exclusive) sum = f32x4.add(sum, read);
  }
  let written = splat(0);
  for (let i = 0; i < m; i++) {
    const p = <usize>i * row + at;
    const next = f32x4.mul(run, v128.load(a + p));
    v128.store(dg + p, f32x4.add(v128.load(dg + p), written));
    written = f32x4.add(written, f32x4.mul(v128.load(xk + p), v128.load(ke + p)));
    v128.store(xq + p, f32x4.mul(v128.load(xq + p), exclusive ? run : next));
    run = next;
  }
  run = splat(1);
  for (let j = m - 1; j >= 0; j--) {
    const p = <usize>j * row + at;
    v128.store(xk + p, f32x4.mul(v128.load(xk + p), run));
    run = f32x4.mul(run, v128.load(a + p));
  }
}

/**
 * Pairs j <= i of a block, four lanes at `at`: w_t = q_i (decays after t up to i) runs down, z_t = sum_{j<t} dp_ij k_j
 * (decays after j up to t) runs up, and their product is what crosses token t.
 */
function pairs4(at: usize, m: i32, row: usize, exclusive: i32): void {
  for (let i = 0; i < m; i++) {
    const line = dp + <usize>i * (BLOCK * 4);
    const own = <usize>i * row + at;
    const top = i - exclusive;
    let x = v128.load(qs + own);
    let p = <usize>top * row + at;
    for (let t = top; t >= 0; t--) {
      const d = v128.load32_splat(line + (<usize>t << 2));
      v128.store(xk + p, f32x4.add(v128.load(xk + p), f32x4.mul(d, x)));
      v128.store(w + (<usize>t << 4), x);
      x = f32x4.mul(x, v128.load(a + p));
      p -= row;
    }
    let z = splat(0);
    p = at;
    for (let t = 0; t < top; t++) {
      const d = v128.load32_splat(line + (<usize>t << 2));
      z = f32x4.add(z, f32x4.mul(d, v128.load(ks + p)));
      p += row;
      z = f32x4.mul(z, v128.load(a + p));
      v128.store(dg + p, f32x4.add(v128.load(dg + p), f32x4.mul(z, v128.load(w + (<usize>t << 4), 16))));
    }
    if (top >= 0) {
      const d = v128.load32_splat(line + (<usize>top << 2));
      z = f32x4.add(z, f32x4.mul(d, v128.load(ks + p)));
    }
    v128.store(xq + own, f32x4.add(v128.load(xq + own), z));
    if (!exclusive) continue;
    const d = v128.load32_splat(line + (<usize>i << 2));
    const bonus = f32x4.mul(d, v128.load(us + at));
    const qv = v128.load(qs + own);
    const kv = v128.load(ks + own);
    v128.store(xq + own, f32x4.add(v128.load(xq + own), f32x4.mul(bonus, kv)));
    v128.store(xk + own, f32x4.add(v128.load(xk + own), f32x4.mul(bonus, qv)));
    v128.store(sumU + at, f32x4.add(v128.load(sumU + at), f32x4.mul(d, f32x4.mul(qv, kv))));
  }
}

/** Stores the block's gradients; those of a fixed decay are added up. */
function storeBlock(dq: usize, dk: usize, dgOut: usize, m: i32, H: i32, K: i32, row: usize, scale: f32): void {
  const step = (<usize>H * K) << 2;
  for (let i = 0; i < m; i++) {
    for (let c = 0; c < K; c += 4) {
      const at = (<usize>c << 2) + <usize>i * step;
      const from = (<usize>c << 2) + <usize>i * row;
      storeUpTo(dq + at, f32x4.mul(v128.load(xq + from), splat(scale)), K - c);
      storeUpTo(dk + at, v128.load(xk + from), K - c);
      if (dgOut) storeUpTo(dgOut + at, v128.load(dg + from), K - c);
      else {
        const to = sumG + (<usize>c << 2);
        v128.store(to, f32x4.add(v128.load(to), v128.load(dg + from)));
      }
    }
  }
}

/** The states before blocks 1 to `blocks` - 1 of a chunk, from S before block 0, one after another at `to`. */
function statesOf(
  S: usize, to: usize, q: usize, k: usize, v: usize, g: usize, blocks: i32, H: i32, K: i32, V: i32, row: usize,
  varies: i32,
): void {
  const bytes = (<usize>K * <usize>V) << 2;
  for (let b = 1; b < blocks; b++) {
    const at = <usize>(b - 1) * BLOCK * H;
    const keys = (at * K) << 2;
    loadBlock(q + keys, k + keys, g + (varies ? keys : 0), BLOCK, H, K, row, varies, 1);
    decayOfAll(g + (varies ? keys : 0), varies ? (<usize>H * K) << 2 : 0, BLOCK, K, total);
    suffixed(ks, a, ke, BLOCK, row);
    memory.copy(to, b == 1 ? S : to - bytes, bytes);
    decayState(to, total, K, V);
    tileProduct(ke, 1, <i32>(row >> 2), v + ((at * V) << 2), H * V, 1, to, V, K, V, BLOCK, 1);
    to += bytes;
  }
}

/**
 * Gradients of diagonalDecay from kept states and saved scores. dg [rows, H, K], or [S, H, K] where the decay is fixed;
 * du [S, H, K]?; dh0 [S, H, K, V] holds the adjoint on the way; dfinal?; work [S*H][3][K, V]. Units: S*H.
 */
export function diagonalDecayBackward(
  start: i32, end: i32, q: usize, k: usize, v: usize, g: usize, u: usize, kept: usize, saved: usize, dy: usize,
  dfinal: usize, dq: usize, dk: usize, dv: usize, dgOut: usize, du: usize, dh0: usize, work: usize, T: i32, H: i32,
  K: i32, V: i32, cu: usize, varies: i32, scale: f32,
): void {
  const row = rowBytes(K);
  const lanes = <i32>(row >> 2);
  const bytes = (<usize>K * <usize>V) << 2;
  const exclusive: i32 = u ? 1 : 0;
  layOut(row);
  for (let unit = start; unit < end; unit++) {
    const s = unit / H;
    const h = unit - s * H;
    const first = firstRow(cu, s, T);
    const last = firstRow(cu, s + 1, T);
    const G = dh0 + <usize>unit * bytes;
    const states = work + <usize>unit * (BLOCKS - 1) * bytes;
    const ownLanes = (<usize>h * K) << 2;
    if (dfinal) memory.copy(G, dfinal + <usize>unit * bytes, bytes);
    else memory.fill(G, 0, bytes);
    memory.fill(sumG, 0, row);
    memory.fill(sumU, 0, row);
    if (u) copyLanes(u + ownLanes, us, K, splat(1));
    for (let i = 0; i < BLOCK && !varies; i++) decayLanes(g + ownLanes, a + <usize>i * row, K);
    for (let c = (last - first + CHUNK - 1) / CHUNK - 1; c >= 0; c--) {
      const t0 = first + c * CHUNK;
      const blocks = (min(CHUNK, last - t0) + BLOCK - 1) / BLOCK;
      const S0 = kept + (<usize>keptRow(first, s, c) * H + h) * bytes;
      const keys0 = (<usize>(t0 * H + h) * K) << 2;
      const values0 = (<usize>(t0 * H + h) * V) << 2;
      const g0 = varies ? g + keys0 : g + ownLanes;
      statesOf(S0, states, q + keys0, k + keys0, v + values0, g0, blocks, H, K, V, row, varies);
      for (let b = blocks - 1; b >= 0; b--) {
        const t = t0 + b * BLOCK;
        const m = min(BLOCK, last - t);
        const head = <usize>(t * H + h);
        const S = b == 0 ? S0 : states + <usize>(b - 1) * bytes;
        const keys = (head * K) << 2;
        const values = (head * V) << 2;
        loadBlock(q + keys, k + keys, varies ? g + keys : 0, m, H, K, row, varies, scale);
        prefixed(qs, a, qi, m, row, exclusive);
        decayOfAll(g + (varies ? keys : ownLanes), varies ? (<usize>H * K) << 2 : 0, m, K, total);
        suffixed(ks, a, ke, m, row);
        const p = saved + (head << 6);
        tileProduct(p, 1, H << 4, dy + values, H * V, 1, dv + values, H * V, m, V, m, 0);
        tileProduct(ke, lanes, 1, G, V, 1, dv + values, H * V, m, V, K, 1);
        tileProduct(dy + values, H * V, 1, v + values, 1, H * V, dp, BLOCK, m, m, V, 0);
        tileProduct(dy + values, H * V, 1, S, 1, V, xq, lanes, m, K, V, 0);
        tileProduct(v + values, H * V, 1, G, 1, V, xk, lanes, m, K, V, 0);
        // G decays by `total`, which `crossing` then replaces by what S gives it.
        const decays = w + BLOCK * 16;
        memory.copy(decays, total, row);
        crossing(S, G, K, V);
        for (let at: usize = 0; at < row; at += 16) {
          outer4(at, m, row, exclusive);
          pairs4(at, m, row, exclusive);
        }
        storeBlock(dq + keys, dk + keys, varies ? dgOut + keys : 0, m, H, K, row, scale);
        decayState(G, decays, K, V);
        tileProduct(qi, 1, lanes, dy + values, H * V, 1, G, V, K, V, m, 1);
      }
    }
    const sums = (<usize>unit * K) << 2;
    for (let c = 0; c < K; c += 4) {
      const at = <usize>c << 2;
      if (!varies) storeUpTo(dgOut + sums + at, v128.load(sumG + at), K - c);
      if (du) storeUpTo(du + sums + at, v128.load(sumU + at), K - c);
    }
  }
}
