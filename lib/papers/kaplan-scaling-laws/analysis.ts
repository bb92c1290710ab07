/** What the grid says: floor, band at the hidden run, and what counting embeddings does. */
import { FitError } from '../../core/errors.js';
import { quantile } from '../../core/statistics.js';
import {
  fitLaw,
  lawOf,
  predictWithBands,
  type Columns,
  type FitResult,
} from '../../families/scaling-laws/index.js';
import { toPublic } from '../../families/scaling-laws/law.js';
import { entropyRate } from '../../tasks/entropy-source.js';
import type { Measurement } from '../ledger/types.js';
import type { Plain } from '../paper.js';
import { fitSummary, interval } from '../reanalysis.js';
import type { GridPlan } from './plan.js';
import type { GridResult } from './training.js';

const RESAMPLES = 1000;
const CONFIDENCE = 0.95;
/** Corner of Huber's loss: single runs scatter by about 5 %, so the default of 1e-3 would count signs only. */
const DELTA = 0.05;

/** Everything the criteria need. */
export interface GridFindings {
  measurements: { [claim: string]: Measurement[] };
  config: { [name: string]: Plain };
}

/** Losses as measurements of every training; one that diverged has none. */
function losses(trained: readonly GridResult[]): Measurement[] {
  return trained.map(({ width, bytes, seed, loss }) => ({
    arm: `loss of width ${width}`,
    at: bytes,
    seed,
    value: loss ?? Infinity,
  }));
}

/** Where a value lies in an interval: 0 at its low end, 1 at its high end. */
const placeIn = (value: number, low: number, high: number): number => (value - low) / (high - low);

function columnsOf(trained: readonly GridResult[], n: (result: GridResult) => number): Columns {
  return {
    n: trained.map(n),
    d: trained.map(({ bytes }) => bytes),
    loss: trained.map(({ loss }) => loss ?? NaN),
  };
}

/** A fit, or the reason why there is none. */
async function tryFit(law: string, columns: Columns): Promise<FitResult | string> {
  try {
    return await fitLaw(law, columns, { bootstrap: RESAMPLES, confidence: CONFIDENCE, delta: DELTA });
  } catch (error) {
    if (error instanceof FitError) return error.message;
    throw error;
  }
}

const summaryOf = (fit: FitResult | string): Plain => (typeof fit === 'string' ? fit : fitSummary(fit));

/** Exact entropy rate of the source against the interval of E. */
function floorMeasurements(fit: FitResult | string): Measurement[] {
  const entropy = entropyRate().bitsPerByte;
  const { low, high } = typeof fit === 'string' ? { low: null, high: null } : fit.intervals['E'];
  const [from, to] = [low ?? NaN, high ?? NaN];
  const estimate = typeof fit === 'string' ? NaN : (fit.parameters['E'] ?? NaN);
  return [
    { arm: 'place of the entropy in the interval of E', value: placeIn(entropy, from, to) },
    { arm: 'width of the interval of E', value: to - from },
    { arm: 'entropy', value: entropy },
    ...interval('E', estimate, from, to),
  ];
}

/** Hidden runs against the band of single runs at their place. */
function hiddenMeasurements(
  fit: FitResult | string,
  grid: readonly GridResult[],
  hidden: readonly GridResult[],
): Measurement[] {
  const [first] = hidden;
  if (!first) return [];
  const known = typeof fit !== 'string' && fit.converged && fit.draws.length >= 20;
  const band = known
    ? predictWithBands(fit, [{ n: first.parameters, d: first.bytes }], { confidence: CONFIDENCE })[0]
    : undefined;
  const { low, high } = band?.run ?? { low: NaN, high: NaN };
  const values = hidden.map(({ loss }) => loss ?? Infinity);
  const best = Math.min(...grid.map(({ loss }) => loss ?? Infinity));
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const places = values.map((value) => placeIn(value, low, high));
  return [
    { arm: 'place of the hidden runs in the band', value: placeIn(mean, low, high) },
    { arm: 'place of the hidden runs in the band-low', value: Math.min(...places) },
    { arm: 'place of the hidden runs in the band-high', value: Math.max(...places) },
    { arm: 'place of the best run of the grid in the band', value: placeIn(best, low, high) },
    ...interval('predicted loss', band?.value ?? NaN, low, high),
  ];
}

/** Exponent of loss by size at the most data, with and without embeddings. */
async function embeddingMeasurements(grid: readonly GridResult[], plan: GridPlan): Promise<Measurement[]> {
  const most = grid.filter(({ bytes }) => bytes === Math.max(...grid.map((result) => result.bytes)));
  const without = await tryFit(
    'kaplan-n',
    columnsOf(most, ({ parameters }) => parameters),
  );
  const all = await tryFit(
    'kaplan-n',
    columnsOf(most, ({ total }) => total),
  );
  const bounds = (fit: FitResult | string): [number, number, number] => {
    if (typeof fit === 'string') return [NaN, NaN, NaN];
    const name = lawOf(fit.law).parameters.find(({ role }) => role === 'exponent')?.name ?? '';
    const draws = Float64Array.from(fit.draws, (theta) => toPublic(lawOf(fit.law), theta)[name]);
    return [fit.raw[name], quantile(draws, (1 - CONFIDENCE) / 2), quantile(draws, (1 + CONFIDENCE) / 2)];
  };
  const [alpha, low, high] = bounds(without);
  const [counted, countedLow, countedHigh] = bounds(all);
  const ends = [
    { arm: 'least size with over without embeddings', value: ratioAt(most, Math.min(...plan.widths)) },
    { arm: 'largest size with over without embeddings', value: ratioAt(most, Math.max(...plan.widths)) },
  ];
  return [
    { arm: 'shift of the exponent in half-widths', value: Math.abs(counted - alpha) / ((high - low) / 2) },
    ...interval('exponent without embeddings', alpha, low, high),
    ...interval('exponent with embeddings', counted, countedLow, countedHigh),
    ...ends,
  ];
}

function ratioAt(trained: readonly GridResult[], width: number): number {
  const found = trained.find((result) => result.width === width);
  return found ? found.total / found.parameters : NaN;
}

/** Fits the grid without the hidden runs and compares. */
export async function analyseGrid(trained: readonly GridResult[], plan: GridPlan): Promise<GridFindings> {
  const isHidden = ({ width }: GridResult): boolean => width === plan.hidden.width;
  const grid = trained.filter((result) => !isHidden(result));
  const hidden = trained.filter(isHidden);
  const fit = await tryFit(
    'chinchilla',
    columnsOf(grid, ({ parameters }) => parameters),
  );
  const shared = losses(trained);
  return {
    measurements: {
      'kaplan-scaling-laws/entropy': [...floorMeasurements(fit), ...shared],
      'kaplan-scaling-laws/prediction': [...hiddenMeasurements(fit, grid, hidden), ...shared],
      'kaplan-scaling-laws/embeddings': [...(await embeddingMeasurements(grid, plan)), ...shared],
    },
    config: { fit: summaryOf(fit) },
  };
}
