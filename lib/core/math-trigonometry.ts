/** Sine and cosine of math.ts: reduction modulo pi/2 and Taylor series. */
import { bits, HIGH, LOW, productError, words } from './math-parts.js';

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
