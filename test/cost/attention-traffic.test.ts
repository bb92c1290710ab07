import { describe, expect, it } from 'vitest';
import { attentionTraffic, tileShape, type TileVisit } from '../../lib/cost/index.js';

describe('words moved by attention', () => {
  it('are those of the formulas where tiles fit exactly', () => {
    const [tokens, width, onChip] = [512, 32, 4 * 32 * 16];
    const task = { tokens, width, onChip };
    expect(tileShape(task)).toEqual({ queries: 16, keys: 16 });
    const blocks = tokens / 16;
    expect(attentionTraffic('naive', task)).toBe(4 * tokens * width + 4 * tokens ** 2);
    expect(attentionTraffic('flash', task)).toBe(2 * tokens * width + blocks * tokens * (3 * width + 4));
    expect(attentionTraffic('flash-2', task)).toBe(2 * tokens * width + tokens + blocks * 2 * tokens * width);
  });

  it('visit every pair of query and key once, ragged or not, and under a causal mask every visible one', () => {
    for (const algorithm of ['flash', 'flash-2'] as const)
      for (const causal of [false, true]) {
        const n = 37;
        const seen = new Uint8Array(n * n);
        let last = 0;
        const words = attentionTraffic(
          algorithm,
          { tokens: n, width: 8, onChip: 160, causal },
          ({ query, key, shape, words: soFar }: TileVisit) => {
            expect(soFar).toBeGreaterThan(last);
            last = soFar;
            for (let i = query; i < query + shape.queries; i++)
              for (let j = key; j < key + shape.keys; j++) seen[i * n + j]++;
          },
        );
        expect(words).toBeGreaterThanOrEqual(last);
        for (let i = 0; i < n; i++)
          for (let j = 0; j < n; j++) {
            if (!causal || j <= i) expect(seen[i * n + j]).toBe(1);
            else expect(seen[i * n + j]).toBeLessThanOrEqual(1);
          }
      }
  });

  it('fall with the fast memory in the tiled forms only', () => {
    const words = (algorithm: 'naive' | 'flash', onChip: number) =>
      attentionTraffic(algorithm, { tokens: 2048, width: 64, onChip });
    expect(words('flash', 16384)).toBeLessThan(words('flash', 8192));
    expect(words('naive', 16384)).toBe(words('naive', 8192));
  });

  it('need a fast memory of four rows', () => {
    expect(() => attentionTraffic('flash', { tokens: 4, width: 64, onChip: 100 })).toThrow(
      'attentionTraffic: onChip must hold four rows of 64 words, got 100',
    );
  });
});
