/** A part of an experiment that times arms over growing sizes on one thread, with its estimate from a short probe. */
import { Random } from '../core/random.js';
import { setThreads, threads } from '../cpu/index.js';
import { normal } from '../nn/index.js';
import type { Tensor } from '../tensor/tensor.js';
import { treeTensors } from '../tensor/tree.js';
import { asPlain } from './language.js';
import type { Measurement, Size } from './ledger/types.js';
import { resultOf, type Part, type Plain, type Results, type Setup, type TaskContext } from './paper.js';
import { timeCases, type TimedCase } from './timing.js';

/** Samples behind one median, and how long one lasts at least. */
export interface Sampling {
  samples: number;
  leastMilliseconds: number;
}

/** Seeds of timings: names of repetitions. */
export const TIMING_SEEDS: readonly number[] = [1, 2, 3, 4, 5];

const SAMPLING: Readonly<Record<Size, Sampling>> = {
  smoke: { samples: 1, leastMilliseconds: 1 },
  lesson: { samples: 3, leastMilliseconds: 4 },
  full: { samples: 5, leastMilliseconds: 20 },
};

/** Inputs shared by timed cases; disposed together at the end. */
export class TimingBench {
  readonly random = new Random('timings');
  private readonly owned: Tensor[] = [];
  private readonly others: { dispose(): void }[] = [];

  /** Takes a tree of tensors over. */
  own<T>(made: T): T {
    this.owned.push(...treeTensors(made));
    return made;
  }

  /** Takes something else over that can be disposed. */
  keep<T extends { dispose(): void }>(made: T): T {
    this.others.push(made);
    return made;
  }

  normal(...shape: number[]): Tensor {
    return this.own(normal(this.random, shape, 1));
  }

  dispose(): void {
    for (const t of this.owned) t.dispose();
    for (const other of this.others) other.dispose();
  }
}

/** What is timed. */
export interface TimedPart {
  name: string;
  /** One line for people. */
  about: string;
  /** Swept sizes. */
  at: Readonly<Record<Size, readonly number[]>>;
  /** Default: 1 sample of 1 ms (smoke), 3 of 4 ms (lesson), 5 of 20 ms (full). */
  sampling?: Readonly<Record<Size, Sampling>>;
  /** The arms at every size. */
  cases(bench: TimingBench, at: readonly number[], setup: Setup): TimedCase[];
  /** Exponent of an arm's time over the size, roughly, for the estimate. */
  growth(arm: string): number;
}

async function measure(
  spec: TimedPart,
  setup: Setup,
  context: TaskContext,
  quick: boolean,
): Promise<Measurement[]> {
  const before = threads();
  setThreads(1);
  const bench = new TimingBench();
  const { samples, leastMilliseconds } = (spec.sampling ?? SAMPLING)[setup.size];
  const sizes = spec.at[setup.size];
  try {
    return await timeCases(spec.cases(bench, quick ? [sizes[sizes.length - 1] / 4] : sizes, setup), {
      seeds: quick ? [1] : setup.size === 'smoke' ? TIMING_SEEDS.slice(0, 2) : TIMING_SEEDS,
      samples: quick ? 1 : samples,
      leastMilliseconds: quick ? 0 : leastMilliseconds,
      clock: quick ? 'wall' : 'processor',
      ...(context.signal ? { signal: context.signal } : {}),
      progress: (step, steps) => context.progress?.({ step, steps }),
    });
  } finally {
    bench.dispose();
    setThreads(before);
  }
}

/** Seconds that all timings will take, from one quick look at a quarter of the largest size. */
async function probe(spec: TimedPart, setup: Setup, context: TaskContext): Promise<number> {
  const { samples, leastMilliseconds } = (spec.sampling ?? SAMPLING)[setup.size];
  // Two and a half more: warming up and finding the number of calls. A sample overshoots its least time a little.
  const rounds = TIMING_SEEDS.length * samples + 2.5;
  let seconds = 0;
  for (const { arm, at, value } of await measure(spec, setup, context, true))
    for (const size of spec.at[setup.size]) {
      const once = value * (size / (at as number)) ** spec.growth(arm);
      seconds += rounds * Math.max(once, (1.2 * leastMilliseconds) / 1000);
    }
  return seconds;
}

/** The part; read its measurements with `timesOf`. */
export function timedPart(spec: TimedPart, setup: Setup): Part {
  return {
    name: spec.name,
    about: spec.about,
    isolated: false,
    probes: [{ id: 'probe', inputs: {} }],
    seconds: ([found]) => found.result as number,
    tasks: () => [{ id: 'times', inputs: {} }],
    run: async (task, context): Promise<Plain> =>
      task.id === 'probe' ? probe(spec, setup, context) : asPlain(await measure(spec, setup, context, false)),
  };
}

/** Seconds per call of every arm, size and repetition. */
export function timesOf(results: Results, part: string): Measurement[] {
  return resultOf<Measurement[]>(results, part, 'times') ?? [];
}
