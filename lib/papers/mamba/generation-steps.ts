/** Seconds of one generated token: a Mamba model and a transformer of equal parameters, by context and batch. */
import { Random } from '../../core/random.js';
import { setThreads, threads } from '../../cpu/index.js';
import { softmaxAttention } from '../../families/softmax-attention/index.js';
import {
  disposeState,
  KeyValueCache,
  languageModel,
  matchParameters,
  type LanguageModel,
  type LanguageModelConfig,
  type LanguageModelParameters,
  type LanguageModelState,
} from '../../nn/index.js';
import { scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';
import { treeTensors } from '../../tensor/tree.js';
import type { Measurement, Size } from '../ledger/types.js';
import type { TaskContext } from '../paper.js';
import { timeCases, type TimedCase } from '../timing.js';
import { JUDGED } from './generation-claim.js';
import { TIMING_SEEDS } from '../timed-part.js';

/** Sizes of one run. `layers` counts transformer blocks; the Mamba model has twice as many. */
export interface GenerationPlan {
  width: number;
  layers: number;
  heads: number;
  /** Tokens before the one that is timed. */
  contexts: readonly number[];
  /** Sequences generated side by side. */
  batches: readonly number[];
  seeds: readonly number[];
  samples: number;
  leastMilliseconds: number;
  /** Steps before the first timed one. */
  warmUp: number;
}

export function generationPlan(size: Size): GenerationPlan {
  switch (size) {
    case 'smoke':
      return {
        ...{ width: 32, layers: 1, heads: 1, contexts: [16, 32, 64, 128], batches: [1, 2, 4] },
        ...{ seeds: [1, 2], samples: 1, leastMilliseconds: 1, warmUp: 20 },
      };
    case 'lesson':
      return {
        ...{ width: 128, layers: 2, heads: 2, ...JUDGED },
        ...{ seeds: TIMING_SEEDS, samples: 5, leastMilliseconds: 30, warmUp: 300 },
      };
    case 'full':
      return {
        ...{ width: 256, layers: 2, heads: 4, ...JUDGED },
        ...{ seeds: TIMING_SEEDS, samples: 9, leastMilliseconds: 40, warmUp: 300 },
      };
    default:
      return size satisfies never;
  }
}

/** The two models of a plan: equal parameters, two Mamba blocks to one of the transformer, as in the paper's models. */
export function generationModels(plan: GenerationPlan): {
  mamba: LanguageModelConfig;
  transformer: LanguageModelConfig;
} {
  const { width, layers, heads } = plan;
  const mamba: LanguageModelConfig = { kind: 'mamba', width, layers: 2 * layers };
  const transformer = matchParameters({ kind: 'transformer', width, layers, heads, mlp: 'swiglu' }, mamba);
  return { mamba, transformer };
}

/** Keys, values and states come from one table of normal numbers: drawing millions would take longer than the timing. */
const TABLE = 1 << 16;

class Bench {
  private readonly owned: Tensor[] = [];
  private readonly states: LanguageModelState[] = [];
  private readonly table = new Float32Array(TABLE);

  constructor() {
    new Random('generation').fillNormal(this.table, 0, 1);
  }

  own<T>(made: T): T {
    this.owned.push(...treeTensors(made));
    return made;
  }

  values(...shape: number[]): Tensor {
    const values = new Float32Array(shape.reduce((a, b) => a * b, 1));
    for (let at = 0; at < values.length; at += TABLE)
      values.set(this.table.subarray(0, Math.min(TABLE, values.length - at)), at);
    return tensor(values, { shape });
  }

  /** The state of a model that has read `context` tokens of `batch` sequences. The time of a step ignores its values. */
  stateAfter(model: LanguageModel, batch: number, context: number): LanguageModelState {
    const state = model.initialState(batch, context + 1);
    this.states.push(state);
    for (const [i, layer] of state.layers.entries()) {
      if (layer instanceof KeyValueCache) this.fill(layer, context);
      else {
        const filled = { conv: this.values(...layer.conv.shape), ssm: this.values(...layer.ssm.shape) };
        for (const t of treeTensors(layer)) t.dispose();
        state.layers[i] = filled;
      }
    }
    return state;
  }

  private fill(cache: KeyValueCache, context: number): void {
    const { batch, heads, size } = cache.sizes;
    scope(() => {
      const rows = (time: number) => this.values(batch, time, heads, size);
      noGrad(() => cache.attend(rows(1), rows(context), rows(context)));
    });
  }

  dispose(): void {
    for (const t of this.owned) t.dispose();
    for (const state of this.states) disposeState(state);
  }
}

/** Both models at one batch and context. */
function stepCases(
  bench: Bench,
  models: { readonly [arm: string]: { model: LanguageModel; params: LanguageModelParameters } },
  batch: number,
  context: number,
): TimedCase[] {
  const ids = bench.own(tensor(Int32Array.from({ length: batch }, (_, i) => (i * 31) % 256)));
  return Object.entries(models).map(([arm, { model, params }]) => {
    const state = bench.stateAfter(model, batch, context);
    const caches = state.layers.filter((layer) => layer instanceof KeyValueCache);
    const run = (): Tensor => {
      // A cache forgets the step before it: every step comes after `context` tokens.
      for (const cache of caches) cache.truncate(context);
      return model.step(params, ids, state).logits;
    };
    return { arm: `${arm}-batch${batch}`, at: context, run };
  });
}

/** One query over keys and values, without the model around it: known to grow with the context. */
function attentionCase(bench: Bench, plan: GenerationPlan, context: number): TimedCase {
  const { heads, width } = plan;
  const head = width / heads;
  const [q, k, v] = [1, context, context].map((time) => bench.own(bench.values(1, time, heads, head)));
  return { arm: 'attention', at: context, run: () => softmaxAttention(q, k, v, { form: 'step' }) };
}

/** Steps of the smallest cases before any is timed: else the first cases are measured with code not yet compiled. */
function warmUp(cases: readonly TimedCase[], calls: number): void {
  for (let i = 0; i < calls; i++) for (const { run } of cases) scope(() => noGrad(run)).dispose();
}

/** Seconds of one step of all arms, on one thread. Batch by batch, so that only the caches of one are in memory. */
export async function timeGeneration(plan: GenerationPlan, context: TaskContext): Promise<Measurement[]> {
  const before = threads();
  setThreads(1);
  const steps = plan.batches.length * plan.seeds.length;
  const made: Measurement[] = [];
  try {
    for (const [i, batch] of plan.batches.entries())
      made.push(
        ...(await timeBatch(plan, batch, context.signal, (done) =>
          context.progress?.({ step: i * plan.seeds.length + done, steps }),
        )),
      );
    return made;
  } finally {
    setThreads(before);
  }
}

async function timeBatch(
  plan: GenerationPlan,
  batch: number,
  signal: AbortSignal | undefined,
  progress: (done: number) => void,
): Promise<Measurement[]> {
  const { contexts, batches, seeds, samples, leastMilliseconds } = plan;
  const bench = new Bench();
  try {
    const models = Object.fromEntries(
      Object.entries(generationModels(plan)).map(([arm, config]) => {
        const model = languageModel(config);
        return [arm, { model, params: bench.own(model.initialize(arm)) }];
      }),
    );
    const cases = contexts.flatMap((at) => [
      ...stepCases(bench, models, batch, at),
      ...(batch === batches[0] ? [attentionCase(bench, plan, at)] : []),
    ]);
    warmUp(cases.slice(0, 2), plan.warmUp);
    return await timeCases(cases, {
      ...{ seeds, samples, leastMilliseconds, progress, clock: 'processor' },
      ...(signal ? { signal } : {}),
    });
  } finally {
    bench.dispose();
  }
}

/** Seconds the timing will take: steps at two short contexts, and a straight line in the context beyond them. */
export async function probeGeneration(plan: GenerationPlan, context: TaskContext): Promise<number> {
  const { contexts, batches, samples, leastMilliseconds } = plan;
  const near = contexts[0];
  const far = Math.max(2 * near, contexts[contexts.length - 1] / 8);
  const quick = { contexts: [near, far], seeds: [0], samples: 1, leastMilliseconds: 0, warmUp: 5 };
  const before = performance.now();
  const measured = await timeGeneration({ ...plan, ...quick }, context);
  // Filling caches grows with the contexts.
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  const filling = ((performance.now() - before) / 1000) * (sum(contexts) / (near + far));
  // Two and a half more: warming up and finding the number of calls. A sample overshoots its least time a little.
  const rounds = plan.seeds.length * samples + 2.5;
  let seconds = filling;
  const arms = batches.flatMap((batch) => [`mamba-batch${batch}`, `transformer-batch${batch}`]);
  for (const arm of [...arms, 'attention']) {
    const time = (at: number) => measured.find((m) => m.arm === arm && m.at === at)!.value;
    const slope = arm.startsWith('mamba') ? 0 : Math.max(0, (time(far) - time(near)) / (far - near));
    for (const at of contexts) {
      const once = time(near) + slope * Math.max(0, at - near);
      seconds += rounds * Math.max(once, (1.2 * leastMilliseconds) / 1000);
    }
  }
  return seconds;
}
