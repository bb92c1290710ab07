/** One paper from its claims to a judged run: estimate, experiment, baselines, run file, page. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ArgumentError } from '../../lib/core/errors.js';
import {
  dataOf,
  estimateExperiment,
  experimentOf,
  makeRun,
  missingData,
  openSetup,
  preview,
  runExperiment,
  type Baseline,
  type Estimate,
  type Experiment,
  type ExperimentOptions,
  type Judged,
  type Paper,
  type Plain,
  type Provenance,
  type Run,
  type Setup,
  type Size,
} from '../../lib/papers/index.js';
import { currentGpu } from '../../lib/gpu/index.js';
import { reportPage } from '../../lib/report/index.js';
import { writeAtomic } from '../../lib/tasks/files.js';
import type { BackendName } from '../../lib/tensor/backend.js';
import { compressorBits } from '../baselines/compressor.js';
import { codeState } from '../ledger/provenance.js';
import { deviceCard } from './device.js';
import { codeOfFile, loadPaper } from './load-paper.js';
import type { SetupPlan } from './messages.js';
import { poolExecutor, taskFolder, type PoolOptions } from './pool.js';
import { clock, ProgressPrinter } from './progress.js';
import { recordedFolder, runsFolder, saveRun, saveWords } from './runs.js';

export interface ReproduceOptions {
  root: string;
  /** Slug, or path of a file that exports `paper`. */
  paper: string;
  /** Names of experiments; default all. */
  experiments?: readonly string[];
  size: Size;
  backend: BackendName;
  /** Seconds that may be spent. */
  budget?: number;
  /** Write to notebooks/results instead of runs/. */
  record: boolean;
  fresh: boolean;
  generated: boolean;
  workers?: number;
  signal: AbortSignal;
  /** Lines for people. */
  progress: (line: string) => void;
}

/** One experiment that ran. */
export interface Reproduction {
  experiment: Experiment;
  run: Run;
  runFile: string;
  baselines: Baseline[];
  /** Seconds estimated and taken. */
  estimated: number;
  took: number;
  skipped: readonly { part: string; reason: string }[];
}

export interface Reproduced {
  paper: Paper;
  done: Reproduction[];
  /** All claims of the paper by the runs just made. */
  judged: Judged[];
  /** Experiments that lack data on this machine, and what they need. */
  left: { experiment: string; reason: string }[];
  /** Of the text, in one sentence; absent when nothing read it. */
  text?: string;
  /** Absent when nothing ran. */
  page?: string;
}

/** Trainings side by side: one a core, and memory for each. */
export function workersFor(cores = availableParallelism()): number {
  return Math.max(1, Math.min(cores, 8));
}

/** An experiment that is ready to run. */
interface Prepared {
  experiment: Experiment;
  estimate: Estimate;
  options: ExperimentOptions;
}

/** What all experiments of one call share. */
interface Session {
  options: ReproduceOptions;
  paper: Paper;
  setup: Setup;
  plan: SetupPlan;
  workers: number;
  depends: { readonly [name: string]: Plain };
  provenance: Omit<Provenance, 'device'>;
}

/** Runs the whole path for one paper: all estimates, then one experiment after the other, each recorded when done. */
export async function reproduce(options: ReproduceOptions): Promise<Reproduced> {
  const { root, size, backend, progress } = options;
  const paper = await loadPaper(options.paper, root);
  const asked = options.experiments?.map((id) => experimentOf(paper, id)) ?? paper.experiments;
  const session = await openSession(options, paper, asked);
  const { setup } = session;
  const left = asked.flatMap((experiment) => {
    const reason = missingData(experiment, setup);
    return reason === undefined ? [] : [{ experiment: experiment.id, reason }];
  });
  const experiments = asked.filter(({ id }) => !left.some(({ experiment }) => experiment === id));
  const text = experiments.some((experiment) => experiment.text) ? setup.text.note : undefined;
  progress(`${paper.id}, size ${size}, backend ${backend}.${text === undefined ? '' : ` ${text}`}`);
  for (const { experiment, reason } of left) progress(`${experiment} is left out: ${reason}`);
  const prepared: Prepared[] = [];
  for (const experiment of experiments) prepared.push(await prepare(session, experiment));
  if (prepared.length > 1)
    progress(`Estimate of all ${prepared.length} experiments: ${clock(secondsOf(prepared))}`);
  const done: Reproduction[] = [];
  let budget = options.budget ?? Infinity;
  for (const entry of prepared) {
    const { experiment } = entry;
    progress(`${experiment.id} (${done.length + 1} of ${prepared.length}): ${experiment.about}`);
    const result = await runOne(session, entry, budget);
    budget -= result.spent;
    done.push(result.reproduction);
  }
  const runs = done.map(({ run }) => run);
  if (options.record) await saveWords(root, paper);
  const judged = preview(paper, runs);
  const page = runs.length > 0 ? { page: await writePage(root, paper, judged, runs) } : {};
  return { paper, done, judged, left, ...page, ...(text === undefined ? {} : { text }) };
}

const secondsOf = (prepared: readonly Prepared[]): number =>
  prepared.reduce((sum, { estimate }) => sum + estimate.seconds, 0);

