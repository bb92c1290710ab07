/** One paper from its claims to a judged run: estimate, experiment, baselines, run file, page. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ArgumentError } from '../../lib/core/errors.js';
import {
  makeRun,
  openSetup,
  preview,
  runExperiment,
  type Baseline,
  type Findings,
  type Judged,
  type Paper,
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
import { ProgressPrinter } from './progress.js';
import { recordedFolder, runsFolder, saveRun, saveWords } from './runs.js';

export interface ReproduceOptions {
  root: string;
  /** Slug, or path of a file that exports `paper`. */
  paper: string;
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

export interface Reproduced {
  paper: Paper;
  run: Run;
  judged: Judged[];
  baselines: Baseline[];
  /** Of the text, in one sentence. */
  text: string;
  runFile: string;
  page: string;
  /** Seconds estimated and taken. */
  estimated: number;
  took: number;
  skipped: readonly { part: string; reason: string }[];
}

/** Trainings side by side: one a core, and memory for each. */
export function workersFor(cores = availableParallelism()): number {
  return Math.max(1, Math.min(cores, 8));
}

/** Runs the whole path for one paper. */
export async function reproduce(options: ReproduceOptions): Promise<Reproduced> {
  const { root, size, backend, record, signal, progress } = options;
  const paper = await loadPaper(options.paper, root);
  const own = await codeOfFile(options.paper, root);
  const checkout = await codeState(root);
  // A paper from a file is no part of the commit that the run would name.
  const state = own === undefined ? checkout : { ...checkout, dirty: true };
  if (record && state.dirty)
    throw new ArgumentError(
      'reproduce: the checkout must be clean for --record, got uncommitted changes; commit them, or leave out --record',
    );
  const plan: SetupPlan = {
    size,
    backend,
    cache: process.env['ASSAY_CACHE'] || join(root, '.assay', 'data'),
    ...(options.generated ? { text: 'generated' as const } : {}),
  };
  const setup = await openSetup({ ...plan, signal });
  progress(`${paper.id}, size ${size}, backend ${backend}. ${setup.text.note}`);
  if (state.dirty)
    progress(
      own === undefined
        ? 'The code has uncommitted changes: the run is a preview and does not count.'
        : 'The paper is a file outside the committed code: the run is a preview and does not count.',
    );
  const workers = backend === 'webgpu' ? 1 : (options.workers ?? workersFor());
  const folder = runsFolder(root, paper.id);
  const printer = new ProgressPrinter(progress, workers);
  const pool: PoolOptions = {
    root,
    paper: options.paper,
    setup: plan,
    folder: join(folder, 'tasks'),
    // What a preview has done never becomes part of a run that counts.
    depends: {
      code: state.code.hash,
      lock: state.lock,
      text: setup.text.sha256,
      dirty: state.dirty,
      ...(own === undefined ? {} : { own }),
    },
    workers,
    fresh: options.fresh,
    note: progress,
  };
  const result = await runExperiment(paper, {
    setup,
    signal,
    workers,
    onEvent: (event) => printer.event(event),
    ...(options.budget === undefined ? {} : { budget: options.budget }),
    isDone: (part, task) =>
      !options.fresh && existsSync(join(taskFolder(part.name, task, pool), 'result.json')),
    execute: poolExecutor(pool),
  });
  for (const { part, reason } of result.skipped) progress(`${part} is left out. ${reason}`);
  const findings: Findings = {
    ...result.findings,
    baselines: [...(result.findings.baselines ?? []), ...compressorRows(setup)],
  };
  const adapter = backend === 'webgpu' ? adapterName() : undefined;
  const run = makeRun(paper, setup, { ...result, findings }, { ...state, device: deviceCard(adapter) });
  const runFile = await saveRun(record ? recordedFolder(root, paper.id) : folder, run);
  if (record) await saveWords(root, paper);
  const judged = preview(paper, [run]);
  const page = await writePage(root, paper, judged, run, folder);
  const seconds = { estimated: result.estimate.seconds, took: result.wallSeconds };
  const baselines = [...(findings.baselines ?? [])];
  return {
    paper,
    run,
    judged,
    baselines,
    text: setup.text.note,
    runFile,
    page,
    ...seconds,
    skipped: result.skipped,
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
  run: Run,
  folder: string,
): Promise<string> {
  const plotly = await plotlySource(root);
  const html = reportPage([{ paper, judged, runs: [run] }], {
    title: `${paper.id}: what a run of size ${run.size} says`,
    ...(plotly === undefined ? {} : { plotly }),
  });
  const page = join(folder, `${run.size}.${run.device.slug}.${run.id.slice(0, 8)}.html`);
  await writeAtomic(page, html);
  return existsSync(page) ? page : '';
}
