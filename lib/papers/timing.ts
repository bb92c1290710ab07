/** Times of operators over a growing size: side by side, repeated, medians only. */
import { stopSignal } from '../core/ambient-signal.js';
import { CancelledError } from '../core/errors.js';
import { median } from '../core/statistics.js';
import { reshape, slice } from '../ops/structure/index.js';
import { currentDevice } from '../tensor/backend.js';
import { scope } from '../tensor/scope.js';
import { noGrad } from '../tensor/tape.js';
import type { Tensor } from '../tensor/tensor.js';
import type { Measurement } from './ledger/types.js';

/** One thing to time at one size. `run` makes its result inside a scope of its own. */
export interface TimedCase {
  arm: string;
  at: number;
  run: () => Tensor;
}

export interface TimingOptions {
  /** Repetitions, named by their seeds: each gives one median for every arm and size. */
  seeds: readonly number[];
  /** Timed samples behind one median. */
  samples: number;
  /** Calls are repeated within a sample until it lasts this long. */
  leastMilliseconds: number;
  /**
   * processor: time this process spent computing, which other programs on the machine do not add to; it equals the wall
   * time of an idle machine while one thread works. Falls back on the wall where the runtime has no such clock, and on a
   * GPU, whose work is not this process's.
   */
  clock: 'processor' | 'wall';
  signal?: AbortSignal;
  progress?: (done: number, of: number) => void;
}

interface Host {
  process?: { cpuUsage?: () => { user: number; system: number } };
}

/** Milliseconds of the chosen clock. */
function clockOf(kind: TimingOptions['clock'], onGpu: boolean): () => number {
  const usage = (globalThis as Host).process?.cpuUsage;
  if (kind === 'wall' || onGpu || !usage) return () => performance.now();
  return () => {
    const { user, system } = usage();
    return (user + system) / 1000;
  };
}

/** Milliseconds of one sample of `calls` calls. On a GPU one number is read back, which waits for all work before it. */
async function sample(run: () => Tensor, calls: number, now: () => number): Promise<number> {
  const start = now();
  let last: Tensor | undefined;
  for (let i = 0; i < calls; i++) {
    last?.dispose();
    last = scope(() => noGrad(run));
  }
  if (last?.device === 'gpu') {
    const whole = last;
    const first = scope(() => slice(reshape(whole, [whole.size]), 0, 0, 1));
    await first.data();
    first.dispose();
  }
  const elapsed = now() - start;
  last?.dispose();
  return elapsed;
}

/** Calls that make a sample last long enough. */
async function callsFor(run: () => Tensor, leastMilliseconds: number, now: () => number): Promise<number> {
  // What the first calls compile must not be taken for the time of one.
  await sample(run, 2, now);
  let calls = 1;
  for (;;) {
    const elapsed = await sample(run, calls, now);
    if (elapsed >= leastMilliseconds || calls >= 4096) return calls;
    calls = Math.min(
      4096,
      Math.max(calls * 2, Math.ceil((calls * leastMilliseconds) / Math.max(elapsed, 1e-3))),
    );
  }
}

/**
 * Seconds per call. Cases are visited in turn within each repetition, so that a slow spell of the machine meets all arms
 * and sizes alike; the value of a repetition is the median of its samples.
 */
export async function timeCases(cases: readonly TimedCase[], options: TimingOptions): Promise<Measurement[]> {
  const { seeds, samples, leastMilliseconds, progress } = options;
  const signal = stopSignal(options.signal);
  const now = clockOf(options.clock, currentDevice() === 'gpu');
  const calls: number[] = [];
  for (const item of cases) calls.push(await callsFor(item.run, leastMilliseconds, now));
  const measurements: Measurement[] = [];
  for (const [done, seed] of seeds.entries()) {
    const taken: number[][] = cases.map(() => []);
    for (let round = 0; round < samples; round++) {
      for (const [i, item] of cases.entries()) {
        if (signal?.aborted) throw new CancelledError('timeCases: cancelled');
        taken[i].push((await sample(item.run, calls[i], now)) / calls[i] / 1000);
        // A macrotask between cases lets signals and messages in.
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
    }
    cases.forEach(({ arm, at }, i) => measurements.push({ arm, seed, at, value: median(taken[i]) }));
    progress?.(done + 1, seeds.length);
  }
  return measurements;
}
