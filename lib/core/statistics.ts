/**
 * Statistics of the ledger: intervals, equivalence tests, slopes. All in f64; NaN in a sample gives NaN bounds, so a
 * judgement built on them cannot support anything. Sources: Student 1908, Welch 1947, Schuirmann 1987 (two one-sided
 * tests), Efron 1987 (BCa), Theil 1950 and Sen 1968.
 */
import { normalCdf, normalQuantile, studentCdf, studentQuantile } from './distributions.js';
import { ArgumentError, show } from './errors.js';
import type { Random } from './random.js';

type Values = ArrayLike<number>;

/** An estimate with its two-sided confidence interval; bounds are infinite where the data cannot bound it. */
export interface Interval {
  estimate: number;
  low: number;
  high: number;
  /** For example 0.95. */
  confidence: number;
}

function requireLength(name: string, values: Values, least: number): void {
  if (values.length < least) {
    throw new ArgumentError(`${name}: values must have length >= ${least}, got ${values.length}`);
  }
}

function requireConfidence(name: string, confidence: number): void {
  if (!(confidence > 0 && confidence < 1)) {
    throw new ArgumentError(`${name}: confidence must lie between 0 and 1, got ${show(confidence)}`);
  }
}

/** x^2; `**` may round differently from engine to engine. */
function square(x: number): number {
  return x * x;
}

/** Arithmetic mean. */
export function mean(values: Values): number {
  requireLength('mean', values, 1);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  const first = sum / values.length;
  // A second pass removes most of the rounding of the first.
  let rest = 0;
  for (let i = 0; i < values.length; i++) rest += values[i] - first;
  return Number.isFinite(first) ? first + rest / values.length : first;
}

/** Unbiased variance (divisor n - 1); NaN for one value. */
export function variance(values: Values): number {
  const center = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += square(values[i] - center);
  return sum / (values.length - 1);
}

/** Square root of the unbiased variance. */
export function standardDeviation(values: Values): number {
  return Math.sqrt(variance(values));
}

/** Quantile by linear interpolation of order statistics (type 7 of Hyndman and Fan 1996, NumPy's default). */
export function quantile(values: Values, q: number): number {
  requireLength('quantile', values, 1);
  if (!(q >= 0 && q <= 1)) throw new ArgumentError(`quantile: q must lie in 0..1, got ${show(q)}`);
  const sorted = Float64Array.from(values).sort();
  // Float64Array sorts NaN to the end; any NaN makes the quantile NaN.
  if (sorted[sorted.length - 1] !== sorted[sorted.length - 1]) return NaN;
  const place = q * (sorted.length - 1);
  const index = Math.min(Math.floor(place), sorted.length - 1);
  const next = Math.min(index + 1, sorted.length - 1);
  const fraction = place - index;
  return fraction === 0 ? sorted[index] : sorted[index] + (sorted[next] - sorted[index]) * fraction;
}

/** Middle value. */
export function median(values: Values): number {
  return quantile(values, 0.5);
}

/** estimate +- t * standardError; unbounded when df < 1. */
function studentInterval(estimate: number, error: number, df: number, confidence: number): Interval {
  if (!(df > 0)) return { estimate, low: -Infinity, high: Infinity, confidence };
  const reach = studentQuantile(0.5 + confidence / 2, df) * error;
  return { estimate, low: estimate - reach, high: estimate + reach, confidence };
}

/** Student's interval of the mean. */
export function tInterval(values: Values, confidence = 0.95): Interval {
  requireConfidence('tInterval', confidence);
  const error = Math.sqrt(variance(values) / values.length);
  return studentInterval(mean(values), error, values.length - 1, confidence);
}

/** The differences a[i] - b[i] of paired samples. */
export function pairedDifferences(a: Values, b: Values): Float64Array {
  if (a.length !== b.length) {
    throw new ArgumentError(
      `pairedDifferences: b must have the length of a (${a.length}), got ${b.length}; pair values by seed`,
    );
  }
  return Float64Array.from(a, (value, i) => value - b[i]);
}

/** A mean difference with what its tests need. */
export interface Difference extends Interval {
  standardError: number;
  df: number;
}

/** Interval of mean(a) - mean(b) for paired samples. */
export function pairedDifference(a: Values, b: Values, confidence = 0.95): Difference {
  const differences = pairedDifferences(a, b);
  const interval = tInterval(differences, confidence);
  return {
    ...interval,
    standardError: Math.sqrt(variance(differences) / a.length),
    df: a.length - 1,
  };
}

