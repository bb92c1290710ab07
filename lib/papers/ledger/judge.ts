/** From a claim and its runs to a judgement. Pure: same records, same judgement, in any order. */
import { analyse, type Finding } from './analysis.js';
import { canonicalJson, criterionHash } from './canonical.js';
import { publicWord, rateEvidence } from './words.js';
import {
  SIZES,
  type Claim,
  type ControlResult,
  type Criterion,
  type Judgement,
  type Measurement,
  type Run,
} from './types.js';

/** Runs that were made alike and may be pooled. */
interface Group {
  size: Run['size'];
  runs: Run[];
}

interface GroupResult {
  finding: Finding;
  controls: ControlResult[];
  runs: Run[];
  complete: boolean;
}

/**
 * Judges a claim by its runs.
 *
 * Only complete, clean runs with the claim's current criterion hash, of a size the criterion admits, count; all others
 * are listed with the reason. Runs of equal size, backend, data (and, for timing, device) are pooled; only the largest
 * size with all reporting seeds is used; groups that disagree make the claim inconclusive.
 */
export function judge(claim: Claim, runs: readonly Run[]): Judgement {
  return judgeRuns(claim, runs, false);
}

/** As `judge`, but runs with uncommitted code count: a preview for work in progress, at most anecdotal. */
export function judgeProvisionally(claim: Claim, runs: readonly Run[]): Judgement {
  return judgeRuns(claim, runs, true);
}

function judgeRuns(claim: Claim, runs: readonly Run[], allowDirty: boolean): Judgement {
  const base = { claim: claim.id, scope: claim.scope, controls: [], counted: [], excluded: [] };
  const nothing = { ...base, evidence: 'none', word: 'not attempted', provisional: false } as const;
  if (!claim.criterion) {
    const why = sentence(claim.notTestable ?? 'No criterion is registered');
    return { ...nothing, outcome: 'not-testable', why };
  }
  const criterion = claim.criterion;
  const hash = criterionHash(claim);
  const own = uniqueSorted(runs.filter((run) => run.criteria[claim.id] !== undefined));
  const excluded: { run: string; reason: string }[] = [];
  const admitted: Run[] = [];
  for (const run of own) {
    const reason = reasonToExclude(claim, criterion, hash, run, allowDirty);
    if (reason) excluded.push({ run: run.id, reason });
    else admitted.push(run);
  }
  const results = largestComplete(groupRuns(claim, admitted), claim, criterion);
  const used = new Set(results.flatMap((result) => result.runs.map((run) => run.id)));
  for (const run of admitted) {
    if (!used.has(run.id)) excluded.push({ run: run.id, reason: 'A larger or more complete run is used.' });
  }
  excluded.sort((a, b) => (a.run < b.run ? -1 : a.run > b.run ? 1 : 0));
  if (results.length === 0) {
    const why =
      own.length === 0
        ? 'It has not been run.'
        : `None of its ${own.length} runs counts: ${excluded.map((e) => e.reason).sort()[0]}`;
    return { ...nothing, excluded, outcome: 'not-run', why };
  }
  return conclude(claim, criterion, hash, results, excluded);
}

function uniqueSorted(runs: readonly Run[]): Run[] {
  const byId = new Map(runs.map((run) => [run.id, run]));
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0));
}

function reasonToExclude(
  claim: Claim,
  criterion: Criterion,
  hash: string,
  run: Run,
  allowDirty: boolean,
): string | undefined {
  if (run.status !== 'complete') return `The run ${run.status === 'failed' ? 'failed' : 'was cancelled'}.`;
  if (run.dirty && !allowDirty) return 'The code had uncommitted changes.';
  if (run.criteria[claim.id] !== hash) return 'It was run for another version of the criterion.';
  if (!criterion.sizes.includes(run.size)) return `Size ${run.size} does not judge this claim.`;
  if ((run.measurements[claim.id] ?? []).length === 0) return 'It holds no measurement of this claim.';
  return undefined;
}

