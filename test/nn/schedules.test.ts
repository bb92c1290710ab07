import { describe, expect, it } from 'vitest';
import { constantSchedule, cosineSchedule, wsdSchedule } from '../../lib/nn/schedules.js';

describe('learning-rate schedules', () => {
  it('stay constant', () => {
    expect([1, 50, 1000].map(constantSchedule(0.1))).toEqual([0.1, 0.1, 0.1]);
  });

  it('warm up linearly, then follow half a cosine to the floor', () => {
    const rate = cosineSchedule({ peak: 1, steps: 110, warmup: 10, floor: 0.1 });
    expect([1, 5, 10].map(rate)).toEqual([0.1, 0.5, 1]);
    expect(rate(60)).toBeCloseTo(0.55, 12);
    expect(rate(110)).toBeCloseTo(0.1, 12);
    expect(rate(500)).toBeCloseTo(0.1, 12);
  });

  it('warm up, stay and decay linearly in WSD', () => {
    const rate = wsdSchedule({ peak: 2, steps: 100, warmup: 4, decay: 20 });
    expect([1, 4, 50, 80, 90, 100, 200].map(rate)).toEqual([0.5, 2, 2, 2, 1, 0, 0]);
  });

  it('refuse phases that do not fit and rates that are no rates', () => {
    expect(() => cosineSchedule({ peak: 1, steps: 5, warmup: 9 })).toThrow(
      /warmup must be at most steps 5, got 9/,
    );
    expect(() => wsdSchedule({ peak: 1, steps: 5, warmup: 3, decay: 3 })).toThrow(/warmup \+ decay/);
    expect(() => constantSchedule(NaN)).toThrow(/rate must be finite/);
  });
});
