// Sizes of the channels that share a transform.
import { loadUpTo, splat } from './math';

// Two channels share a complex number, so that rounding of a large one is an error of a small one beside it, and a NaN
// of one a NaN of both. Hence every channel enters as its numbers over the power of two below the largest of them, and
// one with a number that is not finite as zeros; it leaves times that power, or NaN. Powers of two round nothing.

/** Largest magnitude of each of up to four channels in rows, and of `least`; NaN where one is NaN. */
export function largest(from: usize, rows: i32, step: usize, lanes: i32, least: v128): v128 {
  let m = least;
  if (lanes <= 0) return m;
  let t: i32 = 0;
  if (lanes >= 4) {
    let n = splat(0);
    for (; t + 1 < rows; t += 2) {
      const at = from + <usize>t * step;
      m = f32x4.max(m, f32x4.abs(v128.load(at)));
      n = f32x4.max(n, f32x4.abs(v128.load(at + step)));
    }
    m = f32x4.max(m, n);
  }
  for (; t < rows; t++) m = f32x4.max(m, f32x4.abs(loadUpTo(from + <usize>t * step, lanes)));
  return m;
}

/** All bits where a lane is infinite or NaN. */
// @ts-ignore: decorator
@inline export function endless(x: v128): v128 {
  const exponent = i32x4.splat(0x7f800000);
  return i32x4.eq(v128.and(x, exponent), exponent);
}

/** The power of two below a magnitude, within 2^-60 and 2^60; NaN for one that is not finite. */
// @ts-ignore: decorator
@inline export function power(m: v128): v128 {
  const exponent = v128.and(m, i32x4.splat(0x7f800000));
  const kept = i32x4.min_s(i32x4.max_s(exponent, i32x4.splat(67 << 23)), i32x4.splat(187 << 23));
  return v128.or(kept, endless(m));
}

/** One over a power, 0 for NaN. */
// @ts-ignore: decorator
@inline export function reciprocal(p: v128): v128 {
  return v128.andnot(i32x4.sub(i32x4.splat(254 << 23), p), endless(p));
}

/** Powers of a sequence with its past, for four of its channels. */
export function powerOf(past: usize, u: usize, b: i32, d: i32, T: i32, D: i32, W: i32, lanes: i32): v128 {
  const step = <usize>D << 2;
  let m = splat(0);
  if (past) m = largest(past + ((<usize>b * (W - 1) * D + d) << 2), W - 1, step, lanes, m);
  return power(largest(u + ((<usize>b * T * D + d) << 2), T, step, lanes, m));
}

/** What the product of two channels leaves times: their powers, and the 1/N of the inverse transform. */
// @ts-ignore: decorator
@inline export function unscaled(a: v128, b: v128, N: i32): v128 {
  return f32x4.mul(f32x4.mul(a, b), splat(1 / <f32>N));
}

/** Largest product of the powers of inputs and gradients over the sequences, for four channels. */
export function common(past: usize, u: usize, dy: usize, B: i32, d: i32, T: i32, D: i32, W: i32, lanes: i32): v128 {
  let m = splat(0);
  for (let b = 0; b < B; b++)
    m = f32x4.max(m, f32x4.mul(powerOf(past, u, b, d, T, D, W, lanes), powerOf(0, dy, b, d, T, D, W, lanes)));
  return m;
}

/** The share of one sequence, 0 where there is a NaN. */
// @ts-ignore: decorator
@inline export function share(a: v128, b: v128, all: v128): v128 {
  const part = f32x4.div(f32x4.mul(a, b), all);
  return v128.andnot(part, endless(part));
}
