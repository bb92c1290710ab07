/**
 * Line search for the strong Wolfe conditions (Moré and Thuente 1994, ACM TOMS 20, 286-307): a step t with
 * f(t) <= f(0) + armijo t f'(0) and |f'(t)| <= curvature |f'(0)|. An interval that must hold such a step shrinks by
 * cubic and quadratic interpolation with safeguards.
 */

/** Value and slope along the line at one step. */
export interface LinePoint {
  step: number;
  value: number;
  slope: number;
}

export interface LineSearchOptions {
  /** Sufficient decrease; default 1e-3. */
  armijo?: number;
  /** Default 0.9, right for quasi-Newton directions. */
  curvature?: number;
  /** Relative width of the interval below which the search gives up; default 0.1. */
  width?: number;
  /** Default 20. */
  maxEvaluations?: number;
  /** Default 1e10. */
  longest?: number;
}

export interface LineSearchResult {
  ok: boolean;
  evaluations: number;
}

/** Minimiser of the cubic through two points with slopes, as a place on the line of their steps. */
function cubicParts(a: LinePoint, b: LinePoint): { theta: number; s: number; gammaSquared: number } {
  const theta = (3 * (a.value - b.value)) / (b.step - a.step) + a.slope + b.slope;
  const s = Math.max(Math.abs(theta), Math.abs(a.slope), Math.abs(b.slope));
  const ratio = theta / s;
  return { theta, s, gammaSquared: ratio * ratio - (a.slope / s) * (b.slope / s) };
}

/** The interval of uncertainty: `best` has the least value so far, `other` is its other end. */
interface Interval {
  best: LinePoint;
  other: LinePoint;
  bracketed: boolean;
}

/** Next trial step from the interval and the newest point (the four cases of the paper); updates the interval. */
function nextStep(interval: Interval, trial: LinePoint, low: number, high: number): number {
  const { best, other } = interval;
  const towards = trial.slope * Math.sign(best.slope);
  let step: number;
  if (trial.value > best.value) {
    // Higher value: the minimum is bracketed; take the cubic's unless the quadratic's is closer to best.
    const { theta, s, gammaSquared } = cubicParts(best, trial);
    const gamma = s * Math.sqrt(gammaSquared) * (trial.step < best.step ? -1 : 1);
    const r = (gamma - best.slope + theta) / (gamma - best.slope + gamma + trial.slope);
    const cubic = best.step + r * (trial.step - best.step);
    const secant = (best.value - trial.value) / (trial.step - best.step) + best.slope;
    const quadratic = best.step + (best.slope / secant / 2) * (trial.step - best.step);
    step =
      Math.abs(cubic - best.step) < Math.abs(quadratic - best.step) ? cubic : cubic + (quadratic - cubic) / 2;
    interval.bracketed = true;
  } else if (towards < 0) {
    // Slope changed sign: bracketed; take whichever of cubic and secant is farther from the trial.
    const { theta, s, gammaSquared } = cubicParts(best, trial);
    const gamma = s * Math.sqrt(gammaSquared) * (trial.step > best.step ? -1 : 1);
    const r = (gamma - trial.slope + theta) / (gamma - trial.slope + gamma + best.slope);
    const cubic = trial.step + r * (best.step - trial.step);
    const secant = trial.step + (trial.slope / (trial.slope - best.slope)) * (best.step - trial.step);
    step = Math.abs(cubic - trial.step) > Math.abs(secant - trial.step) ? cubic : secant;
    interval.bracketed = true;
  } else if (Math.abs(trial.slope) < Math.abs(best.slope)) {
    step = flatterStep(interval, trial, low, high);
  } else if (interval.bracketed) {
    // Steeper downhill: the cubic through the far end.
    const { theta, s, gammaSquared } = cubicParts(trial, other);
    const gamma = s * Math.sqrt(gammaSquared) * (trial.step > other.step ? -1 : 1);
    const r = (gamma - trial.slope + theta) / (gamma - trial.slope + gamma + other.slope);
    step = trial.step + r * (other.step - trial.step);
  } else {
    step = trial.step > best.step ? high : low;
  }
  if (trial.value > best.value) interval.other = trial;
  else {
    if (towards < 0) interval.other = best;
    interval.best = trial;
  }
  return step;
}

