/** Huber's loss of logarithmic residuals as a function of a law's internal parameters. */
import { ArgumentError, show } from '../../core/errors.js';
import { log } from '../../core/math.js';
import { cholesky, solveTransposed, type Objective } from '../../core/optimize/index.js';
import { toInternal, type Law } from './law.js';

/** How residuals are summed and which parameters are free; plain data, sent to workers. */
export interface ObjectiveSettings {
  /** Where Huber's loss turns from square to line, in log loss; default 1e-3 (chinchilla). */
  delta: number;
  /** `sum`; `mean` is there to show what it does to stopping rules. */
  reduction: 'sum' | 'mean';
  /** Public values of parameters that are not fitted. */
  fixed: Readonly<Record<string, number>>;
  /** Parameters held equal to another one, e.g. { beta: 'alpha' }. */
  equal: Readonly<Record<string, string>>;
}

export const DEFAULT_SETTINGS: ObjectiveSettings = { delta: 1e-3, reduction: 'sum', fixed: {}, equal: {} };

/** The optimiser's view of a law: a vector of the free parameters only. */
export interface FitObjective {
  /** Names of the free parameters, in order. */
  free: string[];
  objective: Objective;
  /** An objective at or below this is rounding: residuals of 1e-11 in the logarithm. */
  exact: number;
  /** All internal parameters from the free ones, and back. */
  expand(x: ArrayLike<number>): Float64Array;
  reduce(theta: ArrayLike<number>): Float64Array;
  /** ln prediction - ln response at every point. */
  residuals(x: ArrayLike<number>): Float64Array;
  /** Sum of w J J^T over points, w = min(1, delta / |r|) and point weights: curvature without second derivatives. */
  curvature(x: ArrayLike<number>): Float64Array;
  /** Sum of J J^T over points with their counts; with a window only over those with |r| inside it. */
  gram(x: ArrayLike<number>, window?: number): Float64Array;
  /** Sum of psi^2 J J^T, psi the clipped residual: the spread of the gradient. */
  scores(x: ArrayLike<number>): Float64Array;
}

/** Index of each parameter in the free vector, or -1 with its fixed internal value. */
function mapping(
  law: Law,
  settings: ObjectiveSettings,
): { index: number[]; values: Float64Array; free: string[] } {
  const names = law.parameters.map(({ name }) => name);
  for (const name of [...Object.keys(settings.fixed), ...Object.entries(settings.equal).flat()])
    if (!names.includes(name))
      throw new ArgumentError(`fitLaw: ${law.id} must have parameter ${show(name)}, got ${names.join(', ')}`);
  const free = names.filter((name) => !(name in settings.fixed) && !(name in settings.equal));
  if (free.length === 0) throw new ArgumentError(`fitLaw: ${law.id} must keep a free parameter, got none`);
  const all = Object.fromEntries(names.map((name) => [name, settings.fixed[name] ?? 1]));
  const values = toInternal(law, all);
  const index = names.map((name) => {
    const leader = settings.equal[name] ?? name;
    if (leader in settings.equal)
      throw new ArgumentError(`fitLaw: ${name} must equal a parameter that is free or fixed, got ${leader}`);
    if (leader !== name && leader in settings.fixed)
      values[names.indexOf(name)] = values[names.indexOf(leader)];
    return free.indexOf(leader);
  });
  return { index, values, free };
}

