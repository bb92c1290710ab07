/**
 * Elementary functions in f64 built from + - * / and sqrt only.
 *
 * ECMAScript leaves the last bits of Math.exp, Math.log, Math.sin, ... to the engine; these functions give the same
 * bits on every IEEE 754 machine, so values that must be reproducible (initial weights, random normals, schedules)
 * use them. Errors against exact values, measured over the golden cases: below 2 ulp (`erfc` 4 ulp) also for
 * subnormal, huge and nearly cancelling arguments. Special values follow IEEE 754 and ECMAScript's `Math`.
 *
 * Method: argument reduction with split constants, then Taylor or atanh series cut below 1e-17 relative; `erfc` uses a
 * Chebyshev expansion of exp(x^2) erfc(x) (x + 4) in (x - 4) / (x + 4), computed with 300-bit arithmetic.
 */

/** log(2) as a 32-bit head, exact when multiplied by an exponent, and the rest. */
const LN2_HI = 0.6931471803691238;
const LN2_LO = 1.9082149292705877e-10;
const INVERSE_LN2 = 1.4426950408889634;
const SQRT_HALF = 0.7071067811865476;

const words = new Float64Array(1);
const bits = new Uint32Array(words.buffer);
/** Index of the high word; 0 on a big-endian machine. */
const HIGH = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;
const LOW = 1 - HIGH;

const TWO_TO_1023 = 8.98846567431158e307;
const TWO_TO_MINUS_1022 = 2.2250738585072014e-308;

/** x * 2^k with one rounding, for x near 1 and an integer k in -2044..2046. */
function scaleByPowerOfTwo(x: number, k: number): number {
  if (k > 1023) return x * TWO_TO_1023 * powerOfTwo(k - 1023);
  if (k < -1022) return x * powerOfTwo(k + 1022) * TWO_TO_MINUS_1022;
  return x * powerOfTwo(k);
}

/** 2^k for an integer k in -1022..1023. */
function powerOfTwo(k: number): number {
  bits[LOW] = 0;
  bits[HIGH] = (k + 1023) << 20;
  return words[0];
}

/** (exp(r) - 1 - r) / r^2 for |r| <= 0.5: Taylor coefficients 1/2!, 1/3!, ... */
function expTail(r: number): number {
  let sum = 1 / 20922789888000;
  sum = sum * r + 1 / 1307674368000;
  sum = sum * r + 1 / 87178291200;
  sum = sum * r + 1 / 6227020800;
  sum = sum * r + 1 / 479001600;
  sum = sum * r + 1 / 39916800;
  sum = sum * r + 1 / 3628800;
  sum = sum * r + 1 / 362880;
  sum = sum * r + 1 / 40320;
  sum = sum * r + 1 / 5040;
  sum = sum * r + 1 / 720;
  sum = sum * r + 1 / 120;
  sum = sum * r + 1 / 24;
  sum = sum * r + 1 / 6;
  return sum * r + 1 / 2;
}

/** exp(x + low) for |low| far below ulp(x). */
function expSplit(x: number, low: number): number {
  if (x !== x) return NaN;
  if (x > 709.782712893384) return Infinity;
  if (x < -745.1332191019412) return 0;
  const k = Math.floor(x * INVERSE_LN2 + 0.5);
  const head = x - k * LN2_HI;
  const correction = k * LN2_LO - low;
  const r = head - correction;
  const lost = head - r - correction;
  // 1 + r is split exactly, so that only the final sum rounds.
  const one = 1 + r;
  const rest = r - (one - 1);
  return scaleByPowerOfTwo(one + (rest + (lost + r * r * expTail(r))), k);
}

/** e^x. */
export function exp(x: number): number {
  return expSplit(x, 0);
}

/** e^x - 1, accurate near 0. */
export function expm1(x: number): number {
  if (x !== x) return NaN;
  if (x > 709.782712893384) return Infinity;
  if (x < -40) return -1;
  if (x >= -0.5 && x <= 0.5) return x === 0 ? x : x + x * x * expTail(x);
  const k = Math.floor(x * INVERSE_LN2 + 0.5);
  const head = x - k * LN2_HI;
  const correction = k * LN2_LO;
  const r = head - correction;
  const lost = head - r - correction;
  const fraction = r + (lost + r * r * expTail(r));
  if (k > 56) return scaleByPowerOfTwo(1 + fraction, k);
  const power = powerOfTwo(k);
  return power * fraction + (power - 1);
}

