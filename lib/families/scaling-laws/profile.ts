/** Profile of the objective along one parameter: how much worse the best fit gets when the parameter is held away. */
import { ArgumentError, show } from '../../core/errors.js';
import { normalQuantile } from '../../core/distributions.js';
import { exp } from '../../core/math.js';
import { riseFactor } from './intervals.js';
import { polish } from './job.js';
import { lawOf, toPublic } from './law.js';
import { fitObjective, type ObjectiveSettings } from './objective.js';
import type { FitResult } from './result.js';

export interface ProfilePoint {
  /** Public value at which the parameter is held. */
  value: number;
  objective: number;
  /** Twice the rise, in units in which a chi-squared of one degree of freedom applies. */
  rise: number;
}

export interface Profile {
  parameter: string;
  points: ProfilePoint[];
  /** Where the rise passes the threshold; null on a side where it never does inside the range searched. */
  low: number | null;
  high: number | null;
  threshold: number;
  /** The profile rises past the threshold on both sides. */
  identified: boolean;
}

export interface ProfileOptions {
  confidence?: number;
  /** First step in the internal parameter; default from the standard error. */
  step?: number;
  /** Steps double; default 14 on each side. */
  steps?: number;
  settings?: Partial<ObjectiveSettings>;
  shouldStop?: () => boolean;
}

/**
 * Profile likelihood of one parameter of a fit. The objective is no likelihood: 2 (f - f_min) is scaled by
 * mean slope / mean psi^2 of Huber's loss, which gives it the chi-squared limit of a robust likelihood ratio
 * (Ronchetti 1982) where residuals are alike. A ridge shows as a profile that stays low for long, a parameter without
 * information as one that never rises.
 */
export function profileLikelihood(fit: FitResult, parameter: string, options: ProfileOptions = {}): Profile {
  const law = lawOf(fit.law);
  const at = law.parameters.findIndex(({ name }) => name === parameter);
  if (at < 0)
    throw new ArgumentError(
      `profileLikelihood: parameter must be one of ${law.parameters.map((p) => p.name).join(', ')}, got ${show(parameter)}`,
    );
  const { confidence = fit.confidence, steps = 14, shouldStop } = options;
  const settings: ObjectiveSettings = {
    delta: fit.delta,
    reduction: 'sum',
    fixed: {},
    equal: {},
    ...options.settings,
  };
  const { rows, response } = fit.data;
  const whole = fitObjective(law, rows, response, settings);
  const factor = riseFactor(whole.residuals(whole.reduce(fit.theta)), settings.delta);
  const gradient = new Float64Array(whole.free.length);
  const least = whole.objective(whole.reduce(fit.theta), gradient);
  const z = normalQuantile(0.5 + confidence / 2);
  const threshold = z * z;
  const { scale } = law.parameters[at];
  const error = fit.standardErrors[parameter];
  const relative = scale === 'log' ? fit.raw[parameter] : 1;
  const first = options.step ?? (error !== null && error > 0 ? error / relative / 2 : 0.01);
  const side = (sign: number): { points: ProfilePoint[]; bound: number | null } => {
    const points: ProfilePoint[] = [];
    let theta = fit.theta;
    let last = { distance: 0, rise: 0 };
    for (let k = 0, distance = first; k < steps && !shouldStop?.(); k++, distance *= 2) {
      const held = fit.theta[at] + sign * distance;
      const value = scale === 'log' ? exp(held) : held;
      if (!Number.isFinite(value) || value === 0) break;
      const problem = fitObjective(law, rows, response, {
        ...settings,
        fixed: { ...settings.fixed, [parameter]: value },
      });
      const found = polish(problem, problem.reduce(theta), { rounds: 6, tolerance: 1e-9 });
      if (!Number.isFinite(found.objective)) break;
      theta = problem.expand(found.x);
      const rise = factor * (found.objective - least);
      points.push({ value: toPublic(law, theta)[parameter], objective: found.objective, rise });
      if (rise >= threshold) {
        // Square roots of the rise are nearly straight in the parameter.
        const [a, b] = [Math.sqrt(Math.max(last.rise, 0)), Math.sqrt(rise)];
        const part = (Math.sqrt(threshold) - a) / (b - a);
        const place = fit.theta[at] + sign * (last.distance + part * (distance - last.distance));
        return { points, bound: scale === 'log' ? exp(place) : place };
      }
      last = { distance, rise };
    }
    return { points, bound: null };
  };
  const [down, up] = [side(-1), side(1)];
  return {
    parameter,
    points: [
      ...down.points.reverse(),
      { value: fit.raw[parameter], objective: least, rise: 0 },
      ...up.points,
    ],
    low: down.bound,
    high: up.bound,
    threshold,
    identified: down.bound !== null && up.bound !== null,
  };
}
