/** Bytes of the cache by the number of key/value heads, from caches that are filled. */
import { noGrad } from '../../tensor/tape.js';
import { scope } from '../../tensor/scope.js';
import { disposeState, languageModel, stateBytes, type LanguageModelConfig } from '../../nn/index.js';
import { zeros } from '../../tensor/tensor.js';
import type { Measurement } from '../ledger/types.js';

/** Query heads H of the counted model. */
const HEADS = 8;
/** Key/value heads G. */
const GROUPS = [1, 2, 4, 8];
const CONTEXTS = [8, 32, 128];

const model = (keyValueHeads: number) =>
  languageModel({
    ...{ kind: 'transformer', layers: 2, width: 64, heads: HEADS, keyValueHeads, vocabulary: 8 },
  } satisfies LanguageModelConfig);

/** Bytes that a model keeps after reading `tokens` tokens. */
function kept(keyValueHeads: number, tokens: number): number {
  const made = model(keyValueHeads);
  const params = made.initialize(0);
  const state = made.initialState(1, tokens);
  scope(() => noGrad(() => void made.forward(params, zeros([1, tokens], { dtype: 'i32' }), state)));
  const bytes = stateBytes(state);
  disposeState(state);
  return bytes;
}

/** The cache over that of multi-head attention, by G / H; and what stays. */
export function measureCache(): Measurement[] {
  return GROUPS.flatMap((groups) => {
    const shares = CONTEXTS.map((tokens) => kept(groups, tokens) / kept(HEADS, tokens));
    return [
      ...shares.map((value, i) => ({ arm: `${groups} of ${HEADS} heads`, at: CONTEXTS[i], value })),
      ...shares.map((_, i) => ({
        arm: `${groups} of ${HEADS} heads: G/H`,
        at: CONTEXTS[i],
        value: groups / HEADS,
      })),
      { arm: 'cache', at: groups, value: kept(groups, 128) },
      { arm: 'query and output weights', at: groups, value: queryWeights(groups) },
    ];
  });
}

/** Weights of queries and outputs, which do not depend on G. */
function queryWeights(groups: number): number {
  const params = model(groups).initialize(0);
  const [layer] = params.layers;
  return 'q' in layer ? layer.q.size + layer.o.size : NaN;
}
