/** Fits on several threads: jobs go to whichever worker is free, results come back in the order of the jobs. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { CancelledError } from '../../lib/core/errors.js';
import {
  inThisThread,
  type FitExecutor,
  type FitJob,
  type FitJobResult,
} from '../../lib/families/scaling-laws/index.js';

/** What a worker answers. */
export type JobAnswer =
  { index: number; result: FitJobResult } | { index: number; error: { name: string; message: string } };

export interface FitPool {
  /** Threads that take jobs; 1 means that the calling thread does them. */
  readonly workers: number;
  readonly executor: FitExecutor;
  /** Ends all threads. */
  close(): Promise<void>;
}

/** The compiled worker: beside this file, or in dist/ when this runs from sources; undefined before the build. */
export function workerFile(root: string): string | undefined {
  const beside = fileURLToPath(new URL('./worker.js', import.meta.url));
  return [beside, join(root, 'dist', 'kernel', 'fit', 'worker.js')].find(existsSync);
}

/**
 * A pool of `workers` threads (default: one a core). With one, or before the project is built, the calling thread does
 * the work: the numbers are the same, because a job is a pure function of its data.
 */
export function openFitPool(root: string, workers = availableParallelism()): FitPool {
  const file = workerFile(root);
  if (workers <= 1 || !file) return { workers: 1, executor: inThisThread, close: () => Promise.resolve() };
  const threads: Worker[] = [];
  const executor: FitExecutor = (jobs, hooks) => {
    while (threads.length < Math.min(workers, jobs.length)) threads.push(new Worker(file));
    return runOn(threads, jobs, hooks).catch(async (error: unknown) => {
      // A thread in the middle of a job answers to nothing: end it, the next call starts fresh ones.
      await Promise.all(threads.splice(0).map((thread) => thread.terminate()));
      throw error;
    });
  };
  const close = async (): Promise<void> => {
    await Promise.all(threads.splice(0).map((thread) => thread.terminate()));
  };
  return { workers, executor, close };
}

function runOn(
  threads: readonly Worker[],
  jobs: readonly FitJob[],
  { signal, onDone }: Parameters<FitExecutor>[1],
): Promise<FitJobResult[]> {
  return new Promise((resolve, reject) => {
    const results: FitJobResult[] = [];
    let [next, open] = [0, jobs.length];
    if (open === 0) return resolve(results);
    const clean: (() => void)[] = [];
    const finish = (end: () => void): void => {
      for (const undo of clean) undo();
      end();
    };
    const fail = (error: Error): void => finish(() => reject(error));
    const feed = (thread: Worker): void => {
      if (next < jobs.length) {
        thread.postMessage({ index: next, job: jobs[next] });
        next++;
      }
    };
    for (const thread of threads) {
      const onMessage = (answer: JobAnswer): void => {
        if ('error' in answer) {
          fail(Object.assign(new Error(answer.error.message), { name: answer.error.name }));
          return;
        }
        results[answer.index] = answer.result;
        onDone?.(answer.index);
        if (--open === 0) finish(() => resolve(results));
        else feed(thread);
      };
      const onError = (error: Error): void => fail(error);
      const onExit = (): void => fail(new Error('fit: a worker thread must stay alive, got its end'));
      thread.on('message', onMessage).on('error', onError).on('exit', onExit);
      clean.push(() => thread.off('message', onMessage).off('error', onError).off('exit', onExit));
    }
    const onAbort = (): void => fail(new CancelledError('fitLaw: cancelled'));
    signal?.addEventListener('abort', onAbort);
    clean.push(() => signal?.removeEventListener('abort', onAbort));
    if (signal?.aborted) onAbort();
    else for (const thread of threads) feed(thread);
  });
}
