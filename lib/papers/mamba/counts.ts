/** Claims that are counted: bytes a sequence keeps, and operations per token, over growing contexts. */
import { bytesKept, countCost } from '../../cost/index.js';
import { Random } from '../../core/random.js';
import { selectiveScan } from '../../families/selective-scan/index.js';
import { softmaxAttention } from '../../families/softmax-attention/index.js';
import {
  createMambaBlock,
  createTransformerBlock,
  disposeState,
  languageModel,
  mambaBlock,
  normal,
  stateTensors,
  transformerBlock,
  type LanguageModel,
  type LanguageModelConfig,
  type LanguageModelState,
} from '../../nn/index.js';
import { keep, scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import { tensor, zeros, type Tensor } from '../../tensor/tensor.js';
import { treeTensors } from '../../tensor/tree.js';
import type { Measurement } from '../ledger/types.js';

/** Small models: what is counted does not depend on their weights. */
const MODELS: { readonly [arm: string]: LanguageModelConfig } = {
  mamba: { kind: 'mamba', width: 32, layers: 2 },
  transformer: { kind: 'transformer', width: 32, layers: 1, heads: 2, mlp: 'swiglu' },
};
export const CONTEXTS = [64, 128, 256, 512, 1024, 2048];

const tokens = (count: number): Tensor =>
  tensor(
    Int32Array.from({ length: count }, (_, i) => (i * 31) % 256),
    { shape: [1, count] },
  );

/** The state after a context, read in one pass; its tensors outlive the scope. */
function stateAfter(
  model: LanguageModel,
  params: ReturnType<LanguageModel['initialize']>,
  context: number,
): LanguageModelState {
  const start = model.initialState(1, context);
  const before = stateTensors(start);
  const state = scope(() =>
    noGrad(() => {
      const after = model.forward(params, tokens(context), start).state!;
      for (const t of stateTensors(after)) keep(t);
      return after;
    }),
  );
  const kept = new Set(stateTensors(state));
  for (const t of before) if (!kept.has(t)) t.dispose();
  return state;
}

/** Bytes alive after a context and not before: tensors handed over and memory the model keeps, whatever it is called. */
export function measureStateBytes(contexts: readonly number[] = CONTEXTS): Measurement[] {
  return Object.entries(MODELS).flatMap(([arm, config]) => {
    const model = languageModel(config);
    const params = model.initialize(0);
    const measured = contexts.map((at) => {
      // Tables of rotary positions are kept for all sequences alike: the first pass makes them, the second is measured.
      disposeState(stateAfter(model, params, at));
      const { bytes, result } = bytesKept(() => stateAfter(model, params, at));
      disposeState(result);
      return { arm, at, value: bytes };
    });
    for (const t of treeTensors(params)) t.dispose();
    return measured;
  });
}

const WIDTH = 32;
const STATE = 16;

/** Makes the runs whose operations are counted, by arm: each takes a number of tokens. */
function countedRuns(): { runs: { readonly [arm: string]: (time: number) => unknown }; dispose: () => void } {
  const random = new Random('operation counts');
  const mamba = createMambaBlock({ width: WIDTH, stateSize: STATE }, random.split('mamba'));
  const config = { width: WIDTH, heads: 2, mlp: 'swiglu' as const };
  const transformer = createTransformerBlock(config, random.split('transformer'));
  const rates = tensor(new Float32Array(WIDTH * STATE).fill(-1), { shape: [WIDTH, STATE] });
  const input = (time: number) => normal(random.split(time), [1, time, WIDTH], 1);
  const heads = (time: number) => zeros([1, time, 2, WIDTH / 2]);
  return {
    runs: {
      'selective-scan': (time) => {
        const state = () => zeros([1, time, 1, STATE]);
        return selectiveScan(
          { u: input(time), delta: input(time), A: rates, B: state(), C: state() },
          { softplus: true },
        );
      },
      'mamba-block': (time) => mambaBlock(mamba, input(time)),
      attention: (time) => softmaxAttention(heads(time), heads(time), heads(time)),
      'transformer-block': (time) => transformerBlock(config, transformer, input(time)),
    },
    dispose: () => treeTensors([mamba, transformer, rates]).forEach((t) => t.dispose()),
  };
}

const flopsOf = (run: () => unknown): number => scope(() => countCost(() => noGrad(run)).cost.flops);

/**
 * Operations that one more token costs. In a pass over T tokens: the increase from T to 2 T, divided by T, which leaves
 * out what is done once a call (such as A = -exp(aLog)). In generation (`-step` arms): all operations of one step after
 * a context of T tokens.
 */
export function measureOperations(contexts: readonly number[] = CONTEXTS): Measurement[] {
  const { runs, dispose } = countedRuns();
  const measurements: Measurement[] = [];
  for (const [arm, run] of Object.entries(runs)) {
    for (const at of contexts.filter((context) => 2 * context <= contexts[contexts.length - 1])) {
      const [once, twice] = [at, 2 * at].map((time) => flopsOf(() => void run(time)));
      measurements.push({ arm, at, value: (twice - once) / at });
    }
  }
  dispose();
  for (const [arm, config] of Object.entries(MODELS)) {
    const model = languageModel(config);
    const params = model.initialize(0);
    for (const at of contexts) {
      const state = stateAfter(model, params, at);
      const value = flopsOf(() => void model.step(params, tensor(Int32Array.of(7)), state));
      disposeState(state);
      measurements.push({ arm: `${arm}-step`, at, value });
    }
    for (const t of treeTensors(params)) t.dispose();
  }
  return measurements;
}
