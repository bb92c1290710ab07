/** Runs an experiment of a paper: estimate first, then part by part, then one run record. */
import { stopSignal } from '../core/ambient-signal.js';
import { ArgumentError, CancelledError, DataError, show } from '../core/errors.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';
import { criterionHash } from './ledger/canonical.js';
import { judgeProvisionally } from './ledger/judge.js';
import { sealRun } from './ledger/runs.js';
import type { Claim, DeviceCard, Judgement, Run } from './ledger/types.js';
import type {
  Baseline,
  Done,
  Experiment,
  Findings,
  Paper,
  Part,
  Plain,
  Results,
  Setup,
  Task,
  TaskContext,
  TaskProgress,
} from './paper.js';
import { missingData } from './setup.js';

/** Expected seconds of a part. */
export interface PartEstimate {
  part: string;
  about: string;
  seconds: number;
}
export interface Estimate {
  parts: PartEstimate[];
  seconds: number;
}

/** What happens while an experiment runs. */
export type ExperimentEvent =
  | { kind: 'estimate'; estimate: Estimate }
  | { kind: 'part'; part: string; tasks: number }
  | { kind: 'progress'; part: string; task: Task; progress: TaskProgress }
  | { kind: 'done'; part: string; task: Task; result: Plain; seconds: number; resumed: boolean }
  | { kind: 'finished'; part: string; seconds: number };

/** Runs the tasks of a part; the results come back in the order of the tasks. */
export type Executor = (
  part: Part,
  tasks: readonly Task[],
  report: (event: ExperimentEvent) => void,
  options: { signal?: AbortSignal; probing: boolean },
) => Promise<Done[]>;

export interface ExperimentOptions {
  setup: Setup;
  onEvent?: (event: ExperimentEvent) => void;
  signal?: AbortSignal;
  /** Parts to run; default all. */
  only?: readonly string[];
  /** Default: one task after the other in this process. */
  execute?: Executor;
  /** Has an earlier run finished this task, so that `execute` need not do it again? Default: no. */
  isDone?: (part: Part, task: Task) => boolean;
  /** Tasks that `execute` runs at a time, for the estimate; default 1. */
  workers?: number;
  /** Where it is known already; default: from probes before the first part. */
  estimate?: Estimate;
  /** Seconds that may be spent; parts whose estimate does not fit are left out, in order. */
  budget?: number;
}

/** What an experiment found. */
export interface ExperimentResult {
  findings: Findings;
  results: Results;
  estimate: Estimate;
  /** Parts left out and why. */
  skipped: { part: string; reason: string }[];
  started: string;
  wallSeconds: number;
}

/** One task after the other in this process. */
export const inProcess: Executor = async (part, tasks, report, { signal, probing }) => {
  const done: Done[] = [];
  for (const task of tasks) {
    if (signal?.aborted) throw new CancelledError(`runExperiment: cancelled in part ${part.name}`);
    const started = performance.now();
    const context: TaskContext = {
      ...(signal ? { signal } : {}),
      progress: (progress) => report({ kind: 'progress', part: part.name, task, progress }),
    };
    const result = await part.run(task, context);
    done.push({ task, result });
    const seconds = (performance.now() - started) / 1000;
    if (!probing) report({ kind: 'done', part: part.name, task, result, seconds, resumed: false });
  }
  return done;
};

/** Expected time of every part, from short probes of the real work on this machine. @throws DataError without its data */
export async function estimateExperiment(
  experiment: Experiment,
  options: ExperimentOptions,
): Promise<Estimate> {
  const { execute = inProcess, workers = 1, isDone = () => false } = options;
  const signal = stopSignal(options.signal);
  requireData(experiment, options.setup);
  const parts: PartEstimate[] = [];
  for (const part of chosenParts(experiment, options)) {
    const probing = { ...(signal ? { signal } : {}), probing: true };
    const probes = part.probes ? await execute(part, part.probes, () => undefined, probing) : [];
    const seconds = part.seconds(probes, part.isolated ? workers : 1, (task) => isDone(part, task));
    parts.push({ part: part.name, about: part.about, seconds });
  }
  return { parts, seconds: parts.reduce((sum, part) => sum + part.seconds, 0) };
}

function requireData(experiment: Experiment, setup: Setup): void {
  const reason = missingData(experiment, setup);
  if (reason !== undefined)
    throw new DataError(`runExperiment: ${experiment.id} must have its data: ${reason}`);
}

function chosenParts(experiment: Experiment, { setup, only }: ExperimentOptions): readonly Part[] {
  const parts = experiment.parts(setup);
  for (const name of only ?? [])
    if (!parts.some((part) => part.name === name))
      throw new ArgumentError(
        `runExperiment: only must hold parts of ${experiment.id} (${parts.map((part) => part.name).join(', ')}), got ${show(name)}`,
      );
  return only ? parts.filter((part) => only.includes(part.name)) : parts;
}

/**
 * Runs the experiment.
 *
 * @throws CancelledError when the signal was given; finished tasks stay where the executor keeps them
 * @throws DataError when the setup lacks a data set that it reads
 */
