import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assertClose, compare, relativeRms, rms, TOLERANCES } from '../../lib/core/compare.js';

const label = { name: 'y', tolerance: 1e-3 };

describe('relativeRms', () => {
  it('is RMS of the difference over RMS of the reference', () => {
    expect(relativeRms([1, 2, 2.1], [1, 2, 2])).toBeCloseTo(0.1 / 3, 14);
    expect(relativeRms([0, 0], [0, 0])).toBe(0);
    expect(relativeRms([], [])).toBe(0);
  });

  it('uses the floor only where the reference is smaller', () => {
    expect(relativeRms([0.1, 0.1], [0, 0], { floor: 1 })).toBeCloseTo(0.1, 14);
    expect(relativeRms([0.1, 0.1], [0, 0])).toBe(Infinity);
    expect(relativeRms([11, 9], [10, 10], { floor: 1 })).toBeCloseTo(0.1, 14);
  });

  it('does not overflow or underflow', () => {
    expect(relativeRms([1.1e200], [1e200])).toBeCloseTo(0.1, 10);
    expect(relativeRms([1.1e-200], [1e-200])).toBeCloseTo(0.1, 10);
    expect(rms([3e200, 4e200])).toBeCloseTo(Math.sqrt(12.5) * 1e200, -190);
  });

  it('is NaN for NaN, infinity and a wrong length', () => {
    expect(relativeRms([1, NaN], [1, 1])).toBeNaN();
    expect(relativeRms([1, 1], [1, NaN])).toBeNaN();
    expect(relativeRms([Infinity], [Infinity])).toBeNaN();
    expect(relativeRms([1], [Infinity])).toBeNaN();
    expect(relativeRms([1, 2], [1])).toBeNaN();
  });

  it('does not change when both arrays are scaled', () => {
    const value = fc.double({ min: -10, max: 10, noNaN: true }).filter((v) => v === 0 || Math.abs(v) > 1e-6);
    fc.assert(
      fc.property(fc.array(fc.tuple(value, value), { minLength: 1 }), (pairs) => {
        const a = pairs.map((p) => p[0]);
        const b = pairs.map((p) => p[1]);
        fc.pre(b.some((v) => v !== 0));
        const plain = relativeRms(a, b);
        const scaled = relativeRms(
          a.map((v) => v * 8),
          b.map((v) => v * 8),
        );
        expect(scaled).toBeCloseTo(plain, 12);
      }),
    );
  });
});

describe('compare', () => {
  it('accepts equal arrays and names nothing wrong', () => {
    expect(compare([1, 2], [1, 2], label)).toMatchObject({ ok: true, error: 0 });
    expect(compare([], [], label).ok).toBe(true);
  });

  it('fails for NaN, infinity and length, even with an infinite tolerance', () => {
    const wide = { name: 'y', tolerance: Infinity };
    expect(compare([NaN], [1], wide).ok).toBe(false);
    expect(compare([1], [NaN], wide).ok).toBe(false);
    expect(compare([Infinity], [Infinity], wide).ok).toBe(false);
    expect(compare([-Infinity], [1], wide).ok).toBe(false);
    expect(compare([1, 2], [1], wide).ok).toBe(false);
    expect(compare([1], [1], { name: 'y', tolerance: NaN }).ok).toBe(false);
  });

  it('names tensor, index, values, dims and seed', () => {
    const report = compare([1, 2, 3, 4.5, 5, 6], [1, 2, 3, 4, 5, 6], { ...label, dims: [2, 3], seed: 7 });
    expect(report).toMatchObject({ ok: false, worst: 3, actual: 4.5, expected: 4 });
    expect(report.text).toBe(
      'y of [2, 3]: relative RMS error 5.24e-2 (allowed 1.00e-3), worst at [1, 0]: 4.5 instead of 4, seed 7',
    );
    expect(compare([1, 2], [1], label).text).toBe('y: 2 values instead of 1');
    expect(compare([1, NaN, 9], [1, 1, 1], label).text).toContain('worst at index 1: NaN instead of 1');
  });

  it('assertClose throws the same sentence', () => {
    expect(() => assertClose([2], [1], label)).toThrow('y: relative RMS error');
    expect(assertClose([1], [1], label).ok).toBe(true);
  });

  it('tolerances are those of the architecture', () => {
    expect(TOLERANCES.wasm).toEqual({ forward: 5e-6, gradient: 2e-5 });
    expect(TOLERANCES.cpu).toEqual(TOLERANCES.wasm);
    expect(TOLERANCES.webgpu).toEqual({ forward: 1e-5, gradient: 5e-5 });
  });
});
