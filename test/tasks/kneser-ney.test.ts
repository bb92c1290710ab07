import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../lib/core/errors.js';
import { Random } from '../../lib/core/random.js';
import { generatedText } from '../../lib/tasks/text.js';
import { KneserNey, kneserNeyBits } from '../../lib/tasks/kneser-ney.js';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A text with repetition and noise. */
function sample(length: number): Uint8Array {
  const random = new Random('kneser-ney');
  const words = ['sea', 'seal', 'all', 'tea', 'steal', 'least', 'a', 'tall'];
  let text = '';
  while (text.length < length) text += words[random.categorical([5, 4, 3, 3, 2, 2, 1, 1])] + ' ';
  return encode(text.slice(0, length));
}

/** The definition with maps of strings. */
function oracle(train: Uint8Array, order: number, context: Uint8Array, byte: number): number {
  const text = String.fromCharCode(...train);
  const history = String.fromCharCode(...context);
  let grams = new Map<string, number>();
  for (let i = 0; i + order <= text.length; i++) {
    const gram = text.slice(i, i + order);
    grams.set(gram, (grams.get(gram) ?? 0) + 1);
  }
  const levels = [grams];
  for (let n = order - 1; n >= 1; n--) {
    const lower = new Map<string, number>();
    for (const gram of grams.keys()) lower.set(gram.slice(1), (lower.get(gram.slice(1)) ?? 0) + 1);
    levels.unshift(lower);
    grams = lower;
  }
  let p = 1 / 256;
  for (let n = 1; n <= order; n++) {
    const h = history.slice(history.length - n + 1);
    const level = levels[n - 1];
    const all = [...level.values()];
    const n_ = [0, 1, 2, 3, 4].map((k) => all.filter((c) => c === k).length);
    const y = n_[1] / (n_[1] + 2 * n_[2]);
    const D = (count: number): number => {
      const k = Math.min(count, 3);
      const d = k - (k + 1) * y * (n_[k + 1] / n_[k]);
      return d > 0 && d < k ? d : k / 2;
    };
    const followers = [...level].filter(([gram]) => gram.slice(0, -1) === h).map(([, count]) => count);
    if (followers.length === 0) return p;
    const total = followers.reduce((a, b) => a + b, 0);
    const gamma = followers.reduce((sum, count) => sum + D(count), 0) / total;
    const count = level.get(h + String.fromCharCode(byte)) ?? 0;
    p = (count === 0 ? 0 : count - D(count)) / total + gamma * p;
  }
  return p;
}

describe('KneserNey', () => {
  const train = sample(3000);
  const model = new KneserNey(train, 4);

  it('equals the definition', () => {
    const contexts = ['sea', 'tea', ' a ', 'lea', 'zzz', 'xa ', 'te '].map(encode);
    for (const context of contexts) {
      for (const byte of encode('a estlz')) {
        const got = model.probability(context, 3, byte);
        expect(Math.abs(got / oracle(train, 4, context, byte) - 1)).toBeLessThan(1e-12);
      }
    }
  });

  it('sums to one over all bytes after any context, seen or not, long or short', () => {
    for (const context of ['', 's', 'se', 'eal', 'all the sea', 'zzz', 'ztea', 'é'].map(encode)) {
      let sum = 0;
      for (let byte = 0; byte < 256; byte++) sum += model.probability(context, context.length, byte);
      expect(Math.abs(sum - 1)).toBeLessThan(1e-12);
    }
  });

  it('gives every byte a positive probability', () => {
    expect(model.probability(encode('sea'), 3, 0)).toBeGreaterThan(0);
    expect(new KneserNey(encode('aaaaaaaa'), 5).probability(encode('aaaa'), 4, 98)).toBeGreaterThan(0);
  });

  it('needs eight bits for noise and more context helps on text', () => {
    const random = new Random('noise');
    const noise = Uint8Array.from({ length: 20000 }, () => random.int(256));
    expect(kneserNeyBits(noise, 18000)).toBeGreaterThan(7.95);
    const bits = [1, 2, 3, 4].map((order) => kneserNeyBits(sample(20000), 18000, order));
    expect([...bits].sort((a, b) => b - a)).toEqual(bits);
  });

  it('stays above the floor of a text of known entropy and below the memoryless model', () => {
    const { dataset, floor } = generatedText();
    const bits = kneserNeyBits(dataset.bytes, dataset.split);
    expect(bits).toBeGreaterThan(floor ?? NaN);
    expect(bits).toBeCloseTo(0.8622, 3);
  });

  it('refuses what it cannot count', () => {
    expect(() => new KneserNey(train, 7)).toThrow(ArgumentError);
    expect(() => new KneserNey(encode('abc'), 5)).toThrow(/at least 5 bytes, got 3/);
    expect(() => model.bitsPerByte(train, train.length)).toThrow(ArgumentError);
  });
});
