/** Frequencies of rotary embeddings against transformers (test/golden/make/rotary.py) and written-down vectors. */
import { describe, expect, it } from 'vitest';
import { rotaryFrequencies, yarnRange, type RotaryOptions, type RotaryScaling } from '../../lib/index.js';
import { goldenJson } from '../nn/support.js';

interface GoldenFrequencies {
  name: string;
  type: 'linear' | 'dynamic' | 'yarn' | 'llama3' | 'longrope' | 'proportional';
  size: number;
  most: number;
  length: number | null;
  parameters: Record<string, number & number[] & boolean>;
  frequencies: number[];
  attentionFactor: number;
}

const golden = goldenJson('rotary.json');

/** Upstream's configuration in our words. */
function scalingOf(c: GoldenFrequencies): RotaryScaling {
  const p = c.parameters;
  const { factor, original_max_position_embeddings: originalLength } = p;
  switch (c.type) {
    case 'linear':
      return { type: 'linear', factor };
    case 'dynamic':
      return { type: 'dynamic-ntk', factor, originalLength: c.most, length: c.length! };
    case 'proportional':
      return { type: 'proportional', factor, rotated: p.partial_rotary_factor * c.size };
    case 'llama3':
      return {
        type: 'llama3',
        factor,
        originalLength,
        lowFrequencyFactor: p.low_freq_factor,
        highFrequencyFactor: p.high_freq_factor,
      };
    case 'longrope':
      return {
        type: 'longrope',
        factors: c.length! > originalLength ? p.long_factor : p.short_factor,
        factor,
        originalLength,
      };
    case 'yarn':
      return {
        type: 'yarn',
        factor,
        originalLength,
        betaFast: p.beta_fast,
        betaSlow: p.beta_slow,
        mscale: p.mscale,
        mscaleAllDim: p.mscale_all_dim,
        attentionFactor: p.attention_factor,
        truncate: p.truncate,
      };
  }
}

describe('frequencies are those of transformers', () => {
  it.each(golden.frequencies as GoldenFrequencies[])('$name, to twelve digits', (c) => {
    const share = c.type === 'proportional' ? 1 : (c.parameters.partial_rotary_factor ?? 1);
    const dims = c.size * share;
    const got = rotaryFrequencies(dims, { base: c.parameters.rope_theta, scaling: scalingOf(c) });
    expect(got.frequencies.length).toBe(c.frequencies.length);
    got.frequencies.forEach((f, j) => expect(Math.abs(f - c.frequencies[j])).toBeLessThanOrEqual(1e-12 * f));
    expect(Math.abs(got.attentionFactor / c.attentionFactor - 1)).toBeLessThan(1e-14);
  });

  it('and have the written-down vectors of YaRN and NTK: 128 features, 4096 positions, factor 4', () => {
    const yarn = { type: 'yarn', factor: 4, originalLength: 4096 } as const;
    expect(yarnRange(128, 10000, yarn)).toEqual({ low: 20, high: 46 });
    expect(rotaryFrequencies(128, { scaling: yarn }).attentionFactor).toBeCloseTo(1.1386294, 7);
    const ntk = rotaryFrequencies(128, { scaling: { type: 'ntk', factor: 4 } }).frequencies;
    const slowest = rotaryFrequencies(128, { base: 40889.942 }).frequencies[63];
    // The vector has eight digits.
    expect(Math.abs(ntk[63] / slowest - 1)).toBeLessThan(2e-8);
    // The slowest frequency is interpolated by the whole factor, the fastest not at all.
    expect(Math.abs(ntk[63] * 4 * 10000 ** (126 / 128) - 1)).toBeLessThan(1e-12);
    expect(ntk[0]).toBe(1);
  });

  it('of RetNet end at exactly 1/base, unlike those of RoPE', () => {
    const retnet = rotaryFrequencies(8, { spacing: 'retnet' }).frequencies;
    expect(Array.from(retnet, (f) => f.toFixed(12))).toEqual(
      [1, 10000 ** (-1 / 3), 10000 ** (-2 / 3), 1e-4].map((f) => f.toFixed(12)),
    );
    expect(rotaryFrequencies(8).frequencies[3]).toBeGreaterThan(9e-4);
  });

  it.each<[string, number, RotaryOptions, string]>([
    ['odd sizes', 7, {}, 'dims must be a positive even integer, got 7'],
    ['factors of zero', 8, { scaling: { type: 'linear', factor: 0 } }, 'factor must be a positive number'],
    [
      'a scaling of RetNet',
      8,
      { spacing: 'retnet', scaling: { type: 'ntk', factor: 2 } },
      'scaling must be absent with spacing retnet, got "ntk"',
    ],
    [
      'short lists',
      8,
      { scaling: { type: 'longrope', factors: [1], factor: 1, originalLength: 4 } },
      'factors must hold dims / 2 = 4 numbers, got 1',
    ],
    [
      'other words',
      8,
      { scaling: { type: 'su', factor: 2 } as never },
      'scaling must be one of linear, ntk,',
    ],
  ])('refuse %s', (_, dims, options, message) => {
    expect(() => rotaryFrequencies(dims, options)).toThrow(`rotaryFrequencies: ${message}`);
  });
});
