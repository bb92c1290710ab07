/** The written rules for evidence, for the public word, and for totals. */
import type { Finding } from './analysis.js';
import {
  KINDS,
  WORDS,
  type Analysis,
  type Claim,
  type ClaimKind,
  type ControlResult,
  type Criterion,
  type Evidence,
  type Judgement,
  type Outcome,
  type Run,
  type Word,
} from './types.js';

/** Seeds that strong and fair evidence need in an analysis over seeds. */
export const SEEDS_STRONG = 5;
export const SEEDS_FAIR = 3;
/** Strong: the estimate is this many half-widths of its interval away from the threshold. */
export const CLEARANCE_STRONG = 2;

/**
 * How much a decided outcome weighs.
 *
 * strong: the criterion was registered before every run that counts, at least one control is declared and all passed,
 * an independent implementation agrees, and, unless the analysis is exact, at least 5 seeds took part and the estimate
 * lies at least 2 half-widths of its interval inside the region. fair: registered first, no control failed, at least
 * 3 seeds unless exact. anecdotal: the rest. none: nothing was decided.
 */
export function rateEvidence(
  claim: Claim,
  criterion: Criterion,
  hash: string,
  outcome: Outcome,
  results: readonly { finding: Finding; controls: readonly ControlResult[] }[],
  runs: readonly Run[],
): Evidence {
  if (outcome !== 'supports' && outcome !== 'refutes') return 'none';
  const dates = claim.registered
    .filter((entry) => entry.hash === hash)
    .map((entry) => Date.parse(entry.date));
  const registered = Math.min(...dates);
  const first = runs.every((run) => registered <= Date.parse(run.started));
  const passed = results.every((result) => result.controls.every((control) => control.passed));
  const exact = criterion.seeds.reporting.length === 0;
  const seeds = exact ? Infinity : Math.min(...results.map((result) => result.finding.seeds));
  const clearance = Math.min(...results.map((result) => result.finding.clearance));
  if (!first || !passed || seeds < SEEDS_FAIR) return 'anecdotal';
  const strong =
    criterion.controls.length > 0 &&
    claim.independent !== undefined &&
    seeds >= SEEDS_STRONG &&
    clearance >= CLEARANCE_STRONG;
  return strong ? 'strong' : 'fair';
}

/** A criterion whose analysis states a shape (order, slope, difference, predicate), not an absolute value. */
function hasShape(criterion: Criterion | undefined): boolean {
  const absolute = (analysis: Analysis): boolean =>
    analysis.kind === 'all'
      ? analysis.of.some(absolute)
      : analysis.kind === 'value' || (analysis.kind === 'interval' && analysis.shape !== true);
  return criterion !== undefined && !absolute(criterion.analysis);
}

/**
 * The public word. reproduced: supports at S4, or at S0 when the claim is itself a formula; reproduced in shape:
 * supports at S2 or S3 with a declared predicate; contradicted: refutes at S0 or S4; not reproduced: refutes at S2 or
 * S3 with controls that passed; not attempted: not run or not testable. Every other decided outcome (a simulator, an
 * absolute value at reduced size) is too weak for a word and stays inconclusive.
 */
export function publicWord(claim: Claim, outcome: Outcome, controls: readonly ControlResult[]): Word {
  if (outcome === 'not-run' || outcome === 'not-testable') return 'not attempted';
  if (outcome === 'inconclusive') return 'inconclusive';
  const reduced = claim.scope === 'S2' || claim.scope === 'S3';
  if (outcome === 'supports') {
    if (claim.scope === 'S4' || (claim.scope === 'S0' && claim.formula === true)) return 'reproduced';
    return reduced && hasShape(claim.criterion) ? 'reproduced in shape' : 'inconclusive';
  }
  if (claim.scope === 'S0' || claim.scope === 'S4') return 'contradicted';
  const passed = controls.length > 0 && controls.every((control) => control.passed);
  return reduced && passed ? 'not reproduced' : 'inconclusive';
}

/** Counts of public words. */
export type WordCounts = Record<Word, number>;

/** Totals of a report: by kind, and of the headline claims, where identities never count. */
export interface Totals {
  kinds: Record<ClaimKind, WordCounts>;
  headline: WordCounts;
}

const noWords = (): WordCounts => Object.fromEntries(WORDS.map((word) => [word, 0])) as WordCounts;

/** Counts judgements per kind of claim. */
export function totals(judged: readonly { claim: Claim; judgement: Judgement }[]): Totals {
  const kinds = Object.fromEntries(KINDS.map((kind) => [kind, noWords()])) as Totals['kinds'];
  const headline = noWords();
  for (const { claim, judgement } of judged) {
    kinds[claim.kind][judgement.word] += 1;
    if (claim.headline && claim.kind !== 'identity') headline[judgement.word] += 1;
  }
  return { kinds, headline };
}
