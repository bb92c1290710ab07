import { describe, expect, it } from 'vitest';
import {
  crossover,
  decoderCost,
  deviceOf,
  DEVICES,
  kvCacheBytes,
  machineOf,
  measurePeaks,
  mixerCost,
  mixerStepCost,
  operatorCost,
  recurrentStateBytes,
  visiblePairs,
} from '../../lib/index.js';

const HEAD = { heads: 8, key: 64, value: 64 };

describe('what a mixer costs', () => {
  it('counts visible pairs of the triangle and of a window like a double loop', () => {
    for (const [tokens, window] of [
      [1, 1],
      [7, 3],
      [12, 40],
    ] as const) {
      let pairs = 0;
      for (let i = 0; i < tokens; i++) for (let j = 0; j <= i; j++) if (j > i - window) pairs++;
      expect(visiblePairs(tokens, window)).toBe(pairs);
    }
  });

  it('is that of the record of softmax attention, without its exponentials', () => {
    const dims = { B: 1, Tq: 256, Tk: 256, H: 8, Hkv: 8, K: 64, V: 64 };
    const { flops } = operatorCost('softmax-attention', dims);
    const own = mixerCost('attention', { tokens: 256, ...HEAD }).flops;
    expect(own / flops).toBeCloseTo((2 * 64 + 2 * 64) / (2 * 64 + 2 * 64 + 4), 12);
  });

  it('doubles with the length in linear forms and quadruples in quadratic ones', () => {
    const ratio = (form: Parameters<typeof mixerCost>[0]) =>
      mixerCost(form, { tokens: 8192, ...HEAD }).flops / mixerCost(form, { tokens: 4096, ...HEAD }).flops;
    expect(ratio('recurrent')).toBe(2);
    expect(ratio('chunk')).toBe(2);
    expect(ratio('parallel')).toBe(4);
    expect(ratio('attention')).toBeCloseTo(4, 2);
  });

  it('of a step grows with the cache, not with the state', () => {
    const step = (form: 'attention' | 'recurrent', tokens: number) =>
      mixerStepCost(form, { tokens, ...HEAD }).bytes;
    expect(step('attention', 2000)).toBe(2 * step('attention', 1000));
    expect(step('recurrent', 2000)).toBe(step('recurrent', 1000));
  });

  it('keeps 17.2 GB of keys and values for 131,072 tokens of 32 layers with 8 heads of 128 in 16 bits', () => {
    const cache = kvCacheBytes({ layers: 32, keyValueHeads: 8, key: 128, tokens: 131072 });
    expect(cache).toBe(17179869184);
    expect(recurrentStateBytes({ layers: 32, heads: 32, key: 128, value: 128 })).toBe(
      32 * 32 * 128 * 128 * 4,
    );
  });

  it('refuses sizes that are none', () => {
    expect(() => mixerCost('chunk', { tokens: 10, heads: 0, key: 4, value: 4 })).toThrow(
      'mixerCost: heads must be a positive integer, got 0',
    );
  });
});

describe('a decoder in numbers', () => {
  const LLAMA = { layers: 32, width: 4096, heads: 32, hidden: 11008, vocabulary: 32000 };

  it('has the parameters of Llama 2 7B but its norms', () => {
    const norms = 65 * 4096;
    expect(decoderCost(LLAMA, { tokens: 1 }).parameters.total + norms).toBe(6738415616);
  });

  it('reads its weights once for a batch, and costs two operations a multiplied weight and token', () => {
    const one = decoderCost(LLAMA, { tokens: 1 });
    const many = decoderCost(LLAMA, { tokens: 1, batch: 8 });
    expect(many.step.flops).toBe(8 * one.step.flops);
    expect(many.step.bytes).toBeLessThan(1.01 * one.step.bytes);
    const multiplied = one.parameters.total - one.parameters.embedding;
    expect(one.step.flops / (2 * multiplied)).toBeCloseTo(1, 3);
  });

  it('gives a linear mixer its own heads, whatever the key/value heads of attention', () => {
    const cost = (keyValueHeads?: number) =>
      decoderCost({ ...LLAMA, mixer: 'linear', keyValueHeads }, { tokens: 64 });
    expect(cost(8)).toEqual(cost());
  });

  it('keeps as much whatever came before with a linear mixer', () => {
    const kept = (tokens: number) => decoderCost({ ...LLAMA, mixer: 'linear' }, { tokens }).kept;
    expect(kept(100000)).toBe(kept(1));
  });
});

describe('the table of devices', () => {
  it('has unique slugs, sources and figures in a sensible order', () => {
    expect(new Set(DEVICES.map((d) => d.id)).size).toBe(DEVICES.length);
    for (const d of DEVICES) {
      expect(d.source).not.toBe('');
      expect(d.halfFlops).toBeGreaterThanOrEqual(d.singleFlops);
      expect(d.memory).toBeGreaterThan(d.onChip);
    }
  });

  it('names the slugs it has', () => {
    expect(() => deviceOf('abacus')).toThrow('deviceOf: id must be one of v100-32gb, t4');
  });
});

describe('the crossover of a linear and a quadratic mixer', () => {
  const machine = machineOf(deviceOf('a100-80gb'));
  const cost = (form: 'attention' | 'chunk') => (tokens: number) =>
    mixerCost(form, { tokens, heads: 16, key: 128, value: 128, bytes: 2 });

  it('is where the two rooflines meet', () => {
    const at = crossover(machine, cost('attention'), cost('chunk'))!;
    const seconds = (form: 'attention' | 'chunk', tokens: number) => {
      const { flops, bytes } = cost(form)(tokens);
      return Math.max(flops / machine.flops, bytes / machine.bandwidth);
    };
    expect(seconds('chunk', at)).toBeLessThanOrEqual(seconds('attention', at));
    expect(seconds('chunk', at - 1)).toBeGreaterThan(seconds('attention', at - 1));
  });

  it('does not exist where the linear mixer is never ahead', () => {
    expect(crossover(machine, cost('chunk'), cost('attention'))).toBeUndefined();
  });
});

describe('the peaks of this machine', () => {
  it('are finite numbers above zero with what was measured', async () => {
    const peaks = await measurePeaks({ backend: 'wasm', side: 64, words: 4096 });
    expect(peaks).toMatchObject({ backend: 'wasm', side: 64, words: 4096 });
    expect(peaks.flops).toBeGreaterThan(0);
    expect(peaks.bandwidth).toBeGreaterThan(0);
    expect(Number.isFinite(peaks.flops + peaks.bandwidth)).toBe(true);
  });
});
