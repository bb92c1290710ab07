/** The 104 models of Gadre et al. 2024 and what laws fitted to some of them say. */
import { exp, log, pow } from '../../core/math.js';
import { median, type Interval } from '../../core/statistics.js';
import {
  chinchilla,
  fitLaw,
  lawOf,
  predictLaw,
  type Columns,
  type FitResult,
} from '../../families/scaling-laws/index.js';
import { percentileInterval } from '../../families/scaling-laws/intervals.js';
import { toPublic } from '../../families/scaling-laws/law.js';
import { numberColumn, parseCsv } from '../../tasks/csv.js';
import type { Measurement } from '../ledger/types.js';
import type { Setup } from '../paper.js';
import { fitSummary, interval, reanalysis, type Reanalysed } from '../reanalysis.js';
import { dataText } from '../setup.js';

export const GRID = 'overtraining-grid';

/** Training data by the names of the table and for people. */
const CORPORA = { c4_original: 'C4', rpj: 'RedPajama', rw_original: 'RefinedWeb' } as const;
/** Tokens a parameter that the table calls one. */
const CHINCHILLA = 20;
/** Where the exponents of two token multipliers are compared. */
const COMPARED = { compute: 1e20, low: 20, high: 640 };
const RESAMPLES = 1000;

/** One model of the table. */
interface Model {
  corpus: string;
  n: number;
  d: number;
  /** Tokens a parameter in units of 20. */
  multiple: number;
  /** On the C4 validation set. */
  loss: number;
}

export function gridModels(setup: Setup): Model[] {
  const table = parseCsv(dataText(setup, GRID));
  const column = (name: string): Float64Array => numberColumn(table, name);
  const [n, d, loss] = [column('params'), column('tokens'), column('loss_c4_val')];
  const multiple = column('chinchilla_multiplier');
  const at = table.header.indexOf('train_data');
  return table.rows.map((row, i) => ({
    corpus: CORPORA[row[at] as keyof typeof CORPORA] ?? row[at],
    n: n[i],
    d: d[i],
    multiple: multiple[i],
    loss: loss[i],
  }));
}

const columnsOf = (models: readonly Model[]): Columns => ({
  n: models.map(({ n }) => n),
  d: models.map(({ d }) => d),
  loss: models.map(({ loss }) => loss),
});

/** The five small models that the paper fits for its predictions (table 1). */
const isFitted = ({ n, multiple }: Model): boolean =>
  (n < 5e8 && multiple === 1) || (n < 2e7 && multiple === 16);
const isLarge = ({ n }: Model): boolean => n > 1e9;

const nameOf = ({ n, d }: Model): string =>
  `${(n / 1e9).toFixed(1)}B parameters, ${Math.round(d / 1e9)}B tokens`;

/** Relative errors at the large models of a law fitted to small ones, in size. */
async function extrapolate(models: readonly Model[], law: string): Promise<[Model, number][]> {
  // The law of compute in PF-days, as its paper has it.
  const unit = law === 'kaplan-c' ? 8.64e19 : 1;
  const place = ({ n, d }: Model) => ({ c: (6 * n * d) / unit, m: d / n, n, d });
  const five = models.filter(isFitted);
  const columns = {
    c: five.map((model) => place(model).c),
    m: five.map((model) => place(model).m),
    loss: five.map(({ loss }) => loss),
  };
  const fit = await fitLaw(law, columns);
  return models
    .filter(isLarge)
    .map((model) => [model, Math.abs(predictLaw(lawOf(law), fit.raw, place(model)) / model.loss - 1)]);
}

async function prediction(models: readonly Model[]): Promise<Measurement[]> {
  const own = models.filter(({ corpus }) => corpus === 'RedPajama');
  const measured: Measurement[] = [];
  const forms = [
    ['over-training', 'error'],
    ['power-offset-c', 'error of compute alone'],
    ['kaplan-c', 'error without a floor'],
  ] as const;
  for (const [law, what] of forms)
    for (const [model, error] of await extrapolate(own, law))
      measured.push({ arm: `${what} at ${nameOf(model)}`, value: error });
  for (const corpus of ['C4', 'RefinedWeb']) {
    const others = models.filter((model) => model.corpus === corpus);
    for (const [model, error] of await extrapolate(others, 'over-training'))
      measured.push({ arm: `error on ${corpus} at ${nameOf(model)}`, value: error });
  }
  return measured;
}