/** Third case: lower value, same sign, flatter slope; the cubic may have no minimum in the right direction. */
function flatterStep(interval: Interval, trial: LinePoint, low: number, high: number): number {
  const { best, other } = interval;
  const { theta, s, gammaSquared } = cubicParts(best, trial);
  const gamma = s * Math.sqrt(Math.max(0, gammaSquared)) * (trial.step > best.step ? -1 : 1);
  const r = (gamma - trial.slope + theta) / (gamma + (best.slope - trial.slope) + gamma);
  const cubic =
    r < 0 && gamma !== 0 ? trial.step + r * (best.step - trial.step) : trial.step > best.step ? high : low;
  const secant = trial.step + (trial.slope / (trial.slope - best.slope)) * (best.step - trial.step);
  const cubicCloser = Math.abs(cubic - trial.step) < Math.abs(secant - trial.step);
  if (interval.bracketed) {
    const step = cubicCloser ? cubic : secant;
    const limit = trial.step + 0.66 * (other.step - trial.step);
    return trial.step > best.step ? Math.min(limit, step) : Math.max(limit, step);
  }
  const step = cubicCloser ? secant : cubic;
  return Math.max(low, Math.min(high, step));
}

/**
 * Searches from `start` (step 0) with `first` as the first trial. `evaluate` moves to a step and gives value and slope
 * there; after a success the last evaluated step is the accepted one.
 */
export function strongWolfe(
  evaluate: (step: number) => LinePoint,
  start: LinePoint,
  first: number,
  options: LineSearchOptions = {},
): LineSearchResult {
  const {
    armijo = 1e-3,
    curvature = 0.9,
    width: tolerance = 0.1,
    maxEvaluations = 20,
    longest = 1e10,
  } = options;
  const wanted = armijo * start.slope;
  const interval: Interval = { best: start, other: start, bracketed: false };
  let stage = 1;
  let [width, before] = [longest, 2 * longest];
  let [low, high] = [0, 5 * first];
  let step = first;
  for (let evaluations = 1; evaluations <= maxEvaluations; evaluations++) {
    const point = evaluate(step);
    if (!Number.isFinite(point.value) || !Number.isFinite(point.slope)) {
      // Outside of the domain: come back towards the best point.
      high = step;
      step = interval.best.step + 0.1 * (step - interval.best.step);
      continue;
    }
    const limit = start.value + step * wanted;
    if (point.value <= limit && Math.abs(point.slope) <= curvature * -start.slope)
      return { ok: true, evaluations };
    // No room left to improve: a lower value is still worth taking.
    if (interval.bracketed && (step <= low || step >= high || high - low <= tolerance * high))
      return { ok: step > 0 && point.value < start.value, evaluations };
    if (stage === 1 && point.value <= limit && point.slope >= Math.min(armijo, curvature) * start.slope)
      stage = 2;
    // Before the interval is known to hold a minimum of f, work on f less the line of sufficient decrease.
    const shifted = stage === 1 && point.value <= interval.best.value && point.value > limit;
    const shift = (p: LinePoint, sign: number): LinePoint => ({
      step: p.step,
      value: p.value - sign * p.step * wanted,
      slope: p.slope - sign * wanted,
    });
    if (shifted) {
      const auxiliary: Interval = {
        best: shift(interval.best, 1),
        other: shift(interval.other, 1),
        bracketed: interval.bracketed,
      };
      step = nextStep(auxiliary, shift(point, 1), low, high);
      interval.best = shift(auxiliary.best, -1);
      interval.other = shift(auxiliary.other, -1);
      interval.bracketed = auxiliary.bracketed;
    } else step = nextStep(interval, point, low, high);
    if (interval.bracketed) {
      const now = Math.abs(interval.other.step - interval.best.step);
      if (now >= 0.66 * before) step = interval.best.step + (interval.other.step - interval.best.step) / 2;
      [before, width] = [width, now];
      low = Math.min(interval.best.step, interval.other.step);
      high = Math.max(interval.best.step, interval.other.step);
    } else {
      low = step + 1.1 * (step - interval.best.step);
      high = step + 4 * (step - interval.best.step);
    }
    step = Math.max(0, Math.min(longest, step));
    if (interval.bracketed && (step <= low || step >= high || high - low <= tolerance * high))
      step = interval.best.step;
  }
  return { ok: false, evaluations: maxEvaluations };
}