async function openSession(
  options: ReproduceOptions,
  paper: Paper,
  experiments: readonly Experiment[],
): Promise<Session> {
  const { root, size, backend, record, signal, progress } = options;
  const own = await codeOfFile(options.paper, root);
  const checkout = await codeState(root);
  // A paper from a file is no part of the commit that the run would name.
  const state = own === undefined ? checkout : { ...checkout, dirty: true };
  if (record && state.dirty)
    throw new ArgumentError(
      'reproduce: the checkout must be clean for --record, got uncommitted changes; commit them, or leave out --record',
    );
  if (state.dirty)
    progress(
      own === undefined
        ? 'The code has uncommitted changes: the run is a preview and does not count.'
        : 'The paper is a file outside the committed code: the run is a preview and does not count.',
    );
  const cache = process.env['ASSAY_CACHE'] || join(root, '.assay', 'data');
  const plan: SetupPlan = { size, backend, cache, ...(options.generated ? { text: 'generated' } : {}) };
  const reads = experiments.some((experiment) => experiment.text);
  const setup = await openSetup({
    ...plan,
    ...(reads ? {} : { text: 'none' as const }),
    datasets: experiments.flatMap((experiment) => experiment.datasets ?? []),
    signal,
  });
  return {
    options,
    paper,
    setup,
    plan,
    workers: backend === 'webgpu' ? 1 : (options.workers ?? workersFor()),
    // What a preview has done never becomes part of a run that counts.
    depends: {
      code: state.code.hash,
      lock: state.lock,
      dirty: state.dirty,
      ...(own === undefined ? {} : { own }),
    },
    provenance: state,
  };
}

async function prepare(session: Session, experiment: Experiment): Promise<Prepared> {
  const { options, paper, setup, workers, depends } = session;
  const pool: PoolOptions = {
    root: options.root,
    paper: options.paper,
    experiment: experiment.id,
    setup: experiment.text ? session.plan : { ...session.plan, text: 'none' },
    folder: join(runsFolder(options.root, paper.id), 'tasks'),
    depends: {
      ...depends,
      ...(experiment.text ? { text: setup.text.sha256 } : {}),
      ...(experiment.datasets ? { data: dataOf(experiment, setup) } : {}),
    },
    workers,
    fresh: options.fresh,
    note: options.progress,
  };
  const experimentOptions: ExperimentOptions = {
    setup,
    signal: options.signal,
    workers,
    isDone: (part, task) =>
      !options.fresh && existsSync(join(taskFolder(part.name, task, pool), 'result.json')),
    execute: poolExecutor(pool),
  };
  const estimate = await estimateExperiment(experiment, experimentOptions);
  return { experiment, estimate, options: experimentOptions };
}

/** Runs and records one experiment; `spent` is what its parts were expected to take. */
async function runOne(
  { options, paper, setup, provenance, workers }: Session,
  { experiment, estimate, options: prepared }: Prepared,
  budget: number,
): Promise<{ reproduction: Reproduction; spent: number }> {
  const { root, backend, record, progress } = options;
  const printer = new ProgressPrinter(progress, workers);
  const result = await runExperiment(experiment, {
    ...prepared,
    estimate,
    budget,
    onEvent: (event) => printer.event(event),
  });
  for (const { part, reason } of result.skipped) progress(`${part} is left out. ${reason}`);
  const baselines = [...(result.findings.baselines ?? []), ...(experiment.text ? compressorRows(setup) : [])];
  const device = deviceCard(backend === 'webgpu' ? adapterName() : undefined);
  const found = { ...result, findings: { ...result.findings, baselines } };
  const run = makeRun(paper, experiment, setup, found, { ...provenance, device });
  const runFile = await saveRun(record ? recordedFolder(root, paper.id) : runsFolder(root, paper.id), run);
  const { skipped, wallSeconds: took } = result;
  const ran = estimate.parts.filter(({ part }) => !skipped.some((entry) => entry.part === part));
  return {
    reproduction: { experiment, run, runFile, baselines, estimated: estimate.seconds, took, skipped },
    spent: ran.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

/** What general compressors spend on the validation part after reading the training part. */
function compressorRows({ size, text }: Setup): Baseline[] {
  if (size === 'smoke') return [];
  const { bytes, split } = text.dataset;
  const note = 'size of all bytes less size of the training part, over the validation part';
  return compressorBits(bytes, split).map(({ name, bitsPerByte }) => ({
    name,
    value: bitsPerByte,
    unit: 'bits per byte',
    note,
  }));
}

function adapterName(): string {
  const info = currentGpu()?.info;
  return info?.description || info?.device || info?.vendor || 'unknown adapter';
}

/** The text of plotly.js, where it is installed. */
export async function plotlySource(root: string): Promise<string | undefined> {
  const require = createRequire(join(root, 'package.json'));
  try {
    return await readFile(require.resolve('plotly.js-basic-dist-min'), 'utf8');
  } catch {
    return undefined;
  }
}

async function writePage(
  root: string,
  paper: Paper,
  judged: readonly Judged[],
  runs: readonly Run[],
): Promise<string> {
  const plotly = await plotlySource(root);
  const [{ size, device }] = runs;
  const html = reportPage([{ paper, judged, runs }], {
    title: `${paper.id}: what ${runs.length === 1 ? 'a run' : `${runs.length} runs`} of size ${size} say${runs.length === 1 ? 's' : ''}`,
    ...(plotly === undefined ? {} : { plotly }),
  });
  // Named like the last of its runs, so that pages of different runs never meet.
  const page = join(runsFolder(root, paper.id), `${size}.${device.slug}.${runs.at(-1)!.id.slice(0, 8)}.html`);
  await writeAtomic(page, html);
  return page;
}
