// What the selective scan's forward and backward share: the division into units and the layouts of a block.
// A unit is one sequence x at most 64 channels of one group. Inside it channels go in quads (four lanes), states
// as [quad][n][4], so any N works without a tail and sums over n need no horizontal step.
import { loadPart, loadUpTo, splat } from './math';

/** Channels of a unit. */
export const WIDTH: i32 = 64;
/** Steps between stored states. */
export const CHUNK: i32 = 16;

export const SOFTPLUS: i32 = 1;
export const FIXED_B: i32 = 2;
export const FIXED_C: i32 = 4;
/** The reduction multiplies decays instead of adding steps. */
export const PRODUCT: i32 = 8;
/** The reduction and the carry run back over the adjoint. */
export const REVERSE: i32 = 16;

export const LOG2E: f32 = 1.4426950408889634;
export const LN2: f32 = 0.6931471805599453;

// @ts-ignore: decorator
@inline export function blocksOf(D: i32, G: i32): i32 {
  return (D / G + WIDTH - 1) / WIDTH;
}

/** First row of sequence s: cu[s], or s T. */
// @ts-ignore: decorator
@inline export function sequenceStart(cu: usize, s: i32, T: i32): i32 {
  return cu ? load<i32>(cu + (<usize>s << 2)) : s * T;
}

// A part of time: a whole sequence, or what a table of i32 [parts][3] says: sequence, first row, row after the last.

// @ts-ignore: decorator
@inline export function partSequence(table: usize, part: i32): i32 {
  return table ? load<i32>(table + <usize>part * 12) : part;
}

// @ts-ignore: decorator
@inline export function partStart(table: usize, cu: usize, part: i32, T: i32): i32 {
  return table ? load<i32>(table + <usize>part * 12, 4) : sequenceStart(cu, part, T);
}

// @ts-ignore: decorator
@inline export function partEnd(table: usize, cu: usize, part: i32, T: i32): i32 {
  return table ? load<i32>(table + <usize>part * 12, 8) : sequenceStart(cu, part + 1, T);
}

/** Slot of the state at the start of chunk c of the sequence that starts at row `start`. */
// @ts-ignore: decorator
@inline export function slotOf(start: i32, s: i32, c: i32): i32 {
  return start / CHUNK + s + c;
}

/** Byte size of one state of a quad. */
// @ts-ignore: decorator
@inline export function quadBytes(N: i32): usize {
  return <usize>N << 4;
}

/** Reads rows [count][N] (channels) as [n][4], times `scale`; absent lanes and an absent source are 0. */
export function gatherQuad(from: usize, N: i32, count: i32, scale: f32, to: usize): void {
  const row = <usize>N << 2;
  for (let n = 0; n < N; n++) {
    let v = splat(0);
    if (from) {
      const at = from + (<usize>n << 2);
      v = v128.load32_lane(at, v, 0);
      if (count > 1) v = v128.load32_lane(at + row, v, 1);
      if (count > 2) v = v128.load32_lane(at + 2 * row, v, 2);
      if (count > 3) v = v128.load32_lane(at + 3 * row, v, 3);
    }
    v128.store(to + (<usize>n << 4), f32x4.mul(v, splat(scale)));
  }
}

/** Writes [n][4] as rows [count][N]. */
export function scatterQuad(from: usize, N: i32, count: i32, to: usize): void {
  const row = <usize>N << 2;
  for (let n = 0; n < N; n++) {
    const v = v128.load(from + (<usize>n << 4));
    const at = to + (<usize>n << 2);
    v128.store32_lane(at, v, 0);
    if (count > 1) v128.store32_lane(at + row, v, 1);
    if (count > 2) v128.store32_lane(at + 2 * row, v, 2);
    if (count > 3) v128.store32_lane(at + 3 * row, v, 3);
  }
}

/** Four channels of an optional vector [D]. */
// @ts-ignore: decorator
@inline export function optional(ptr: usize, d: i32, count: i32): v128 {
  return ptr ? loadUpTo(ptr + (<usize>d << 2), count) : splat(0);
}

/** Like loadUpTo, without a branch for whole quads. */
// @ts-ignore: decorator
@inline export function loadQuad(ptr: usize, count: i32): v128 {
  return count >= 4 ? v128.load(ptr) : loadPart(ptr, count, splat(0));
}
