/** The work of `assay fit`: data, fit, and whatever else was asked for, as one plain report. */
import { log } from '../../lib/core/math.js';
import {
  compareForms,
  fitLaw,
  lawOf,
  optimumWithInterval,
  plantedCoverage,
  predictWithBands,
  profileLikelihood,
  type Coverage,
  type FitExecutor,
  type FitFlag,
  type FitProgress,
  type FitResult,
  type HoldOut,
  type NoiseKind,
  type Point,
  type Prediction,
  type Profile,
  type UncertainOptimum,
} from '../../lib/families/scaling-laws/index.js';
import type { ChosenColumns } from './table.js';

export interface FitRequest {
  law: string;
  chosen: ChosenColumns;
  starts: 'default' | 'grid';
  bootstrap: number;
  confidence: number;
  seed: number;
  delta?: number;
  equal: Readonly<Record<string, string>>;
  fixed: Readonly<Record<string, number>>;
  holdout?: number;
  compare: readonly string[];
  budgets: readonly number[];
  predict: readonly Point[];
  profile: readonly string[];
  coverage?: { trials: number; noise: NoiseKind };
  executor: FitExecutor;
  signal: AbortSignal;
  onProgress: (progress: FitProgress) => void;
}

type Report = Omit<FitResult, 'theta' | 'draws' | 'data'>;

export interface FitReport extends Report {
  columns: Record<string, string>;
  optimum: UncertainOptimum[];
  optimumProblem: string | null;
  predictions: Prediction[];
  holdout: HeldOutReport[];
  notFitted: { law: string; error: string }[];
  profiles: Profile[];
  coverage: Coverage | null;
}

export type HeldOutReport = Omit<HoldOut, 'fit'> & {
  values: Record<string, number | null>;
  flags: FitFlag[];
};

/** A result without what is not for printing. */
function printable(fit: FitResult): Report {
  const { theta: _theta, draws: _draws, data: _data, ...rest } = fit;
  return rest;
}

/** Fits, and adds the parts that were asked for. */
export async function runFit(request: FitRequest): Promise<{ fit: FitResult; report: FitReport }> {
  const { law, chosen, confidence, seed, executor, signal, onProgress, equal, fixed } = request;
  const shared = {
    confidence,
    seed,
    executor,
    signal,
    onProgress,
    bootstrap: request.bootstrap,
    ...(request.delta === undefined ? {} : { delta: request.delta }),
  };
  const fit = await fitLaw(law, chosen.columns, { ...shared, starts: request.starts, equal, fixed });
  const { optima, problem } = optimaOf(fit, request.budgets);
  const compared =
    request.holdout === undefined
      ? { forms: [], failed: [] }
      : await compareForms([...new Set([law, ...request.compare])], chosen.columns, {
          ...shared,
          holdout: request.holdout,
        });
  return {
    fit,
    report: {
      ...printable(fit),
      columns: chosen.names,
      optimum: optima,
      optimumProblem: problem,
      predictions: request.predict.length > 0 ? predictWithBands(fit, request.predict) : [],
      holdout: compared.forms.map(({ fit: other, ...rest }) => ({
        ...rest,
        values: other.parameters,
        flags: other.flags,
      })),
      notFitted: compared.failed,
      profiles: request.profile.map((name) => profileLikelihood(fit, name, { settings: { equal, fixed } })),
      coverage: await coverageOf(fit, request),
    },
  };
}

/** Why there is no optimum is part of the answer, not an error of the whole command. */
function optimaOf(
  fit: FitResult,
  budgets: readonly number[],
): { optima: UncertainOptimum[]; problem: string | null } {
  try {
    return { optima: budgets.map((c) => optimumWithInterval(fit, c)), problem: null };
  } catch (error) {
    return { optima: [], problem: (error as Error).message };
  }
}

async function coverageOf(fit: FitResult, request: FitRequest): Promise<Coverage | null> {
  if (!request.coverage) return null;
  const law = lawOf(fit.law);
  const { rows, response } = fit.data;
  const residuals = Float64Array.from(
    response,
    (value, i) => law.logPredict(fit.theta, rows, i * law.width) - log(value),
  );
  return plantedCoverage(law, request.chosen.columns, {
    truth: fit.raw,
    residuals,
    trials: request.coverage.trials,
    noise: request.coverage.noise,
    resamples: Math.max(request.bootstrap, 20),
    confidence: request.confidence,
    seed: request.seed,
    executor: request.executor,
    signal: request.signal,
    onProgress: request.onProgress,
    ...(request.delta === undefined ? {} : { delta: request.delta }),
  });
}
