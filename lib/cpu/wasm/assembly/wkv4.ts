// WKV of RWKV-4. Units are sequences x blocks of at most 32 channels; inside one, channels go in quads (four lanes). The
// state of a quad is (aa, bb, c, n): sums aa e^p and bb e^p with p = c + n w, where c is the key (or pp) that was the
// largest and n counts the tokens since. Adding w to p token by token would round every time, always the same way. Of two
// exponents the larger is subtracted from both, so one exponential of minus their distance serves both sides.
import { expV, loadUpTo, madd, select4, splat, storeUpTo } from './math';
import { CHUNK, sequenceStart, slotOf } from './scan-common';
import { scratch } from './scratch';

const WIDTH: i32 = 32;
/** Exponent of a state that has seen nothing. */
const EMPTY: f32 = -1e38;
/** Bytes of a state, and of what the backward pass carries: gradients of (aa, bb, pp), sums dw, du, unused. */
const STATE: usize = 64;
const CARRY: usize = 80;

// @ts-ignore: decorator
@inline function plane(ptr: usize, part: usize, D: i32, d: i32): usize {
  return ptr + ((part * D + d) << 2);
}

/** Loads a state [3, D] (n is 0) or nothing. */
// @ts-ignore: decorator
@inline function enter(from: usize, s: i32, D: i32, d: i32, count: i32, to: usize): void {
  v128.store(to, splat(0), 0);
  v128.store(to, splat(0), 16);
  v128.store(to, splat(EMPTY), 32);
  v128.store(to, splat(0), 48);
  if (!from) return;
  const row = from + ((<usize>s * 3 * D) << 2);
  for (let part: usize = 0; part < 3; part++) v128.store(to + (part << 4), loadUpTo(plane(row, part, D, d), count));
}

/** Kept states are [rows, 4, D]. */
// @ts-ignore: decorator
@inline function keep(to: usize, slot: i32, D: i32, d: i32, count: i32, from: usize): void {
  const row = to + ((<usize>slot * 4 * D) << 2);
  for (let part: usize = 0; part < 4; part++) storeUpTo(plane(row, part, D, d), v128.load(from + (part << 4)), count);
}

// @ts-ignore: decorator
@inline function restore(from: usize, slot: i32, D: i32, d: i32, count: i32, to: usize): void {
  const row = from + ((<usize>slot * 4 * D) << 2);
  for (let part: usize = 0; part < 4; part++) v128.store(to + (part << 4), loadUpTo(plane(row, part, D, d), count));
}

/** Units of S sequences of D channels. */
export function wkv4Units(S: i32, D: i32): i32 {
  return S * ((D + WIDTH - 1) / WIDTH);
}

/** The state after a token: decayed, and the token added. */
// @ts-ignore: decorator
@inline function advance(state: usize, to: usize, w: v128, k: v128, v: v128): void {
  const c = v128.load(state, 32);
  const n = f32x4.add(v128.load(state, 48), splat(1));
  const apart = madd(n, w, f32x4.sub(c, k));
  const own = f32x4.lt(apart, splat(0));
  const e = expV(f32x4.neg(f32x4.abs(apart)));
  const f1 = select4(e, splat(1), own);
  const f2 = select4(splat(1), e, own);
  v128.store(to, madd(f1, v128.load(state, 0), f32x4.mul(f2, v)), 0);
  v128.store(to, madd(f1, v128.load(state, 16), f2), 16);
  v128.store(to, select4(k, c, own), 32);
  v128.store(to, v128.andnot(n, own), 48);
}

/** Some tokens of one quad, its state in registers: exponentials depend on c and n only, and overlap. */
// @ts-ignore: decorator
@inline function tokens(
  k: usize, v: usize, w: usize, u: usize, y: usize, state: usize, first: i32, end: i32, D: i32, d: i32, count: i32,
): void {
  const rate = loadUpTo(w + (<usize>d << 2), count);
  const bonus = loadUpTo(u + (<usize>d << 2), count);
  let a = v128.load(state, 0);
  let b = v128.load(state, 16);
  let c = v128.load(state, 32);
  let n = v128.load(state, 48);
  let at = (<usize>first * D + d) << 2;
  for (let t = first; t < end; t++) {
    const key = loadUpTo(k + at, count);
    const value = loadUpTo(v + at, count);
    const distance = f32x4.sub(c, key);
    const apart = f32x4.add(distance, f32x4.sub(f32x4.mul(n, rate), bonus));
    const own = f32x4.lt(apart, splat(0));
    const e = expV(f32x4.neg(f32x4.abs(apart)));
    const e1 = select4(e, splat(1), own);
    const e2 = select4(splat(1), e, own);
    storeUpTo(y + at, f32x4.div(madd(e1, a, f32x4.mul(e2, value)), madd(e1, b, e2)), count);
    n = f32x4.add(n, splat(1));
    const after = madd(n, rate, distance);
    const largest = f32x4.lt(after, splat(0));
    const f = expV(f32x4.neg(f32x4.abs(after)));
    const f1 = select4(f, splat(1), largest);
    const f2 = select4(splat(1), f, largest);
    a = madd(f1, a, f32x4.mul(f2, value));
    b = madd(f1, b, f2);
    c = select4(key, c, largest);
    n = v128.andnot(n, largest);
    at += <usize>D << 2;
  }
  v128.store(state, a, 0);
  v128.store(state, b, 16);
  v128.store(state, c, 32);
  v128.store(state, n, 48);
}

