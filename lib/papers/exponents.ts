/** Exponents of counted quantities: exact numbers, so that they need no seeds. */
import { logLogSlope } from '../core/slopes.js';
import { found } from './claim-entries.js';
import type { Analysis, Measurement } from './ledger/types.js';

/** Measurements of a swept arm and one more, `<arm>: exponent`: the slope of log value over log size, all sizes. */
export function withExponent(measurements: readonly Measurement[]): Measurement[] {
  const arms = [...new Set(measurements.map(({ arm }) => arm))];
  return [
    ...measurements,
    ...arms.map((arm) => {
      const points = measurements.filter((m) => m.arm === arm);
      const { estimate } = logLogSlope(
        points.map(({ at }) => at ?? NaN),
        points.map(({ value }) => value),
      );
      return { arm: `${arm}: exponent`, value: estimate };
    }),
  ];
}

/** The exponent of a counted arm lies between two bounds. */
export const exponent = (arm: string, low: number, high: number): Analysis =>
  found(`${arm}: exponent`, { above: low, below: high }, [{ below: low }, { above: high }]);
