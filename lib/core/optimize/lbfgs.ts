/** Limited-memory BFGS: two-loop recursion (Nocedal 1980), strong Wolfe line search, analytic gradients. */
import { ArgumentError, show } from '../errors.js';
import { strongWolfe, type LinePoint } from './line-search.js';
import type { Minimum, Objective, StopReason } from './types.js';

export interface LbfgsOptions {
  /** Pairs of steps and gradient changes kept; default 10. */
  memory?: number;
  /** Default 1000. */
  maxIterations?: number;
  /** Stops when max |gradient| is at most this; default 1e-10. */
  gradientTolerance?: number;
  /** Stops when a step lowers the objective by at most this times max(|f|, |f before|, 1); default 1e-15. */
  objectiveTolerance?: number;
  /** First trial step along -gradient; default 1 / |gradient|. Use 1 where the variables are well scaled. */
  firstStep?: number;
  /** Asked once an iteration; true ends with 'stopped' and the best point so far. */
  shouldStop?: () => boolean;
}

const EPSILON = 2.220446049250313e-16;

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

function largest(values: Float64Array): number {
  let most = 0;
  // NaN must win, so that a broken gradient never counts as small.
  for (const value of values) if (!(Math.abs(value) <= most)) most = Math.abs(value);
  return most;
}

interface Pair {
  s: Float64Array;
  y: Float64Array;
  sy: number;
}

/** -H g by the two loops; H0 = (s.y / y.y) I of the newest pair. */
function direction(pairs: readonly Pair[], gradient: Float64Array): Float64Array {
  const d = gradient.map((g) => -g);
  if (pairs.length === 0) return d;
  const alphas = new Float64Array(pairs.length);
  for (let k = pairs.length - 1; k >= 0; k--) {
    const { s, y, sy } = pairs[k];
    alphas[k] = dot(s, d) / sy;
    for (let i = 0; i < d.length; i++) d[i] -= alphas[k] * y[i];
  }
  const { y, sy } = pairs[pairs.length - 1];
  const scale = sy / dot(y, y);
  for (let i = 0; i < d.length; i++) d[i] *= scale;
  for (let k = 0; k < pairs.length; k++) {
    const pair = pairs[k];
    const beta = dot(pair.y, d) / pair.sy;
    for (let i = 0; i < d.length; i++) d[i] += (alphas[k] - beta) * pair.s[i];
  }
  return d;
}

/**
 * Minimises from a start. Conventions of steps, tests and restarts are those of L-BFGS-B without bounds (Zhu, Byrd, Lu
 * and Nocedal 1997), so that its stopping behaviour can be compared.
 *
 * @throws ArgumentError when the start is empty or an option is out of range
 */
export function minimizeLbfgs(
  objective: Objective,
  start: ArrayLike<number>,
  options: LbfgsOptions = {},
): Minimum {
  const {
    memory = 10,
    maxIterations = 1000,
    gradientTolerance = 1e-10,
    objectiveTolerance = 1e-15,
  } = options;
  if (start.length === 0) throw new ArgumentError('minimizeLbfgs: start must have length >= 1, got 0');
  if (!(memory >= 1 && maxIterations >= 0 && gradientTolerance >= 0 && objectiveTolerance >= 0))
    throw new ArgumentError(
      `minimizeLbfgs: options must not be negative, got ${show(Object.values(options))}`,
    );
  const x = Float64Array.from(start);
  const g = new Float64Array(x.length);
  let f = objective(x, g);
  let evaluations = 1;
  let iterations = 0;
  const end = (stopReason: StopReason): Minimum => ({
    x,
    objective: f,
    gradientNorm: largest(g),
    iterations,
    evaluations,
    stopReason,
  });
  if (!Number.isFinite(f) || !Number.isFinite(largest(g))) return end('not-finite');
  if (largest(g) <= gradientTolerance) return end('converged-gradient');
  let pairs: Pair[] = [];
  while (iterations < maxIterations) {
    if (options.shouldStop?.()) return end('stopped');
    const d = direction(pairs, g);
    const slope = dot(g, d);
    if (!(slope < 0)) {
      if (pairs.length === 0) return end('line-search-failed');
      pairs = [];
      continue;
    }
    const [xOld, gOld, fOld] = [x.slice(), g.slice(), f];
    const move = (step: number): LinePoint => {
      for (let i = 0; i < x.length; i++) x[i] = xOld[i] + step * d[i];
      f = objective(x, g);
      return { step, value: f, slope: dot(g, d) };
    };
    const first = iterations === 0 ? (options.firstStep ?? Math.min(1 / Math.sqrt(dot(d, d)), 1e10)) : 1;
    const search = strongWolfe(move, { step: 0, value: fOld, slope }, first);
    evaluations += search.evaluations;
    if (!search.ok) {
      x.set(xOld);
      g.set(gOld);
      f = fOld;
      if (pairs.length === 0) return end('line-search-failed');
      // Stale curvature is the usual reason: go on from the plain gradient.
      pairs = [];
      continue;
    }
    iterations++;
    if (largest(g) <= gradientTolerance) return end('converged-gradient');
    if (fOld - f <= objectiveTolerance * Math.max(Math.abs(fOld), Math.abs(f), 1))
      return end('converged-objective');
    const s = x.map((value, i) => value - xOld[i]);
    const y = g.map((value, i) => value - gOld[i]);
    const sy = dot(s, y);
    if (sy > EPSILON * -dot(gOld, s)) {
      pairs.push({ s, y, sy });
      if (pairs.length > memory) pairs.shift();
    }
  }
  return end('iteration-limit');
}
