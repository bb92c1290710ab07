import { describe, expect, it } from 'vitest';
import { bytesKept, countCost, operatorCost, peakBytes, roofline } from '../../lib/cost/index.js';
import { memory } from '../../lib/tensor/memory.js';
import { keep, matmul, scope, softmaxAttention, zeros } from '../../lib/index.js';

describe('countCost', () => {
  it('adds the records formulas over the calls that happen', () => {
    const { cost } = scope(() =>
      countCost(() => void matmul(matmul(zeros([3, 4]), zeros([4, 5])), zeros([5, 2]))),
    );
    expect(cost.flops).toBe(2 * 3 * 4 * 5 + 2 * 3 * 5 * 2);
    expect(cost.operators).toMatchObject([{ op: 'ops/matmul', calls: 2 }]);
  });

  it('counts an operator once, not the operators inside its kernel', () => {
    const heads = () => zeros([1, 6, 2, 4]);
    const { cost } = scope(() =>
      countCost(() => void softmaxAttention(heads(), heads(), heads(), { form: 'parallel' })),
    );
    expect(cost.operators.map((row) => row.op)).toEqual(['softmax-attention']);
  });

  it('counts of a key/value cache only the rows in use', () => {
    const cached = (keys: number) =>
      scope(
        () =>
          countCost(
            () =>
              void softmaxAttention(zeros([1, 1, 1, 4]), zeros([1, 64, 1, 4]), zeros([1, 64, 1, 4]), {
                keys,
              }),
          ).cost.flops,
      );
    expect(cached(32)).toBe(2 * cached(16));
  });

  it('goes back to not observing when the function throws', () => {
    expect(() =>
      countCost(() => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(scope(() => countCost(() => void zeros([1]))).cost.flops).toBe(0);
  });
});

describe('operatorCost', () => {
  it('reads one record', () => {
    const dims = { B: 1, T: 10, D: 4, N: 2, G: 1 };
    expect(operatorCost('selective-scan', { ...dims, T: 20 }).flops).toBe(
      2 * operatorCost('selective-scan', dims).flops,
    );
  });
});

describe('bytesKept', () => {
  it('counts what is handed over and what is kept inside, not what was disposed', () => {
    const hidden: { dispose(): void }[] = [];
    const { bytes, result } = bytesKept(() => {
      zeros([1000]).dispose();
      hidden.push(keep(zeros([10])));
      return zeros([5]);
    });
    expect(bytes).toBe(60);
    for (const t of [...hidden, result]) t.dispose();
  });
});

describe('roofline', () => {
  it('names the wall an operator meets', () => {
    const machine = { flops: 100, bandwidth: 10 };
    expect(roofline({ flops: 1000, bytes: 10 }, machine)).toEqual({
      intensity: 100,
      seconds: 10,
      bound: 'compute',
    });
    expect(roofline({ flops: 10, bytes: 100 }, machine)).toEqual({
      intensity: 0.1,
      seconds: 10,
      bound: 'memory',
    });
    expect(() => roofline({ flops: NaN, bytes: 1 }, machine)).toThrow(/flops must be finite/);
  });
});

describe('the peak of a run', () => {
  it('counts temporaries that are gone at its end, and leaves the memory table as it was', () => {
    const before = memory().host.highWaterBytes;
    const { bytes, result } = peakBytes(() => {
      const large = zeros([1 << 16], { device: 'host' });
      large.dispose();
      return zeros([16], { device: 'host' });
    });
    expect(bytes).toBe(4 << 16);
    expect(memory().host.highWaterBytes).toBeGreaterThanOrEqual(before);
    result.dispose();
  });
});