/** k, v, y [rows, D], w, u [D], h0, final [S, 3, D] (0 = absent), kept: a state every CHUNK tokens, [*, 4, D]. */
export function wkv4(
  start: i32, end: i32, k: usize, v: usize, w: usize, u: usize, h0: usize, y: usize, final: usize, kept: usize,
  T: i32, D: i32, cu: usize,
): void {
  const blocks = (D + WIDTH - 1) / WIDTH;
  const states = scratch();
  for (let unit = start; unit < end; unit++) {
    const s = unit / blocks;
    const d0 = (unit - s * blocks) * WIDTH;
    const d1 = min(D, d0 + WIDTH);
    for (let d = d0; d < d1; d += 4) enter(h0, s, D, d, d1 - d, states + <usize>((d - d0) >> 2) * STATE);
    const t0 = sequenceStart(cu, s, T);
    const t1 = sequenceStart(cu, s + 1, T);
    for (let first = t0; first < t1; first += CHUNK)
      for (let d = d0; d < d1; d += 4) {
        const state = states + <usize>((d - d0) >> 2) * STATE;
        if (kept) keep(kept, slotOf(t0, s, (first - t0) / CHUNK), D, d, d1 - d, state);
        tokens(k, v, w, u, y, state, first, min(t1, first + CHUNK), D, d, d1 - d);
      }
    for (let d = d0; d < d1; d += 4) {
      const count = d1 - d;
      const state = states + <usize>((d - d0) >> 2) * STATE;
      const row = final + ((<usize>s * 3 * D) << 2);
      storeUpTo(plane(row, 0, D, d), v128.load(state, 0), count);
      storeUpTo(plane(row, 1, D, d), v128.load(state, 16), count);
      const p = madd(v128.load(state, 48), loadUpTo(w + (<usize>d << 2), count), v128.load(state, 32));
      storeUpTo(plane(row, 2, D, d), p, count);
    }
  }
}

/** Gradients of the final (aa, bb), and what that of pp has beyond them: it belongs to the largest exponent. */
// @ts-ignore: decorator
@inline function seed(final: usize, dfinal: usize, s: i32, D: i32, d: i32, count: i32, carry: usize): void {
  for (let part: usize = 0; part < 5; part++) v128.store(carry + (part << 4), splat(0));
  if (!dfinal) return;
  const row = (<usize>s * 3 * D) << 2;
  const a = loadUpTo(plane(dfinal + row, 0, D, d), count);
  const b = loadUpTo(plane(dfinal + row, 1, D, d), count);
  const right = f32x4.mul(b, loadUpTo(plane(final + row, 1, D, d), count));
  const sum = madd(a, loadUpTo(plane(final + row, 0, D, d), count), right);
  v128.store(carry, a, 0);
  v128.store(carry, b, 16);
  v128.store(carry, f32x4.sub(loadUpTo(plane(dfinal + row, 2, D, d), count), sum), 32);
}

/** The gradient of the initial state: the sums do not change when pp moves against aa and bb, hence that of pp. */
// @ts-ignore: decorator
@inline function leave(h0: usize, dh0: usize, s: i32, D: i32, d: i32, count: i32, carry: usize): void {
  const row = (<usize>s * 3 * D) << 2;
  const a = v128.load(carry, 0);
  const b = v128.load(carry, 16);
  const right = f32x4.mul(b, loadUpTo(plane(h0 + row, 1, D, d), count));
  const sum = madd(a, loadUpTo(plane(h0 + row, 0, D, d), count), right);
  storeUpTo(plane(dh0 + row, 0, D, d), a, count);
  storeUpTo(plane(dh0 + row, 1, D, d), b, count);
  storeUpTo(plane(dh0 + row, 2, D, d), f32x4.add(sum, v128.load(carry, 32)), count);
}

