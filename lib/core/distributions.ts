/** Distribution functions behind the intervals of statistics.ts, in f64, with the same bits on every machine. */
import { ArgumentError } from './errors.js';
import { erfc, exp, log, log1p } from './math.js';

const SQRT_HALF = 0.7071067811865476;
const HALF_LOG_TWO_PI = 0.9189385332046728;
/** B_2k / (2k (2k - 1)) of Stirling's series (DLMF 5.11.1). */
const STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156];

/** log Gamma(x) for x > 0: Stirling's series above 15, the recurrence Gamma(x + 1) = x Gamma(x) below. */
export function logGamma(x: number): number {
  if (!(x > 0)) throw new ArgumentError(`logGamma: x must be positive, got ${x}`);
  let product = 1;
  while (x < 15) {
    product *= x;
    x += 1;
  }
  const inverse = 1 / x;
  let sum = 0;
  for (let i = STIRLING.length - 1; i >= 0; i--) sum = sum * inverse * inverse + STIRLING[i];
  return (x - 0.5) * log(x) - x + HALF_LOG_TWO_PI + sum * inverse - log(product);
}

/** Regularised incomplete beta function I_x(a, b) (DLMF 8.17.22, continued fraction by Lentz's method). */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (!(a > 0 && b > 0)) throw new ArgumentError(`incompleteBeta: a, b must be positive, got ${a}, ${b}`);
  if (!(x >= 0 && x <= 1)) return NaN;
  if (x === 0 || x === 1) return x;
  const front = exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * log(x) + b * log1p(-x));
  // The fraction converges fast on the side of the mean where the tail is.
  if (x < (a + 1) / (a + b + 2)) return (front * betaFraction(x, a, b)) / a;
  return 1 - (front * betaFraction(1 - x, b, a)) / b;
}

function betaFraction(x: number, a: number, b: number): number {
  const tiny = 1e-300;
  const guard = (value: number): number => (Math.abs(value) < tiny ? tiny : value);
  let c = 1;
  let d = 1 / guard(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= 10000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / guard(1 + even * d);
    c = guard(1 + even / c);
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / guard(1 + odd * d);
    c = guard(1 + odd / c);
    const step = d * c;
    value *= step;
    if (Math.abs(step - 1) < 1e-16) break;
  }
  return value;
}

/** P(Z <= z) of the standard normal. */
export function normalCdf(z: number): number {
  return 0.5 * erfc(-z * SQRT_HALF);
}

/** The z with P(Z <= z) = p; -Infinity at 0, Infinity at 1. */
export function normalQuantile(p: number): number {
  if (!(p >= 0 && p <= 1)) return NaN;
  if (p === 0 || p === 1) return p === 0 ? -Infinity : Infinity;
  return p > 0.5 ? -bisect((z) => normalCdf(z), 1 - p, 40) : bisect((z) => normalCdf(z), p, 40);
}

/** P(T <= t) of Student's t with df degrees of freedom (df may be fractional). */
export function studentCdf(t: number, df: number): number {
  if (!(df > 0)) throw new ArgumentError(`studentCdf: df must be positive, got ${df}`);
  if (t !== t) return NaN;
  if (Math.abs(t) === Infinity) return t > 0 ? 1 : 0;
  const square = t * t;
  // I_x(df/2, 1/2) with x = df / (df + t^2) is the two-sided tail; near t = 0 its complement is the accurate one.
  const tail =
    square < df
      ? 0.5 * (1 - incompleteBeta(square / (df + square), 0.5, df / 2))
      : 0.5 * incompleteBeta(df / (df + square), df / 2, 0.5);
  return t > 0 ? 1 - tail : tail;
}

/** The t with P(T <= t) = p. */
export function studentQuantile(p: number, df: number): number {
  if (!(df > 0)) throw new ArgumentError(`studentQuantile: df must be positive, got ${df}`);
  if (!(p >= 0 && p <= 1)) return NaN;
  if (p === 0 || p === 1) return p === 0 ? -Infinity : Infinity;
  if (p === 0.5) return 0;
  const cdf = (t: number): number => studentCdf(t, df);
  return p > 0.5 ? -bisect(cdf, 1 - p, 1) : bisect(cdf, p, 1);
}

/** The x <= 0 with increasing(x) = target <= 1/2, to the last bits. */
function bisect(increasing: (x: number) => number, target: number, start: number): number {
  let low = -start;
  while (increasing(low) > target) low *= 2;
  let high = 0;
  for (let i = 0; i < 200; i++) {
    const middle = 0.5 * (low + high);
    if (middle === low || middle === high) break;
    if (increasing(middle) > target) high = middle;
    else low = middle;
  }
  return 0.5 * (low + high);
}
