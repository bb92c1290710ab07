/** Fitting a law: many starts, a polished optimum, intervals by the bootstrap, and flags that say what not to trust. */
import { stopSignal } from '../../core/ambient-signal.js';
import { ArgumentError, CancelledError, FitError, show } from '../../core/errors.js';
import { checkRuns, type Columns, type FitData } from './data.js';
import {
  COARSE,
  polish,
  runFitJob,
  type FitJob,
  type FitJobResult,
  type FitPiece,
  type StartOptions,
} from './job.js';
import { lawOf, toInternal, type Law } from './law.js';
import { DEFAULT_SETTINGS, fitObjective, type FitObjective, type ObjectiveSettings } from './objective.js';
import { resultOf, type FitResult } from './result.js';

/** Progress of a long fit. */
export interface FitProgress {
  stage: 'starts' | 'bootstrap' | 'planted';
  done: number;
  total: number;
}

/** Does jobs, in any order and anywhere, and returns their results in the order given. */
export type FitExecutor = (
  jobs: readonly FitJob[],
  hooks: { signal?: AbortSignal; onDone?: (index: number) => void },
) => Promise<FitJobResult[]>;

export interface FitOptions {
  /** `default`: the law's own few starts; `grid`: its published grid; or public parameter values to start from. */
  starts?: 'default' | 'grid' | readonly Readonly<Record<string, number>>[];
  /** Huber's corner in log loss; default 1e-3. */
  delta?: number;
  /** Default 'sum'. 'mean' changes nothing but what the stopping tolerances of the first stage mean. */
  reduction?: 'sum' | 'mean';
  /** Parameters held at public values. */
  fixed?: Readonly<Record<string, number>>;
  /** Parameters held equal to another, e.g. { beta: 'alpha' }. */
  equal?: Readonly<Record<string, string>>;
  /** Resamples of the bootstrap; default 0: none. */
  bootstrap?: number;
  /** Of the intervals; default 0.9. */
  confidence?: number;
  /** Seed of resampling; default 0. */
  seed?: number | string;
  /** First-stage tolerances; default: those of SciPy's L-BFGS-B. */
  tolerances?: StartOptions;
  /** Default true: the best start is polished to rounding. False shows where the first stage stopped. */
  polish?: boolean;
  executor?: FitExecutor;
  signal?: AbortSignal;
  onProgress?: (progress: FitProgress) => void;
}

const STARTS_A_JOB = 50;
const RESAMPLES_A_JOB = 25;

/** Runs jobs one after the other in this thread; between jobs the page can breathe and cancel. */
export const inThisThread: FitExecutor = async (jobs, { signal, onDone }) => {
  const results: FitJobResult[] = [];
  for (const [index, job] of jobs.entries()) {
    if (signal?.aborted) throw new CancelledError('fitLaw: cancelled');
    results.push(runFitJob(job));
    onDone?.(index);
    if (jobs.length > 1) await new Promise((resolve) => setTimeout(resolve));
  }
  return results;
};

function settingsOf(options: FitOptions): ObjectiveSettings {
  const { delta, reduction, fixed, equal } = { ...DEFAULT_SETTINGS, ...options };
  return { delta, reduction, fixed, equal };
}

function startsOf(law: Law, data: FitData, options: FitOptions): Float64Array[] {
  const { starts = 'default' } = options;
  if (starts === 'default') return law.starts(data.rows, data.response);
  if (starts !== 'grid') return starts.map((values) => toInternal(law, values));
  if (!law.grid)
    throw new ArgumentError(`fitLaw: starts must be 'default' for ${law.id}, which has no grid, got 'grid'`);
  return law.grid();
}

const chunks = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, i) => all.slice(i * size, (i + 1) * size));

/** Runs jobs with progress counted in pieces. */
export async function runJobs(
  jobs: readonly FitJob[],
  counts: readonly number[],
  stage: FitProgress['stage'],
  options: Pick<FitOptions, 'executor' | 'signal' | 'onProgress'>,
): Promise<FitJobResult[]> {
  const { executor = inThisThread, onProgress } = options;
  const signal = stopSignal(options.signal);
  const total = counts.reduce((sum, v) => sum + v, 0);
  let done = 0;
  if (signal?.aborted) throw new CancelledError('fitLaw: cancelled');
  const results = await executor(jobs, {
    ...(signal ? { signal } : {}),
    onDone: (index) => {
      done += counts[index];
      onProgress?.({ stage, done, total });
    },
  });
  if (signal?.aborted) throw new CancelledError('fitLaw: cancelled');
  return results;
}

