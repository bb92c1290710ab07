import { describe, expect, it } from 'vitest';
import { useBackend } from '../../lib/index.js';
import {
  createLanguageModel,
  matchParameters,
  parameterCount,
  parameterShapes,
  type LanguageModelConfig,
} from '../../lib/nn/language-model.js';
import { countParameters } from '../../lib/nn/parameters.js';
import { tensor } from '../../lib/tensor/tensor.js';
import { treeEntries } from '../../lib/tensor/tree.js';
import { SMALL } from './support.js';

const VARIANTS: LanguageModelConfig[] = [
  SMALL.mamba,
  SMALL.transformer,
  { ...SMALL.mamba, tied: true },
  { kind: 'transformer', layers: 1, width: 24, heads: 4, keyValueHeads: 2, hidden: 40, mlp: 'swiglu' },
];

describe('a language model', () => {
  it.each(VARIANTS)('has exactly the parameters its configuration counts: %j', (config) => {
    const model = createLanguageModel(config, 1);
    const made = Object.fromEntries(treeEntries(model.params).map(([path, t]) => [path, [...t.shape]]));
    expect(made).toEqual(parameterShapes(config));
    expect(countParameters(model.params)).toBe(parameterCount(config));
  });

  it('counts a Mamba block as the paper does: about 3 expand width² per block', () => {
    const width = 768;
    const one =
      parameterCount({ kind: 'mamba', layers: 2, width }) -
      parameterCount({ kind: 'mamba', layers: 1, width });
    expect(one / (3 * 2 * width * width)).toBeGreaterThan(1);
    expect(one / (3 * 2 * width * width)).toBeLessThan(1.1);
  });

  it('starts near the loss of guessing and depends on the seed alone', async () => {
    await useBackend('wasm');
    for (const config of [SMALL.mamba, SMALL.transformer]) {
      const model = createLanguageModel(config, 1);
      const ids = tensor(
        Int32Array.from({ length: 40 }, (_, i) => (i * 7) % 32),
        { shape: [2, 20] },
      );
      const loss = (params: typeof model.params) => model.loss(params, ids, ids).dataSync()[0];
      expect(Math.abs(loss(model.params) - Math.log(32))).toBeLessThan(0.5);
      expect(loss(model.initialize(1))).toBe(loss(model.params));
      expect(loss(model.initialize(2))).not.toBe(loss(model.params));
    }
  });

  it('can be sized to the parameters of another within 2 %', () => {
    const mamba: LanguageModelConfig = { kind: 'mamba', layers: 4, width: 96 };
    const transformer: LanguageModelConfig = { kind: 'transformer', layers: 2, width: 96, heads: 3 };
    for (const [config, reference] of [
      [transformer, mamba],
      [mamba, transformer],
    ] as const) {
      const found = matchParameters(config, reference);
      expect(Math.abs(parameterCount(found) / parameterCount(reference) - 1)).toBeLessThanOrEqual(0.02);
    }
    const tiny: LanguageModelConfig = { kind: 'mamba', layers: 1, width: 1 };
    expect(() => matchParameters(transformer, tiny)).toThrow(/within 2 %/);
  });

  it('refuses sizes that make no model', () => {
    const bad = (change: object) => () => createLanguageModel({ ...SMALL.transformer, ...change });
    expect(bad({ kind: 'rnn' })).toThrow(/kind must be mamba or transformer, got "rnn"/);
    expect(bad({ layers: 0 })).toThrow(/layers must be a positive integer, got 0/);
    expect(bad({ width: 2.5 })).toThrow(/width must be a positive integer/);
    expect(bad({ heads: 3 })).toThrow(/heads must divide width/);
    expect(bad({ heads: 16 })).toThrow(/must be even/);
    expect(bad({ keyValueHeads: 3 })).toThrow(/keyValueHeads must divide heads/);
    expect(() => createLanguageModel({ kind: 'mamba', layers: 1, width: 4, stateSize: 0 })).toThrow(
      /stateSize/,
    );
  });
});
