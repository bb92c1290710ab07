/** Stock tslab in a child process: no Jupyter, no Python, one cell at a time. */
import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { KernelOutput, MimeBundle } from './notebook.js';
import type { CellEnd, NotebookKernel } from './notebook-kernel.js';

type Message =
  | { type: 'ready' }
  | { type: 'done'; ok: boolean }
  | { type: 'stream'; name: 'stdout' | 'stderr'; text: string }
  | { type: 'display'; data: MimeBundle; metadata: Record<string, unknown>; id?: string; update: boolean }
  | { type: 'unhandled'; event: string; text: string };

/** Time for the child to load its compiler; generous, because it is no part of any cell. */
const START_MS = 120_000;
const CLOSE_MS = 3000;

/** Starts tslab in the notebook's folder; rejects when it is not installed or does not start. */
export async function openTslab(root: string, folder: string, signal?: AbortSignal): Promise<NotebookKernel> {
  const tslab = join(root, '.assay', 'tslab');
  if (!existsSync(join(tslab, 'node_modules', 'tslab')))
    throw new Error('tslab is not installed: run `node kernel/setup.mjs setup` (or `npm test`) once');
  const kernel = new TslabKernel(root, tslab, folder);
  try {
    await kernel.ready(signal);
  } catch (error) {
    await kernel.close();
    throw error;
  }
  return kernel;
}

class TslabKernel implements NotebookKernel {
  readonly gone: Promise<string>;
  private readonly child: ChildProcess;
  private readonly exited: Promise<string>;
  private show: (output: KernelOutput) => void = () => undefined;
  private unhandled: string | undefined;
  private settle: (message: { ok: boolean }) => void = () => undefined;
  private closing = false;

  constructor(root: string, tslab: string, folder: string) {
    this.child = fork(join(root, 'kernel', 'run', 'tslab-child.mjs'), [tslab], {
      cwd: folder,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.child.on('message', (message) => this.receive(message as Message));
    this.exited = new Promise((resolve) => {
      this.child.on('error', (error) => resolve(error.message));
      this.child.on('exit', (code, name) =>
        resolve(`the kernel process ended (${name ?? `exit code ${code}`})`),
      );
    });
    this.gone = new Promise((resolve) => void this.exited.then((why) => this.closing || resolve(why)));
  }

  async ready(signal?: AbortSignal): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const problem = await Promise.race([
      this.answer().then(() => undefined),
      this.exited,
      new Promise<string>((resolve) => {
        timer = setTimeout(() => resolve(`it did not start within ${START_MS / 1000} s`), START_MS);
        if (signal?.aborted) resolve('interrupted');
        signal?.addEventListener('abort', () => resolve('interrupted'), { once: true });
      }),
    ]);
    clearTimeout(timer);
    if (signal?.aborted) throw new DOMException('interrupted', 'AbortError');
    if (problem !== undefined) throw new Error(`tslab could not be started: ${problem}`);
  }

  async execute(code: string, show: (output: KernelOutput) => void): Promise<CellEnd> {
    this.show = show;
    this.unhandled = undefined;
    const answer = this.answer();
    if (this.child.connected) this.child.send({ type: 'execute', code }, () => undefined);
    const { ok } = await answer;
    if (ok && this.unhandled === undefined) return { ok: true };
    return { ok: false, reason: this.unhandled };
  }

  /** tslab's own stop would leave the work going on: the process is ended. */
  async interrupt(): Promise<boolean> {
    this.closing = true;
    this.child.kill('SIGKILL');
    return false;
  }

  async close(): Promise<void> {
    this.closing = true;
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    if (this.child.connected) this.child.send({ type: 'close' }, () => undefined);
    const killer = setTimeout(() => this.child.kill('SIGKILL'), CLOSE_MS);
    await this.exited;
    clearTimeout(killer);
  }

  private answer(): Promise<{ ok: boolean }> {
    return new Promise((resolve) => (this.settle = resolve));
  }

  private receive(message: Message): void {
    if (message.type === 'stream') this.show(message);
    else if (message.type === 'display') this.display(message);
    else if (message.type === 'unhandled') {
      this.unhandled ??= `${message.event}: ${message.text}`;
      this.show({ type: 'stream', name: 'stderr', text: message.text + '\n' });
    } else this.settle({ ok: message.type === 'ready' || message.ok });
  }

  private display({ data, metadata, id, update }: Extract<Message, { type: 'display' }>): void {
    if (update && id !== undefined) this.show({ type: 'update', id, data, metadata });
    else this.show({ type: 'display', output: { output_type: 'display_data', data, metadata }, id });
  }
}