/** 2 atanh(s) / s - 2 for s^2 = z <= 0.0295: sum of 2 z^n / (2n + 1), n >= 1. */
function atanhTail(z: number): number {
  let sum = 2 / 27;
  sum = sum * z + 2 / 25;
  sum = sum * z + 2 / 23;
  sum = sum * z + 2 / 21;
  sum = sum * z + 2 / 19;
  sum = sum * z + 2 / 17;
  sum = sum * z + 2 / 15;
  sum = sum * z + 2 / 13;
  sum = sum * z + 2 / 11;
  sum = sum * z + 2 / 9;
  sum = sum * z + 2 / 7;
  sum = sum * z + 2 / 5;
  return (sum * z + 2 / 3) * z;
}

/** The part of log(1 + f) beyond f, with s = f / (2 + f): log(1 + f) = f - (f^2/2 - s (f^2/2 + R)). */
function logTail(f: number): number {
  const s = f / (2 + f);
  const half = 0.5 * f * f;
  return half - s * (half + atanhTail(s * s));
}

/** Exponent of the last decomposition; a module variable keeps the hot path free of allocations. */
let exponent = 0;

/** Mantissa of a positive finite x in [sqrt(1/2), sqrt(2)); sets `exponent` so that x = m 2^exponent. */
function decompose(x: number): number {
  let bias = 1023;
  if (x < TWO_TO_MINUS_1022) {
    x *= 18014398509481984;
    bias += 54;
  }
  words[0] = x;
  exponent = (bits[HIGH] >>> 20) - bias;
  bits[HIGH] = (bits[HIGH] & 0xfffff) | 0x3ff00000;
  let mantissa = words[0];
  if (mantissa >= 2 * SQRT_HALF) {
    mantissa *= 0.5;
    exponent += 1;
  }
  return mantissa;
}

/** Natural logarithm; NaN for x < 0, -Infinity at 0. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return Infinity;
  const f = decompose(x) - 1;
  const k = exponent;
  if (k === 0) return f - logTail(f);
  return k * LN2_HI - (logTail(f) - k * LN2_LO - f);
}

/** Logarithm to base 2; exact at powers of two. */
export function log2(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return Infinity;
  const f = decompose(x) - 1;
  const k = exponent;
  return k + (f - logTail(f)) * INVERSE_LN2;
}

/** log(1 + x), accurate near 0. */
export function log1p(x: number): number {
  if (!(x > -1)) return x === -1 ? -Infinity : NaN;
  if (x === Infinity) return Infinity;
  if (x > -0.29 && x < 0.41) return x === 0 ? x : x - logTail(x);
  const u = 1 + x;
  // What 1 + x lost to rounding, relative to u.
  const lost = (x >= 1 ? 1 - (u - x) : x - (u - 1)) / u;
  const f = decompose(u) - 1;
  const k = exponent;
  return k * LN2_HI - (logTail(f) - (k * LN2_LO + lost) - f);
}

/** Hyperbolic tangent. */
export function tanh(x: number): number {
  if (x !== x || x === 0) return x;
  const size = Math.abs(x);
  let value = 1;
  if (size < 1) {
    const t = expm1(-2 * size);
    value = -t / (t + 2);
  } else if (size < 22) {
    value = 1 - 2 / (expm1(2 * size) + 2);
  }
  return x < 0 ? -value : value;
}

/** 1 / (1 + e^-x). */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + exp(-x));
  const e = exp(x);
  return e / (1 + e);
}

/** log(1 + e^x). */
export function softplus(x: number): number {
  if (x !== x) return NaN;
  return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

/** pi/2 in three 33-bit parts and a tail: products with integers below 2^20 are exact. */
const HALF_PI = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32];
/** floor(2/pi * 2^1200), for arguments beyond 2^20. */
const TWO_OVER_PI = BigInt(
  '0xa2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921cfe1deb1cb129a73e' +
    'e88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b7' +
    '4f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b',
);

let reducedHigh = 0;
let reducedLow = 0;

/** x modulo pi/2 into reducedHigh + reducedLow (within +-pi/4); returns the quadrant 0..3. */
function reduce(x: number): number {
  if (Math.abs(x) < 1048576) {
    const k = Math.floor(x * 0.6366197723675814 + 0.5);
    const first = x - k * HALF_PI[0];
    const second = k * HALF_PI[1];
    const difference = first - second;
    // Exact error of the subtraction (either operand may be the larger one near a multiple of pi/2).
    const back = first - difference;
    const lost = first - (difference + back) + (back - second);
    const tail = k * HALF_PI[2] - lost + k * HALF_PI[3];
    reducedHigh = difference - tail;
    reducedLow = difference - reducedHigh - tail;
    return k & 3;
  }
  return reduceLarge(x);
}

