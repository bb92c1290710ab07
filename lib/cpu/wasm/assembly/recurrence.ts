// Element-wise linear recurrence h_t = a_t h_{t-1} + b_t along the rows of each sequence. Units are S * D lanes.
import { madd, splat } from './math';
import { sequenceStart } from './scan-common';

// @ts-ignore: decorator
@inline function read(ptr: usize, wide: bool): v128 {
  return wide ? v128.load(ptr) : v128.load32_splat(ptr);
}

// @ts-ignore: decorator
@inline function write(ptr: usize, v: v128, wide: bool): void {
  if (wide) v128.store(ptr, v);
  else v128.store32_lane(ptr, v, 0);
}

/** a, b, h [rows, D]; h0, final [S, D] (0 = absent). */
export function linearRecurrence(
  start: i32, end: i32, a: usize, b: usize, h0: usize, h: usize, final: usize, T: i32, D: i32, cu: usize,
): void {
  let i = start;
  while (i < end) {
    const s = i / D;
    const d = i - s * D;
    const wide = d + 4 <= D && i + 4 <= end;
    let state = h0 ? read(h0 + (<usize>i << 2), wide) : splat(0);
    const t1 = sequenceStart(cu, s + 1, T);
    for (let t = sequenceStart(cu, s, T); t < t1; t++) {
      const at = (<usize>t * D + d) << 2;
      state = madd(read(a + at, wide), state, read(b + at, wide));
      write(h + at, state, wide);
    }
    if (final) write(final + (<usize>i << 2), state, wide);
    i += wide ? 4 : 1;
  }
}

/** G_t = dh_t + a_{t+1} G_{t+1} (+ dfinal at the end): db = G, da = G h_{t-1}, dh0 = a_1 G_1. */
export function linearRecurrenceBackward(
  start: i32, end: i32, a: usize, h: usize, h0: usize, dh: usize, dfinal: usize, da: usize, db: usize, dh0: usize,
  T: i32, D: i32, cu: usize,
): void {
  let i = start;
  while (i < end) {
    const s = i / D;
    const d = i - s * D;
    const wide = d + 4 <= D && i + 4 <= end;
    const first = h0 ? read(h0 + (<usize>i << 2), wide) : splat(0);
    let carry = dfinal ? read(dfinal + (<usize>i << 2), wide) : splat(0);
    const t0 = sequenceStart(cu, s, T);
    for (let t = sequenceStart(cu, s + 1, T) - 1; t >= t0; t--) {
      const at = (<usize>t * D + d) << 2;
      const G = f32x4.add(read(dh + at, wide), carry);
      const before = t > t0 ? read(h + at - (<usize>D << 2), wide) : first;
      carry = f32x4.mul(read(a + at, wide), G);
      write(db + at, G, wide);
      write(da + at, f32x4.mul(G, before), wide);
    }
    if (dh0) write(dh0 + (<usize>i << 2), carry, wide);
    i += wide ? 4 : 1;
  }
}
