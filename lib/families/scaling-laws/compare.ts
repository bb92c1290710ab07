/** Forms compared where it matters: on runs that no form has seen. */
import { ArgumentError, FitError, show } from '../../core/errors.js';
import { log } from '../../core/math.js';
import { Random } from '../../core/random.js';
import { deriveColumns, type Columns } from './data.js';
import { fitLaw, type FitOptions } from './fit.js';
import { lawOf, prepareRows, type Law } from './law.js';
import { predictWithBands } from './predict.js';
import type { FitResult } from './result.js';

export interface HoldOutOptions extends FitOptions {
  /** Part of the runs that is held out, in (0, 1). */
  holdout: number;
  /** `largest`: the runs with the most compute (else the largest first input); `random`: any. Default `largest`. */
  which?: 'largest' | 'random';
}

/** How a form did on held-out runs. */
export interface HoldOut {
  law: string;
  parameters: number;
  trained: number;
  heldOut: number;
  which: 'largest' | 'random';
  /** Of ln prediction - ln response: root mean square, mean absolute, and mean (above zero: too pessimistic). */
  rms: number;
  meanAbsolute: number;
  bias: number;
  /** Mean absolute error in the response's own unit. */
  meanError: number;
  /** Part of the held-out runs inside of the band of single runs; null without resamples. */
  covered: number | null;
  confidence: number;
  /** The fit to the other runs. */
  fit: FitResult;
}

/** Rows in the order in which they are held out, the first to go first. */
function order(columns: Columns, length: number, key: string, options: HoldOutOptions): number[] {
  const all = Array.from({ length }, (_, i) => i);
  if (options.which === 'random') {
    const random = new Random(options.seed ?? 0).split('holdout');
    return Array.from(random.permutation(length));
  }
  const size = columns.c ?? columns[key];
  return all.sort((i, j) => size[j] - size[i] || j - i);
}

const rowsOf = (columns: Columns, rows: readonly number[]): Record<string, Float64Array> =>
  Object.fromEntries(
    Object.entries(columns).map(([name, values]) => [name, Float64Array.from(rows, (i) => values[i])]),
  );

/**
 * Fits a law without some runs and predicts them.
 *
 * @throws FitError when what is left cannot be fitted or nothing is held out
 */
export async function holdOut(law: Law | string, given: Columns, options: HoldOutOptions): Promise<HoldOut> {
  const form = typeof law === 'string' ? lawOf(law) : law;
  const { holdout, which = 'largest' } = options;
  if (!(holdout > 0 && holdout < 1))
    throw new ArgumentError(`holdOut: holdout must lie between 0 and 1, got ${show(holdout)}`);
  const columns = deriveColumns(given);
  const response = columns[form.response.name];
  if (!response) throw new FitError(`holdOut: column ${form.response.name} must be given`);
  const count = Math.max(1, Math.round(holdout * response.length));
  const ranked = order(columns, response.length, form.inputs[0].name, { ...options, which });
  const ascending = (rows: number[]): number[] => rows.sort((i, j) => i - j);
  const held = rowsOf(columns, ascending(ranked.slice(0, count)));
  const fit = await fitLaw(form, rowsOf(columns, ascending(ranked.slice(count))), options);
  return { ...judgeOn(form, fit, held), which };
}

function judgeOn(law: Law, fit: FitResult, held: Columns): Omit<HoldOut, 'which'> {
  const points = Array.from(held[law.response.name], (_, i) =>
    Object.fromEntries(law.inputs.map(({ name }) => [name, held[name][i]])),
  );
  const rows = prepareRows(law, points);
  const truth = held[law.response.name];
  const errors = points.map((_, i) => law.logPredict(fit.theta, rows, i * law.width) - log(truth[i]));
  const mean = (f: (e: number, i: number) => number): number =>
    errors.reduce((sum, e, i) => sum + f(e, i), 0) / errors.length;
  const bands = fit.draws.length >= 20 && fit.converged ? predictWithBands(fit, points) : undefined;
  return {
    law: law.id,
    parameters: law.parameters.length,
    trained: fit.points,
    heldOut: errors.length,
    rms: Math.sqrt(mean((e) => e * e)),
    meanAbsolute: mean(Math.abs),
    bias: mean((e) => e),
    meanError: mean((e, i) => Math.abs(Math.expm1(e)) * truth[i]),
    covered: bands
      ? mean((_, i) => (truth[i] >= bands[i].run.low && truth[i] <= bands[i].run.high ? 1 : 0))
      : null,
    confidence: fit.confidence,
    fit,
  };
}

/** A form that could not be fitted. */
export interface FailedForm {
  law: string;
  error: string;
}

/** Several forms on the same held-out runs, the best first; forms that cannot be fitted say why. */
export async function compareForms(
  forms: readonly (Law | string)[],
  columns: Columns,
  options: HoldOutOptions,
): Promise<{ forms: HoldOut[]; failed: FailedForm[] }> {
  const done: HoldOut[] = [];
  const failed: FailedForm[] = [];
  for (const form of forms) {
    try {
      done.push(await holdOut(form, columns, options));
    } catch (error) {
      if (!(error instanceof FitError)) throw error;
      failed.push({ law: typeof form === 'string' ? form : form.id, error: error.message });
    }
  }
  return { forms: done.sort((a, b) => a.rms - b.rms), failed };
}
