// The chunked form, forward: matrix products of 32 rows (a and q, or k and b) against the state, a triangular solve of
// 16 rows, products of decays only (they never grow).
import { decayOfAll } from './decay-sums';
import { GEMM_SCRATCH, tileProduct } from './gemm';
import { sequenceStart } from './scan-common';
import { scratch } from './scratch';
import {
  CHUNK, decayRows, dplrPairs, dplrSolve, giveRows, giveState, keptSlot, KEPT, lanesOf, PAIR_ROW, scaleRows, takeChunk,
  takeRows, takeState, WIDTH,
} from './dplr-common';

// Areas of a chunk, in floats from its start.
// @ts-ignore: decorator
@inline function rowsFloats(lanes: i32): i32 {
  return 5 * CHUNK * lanes;
}
// @ts-ignore: decorator
@inline export function aqAt(lanes: i32): usize {
  return <usize>rowsFloats(lanes) << 2;
}
// @ts-ignore: decorator
@inline export function kbAt(lanes: i32): usize {
  return aqAt(lanes) + ((<usize>(2 * CHUNK * lanes)) << 2);
}
// @ts-ignore: decorator
@inline export function wholeAt(lanes: i32): usize {
  return kbAt(lanes) + ((<usize>(2 * CHUNK * lanes)) << 2);
}
// @ts-ignore: decorator
@inline export function pairsAt(lanes: i32): usize {
  return wholeAt(lanes) + (<usize>lanes << 2);
}
// @ts-ignore: decorator
@inline export function vrAt(lanes: i32): usize {
  return pairsAt(lanes) + 2 * CHUNK * PAIR_ROW;
}
// @ts-ignore: decorator
@inline export function stateAt(lanes: i32, stride: i32): usize {
  return vrAt(lanes) + ((<usize>(2 * CHUNK * stride)) << 2);
}
/** Bytes of the areas of a chunk, its state included. */
// @ts-ignore: decorator
@inline export function chunkBytes(lanes: i32, stride: i32): usize {
  return stateAt(lanes, stride) + ((<usize>(lanes * stride)) << 2);
}

/** Rows, decayed rows and pairs of the chunk of n tokens from token row `p` of head h. */
export function prepareChunk(
  area: usize, q: usize, k: usize, a: usize, b: usize, g: usize, p: i32, n: i32, H: i32, h: i32, K: i32, scale: f32,
  z: usize,
): void {
  const lanes = lanesOf(K);
  takeChunk(area, q, k, a, b, g, p, n, H, h, K, scale);
  decayRows(area, n, lanes, area + aqAt(lanes), area + kbAt(lanes));
  const row = (<usize>H * K) << 2;
  decayOfAll(g + <usize>p * row + ((<usize>h * K) << 2), row, n, K, area + wholeAt(lanes));
  dplrPairs(area, n, lanes, area + pairsAt(lanes), z);
}

/** Columns [0, width) of n rows of values into the first rows of vr, the columns up to stride zero. */
export function takeValues(v: usize, row: usize, n: i32, width: i32, stride: i32, vr: usize): void {
  takeRows(v, row, n, width, stride, 1, vr);
}

/** S (+ the chunk): rows scaled by all decays, then [k; b]^T [v; r]. */
export function advanceState(area: usize, state: usize, n: i32, K: i32, lanes: i32, stride: i32): void {
  scaleRows(state, K, stride, area + wholeAt(lanes));
  tileProduct(area + kbAt(lanes), 1, lanes, area + vrAt(lanes), stride, 1, state, stride, K, stride, 2 * n, 1);
}

/** Units: dplrUnits. h0, kept may be 0; kept [slots, H, K, V] gets the state before every 64th token. */
export function dplrChunk(
  start: i32, end: i32, q: usize, k: usize, v: usize, a: usize, b: usize, g: usize, h0: usize, y: usize, final: usize,
  kept: usize, T: i32, H: i32, K: i32, V: i32, scale: f32, cu: usize,
): void {
  const lanes = lanesOf(K);
  const tiles = (V + WIDTH - 1) / WIDTH;
  const area = scratch() + GEMM_SCRATCH;
  for (let unit = start; unit < end; unit++) {
    const sh = unit / tiles;
    const v0 = (unit - sh * tiles) * WIDTH;
    const s = sh / H;
    const h = sh - s * H;
    const w = min(WIDTH, V - v0);
    const stride = (w + 7) & ~7;
    const state = area + stateAt(lanes, stride);
    const out = area + chunkBytes(lanes, stride);
    const z = out + ((<usize>(2 * CHUNK * stride)) << 2);
    const size = <usize>K * V;
    const edge = ((<usize>sh * size) + v0) << 2;
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
      prepareChunk(area, q, k, a, b, g, p, n, H, h, K, scale, z);
      const vr = area + vrAt(lanes);
      takeValues(v + valueAt, valueRow, n, w, stride, vr);
      tileProduct(area + aqAt(lanes), lanes, 1, state, stride, 1, out, stride, 2 * n, stride, K, 0);
      const m = area + pairsAt(lanes);
      dplrSolve(m, n, out, vr, stride);
      const read = out + ((<usize>(n * stride)) << 2);
      tileProduct(m + <usize>n * PAIR_ROW, 32, 1, vr, stride, 1, read, stride, n, stride, 2 * n, 1);
      giveRows(read, n, w, stride, y + valueAt, valueRow, false);
      advanceState(area, state, n, K, lanes, stride);
    }
    giveState(state, K, V, w, stride, final + edge);
  }
}
