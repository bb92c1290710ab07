/** Runs tasks in processes of their own, side by side; finished ones are kept on disk and never done twice. */
import { fork, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CancelledError, DataError } from '../../lib/core/errors.js';
import { removeFile, withLock, writeAtomic } from '../../lib/tasks/files.js';
import {
  canonicalJson,
  hashText,
  inProcess,
  type Done,
  type Executor,
  type ExperimentEvent,
  type Part,
  type Plain,
  type Task,
} from '../../lib/papers/index.js';
import type { ChildMessage, SetupPlan, StartMessage } from './messages.js';

export interface PoolOptions {
  root: string;
  /** Slug or path, as given. */
  paper: string;
  /** Name of the experiment whose parts run. */
  experiment: string;
  setup: SetupPlan;
  /** Finished tasks and checkpoints live here. */
  folder: string;
  /** Everything else that a result depends on: hashes of code and data. */
  depends: Plain;
  workers: number;
  /** Redo what is finished already. */
  fresh?: boolean;
  /** For people: what is waited for. */
  note?: (text: string) => void;
}

/** Milliseconds a child has to save its checkpoint. */
const GRACE = 20_000;

/** The compiled child: beside this file, or in dist/ when this runs from sources. */
export function childFile(root: string): string {
  const beside = fileURLToPath(new URL('./child.js', import.meta.url));
  return existsSync(beside) ? beside : join(root, 'dist', 'kernel', 'reproduce', 'child.js');
}

/** Tasks of isolated parts run in processes, all others in this one. */
export function poolExecutor(options: PoolOptions): Executor {
  return async (part, tasks, report, run) => {
    if (!part.isolated) return inProcess(part, tasks, report, run);
    return run.probing
      ? runAll(tasks, options.workers, run.signal, (task, signal) =>
          spawnTask(part, task, options, { signal }),
        )
      : runAll(tasks, options.workers, run.signal, (task, signal) =>
          keptTask(part, task, options, report, signal),
        );
  };
}

/** At most `workers` at a time, in order; the first failure stops the rest. */
async function runAll(
  tasks: readonly Task[],
  workers: number,
  outer: AbortSignal | undefined,
  work: (task: Task, signal: AbortSignal) => Promise<Plain>,
): Promise<Done[]> {
  const stop = new AbortController();
  const onAbort = (): void => stop.abort();
  if (outer?.aborted) stop.abort();
  outer?.addEventListener('abort', onAbort);
  const done: Done[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < tasks.length && !stop.signal.aborted) {
      const index = next++;
      try {
        done[index] = { task: tasks[index], result: await work(tasks[index], stop.signal) };
      } catch (error) {
        stop.abort();
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: Math.min(workers, tasks.length) }, worker));
  outer?.removeEventListener('abort', onAbort);
  if (outer?.aborted) throw new CancelledError('reproduce: interrupted; run the same command again to go on');
  // A sibling stopped by the failure reports a cancellation; the failure itself is what matters.
  const errors = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as Error] : []));
  const first = errors.find((error) => error.name !== 'CancelledError') ?? errors[0];
  if (first) throw first;
  return done;
}

/** Folder of a task: the same work has the same folder, whoever asks. */
export function taskFolder(
  part: string,
  task: Task,
  options: Pick<PoolOptions, 'folder' | 'paper' | 'experiment' | 'setup' | 'depends'>,
): string {
  const { size, backend } = options.setup;
  const key = hashText(
    canonicalJson({
      paper: options.paper,
      experiment: options.experiment,
      part,
      task: task.inputs,
      size,
      backend,
      depends: options.depends,
    }),
  );
  return join(options.folder, `${task.id.replace(/[^a-z0-9.-]/gi, '_')}.${key.slice(0, 16)}`);
}

interface Kept {
  result: Plain;
  seconds: number;
}

async function readKept(file: string): Promise<Kept | undefined> {
  if (!existsSync(file)) return undefined;
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Kept;
  } catch (error) {
    throw new DataError(
      `reproduce: ${file} must be a finished task, got ${(error as Error).message}; delete it to do the task again`,
    );
  }
}

