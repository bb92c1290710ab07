import { describe, expect, it } from 'vitest';
import { bytesText, exactNumber, shortNumber } from '../../../kernel/display/numbers.js';
import { histogramOf, statisticsOf } from '../../../kernel/display/statistics.js';

describe('statisticsOf', () => {
  it('gives the moments of finite values and counts the others', () => {
    const s = statisticsOf([1, NaN, 3, Infinity, -Infinity, 0, -0, NaN]);
    expect(s).toMatchObject({ count: 8, nan: 2, infinite: 1, negativeInfinite: 1, zeros: 2, finite: 4 });
    expect([s.min, s.max, s.mean]).toEqual([0, 3, 1]);
    expect(s.std).toBeCloseTo(Math.sqrt(6 / 4), 14);
  });

  it('has no moments without a finite value, and none of an empty array', () => {
    expect(statisticsOf([NaN, Infinity])).toEqual({
      count: 2,
      nan: 1,
      infinite: 1,
      negativeInfinite: 0,
      zeros: 0,
      finite: 0,
    });
    expect(statisticsOf([]).finite).toBe(0);
  });

  it('keeps the digits of a mean of many f32 far from zero', () => {
    const values = new Float32Array(1_000_000).fill(16_777_216);
    values[0] = 16_777_217 + 1;
    const s = statisticsOf(values);
    expect(s.mean).toBe(16_777_216 + 2e-6);
  });

  it('neither overflows nor vanishes at the ends of f64', () => {
    const large = statisticsOf([1e308, 1.5e308, -1e308]);
    expect(large.mean).toBeCloseTo(0.5e308, -300);
    expect(large.std! / 1e308).toBeCloseTo(Math.sqrt((0.25 + 1 + 2.25) / 3), 12);
    const small = statisticsOf([1e-200, 3e-200]);
    expect(small.std! / 1e-200).toBeCloseTo(1, 12);
    expect(statisticsOf([5e-324, 0]).std).not.toBeNaN();
  });

  it('is exact about whole numbers of 64 bits', () => {
    const s = statisticsOf(BigInt64Array.of(2n ** 62n, 2n ** 62n + 2n, 0n));
    expect([s.min, s.max, s.zeros]).toEqual([0n, 2n ** 62n + 2n, 1]);
    const near = statisticsOf(BigUint64Array.of(2n ** 63n, 2n ** 63n + 4n));
    expect([near.mean, near.std]).toEqual([2 ** 63, 2]);
  });

  it('puts every finite value into one bin', () => {
    expect(histogramOf([0, 1, 2, 3, NaN, Infinity], 0, 3, 3)).toEqual([1, 1, 2]);
    expect(histogramOf([-1.7e308, 1.7e308], -1.7e308, 1.7e308, 2)).toEqual([1, 1]);
  });
});

describe('numbers as text', () => {
  it('never look rounder than they are', () => {
    const cases: [number, string][] = [
      [-0, '-0'],
      [0.999999, '0.999999'],
      [123456.7, '1.2346e+5'],
      [123456, '123456'],
      [1e21, '1e+21'],
      [1.5372e18, '1.5372e+18'],
      [0.1, '0.1'],
      [1 / 3, '0.33333'],
      [-Infinity, '-Infinity'],
    ];
    for (const [value, expected] of cases) expect(shortNumber(value)).toBe(expected);
  });

  it('tell a number of its type from its neighbours', () => {
    expect(exactNumber(Math.fround(0.1), 'f32')).toBe('0.1');
    const next = Math.fround(0.1) + 2 ** -27;
    expect(exactNumber(next, 'f32')).toBe('0.10000001');
    expect(exactNumber(0.1, 'f64')).toBe('0.1');
    expect(exactNumber(0.0999755859375, 'f16')).toBe('0.09998');
    expect(exactNumber(2n ** 63n, 'i64')).toBe('9223372036854775808');
  });

  it('writes bytes with units', () => {
    expect([1, 1023, 1536, 5 * 2 ** 30].map(bytesText)).toEqual(['1 byte', '1023 bytes', '1.5 KiB', '5 GiB']);
  });
});
