/** Executes the cells of a notebook on any kernel: limits of time, interrupts, failures, outputs. */
import {
  OutputCollector,
  cellsToRun,
  failureLine,
  mayRaise,
  sourceOf,
  withoutOutputs,
  type Cell,
  type CellOutputs,
  type Failure,
  type KernelOutput,
  type Notebook,
  type NotebookResult,
} from './notebook.js';
import type { CellEnd, NotebookKernel } from './notebook-kernel.js';

export interface ExecuteOptions {
  /** Milliseconds a cell may take. */
  readonly timeoutMs: number;
  /** Milliseconds all cells together may take. */
  readonly notebookTimeoutMs?: number;
  /** Tags of cells that are not run, beside those that say so themselves. */
  readonly leaveOut?: readonly string[];
  readonly signal?: AbortSignal;
  /** Called before a cell (done false) and after it; `notebook` holds the outputs so far. */
  onCell?(progress: { cell: number; of: number; done: boolean; notebook: Notebook }): void;
}

/** Milliseconds an interrupted cell has to end by itself before its kernel is ended. */
const GRACE_MS = 5000;
/** Milliseconds after the last cell in which failures it left behind still count. */
const SETTLE_MS = 100;

/** Runs all code cells in order up to the first failure; the result holds what was shown until then. */
export async function executeNotebook(
  original: Notebook,
  open: () => Promise<NotebookKernel>,
  options: ExecuteOptions,
): Promise<NotebookResult> {
  const started = performance.now();
  const notebook = withoutOutputs(original);
  const cells = cellsToRun(notebook, options.leaveOut);
  const limits = new Limits(options);
  const kernel = await open();
  const run = new Run(kernel, limits);
  let executed = 0;
  let failure: Failure | undefined;
  try {
    for (const cell of cells) {
      const place = { cell: executed + 1, of: cells.length, notebook };
      options.onCell?.({ ...place, done: false });
      failure = await run.cell(cell, ++executed);
      options.onCell?.({ ...place, done: true });
      if (failure) break;
    }
    failure ??= await run.settle();
  } finally {
    limits.dispose();
    await kernel.close();
  }
  const seconds = (performance.now() - started) / 1000;
  return { notebook, ok: failure === undefined, executed, codeCells: cells.length, seconds, failure };
}

/** What ends a cell from outside. */
interface Stop {
  readonly stop: string;
  readonly interrupted?: boolean;
  /** The kernel is not there any more. */
  readonly gone?: boolean;
}

/** The limits of one notebook's run as promises of what stops it. */
class Limits {
  private readonly end: number;
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly aborted: Promise<Stop>;
  private removeListener = (): void => undefined;

  constructor(private readonly options: ExecuteOptions) {
    this.end = performance.now() + (options.notebookTimeoutMs ?? Infinity);
    this.aborted = new Promise((resolve) => {
      const onAbort = (): void => resolve({ stop: 'interrupted', interrupted: true });
      if (options.signal?.aborted) onAbort();
      options.signal?.addEventListener('abort', onAbort);
      this.removeListener = () => options.signal?.removeEventListener('abort', onAbort);
    });
  }

  /** Resolves when the cell that starts now must stop. */
  forCell(): Promise<Stop> {
    const { timeoutMs, notebookTimeoutMs } = this.options;
    const left = this.end - performance.now();
    const whole = left < timeoutMs;
    const stop = whole
      ? `the notebook did not end within ${(notebookTimeoutMs ?? 0) / 1000} s`
      : `the cell did not end within ${timeoutMs / 1000} s`;
    return Promise.race([this.aborted, this.after(Math.max(0, whole ? left : timeoutMs), { stop })]);
  }

  after<T>(ms: number, value: T): Promise<T> {
    return new Promise((resolve) => {
      // setTimeout takes no more than 2^31 - 1 milliseconds: 24 days.
      const timer = setTimeout(() => resolve(value), Math.min(ms, 2 ** 31 - 1));
      this.timers.add(timer);
    });
  }

  clearTimers(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }

  dispose(): void {
    this.clearTimers();
    this.removeListener();
  }
}

/** The cells of one run, with errors that arrive when their cell has long ended. */
class Run {
  private readonly collector = new OutputCollector();
  private readonly late: Failure[] = [];
  private readonly gone: Promise<Stop>;

  constructor(
    private readonly kernel: NotebookKernel,
    private readonly limits: Limits,
  ) {
    this.gone = kernel.gone.then((stop) => ({ stop, gone: true }));
  }

  /** Runs one cell; resolves to the failure that ends the notebook. */
  async cell(cell: Cell, number: number): Promise<Failure | undefined> {
    const outputs = this.collector.startCell(cell);
    let unhandled: string | undefined;
    const show = (output: KernelOutput): void => {
      outputs.show(output);
      if (output.type !== 'error' || mayRaise(cell)) return;
      const reason = output.evalue ? `${output.ename}: ${output.evalue}` : output.ename;
      unhandled ??= reason;
      this.late.push({ cell: number, reason: failureLine(reason) });
    };
    const running = this.kernel.execute(sourceOf(cell), show);
    // Where the kernel is gone the execution may be rejected after nobody waits for it.
    running.catch(() => undefined);
    const end = await Promise.race([running, this.gone, this.limits.forCell()]);
    this.limits.clearTimers();
    cell.execution_count = number;
    if ('stop' in end) return this.stopped(end, running, outputs, number);
    if (end.ok && end.count !== undefined) cell.execution_count = end.count;
    if (mayRaise(cell)) return undefined;
    if (end.ok) return this.late[0];
    return { cell: number, reason: explain(end, unhandled, outputs) };
  }

  /** Waits for failures of work that cells left behind. */
  async settle(): Promise<Failure | undefined> {
    await this.limits.after(SETTLE_MS, undefined);
    return this.late[0];
  }

  private async stopped(
    { stop, interrupted, gone }: Stop,
    running: Promise<CellEnd>,
    outputs: CellOutputs,
    number: number,
  ): Promise<Failure> {
    if (!gone && (await this.kernel.interrupt()))
      await Promise.race([running.catch(() => undefined), this.gone, this.limits.after(GRACE_MS, undefined)]);
    if (!outputs.endsWithError())
      outputs.show({ type: 'error', ename: 'Error', evalue: stop, traceback: [stop] });
    return { cell: number, reason: stop, ...(interrupted && { interrupted }) };
  }
}

/** One line for why a cell failed; its outputs end with an error in any case. */
function explain(
  end: Extract<CellEnd, { ok: false }>,
  unhandled: string | undefined,
  outputs: CellOutputs,
): string {
  const text = (end.reason ?? unhandled ?? outputs.standardError().trim()) || 'the cell failed';
  const summary = failureLine(text);
  if (!outputs.endsWithError()) {
    const named = /((?:[A-Z]\w*)?(?:Error|Exception)): (.*)$/.exec(summary);
    const [ename, evalue] = named ? [named[1], named[2]] : ['Error', summary];
    outputs.show({ type: 'error', ename, evalue, traceback: text.split('\n') });
  }
  return summary;
}
