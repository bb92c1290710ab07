/**
 * Generation: tokens a second of a Mamba model over those of a transformer with a key/value cache and as many
 * parameters, over growing contexts and batches.
 */
import { median } from '../../core/statistics.js';
import { Random } from '../../core/random.js';
import { setThreads, threads } from '../../cpu/index.js';
import { softmaxAttention } from '../../families/softmax-attention/index.js';
import {
  disposeState,
  KeyValueCache,
  languageModel,
  matchParameters,
  normal,
  parameterCount,
  type LanguageModel,
  type LanguageModelConfig,
  type LanguageModelParameters,
  type LanguageModelState,
} from '../../nn/index.js';
import type { BackendName } from '../../tensor/backend.js';
import { scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';
import { treeTensors } from '../../tensor/tree.js';
import { asPlain } from '../language.js';
import type { Analysis, Control, Criterion, Measurement, Size, Thresholds } from '../ledger/types.js';
import { resultOf, type Experiment, type Part, type Setup, type TaskContext } from '../paper.js';
import { timeCases, type TimedCase } from '../timing.js';
import { TIMING_SEEDS } from './times.js';

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
}

const LESSON = {
  contexts: [32, 128, 512, 1024, 2048, 4096],
  batches: [1, 4, 16],
} as const;

export function generationPlan(size: Size): GenerationPlan {
  switch (size) {
    case 'smoke':
      return {
        ...{ width: 32, layers: 1, heads: 1, contexts: [16, 32, 64, 128], batches: [1, 2, 4] },
        ...{ seeds: [1, 2], samples: 1, leastMilliseconds: 1 },
      };
    case 'lesson':
      return {
        ...{ width: 128, layers: 2, heads: 2, ...LESSON },
        ...{ seeds: TIMING_SEEDS, samples: 5, leastMilliseconds: 8 },
      };
    case 'full':
      return {
        ...{ width: 256, layers: 2, heads: 4, ...LESSON },
        ...{ seeds: TIMING_SEEDS, samples: 9, leastMilliseconds: 20 },
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

/** Arms of one batch at one context; `mamba-again` is the same work as `mamba`, timed on its own. */
function stepCases(
  bench: Bench,
  models: { readonly [arm: string]: { model: LanguageModel; params: LanguageModelParameters } },
  batch: number,
  context: number,
): TimedCase[] {
  const ids = bench.own(tensor(Int32Array.from({ length: batch }, (_, i) => (i * 31) % 256)));
  return ['mamba', 'transformer', 'mamba-again'].map((arm) => {
    const { model, params } = models[arm.replace('-again', '')];
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

/** Seconds of one step of all arms, on one thread. */
export async function timeGeneration(plan: GenerationPlan, context: TaskContext): Promise<Measurement[]> {
  const before = threads();
  setThreads(1);
  const bench = new Bench();
  try {
    const models = Object.fromEntries(
      Object.entries(generationModels(plan)).map(([arm, config]) => {
        const model = languageModel(config);
        return [arm, { model, params: bench.own(model.initialize(arm)) }];
      }),
    );
    const cases = plan.contexts.flatMap((at) => [
      ...plan.batches.flatMap((batch) => stepCases(bench, models, batch, at)),
      attentionCase(bench, plan, at),
    ]);
    return await timeCases(cases, {
      seeds: plan.seeds,
      samples: plan.samples,
      leastMilliseconds: plan.leastMilliseconds,
      clock: 'processor',
      ...(context.signal ? { signal: context.signal } : {}),
      progress: (step, steps) => context.progress?.({ step, steps }),
    });
  } finally {
    bench.dispose();
    setThreads(before);
  }
}

/**
 * Measurements of the claim from seconds of a step: tokens a second of each model (`mamba-batch4` at contexts), Mamba's
 * over the transformer's (`ratio-batch4` at contexts, `ratio-context2048` at batches), Mamba's over its own
 * (`self-batch4`), and parameters.
 */
export function generationMeasurements(plan: GenerationPlan, seconds: readonly Measurement[]): Measurement[] {
  const made: Measurement[] = [];
  const time = (arm: string, at: number, seed: number): number =>
    median(seconds.filter((m) => m.arm === arm && m.at === at && m.seed === seed).map((m) => m.value));
  for (const seed of new Set(seconds.map((m) => m.seed!)))
    for (const at of plan.contexts) {
      made.push({ arm: 'attention', at, seed, value: time('attention', at, seed) });
      for (const batch of plan.batches) {
        const [mamba, transformer, again] = ['mamba', 'transformer', 'mamba-again'].map((arm) =>
          time(`${arm}-batch${batch}`, at, seed),
        );
        const ratio = transformer / mamba;
        made.push(
          { arm: `mamba-batch${batch}`, at, seed, value: batch / mamba },
          { arm: `transformer-batch${batch}`, at, seed, value: batch / transformer },
          { arm: `ratio-batch${batch}`, at, seed, value: ratio },
          { arm: `ratio-context${at}`, at: batch, seed, value: ratio },
          { arm: `self-batch${batch}`, at, seed, value: again / mamba },
        );
      }
    }
  for (const [arm, config] of Object.entries(generationModels(plan)))
    made.push({ arm: `${arm}-parameters`, value: parameterCount(config) });
  return made;
}
