/** A small transformer that generates with a cache and by reading everything again: same logits, counted work. */
import { bytesKept, countCost } from '../../cost/index.js';
import { relativeRms } from '../../core/compare.js';
import {
  disposeState,
  languageModel,
  type LanguageModel,
  type LanguageModelParameters,
  type LanguageModelState,
} from '../../nn/index.js';
import { slice } from '../../ops/structure/index.js';
import { scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';
import { treeTensors } from '../../tensor/tree.js';
import type { Measurement } from '../ledger/types.js';

export const SIZES = { width: 64, heads: 4, layers: 2 } as const;
/** Tokens after which logits are compared; also the contexts of the counts. */
export const CONTEXTS = [64, 128, 256, 512, 1024];

const ids = (from: number, count: number): Tensor =>
  tensor(
    Int32Array.from({ length: count }, (_, i) => ((from + i) * 31 + 7) % 256),
    { shape: [1, count] },
  );

interface Program {
  model: LanguageModel;
  params: LanguageModelParameters;
}

export function withModel<T>(run: (program: Program) => T): T {
  const model = languageModel({ kind: 'transformer', ...SIZES });
  const params = model.initialize('kv-caching');
  const dispose = () => treeTensors(params).forEach((t) => t.dispose());
  const result = run({ model, params });
  if (result instanceof Promise) return result.finally(dispose) as T;
  dispose();
  return result;
}

/** A state that has seen `count` tokens from position `from` of the stream. */
function seen({ model, params }: Program, count: number, from = 0): LanguageModelState {
  const state = model.initialState(1, count + 1);
  scope(() => noGrad(() => void model.forward(params, ids(from, count), state)));
  return state;
}

/** Logits [256] of the token after `context` tokens: read again, and from a state. */
function logitsAgain({ model, params }: Program, context: number): Tensor {
  return scope(() =>
    noGrad(() => slice(model.forward(params, ids(0, context + 1)).logits, 1, context, context + 1)),
  );
}
function logitsFrom({ model, params }: Program, state: LanguageModelState, context: number): Tensor {
  const token = tensor(Int32Array.of((context * 31 + 7) % 256));
  return scope(() => noGrad(() => model.step(params, token, state).logits));
}

/** Relative difference of the logits by context; `another text` had other tokens before. */
export function measureLogits(): Promise<Measurement[]> {
  return withModel(async (program) => {
    const made: Measurement[] = [];
    for (const at of CONTEXTS.slice(0, 3)) {
      const wanted = logitsAgain(program, at);
      for (const [arm, from] of [
        ['cached', 0],
        ['cache of another text', 5],
      ] as const) {
        const state = seen(program, at, from);
        const got = logitsFrom(program, state, at);
        made.push({ arm, at, value: relativeRms(await got.data(), await wanted.data()) });
        got.dispose();
        disposeState(state);
      }
      wanted.dispose();
    }
    return made;
  });
}

const attentionFlops = (run: () => unknown): number => {
  const { cost } = scope(() => countCost(() => noGrad(run)));
  return cost.operators.find(({ op }) => op === 'softmax-attention')!.flops;
};

/** Operations of attention for one generated token after a context. */
export function measureOperations(): Measurement[] {
  return withModel((program) =>
    CONTEXTS.flatMap((at) => {
      const state = seen(program, at);
      const cached = attentionFlops(() => void logitsFrom(program, state, at).dispose());
      const again = attentionFlops(() => void logitsAgain(program, at).dispose());
      disposeState(state);
      return [
        { arm: 'with a cache', at, value: cached },
        { arm: 'reading everything again', at, value: again },
      ];
    }),
  );
}

/** Bytes that exist after a context and not before, beside 2 L H d T b. Contexts are powers of two, as capacities are. */
export function measureBytes(): Measurement[] {
  return withModel(({ model, params }) =>
    CONTEXTS.flatMap((at) => {
      const { bytes, result } = bytesKept(() => {
        const state = model.initialState(1, at);
        scope(() => noGrad(() => void model.forward(params, ids(0, at), state)));
        return state;
      });
      disposeState(result);
      const { layers, width } = SIZES;
      return [
        { arm: 'cache', at, value: bytes },
        { arm: '2 L H d T b', at, value: 2 * layers * width * at * 4 },
      ];
    }),
  );
}
