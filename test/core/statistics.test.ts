import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as distributions from '../../lib/core/distributions.js';
import { ArgumentError } from '../../lib/core/errors.js';
import { Random } from '../../lib/core/random.js';
import { linearSlope, logLogSlope, theilSenSlope } from '../../lib/core/slopes.js';
import * as statistics from '../../lib/core/statistics.js';

interface Golden {
  [name: string]: number[][];
}
const text = readFileSync(new URL('../golden/statistics.json', import.meta.url), 'utf8');
const tables = JSON.parse(text) as Golden;
const golden = JSON.parse(text) as {
  samples: { a: number[]; b: number[]; c: number[] };
  describe: { mean: number; sd: number; quantiles: number[][] };
  tInterval: number[];
  paired: { low: number; high: number; df: number };
  welch: { low: number; high: number; df: number };
  equivalence: { low: number; high: number; pLow: number; pHigh: number };
  bca: { distribution: number[]; low: number; high: number };
  bootstrap: { values: number[]; meanPercentile: number[]; meanBca: number[] };
  slope: Record<'slope' | 'intercept' | 'error' | 'half' | 'top8' | 'theilSen', number> & {
    x: number[];
    y: number[];
  };
};
const { a, b, c } = golden.samples;

function expectNear(got: number, want: number, relative: number, what: string): void {
  const error = Math.abs(got - want) / Math.max(Math.abs(want), 1e-300);
  expect(got === want || error <= relative, `${what}: ${got} instead of ${want}`).toBe(true);
}

describe('distribution functions equal those of SciPy', () => {
  const functions: [string, (...x: number[]) => number, number][] = [
    ['logGamma', distributions.logGamma, 1e-13],
    ['incompleteBeta', distributions.incompleteBeta, 1e-12],
    ['normal', distributions.normalCdf, 1e-14],
    ['normalQuantile', distributions.normalQuantile, 1e-13],
    ['student', distributions.studentCdf, 1e-12],
    ['studentQuantile', distributions.studentQuantile, 1e-11],
  ];
  for (const [name, fn, tolerance] of functions) {
    it(name, () => {
      for (const row of tables[name]) {
        const want = row[row.length - 1];
        const got = fn(...row.slice(0, -1));
        // log Gamma passes through zero at 1 and 2, where only the absolute error means something.
        if (Math.abs(want) < 1e-10) expect(Math.abs(got - want)).toBeLessThan(1e-14);
        else expectNear(got, want, tolerance, `${name}(${row.slice(0, -1).join(', ')})`);
      }
    });
  }

  it('quantiles are the ends of the line at 0 and 1 and NaN outside', () => {
    expect([0, 1, 2].map((p) => distributions.studentQuantile(p, 3))).toEqual([-Infinity, Infinity, NaN]);
    expect([0, 1, NaN].map((p) => distributions.normalQuantile(p))).toEqual([-Infinity, Infinity, NaN]);
    expect(distributions.studentCdf(-Infinity, 2)).toBe(0);
    expect(() => distributions.studentCdf(0, 0)).toThrow(ArgumentError);
  });
});

describe('descriptions and intervals equal those of SciPy', () => {
  it('mean, standard deviation, quantiles', () => {
    expectNear(statistics.mean(a), golden.describe.mean, 1e-14, 'mean');
    expectNear(statistics.standardDeviation(a), golden.describe.sd, 1e-14, 'sd');
    for (const [q, want] of golden.describe.quantiles)
      expect(statistics.quantile(c, q)).toBeCloseTo(want, 14);
    expect(statistics.median([3, 1, 2, 10])).toBe(2.5);
  });

  it('t interval, paired difference, Welch difference', () => {
    const interval = statistics.tInterval(a);
    expectNear(interval.low, golden.tInterval[0], 1e-12, 'low');
    expectNear(interval.high, golden.tInterval[1], 1e-12, 'high');
    const paired = statistics.pairedDifference(a, b, 0.9);
    expectNear(paired.low, golden.paired.low, 1e-12, 'paired low');
    expectNear(paired.high, golden.paired.high, 1e-12, 'paired high');
    const welch = statistics.welchDifference(a, c, 0.9);
    expectNear(welch.low, golden.welch.low, 1e-12, 'welch low');
    expectNear(welch.high, golden.welch.high, 1e-12, 'welch high');
    expectNear(welch.df, golden.welch.df, 1e-12, 'welch df');
  });

  it('equivalence: both one-sided p values, and the 90 % interval decides', () => {
    const { low, high, pLow, pHigh } = golden.equivalence;
    const test = statistics.equivalenceTest(statistics.pairedDifference(a, b), low, high);
    expectNear(test.pLow, pLow, 1e-10, 'pLow');
    expectNear(test.pHigh, pHigh, 1e-10, 'pHigh');
    expect(test.interval.low).toBeCloseTo(golden.paired.low, 12);
    expect(test.equivalent).toBe(pLow < 0.05 && pHigh < 0.05);
  });

  it('BCa bounds of a given bootstrap distribution', () => {
    const leaveOneOut = c.map((_, i) => statistics.mean(c.filter((__, j) => j !== i)));
    const bounds = statistics.bcaBounds(golden.bca.distribution, statistics.mean(c), leaveOneOut, 0.9);
    expectNear(bounds.low, golden.bca.low, 1e-10, 'low');
    expectNear(bounds.high, golden.bca.high, 1e-10, 'high');
  });

  it('bootstrap intervals agree within the noise of resampling', () => {
    const { values, meanPercentile, meanBca } = golden.bootstrap;
    const options = { random: new Random('bootstrap'), resamples: 20000 };
    const middle = statistics.bootstrapInterval(values, statistics.mean, {
      ...options,
      method: 'percentile',
    });
    expect(Math.abs(middle.low - meanPercentile[0])).toBeLessThan(0.02);
    expect(Math.abs(middle.high - meanPercentile[1])).toBeLessThan(0.05);
    const center = statistics.bootstrapInterval(values, statistics.mean, options);
    expect(Math.abs(center.low - meanBca[0])).toBeLessThan(0.02);
    expect(Math.abs(center.high - meanBca[1])).toBeLessThan(0.08);
  });

  it('slopes: least squares on logarithms, its interval, the top 8x, Theil-Sen', () => {
    const { x, y } = golden.slope;
    const slope = logLogSlope(x, y);
    expectNear(slope.estimate, golden.slope.slope, 1e-12, 'slope');
    expectNear(slope.intercept, golden.slope.intercept, 1e-12, 'intercept');
    expectNear(slope.standardError, golden.slope.error, 1e-10, 'error');
    expectNear(slope.high - slope.estimate, golden.slope.half, 1e-10, 'half width');
    const top = logLogSlope(x, y, { span: 8 });
    expect(top.points).toBe(4);
    expectNear(top.estimate, golden.slope.top8, 1e-12, 'top 8x');
    expectNear(theilSenSlope(x, y), golden.slope.theilSen, 1e-12, 'Theil-Sen');
  });
});

