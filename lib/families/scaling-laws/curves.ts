/** Chinchilla's approaches 1 and 2: the optimum read off training curves and off parabolas of equal compute. */
import { ArgumentError, FitError, show } from '../../core/errors.js';
import { exp, log } from '../../core/math.js';
import { cholesky, choleskySolve } from '../../core/optimize/index.js';
import { Random } from '../../core/random.js';
import { linearSlope } from '../../core/slopes.js';
import { quantile } from '../../core/statistics.js';

/** N = k C^a and D = q C^b with percentile intervals. */
export interface FrontierFit {
  a: ExponentInterval;
  b: ExponentInterval;
  /** ln N at ln C = 0 and ln D at ln C = 0. */
  lnK: number;
  lnQ: number;
  /** The optima the lines go through. */
  optima: { c: number; n: number; d: number; loss: number }[];
  /** What was left out, and why. */
  dropped: { c: number; reason: string }[];
  resamples: number;
}

export interface ExponentInterval {
  estimate: number;
  low: number;
  high: number;
}

export interface FrontierOptions {
  /** Resamples; default 200. */
  bootstrap?: number;
  /** Default 0.9. */
  confidence?: number;
  seed?: number | string;
}

type Optima = FrontierFit['optima'];

function exponents(optima: Optima): { a: number; b: number; lnK: number; lnQ: number } {
  const x = optima.map(({ c }) => log(c));
  const n = linearSlope(
    x,
    optima.map((o) => log(o.n)),
  );
  const d = linearSlope(
    x,
    optima.map((o) => log(o.d)),
  );
  return { a: n.estimate, b: d.estimate, lnK: n.intercept, lnQ: d.intercept };
}

function withBootstrap(
  name: string,
  found: { optima: Optima; dropped: FrontierFit['dropped'] },
  again: (random: Random) => Optima,
  options: FrontierOptions,
): FrontierFit {
  const { bootstrap = 200, confidence = 0.9, seed = 0 } = options;
  if (!(Number.isInteger(bootstrap) && bootstrap >= 0))
    throw new ArgumentError(`${name}: bootstrap must be an integer >= 0, got ${show(bootstrap)}`);
  const budgets = new Set(found.optima.map(({ c }) => c)).size;
  if (budgets < 2)
    throw new FitError(`${name}: runs must give optima at two budgets or more, got ${budgets}`);
  const line = exponents(found.optima);
  const random = new Random(seed).split(name);
  const draws: { a: number; b: number }[] = [];
  for (let r = 0; r < bootstrap; r++) {
    const optima = again(random.split(r));
    if (new Set(optima.map(({ c }) => c)).size >= 2) draws.push(exponents(optima));
  }
  const interval = (key: 'a' | 'b'): ExponentInterval => {
    // Half of the resamples without an optimum means that nothing is bounded.
    if (draws.length < Math.max(20, bootstrap / 2))
      return { estimate: line[key], low: -Infinity, high: Infinity };
    const values = draws.map((draw) => draw[key]);
    return {
      estimate: line[key],
      low: quantile(values, (1 - confidence) / 2),
      high: quantile(values, (1 + confidence) / 2),
    };
  };
  return {
    a: interval('a'),
    b: interval('b'),
    lnK: line.lnK,
    lnQ: line.lnQ,
    ...found,
    resamples: draws.length,
  };
}

/** One training run seen along the way. */
export interface TrainingCurve {
  /** Parameters. */
  n: number;
  /** FLOP so far, ascending, and the loss (smoothed by the caller) there. */
  c: ArrayLike<number>;
  loss: ArrayLike<number>;
}

/** ln of a curve's loss at ln C by linear interpolation in logarithms; undefined outside of the curve. */
function lossAt(logs: { c: Float64Array; loss: Float64Array }, at: number): number | undefined {
  const { c, loss } = logs;
  if (!(at >= c[0] && at <= c[c.length - 1])) return undefined;
  let [low, high] = [0, c.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (c[middle] <= at) low = middle;
    else high = middle;
  }
  if (c[high] === c[low]) return loss[low];
  return loss[low] + ((loss[high] - loss[low]) * (at - c[low])) / (c[high] - c[low]);
}

