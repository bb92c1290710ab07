/** A worker thread that does jobs of a fit until its port closes. */
import { parentPort } from 'node:worker_threads';
import { runFitJob, type FitJob } from '../../lib/families/scaling-laws/index.js';
import type { JobAnswer } from './pool.js';

parentPort?.on('message', ({ index, job }: { index: number; job: FitJob }) => {
  let answer: JobAnswer;
  try {
    answer = { index, result: runFitJob(job) };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    answer = { index, error: { name, message } };
  }
  parentPort?.postMessage(answer);
});
