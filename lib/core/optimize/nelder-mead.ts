/** Nelder and Mead 1965: a simplex without gradients, slow and independent: the check of the gradient method. */
import { ArgumentError } from '../errors.js';
import type { Minimum, StopReason } from './types.js';

export interface NelderMeadOptions {
  /** Edge of the first simplex along each variable: step * max(|x|, 1); default 0.1. */
  step?: number;
  /** Default 500 a variable. */
  maxIterations?: number;
  /** Stops when the values at the corners differ by at most this times the best, or by `absoluteTolerance`, … */
  objectiveTolerance?: number;
  /** A minimum of zero has no relative size; default 1e-20. */
  absoluteTolerance?: number;
  /** … and the corners by at most this times max(|x|, 1); defaults 1e-12 and 1e-9. */
  stepTolerance?: number;
  shouldStop?: () => boolean;
}

interface Corner {
  x: Float64Array;
  f: number;
}

/** Minimises from a start; a value that is not finite counts as +Infinity. `gradientNorm` of the result is NaN. */
export function minimizeNelderMead(
  value: (x: Float64Array) => number,
  start: ArrayLike<number>,
  options: NelderMeadOptions = {},
): Minimum {
  const n = start.length;
  if (n === 0) throw new ArgumentError('minimizeNelderMead: start must have length >= 1, got 0');
  const { step = 0.1, maxIterations = 500 * n } = options;
  let evaluations = 0;
  const corner = (x: Float64Array): Corner => {
    evaluations++;
    const f = value(x);
    return { x, f: Number.isFinite(f) ? f : Infinity };
  };
  const origin = Float64Array.from(start);
  const simplex = [corner(origin)];
  for (let i = 0; i < n; i++) {
    const x = origin.slice();
    x[i] += step * Math.max(Math.abs(x[i]), 1);
    simplex.push(corner(x));
  }
  let iterations = 0;
  const end = (stopReason: StopReason): Minimum => {
    simplex.sort((a, b) => a.f - b.f);
    const [{ x, f }] = simplex;
    return { x, objective: f, gradientNorm: NaN, iterations, evaluations, stopReason };
  };
  if (simplex.every(({ f }) => f === Infinity)) return end('not-finite');
  while (iterations < maxIterations) {
    if (options.shouldStop?.()) return end('stopped');
    simplex.sort((a, b) => a.f - b.f);
    if (isSmall(simplex, options)) return end('converged-objective');
    iterations++;
    moveWorst(simplex, corner);
  }
  return end('iteration-limit');
}

function isSmall(simplex: readonly Corner[], options: NelderMeadOptions): boolean {
  const { objectiveTolerance = 1e-12, absoluteTolerance = 1e-20, stepTolerance = 1e-9 } = options;
  const best = simplex[0];
  const close = Math.max(objectiveTolerance * Math.abs(best.f), absoluteTolerance);
  return simplex.every(
    ({ x, f }) =>
      f - best.f <= close &&
      x.every((v, i) => Math.abs(v - best.x[i]) <= stepTolerance * Math.max(Math.abs(best.x[i]), 1)),
  );
}

/** Reflects, expands, contracts or shrinks; the simplex comes in sorted. */
function moveWorst(simplex: Corner[], corner: (x: Float64Array) => Corner): void {
  const n = simplex.length - 1;
  const worst = simplex[n];
  const center = worst.x.map((_, i) => simplex.slice(0, n).reduce((sum, { x }) => sum + x[i], 0) / n);
  const along = (t: number): Corner => corner(center.map((c, i) => c + t * (worst.x[i] - c)));
  const reflected = along(-1);
  if (reflected.f < simplex[0].f) {
    const expanded = along(-2);
    simplex[n] = expanded.f < reflected.f ? expanded : reflected;
    return;
  }
  if (reflected.f < simplex[n - 1].f) {
    simplex[n] = reflected;
    return;
  }
  const outside = reflected.f < worst.f;
  const contracted = along(outside ? -0.5 : 0.5);
  if (contracted.f < Math.min(reflected.f, worst.f)) {
    simplex[n] = contracted;
    return;
  }
  const best = simplex[0].x;
  for (let k = 1; k <= n; k++) simplex[k] = corner(simplex[k].x.map((v, i) => best[i] + 0.5 * (v - best[i])));
}
