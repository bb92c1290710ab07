/** What all minimisers share. They are pure and synchronous; `shouldStop` is asked once an iteration. */

/** Why a minimiser ended. Only the first two are convergence. */
export type StopReason =
  | 'converged-gradient'
  | 'converged-objective'
  | 'iteration-limit'
  | 'stopped'
  | 'line-search-failed'
  | 'not-finite';

/** Value at x; writes the gradient. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number;

/** Where a minimiser ended and why. */
export interface Minimum {
  x: Float64Array;
  objective: number;
  /** Largest absolute component of the gradient at x; NaN for minimisers without gradients. */
  gradientNorm: number;
  iterations: number;
  /** Calls of the objective. */
  evaluations: number;
  stopReason: StopReason;
}

/** Did it end at a stationary point, as far as the tolerances tell? */
export function isConverged(reason: StopReason): boolean {
  return reason === 'converged-gradient' || reason === 'converged-objective';
}