/** One token backwards: gradients of its key and value, and the carry before it. `state` is the one it reads. */
// @ts-ignore: decorator
@inline function tokenBackward(
  state: usize, carry: usize, key: v128, value: v128, w: v128, u: v128, gy: v128, dk: usize, dv: usize, count: i32,
): void {
  const a = v128.load(state, 0);
  const b = v128.load(state, 16);
  const n = v128.load(state, 48);
  const distance = f32x4.sub(v128.load(state, 32), key);
  const A = v128.load(carry, 0);
  const B = v128.load(carry, 16);
  const top = v128.load(carry, 32);
  // The update a' = f1 a + f2 v.
  const after = madd(f32x4.add(n, splat(1)), w, distance);
  const largest = f32x4.lt(after, splat(0));
  const f = expV(f32x4.neg(f32x4.abs(after)));
  const f1 = select4(f, splat(1), largest);
  const f2 = select4(splat(1), f, largest);
  let gk = madd(f2, madd(A, value, B), v128.and(largest, top));
  const gw = madd(f1, madd(A, a, f32x4.mul(B, b)), v128.andnot(top, largest));
  // The read y = (e1 a + e2 v) / (e1 b + e2).
  const apart = f32x4.add(distance, f32x4.sub(f32x4.mul(n, w), u));
  const own = f32x4.lt(apart, splat(0));
  const e = expV(f32x4.neg(f32x4.abs(apart)));
  const e1 = select4(e, splat(1), own);
  const e2 = select4(splat(1), e, own);
  const den = madd(e1, b, e2);
  const y = f32x4.div(madd(e1, a, f32x4.mul(e2, value)), den);
  const scaled = f32x4.div(gy, den);
  const weight = f32x4.mul(scaled, e2);
  const gu = f32x4.mul(weight, f32x4.sub(value, y));
  gk = f32x4.add(gk, gu);
  storeUpTo(dk, gk, count);
  storeUpTo(dv, madd(f2, A, weight), count);
  const past = f32x4.mul(e1, scaled);
  v128.store(carry, madd(f1, A, past), 0);
  v128.store(carry, f32x4.sub(f32x4.mul(f1, B), f32x4.mul(past, y)), 16);
  v128.store(carry, v128.andnot(top, largest), 32);
  v128.store(carry, f32x4.add(v128.load(carry, 48), gw), 48);
  v128.store(carry, f32x4.add(v128.load(carry, 64), gu), 64);
}

/** Gradients: dk, dv [rows, D], dh0 [S, 3, D] (0 = absent), sums [2, S, D]: parts of dw and du of every sequence. */
export function wkv4Backward(
  start: i32, end: i32, k: usize, v: usize, w: usize, u: usize, h0: usize, kept: usize, final: usize, dy: usize,
  dfinal: usize, dk: usize, dv: usize, dh0: usize, sums: usize, T: i32, D: i32, cu: usize, S: i32,
): void {
  const blocks = (D + WIDTH - 1) / WIDTH;
  const carries = scratch();
  const states = carries + <usize>(WIDTH >> 2) * CARRY;
  for (let unit = start; unit < end; unit++) {
    const s = unit / blocks;
    const d0 = (unit - s * blocks) * WIDTH;
    const d1 = min(D, d0 + WIDTH);
    const row = <usize>((d1 - d0 + 3) >> 2) * STATE;
    const t0 = sequenceStart(cu, s, T);
    const length = sequenceStart(cu, s + 1, T) - t0;
    for (let d = d0; d < d1; d += 4) seed(final, dfinal, s, D, d, d1 - d, carries + <usize>((d - d0) >> 2) * CARRY);
    for (let c = (length + CHUNK - 1) / CHUNK - 1; c >= 0; c--) {
      const first = t0 + c * CHUNK;
      const size = min(CHUNK, length - c * CHUNK);
      for (let d = d0; d < d1; d += 4) {
        const count = d1 - d;
        let state = states + <usize>((d - d0) >> 2) * STATE;
        restore(kept, slotOf(t0, s, c), D, d, count, state);
        const rate = loadUpTo(w + (<usize>d << 2), count);
        for (let t = first; t < first + size - 1; t++) {
          const at = (<usize>t * D + d) << 2;
          advance(state, state + row, rate, loadUpTo(k + at, count), loadUpTo(v + at, count));
          state += row;
        }
      }
      for (let d = d0; d < d1; d += 4) {
        const count = d1 - d;
        const quad = <usize>((d - d0) >> 2);
        const rate = loadUpTo(w + (<usize>d << 2), count);
        const bonus = loadUpTo(u + (<usize>d << 2), count);
        for (let j = size - 1; j >= 0; j--) {
          const at = (<usize>(first + j) * D + d) << 2;
          tokenBackward(
            states + <usize>j * row + quad * STATE, carries + quad * CARRY, loadUpTo(k + at, count),
            loadUpTo(v + at, count), rate, bonus, dy ? loadUpTo(dy + at, count) : splat(0), dk + at, dv + at, count,
          );
        }
      }
    }
    for (let d = d0; d < d1; d += 4) {
      const count = d1 - d;
      const carry = carries + <usize>((d - d0) >> 2) * CARRY;
      const at = (<usize>s * D + d) << 2;
      storeUpTo(sums + at, v128.load(carry, 48), count);
      storeUpTo(sums + at + ((<usize>S * D) << 2), v128.load(carry, 64), count);
      if (dh0) leave(h0, dh0, s, D, d, count, carry);
    }
  }
}
