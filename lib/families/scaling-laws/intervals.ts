/** Intervals of fitted parameters: percentiles of resamples, and the sandwich covariance of a Huber fit. */
import { studentQuantile } from '../../core/distributions.js';
import { exp } from '../../core/math.js';
import { inverse, multiply } from '../../core/optimize/index.js';
import { median, quantile, type Interval } from '../../core/statistics.js';
import type { Law } from './law.js';
import type { FitObjective, ObjectiveSettings } from './objective.js';

/** Percentile interval of bootstrap values (Efron 1979). */
export function percentileInterval(values: Float64Array, estimate: number, confidence: number): Interval {
  return {
    estimate,
    low: quantile(values, (1 - confidence) / 2),
    high: quantile(values, (1 + confidence) / 2),
    confidence,
  };
}

/**
 * Covariance of the free internal parameters by the sandwich H^-1 S H^-1 of an M-estimator (Huber 1967), row-major.
 *
 * S is the sum of psi^2 J J^T. H, the expected curvature, needs the density of residuals at zero, which may differ from
 * point to point: it is delta / h times the sum of J J^T over the points with |r| <= h (Powell 1991), with the window h
 * that holds half of the points, because few lie inside the small delta of these fits. Undefined where H is singular.
 */
export function sandwichCovariance(
  problem: FitObjective,
  x: Float64Array,
  settings: ObjectiveSettings,
): Float64Array | undefined {
  const residuals = problem.residuals(x);
  const factor = settings.reduction === 'mean' ? 1 / residuals.length : 1;
  const window = Math.max(settings.delta, median(residuals.map(Math.abs)));
  const slope = (settings.delta / window) * factor;
  const half = scaledInverse(problem.gram(x, window));
  if (!half) return undefined;
  const inner = multiply(multiply(half, problem.scores(x)), half);
  return inner.map((v) => v / (slope * slope));
}

/** Inverse of a positive definite matrix after its diagonal is brought to one, for bad scales. */
function scaledInverse(matrix: Float64Array): Float64Array | undefined {
  const n = Math.round(Math.sqrt(matrix.length));
  const size = Array.from({ length: n }, (_, i) => Math.sqrt(matrix[i * n + i]));
  const unit = inverse(matrix.map((v, at) => v / (size[Math.floor(at / n)] * size[at % n])));
  return unit?.map((v, at) => v / (size[Math.floor(at / n)] * size[at % n]));
}

/** Standard error of a public parameter, of its internal form, and Student's interval. */
export interface ParameterError {
  error: number;
  internal: number;
  interval: { low: number; high: number };
}

/** Errors of every parameter; infinite where the covariance does not exist, zero for fixed ones. */
export function standardErrors(
  law: Law,
  problem: FitObjective,
  x: Float64Array,
  settings: ObjectiveSettings,
  points: number,
  confidence: number,
): Record<string, ParameterError> {
  const covariance = sandwichCovariance(problem, x, settings);
  const theta = problem.expand(x);
  const df = Math.max(points - x.length, 1);
  const reach = studentQuantile(0.5 + confidence / 2, df);
  return Object.fromEntries(
    law.parameters.map(({ name, scale }, i) => {
      const at = problem.free.indexOf(settings.equal[name] ?? name);
      const fixed = at < 0;
      // Too few degrees of freedom widen the error as in least squares.
      const internal = fixed
        ? 0
        : covariance
          ? Math.sqrt(Math.max(covariance[at * x.length + at], 0) * (points / df))
          : Infinity;
      const [low, high] = [theta[i] - reach * internal, theta[i] + reach * internal];
      const result: ParameterError =
        scale === 'log'
          ? { error: exp(theta[i]) * internal, internal, interval: { low: exp(low), high: exp(high) } }
          : { error: internal, internal, interval: { low, high } };
      return [name, result];
    }),
  );
}

/**
 * What turns a rise of the summed objective into a chi-squared of one degree of freedom (Ronchetti 1982, for residuals
 * that are alike): 2 * mean psi' / mean psi^2, the mean slope of psi taken from a window as in the sandwich covariance.
 */
export function riseFactor(residuals: Float64Array, delta: number): number {
  const window = Math.max(delta, median(residuals.map(Math.abs)));
  let inside = 0;
  let squares = 0;
  for (const r of residuals) {
    if (Math.abs(r) <= window) inside++;
    const psi = Math.min(Math.abs(r), delta);
    squares += psi * psi;
  }
  return (2 * inside * (delta / window)) / Math.max(squares, 1e-300);
}