export async function runExperiment(
  experiment: Experiment,
  options: ExperimentOptions,
): Promise<ExperimentResult> {
  const { execute = inProcess, budget = Infinity } = options;
  const signal = stopSignal(options.signal);
  requireData(experiment, options.setup);
  const report = options.onEvent ?? (() => undefined);
  const started = new Date();
  const clock = performance.now();
  const estimate = options.estimate ?? (await estimateExperiment(experiment, options));
  report({ kind: 'estimate', estimate });
  const results: { [part: string]: Done[] } = {};
  const skipped: { part: string; reason: string }[] = [];
  let planned = 0;
  for (const part of chosenParts(experiment, options)) {
    const lacking = part.needs?.find((name) => results[name] === undefined);
    if (lacking !== undefined) {
      skipped.push({ part: part.name, reason: `It needs the results of ${lacking}, which is left out.` });
      continue;
    }
    const expected = estimate.parts.find((entry) => entry.part === part.name)?.seconds ?? 0;
    if (planned + expected > budget) {
      skipped.push({
        part: part.name,
        reason: `It needs about ${Math.round(expected)} s, more than the budget leaves.`,
      });
      continue;
    }
    planned += expected;
    const tasks = part.tasks(results);
    const before = performance.now();
    report({ kind: 'part', part: part.name, tasks: tasks.length });
    results[part.name] = await execute(part, tasks, report, {
      ...(signal ? { signal } : {}),
      probing: false,
    });
    report({ kind: 'finished', part: part.name, seconds: (performance.now() - before) / 1000 });
  }
  return {
    findings: experiment.collect(results, options.setup),
    results,
    estimate,
    skipped,
    started: started.toISOString(),
    wallSeconds: (performance.now() - clock) / 1000,
  };
}

/** Where a run was made: what the library itself cannot know. */
export interface Provenance {
  device: DeviceCard;
  dirty: boolean;
  code: { commit: string; hash: string };
  /** sha256 of the package lock file. */
  lock: string;
}

/** A browser or a notebook without the command line: nothing is known about the code, so the run is dirty. */
export function unknownProvenance(): Provenance {
  const host = globalThis as {
    navigator?: { hardwareConcurrency?: number };
    process?: { version?: string; platform?: string; arch?: string };
  };
  const node = host.process?.version;
  const platform = host.process?.platform ?? 'browser';
  const cores = host.navigator?.hardwareConcurrency ?? 1;
  return {
    device: {
      slug: `${platform}-${cores}c`.toLowerCase().replace(/[^a-z0-9-]/g, '-'),
      platform,
      arch: host.process?.arch ?? 'unknown',
      cpu: 'unknown',
      cores,
      memoryGiB: 0,
      runtime: node ? `Node ${node.slice(1)}` : 'browser',
    },
    dirty: true,
    code: { commit: 'unknown', hash: 'unknown' },
    lock: bytesToHex(sha256(utf8ToBytes(''))),
  };
}

/** Names and hashes of everything an experiment reads. */
export function dataOf(experiment: Experiment, setup: Setup): { name: string; sha256: string }[] {
  const text = experiment.text ? [{ name: setup.text.dataset.name, sha256: setup.text.sha256 }] : [];
  const read = (setup.data ?? []).filter(({ name }) => experiment.datasets?.includes(name));
  return [...text, ...read.map(({ name, sha256: hash }) => ({ name, sha256: hash }))];
}

/** The run record of an experiment. */
export function makeRun(
  paper: Paper,
  experiment: Experiment,
  setup: Setup,
  result: ExperimentResult,
  provenance: Provenance = unknownProvenance(),
): Run {
  const { findings } = result;
  const measured = paper.claims.filter(
    (claim) => claim.criterion && (findings.measurements[claim.id]?.length ?? 0) > 0,
  );
  return sealRun({
    format: 1,
    paper: paper.id,
    experiment: experiment.id,
    size: setup.size,
    backend: setup.backend,
    started: result.started,
    wallSeconds: Math.round(result.wallSeconds * 10) / 10,
    status: 'complete',
    dirty: provenance.dirty,
    code: provenance.code,
    lock: provenance.lock,
    data: dataOf(experiment, setup),
    device: provenance.device,
    config: {
      ...findings.config,
      baselines: (findings.baselines ?? []).map((baseline) => ({ ...baseline })),
      estimateSeconds: Math.round(result.estimate.seconds * 10) / 10,
      skipped: result.skipped.map((entry) => entry.part),
    },
    criteria: Object.fromEntries(measured.map((claim) => [claim.id, criterionHash(claim)])),
    measurements: Object.fromEntries(measured.map((claim) => [claim.id, findings.measurements[claim.id]])),
    curves: findings.curves,
    ...(findings.fingerprint ? { fingerprint: findings.fingerprint } : {}),
  });
}

/** Baselines that were recorded with a run. */
export function baselinesOf(run: Run): Baseline[] {
  const rows = run.config['baselines'];
  if (!Array.isArray(rows)) return [];
  // A run file holds NaN and the infinities as texts, and its config may come from anywhere.
  return (rows as unknown[]).flatMap((row): Baseline[] => {
    const { name, value, unit, note } = (row ?? {}) as Record<string, unknown>;
    const texts = [name, unit, note];
    if (texts.some((text) => typeof text !== 'string')) return [];
    return [{ name: String(name), value: Number(value ?? NaN), unit: String(unit), note: String(note) }];
  });
}

/** A claim with what its runs say. */
export interface Judged {
  claim: Claim;
  judgement: Judgement;
}

/** Judgements of all claims of a paper over runs, where runs with uncommitted code count provisionally. */
export function preview(paper: Paper, runs: readonly Run[]): Judged[] {
  return paper.claims.map((claim) => ({ claim, judgement: judgeProvisionally(claim, runs) }));
}
