import { describe, expect, it } from 'vitest';
import {
  allToAllTime,
  exchangeBytes,
  expectedRanks,
  type ExpertExchange,
  type RankNetwork,
} from '../../lib/cost/index.js';

/** All choices of k of n, as lists. */
function subsets(n: number, k: number): number[][] {
  if (k === 0) return [[]];
  return Array.from({ length: n }, (_, last) => last)
    .filter((last) => last >= k - 1)
    .flatMap((last) => subsets(last, k - 1).map((rest) => [...rest, last]));
}

describe('expectedRanks', () => {
  it.each([
    [8, 2, 4],
    [6, 3, 3],
    [8, 4, 2],
    [5, 2, 5],
  ])('is the mean over all choices from %i experts, %i at a time, on %i ranks', (experts, k, ranks) => {
    const all = subsets(experts, k);
    const distinct = all.map((chosen) => new Set(chosen.map((e) => Math.floor((e * ranks) / experts))).size);
    const mean = distinct.reduce((a, b) => a + b, 0) / all.length;
    expect(expectedRanks(experts, k, ranks)).toBeCloseTo(mean, 12);
  });

  it('is all ranks when all experts are chosen, one for one choice, and at most the limit', () => {
    expect(expectedRanks(8, 8, 4)).toBe(4);
    expect(expectedRanks(64, 1, 8)).toBeCloseTo(1, 12);
    expect(expectedRanks(160, 6, 8)).toBeGreaterThan(3);
    expect(expectedRanks(160, 6, 8, 3)).toBeLessThan(3);
    expect(expectedRanks(160, 6, 8, 1)).toBe(1);
    expect(expectedRanks(160, 6, 8, 99)).toBe(expectedRanks(160, 6, 8));
  });

  it('refuses ranks that do not divide the experts and more choices than experts', () => {
    expect(() => expectedRanks(10, 2, 4)).toThrow(/experts must be a multiple of ranks, got 10 and 4/);
    expect(() => expectedRanks(8, 5, 4, 2)).toThrow(/choices must not exceed the 4 experts allowed, got 5/);
  });
});

describe('exchangeBytes', () => {
  const base: ExpertExchange = { tokens: 3, choices: 2, width: 5, bytes: 2, ranks: 4 };

  it('counts by hand: 3 tokens, 2 choices of which 3 in 4 leave, 5 values of 2 bytes', () => {
    expect(exchangeBytes(base)).toEqual({
      copies: 2,
      dispatch: 45,
      combine: 45,
      backward: 0,
      perRank: 90,
      perToken: 30,
    });
  });

  it('doubles in training and takes the width of the way back from bytesBack', () => {
    const { dispatch, combine, backward, perRank } = exchangeBytes({ ...base, bytesBack: 4, training: true });
    expect([dispatch, combine, backward, perRank]).toEqual([45, 90, 135, 270]);
  });

  it('is 2 k h b a token when what stays is counted too, and nothing when all stays', () => {
    expect(exchangeBytes({ ...base, local: 0 }).perToken).toBe(2 * 2 * 5 * 2);
    expect(exchangeBytes({ ...base, local: 1 }).perToken).toBe(0);
    expect(exchangeBytes({ ...base, ranks: 1 }).perToken).toBe(0);
  });

  it('sends one copy for each distinct rank, fewer with a limit', () => {
    const shape = { tokens: 1, choices: 6, width: 10, bytes: 1, ranks: 8, experts: 160 };
    const copies = (more: Partial<ExpertExchange>) => exchangeBytes({ ...shape, ...more }).copies;
    expect(copies({})).toBe(6);
    expect(copies({ copies: 'rank' })).toBe(expectedRanks(160, 6, 8));
    expect(copies({ copies: 'rank', rankLimit: 3 })).toBe(expectedRanks(160, 6, 8, 3));
    const sent = exchangeBytes({ ...shape, copies: 'rank', rankLimit: 1, training: true });
    expect(sent.perRank).toBeCloseTo(4 * 10 * (7 / 8), 12);
  });

  it('agrees with a count over every choice of every token', () => {
    const [experts, k, ranks, width] = [6, 2, 3, 7];
    const all = subsets(experts, k);
    const rankOf = (e: number) => Math.floor((e * ranks) / experts);
    // The home rank runs over all ranks, as every token is as likely on each.
    let [byChoice, byRank] = [0, 0];
    for (let home = 0; home < ranks; home++)
      for (const chosen of all) {
        const remote = chosen.map(rankOf).filter((r) => r !== home);
        byChoice += remote.length;
        byRank += new Set(remote).size;
      }
    const shape = { tokens: 1, choices: k, width, bytes: 1, ranks, experts };
    const tokens = ranks * all.length;
    expect(exchangeBytes(shape).dispatch).toBeCloseTo((width * byChoice) / tokens, 12);
    expect(exchangeBytes({ ...shape, copies: 'rank' }).dispatch).toBeCloseTo((width * byRank) / tokens, 12);
  });

  it('refuses shares outside 0..1 and copies by rank without experts', () => {
    expect(() => exchangeBytes({ ...base, local: 1.5 })).toThrow(/local must lie in 0..1, got 1.5/);
    expect(() => exchangeBytes({ ...base, local: NaN })).toThrow(/local must lie in 0..1/);
    expect(() => exchangeBytes({ ...base, copies: 'rank' })).toThrow(/experts must be given/);
    expect(() => exchangeBytes({ ...base, tokens: 0 })).toThrow(/tokens must be positive/);
  });
});

