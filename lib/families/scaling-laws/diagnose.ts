/** What a fit must not be trusted with: no convergence, parameters the data does not identify, terms that vanish. */
import { normalQuantile } from '../../core/distributions.js';
import { log } from '../../core/math.js';
import { isConverged, symmetricEigen } from '../../core/optimize/index.js';
import type { FitData, FitFlag } from './data.js';
import { riseFactor, type ParameterError } from './intervals.js';
import { polish, type FitPiece } from './job.js';
import type { Law, LawParameter } from './law.js';
import { fitObjective, type FitObjective, type ObjectiveSettings } from './objective.js';

/** Least eigenvalue of the curvature (diagonal scaled to one) below which a direction counts as flat. */
export const FLAT = 1e-11;
/** Half width in the logarithm beyond which a positive parameter is unidentified: known to a factor of 900 only. */
const LOG_LIMIT = log(30);
/** Ratio of the bounds of an exponent beyond which it is unidentified. */
const EXPONENT_RATIO = 4;

export interface Diagnosis {
  flags: FitFlag[];
  unidentified: Set<string>;
}

interface Evidence {
  fit: FitPiece;
  problem: FitObjective;
  x: Float64Array;
  residuals: Float64Array;
  bounds: Readonly<Record<string, { low: number; high: number }>>;
  errors: Readonly<Record<string, ParameterError>>;
  resampled: readonly FitPiece[];
  data: FitData;
  settings: ObjectiveSettings;
  confidence: number;
}

/** All flags of a fit and the parameters that get no number. */
export function diagnose(law: Law, evidence: Evidence): Diagnosis {
  const flags = [...evidence.data.flags];
  const unidentified = new Set<string>();
  const doubt = (parameter: string, message: string, code: FitFlag['code'] = 'unidentified'): void => {
    if (!unidentified.has(parameter)) flags.push({ code, parameter, message });
    unidentified.add(parameter);
  };
  const { fit, resampled, settings } = evidence;
  const isFixed = (name: string): boolean => (settings.equal[name] ?? name) in settings.fixed;
  if (!isConverged(fit.stopReason)) {
    flags.push({
      code: 'not-converged',
      message: `the fit ended with ${fit.stopReason}: no parameter may be trusted; more iterations or other starts may help`,
    });
    for (const { name } of law.parameters) if (!isFixed(name)) unidentified.add(name);
  }
  const failed = resampled.filter(({ stopReason }) => !isConverged(stopReason)).length;
  if (failed > 0.05 * resampled.length)
    flags.push({
      code: 'bootstrap-failures',
      message: `${failed} of ${resampled.length} resamples did not converge; intervals count them with where they got`,
    });
  for (const name of flatParameters(evidence))
    doubt(name, `${name} can move along a flat direction of the objective without cost`);
  for (const parameter of law.parameters)
    if (!isFixed(parameter.name)) checkParameter(parameter, evidence, doubt, flags);
  for (const { name, role } of law.parameters)
    if (role === 'offset' && !isFixed(name) && !unidentified.has(name) && isZeroAsGood(law, name, evidence))
      doubt(name, `${name} cannot be told from zero: the law fits nearly as well without it`);
  for (const { name, exponent } of law.parameters)
    if (exponent && unidentified.has(exponent) && !isFixed(name) && !unidentified.has(name))
      doubt(name, `${name} is the scale of a term whose exponent ${exponent} is not identified`);
  if (fit.objective <= evidence.problem.exact)
    flags.push({
      code: 'exact-fit',
      message:
        'the runs follow the law to rounding: they were computed, not measured, and intervals mean nothing',
    });
  flags.push(...wrongSigns(law, fit.theta), ...largeResiduals(evidence.residuals));
  return { flags, unidentified };
}

/** Parameters that take part in a direction in which the objective does not curve. */
function flatParameters({ problem, x }: Evidence): string[] {
  const n = x.length;
  const gram = problem.gram(x);
  const size = Array.from({ length: n }, (_, i) => Math.sqrt(gram[i * n + i]));
  const dead = problem.free.filter((_, i) => !(size[i] > 1e-9 * Math.max(...size)));
  if (dead.length > 0) return dead;
  const scaled = gram.map((v, at) => v / (size[Math.floor(at / n)] * size[at % n]));
  const { values, vectors } = symmetricEigen(scaled);
  return problem.free.filter((_, i) =>
    vectors.some((vector, k) => values[k] < FLAT && Math.abs(vector[i]) > 0.2),
  );
}

