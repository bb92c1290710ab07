/** Conversion of multi-head to grouped-query attention. */
import { beforeAll, describe, expect, it } from 'vitest';
import { assertClose } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { useBackend } from '../../lib/index.js';
import {
  createLanguageModel,
  HEAD_POOLINGS,
  languageModel,
  parameterCount,
  parameterShapes,
  toGroupedQueryAttention,
  type LanguageModelConfig,
  type LanguageModelParameters,
  type TransformerParameters,
} from '../../lib/nn/index.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { treeEntries } from '../../lib/tensor/tree.js';

const config: LanguageModelConfig = { kind: 'transformer', width: 24, layers: 2, heads: 4, vocabulary: 9 };
const SIZE = 6;
const random = new Random('grouped');
const ids = tensor(
  Int32Array.from({ length: 14 }, () => random.int(9)),
  { shape: [2, 7] },
);
const layer = (params: LanguageModelParameters, i = 0) => params.layers[i] as TransformerParameters;
const logits = (of: LanguageModelConfig, params: LanguageModelParameters) =>
  languageModel(of).forward(params, ids).logits.dataSync() as Float32Array;

/** The rows of head `from` in place of those of every head of its group. */
function repeated(weight: Tensor, groups: number): Tensor {
  const rows = weight.dataSync().slice() as Float32Array;
  const head = SIZE * 24;
  const each = 4 / groups;
  for (let h = 0; h < 4; h++) rows.copyWithin(h * head, (h - (h % each)) * head, (h - (h % each) + 1) * head);
  return tensor(rows, { shape: weight.shape });
}

beforeAll(() => useBackend('wasm'));

describe('toGroupedQueryAttention', () => {
  it.each([1, 2])('changes no output where the heads of each of %i groups are equal', (groups) => {
    const { params } = createLanguageModel(config, 3);
    const layers = params.layers.map((p) => {
      const own = p as TransformerParameters;
      return { ...own, k: repeated(own.k, groups), v: repeated(own.v, groups) };
    });
    const wanted = logits(config, { ...params, layers });
    for (const pooling of ['mean', 'first'] as const) {
      const made = toGroupedQueryAttention(config, { ...params, layers }, { keyValueHeads: groups, pooling });
      assertClose(logits(made.config, made.params), wanted, { name: 'logits', tolerance: 1e-5 });
    }
  });

  it('with as many groups as heads is the model itself', () => {
    const { params } = createLanguageModel(config, 3);
    for (const pooling of ['mean', 'first'] as const) {
      const made = toGroupedQueryAttention(config, params, { keyValueHeads: 4, pooling });
      expect(logits(made.config, made.params)).toEqual(logits(config, params));
    }
  });

  it('takes means and first heads of runs of heads, leaves all else and the model as they are', () => {
    const { params } = createLanguageModel(config, 3);
    const before = layer(params).k.dataSync().slice();
    const mean = toGroupedQueryAttention(config, params, { keyValueHeads: 2 });
    const first = toGroupedQueryAttention(config, params, { keyValueHeads: 2, pooling: 'first' });
    const [k, kMean, kFirst] = [layer(params), layer(mean.params), layer(first.params)].map((p) =>
      p.k.dataSync(),
    );
    const head = SIZE * 24;
    for (let g = 0; g < 2; g++)
      for (let i = 0; i < head; i++) {
        const [a, b] = [k[2 * g * head + i], k[(2 * g + 1) * head + i]];
        expect(kMean[g * head + i]).toBeCloseTo((a + b) / 2, 6);
        expect(kFirst[g * head + i]).toBe(a);
      }
    expect(layer(params).k.dataSync()).toEqual(before);
    expect(layer(mean.params, 1).q).toBe(layer(params, 1).q);
    expect(Object.fromEntries(treeEntries(mean.params).map(([path, t]) => [path, [...t.shape]]))).toEqual(
      parameterShapes(mean.config),
    );
    expect(parameterCount(config) - parameterCount(mean.config)).toBe(2 * 2 * 2 * head);
  });

  it('draws fresh heads from its seed alone, and starts from fewer heads too', () => {
    const { params } = createLanguageModel(config, 3);
    const fresh = (seed: number) =>
      layer(toGroupedQueryAttention(config, params, { keyValueHeads: 1, pooling: 'random', seed }).params)
        .v.dataSync()
        .slice();
    expect(fresh(1)).toEqual(fresh(1));
    expect(fresh(1)).not.toEqual(fresh(2));
    const two = toGroupedQueryAttention(config, params, { keyValueHeads: 2 });
    const one = toGroupedQueryAttention(two.config, two.params, { keyValueHeads: 1 });
    const direct = toGroupedQueryAttention(config, params, { keyValueHeads: 1 });
    assertClose(layer(one.params).k.dataSync(), layer(direct.params).k.dataSync(), {
      name: 'k',
      tolerance: 1e-6,
    });
  });

  it('refuses what it cannot convert', () => {
    const { params } = createLanguageModel(config, 3);
    expect(() => toGroupedQueryAttention(config, params, { keyValueHeads: 3 })).toThrow(
      /keyValueHeads must divide the 4 of the model, got 3/,
    );
    expect(() =>
      toGroupedQueryAttention(config, params, { keyValueHeads: 2, pooling: 'last' as 'first' }),
    ).toThrow(new RegExp(`pooling must be one of ${HEAD_POOLINGS.join(', ')}`));
    const mamba: LanguageModelConfig = { kind: 'mamba', width: 8, layers: 1 };
    expect(() =>
      toGroupedQueryAttention(mamba, createLanguageModel(mamba).params, { keyValueHeads: 1 }),
    ).toThrow(/config must be of kind transformer/);
  });
});
