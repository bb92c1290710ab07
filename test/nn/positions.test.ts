/** Positions that are added to the embedding of a transformer. */
import { beforeAll, describe, expect, it } from 'vitest';
import { assertClose } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { useBackend } from '../../lib/index.js';
import {
  addSinusoids,
  createLanguageModel,
  languageModel,
  parameterCount,
  parameterShapes,
  sinusoids,
  type LanguageModelConfig,
} from '../../lib/nn/index.js';
import { valueAndGrad } from '../../lib/tensor/tape.js';
import { tensor, zeros } from '../../lib/tensor/tensor.js';
import { treeEntries, type Tree } from '../../lib/tensor/tree.js';

const shape = { kind: 'transformer', width: 12, layers: 2, heads: 3, vocabulary: 11 } as const;
const CONFIGS: LanguageModelConfig[] = [
  { ...shape, positions: 'sinusoidal' },
  { ...shape, positions: 'learned', context: 10 },
  { ...shape, positions: 'learned', context: 10, tied: true },
];
const [B, T] = [2, 8];
const random = new Random('positions');
const ids = Int32Array.from({ length: B * T }, () => random.int(11));

beforeAll(() => useBackend('wasm'));

describe.each(CONFIGS)('a transformer with $positions positions (tied: $tied)', (config) => {
  it('has the parameters its configuration counts', () => {
    const { params } = createLanguageModel(config, 1);
    expect(Object.fromEntries(treeEntries(params).map(([path, t]) => [path, [...t.shape]]))).toEqual(
      parameterShapes(config),
    );
  });

  it('gives the same logits step by step and in pieces as in one pass', () => {
    const model = createLanguageModel(config, 5);
    const whole = model.forward(model.params, tensor(ids, { shape: [B, T] })).logits.dataSync();
    const piece = (from: number, to: number) =>
      tensor(
        Int32Array.from(
          { length: B * (to - from) },
          (_, i) => ids[Math.floor(i / (to - from)) * T + from + (i % (to - from))],
        ),
        { shape: [B, to - from] },
      );
    const state = model.initialState(B);
    const found = new Float32Array(whole.length);
    const put = (values: ArrayLike<number>, from: number, count: number) => {
      for (let b = 0; b < B; b++)
        for (let i = 0; i < count * 11; i++) found[(b * T + from) * 11 + i] = values[b * count * 11 + i];
    };
    put(model.forward(model.params, piece(0, 5), state).logits.dataSync(), 0, 5);
    for (let t = 5; t < T; t++) {
      const token = Int32Array.from({ length: B }, (_, b) => ids[b * T + t]);
      put(model.step(model.params, tensor(token), state).logits.dataSync(), t, 1);
    }
    assertClose(found, whole, { name: 'logits', tolerance: 1e-5 });
  });

  it('tells the order of tokens: the same token twice has two predictions', () => {
    const model = createLanguageModel(config, 5);
    const logits = model.forward(model.params, zeros([1, 4], { dtype: 'i32' })).logits.dataSync();
    expect(Math.abs(logits[0] - logits[22])).toBeGreaterThan(1e-4);
  });
});

describe('sinusoids', () => {
  it('are sines in even and cosines in odd features, with wavelengths from 2 pi to 10000 times that', () => {
    const values = sinusoids(3, 2, 6);
    for (const [row, t] of [3, 4].entries())
      for (let j = 0; j < 6; j++) {
        const angle = t * 10000 ** (-(j - (j % 2)) / 6);
        expect(values[row * 6 + j]).toBeCloseTo(j % 2 ? Math.cos(angle) : Math.sin(angle), 6);
      }
  });

  it('are added to embeddings times the square root of the width', () => {
    const x = Float32Array.from({ length: 2 * 3 * 4 }, () => random.normal());
    const found = addSinusoids(tensor(x, { shape: [2, 3, 4] }), 5).dataSync();
    const table = sinusoids(5, 3, 4);
    x.forEach((value, i) => expect(found[i]).toBeCloseTo(2 * value + table[i % 12], 5));
  });
});

describe('learned positions', () => {
  const model = createLanguageModel(CONFIGS[1], 2);

  it('get a gradient where there are tokens, and none beyond', () => {
    const x = tensor(ids, { shape: [B, T] });
    const { grads } = valueAndGrad((p: typeof model.params & Tree) => model.loss(p, x, x))(model.params);
    const gradient = (grads as unknown as { positions: { dataSync(): Float32Array } }).positions.dataSync();
    const size = (row: number) =>
      gradient.subarray(row * 12, (row + 1) * 12).reduce((sum, value) => sum + Math.abs(value), 0);
    for (let row = 0; row < 10; row++)
      if (row < T) expect(size(row)).toBeGreaterThan(0);
      else expect(size(row)).toBe(0);
  });

  it('need a context and refuse tokens beyond it', () => {
    expect(parameterCount(CONFIGS[1]) - parameterCount(CONFIGS[0])).toBe(10 * 12);
    expect(() => model.forward(model.params, zeros([1, 11], { dtype: 'i32' }))).toThrow(
      /ids must end within the 10 learned positions, got 11 tokens/,
    );
    expect(() => languageModel({ ...shape, positions: 'learned' })).toThrow(
      /context must be a positive integer for learned positions, got undefined/,
    );
  });
});
