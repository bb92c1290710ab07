import { describe, expect, it } from 'vitest';
import { expertLayerCost, expertLayerTime } from '../../lib/cost/index.js';
import { keep, matmul, scope, zeros } from '../../lib/index.js';
import { countCost } from '../../lib/cost/index.js';

describe('expertLayerCost', () => {
  const layer = { tokens: 3, experts: 4, choices: 2, width: 5, inner: 7, bytes: 2 };

  it('counts by hand', () => {
    expect(expertLayerCost(layer)).toEqual({
      router: 2 * 3 * 5 * 4,
      experts: 2 * 2 * 3 * 2 * 5 * 7,
      permute: 4 * 2 * 3 * 5 * 2,
      weights: 4 * 2 * 5 * 7 * 2,
      weightsRead: 4 * 2 * 5 * 7 * 2,
      weightsReadExpected: 4 * (1 - 0.5 ** 3) * 2 * 5 * 7 * 2,
    });
    const gated = expertLayerCost({ ...layer, gated: true });
    expect(gated.experts).toBe(1.5 * expertLayerCost(layer).experts);
    expect(gated.weights).toBe(1.5 * expertLayerCost(layer).weights);
  });

  it('reads the weights of k experts for one token', () => {
    const one = expertLayerCost({ ...layer, tokens: 1, experts: 64 });
    expect(one.weightsRead).toBe(2 * 2 * 5 * 7 * 2);
    expect(one.weightsReadExpected).toBeCloseTo(one.weightsRead, 9);
  });

  it('is what the matrix products of one expert cost, when it takes all copies', () => {
    const rows = 2 * 3;
    const { cost } = scope(() =>
      countCost(() => keep(matmul(matmul(zeros([rows, 5]), zeros([5, 7])), zeros([7, 5])))),
    );
    expect(expertLayerCost(layer).experts).toBe(cost.flops);
  });

  it('refuses more choices than experts', () => {
    expect(() => expertLayerCost({ ...layer, choices: 5 })).toThrow(
      /choices must not exceed experts, got 5 of 4/,
    );
    expect(() => expertLayerCost({ ...layer, inner: 0 })).toThrow(/inner must be positive/);
  });
});

describe('expertLayerTime', () => {
  const base = {
    work: { flops: 4e9, bytes: 0 },
    machine: { flops: 1e12, bandwidth: 1e12 },
    exchange: { tokens: 10, choices: 1, width: 100, bytes: 1, ranks: 2 },
    network: { ranks: 2, intra: { latency: 1e-3, bandwidth: 1e6 } },
  };

  it('adds compute and two all-to-alls, or four in training', () => {
    // 10 tokens, half of them leave: 500 bytes, 1.5 ms each way; compute 4 ms.
    expect(expertLayerTime(base).seconds).toBeCloseTo(4e-3 + 2 * 1.5e-3, 12);
    const training = { ...base, exchange: { ...base.exchange, training: true } };
    expect(expertLayerTime(training).exchange).toBeCloseTo(4 * 1.5e-3, 12);
    expect(expertLayerTime(base).exchangeShare).toBeCloseTo(3 / 7, 12);
  });

  it('hides as much of the shorter part as the overlap says', () => {
    expect(expertLayerTime({ ...base, overlap: 1 }).seconds).toBeCloseTo(4e-3, 12);
    expect(expertLayerTime({ ...base, overlap: 0.5 }).seconds).toBeCloseTo(5.5e-3, 12);
    expect(() => expertLayerTime({ ...base, overlap: 2 })).toThrow(/overlap must lie in 0..1, got 2/);
  });

  it('refuses networks of another number of ranks', () => {
    const network = { ...base.network, ranks: 4 };
    expect(() => expertLayerTime({ ...base, network })).toThrow(/exchange.ranks must equal network.ranks/);
  });
});