/** The same for |x| >= 2^20 by exact integer arithmetic. */
function reduceLarge(x: number): number {
  words[0] = Math.abs(x);
  const shift = (bits[HIGH] >>> 20) - 1075;
  const mantissa = (BigInt((bits[HIGH] & 0xfffff) | 0x100000) << 32n) | BigInt(bits[LOW]);
  // x * 2/pi in units of 2^-160, modulo 4.
  const scaled = BigInt.asUintN(162, (mantissa * TWO_OVER_PI) >> BigInt(1200 - 160 - shift));
  const rounded = (scaled + (1n << 159n)) >> 160n;
  const fraction = scaled - (rounded << 160n);
  const head = Number(fraction >> 100n);
  const rest = Number(fraction - (BigInt(head) << 100n));
  const high = head * 8.673617379884035e-19;
  const sign = x < 0 ? -1 : 1;
  const value = high * 1.5707963267948966;
  const low = productError(high, 1.5707963267948966, value) + high * 6.123233995736766e-17;
  reducedHigh = sign * value;
  reducedLow = sign * (low + rest * 6.842277657836021e-49 * 1.5707963267948966);
  const quadrant = Number(rounded & 3n);
  return x < 0 ? (4 - quadrant) & 3 : quadrant;
}

/** sin(x + low) for |x| <= pi/4. */
function sinKernel(x: number, low: number): number {
  const z = x * x;
  let sum = 1 / 355687428096000;
  sum = sum * z - 1 / 1307674368000;
  sum = sum * z + 1 / 6227020800;
  sum = sum * z - 1 / 39916800;
  sum = sum * z + 1 / 362880;
  sum = sum * z - 1 / 5040;
  sum = sum * z + 1 / 120;
  sum = sum * z - 1 / 6;
  return x + (x * z * sum + low * (1 - 0.5 * z));
}

/** cos(x + low) for |x| <= pi/4. */
function cosKernel(x: number, low: number): number {
  const z = x * x;
  let sum = -1 / 6402373705728000;
  sum = sum * z + 1 / 20922789888000;
  sum = sum * z - 1 / 87178291200;
  sum = sum * z + 1 / 479001600;
  sum = sum * z - 1 / 3628800;
  sum = sum * z + 1 / 40320;
  sum = sum * z - 1 / 720;
  sum = sum * z + 1 / 24;
  const half = 0.5 * z;
  const one = 1 - half;
  return one + (1 - one - half + (z * z * sum - x * low));
}

/** Sine of an angle in radians, for any finite x; NaN for an infinite one. */
export function sin(x: number): number {
  if (!(Math.abs(x) < Infinity)) return NaN;
  if (x === 0) return x;
  const quadrant = reduce(x);
  const value = quadrant & 1 ? cosKernel(reducedHigh, reducedLow) : sinKernel(reducedHigh, reducedLow);
  return quadrant & 2 ? -value : value;
}

/** Cosine of an angle in radians, for any finite x; NaN for an infinite one. */
export function cos(x: number): number {
  if (!(Math.abs(x) < Infinity)) return NaN;
  const quadrant = reduce(x);
  const value = quadrant & 1 ? sinKernel(reducedHigh, reducedLow) : cosKernel(reducedHigh, reducedLow);
  return quadrant === 1 || quadrant === 2 ? -value : value;
}

const SPLITTER = 134217729;

/** a * b - product without error (Dekker's splitting), barring overflow. */
function productError(a: number, b: number, product: number): number {
  const aWide = SPLITTER * a;
  const aHigh = aWide - (aWide - a);
  const aLow = a - aHigh;
  const bWide = SPLITTER * b;
  const bHigh = bWide - (bWide - b);
  const bLow = b - bHigh;
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}

let logHigh = 0;
let logLow = 0;

