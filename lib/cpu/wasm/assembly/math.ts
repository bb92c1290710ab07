// Elementary functions on four lanes. Only adds, multiplies, divisions, square roots and integer shifts, so the
// bits are the same on every platform. Polynomials are own weighted minimax fits (relative error below 6e-9 unless
// said otherwise).

// @ts-ignore: decorator
@inline export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

/** Lanes where `mask` is set from a, else from b. */
// @ts-ignore: decorator
@inline export function select4(a: v128, b: v128, mask: v128): v128 {
  return v128.bitselect(a, b, mask);
}

// @ts-ignore: decorator
@inline export function madd(a: v128, b: v128, c: v128): v128 {
  return f32x4.add(f32x4.mul(a, b), c);
}

/** (l0 + l1) + (l2 + l3). */
// @ts-ignore: decorator
@inline export function hsum(x: v128): f32 {
  return (
    f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3))
  );
}

// @ts-ignore: decorator
@inline export function hmax(x: v128): f32 {
  return max(
    max(f32x4.extract_lane(x, 0), f32x4.extract_lane(x, 1)),
    max(f32x4.extract_lane(x, 2), f32x4.extract_lane(x, 3)),
  );
}

/**
 * 2^x: rounds x to n by the magic constant 1.5 * 2^23, 2 * 2^r by a polynomial, times 2^(n-1) built from bits.
 * 0 below -125.5, infinity from 128, NaN stays NaN. Relative error 9e-8 before rounding; expV is the finer one.
 */
// @ts-ignore: decorator
@inline export function exp2V(value: v128): v128 {
  const x = f32x4.pmin(f32x4.pmax(value, splat(-126)), splat(128));
  const t = f32x4.add(x, splat(12582912));
  const r = f32x4.sub(x, f32x4.sub(t, splat(12582912)));
  let p = madd(splat(0.002652945462614298), r, splat(0.019343025982379913));
  p = madd(p, r, splat(0.11101467162370682));
  p = madd(p, r, splat(0.48044484853744507));
  p = madd(p, r, splat(1.3862940073013306));
  p = madd(p, r, splat(2));
  return f32x4.mul(p, i32x4.add(i32x4.shl(t, 23), i32x4.splat(0x3f000000)));
}

/** e^x with Cody-Waite reduction: 0 below -87, infinity above 88.72, NaN stays NaN. */
// @ts-ignore: decorator
@inline export function expV(value: v128): v128 {
  const x = f32x4.pmin(f32x4.pmax(value, splat(-87.34)), splat(89));
  const t = f32x4.add(f32x4.mul(x, splat(1.4426950408889634)), splat(12582912));
  const n = f32x4.sub(t, splat(12582912));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, splat(0.693359375))), f32x4.mul(n, splat(-2.12194440e-4)));
  let p = madd(splat(0.002762893447652459), r, splat(0.01673756167292595));
  p = madd(p, r, splat(0.08333678543567657));
  p = madd(p, r, splat(0.3333303928375244));
  p = madd(p, r, splat(0.9999998807907104));
  p = madd(f32x4.mul(r, r), p, f32x4.add(r, r));
  p = f32x4.add(p, splat(2));
  return f32x4.mul(p, i32x4.add(i32x4.shl(t, 23), i32x4.splat(0x3f000000)));
}

/** log(1 + f) - f for f in [sqrt(1/2) - 1, sqrt(2) - 1]. */
// @ts-ignore: decorator
@inline function logTail(f: v128): v128 {
  let p = madd(splat(0.06757573038339615), f, splat(-0.11694339662790298));
  p = madd(p, f, splat(0.11893513798713684));
  p = madd(p, f, splat(-0.12403082847595215));
  p = madd(p, f, splat(0.1421855390071869));
  p = madd(p, f, splat(-0.16668090224266052));
  p = madd(p, f, splat(0.2000216692686081));
  p = madd(p, f, splat(-0.25000008940696716));
  p = madd(p, f, splat(0.3333331048488617));
  const f2 = f32x4.mul(f, f);
  return f32x4.sub(f32x4.mul(f32x4.mul(f2, f), p), f32x4.mul(f2, splat(0.5)));
}

/** Natural logarithm: -infinity at 0, NaN below, infinity at infinity. */
// @ts-ignore: decorator
@inline export function logV(x: v128): v128 {
  const tiny = f32x4.lt(x, splat(1.1754943508222875e-38));
  const scaled = select4(f32x4.mul(x, splat(8388608)), x, tiny);
  // The exponent that leaves the mantissa in [sqrt(1/2), sqrt(2)).
  const bits = i32x4.sub(scaled, i32x4.splat(0x3f3504f3));
  const e = f32x4.sub(
    f32x4.convert_i32x4_s(i32x4.shr_s(bits, 23)),
    v128.and(tiny, splat(23)),
  );
  const m = i32x4.add(v128.and(bits, i32x4.splat(0x007fffff)), i32x4.splat(0x3f3504f3));
  const f = f32x4.sub(m, splat(1));
  let y = f32x4.add(logTail(f), f32x4.mul(e, splat(-2.12194440e-4)));
  y = f32x4.add(f32x4.add(y, f), f32x4.mul(e, splat(0.693359375)));
  y = select4(splat(-Infinity), y, f32x4.eq(x, splat(0)));
  y = select4(x, y, f32x4.eq(x, splat(Infinity)));
  return select4(y, splat(NaN), f32x4.ge(x, splat(0)));
}

