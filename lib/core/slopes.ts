/** Straight lines through points, and growth exponents on logarithmic axes. */
import { studentQuantile } from './distributions.js';
import { ArgumentError } from './errors.js';
import { log } from './math.js';
import { mean, median, type Interval } from './statistics.js';

type Values = ArrayLike<number>;

/** A slope with its interval, and the line it belongs to. */
export interface Slope extends Interval {
  intercept: number;
  standardError: number;
  df: number;
  /** Number of points used. */
  points: number;
}

function requirePoints(name: string, x: Values, y: Values): void {
  if (x.length !== y.length) {
    throw new ArgumentError(`${name}: y must have the length of x (${x.length}), got ${y.length}`);
  }
  if (x.length < 2) throw new ArgumentError(`${name}: x must have length >= 2, got ${x.length}`);
}

/** Least squares line y = intercept + slope x with Student's interval of the slope (df = n - 2). */
export function linearSlope(x: Values, y: Values, confidence = 0.95): Slope {
  requirePoints('linearSlope', x, y);
  const xMean = mean(x);
  const yMean = mean(y);
  let sxx = 0;
  let sxy = 0;
  for (let i = 0; i < x.length; i++) {
    const dx = x[i] - xMean;
    sxx += dx * dx;
    sxy += dx * (y[i] - yMean);
  }
  if (sxx === 0) throw new ArgumentError('linearSlope: x must hold two different values, got one value');
  const estimate = sxy / sxx;
  const intercept = yMean - estimate * xMean;
  let residual = 0;
  for (let i = 0; i < x.length; i++) {
    const rest = y[i] - intercept - estimate * x[i];
    residual += rest * rest;
  }
  const df = x.length - 2;
  const standardError = df > 0 ? Math.sqrt(residual / df / sxx) : NaN;
  const reach = df > 0 ? studentQuantile(0.5 + confidence / 2, df) * standardError : Infinity;
  return {
    estimate,
    low: estimate - reach,
    high: estimate + reach,
    confidence,
    intercept,
    standardError,
    df,
    points: x.length,
  };
}

/** Options of `logLogSlope`. */
export interface LogLogOptions {
  /** Default 0.95. */
  confidence?: number;
  /** Only points with x >= max(x) / span count: 8 is "the top 8x". Default: all. */
  span?: number;
}

/** Growth exponent p of y ~ c x^p: least squares on log y against log x. x and y must be positive. */
export function logLogSlope(x: Values, y: Values, options: LogLogOptions = {}): Slope {
  requirePoints('logLogSlope', x, y);
  const { confidence = 0.95, span = Infinity } = options;
  if (!(span > 1)) throw new ArgumentError(`logLogSlope: span must be above 1, got ${span}`);
  let largest = 0;
  for (let i = 0; i < x.length; i++) {
    if (!(x[i] > 0 && y[i] > 0 && x[i] < Infinity && y[i] < Infinity)) {
      throw new ArgumentError(
        `logLogSlope: x and y must be positive and finite, got (${x[i]}, ${y[i]}) at ${i}`,
      );
    }
    largest = Math.max(largest, x[i]);
  }
  const kept = Array.from(x, (_, i) => i).filter((i) => x[i] >= largest / span);
  return linearSlope(
    kept.map((i) => log(x[i])),
    kept.map((i) => log(y[i])),
    confidence,
  );
}

/** Median of the slopes of all pairs of points (Theil 1950, Sen 1968): a slope that single outliers cannot move. */
export function theilSenSlope(x: Values, y: Values): number {
  requirePoints('theilSenSlope', x, y);
  const slopes: number[] = [];
  for (let i = 0; i < x.length; i++) {
    for (let j = i + 1; j < x.length; j++) {
      if (x[i] !== x[j]) slopes.push((y[j] - y[i]) / (x[j] - x[i]));
    }
  }
  if (slopes.length === 0) {
    throw new ArgumentError('theilSenSlope: x must hold two different values, got one value');
  }
  return median(slopes);
}