/**
 * Fits a law to runs: least sum of Huber losses of ln prediction - ln response (chinchilla, appendix D.3).
 *
 * The same inputs give the same bits for any executor and number of workers. Parameters that the data cannot identify
 * come back as null with a flag; so do all when nothing converged.
 *
 * @param columns named columns in the law's units; d, n, c and m are made from the others where they follow
 * @throws FitError for runs that cannot be fitted, CancelledError when `signal` aborts
 */
export async function fitLaw(
  which: Law | string,
  columns: Columns,
  options: FitOptions = {},
): Promise<FitResult> {
  const law = typeof which === 'string' ? lawOf(which) : which;
  const { confidence = 0.9, bootstrap = 0, seed = 0 } = options;
  if (!(confidence > 0 && confidence < 1))
    throw new ArgumentError(`fitLaw: confidence must lie between 0 and 1, got ${show(confidence)}`);
  if (!(Number.isInteger(bootstrap) && bootstrap >= 0 && bootstrap !== 1))
    throw new ArgumentError(`fitLaw: bootstrap must be 0 or an integer >= 2, got ${show(bootstrap)}`);
  const data = checkRuns(law, columns);
  const settings = settingsOf(options);
  const shared = { law: law.id, rows: data.rows, response: data.response, settings };
  const problem = fitObjective(law, data.rows, data.response, settings);
  const starts = await firstStage(law, data, shared, options);
  const fit = bestOf(law, problem, starts, options);
  const resampled = bootstrap > 0 ? await resample(shared, fit.theta, bootstrap, options) : [];
  return resultOf({ law, data, problem, settings, starts, fit, resampled, confidence, seed });
}

async function firstStage(
  law: Law,
  data: FitData,
  problem: FitJob['problem'],
  options: FitOptions,
): Promise<FitPiece[]> {
  const starts = startsOf(law, data, options);
  if (starts.length === 0)
    throw new FitError(`fitLaw: ${law.id}: runs must give a finite start, got none; check the columns`);
  const parts = chunks(starts, STARTS_A_JOB);
  const jobs = parts.map((part): FitJob => ({
    problem,
    task: { kind: 'starts', starts: part, options: { ...COARSE, ...options.tolerances } },
  }));
  const sizes = parts.map((part) => part.length);
  return (await runJobs(jobs, sizes, 'starts', options)).flatMap(({ pieces }) => pieces);
}

/** The lowest start, polished; the second-best basin is polished too when it came close. */
function bestOf(law: Law, problem: FitObjective, pieces: readonly FitPiece[], options: FitOptions): FitPiece {
  const finite = pieces
    .filter(({ objective }) => Number.isFinite(objective))
    .sort((a, b) => a.objective - b.objective);
  if (finite.length === 0)
    throw new FitError(
      `fitLaw: ${law.id}: some start must give a finite objective, got none of ${pieces.length}`,
    );
  if (options.polish === false) return finite[0];
  const close = finite.filter(({ objective }) => objective <= 1.01 * finite[0].objective).slice(0, 3);
  const polished = close.map((start): FitPiece => {
    const minimum = polish(problem, problem.reduce(start.theta));
    const { x, ...rest } = minimum;
    return {
      theta: problem.expand(x),
      ...rest,
      iterations: start.iterations + rest.iterations,
      evaluations: start.evaluations + rest.evaluations,
    };
  });
  return polished.reduce((best, next) => (next.objective < best.objective ? next : best));
}

async function resample(
  problem: FitJob['problem'],
  center: Float64Array,
  count: number,
  options: FitOptions,
): Promise<FitPiece[]> {
  const starts = chunks(
    Array.from({ length: count }, (_, i) => i),
    RESAMPLES_A_JOB,
  );
  const jobs = starts.map((part): FitJob => ({
    problem,
    task: {
      kind: 'resamples',
      seed: options.seed ?? 0,
      from: part[0],
      to: part[0] + part.length,
      center,
    },
  }));
  const sizes = starts.map((part) => part.length);
  return (await runJobs(jobs, sizes, 'bootstrap', options)).flatMap(({ pieces }) => pieces);
}