/** Both intervals must bound a parameter: resamples miss what a linear view sees, and the other way round. */
function checkParameter(
  parameter: LawParameter,
  { bounds, errors }: Evidence,
  doubt: (parameter: string, message: string, code?: FitFlag['code']) => void,
  flags: FitFlag[],
): void {
  const { name } = parameter;
  for (const interval of [bounds[name], errors[name].interval]) {
    const problem = unbounded(parameter, interval);
    if (problem) {
      doubt(name, problem);
      return;
    }
  }
  const { low, high } = bounds[name];
  if (parameter.scale === 'log' && log(high / low) / 2 > log(3))
    flags.push({
      code: 'wide',
      parameter: name,
      message: `${name} is known to a factor of ${(high / low).toPrecision(3)} only (${low.toPrecision(3)} to ${high.toPrecision(3)})`,
    });
}

/** What is wrong with an interval, in words; undefined where it bounds its parameter. */
function unbounded(
  { name, scale, role }: LawParameter,
  { low, high }: { low: number; high: number },
): string | undefined {
  const text = (v: number): string => v.toPrecision(3);
  if (!Number.isFinite(low) || !Number.isFinite(high)) return `${name} has no bounded interval`;
  if (scale === 'log' && !((log(high) - log(low)) / 2 < LOG_LIMIT))
    return `${name} is known to a factor of ${text(high / low)} only (${text(low)} to ${text(high)})`;
  if (role !== 'exponent') return undefined;
  if (low <= 0 && high >= 0)
    return `${name} cannot be told from zero (${text(low)} to ${text(high)}): its term may not exist`;
  const ratio = Math.max(high / low, low / high);
  return ratio > EXPONENT_RATIO
    ? `${name} is anywhere from ${text(low)} to ${text(high)}: its term can hardly be told from others`
    : undefined;
}

/** Does the law with a vanishing offset fit as well, within the confidence asked for? */
function isZeroAsGood(
  law: Law,
  name: string,
  { fit, data, settings, residuals, confidence }: Evidence,
): boolean {
  const summed: ObjectiveSettings = { ...settings, reduction: 'sum' };
  const value = (theta: Float64Array, more: Readonly<Record<string, number>>): number => {
    const problem = fitObjective(law, data.rows, data.response, {
      ...summed,
      fixed: { ...settings.fixed, ...more },
    });
    const start = problem.reduce(theta);
    return Object.keys(more).length > 0
      ? polish(problem, start, { rounds: 6, tolerance: 1e-9 }).objective
      : problem.objective(start, new Float64Array(start.length));
  };
  // Small beside every response, and far from where logarithms end.
  const nothing = 1e-9 * Math.min(...data.response);
  const starts = [fit.theta, ...law.starts(data.rows, data.response).slice(0, 2)];
  const without = Math.min(...starts.map((theta) => value(theta, { [name]: nothing })));
  const z = normalQuantile(0.5 + confidence / 2);
  return !(riseFactor(residuals, settings.delta) * (without - value(fit.theta, {})) > z * z);
}

/** A law with an exponent of the wrong sign says that more is worse; its optimum means nothing. */
function wrongSigns(law: Law, theta: Float64Array): FitFlag[] {
  return law.parameters.flatMap(({ name, role, scale, negative }, i): FitFlag[] =>
    role === 'exponent' && scale === 'linear' && (negative ? theta[i] > 0 : theta[i] < 0)
      ? [
          {
            code: 'wrong-sign',
            parameter: name,
            message: `${name} is ${theta[i].toPrecision(3)}: the response rises where the law expects it to fall`,
          },
        ]
      : [],
  );
}

/** Single points far off the rest move a fit; the loss bounds their pull but does not remove it. */
function largeResiduals(residuals: Float64Array): FitFlag[] {
  const sizes = residuals.map(Math.abs);
  const middle = Float64Array.from(sizes).sort()[sizes.length >> 1];
  const far = sizes.filter((size) => size > Math.max(15 * middle, 1e-6)).length;
  return far > 0
    ? [
        {
          code: 'large-residuals',
          message: `${far} of ${sizes.length} runs lie more than 15 median residuals (${middle.toExponential(1)} in log) off the law; fit without them and compare`,
        },
      ]
    : [];
}
