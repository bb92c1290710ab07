/** The replication's analyses on its own 245 points. */
import { Random } from '../../core/random.js';
import {
  chinchilla,
  computeOptimal,
  fitLaw,
  type ChinchillaConstants,
  type Columns,
  type FitResult,
} from '../../families/scaling-laws/index.js';
import { toPublic } from '../../families/scaling-laws/law.js';
import {
  chinchillaPoints,
  CONTROL_RESAMPLES,
  DROPPED,
  exponentA,
  fitPoints,
  keptPoints,
  misfit,
  plantedRuns,
  POINTS,
  publishedConstants,
  quantityInterval,
  randomHalf,
  residualsOf,
  widthOfA,
} from '../chinchilla/points.js';
import { GOPHER_FLOP } from '../chinchilla/optimal-size.js';
import type { Measurement } from '../ledger/types.js';
import type { Setup } from '../paper.js';
import { fitSummary, interval, reanalysis, type Reanalysed } from '../reanalysis.js';

/** Every ninth of the 4,500 starts: 500. */
const EVERY_START = 9;
/** Width of the published interval of a, 0.454 to 0.455. */
const PUBLISHED_WIDTH = 0.001;
/** Draws of five points at random, to compare the five highest with. */
const RANDOM_FIVES = 10;

/** Where a search without polish stops, by how the objective is reduced: part by which it is above the minimum. */
async function stopsAbove(runs: Columns, fit: FitResult, reduction: 'sum' | 'mean'): Promise<FitResult> {
  const grid = (chinchilla.grid?.() ?? []).filter((_, i) => i % EVERY_START === 0);
  const starts = grid.map((theta) => toPublic(chinchilla, theta));
  const stopped = await fitLaw('chinchilla', runs, { starts, reduction, polish: false });
  const total = reduction === 'mean' ? stopped.objective * fit.points : stopped.objective;
  return { ...stopped, objective: total / fit.objective - 1 };
}

async function earlyStop(
  runs: Columns,
  fit: FitResult,
): Promise<{ measurements: Measurement[]; mean: FitResult }> {
  const mean = await stopsAbove(runs, fit, 'mean');
  const sum = await stopsAbove(runs, fit, 'sum');
  return {
    mean,
    measurements: [
      { arm: 'excess of the mean', value: mean.objective },
      { arm: 'excess of the sum', value: sum.objective },
      { arm: 'the mean reports convergence', value: mean.converged ? 1 : 0 },
    ],
  };
}

/** Mean size of the change of beta when five random points are left out. */
async function randomFives(setup: Setup, all: FitResult): Promise<number> {
  const columns = chinchillaPoints(setup);
  let sum = 0;
  for (let draw = 0; draw < RANDOM_FIVES; draw++) {
    const order = new Random('five points').split(draw).permutation(columns.loss.length);
    const kept = Array.from(order.subarray(DROPPED)).sort((a, b) => a - b);
    const rest = Object.fromEntries(
      Object.entries(columns).map(([name, values]) => [name, Float64Array.from(kept, (i) => values[i])]),
    );
    const fit = await fitPoints(rest, { bootstrap: 0 });
    sum += Math.abs(fit.raw.beta - all.raw.beta);
  }
  return sum / RANDOM_FIVES;
}

const meanOf = (values: Float64Array): number => values.reduce((sum, v) => sum + v, 0) / values.length;

/** Mean residuals of rounded and unrounded constants: the bias that rounding brings. */
function rounding(runs: Columns, fit: FitResult): Measurement[] {
  const bias = (name: string): number => meanOf(residualsOf(runs, publishedConstants(name)));
  const size = (name: string): number =>
    computeOptimal(publishedConstants(name) as unknown as ChinchillaConstants, GOPHER_FLOP).n;
  return [
    {
      arm: 'bias by rounding over noise',
      value: (bias('paper') - bias('tex')) / fit.residual.medianAbsolute,
    },
    { arm: 'size by rounded over unrounded constants', value: size('paper') / size('tex') },
    {
      arm: 'bias of the re-fit over noise',
      value: meanOf(residualsOf(runs, fit.raw)) / fit.residual.medianAbsolute,
    },
  ];
}

/** The optimum at Gopher's budget with its interval. */
function budget(fit: FitResult): Measurement[] {
  const at = (key: 'n' | 'tokensPerParameter'): Measurement[] => {
    const found = quantityInterval(
      fit,
      (values) => computeOptimal(values as unknown as ChinchillaConstants, GOPHER_FLOP)[key],
      0.95,
    );
    const arm = key === 'n' ? 'optimal size' : 'tokens a parameter';
    return interval(arm, found.estimate, found.low, found.high);
  };
  return [...at('n'), ...at('tokensPerParameter')];
}

async function analyse(setup: Setup): Promise<Reanalysed> {
  const runs = keptPoints(setup);
  const fit = await fitPoints(runs);
  const half = await fitPoints(randomHalf(runs, 1), { bootstrap: 0 });
  const quiet = await fitPoints(plantedRuns(fit, fit.raw, 0.01), { bootstrap: CONTROL_RESAMPLES });
  const all = await fitPoints(chinchillaPoints(setup), { bootstrap: 0 });
  const stopped = await earlyStop(runs, fit);
  const a = quantityInterval(fit, exponentA, 0.95);
  const objective = { arm: 'objective', value: fit.objective };
  const needed = (width: number): number => fit.points * (width / PUBLISHED_WIDTH) ** 2;
  const { E, alpha, beta } = fit.raw;
  const measured: Record<string, Measurement[]> = {
    estimates: [
      { arm: 'E', value: E },
      { arm: 'alpha', value: alpha },
      { arm: 'beta', value: beta },
    ],
    'poor-fit': [
      { arm: 'misfit of the published parameters', value: misfit(fit, publishedConstants('tex')) },
      { arm: "misfit of the replication's parameters", value: misfit(fit, publishedConstants('epoch')) },
      { arm: 'misfit of parameters from half of the runs', value: misfit(fit, half.raw) },
    ],
    'narrow-intervals': [
      { arm: 'runs needed', value: needed(widthOfA(fit)) },
      { arm: 'runs needed with a hundredth of the noise', value: needed(widthOfA(quiet)) },
    ],
    'compatible-exponent': interval('exponent a', a.estimate, a.low, a.high),
    'early-stop': stopped.measurements,
    rounding: rounding(runs, fit),
    'five-points': [
      { arm: 'change of beta by five points', value: all.raw.beta - beta },
      { arm: 'change of beta by random points', value: await randomFives(setup, all) },
    ],
    budget: budget(fit),
  };
  return {
    measurements: Object.fromEntries(
      Object.entries(measured).map(([name, own]) => [`chinchilla-replication/${name}`, [...own, objective]]),
    ),
    config: {
      fit: fitSummary(fit),
      all: fitSummary(all),
      mean: { parameters: stopped.mean.raw, converged: stopped.mean.converged },
    },
  };
}

export const refit = reanalysis({
  id: 'refit',
  about: 'approach 3 again on 240 points, and what five points, the loss scale and rounding do',
  claims: [
    'estimates',
    'poor-fit',
    'narrow-intervals',
    'compatible-exponent',
    'early-stop',
    'rounding',
    'five-points',
    'budget',
  ].map((name) => `chinchilla-replication/${name}`),
  datasets: [POINTS],
  seconds: 9,
  analyse,
});
