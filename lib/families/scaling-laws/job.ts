/** A piece of a fit as plain data and one pure function that does it: the same numbers on any thread. */
import { exp } from '../../core/math.js';
import {
  isConverged,
  lowest,
  minimizeLbfgs,
  type LbfgsOptions,
  type Minimum,
  type StopReason,
} from '../../core/optimize/index.js';
import { Random } from '../../core/random.js';
import { lawOf, type Law } from './law.js';
import { fitObjective, whiten, type FitObjective, type ObjectiveSettings } from './objective.js';

/** What every job of a fit shares. */
export interface FitProblem {
  law: string;
  rows: Float64Array;
  response: Float64Array;
  settings: ObjectiveSettings;
}

/** Tolerances of the first stage; plain data. */
export type StartOptions = Omit<LbfgsOptions, 'shouldStop'>;

export type FitTask =
  /** L-BFGS from each start (full internal parameters). */
  | { kind: 'starts'; starts: Float64Array[]; options: StartOptions }
  /** Bootstrap resamples `from` to `to` - 1, each fitted from `center`. */
  | { kind: 'resamples'; seed: number | string; from: number; to: number; center: Float64Array }
  /** Planted trials: the law of `center` with drawn residuals, fitted and bootstrapped. */
  | {
      kind: 'planted';
      seed: number | string;
      from: number;
      to: number;
      center: Float64Array;
      residuals: Float64Array;
      noise: NoiseKind;
      resamples: number;
    };

/** How planted noise is drawn: any residual for any point, or each point's own with a random sign. */
export type NoiseKind = 'shuffled' | 'own-sign';

export interface FitJob {
  problem: FitProblem;
  task: FitTask;
}

/** Result of one start or resample. */
export interface FitPiece {
  /** All internal parameters. */
  theta: Float64Array;
  objective: number;
  gradientNorm: number;
  iterations: number;
  evaluations: number;
  stopReason: StopReason;
}

/** A planted trial: its fit and the internal parameters of its resamples. */
export interface PlantedTrial {
  fit: FitPiece;
  draws: Float64Array[];
}

export interface FitJobResult {
  pieces: FitPiece[];
  trials: PlantedTrial[];
}

/** Does a job. `shouldStop` ends it early; what is finished is returned. */
export function runFitJob(job: FitJob, shouldStop?: () => boolean): FitJobResult {
  const law = lawOf(job.problem.law);
  const { task } = job;
  if (task.kind === 'starts') return { pieces: startPieces(law, job.problem, task, shouldStop), trials: [] };
  if (task.kind === 'resamples')
    return { pieces: resamplePieces(law, job.problem, task, shouldStop), trials: [] };
  const trials: PlantedTrial[] = [];
  for (let t = task.from; t < task.to && !shouldStop?.(); t++)
    trials.push(plantedTrial(law, job.problem, task, t));
  return { pieces: [], trials };
}

function piece(problem: FitObjective, minimum: Minimum): FitPiece {
  const { x, ...rest } = minimum;
  return { theta: problem.expand(x), ...rest };
}

function startPieces(
  law: Law,
  { rows, response, settings }: FitProblem,
  task: Extract<FitTask, { kind: 'starts' }>,
  shouldStop?: () => boolean,
): FitPiece[] {
  const problem = fitObjective(law, rows, response, settings);
  const pieces: FitPiece[] = [];
  for (const start of task.starts) {
    if (shouldStop?.()) break;
    pieces.push(piece(problem, minimizeLbfgs(problem.objective, problem.reduce(start), task.options)));
  }
  return pieces;
}

function resamplePieces(
  law: Law,
  problem: FitProblem,
  task: Extract<FitTask, { kind: 'resamples' }>,
  shouldStop?: () => boolean,
): FitPiece[] {
  const pieces: FitPiece[] = [];
  const random = new Random(task.seed).split('bootstrap');
  for (let r = task.from; r < task.to && !shouldStop?.(); r++)
    pieces.push(resampled(law, problem, task.center, random.split(r)));
  return pieces;
}

/** One resample of points with replacement, fitted from a center. */
function resampled(law: Law, problem: FitProblem, center: Float64Array, random: Random): FitPiece {
  const n = problem.response.length;
  const counts = new Float64Array(n);
  for (let i = 0; i < n; i++) counts[random.int(n)]++;
  const drawn = fitObjective(law, problem.rows, problem.response, problem.settings, counts);
  return piece(drawn, polish(drawn, drawn.reduce(center), { rounds: 3, tolerance: 1e-9 }));
}