/** log(1 + u) for u in [0, 1], accurate for small u. */
// @ts-ignore: decorator
@inline export function log1pUnit(u: v128): v128 {
  const high = f32x4.gt(u, splat(0.41421356));
  const f = select4(f32x4.mul(f32x4.sub(u, splat(1)), splat(0.5)), u, high);
  const y = f32x4.add(logTail(f), f);
  return f32x4.add(y, v128.and(high, splat(0.6931471805599453)));
}

// @ts-ignore: decorator
@inline export function sigmoidV(x: v128): v128 {
  return f32x4.div(splat(1), f32x4.add(splat(1), expV(f32x4.neg(x))));
}

/** log(1 + e^x) = max(x, 0) + log1p(e^-|x|): in f32 this is e^x far below 0 and x above 20. */
// @ts-ignore: decorator
@inline export function softplusV(x: v128): v128 {
  return f32x4.add(f32x4.pmax(x, splat(0)), log1pUnit(expV(f32x4.neg(f32x4.abs(x)))));
}

// @ts-ignore: decorator
@inline export function tanhV(x: v128): v128 {
  const z = f32x4.mul(x, x);
  let p = madd(splat(-0.00571704376488924), z, splat(0.020650586113333702));
  p = madd(p, z, splat(-0.05374349653720856));
  p = madd(p, z, splat(0.13331490755081177));
  p = madd(p, z, splat(-0.3333328366279602));
  const small = madd(f32x4.mul(p, z), x, x);
  const a = f32x4.abs(x);
  const e = expV(f32x4.add(a, a));
  const large = f32x4.sub(splat(1), f32x4.div(splat(2), f32x4.add(e, splat(1))));
  const signed = v128.or(large, v128.and(x, i32x4.splat(0x80000000)));
  return select4(small, signed, f32x4.lt(a, splat(0.625)));
}

/** e^(a a) erfc(a) for a >= 0: polynomial in (a - 2)/(a + 2), fitted on [0, 10]. */
// @ts-ignore: decorator
@inline function erfcxV(a: v128): v128 {
  const s = f32x4.div(f32x4.sub(a, splat(2)), f32x4.add(a, splat(2)));
  let p = madd(splat(2.709784712351393e-5), s, splat(0.00013889919500797987));
  p = madd(p, s, splat(3.231733717257157e-5));
  p = madd(p, s, splat(-0.0009634539601393044));
  p = madd(p, s, splat(-0.0008407558198086917));
  p = madd(p, s, splat(0.006992746610194445));
  p = madd(p, s, splat(0.003731684759259224));
  p = madd(p, s, splat(-0.0789780393242836));
  p = madd(p, s, splat(0.2416582554578781));
  p = madd(p, s, splat(-0.42718586325645447));
  return madd(p, s, splat(0.25539568066596985));
}

/** Standard normal distribution function, given g = e^(-x x / 2). */
// @ts-ignore: decorator
@inline export function normalCdf(x: v128, g: v128): v128 {
  const a = f32x4.pmin(splat(10), f32x4.mul(f32x4.abs(x), splat(0.7071067811865476)));
  const half = f32x4.mul(f32x4.mul(g, splat(0.5)), erfcxV(a));
  return select4(f32x4.sub(splat(1), half), half, f32x4.gt(x, splat(0)));
}

/** e^(-x x / 2). */
// @ts-ignore: decorator
@inline export function gaussian(x: v128): v128 {
  return expV(f32x4.mul(f32x4.mul(x, x), splat(-0.5)));
}

/** The inner function of the tanh form of gelu: sqrt(2/pi) (x + 0.044715 x^3). */
// @ts-ignore: decorator
@inline export function geluInner(x: v128): v128 {
  const cube = f32x4.mul(f32x4.mul(x, x), x);
  return f32x4.mul(splat(0.7978845608028654), madd(splat(0.044715), cube, x));
}

/** The first `count` (1 to 3) lanes from memory, the rest from `pad`. */
// @ts-ignore: decorator
@inline export function loadPart(ptr: usize, count: i32, pad: v128): v128 {
  let v = v128.load32_lane(ptr, pad, 0);
  if (count > 1) v = v128.load32_lane(ptr + 4, v, 1);
  if (count > 2) v = v128.load32_lane(ptr + 8, v, 2);
  return v;
}

// @ts-ignore: decorator
@inline export function storePart(ptr: usize, v: v128, count: i32): void {
  v128.store32_lane(ptr, v, 0);
  if (count > 1) v128.store32_lane(ptr + 4, v, 1);
  if (count > 2) v128.store32_lane(ptr + 8, v, 2);
}

/** Four lanes, or the first `count` of them when fewer. */
// @ts-ignore: decorator
@inline export function loadUpTo(ptr: usize, count: i32): v128 {
  return count >= 4 ? v128.load(ptr) : loadPart(ptr, count, splat(0));
}

// @ts-ignore: decorator
@inline export function storeUpTo(ptr: usize, v: v128, count: i32): void {
  if (count >= 4) v128.store(ptr, v);
  else storePart(ptr, v, count);
}