describe('statistics', () => {
  const value = fc.double({ min: -1e3, max: 1e3, noNaN: true });

  it('intervals move with a shift and contain their estimate', () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 2, maxLength: 12 }), value, (values, shift) => {
        const plain = statistics.tInterval(values);
        const moved = statistics.tInterval(values.map((v) => v + shift));
        expect(moved.low).toBeCloseTo(plain.low + shift, 6);
        expect(plain.low <= plain.estimate && plain.estimate <= plain.high).toBe(true);
      }),
    );
  });

  it('one value bounds nothing and is never equivalent', () => {
    expect(statistics.tInterval([3])).toMatchObject({ estimate: 3, low: -Infinity, high: Infinity });
    expect(statistics.equivalenceTest(statistics.pairedDifference([1], [1]), -9, 9).equivalent).toBe(false);
    expect(statistics.welchDifference([1], [1, 2])).toMatchObject({ low: -Infinity, high: Infinity });
    expect(linearSlope([1, 2], [1, 2])).toMatchObject({ estimate: 1, low: -Infinity, high: Infinity });
  });

  it('samples without spread have intervals of width zero', () => {
    const test = statistics.equivalenceTest(statistics.pairedDifference([2, 2, 2], [2, 2, 2]), -0.1, 0.1);
    expect(test).toMatchObject({ equivalent: true, pLow: 0, pHigh: 0 });
    expect(statistics.welchDifference([2, 2], [2, 2])).toMatchObject({ low: 0, high: 0 });
    const options = { random: new Random(1), resamples: 50 };
    expect(statistics.bootstrapInterval([2, 2, 2], statistics.mean, options)).toMatchObject({
      low: 2,
      high: 2,
    });
  });

  it('NaN in a sample makes every bound NaN and nothing equivalent', () => {
    const bad = [1, NaN, 2];
    expect(statistics.mean(bad)).toBeNaN();
    expect(statistics.median(bad)).toBeNaN();
    expect(statistics.tInterval(bad).low).toBeNaN();
    expect(statistics.bootstrapInterval(bad, statistics.mean, { random: new Random(1) }).high).toBeNaN();
    const test = statistics.equivalenceTest(statistics.pairedDifference(bad, [1, 1, 1]), -9, 9);
    expect(test.equivalent).toBe(false);
  });

  it('keeps digits when a large offset hides a small spread', () => {
    expect(statistics.variance([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16])).toBe(30);
  });

  it('refuses what has no answer', () => {
    expect(() => statistics.mean([])).toThrow('mean: values must have length >= 1, got 0');
    expect(() => statistics.quantile([1], 2)).toThrow(ArgumentError);
    expect(() => statistics.tInterval([1, 2], 95)).toThrow(/confidence must lie between 0 and 1/);
    expect(() => statistics.pairedDifferences([1], [1, 2])).toThrow(/pair values by seed/);
    expect(() => logLogSlope([1, 2], [0, 1])).toThrow(/positive and finite/);
    expect(() => linearSlope([1, 1], [0, 1])).toThrow(/two different values/);
    expect(() => theilSenSlope([1, 1], [0, 1])).toThrow(/two different values/);
  });
});