/** Options of `polish`. */
export interface PolishOptions {
  /** New whitenings at most; default 12. */
  rounds?: number;
  /** Relative decrease of the objective below which a round counts as converged; default 1e-12. */
  tolerance?: number;
  shouldStop?: () => boolean;
}

/**
 * L-BFGS in whitened variables, whitened anew from where it ended until a round brings nothing. Converged when the last
 * round ended by a tolerance, or could not go down although its whitened gradient is at rounding level.
 */
export function polish(problem: FitObjective, start: Float64Array, options: PolishOptions = {}): Minimum {
  const { rounds = 12, tolerance = 1e-12, shouldStop } = options;
  const gradient = new Float64Array(start.length);
  let best: Minimum = {
    x: start,
    objective: problem.objective(start, gradient),
    gradientNorm: Math.max(...gradient.map(Math.abs)),
    iterations: 0,
    evaluations: 1,
    stopReason: 'iteration-limit',
  };
  if (!Number.isFinite(best.objective)) return { ...best, stopReason: 'not-finite' };
  let [iterations, evaluations] = [0, 1];
  for (let round = 0; round < rounds; round++) {
    const scale = Math.max(best.objective, problem.exact);
    const white = whiten(problem.objective, best.x, problem.curvature(best.x), scale);
    const found = minimizeLbfgs(white.objective, new Float64Array(start.length), {
      firstStep: 1,
      maxIterations: 400,
      gradientTolerance: Math.min(1e-7, tolerance * 1e4),
      objectiveTolerance: tolerance,
      ...(shouldStop ? { shouldStop } : {}),
    });
    iterations += found.iterations;
    evaluations += found.evaluations;
    const x = white.toX(found.x);
    const objective = problem.objective(x, gradient);
    const fell = best.objective - objective;
    // At the floor of rounding no step goes down; a small whitened gradient shows that this is the floor.
    const floor = found.stopReason === 'line-search-failed' && found.gradientNorm < 1e-4;
    const stopReason: StopReason = floor ? 'converged-objective' : found.stopReason;
    if (objective <= best.objective)
      best = {
        x,
        objective,
        gradientNorm: Math.max(...gradient.map(Math.abs)),
        iterations,
        evaluations,
        stopReason,
      };
    else best = { ...best, iterations, evaluations, stopReason };
    if (best.objective <= problem.exact) return { ...best, stopReason: 'converged-objective' };
    if (stopReason === 'stopped') break;
    if (isConverged(stopReason) && fell <= 10 * tolerance * scale) break;
  }
  return { ...best, iterations, evaluations };
}

/** Fit from the law's own starts, polished: what a planted trial and the default fit share. */
export function fitFromStarts(
  problem: FitObjective,
  starts: readonly Float64Array[],
  options: StartOptions = COARSE,
): { best: Minimum | undefined; tried: Minimum[] } {
  const tried = starts.map((start) => minimizeLbfgs(problem.objective, problem.reduce(start), options));
  const first = lowest(tried);
  return { best: first && polish(problem, first.x), tried };
}

/** First-stage tolerances: SciPy's defaults for L-BFGS-B, which suit a summed objective. */
export const COARSE: StartOptions = {
  maxIterations: 15000,
  objectiveTolerance: 2.220446049250313e-9,
  gradientTolerance: 1e-5,
};

function plantedTrial(
  law: Law,
  { rows, settings }: FitProblem,
  task: Extract<FitTask, { kind: 'planted' }>,
  trial: number,
): PlantedTrial {
  const random = new Random(task.seed).split('planted').split(trial);
  const n = task.residuals.length;
  const response = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    // Residuals are prediction less observation, so noise is their negative.
    const own = random.u32() % 2 === 0 ? task.residuals[i] : -task.residuals[i];
    const noise = task.noise === 'own-sign' ? own : -task.residuals[random.int(n)];
    response[i] = exp(law.logPredict(task.center, rows, i * law.width) + noise);
  }
  const problem: FitProblem = { law: law.id, rows, response, settings };
  const objective = fitObjective(law, rows, response, settings);
  const { best } = fitFromStarts(objective, law.starts(rows, response));
  if (!best) {
    const theta = task.center.map(() => NaN);
    const fit: FitPiece = {
      theta,
      objective: NaN,
      gradientNorm: NaN,
      iterations: 0,
      evaluations: 0,
      stopReason: 'not-finite',
    };
    return { fit, draws: [] };
  }
  const fit = piece(objective, best);
  const draws: Float64Array[] = [];
  for (let r = 0; r < task.resamples; r++)
    draws.push(resampled(law, problem, fit.theta, random.split(r)).theta);
  return { fit, draws };
}
