/** Makes planned runs, some at a time: what is done already is kept, what is shown is saved after each cell. */
import { existsSync } from 'node:fs';
import { executeNotebook, type ExecuteOptions } from './execute.js';
import { projectVersions, runKey } from './key.js';
import { readNotebook, writeNotebook, type Notebook, type NotebookResult } from './notebook.js';
import { LostServer, type NotebookKernel } from './notebook-kernel.js';
import type { PlannedRun } from './plan.js';
import { recordedValues, type RunRow, type RunStatus } from './records.js';

export interface RunAllOptions {
  readonly root: string;
  /** Name of the kernel, part of every run's key; a server adds that it is one. */
  readonly kernel: string;
  /** Tags of cells that this kernel cannot run and that are left out. */
  readonly leaveOut?: readonly string[];
  /** What executed copies say about their kernel; undefined leaves what the notebook says. */
  readonly metadata?: Record<string, unknown>;
  /** A new kernel for one run. */
  open(run: PlannedRun): Promise<NotebookKernel>;
  /** How many at a time. */
  readonly jobs: number;
  /** Run also what is done already. */
  readonly force: boolean;
  readonly limits: Pick<ExecuteOptions, 'timeoutMs' | 'notebookTimeoutMs'>;
  readonly signal: AbortSignal;
  /** Waits after losing a server until another attempt makes sense; false when there is none to be made. */
  retry?(attempt: number, error: LostServer): Promise<boolean>;
  progress(text: string): void;
  /** Called with each run's row as soon as it is known. */
  onRow?(row: RunRow): void;
}

/** What a run leaves in its notebook's metadata under `assay.run`. */
interface RunRecord {
  readonly key: string;
  readonly kernel: string;
  readonly parameters: PlannedRun['parameters'];
  readonly status: 'running' | RunStatus;
  readonly seconds?: number;
}

/** Makes all runs; resolves to their rows in the order of the plan. Failures are rows, never exceptions. */
export async function runAll(plan: readonly PlannedRun[], options: RunAllOptions): Promise<RunRow[]> {
  const versions = projectVersions(options.root);
  const rows = new Array<RunRow>(plan.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < plan.length; i = next++) {
      rows[i] = await runOne(plan[i], versions, options);
      options.onRow?.(rows[i]);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.jobs, plan.length) }, work));
  return rows;
}

async function runOne(run: PlannedRun, versions: string, options: RunAllOptions): Promise<RunRow> {
  const { notebook, parameters, folder } = run;
  if (options.signal.aborted) return rowOf(run, 'not run', { reason: 'interrupted' });
  const key = await runKey({ notebook, parameters, kernel: options.kernel, folder, versions });
  const kept = options.force ? undefined : keptRun(run, key);
  if (kept) return kept;
  const record: RunRecord = { key, kernel: options.kernel, parameters, status: 'running' };
  for (let attempt = 1; ; attempt++)
    try {
      const result = await attemptRun(run, record, options);
      const status: RunStatus = result.ok ? 'ok' : result.failure?.interrupted ? 'interrupted' : 'failed';
      save(run.output, result.notebook, options, { ...record, status, seconds: round(result.seconds) });
      return rowOf(run, status, { result });
    } catch (error) {
      const { message } = error as Error;
      const lost = error instanceof LostServer && !options.signal.aborted;
      if (lost) options.progress(`${run.output}: ${message}`);
      if (lost && (await options.retry?.(attempt, error))) continue;
      const status = options.signal.aborted ? 'interrupted' : lost ? 'lost' : 'failed';
      markSaved(run.output, options, { ...record, status });
      return rowOf(run, status, { reason: status === 'interrupted' ? status : message });
    }
}

/** Says in what was saved of a run, if anything was, that nothing more will come. */
function markSaved(output: string, options: RunAllOptions, record: RunRecord): void {
  const saved = savedRun(output);
  if (saved?.record?.key === record.key) save(output, saved.notebook, options, record);
}

function attemptRun(run: PlannedRun, record: RunRecord, options: RunAllOptions): Promise<NotebookResult> {
  return executeNotebook(run.notebook, () => options.open(run), {
    ...options.limits,
    leaveOut: options.leaveOut,
    signal: options.signal,
    onCell: (at) => {
      if (at.done) save(run.output, at.notebook, options, record);
      else options.progress(`${run.output}: cell ${at.cell} of ${at.of}`);
    },
  });
}

/** The row of a run that was finished before with the same key. */
function keptRun(run: PlannedRun, key: string): RunRow | undefined {
  const saved = savedRun(run.output);
  if (saved?.record?.key !== key || saved.record.status !== 'ok') return undefined;
  const { notebook, record } = saved;
  const codeCells = notebook.cells.filter((cell) => typeof cell.execution_count === 'number').length;
  const seconds = record.seconds ?? 0;
  return rowOf(run, 'kept', { result: { notebook, ok: true, executed: codeCells, codeCells, seconds } });
}

/** What lies where the run's copy goes; undefined when that is nothing, or no notebook. */
function savedRun(output: string): { notebook: Notebook; record?: Partial<RunRecord> } | undefined {
  if (!existsSync(output)) return undefined;
  try {
    const notebook = readNotebook(output);
    const { assay } = notebook.metadata as { assay?: { run?: Partial<RunRecord> } };
    return { notebook, record: assay?.run };
  } catch {
    return undefined;
  }
}

function save(output: string, notebook: Notebook, { metadata }: RunAllOptions, run: RunRecord): void {
  const assay = { ...(notebook.metadata['assay'] as object | undefined), run };
  writeNotebook(output, { ...notebook, metadata: { ...notebook.metadata, ...metadata, assay } });
}

function rowOf(
  run: PlannedRun,
  status: RunStatus,
  { result, reason }: { result?: NotebookResult; reason?: string },
): RunRow {
  const failure = result?.failure ?? (reason === undefined ? undefined : { cell: 0, reason });
  return {
    notebook: run.file,
    output: run.output,
    parameters: run.parameters,
    status,
    ok: status === 'ok' || status === 'kept',
    executed: result?.executed ?? 0,
    codeCells: result?.codeCells ?? 0,
    seconds: round(result?.seconds ?? 0),
    ...(failure && { failure: { cell: failure.cell, reason: failure.reason } }),
    values: result ? recordedValues(result.notebook) : {},
  };
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10;
}