function groupRuns(claim: Claim, runs: readonly Run[]): Group[] {
  const groups = new Map<string, Group>();
  for (const run of runs) {
    const data = run.data.map((item) => item.sha256).sort();
    const device = claim.kind === 'timing' ? run.device : null;
    const key = canonicalJson([run.size, run.backend, data, device]);
    const group = groups.get(key) ?? { size: run.size, runs: [] };
    group.runs.push(run);
    groups.set(key, group);
  }
  return [...groups.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
}

/** Results of the groups of the largest size that has all reporting seeds; else of the largest size there is. */
function largestComplete(groups: readonly Group[], claim: Claim, criterion: Criterion): GroupResult[] {
  const rated = groups.map((group) => ({ group, result: judgeGroup(group, claim, criterion) }));
  const complete = rated.filter((item) => item.result.complete);
  const candidates = complete.length > 0 ? complete : rated;
  const largest = Math.max(...candidates.map((item) => SIZES.indexOf(item.group.size)));
  return candidates.filter((item) => SIZES.indexOf(item.group.size) === largest).map((item) => item.result);
}

function judgeGroup(group: Group, claim: Claim, criterion: Criterion): GroupResult {
  const { reporting } = criterion.seeds;
  const measurements: Measurement[] = group.runs
    .flatMap((run) => run.measurements[claim.id])
    .filter((m) => m.seed === undefined || reporting.includes(m.seed));
  const finding = analyse(criterion.analysis, measurements, reporting);
  const controls = criterion.controls.map((control): ControlResult => {
    const result = analyse(control.analysis, measurements, reporting);
    const { name, role } = control;
    return { name, role, passed: result.outcome === 'supports', why: result.why };
  });
  const seen = new Set(measurements.map((m) => m.seed));
  const complete = finding.missing !== true && reporting.every((seed) => seen.has(seed));
  return { finding, controls, runs: group.runs, complete };
}

function conclude(
  claim: Claim,
  criterion: Criterion,
  hash: string,
  results: readonly GroupResult[],
  excluded: readonly { run: string; reason: string }[],
): Judgement {
  const counted = results.flatMap((result) => result.runs.map((run) => run.id)).sort();
  const runs = results.flatMap((result) => result.runs);
  // The group that explains the outcome: an open one before a decided one, then the order of the groups.
  const settled = results.map((result) => ({ ...result, finding: withControls(result) }));
  const outcomes = new Set(settled.map((result) => result.finding.outcome));
  const open = settled.find((result) => result.finding.outcome === 'inconclusive');
  const shown = open ?? settled[0];
  const disagree = outcomes.has('supports') && outcomes.has('refutes');
  const outcome = outcomes.size === 1 ? settled[0].finding.outcome : 'inconclusive';
  const provisional = runs.some((run) => run.dirty);
  const why = disagree
    ? `${settled.length} groups of runs disagree: ${settled.map((r) => r.finding.why).join(' ')}`
    : shown.finding.why;
  const controls = shown.controls;
  const evidence = rateEvidence(claim, criterion, hash, outcome, settled, runs);
  return {
    claim: claim.id,
    outcome,
    scope: claim.scope,
    evidence: provisional && evidence !== 'none' ? 'anecdotal' : evidence,
    word: publicWord(claim, outcome, controls),
    why: provisional ? `Provisional, the code had uncommitted changes: ${why}` : why,
    ...(shown.finding.estimate === undefined ? {} : { estimate: shown.finding.estimate }),
    ...(shown.finding.interval === undefined ? {} : { interval: shown.finding.interval }),
    controls,
    counted,
    excluded,
    provisional,
  };
}

/** A failed control makes the finding inconclusive, whatever it was. */
function withControls(result: GroupResult): Finding {
  const failed = result.controls.find((control) => !control.passed);
  if (!failed) return result.finding;
  const why = `The ${failed.role} control "${failed.name}" did not pass: ${failed.why}`;
  return { ...result.finding, outcome: 'inconclusive', why };
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
