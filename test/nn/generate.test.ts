import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../lib/core/random.js';
import { useBackend } from '../../lib/index.js';
import { generate, generateBytes, sample } from '../../lib/nn/generate.js';
import { createLanguageModel } from '../../lib/nn/language-model.js';
import { hostMemory } from '../../lib/tensor/host-memory.js';
import { SMALL } from './support.js';

beforeAll(() => useBackend('wasm'));

describe.each(['mamba', 'transformer'] as const)('generation from a %s model', (kind) => {
  const model = createLanguageModel({ ...SMALL[kind], vocabulary: 256 }, 2);
  const run = (change: object = {}) =>
    generateBytes(model, model.params, { prompt: 'Hällo', count: 24, seed: 4, ...change });

  it('gives the same bytes by steps as by recomputing the whole text', async () => {
    expect(await run({ mode: 'recompute' })).toEqual(await run());
    expect(await run({ mode: 'recompute', temperature: 0 })).toEqual(await run({ temperature: 0 }));
  });

  it('repeats with a seed and changes with another', async () => {
    expect(await run()).toEqual(await run());
    expect(await run({ seed: 5 })).not.toEqual(await run());
    expect(await run({ topK: 1 })).toEqual(await run({ temperature: 0 }));
  });

  it('gives its memory back, also when the reader leaves early', async () => {
    await run();
    const before = hostMemory.stats().liveBlocks;
    await run();
    for await (const token of generate(model, model.params, { prompt: [1, 2], count: 50 }))
      if (token >= 0) break;
    expect(hostMemory.stats().liveBlocks).toBe(before);
  });

  it('stops when the signal fires and refuses bad options', async () => {
    const stop = new AbortController();
    const tokens: number[] = [];
    const until = async () => {
      for await (const token of generate(model, model.params, {
        prompt: 'a',
        count: 1000,
        signal: stop.signal,
      })) {
        tokens.push(token);
        if (tokens.length === 3) stop.abort();
      }
    };
    await expect(until()).rejects.toThrow(/an abort after 3 tokens/);
    await expect(run({ prompt: '' })).rejects.toThrow(/prompt must hold at least one token/);
    await expect(run({ prompt: [256] })).rejects.toThrow(/ids in \[0, 256\), got 256 at 0/);
    await expect(run({ temperature: -1 })).rejects.toThrow(/temperature/);
    await expect(run({ topK: 0 })).rejects.toThrow(/topK/);
    await expect(run({ count: 1.5 })).rejects.toThrow(/count/);
  });
});

describe('sampling', () => {
  it('draws with the probabilities of softmax(logits / temperature) over the top k', () => {
    const random = new Random(1);
    const logits = [0, Math.log(3), -50, Math.log(2)];
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 6000; i++) counts[sample(logits, 1, 4, random)]++;
    expect(counts[0] / 6000).toBeCloseTo(1 / 6, 1);
    expect(counts[1] / 6000).toBeCloseTo(3 / 6, 1);
    expect(counts[2]).toBe(0);
    const two = [0, 0, 0, 0];
    for (let i = 0; i < 1000; i++) two[sample(logits, 1, 2, random)]++;
    expect([two[0], two[2]]).toEqual([0, 0]);
    expect(sample([1, 3, 3], 0, 3, random)).toBe(1);
    expect(() => sample([0, NaN, 1], 1, 3, random)).toThrow(/logits must be finite, got NaN at 1/);
  });
});
