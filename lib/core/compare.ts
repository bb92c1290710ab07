/** Error measures between arrays, and the one table of tolerances. Written so that NaN, infinity and length fail. */
import { ArgumentError } from './errors.js';

/**
 * Largest relative RMS error allowed for f32 results against the f64 reference. WGSL's exp and log are only accurate
 * to about 3 + 2|x| ulp, hence its wider row. Changing a number needs a reason in the change's description.
 */
export const TOLERANCES = {
  cpu: { forward: 5e-6, gradient: 2e-5 },
  wasm: { forward: 5e-6, gradient: 2e-5 },
  webgpu: { forward: 1e-5, gradient: 5e-5 },
} as const;

/** The smallest denominator of a relative error, as a fraction of the RMS of the base case. */
export const FLOOR_FRACTION = 1e-6;

/** Options of the comparisons. */
export interface CompareOptions {
  /** Lower bound of the denominator, in the unit of the values (default: none). */
  floor?: number;
}

/** Root mean square; 0 for an empty array. */
export function rms(values: ArrayLike<number>): number {
  let scale = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (!(size < Infinity)) return size;
    if (size > scale) scale = size;
  }
  if (scale === 0) return 0;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] / scale) ** 2;
  return scale * Math.sqrt(sum / values.length);
}

/**
 * RMS(actual - expected) / max(RMS(expected), floor). NaN where a value or the length does not fit; equal infinities
 * on both sides are not equal here. Two zero arrays, or two empty ones, have error 0.
 */
export function relativeRms(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  options: CompareOptions = {},
): number {
  const floor = options.floor ?? 0;
  if (!(floor >= 0 && floor < Infinity)) {
    throw new ArgumentError(`relativeRms: floor must be finite and not negative, got ${floor}`);
  }
  if (actual.length !== expected.length) return NaN;
  const difference = new Float64Array(actual.length);
  for (let i = 0; i < difference.length; i++) difference[i] = actual[i] - expected[i];
  const error = rms(difference);
  const size = rms(expected);
  if (!(error < Infinity && size < Infinity)) return NaN;
  return error === 0 ? 0 : error / Math.max(size, floor);
}

/** What a comparison found. */
export interface Comparison {
  ok: boolean;
  /** Relative RMS error; NaN when the arrays cannot be compared. */
  error: number;
  tolerance: number;
  /** Flat index of the worst element; -1 when there is none. */
  worst: number;
  /** The two values at `worst`. */
  actual: number;
  expected: number;
  /** One sentence naming tensor, index, values, dims and seed. */
  text: string;
}

/** Names for the report of a comparison. */
export interface CompareLabel extends CompareOptions {
  tolerance: number;
  /** Name of the tensor. */
  name: string;
  dims?: readonly number[];
  seed?: number | string;
}

/** Compares two arrays by relative RMS and reports the worst element; `ok` is false for NaN, infinity or length. */
export function compare(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  label: CompareLabel,
): Comparison {
  const { tolerance, name } = label;
  const error = relativeRms(actual, expected, label);
  const sameLength = actual.length === expected.length;
  const worst = sameLength ? worstIndex(actual, expected) : -1;
  const ok = sameLength && error <= tolerance;
  const where = label.dims ? ` of [${label.dims.join(', ')}]` : '';
  const seed = label.seed === undefined ? '' : `, seed ${label.seed}`;
  const text = sameLength
    ? `${name}${where}: relative RMS error ${show(error)} (allowed ${show(tolerance)})` +
      (worst < 0
        ? seed
        : `, worst at ${position(worst, label.dims)}: ${actual[worst]} instead of ${expected[worst]}${seed}`)
    : `${name}${where}: ${actual.length} values instead of ${expected.length}${seed}`;
  return {
    ok,
    error,
    tolerance,
    worst,
    actual: worst < 0 ? NaN : actual[worst],
    expected: worst < 0 ? NaN : expected[worst],
    text,
  };
}

/** Like `compare`, but throws its sentence when the arrays are not close. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  label: CompareLabel,
): Comparison {
  const report = compare(actual, expected, label);
  if (!report.ok) throw new Error(report.text);
  return report;
}

/** First element that is not finite, else the element of largest difference; -1 for empty arrays. */
function worstIndex(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = -1;
  let largest = -1;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (!(difference < Infinity)) return i;
    if (difference > largest) {
      largest = difference;
      worst = i;
    }
  }
  return worst;
}

function position(index: number, dims: readonly number[] | undefined): string {
  if (!dims || dims.length < 2) return `index ${index}`;
  const coordinates: number[] = [];
  let rest = index;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    coordinates.unshift(rest % dims[axis]);
    rest = Math.floor(rest / dims[axis]);
  }
  return `[${coordinates.join(', ')}]`;
}

function show(value: number): string {
  return Number.isFinite(value) ? value.toExponential(2) : String(value);
}
