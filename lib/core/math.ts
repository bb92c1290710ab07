/**
 * Elementary functions in f64 built from + - * / and sqrt only.
 *
 * ECMAScript leaves the last bits of Math.exp, Math.log, Math.sin, ... to the engine; these functions give the same
 * bits on every IEEE 754 machine, so values that must be reproducible (initial weights, random normals, schedules)
 * use them. Errors against exact values, measured over the golden cases: at most 2 ulp (`erfc` 4 ulp) also for
 * subnormal, huge and nearly cancelling arguments. Special values follow IEEE 754 and ECMAScript's `Math`.
 *
 * Method: argument reduction with split constants, then Taylor or atanh series cut below 1e-17 relative; `erfc` uses a
 * Chebyshev expansion of exp(x^2) erfc(x) (x + 4) in (x - 4) / (x + 4), computed with 300-bit arithmetic.
 */

import {
  bits,
  expSplit,
  expTail,
  HIGH,
  INVERSE_LN2,
  LN2_HI,
  LN2_LO,
  powerOfTwo,
  productError,
  scaleByPowerOfTwo,
  TWO_TO_MINUS_1022,
  words,
} from './math-parts.js';

export { erf, erfc } from './math-error-function.js';
export { cos, sin } from './math-trigonometry.js';

const SQRT_HALF = 0.7071067811865476;

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