/** log(x) of a positive finite x as logHigh + logLow, relative error about 2^-100. */
function logSplit(x: number): void {
  const f = decompose(x) - 1;
  const k = exponent;
  // s = f / (2 + f) in double-double; 2 + f is exact up to `lost`.
  const sum = 2 + f;
  const lost = f - (sum - 2);
  const s = f / sum;
  const product = s * sum;
  const sLow = (f - product - productError(s, sum, product) - s * lost) / sum;
  const z = s * s;
  const zLow = productError(s, s, z) + 2 * s * sLow;
  let high = 2 / 47;
  let low = 0;
  for (let n = 45; n >= 1; n -= 2) {
    const p = high * z;
    const pLow = productError(high, z, p) + high * zLow + low * z;
    const c = 2 / n;
    const cLow = -productError(c, n, 2) / n;
    const next = c + p;
    low = c - next + p + (pLow + cLow);
    high = next;
  }
  const value = s * high;
  const valueLow = productError(s, high, value) + s * low + sLow * high;
  const head = k * LN2_HI;
  const total = head + value;
  const rest = (k === 0 ? 0 : head - total + value) + (valueLow + k * LN2_LO);
  logHigh = total + rest;
  logLow = total - logHigh + rest;
}

/** x^y with ECMAScript's special cases. */
export function pow(x: number, y: number): number {
  if (y === 0) return 1;
  if (x !== x || y !== y) return NaN;
  const size = Math.abs(x);
  if (!(Math.abs(y) < Infinity)) return size === 1 ? NaN : size > 1 === y > 0 ? Infinity : 0;
  const whole = Math.floor(y) === y;
  const odd = whole && Math.abs(y) < 9007199254740992 && Math.abs(y % 2) === 1;
  if (size === 0 || size === Infinity) {
    const value = (size === 0) === y > 0 ? 0 : Infinity;
    return odd && (x < 0 || Object.is(x, -0)) ? -value : value;
  }
  if (x < 0 && !whole) return NaN;
  const value = powPositive(size, y);
  return x < 0 && odd ? -value : value;
}

/** x^y for 0 < x < Infinity and finite y: exp of y log(x) in double-double. */
function powPositive(x: number, y: number): number {
  if (x === 1) return 1;
  logSplit(x);
  const product = y * logHigh;
  if (product > 710) return Infinity;
  if (product < -746) return 0;
  // Splitting would overflow for huge y; there |log x| < 2^-60 and y log x is exact enough in one product.
  const low = (Math.abs(y) < 1e290 ? productError(y, logHigh, product) : 0) + y * logLow;
  const high = product + low;
  return expSplit(high, product - high + low);
}

/** Chebyshev coefficients in u of exp(x^2) erfc(x) (x + 4), t = (x - 4) / (x + 4) = (1 + 8 u) / 9, x >= 1/2. */
const ERFC = [
  2.613502780200074, -0.999400013778434, 0.33450564639563113, -0.09812769153233566, 0.02510305592361228,
  -0.005529563813797631, 0.001022691250361159, -0.00015075914584299275, 1.545830699575061e-5,
  -4.886374202311502e-7, -1.744309149146546e-7, 3.477211158303258e-8, -1.4254741846918907e-9,
  -5.273285851582202e-10, 9.004243899275033e-11, 2.7213582175493175e-12, -2.3802747732945182e-12,
  1.2759304174049244e-13, 5.2053679078472156e-14, -6.727859075652321e-15, -1.0727610463561516e-15,
  2.4331030236719867e-16, 2.219053567232738e-17, -8.172472909991164e-18,
];

/** exp(x^2) erfc(x) for x >= 1/2. */
function scaledErfc(x: number): number {
  const t = (x - 4) / (x + 4);
  const u = (9 * t - 1) / 8;
  let b1 = 0;
  let b2 = 0;
  for (let i = ERFC.length - 1; i >= 1; i--) {
    const next = 2 * u * b1 - b2 + ERFC[i];
    b2 = b1;
    b1 = next;
  }
  return (u * b1 - b2 + 0.5 * ERFC[0]) / (x + 4);
}

/** erf(x) / x for x^2 = z <= 1: Maclaurin series. */
function erfRatio(z: number): number {
  let sum = 0;
  for (let n = 20; n >= 0; n--) sum = 1 / (2 * n + 1) - (z * sum) / (n + 1);
  return sum * 1.1283791670955126;
}

/** Error function 2/sqrt(pi) * integral of exp(-t^2) from 0 to x. */
export function erf(x: number): number {
  if (x !== x || x === 0) return x;
  const size = Math.abs(x);
  if (size <= 1) return x * erfRatio(x * x);
  const value = size > 6 ? 1 : 1 - erfc(size);
  return x < 0 ? -value : value;
}

/** Complementary error function 1 - erf(x), accurate for large x. */
export function erfc(x: number): number {
  if (x !== x) return NaN;
  if (x < 0.5) return 1 - erf(x);
  if (x > 27.3) return 0;
  const square = x * x;
  return expSplit(-square, -productError(x, x, square)) * scaledErfc(x);
}