/** A result from disk, or the work under a lock; while another process does the same task, waits for its result. */
async function keptTask(
  part: Part,
  task: Task,
  options: PoolOptions,
  report: (event: ExperimentEvent) => void,
  signal: AbortSignal,
): Promise<Plain> {
  const folder = taskFolder(part.name, task, options);
  const file = join(folder, 'result.json');
  if (options.fresh) await removeFile(file).catch(() => undefined);
  for (let waiting = false; ;) {
    const kept = await readKept(file);
    if (kept) {
      report({
        kind: 'done',
        part: part.name,
        task,
        result: kept.result,
        seconds: kept.seconds,
        resumed: true,
      });
      return kept.result;
    }
    try {
      return await withLock(join(folder, 'task'), () =>
        doTask(part, task, options, folder, file, report, signal),
      );
    } catch (error) {
      if (!(error instanceof DataError && error.message.includes('must not be in use'))) throw error;
      if (!waiting) options.note?.(`${task.id}: another run is at it; waiting for its result`);
      waiting = true;
      await new Promise((resolve) => setTimeout(resolve, 500));
      if (signal.aborted) throw new CancelledError('reproduce: interrupted while waiting', { cause: error });
    }
  }
}

async function doTask(
  part: Part,
  task: Task,
  options: PoolOptions,
  folder: string,
  file: string,
  report: (event: ExperimentEvent) => void,
  signal: AbortSignal,
): Promise<Plain> {
  // Another process may have finished it between the look and the lock.
  const kept = await readKept(file);
  if (kept) return kept.result;
  const checkpoint = join(folder, 'checkpoint.safetensors');
  if (options.fresh) await removeFile(checkpoint).catch(() => undefined);
  const started = performance.now();
  const result = await spawnTask(part, task, options, {
    signal,
    checkpoint,
    onProgress: (message) => report({ kind: 'progress', part: part.name, task, progress: message.progress }),
  });
  const seconds = (performance.now() - started) / 1000;
  await writeAtomic(file, `${JSON.stringify({ part: part.name, task, result, seconds }, null, 1)}\n`);
  await removeFile(checkpoint).catch(() => undefined);
  report({ kind: 'done', part: part.name, task, result, seconds, resumed: false });
  return result;
}

interface SpawnOptions {
  signal: AbortSignal;
  checkpoint?: string;
  onProgress?: (message: Extract<ChildMessage, { kind: 'progress' }>) => void;
}

/** One child from start to end. Rejects with the child's error, or with what it left on standard error. */
function spawnTask(
  part: Part,
  task: Task,
  options: PoolOptions,
  { signal, checkpoint, onProgress }: SpawnOptions,
): Promise<Plain> {
  const child = fork(childFile(options.root), [], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    execArgv: [],
  });
  const stop = (): void => cancel(child);
  signal.addEventListener('abort', stop);
  let errors = '';
  child.stderr?.on('data', (text: Buffer) => (errors = (errors + text.toString()).slice(-2000)));
  return new Promise<Plain>((resolve, reject) => {
    let settled = false;
    const settle = (finish: () => void): void => {
      settled = true;
      finish();
    };
    child.on('message', (message: ChildMessage) => {
      if (message.kind === 'progress') onProgress?.(message);
      else if (message.kind === 'result') settle(() => resolve(message.result));
      else settle(() => reject(namedError(message)));
    });
    child.on('error', (error) => settle(() => reject(error)));
    child.on('exit', (code, name) => {
      if (settled) return;
      const reason = errors.trim().split('\n').slice(-3).join(' ') || `exit code ${code ?? name}`;
      reject(
        signal.aborted
          ? new CancelledError('reproduce: interrupted')
          : new DataError(
              `reproduce: ${task.id} must finish, got ${reason}; run the same command again to go on`,
            ),
      );
    });
    const start: StartMessage = {
      kind: 'start',
      root: options.root,
      paper: options.paper,
      experiment: options.experiment,
      setup: options.setup,
      part: part.name,
      task,
      ...(checkpoint ? { checkpoint } : {}),
    };
    child.send(start);
    if (signal.aborted) stop();
  }).finally(() => signal.removeEventListener('abort', stop));
}

/** Asks for a checkpoint; a child that does not answer is ended. */
function cancel(child: ChildProcess): void {
  if (child.connected) child.send({ kind: 'cancel' });
  setTimeout(() => child.kill('SIGKILL'), GRACE).unref();
}

function namedError({ name, message }: { name: string; message: string }): Error {
  if (name === 'CancelledError' || name === 'AbortError') return new CancelledError(message);
  return Object.assign(new Error(message), { name });
}
