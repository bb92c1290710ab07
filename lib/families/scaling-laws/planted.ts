/** Do the intervals keep their word? Planted laws with known parameters, the design and the noise of given runs. */
import { ArgumentError, show } from '../../core/errors.js';
import { isConverged } from '../../core/optimize/index.js';
import { checkRuns, type Columns } from './data.js';
import { runJobs, type FitOptions } from './fit.js';
import { percentileInterval } from './intervals.js';
import type { FitJob, NoiseKind, PlantedTrial } from './job.js';
import { lawOf, toInternal, toPublic, type Law } from './law.js';
import { DEFAULT_SETTINGS } from './objective.js';

export interface PlantedOptions extends Pick<
  FitOptions,
  'delta' | 'confidence' | 'seed' | 'executor' | 'signal' | 'onProgress'
> {
  /** Public values that the trials must find again. */
  truth: Readonly<Record<string, number>>;
  /** ln prediction - ln response of real runs, one for each point of the design. */
  residuals: ArrayLike<number>;
  /** `shuffled`: any residual at any point; `own-sign`: each point keeps its own with a random sign. */
  noise?: NoiseKind;
  /** Default 200. */
  trials?: number;
  /** Resamples of each trial; default 200. */
  resamples?: number;
}

/** How often intervals held the truth. */
export interface Coverage {
  law: string;
  trials: number;
  /** Trials whose fit converged; the others count as misses. */
  converged: number;
  resamples: number;
  confidence: number;
  noise: NoiseKind;
  seed: number | string;
  quantities: Record<string, CoverageOf>;
}

export interface CoverageOf {
  truth: number;
  /** Part of the trials whose interval holds the truth. */
  covered: number;
  below: number;
  above: number;
  /** Median of estimates and of widths. */
  medianEstimate: number;
  medianWidth: number;
}

/** Trials with the design of `columns`; the same for any number of workers. */
export async function plantedCoverage(
  which: Law | string,
  columns: Columns,
  options: PlantedOptions,
): Promise<Coverage> {
  const law = typeof which === 'string' ? lawOf(which) : which;
  const { trials = 200, resamples = 200, confidence = 0.9, seed = 0, noise = 'shuffled' } = options;
  const data = checkRuns(law, columns);
  if (options.residuals.length !== data.response.length)
    throw new ArgumentError(
      `plantedCoverage: residuals must have one value a run (${data.response.length}), got ${options.residuals.length}`,
    );
  if (!(Number.isInteger(trials) && trials >= 1 && Number.isInteger(resamples) && resamples >= 20))
    throw new ArgumentError(
      `plantedCoverage: trials must be >= 1 and resamples >= 20, got ${show([trials, resamples])}`,
    );
  const center = toInternal(law, options.truth);
  const jobs = Array.from({ length: trials }, (_, from): FitJob => ({
    problem: {
      law: law.id,
      rows: data.rows,
      response: data.response,
      settings: { ...DEFAULT_SETTINGS, ...(options.delta ? { delta: options.delta } : {}) },
    },
    task: {
      kind: 'planted',
      seed,
      from,
      to: from + 1,
      center,
      residuals: Float64Array.from(options.residuals),
      noise,
      resamples,
    },
  }));
  const results = await runJobs(
    jobs,
    jobs.map(() => 1),
    'planted',
    options,
  );
  const done = results.flatMap((result) => result.trials);
  return {
    law: law.id,
    trials,
    converged: done.filter(({ fit }) => isConverged(fit.stopReason)).length,
    resamples,
    confidence,
    noise,
    seed,
    quantities: coverageOf(law, options.truth, done, confidence),
  };
}

function coverageOf(
  law: Law,
  truth: Readonly<Record<string, number>>,
  trials: readonly PlantedTrial[],
  confidence: number,
): Record<string, CoverageOf> {
  const valuesOf = (theta: ArrayLike<number>): Record<string, number> => {
    const values = toPublic(law, theta);
    return { ...values, ...law.derived?.(values) };
  };
  const names = Object.keys({ ...truth, ...law.derived?.(truth) });
  const wanted: Record<string, number> = { ...truth, ...law.derived?.(truth) };
  const rows = trials.map(({ fit, draws }) => ({
    ok: isConverged(fit.stopReason),
    estimate: valuesOf(fit.theta),
    draws: draws.map(valuesOf),
  }));
  return Object.fromEntries(
    names.map((name) => {
      const intervals = rows.map(({ ok, estimate, draws }) =>
        ok
          ? percentileInterval(
              Float64Array.from(draws, (d) => d[name]),
              estimate[name],
              confidence,
            )
          : undefined,
      );
      const part = (test: (low: number, high: number) => boolean): number =>
        intervals.filter((i) => i && test(i.low, i.high)).length / trials.length;
      const middle = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];
      const known = intervals.flatMap((i) => (i ? [i] : []));
      return [
        name,
        {
          truth: wanted[name],
          covered: part((low, high) => low <= wanted[name] && wanted[name] <= high),
          below: part((_, high) => high < wanted[name]),
          above: part((low) => low > wanted[name]),
          medianEstimate: middle(known.map((i) => i.estimate)),
          medianWidth: middle(known.map((i) => i.high - i.low)),
        },
      ];
    }),
  );
}
