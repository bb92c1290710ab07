/** Parts shared by the elementary functions of math.ts: bits of doubles, exact products, the exponential series. */

/** log(2) as a 32-bit head, exact when multiplied by an exponent, and the rest. */
export const LN2_HI = 0.6931471803691238;
export const LN2_LO = 1.9082149292705877e-10;
export const INVERSE_LN2 = 1.4426950408889634;

export const words = new Float64Array(1);
export const bits = new Uint32Array(words.buffer);
/** Index of the high word; 0 on a big-endian machine. */
export const HIGH = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;
export const LOW = 1 - HIGH;

const TWO_TO_1023 = 8.98846567431158e307;
export const TWO_TO_MINUS_1022 = 2.2250738585072014e-308;

/** x * 2^k with one rounding, for x near 1 and an integer k in -2044..2046. */
export function scaleByPowerOfTwo(x: number, k: number): number {
  if (k > 1023) return x * TWO_TO_1023 * powerOfTwo(k - 1023);
  if (k < -1022) return x * powerOfTwo(k + 1022) * TWO_TO_MINUS_1022;
  return x * powerOfTwo(k);
}

/** 2^k for an integer k in -1022..1023. */
export function powerOfTwo(k: number): number {
  bits[LOW] = 0;
  bits[HIGH] = (k + 1023) << 20;
  return words[0];
}

/** (exp(r) - 1 - r) / r^2 for |r| <= 0.5: Taylor coefficients 1/2!, 1/3!, ... */
export function expTail(r: number): number {
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
export function expSplit(x: number, low: number): number {
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

const SPLITTER = 134217729;

/** a * b - product without error (Dekker's splitting), barring overflow. */
export function productError(a: number, b: number, product: number): number {
  const aWide = SPLITTER * a;
  const aHigh = aWide - (aWide - a);
  const aLow = a - aHigh;
  const bWide = SPLITTER * b;
  const bHigh = bWide - (bWide - b);
  const bLow = b - bHigh;
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
}
