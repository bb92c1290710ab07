/** Timing: warm-up, up to seven samples of at least five milliseconds, median and quartiles. */
import { quantile } from '../../lib/core/statistics.js';

export interface Timing {
  medianMs: number;
  q1Ms: number;
  q3Ms: number;
  repeats: number;
}

/** Something that can be timed: `calls` calls, then whatever makes a device finish. */
export interface Work {
  run: (calls: number) => unknown;
}

/** A warmed-up piece of work. */
export interface Sampler {
  /** Milliseconds of one call, from the warm-up. */
  once: number;
  /** Samples that fit into the time one row may take. */
  samples: number;
  /** Milliseconds a call, of one sample. */
  take(): Promise<number>;
}

const SAMPLES = 7;
const FEWEST_SAMPLES = 3;
const SHORTEST_SAMPLE_MS = 5;
const WARM_MS = 100;
const LONGEST_MS = 8000;
const MOST_CALLS = 4096;

const now = () => performance.now();

async function timed(run: Work['run'], calls: number): Promise<number> {
  const before = now();
  const result = run(calls);
  // A device answers later; what the host computes is there when the call returns.
  if (result instanceof Promise) await result;
  return (now() - before) / calls;
}

/** Warms up and finds how many calls make a sample. Work that takes longer than the warm-up is called once for it. */
export async function sampler({ run }: Work, longestMs = LONGEST_MS): Promise<Sampler> {
  const begun = now();
  let once = Infinity;
  let calls = 1;
  do {
    const each = await timed(run, calls);
    once = Math.min(once, each);
    if (each * calls < SHORTEST_SAMPLE_MS && calls < MOST_CALLS) calls *= 2;
  } while (now() - begun < WARM_MS);
  calls = Math.max(1, Math.min(MOST_CALLS, Math.ceil(SHORTEST_SAMPLE_MS / Math.max(once, 1e-4))));
  const samples = Math.floor(longestMs / (once * calls));
  return {
    once,
    samples: Math.max(FEWEST_SAMPLES, Math.min(SAMPLES, samples)),
    take: () => timed(run, calls),
  };
}

/** Samples of each in turn, so that a slow spell of the machine meets all alike. */
export async function alternate(
  samplers: readonly Pick<Sampler, 'samples' | 'take'>[],
  betweenRounds: () => unknown = () => undefined,
): Promise<number[][]> {
  const times: number[][] = samplers.map(() => []);
  for (let round = 0; samplers.some((s) => round < s.samples); round++) {
    for (const [i, s] of samplers.entries()) if (round < s.samples) times[i].push(await s.take());
    await betweenRounds();
  }
  return times;
}

/** Median and quartiles of samples. */
export function timingOf(times: readonly number[]): Timing {
  return {
    medianMs: quantile(times, 0.5),
    q1Ms: quantile(times, 0.25),
    q3Ms: quantile(times, 0.75),
    repeats: times.length,
  };
}

/** Times a call by itself; asynchronous calls are awaited. */
export async function measure(call: () => unknown): Promise<Timing> {
  const run = async (calls: number) => {
    for (let i = 0; i < calls; i++) {
      const result = call();
      if (result instanceof Promise) await result;
    }
  };
  return measureWork({ run });
}

/** Times work by itself. */
export async function measureWork(work: Work): Promise<Timing> {
  const [times] = await alternate([await sampler(work)]);
  return timingOf(times);
}
