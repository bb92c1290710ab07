/** What a fit returns, put together from the estimate, its resamples and their diagnosis. */
import { isConverged, summarize, type StartsSummary, type StopReason } from '../../core/optimize/index.js';
import type { FitData, FitFlag } from './data.js';
import { diagnose } from './diagnose.js';
import { percentileInterval, standardErrors } from './intervals.js';
import type { FitPiece } from './job.js';
import { toPublic, type Law } from './law.js';
import type { FitObjective, ObjectiveSettings } from './objective.js';

/** A fitted law. `null` stands where no number may be trusted. */
export interface FitResult {
  law: string;
  points: number;
  /** Public values; null for a parameter that the data does not identify. */
  parameters: Record<string, number | null>;
  /** Public values as they came out, identified or not: for predictions inside the data only. */
  raw: Record<string, number>;
  /** Bootstrap percentiles, or Student's intervals of the sandwich covariance; unbounded (null) where unidentified. */
  intervals: Record<string, { low: number | null; high: number | null }>;
  intervalMethod: 'bootstrap-percentile' | 'sandwich';
  confidence: number;
  /** By the sandwich covariance; of log-scaled parameters by the delta method. */
  standardErrors: Record<string, number | null>;
  /** Quantities made of the parameters, e.g. the optimum's exponents. */
  derived: Record<string, { value: number | null; low: number | null; high: number | null }>;
  objective: number;
  reduction: 'sum' | 'mean';
  delta: number;
  gradientNorm: number;
  iterations: number;
  evaluations: number;
  stopReason: StopReason;
  converged: boolean;
  /** Root mean square and median absolute residual of ln response. */
  residual: { rms: number; medianAbsolute: number };
  starts: StartsSummary;
  bootstrap: { resamples: number; converged: number; seed: number | string } | null;
  flags: FitFlag[];
  /** Internal parameters of the fit and of all finite resamples; not for printing. */
  theta: Float64Array;
  draws: Float64Array[];
  data: FitData;
}

/** Everything that a result is made of. */
export interface FitParts {
  law: Law;
  data: FitData;
  problem: FitObjective;
  settings: ObjectiveSettings;
  starts: readonly FitPiece[];
  fit: FitPiece;
  resampled: readonly FitPiece[];
  confidence: number;
  seed: number | string;
}

/** The result: numbers where they may be trusted, null and a flag where not. */
export function resultOf(parts: FitParts): FitResult {
  const { law, data, problem, settings, fit, resampled, confidence, seed } = parts;
  const x = problem.reduce(fit.theta);
  const residuals = problem.residuals(x);
  const errors = standardErrors(law, problem, x, settings, data.response.length, confidence);
  const raw = toPublic(law, fit.theta);
  // A resample that ran away along a flat direction counts with where it got: leaving it out would narrow intervals.
  const draws = resampled.map(({ theta }) => theta).filter((theta) => theta.every(Number.isFinite));
  const values = draws.map((theta) => toPublic(law, theta));
  const bootstrapped = draws.length >= 2;
  const names = law.parameters.map(({ name }) => name);
  const ofDraws = (name: string): Float64Array => Float64Array.from(values, (v) => v[name]);
  const bounds = Object.fromEntries(
    names.map((name): [string, { low: number; high: number }] => [
      name,
      bootstrapped ? percentileInterval(ofDraws(name), raw[name], confidence) : errors[name].interval,
    ]),
  );
  const evidence = { fit, problem, x, residuals, bounds, errors, resampled, data, settings, confidence };
  const { flags, unidentified } = diagnose(law, evidence);
  const pick = (name: string, value: number): number | null =>
    !unidentified.has(name) && Number.isFinite(value) ? value : null;
  const { theta, ...end } = fit;
  return {
    law: law.id,
    points: data.response.length,
    parameters: Object.fromEntries(names.map((name) => [name, pick(name, raw[name])])),
    raw,
    intervals: Object.fromEntries(
      names.map((name) => [name, { low: pick(name, bounds[name].low), high: pick(name, bounds[name].high) }]),
    ),
    intervalMethod: bootstrapped ? 'bootstrap-percentile' : 'sandwich',
    confidence,
    standardErrors: Object.fromEntries(names.map((name) => [name, pick(name, errors[name].error)])),
    derived: derivedOf(law, raw, values, confidence, unidentified),
    ...end,
    reduction: settings.reduction,
    delta: settings.delta,
    converged: isConverged(fit.stopReason),
    residual: spread(residuals),
    starts: summarize(parts.starts),
    bootstrap: resampled.length > 0 ? bootstrapOf(resampled, seed) : null,
    flags,
    theta,
    draws,
    data,
  };
}

function derivedOf(
  law: Law,
  raw: Record<string, number>,
  values: readonly Record<string, number>[],
  confidence: number,
  unidentified: ReadonlySet<string>,
): FitResult['derived'] {
  if (!law.derived) return {};
  const derived = law.derived;
  const doubtful = law.parameters.some(({ name, role }) => role === 'exponent' && unidentified.has(name));
  return Object.fromEntries(
    Object.entries(derived(raw)).map(([name, value]): [string, FitResult['derived'][string]] => {
      if (doubtful) return [name, { value: null, low: null, high: null }];
      if (values.length < 2) return [name, { value, low: null, high: null }];
      const bounds = percentileInterval(
        Float64Array.from(values, (v) => derived(v)[name]),
        value,
        confidence,
      );
      return [name, { value, low: bounds.low, high: bounds.high }];
    }),
  );
}

function bootstrapOf(pieces: readonly FitPiece[], seed: number | string): FitResult['bootstrap'] {
  const converged = pieces.filter(({ stopReason }) => isConverged(stopReason)).length;
  return { resamples: pieces.length, converged, seed };
}

function spread(residuals: Float64Array): FitResult['residual'] {
  const sizes = residuals.map(Math.abs).sort();
  const squares = residuals.reduce((sum, r) => sum + r * r, 0);
  return { rms: Math.sqrt(squares / residuals.length), medianAbsolute: sizes[sizes.length >> 1] };
}
