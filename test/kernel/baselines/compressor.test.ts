import { describe, expect, it } from 'vitest';
import { Random } from '../../../lib/core/random.js';
import { generateText } from '../../../lib/tasks/entropy-source.js';
import { compressorBits } from '../../../kernel/baselines/compressor.js';

describe('compressorBits', () => {
  it('is about 8 for noise, near 0 for a repeat, and lists the best first', () => {
    const random = new Random('noise');
    const noise = Uint8Array.from({ length: 40000 }, () => random.int(256));
    for (const { bitsPerByte } of compressorBits(noise, 30000))
      expect(Math.abs(bitsPerByte - 8)).toBeLessThan(0.1);
    const twice = Uint8Array.from([...noise.subarray(0, 20000), ...noise.subarray(0, 20000)]);
    expect(compressorBits(twice, 20000)[0].bitsPerByte).toBeLessThan(0.1);
    const text = compressorBits(generateText(1, 50000), 45000);
    expect(text.map((r) => r.name)).toContain('brotli 11');
    expect(text.map((r) => r.bitsPerByte)).toEqual([...text.map((r) => r.bitsPerByte)].sort((a, b) => a - b));
  });

  it('refuses a split outside the bytes', () => {
    expect(() => compressorBits(new Uint8Array(4), 4)).toThrow(RangeError);
  });
});
