/** Predictions of a fit with bands, and the compute-optimal point with its interval. */
import { FitError } from '../../core/errors.js';
import { exp, log } from '../../core/math.js';
import { Random } from '../../core/random.js';
import type { Interval } from '../../core/statistics.js';
import type { FitFlag } from './data.js';
import type { FitResult } from './result.js';
import { computeOptimal, type ChinchillaConstants } from './frontier.js';
import { percentileInterval } from './intervals.js';
import { lawOf, prepareRows, toPublic, type Law, type Point } from './law.js';

/** A predicted response. */
export interface Prediction {
  point: Point;
  value: number;
  /** Where the law lies, given how well its parameters are known. */
  band: { low: number; high: number };
  /** Where a new run would lie: the band and the noise of single runs. */
  run: { low: number; high: number };
  /** Largest ratio by which an input lies outside of the fitted range; 1 inside. */
  beyond: number;
  flags: FitFlag[];
}

function requireDraws(name: string, fit: FitResult): void {
  if (fit.draws.length < 20)
    throw new FitError(
      `${name}: fit must have at least 20 finite resamples, got ${fit.draws.length}; fit with bootstrap 200 or more`,
    );
  if (!fit.converged) throw new FitError(`${name}: fit must have converged, got ${fit.stopReason}`);
}

/** How far outside of the fitted range a point lies, as a ratio of the input that is farthest out. */
function beyond(law: Law, fit: FitResult, point: Point): number {
  return Math.max(
    ...law.inputs.map(({ name }) => {
      const known = fit.data.points.map((p) => p[name]);
      return Math.max(point[name] / Math.max(...known), Math.min(...known) / point[name], 1);
    }),
  );
}

/**
 * The law at points, with percentile bands over the resamples; the band of single runs adds a residual to each draw.
 * A band tells how well this form is pinned down, never whether the form holds out there.
 *
 * @throws FitError without enough resamples or when the fit did not converge
 */
export function predictWithBands(
  fit: FitResult,
  points: readonly Point[],
  options: { confidence?: number; seed?: number | string } = {},
): Prediction[] {
  requireDraws('predictWithBands', fit);
  const { confidence = fit.confidence, seed = 0 } = options;
  const law = lawOf(fit.law);
  const rows = prepareRows(law, points);
  const known = fit.data;
  const p = law.parameters.length;
  const n = known.response.length;
  // Residuals of a fit are smaller than the noise by the degrees of freedom it used.
  const inflate = Math.sqrt(n / Math.max(n - p, 1));
  const residuals = Float64Array.from(
    known.response,
    (value, i) => inflate * (log(value) - law.logPredict(fit.theta, known.rows, i * law.width)),
  );
  return points.map((point, i) => {
    const at = i * law.width;
    const value = law.logPredict(fit.theta, rows, at);
    const draws = Float64Array.from(fit.draws, (theta) => law.logPredict(theta, rows, at));
    const random = new Random(seed).split('runs').split(i);
    const several = 5;
    const runs = Float64Array.from(
      { length: several * draws.length },
      (_, k) => draws[Math.floor(k / several)] + residuals[random.int(n)],
    );
    const out = beyond(law, fit, point);
    const open = (interval: Interval): { low: number; high: number } => ({
      low: exp(interval.low),
      high: exp(interval.high),
    });
    return {
      point,
      value: exp(value),
      band: open(percentileInterval(draws, value, confidence)),
      run: open(percentileInterval(runs, value, confidence)),
      beyond: out,
      flags:
        out > 100
          ? [
              {
                code: 'extrapolates',
                message: `a point lies ${out.toPrecision(3)} times outside of the fitted range; the band assumes that the form still holds there`,
              },
            ]
          : [],
    };
  });
}

/** A compute-optimal point with intervals. */
export interface UncertainOptimum {
  c: number;
  n: Interval;
  d: Interval;
  tokensPerParameter: Interval;
  loss: Interval;
}

/**
 * Where a budget is best spent according to a fit of `chinchilla`, with percentile intervals over the resamples.
 *
 * @throws FitError when the fit is of another law, did not converge, lacks resamples or does not identify its exponents
 */
export function optimumWithInterval(
  fit: FitResult,
  c: number,
  confidence: number = fit.confidence,
): UncertainOptimum {
  if (fit.law !== 'chinchilla')
    throw new FitError(`optimumWithInterval: fit must be of chinchilla, got ${fit.law}`);
  requireDraws('optimumWithInterval', fit);
  const lost = ['alpha', 'beta'].filter((name) => fit.parameters[name] === null);
  if (lost.length > 0)
    throw new FitError(
      `optimumWithInterval: fit must identify alpha and beta, got none for ${lost.join(', ')}`,
    );
  const law = lawOf(fit.law);
  const constants = (values: Record<string, number>): ChinchillaConstants =>
    values as unknown as ChinchillaConstants;
  const best = computeOptimal(constants(fit.raw), c);
  const draws = fit.draws
    .map((theta) => toPublic(law, theta))
    // A draw with an exponent of zero or below has no optimum.
    .filter(({ alpha, beta, E }) => alpha > 0 && beta > 0 && E > 0)
    .map((values) => computeOptimal(constants(values), c));
  if (draws.length < 0.95 * fit.draws.length)
    throw new FitError(
      `optimumWithInterval: nearly all resamples must have an optimum, got ${draws.length} of ${fit.draws.length}`,
    );
  const interval = (key: 'n' | 'd' | 'tokensPerParameter' | 'loss'): Interval =>
    percentileInterval(
      Float64Array.from(draws, (o) => o[key]),
      best[key],
      confidence,
    );
  return {
    c,
    n: interval('n'),
    d: interval('d'),
    tokensPerParameter: interval('tokensPerParameter'),
    loss: interval('loss'),
  };
}