/**
 * Approach 1: at each of 1500 budgets evenly spaced in the logarithm, the run with the least loss gives N, and
 * D = C / 6N; straight lines through ln N and ln D give a and b. Resamples draw whole runs.
 * Budgets at which the best run is the smallest or the largest one are left out: their optimum lies outside.
 * Source: chinchilla, arXiv 2203.15556v1, section 3.1. Deviation: budgets at the edge are left out, and the interval
 * comes from resampled runs.
 *
 * @throws FitError when fewer than three sizes are given or curves do not overlap
 */
export function trainingCurveEnvelope(
  curves: readonly TrainingCurve[],
  options: FrontierOptions & { budgets?: number } = {},
): FrontierFit {
  const { budgets = 1500 } = options;
  const logs = curves.map((curve, i) => checkCurve(curve, i));
  if (new Set(curves.map(({ n }) => n)).size < 3)
    throw new FitError('trainingCurveEnvelope: curves must be of three sizes or more, got fewer');
  const low = Math.min(...logs.map(({ c }) => c[0]));
  const high = Math.max(...logs.map(({ c }) => c[c.length - 1]));
  const grid = Array.from({ length: budgets }, (_, i) => low + ((high - low) * i) / (budgets - 1));
  const envelope = (chosen: readonly number[]): { optima: Optima; dropped: FrontierFit['dropped'] } => {
    const sizes = chosen.map((i) => curves[i].n);
    const [least, most] = [Math.min(...sizes), Math.max(...sizes)];
    const optima: Optima = [];
    const dropped: FrontierFit['dropped'] = [];
    for (const at of grid) {
      let best: { i: number; loss: number } | undefined;
      for (const i of chosen) {
        const loss = lossAt(logs[i], at);
        if (loss !== undefined && !(best && best.loss <= loss)) best = { i, loss };
      }
      if (!best) continue;
      const c = exp(at);
      const { n } = curves[best.i];
      if (n === least || n === most)
        dropped.push({ c, reason: `the ${n === least ? 'smallest' : 'largest'} model is the best` });
      else optima.push({ c, n, d: c / (6 * n), loss: exp(best.loss) });
    }
    return { optima, dropped };
  };
  const all = curves.map((_, i) => i);
  const resampled = (random: Random): Optima =>
    envelope([...new Set(all.map(() => random.int(all.length)))]).optima;
  return withBootstrap('trainingCurveEnvelope', envelope(all), resampled, options);
}

function checkCurve(curve: TrainingCurve, index: number): { c: Float64Array; loss: Float64Array } {
  const fail = (what: string): never => {
    throw new FitError(`trainingCurveEnvelope: curve ${index} must ${what}`);
  };
  if (!(curve.n > 0 && curve.n < Infinity)) fail(`have a positive size, got ${curve.n}`);
  if (curve.c.length !== curve.loss.length || curve.c.length < 2)
    fail(
      `have two points or more, as many budgets as losses, got ${curve.c.length} and ${curve.loss.length}`,
    );
  const c = Float64Array.from(curve.c, log);
  const loss = Float64Array.from(curve.loss, log);
  for (let i = 0; i < c.length; i++) {
    if (!Number.isFinite(c[i]) || !Number.isFinite(loss[i]))
      fail(`be positive and finite, got C ${curve.c[i]} and loss ${curve.loss[i]} at ${i}`);
    if (i > 0 && !(c[i] >= c[i - 1])) fail(`have ascending budgets, got ${curve.c[i]} at ${i}`);
  }
  return { c, loss };
}

/** A parabola of loss over ln N at one budget. */
export interface Valley {
  c: number;
  /** loss = p0 + p1 ln N + p2 (ln N)^2 with ln N less `center`. */
  coefficients: [number, number, number];
  center: number;
  points: number;
}

/** Rows by budget: budgets within a factor of `tolerance` of their neighbour belong together. */
export function groupBudgets(c: ArrayLike<number>, tolerance = 1.1): number[][] {
  const order = Array.from(c, (_, i) => i).sort((i, j) => c[i] - c[j]);
  const groups: number[][] = [];
  for (const i of order) {
    const group = groups[groups.length - 1];
    if (group && c[i] <= c[group[group.length - 1]] * tolerance) group.push(i);
    else groups.push([i]);
  }
  return groups;
}

