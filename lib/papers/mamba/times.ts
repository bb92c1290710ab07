/** Claims that are timed: a pass over T tokens and one step of generation after T tokens, operator and block. */
import { setThreads, threads } from '../../cpu/index.js';
import { selectiveScan, selectiveScanStep } from '../../families/selective-scan/index.js';
import { softmaxAttention } from '../../families/softmax-attention/index.js';
import { matmul } from '../../ops/matmul/index.js';
import {
  createMambaBlock,
  createTransformerBlock,
  KeyValueCache,
  mambaBlock,
  mambaState,
  normal,
  transformerBlock,
} from '../../nn/index.js';
import { scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';
import type { BackendName } from '../../tensor/backend.js';
import type { Measurement, Size } from '../ledger/types.js';
import { TIMING_SEEDS, TimingBench, type Sampling } from '../timed-part.js';
import { timeCases, type TimedCase } from '../timing.js';
import type { TaskContext } from '../paper.js';

/** Sizes of one timing run. Both blocks have the same width; Mamba's scan has twice as many channels. */
export interface TimingPlan {
  width: number;
  heads: number;
  states: number;
  /** Lengths of a pass. */
  lengths: readonly number[];
  /** Contexts before a step of generation. */
  contexts: readonly number[];
  seeds: readonly number[];
  pass: Sampling;
  step: Sampling;
  clock: 'processor' | 'wall';
}

const QUICK: Sampling = { samples: 1, leastMilliseconds: 1 };

export function timingPlan(size: Size, backend: BackendName): TimingPlan {
  const shared = { width: 128, heads: 2, states: 16, clock: 'processor' as const };
  switch (size) {
    case 'smoke':
      return {
        ...shared,
        width: 32,
        lengths: [64, 128, 256, 512],
        contexts: [64, 128, 256, 512],
        seeds: [1, 2],
        pass: QUICK,
        step: QUICK,
      };
    case 'lesson':
      return {
        ...shared,
        lengths: [256, 512, 1024, 2048, 4096],
        contexts: [1024, 2048, 4096, 8192, 16384],
        seeds: TIMING_SEEDS,
        pass: { samples: 3, leastMilliseconds: 4 },
        step: { samples: 9, leastMilliseconds: 8 },
      };
    case 'full': {
      // A GPU is not full at small sizes.
      const large = backend === 'webgpu' ? { ...shared, width: 1024, heads: 16 } : shared;
      return {
        ...large,
        lengths: [1024, 2048, 4096, 8192, 16384],
        contexts: [2048, 4096, 8192, 16384, 32768],
        seeds: TIMING_SEEDS,
        pass: { samples: 5, leastMilliseconds: 20 },
        step: { samples: 15, leastMilliseconds: 20 },
      };
    }
    default:
      return size satisfies never;
  }
}

/** A cache that holds `context` random tokens. */
function cacheOf(bench: TimingBench, context: number, heads: number, size: number): KeyValueCache {
  const cache = bench.keep(new KeyValueCache({ batch: 1, heads, size }, context + 1));
  scope(() => {
    const draw = (time: number) => normal(bench.random, [1, time, heads, size], 1);
    noGrad(() => cache.attend(draw(1), draw(context), draw(context)));
  });
  return cache;
}

function negativeRates(bench: TimingBench, channels: number, states: number): Tensor {
  const values = Float32Array.from({ length: channels * states }, (_, i) => -1 - (i % states));
  return bench.own(tensor(values, { shape: [channels, states] }));
}

/** A pass over T tokens. `matmul` (a linear map of every token) is known to be linear in T: the positive control. */
function passCases(bench: TimingBench, plan: TimingPlan): TimedCase[] {
  const { width, heads, states } = plan;
  const channels = 2 * width;
  const mamba = bench.own(createMambaBlock({ width, stateSize: states }, bench.random.split('mamba')));
  const config = { width, heads, mlp: 'swiglu' as const, hidden: 4 * width };
  const transformer = bench.own(createTransformerBlock(config, bench.random.split('transformer')));
  const A = negativeRates(bench, channels, states);
  const weight = bench.normal(width, width);
  return plan.lengths.flatMap((T): TimedCase[] => {
    const u = bench.normal(1, T, channels);
    const delta = bench.normal(1, T, channels);
    const [B, C] = [bench.normal(1, T, 1, states), bench.normal(1, T, 1, states)];
    const [q, k, v] = [0, 1, 2].map(() => bench.normal(1, T, heads, width / heads));
    const x = bench.normal(1, T, width);
    return [
      { arm: 'selective-scan', at: T, run: () => selectiveScan({ u, delta, A, B, C }, { softplus: true }).y },
      { arm: 'attention-tiled', at: T, run: () => softmaxAttention(q, k, v, { form: 'chunk' }) },
      { arm: 'linear-map', at: T, run: () => matmul(x, weight) },
      { arm: 'mamba-block', at: T, run: () => mambaBlock(mamba, x).y },
      { arm: 'transformer-block', at: T, run: () => transformerBlock(config, transformer, x) },
    ];
  });
}

/** One step of generation after T tokens; a cache forgets the step before it. */
function stepCases(bench: TimingBench, plan: TimingPlan): TimedCase[] {
  const { width, heads, states } = plan;
  const channels = 2 * width;
  const size = width / heads;
  const mamba = bench.own(createMambaBlock({ width, stateSize: states }, bench.random.split('mamba')));
  const config = { width, heads, mlp: 'swiglu' as const, hidden: 4 * width };
  const transformer = bench.own(createTransformerBlock(config, bench.random.split('transformer')));
  const A = negativeRates(bench, channels, states);
  const x = bench.normal(1, 1, width);
  const [u, delta] = [bench.normal(1, 1, channels), bench.normal(1, 1, channels)];
  const [B, C] = [bench.normal(1, 1, 1, states), bench.normal(1, 1, 1, states)];
  const q = bench.normal(1, 1, heads, size);
  return plan.contexts.flatMap((T): TimedCase[] => {
    const [k, v] = [bench.normal(1, T, heads, size), bench.normal(1, T, heads, size)];
    const cache = cacheOf(bench, T, heads, size);
    // The state of a Mamba model has the same shape after any context; its values do not change the time.
    const initialState = bench.normal(1, channels, states);
    const state = bench.own(mambaState({ width, stateSize: states }, 1));
    return [
      {
        arm: 'scan-step',
        at: T,
        run: () => selectiveScanStep({ u, delta, A, B, C, initialState }, { softplus: true }).y,
      },
      { arm: 'attention-step', at: T, run: () => softmaxAttention(q, k, v, { form: 'step' }) },
      { arm: 'mamba-block-step', at: T, run: () => mambaBlock(mamba, x, state).y },
      {
        arm: 'transformer-block-step',
        at: T,
        run: () => {
          cache.truncate(T);
          return transformerBlock(config, transformer, x, cache);
        },
      },
    ];
  });
}

/** Times all arms on one thread (on a GPU: the whole device). */
export async function measureTimes(
  which: 'pass' | 'step',
  plan: TimingPlan,
  context: TaskContext,
): Promise<Measurement[]> {
  const before = threads();
  setThreads(1);
  const bench = new TimingBench();
  try {
    const cases = which === 'pass' ? passCases(bench, plan) : stepCases(bench, plan);
    const { seeds, clock } = plan;
    const { samples, leastMilliseconds } = plan[which];
    return await timeCases(cases, {
      seeds,
      samples,
      leastMilliseconds,
      clock,
      ...(context.signal ? { signal: context.signal } : {}),
      progress: (step, steps) => context.progress?.({ step, steps }),
    });
  } finally {
    bench.dispose();
    setThreads(before);
  }
}

/** How the time of a pass grows, roughly, for the estimate; a step of Mamba does not. */
function growth(which: 'pass' | 'step', arm: string): number {
  if (arm === 'attention-tiled') return 2;
  if (arm === 'transformer-block') return 1.7;
  return which === 'pass' || /attention|transformer/.test(arm) ? 1 : 0;
}

/** Seconds that all timings will take, from one quick look at lengths a quarter as long. */
export async function probeTimes(plan: TimingPlan, context: TaskContext): Promise<number> {
  const quarter = (values: readonly number[]) => values.slice(-1).map((value) => value / 4);
  const once: Sampling = { samples: 1, leastMilliseconds: 0 };
  const quick: TimingPlan = {
    ...plan,
    lengths: quarter(plan.lengths),
    contexts: quarter(plan.contexts),
    seeds: [1],
    pass: once,
    step: once,
    clock: 'wall',
  };
  let seconds = 0;
  for (const which of ['pass', 'step'] as const) {
    const sizes = which === 'pass' ? plan.lengths : plan.contexts;
    const { samples, leastMilliseconds } = plan[which];
    // Two and a half more: warming up and finding the number of calls. A sample overshoots its least time a little.
    const rounds = plan.seeds.length * samples + 2.5;
    for (const { arm, at, value } of await measureTimes(which, quick, context)) {
      for (const size of sizes) {
        const once = value * (size / (at as number)) ** growth(which, arm);
        seconds += rounds * Math.max(once, (1.2 * leastMilliseconds) / 1000);
      }
    }
  }
  return seconds;
}
