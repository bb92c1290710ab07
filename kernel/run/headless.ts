/** Runs a notebook on stock tslab in a child process: no Jupyter, no Python, a timeout for each cell. */
import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  OutputCollector,
  failureLine,
  mayRaise,
  sourceOf,
  withoutOutputs,
  type Cell,
  type MimeBundle,
  type Notebook,
  type NotebookResult,
} from './notebook.js';

export interface HeadlessOptions {
  /** Folder of the project. */
  readonly root: string;
  /** Folder the cells run in: the notebook's own. */
  readonly folder: string;
  /** Milliseconds a cell may take. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** Called before a cell (done false) and after it; `notebook` holds the outputs so far. */
  onCell?(progress: { cell: number; of: number; done: boolean; notebook: Notebook }): void;
}

type Message =
  | { type: 'ready' }
  | { type: 'done'; ok: boolean }
  | { type: 'stream'; name: 'stdout' | 'stderr'; text: string }
  | { type: 'display'; data: MimeBundle; metadata: Record<string, unknown>; id?: string; update: boolean }
  | { type: 'unhandled'; event: string; text: string };

/** Time for the child to load its compiler; generous, because it is no part of any cell. */
const START_MS = 120_000;

/** Runs all code cells in order up to the first failure; the result holds what was printed until then. */
export async function runHeadless(original: Notebook, options: HeadlessOptions): Promise<NotebookResult> {
  const tslab = join(options.root, '.assay', 'tslab');
  if (!existsSync(join(tslab, 'node_modules', 'tslab')))
    throw new Error('tslab is not installed: run `node kernel/setup.mjs setup` (or `npm test`) once');
  const started = performance.now();
  const notebook = withoutOutputs(original);
  const cells = notebook.cells.filter((cell) => cell.cell_type === 'code' && sourceOf(cell).trim() !== '');
  const child = new TslabChild(options.root, tslab, options.folder, options.signal);
  let executed = 0;
  let failure: NotebookResult['failure'];
  try {
    await child.ready(START_MS);
    for (const cell of cells) {
      const place = { cell: executed + 1, of: cells.length, notebook };
      options.onCell?.({ ...place, done: false });
      const reason = await child.execute(cell, options.timeoutMs);
      cell.execution_count = ++executed;
      options.onCell?.({ ...place, done: true });
      if (reason !== undefined && (child.dead || !mayRaise(cell))) {
        failure = { cell: executed, reason };
        break;
      }
    }
  } finally {
    child.close();
  }
  const seconds = (performance.now() - started) / 1000;
  return { notebook, ok: failure === undefined, executed, codeCells: cells.length, seconds, failure };
}

/** The child process with tslab in it, one cell at a time. */
class TslabChild {
  private readonly child: ChildProcess;
  private readonly outputs = new OutputCollector();
  private unhandled: string | undefined;
  private settle: ((message: { ok: boolean; reason?: string }) => void) | undefined;
  private early: { ok: boolean; reason?: string } | undefined;
  dead = false;

  constructor(
    root: string,
    tslab: string,
    folder: string,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.child = fork(join(root, 'kernel', 'run', 'tslab-child.mjs'), [tslab], {
      cwd: folder,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.child.on('message', (message) => this.receive(message as Message));
    this.child.on('error', (error) => this.finish({ ok: false, reason: error.message }));
    this.child.on('exit', (code, name) => {
      this.dead = true;
      this.finish({ ok: false, reason: `the kernel process ended (${name ?? `exit code ${code}`})` });
    });
  }

  async ready(timeoutMs: number): Promise<void> {
    const { ok, reason } = await this.wait(timeoutMs, 'tslab did not start');
    if (!ok) throw new Error(`tslab could not be started: ${reason ?? 'unknown reason'}`);
  }

  /** Runs one cell; resolves to the reason when it failed. */
  async execute(cell: Cell, timeoutMs: number): Promise<string | undefined> {
    this.outputs.startCell(cell);
    this.unhandled = undefined;
    const answer = this.wait(timeoutMs, 'the cell did not end');
    if (!this.dead) this.child.send({ type: 'execute', code: sourceOf(cell) }, () => undefined);
    const { ok, reason } = await answer;
    if (ok && this.unhandled === undefined) return undefined;
    const text = (reason ?? this.unhandled ?? this.outputs.standardError().trim()) || 'the cell failed';
    const summary = failureLine(text);
    const named = /((?:[A-Z]\w*)?(?:Error|Exception)): (.*)$/.exec(summary);
    this.outputs.error(named?.[1] ?? 'Error', named?.[2] ?? summary, text.split('\n'));
    return summary;
  }

  close(): void {
    if (this.dead) return;
    if (this.child.connected) this.child.send({ type: 'close' }, () => undefined);
    const killer = setTimeout(() => this.child.kill('SIGKILL'), 3000);
    this.child.once('exit', () => clearTimeout(killer));
  }

  private receive(message: Message): void {
    if (message.type === 'stream') this.outputs.stream(message.name, message.text);
    else if (message.type === 'display') this.showDisplay(message);
    else if (message.type === 'unhandled') {
      this.unhandled ??= `${message.event}: ${message.text}`;
      this.outputs.stream('stderr', message.text + '\n');
    } else this.finish({ ok: message.type === 'ready' || message.ok });
  }

  private showDisplay({ data, metadata, id, update }: Extract<Message, { type: 'display' }>): void {
    if (update && id !== undefined) this.outputs.update(id, data, metadata);
    else this.outputs.display({ output_type: 'display_data', data, metadata }, id);
  }

  private finish(result: { ok: boolean; reason?: string }): void {
    if (this.settle) this.settle(result);
    else if (!result.ok) this.early = result;
  }

  /** Waits for the answer, the end of the process, the timeout or an interrupt; the last two end the process. */
  private wait(timeoutMs: number, what: string): Promise<{ ok: boolean; reason?: string }> {
    if (this.early) return Promise.resolve(this.early);
    return new Promise((resolve) => {
      const stop = (reason: string): void => {
        this.dead = true;
        this.child.kill('SIGKILL');
        done({ ok: false, reason });
      };
      const timer = setTimeout(() => stop(`${what} within ${timeoutMs / 1000} s`), timeoutMs);
      const onAbort = (): void => stop('interrupted');
      const done = (result: { ok: boolean; reason?: string }): void => {
        clearTimeout(timer);
        this.signal?.removeEventListener('abort', onAbort);
        this.settle = undefined;
        resolve(result);
      };
      this.settle = done;
      if (this.signal?.aborted) onAbort();
      else this.signal?.addEventListener('abort', onAbort);
    });
  }
}
