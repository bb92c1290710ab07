// What the kernels of linear attention with diagonal decay share. A unit is one sequence x one head; q, k, decay
// [rows, H, K] and v, y [rows, H, V] with rows = B*T, states [S, H, K, V]. Lane rows in scratch are padded with zeros
// to a multiple of four. Nothing divides by a decay and no exponent is a difference: inside a block of 16 tokens
// decays between two tokens are running products of e^g, so a huge decay costs tiny ones no digits.
import { expV, hsum, loadUpTo, splat } from './math';

/** Tokens of a block: one step of the state. */
export const BLOCK: i32 = 16;
/** Blocks between stored states. */
export const BLOCKS: i32 = 4;
/** Tokens between stored states. */
export const CHUNK: i32 = BLOCK * BLOCKS;

/** First row of sequence s: cu[s], or s T. */
// @ts-ignore: decorator
@inline export function firstRow(cu: usize, s: i32, T: i32): i32 {
  return cu ? load<i32>(cu + (<usize>s << 2)) : s * T;
}

/** Row of the stored state before chunk c of the sequence that starts at row `first`. */
// @ts-ignore: decorator
@inline export function keptRow(first: i32, s: i32, c: i32): i32 {
  return first / CHUNK + s + c;
}

/** Bytes of a lane row. */
// @ts-ignore: decorator
@inline export function rowBytes(K: i32): usize {
  return <usize>((K + 3) & ~3) << 2;
}

/** to = factor from, zeros behind. */
// @ts-ignore: decorator
@inline export function copyLanes(from: usize, to: usize, K: i32, factor: v128): void {
  for (let c = 0; c < K; c += 4) {
    const at = <usize>c << 2;
    v128.store(to + at, f32x4.mul(loadUpTo(from + at, K - c), factor));
  }
}

/** to = e^from, ones behind. */
export function decayLanes(from: usize, to: usize, K: i32): void {
  for (let c = 0; c < K; c += 4) {
    const at = <usize>c << 2;
    v128.store(to + at, expV(loadUpTo(from + at, K - c)));
  }
}

/** out_i = x_i times the decays from the block's start to token i, without its own where `exclusive`; lane rows. */
export function prefixed(x: usize, a: usize, out: usize, m: i32, row: usize, exclusive: i32): void {
  for (let at: usize = 0; at < row; at += 16) {
    let run = splat(1);
    for (let i = 0; i < m; i++) {
      const p = <usize>i * row + at;
      const next = f32x4.mul(run, v128.load(a + p));
      v128.store(out + p, f32x4.mul(v128.load(x + p), exclusive ? run : next));
      run = next;
    }
  }
}

/** out_j = x_j times the decays of the tokens after j. */
export function suffixed(x: usize, a: usize, out: usize, m: i32, row: usize): void {
  for (let at: usize = 0; at < row; at += 16) {
    let run = splat(1);
    for (let j = m - 1; j >= 0; j--) {
      const p = <usize>j * row + at;
      v128.store(out + p, f32x4.mul(v128.load(x + p), run));
      run = f32x4.mul(run, v128.load(a + p));
    }
  }
}

/** S_c *= d_c for the K rows of V. */
export function decayState(S: usize, d: usize, K: i32, V: i32): void {
  const row = <usize>V << 2;
  for (let c = 0; c < K; c++) {
    const factor = v128.load32_splat(d + (<usize>c << 2));
    const line = S + <usize>c * row;
    let e: i32 = 0;
    for (; e + 4 <= V; e += 4) {
      const at = line + (<usize>e << 2);
      v128.store(at, f32x4.mul(v128.load(at), factor));
    }
    for (; e < V; e++) {
      const at = line + (<usize>e << 2);
      store<f32>(at, load<f32>(at) * f32x4.extract_lane(factor, 0));
    }
  }
}

/** Inner product of V numbers. */
// @ts-ignore: decorator
@inline export function inner(x: usize, y: usize, V: i32): f32 {
  let sum = splat(0);
  for (let e = 0; e < V; e += 4) {
    const at = <usize>e << 2;
    sum = f32x4.add(sum, f32x4.mul(loadUpTo(x + at, V - e), loadUpTo(y + at, V - e)));
  }
  return hsum(sum);
}