describe('allToAllTime', () => {
  const intra = { latency: 1e-6, bandwidth: 1e9 };
  const inter = { latency: 1e-5, bandwidth: 1e8 };
  const network: RankNetwork = { ranks: 8, perNode: 4, intra, inter };

  it('adds latency and bytes over bandwidth of every message, by hand', () => {
    // 7 peers, 1,000 bytes to each: 3 inside at 2 us, 4 outside at 20 us.
    expect(allToAllTime(7000, network)).toBeCloseTo(3 * 2e-6 + 4 * 2e-5, 15);
    // Inside: 3 messages of 2 blocks; between: 1 message of 4 blocks.
    expect(allToAllTime(7000, network, 'hierarchical')).toBeCloseTo(3 * 3e-6 + (1e-5 + 4e-5), 15);
    // Ring: 7 steps of 7, 6, ..., 1 blocks over the slow link.
    expect(allToAllTime(7000, network, 'ring')).toBeCloseTo(7 * 1e-5 + 28 * 1e-5, 15);
  });

  it('is the latencies alone for empty messages, fewer of them in two levels', () => {
    expect(allToAllTime(0, network)).toBeCloseTo(3e-6 + 4e-5, 15);
    expect(allToAllTime(0, network, 'hierarchical')).toBeCloseTo(3e-6 + 1e-5, 15);
    expect(allToAllTime(0, { ranks: 1, intra })).toBe(0);
  });

  it('moves the same bytes between nodes in two levels as pairwise', () => {
    const free = { latency: 0, bandwidth: Infinity };
    const between: RankNetwork = { ranks: 12, perNode: 3, intra: free, inter: { latency: 0, bandwidth: 1 } };
    expect(allToAllTime(11, between, 'hierarchical')).toBeCloseTo(allToAllTime(11, between), 12);
  });

  it('refuses networks that cannot be', () => {
    expect(() => allToAllTime(1, { ranks: 8, perNode: 3, intra, inter })).toThrow(/multiple of perNode/);
    expect(() => allToAllTime(1, { ranks: 8, perNode: 4, intra })).toThrow(/inter must be given/);
    expect(() => allToAllTime(NaN, network)).toThrow(/bytes must be finite/);
    expect(() => allToAllTime(1, { ranks: 2, intra: { latency: -1, bandwidth: 1 } })).toThrow(/latency/);
  });
});