/** Welch's interval of mean(a) - mean(b) for independent samples of unequal variance. */
export function welchDifference(a: Values, b: Values, confidence = 0.95): Difference {
  requireConfidence('welchDifference', confidence);
  const va = variance(a) / a.length;
  const vb = variance(b) / b.length;
  const standardError = Math.sqrt(va + vb);
  const exact = square(va + vb) / (square(va) / (a.length - 1) + square(vb) / (b.length - 1));
  // Both variances zero: any positive df gives the same interval of width 0.
  const df = va + vb === 0 ? a.length + b.length - 2 : exact;
  const estimate = mean(a) - mean(b);
  if (a.length < 2 || b.length < 2) {
    return { estimate, low: -Infinity, high: Infinity, confidence, standardError, df: 0 };
  }
  return { ...studentInterval(estimate, standardError, df, confidence), standardError, df };
}

/** Result of two one-sided tests. */
export interface Equivalence {
  /** The 1 - 2 alpha interval lies inside the margins. */
  equivalent: boolean;
  /** p values of "difference <= low margin" and "difference >= high margin". */
  pLow: number;
  pHigh: number;
  interval: Interval;
}

/** Two one-sided t tests: equivalent when the 1 - 2 alpha interval lies strictly inside (low, high). */
export function equivalenceTest(
  difference: Difference,
  low: number,
  high: number,
  alpha = 0.05,
): Equivalence {
  if (!(low < high)) {
    throw new ArgumentError(`equivalenceTest: low must be below high, got ${low}, ${high}`);
  }
  requireConfidence('equivalenceTest', 1 - 2 * alpha);
  const { estimate, standardError, df } = difference;
  const interval = studentInterval(estimate, standardError, df, 1 - 2 * alpha);
  const tail = (distance: number): number => {
    if (!(df > 0)) return 1;
    if (standardError === 0) return distance > 0 ? 0 : 1;
    return 1 - studentCdf(distance / standardError, df);
  };
  return {
    equivalent: interval.low > low && interval.high < high,
    pLow: tail(estimate - low),
    pHigh: tail(high - estimate),
    interval,
  };
}

/** Options of `bootstrapInterval`. */
export interface BootstrapOptions {
  random: Random;
  /** Default 2000. */
  resamples?: number;
  /** Default 0.95. */
  confidence?: number;
  /** Default 'bca', bias-corrected and accelerated. */
  method?: 'percentile' | 'bca';
}

/** Bootstrap interval of any statistic of one sample; the same for the same random stream. */
export function bootstrapInterval(
  values: Values,
  statistic: (sample: Float64Array) => number,
  options: BootstrapOptions,
): Interval {
  requireLength('bootstrapInterval', values, 2);
  const { random, resamples = 2000, confidence = 0.95, method = 'bca' } = options;
  requireConfidence('bootstrapInterval', confidence);
  const sample = Float64Array.from(values);
  const drawn = new Float64Array(sample.length);
  const distribution = new Float64Array(resamples);
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < drawn.length; i++) drawn[i] = sample[random.int(sample.length)];
    distribution[r] = statistic(drawn);
  }
  const estimate = statistic(sample);
  if (method === 'percentile') return percentileBounds(distribution, estimate, confidence);
  const leaveOneOut = Float64Array.from(sample, (_, i) => statistic(sample.filter((__, j) => j !== i)));
  return bcaBounds(distribution, estimate, leaveOneOut, confidence);
}

function percentileBounds(distribution: Values, estimate: number, confidence: number): Interval {
  const low = quantile(distribution, (1 - confidence) / 2);
  return { estimate, low, high: quantile(distribution, (1 + confidence) / 2), confidence };
}

/** BCa bounds from a bootstrap distribution and the leave-one-out values (Efron 1987). */
export function bcaBounds(
  distribution: Values,
  estimate: number,
  leaveOneOut: Values,
  confidence: number,
): Interval {
  let below = 0;
  for (let i = 0; i < distribution.length; i++) {
    if (distribution[i] < estimate) below += 1;
    else if (distribution[i] === estimate) below += 0.5;
  }
  const bias = normalQuantile(below / distribution.length);
  const center = mean(leaveOneOut);
  let cubes = 0;
  let squares = 0;
  for (let i = 0; i < leaveOneOut.length; i++) {
    const distance = center - leaveOneOut[i];
    cubes += distance * distance * distance;
    squares += distance * distance;
  }
  const acceleration = squares === 0 ? 0 : cubes / (6 * squares * Math.sqrt(squares));
  const level = (p: number): number => {
    const z = bias + normalQuantile(p);
    return normalCdf(bias + z / (1 - acceleration * z));
  };
  const lowLevel = level((1 - confidence) / 2);
  const highLevel = level((1 + confidence) / 2);
  // All resamples on one side of the estimate: the bias is infinite and nothing can be bounded.
  if (!(lowLevel < highLevel)) {
    const bound = squares === 0 ? estimate : NaN;
    return { estimate, low: bound, high: bound, confidence };
  }
  return {
    estimate,
    low: quantile(distribution, lowLevel),
    high: quantile(distribution, highLevel),
    confidence,
  };
}
