/** One objective from many starts. */
import { minimizeLbfgs, type LbfgsOptions } from './lbfgs.js';
import { isConverged, type Minimum, type Objective, type StopReason } from './types.js';

/** What became of all starts. */
export interface StartsSummary {
  count: number;
  converged: number;
  /** Starts by their reason to stop. */
  reasons: Partial<Record<StopReason, number>>;
  evaluations: number;
}

export interface MultiStart {
  /** The lowest, the first of equals; undefined when no start gave a finite value. */
  best: Minimum | undefined;
  /** Every result in the order of the starts. */
  results: Minimum[];
  summary: StartsSummary;
}

/** Minimises from every start in order; when `shouldStop` says so the rest is left out and `summary.count` says it. */
export function minimizeFromAll(
  objective: Objective,
  starts: Iterable<ArrayLike<number>>,
  options: LbfgsOptions = {},
): MultiStart {
  const results: Minimum[] = [];
  for (const start of starts) {
    if (options.shouldStop?.()) break;
    results.push(minimizeLbfgs(objective, start, options));
  }
  return { best: lowest(results), results, summary: summarize(results) };
}

/** The result with the least finite objective, the first of equals. */
export function lowest<M extends Pick<Minimum, 'objective'>>(results: readonly M[]): M | undefined {
  let best: M | undefined;
  for (const result of results)
    if (Number.isFinite(result.objective) && !(best && best.objective <= result.objective)) best = result;
  return best;
}

export function summarize(results: readonly Pick<Minimum, 'stopReason' | 'evaluations'>[]): StartsSummary {
  const reasons: StartsSummary['reasons'] = {};
  let evaluations = 0;
  for (const result of results) {
    reasons[result.stopReason] = (reasons[result.stopReason] ?? 0) + 1;
    evaluations += result.evaluations;
  }
  const converged = results.filter(({ stopReason }) => isConverged(stopReason)).length;
  return { count: results.length, converged, reasons, evaluations };
}