/** Builds the objective; `counts` weighs points (a bootstrap resample is a vector of counts). */
export function fitObjective(
  law: Law,
  rows: Float64Array,
  response: Float64Array,
  settings: ObjectiveSettings = DEFAULT_SETTINGS,
  counts?: Float64Array,
): FitObjective {
  const { delta, reduction } = settings;
  if (!(delta > 0)) throw new ArgumentError(`fitLaw: delta must be positive, got ${show(delta)}`);
  const { index, values, free } = mapping(law, settings);
  const points = response.length;
  const target = Float64Array.from(response, log);
  const total = counts ? counts.reduce((sum, v) => sum + v, 0) : points;
  const factor = reduction === 'mean' ? 1 / total : 1;
  const theta = values.slice();
  const slope = new Float64Array(theta.length);
  const n = free.length;
  const k = index.length;
  const plain = n === k;
  const { width } = law;
  const place = (x: ArrayLike<number>): void => {
    for (let i = 0; i < k; i++) if (index[i] >= 0) theta[i] = x[index[i]];
  };
  const objective: Objective = (x, gradient) => {
    place(x);
    gradient.fill(0);
    let sum = 0;
    for (let p = 0; p < points; p++) {
      const weight = counts ? counts[p] : 1;
      if (weight === 0) continue;
      const r = law.logPredict(theta, rows, p * width, slope) - target[p];
      const size = Math.abs(r);
      const inside = size <= delta;
      sum += weight * (inside ? 0.5 * r * r : delta * (size - 0.5 * delta));
      const psi = factor * weight * (inside ? r : r < 0 ? -delta : delta);
      if (plain) for (let i = 0; i < k; i++) gradient[i] += psi * slope[i];
      else for (let i = 0; i < k; i++) if (index[i] >= 0) gradient[index[i]] += psi * slope[i];
    }
    return factor * sum;
  };
  const residuals = (x: ArrayLike<number>): Float64Array => {
    place(x);
    return target.map((t, p) => law.logPredict(theta, rows, p * law.width) - t);
  };
  const outer = (x: ArrayLike<number>, weigh: (r: number) => number): Float64Array => {
    place(x);
    const out = new Float64Array(n * n);
    const j = new Float64Array(n);
    for (let p = 0; p < points; p++) {
      const r = law.logPredict(theta, rows, p * law.width, slope) - target[p];
      j.fill(0);
      for (let i = 0; i < k; i++) if (index[i] >= 0) j[index[i]] += slope[i];
      const weight = (counts ? counts[p] : 1) * weigh(r);
      for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) out[a * n + b] += weight * j[a] * j[b];
    }
    return out;
  };
  return {
    free,
    objective,
    exact: factor * total * 0.5e-22,
    residuals,
    expand: (x) => {
      place(x);
      return theta.slice();
    },
    reduce: (full) => {
      const x = new Float64Array(n);
      for (let i = k - 1; i >= 0; i--) if (index[i] >= 0) x[index[i]] = full[i];
      // A follower never overrules its leader.
      law.parameters.forEach(({ name }, i) => {
        if (free.includes(name)) x[index[i]] = full[i];
      });
      return x;
    },
    curvature: (x) => outer(x, (r) => factor * Math.min(1, delta / Math.max(Math.abs(r), 1e-300))),
    gram: (x, window = Infinity) => outer(x, (r) => (Math.abs(r) <= window ? 1 : 0)),
    scores: (x) =>
      outer(x, (r) => {
        const psi = factor * Math.min(Math.abs(r), delta);
        return psi * psi;
      }),
  };
}

/** Variables in which the curvature at a center is the unit matrix and the objective is of size one. */
export interface Whitened {
  objective: Objective;
  toX(z: ArrayLike<number>): Float64Array;
}

/**
 * x = center + L^-T z with L L^T = curvature / scale: a ridge becomes a round bowl, and L-BFGS needs few steps.
 * Where the curvature is singular its diagonal is raised until it is not.
 */
export function whiten(
  objective: Objective,
  center: Float64Array,
  curvature: Float64Array,
  scale: number,
): Whitened {
  const n = center.length;
  const top = Math.max(...center.map((_, i) => curvature[i * n + i]));
  let L: Float64Array | undefined;
  for (let ridge = 1e-13; !L; ridge *= 100) {
    const raised = curvature.map((v) => v / scale);
    for (let i = 0; i < n; i++)
      raised[i * n + i] += (ridge * Math.max(curvature[i * n + i], 1e-6 * top) + 1e-300) / scale;
    L = cholesky(raised);
    if (ridge > 1e6) L = Float64Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0));
  }
  const lower = L;
  const toX = (z: ArrayLike<number>): Float64Array =>
    solveTransposed(lower, Float64Array.from(z)).map((v, i) => center[i] + v);
  const inner = new Float64Array(n);
  return {
    toX,
    objective: (z, gradient) => {
      const value = objective(toX(z), inner);
      // gradient by z = L^-1 gradient by x.
      for (let i = 0; i < n; i++) {
        let sum = inner[i] / scale;
        for (let k = 0; k < i; k++) sum -= lower[i * n + k] * gradient[k];
        gradient[i] = sum / lower[i * n + i];
      }
      return value / scale;
    },
  };
}
