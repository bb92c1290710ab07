/** The 245 points read off a figure of Hoffmann et al. 2022, and what fits of them say; shared with the replication. */
import { exp, log, pow } from '../../core/math.js';
import { Random } from '../../core/random.js';
import type { Interval } from '../../core/statistics.js';
import { chinchilla } from '../../families/scaling-laws/chinchilla.js';
import {
  fitLaw,
  optimalExponents,
  predictLaw,
  withoutHighest,
  type Columns,
  type FitOptions,
  type FitResult,
} from '../../families/scaling-laws/index.js';
import { percentileInterval, riseFactor } from '../../families/scaling-laws/intervals.js';
import { toInternal, toPublic } from '../../families/scaling-laws/law.js';
import { fitObjective } from '../../families/scaling-laws/objective.js';
import { numberColumn, parseCsv } from '../../tasks/csv.js';
import type { Setup } from '../paper.js';
import { dataText } from '../setup.js';

export const POINTS = 'chinchilla-points';

/** Highest losses that the replication leaves out. */
export const DROPPED = 5;
/** Resamples of a fit whose interval decides, and of a control. */
export const RESAMPLES = 1000;
export const CONTROL_RESAMPLES = 200;

/** Quantiles of chi-squared with five degrees of freedom: levels 0.05 and 0.0001. */
export const CHI_SQUARED_5 = { fits: 11.07, misses: 25.74 } as const;

/** Size, compute and loss of all points. */
export function chinchillaPoints(setup: Setup): Columns {
  const table = parseCsv(dataText(setup, POINTS));
  const column = (name: string): Float64Array => numberColumn(table, name);
  const [n, c] = [column('Model Size'), column('Training FLOP')];
  return { n, d: n.map((size, i) => c[i] / (6 * size)), loss: column('loss') };
}

/** The runs that are fitted. */
export const keptPoints = (setup: Setup): Columns => withoutHighest(chinchillaPoints(setup), 'loss', DROPPED);

/** A fit of approach 3 with resamples at 95 %. */
export function fitPoints(columns: Columns, options: FitOptions = {}): Promise<FitResult> {
  return fitLaw('chinchilla', columns, { bootstrap: RESAMPLES, confidence: 0.95, ...options });
}

/** The published constants under a name: `tex`, `paper` or `epoch`. */
export function publishedConstants(name: string): Readonly<Record<string, number>> {
  const found = chinchilla.published.find((entry) => entry.name === name);
  return found ? found.values : {};
}

/** Interval of a quantity made of the parameters. */
export function quantityInterval(
  fit: FitResult,
  quantity: (values: Readonly<Record<string, number>>) => number,
  confidence: number,
): Interval {
  const draws = Float64Array.from(fit.draws, (theta) => quantity(toPublic(chinchilla, theta)));
  return percentileInterval(draws, quantity(fit.raw), confidence);
}

/** The optimum's exponent a, N ~ C^a. */
export const exponentA = (values: Readonly<Record<string, number>>): number =>
  optimalExponents({ alpha: values.alpha, beta: values.beta }).a;

/** Width of the interval from the 10th to the 90th percentile of a, the one that the paper prints. */
export function widthOfA(fit: FitResult): number {
  const { low, high } = quantityInterval(fit, exponentA, 0.8);
  return high - low;
}

/** Residuals ln prediction - ln loss of constants on runs. */
export function residualsOf(columns: Columns, values: Readonly<Record<string, number>>): Float64Array {
  return Float64Array.from(
    columns.loss,
    (loss, i) => log(predictLaw(chinchilla, values, { n: columns.n[i], d: columns.d[i] })) - log(loss),
  );
}

/** Summed Huber objective of constants on the runs of a fit. */
export function objectiveOf(fit: FitResult, values: Readonly<Record<string, number>>): number {
  const { rows, response } = fit.data;
  const problem = fitObjective(chinchilla, rows, response);
  return problem.objective(problem.reduce(toInternal(chinchilla, values)), new Float64Array(5));
}

/**
 * How badly constants fit: rise of the objective over its minimum, scaled to a chi-squared of five degrees of freedom
 * (robust likelihood ratio, Ronchetti 1982).
 */
export function misfit(fit: FitResult, values: Readonly<Record<string, number>>): number {
  const problem = fitObjective(chinchilla, fit.data.rows, fit.data.response);
  const residuals = problem.residuals(problem.reduce(fit.theta));
  return riseFactor(residuals, fit.delta) * (objectiveOf(fit, values) - fit.objective);
}

/** Runs at the same places whose losses follow a law with the residuals of a fit, times a factor. */
export function plantedRuns(fit: FitResult, values: Readonly<Record<string, number>>, noise = 1): Columns {
  const { points, rows, response } = fit.data;
  const problem = fitObjective(chinchilla, rows, response);
  const residuals = problem.residuals(problem.reduce(fit.theta));
  const [n, d] = [points.map((point) => point.n), points.map((point) => point.d)];
  const loss = points.map((point, i) => predictLaw(chinchilla, values, point) * exp(-noise * residuals[i]));
  return { n, d, loss };
}

/** The fitted law with other exponents, both parts unchanged at the middle of the runs. */
export function withExponentA(fit: FitResult, a: number): Record<string, number> {
  const { A, B, E, alpha, beta } = fit.raw;
  const middle = (name: 'n' | 'd'): number =>
    exp(fit.data.points.reduce((sum, point) => sum + log(point[name]), 0) / fit.points);
  const sum = alpha + beta;
  const [newAlpha, newBeta] = [(1 - a) * sum, a * sum];
  return {
    A: A * pow(middle('n'), newAlpha - alpha),
    B: B * pow(middle('d'), newBeta - beta),
    E,
    alpha: newAlpha,
    beta: newBeta,
  };
}

/** A random half of the runs. */
export function randomHalf(columns: Columns, seed: number): Columns {
  const order = new Random('half of the runs').split(seed).permutation(columns.loss.length);
  const half = Array.from(order.subarray(0, Math.floor(order.length / 2)));
  return Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [name, Float64Array.from(half, (i) => values[i])]),
  );
}
