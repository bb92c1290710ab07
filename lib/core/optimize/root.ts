/** Roots of functions of one variable. */
import { FitError } from '../errors.js';

/**
 * Root of a continuous function between low and high by bisection to the last bits: slow, and it cannot miss.
 *
 * @throws FitError when the ends do not have opposite signs
 */
export function bisectRoot(value: (x: number) => number, low: number, high: number): number {
  const atLow = value(low);
  const atHigh = value(high);
  if (atLow === 0) return low;
  if (atHigh === 0) return high;
  if (!(atLow < 0 === atHigh > 0 && Number.isFinite(atLow + atHigh)))
    throw new FitError(
      `bisectRoot: value must change its sign between ${low} and ${high}, got ${atLow} and ${atHigh}`,
    );
  for (let i = 0; i < 2000; i++) {
    const middle = low + (high - low) / 2;
    if (middle === low || middle === high) break;
    const at = value(middle);
    if (at === 0) return middle;
    if (at < 0 === atLow < 0) low = middle;
    else high = middle;
  }
  return low + (high - low) / 2;
}