/**
 * Exponent of compute at a fixed number of tokens a parameter m, -d ln(L - E) / d ln C, for L = E + A N^-alpha +
 * B D^-beta: N and D both grow as the root of C. It does not depend on m where alpha = beta.
 */
function localExponent(values: Readonly<Record<string, number>>, c: number, m: number): number {
  const [n, d] = [Math.sqrt(c / (6 * m)), Math.sqrt((c * m) / 6)];
  const [size, data] = [values.A * pow(n, -values.alpha), values.B * pow(d, -values.beta)];
  return (values.alpha * size + values.beta * data) / (2 * (size + data));
}

/** Exponent at 640 tokens a parameter over that at 20. */
function exponentRatio(values: Readonly<Record<string, number>>): number {
  const { compute, low, high } = COMPARED;
  return localExponent(values, compute, high) / localExponent(values, compute, low);
}

function ratioInterval(fit: FitResult): Interval {
  const draws = Float64Array.from(fit.draws, (theta) => exponentRatio(toPublic(chinchilla, theta)));
  return percentileInterval(draws, exponentRatio(fit.raw), 0.95);
}

/** The runs of a fit with losses of a law whose exponents differ by a factor of five, and its residuals. */
function planted(fit: FitResult): Columns {
  const { points, response } = fit.data;
  const middle = (name: 'n' | 'd'): number => exp(median(points.map((point) => log(point[name]))));
  const other = { alpha: 0.1, beta: 0.5 };
  const truth = {
    ...fit.raw,
    ...other,
    A: fit.raw.A * pow(middle('n'), other.alpha - fit.raw.alpha),
    B: fit.raw.B * pow(middle('d'), other.beta - fit.raw.beta),
  };
  const loss = points.map(
    (point, i) =>
      (predictLaw(chinchilla, truth, point) * response[i]) / predictLaw(chinchilla, fit.raw, point),
  );
  return { n: points.map(({ n }) => n), d: points.map(({ d }) => d), loss };
}

async function exponents(
  models: readonly Model[],
): Promise<{ measurements: Measurement[]; fits: FitResult[] }> {
  const measurements: Measurement[] = [];
  const fits: FitResult[] = [];
  const options = { bootstrap: RESAMPLES, confidence: 0.95 };
  for (const corpus of Object.values(CORPORA)) {
    const own = models.filter((model) => model.corpus === corpus && model.multiple >= 1);
    const fit = await fitLaw('chinchilla', columnsOf(own), options);
    const ratio = ratioInterval(fit);
    measurements.push(...interval(`ratio of exponents on ${corpus}`, ratio.estimate, ratio.low, ratio.high));
    fits.push(fit);
  }
  const unlike = ratioInterval(await fitLaw('chinchilla', planted(fits[1]), { ...options, bootstrap: 200 }));
  measurements.push(...interval('planted ratio', unlike.estimate, unlike.low, unlike.high));
  return { measurements, fits };
}

async function analyse(setup: Setup): Promise<Reanalysed> {
  const models = gridModels(setup);
  const { measurements, fits } = await exponents(models);
  return {
    measurements: {
      'over-training/constant-exponent': measurements,
      'over-training/extrapolation': await prediction(models),
    },
    config: { models: models.length, chinchillaMultiplier: CHINCHILLA, fits: fits.map(fitSummary) },
  };
}

export const grid = reanalysis({
  id: 'grid',
  about: 'laws of loss by compute and over-training on the 104 published models',
  claims: ['over-training/constant-exponent', 'over-training/extrapolation'],
  datasets: [GRID],
  seconds: 2,
  analyse,
});
