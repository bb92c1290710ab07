import { describe, expect, it } from 'vitest';
import { ArgumentError } from '../../lib/core/errors.js';
import { entropyRate, generateText, idealCode } from '../../lib/tasks/entropy-source.js';
import { hashText } from '../../lib/papers/ledger/canonical.js';

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const text = generateText('test');
const rate = entropyRate();

describe('the generated text', () => {
  it('depends on the seed only, and a shorter one is its beginning', () => {
    expect(generateText(1, 5000)).toEqual(generateText(1, 9000).subarray(0, 5000));
    expect(generateText(2, 5000)).not.toEqual(generateText(1, 5000));
    expect(generateText('1', 5000)).not.toEqual(generateText(1, 5000));
    expect(hashText(decode(generateText(1)))).toBe(
      'beeade5ac1d8c1e9d6c677c82b5e5cbf9086812a28afc946b6f1db9db3e37b81',
    );
  });

  it('is ASCII that looks like sentences', () => {
    expect(text.length).toBe(1_000_000);
    expect(text.every((byte) => byte === 10 || (byte >= 32 && byte < 127))).toBe(true);
    const lines = decode(text).split('\n').slice(0, -1);
    expect(lines.every((line) => /^[A-Z][A-Za-z ]*[.!?]$/.test(line))).toBe(true);
  });

  it('repeats the last new name after a word of speech', () => {
    const pattern =
      /(?:Enter|Behold|Meet) ([A-Z][a-z]+)|(?:said|cried|quoth|answered) ([A-Z][a-z]+)(?=[ .!?])/g;
    let last = '';
    let repeated = 0;
    const counts = new Map<string, number>();
    for (const [, fresh, old] of decode(text).matchAll(pattern)) {
      if (fresh) {
        last = fresh;
        counts.set(fresh, (counts.get(fresh) ?? 0) + 1);
      } else {
        expect(old).toBe(last);
        repeated++;
      }
    }
    expect(repeated).toBeGreaterThan(4000);
    expect(counts.size).toBe(64);
    const total = [...counts.values()].reduce((a, b) => a + b, 0);
    let entropy = 0;
    for (const count of counts.values()) entropy -= (count / total) * Math.log2(count / total);
    expect(entropy).toBeGreaterThan(5.98);
  });
});

describe('the entropy rate', () => {
  it('is bits per word over bytes per word, and the words have that mean length', () => {
    expect(rate.bitsPerByte).toBe(rate.bitsPerWord / rate.bytesPerWord);
    const words = decode(text).match(/[.!?]\n| ?[A-Za-z]+/g) ?? [];
    expect(Math.abs(words.join('').length / words.length / rate.bytesPerWord - 1)).toBeLessThan(0.005);
  });

  it('is what the ideal coder spends, within one percent on each of several texts', () => {
    for (const seed of [1, 2, 3]) {
      const { bits, bytes } = idealCode(generateText(seed));
      expect(bytes).toBeGreaterThan(999_950);
      expect(Math.abs(bits / bytes / rate.bitsPerByte - 1)).toBeLessThan(0.01);
    }
  });

  it('agrees with entropies estimated from frequencies alone', () => {
    // Given the last word, its successor depends on nothing else, except a repeated name: so the conditional entropy of
    // words, without the pairs (speech, name), estimates bits per word from counts, slightly low.
    const words = decode(generateText(5, 4_000_000)).match(/[.!?]\n| ?[A-Za-z]+/g) ?? [];
    const kind = (word: string): string => {
      if (/[.!?]\n/.test(word)) return 'end';
      if (/^(Enter|Behold|Meet)$/.test(word)) return 'intro';
      if (/^ (said|cried|quoth|answered)$/.test(word)) return 'speech';
      return word;
    };
    const followers = new Map<string, Map<string, number>>();
    for (let i = 1; i < words.length; i++) {
      // After a name, whether it was new decides what follows.
      const isName = /^ [A-Z]/.test(words[i - 1]);
      const before = isName ? (i > 1 && kind(words[i - 2]) === 'speech' ? 'old' : 'new') : kind(words[i - 1]);
      if (before === 'speech') continue;
      const row = followers.get(before) ?? followers.set(before, new Map<string, number>()).get(before)!;
      row.set(words[i], (row.get(words[i]) ?? 0) + 1);
    }
    let bits = 0;
    for (const row of followers.values()) {
      const total = [...row.values()].reduce((a, b) => a + b, 0);
      for (const count of row.values()) bits -= count * Math.log2(count / total);
    }
    const estimate = bits / words.length;
    expect(estimate).toBeLessThan(rate.bitsPerWord * 1.005);
    expect(estimate).toBeGreaterThan(rate.bitsPerWord * 0.98);
  });
});

describe('idealCode', () => {
  it('adds up: the parts before and after a place make the whole', () => {
    const whole = idealCode(text);
    const late = idealCode(text, 900_000);
    const early = idealCode(text.subarray(0, 900_000));
    expect(late.bytes).toBeGreaterThan(99_950);
    expect(Math.abs(early.bits + late.bits - whole.bits)).toBeLessThan(40);
  });

  it('refuses other text at the word it cannot have written', () => {
    const bytes = (s: string): Uint8Array => new TextEncoder().encode(s);
    expect(() => idealCode(bytes('To be, or not to be.\n'))).toThrow(ArgumentError);
    const names = [...decode(text).matchAll(/Enter ([A-Z][a-z]+)/g)].map((m) => m[1]);
    const other = names.find((name) => name !== names[0]) ?? '';
    const noun = / ([a-z]+) said/.exec(decode(text))?.[1] ?? '';
    const story = (name: string): Uint8Array => bytes(`Enter ${names[0]}.\nThe ${noun} said ${name}.\n`);
    expect(idealCode(story(names[0])).bytes).toBe(story(names[0]).length);
    expect(() => idealCode(story(other))).toThrow(new RegExp(`got " ${other}" at byte`));
    expect(() => generateText(1, 0)).toThrow(/bytes must be a positive integer/);
  });
});