/** Least squares parabola through loss over ln N; undefined where three sizes are lacking. */
function parabola(n: readonly number[], loss: readonly number[]): Valley['coefficients'] | undefined {
  if (new Set(n).size < 3) return undefined;
  const normal = new Float64Array(9);
  const right = new Float64Array(3);
  n.forEach((x, i) => {
    const powers = [1, x, x * x];
    powers.forEach((p, row) => {
      right[row] += p * loss[i];
      powers.forEach((q, column) => (normal[row * 3 + column] += p * q));
    });
  });
  const L = cholesky(normal);
  return L && (Array.from(choleskySolve(L, right)) as Valley['coefficients']);
}

function valleyOptimum(
  rows: readonly number[],
  columns: { n: ArrayLike<number>; c: ArrayLike<number>; loss: ArrayLike<number> },
): { optimum: Optima[number]; valley: Valley } | { reason: string } {
  const logs = rows.map((i) => log(columns.n[i]));
  const center = logs.reduce((sum, v) => sum + v, 0) / logs.length;
  const fitted = parabola(
    logs.map((v) => v - center),
    rows.map((i) => columns.loss[i]),
  );
  if (!fitted) return { reason: `fewer than three sizes (${rows.length} runs)` };
  const [p0, p1, p2] = fitted;
  if (!(p2 > 0)) return { reason: 'the parabola has no minimum' };
  const at = -p1 / (2 * p2);
  if (!(at + center >= Math.min(...logs) && at + center <= Math.max(...logs)))
    return { reason: 'the minimum lies outside of the sizes tried' };
  const c = exp(rows.reduce((sum, i) => sum + log(columns.c[i]), 0) / rows.length);
  const n = exp(at + center);
  return {
    optimum: { c, n, d: c / (6 * n), loss: p0 - (p1 * p1) / (4 * p2) },
    valley: { c, coefficients: fitted, center, points: rows.length },
  };
}

/**
 * Approach 2: for each budget a parabola of the final loss over ln N; its minimum is the optimal size there, and straight
 * lines through the minima give a and b. Resamples draw runs within each budget. Budgets without a minimum inside the
 * sizes tried are left out and named.
 * Source: chinchilla, arXiv 2203.15556v1, section 3.2 (nine budgets, 6e18 to 3e21 FLOP).
 *
 * @throws FitError when fewer than two budgets have a minimum
 */
export function isoFlopParabolas(
  columns: { n: ArrayLike<number>; c: ArrayLike<number>; loss: ArrayLike<number> },
  options: FrontierOptions & { tolerance?: number } = {},
): FrontierFit & { valleys: Valley[] } {
  const { n, c, loss } = columns;
  if (n.length !== c.length || n.length !== loss.length)
    throw new FitError(
      `isoFlopParabolas: n, c and loss must have equal lengths, got ${n.length}, ${c.length}, ${loss.length}`,
    );
  for (const [name, values] of Object.entries(columns))
    for (let i = 0; i < values.length; i++)
      if (!(values[i] > 0 && values[i] < Infinity))
        throw new FitError(`isoFlopParabolas: ${name} must be positive and finite, got ${values[i]} at ${i}`);
  const groups = groupBudgets(c, options.tolerance);
  const optima: Optima = [];
  const dropped: FrontierFit['dropped'] = [];
  const valleys: Valley[] = [];
  const kept: number[][] = [];
  for (const rows of groups) {
    const found = valleyOptimum(rows, columns);
    if ('reason' in found) dropped.push({ c: c[rows[0]], reason: found.reason });
    else {
      optima.push(found.optimum);
      valleys.push(found.valley);
      kept.push(rows);
    }
  }
  const again = (random: Random): Optima =>
    kept.flatMap((rows) => {
      const drawn = rows.map(() => rows[random.int(rows.length)]);
      const found = valleyOptimum(drawn, columns);
      return 'optimum' in found ? [found.optimum] : [];
    });
  return { ...withBootstrap('isoFlopParabolas', { optima, dropped }, again, options), valleys };
}
