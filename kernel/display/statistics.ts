/** What one wants to know about many numbers first; computed in f64, non-finite values counted and left out. */

export interface Statistics {
  /** Elements looked at. */
  readonly count: number;
  readonly nan: number;
  readonly infinite: number;
  readonly negativeInfinite: number;
  /** Elements that are 0 or -0. */
  readonly zeros: number;
  /** Finite elements; the numbers below are of them, and undefined when there is none. */
  readonly finite: number;
  readonly min?: number | bigint;
  readonly max?: number | bigint;
  readonly mean?: number;
  /** Of the population: divided by the number of elements. */
  readonly std?: number;
}

/** Statistics of the elements `from` to `to`. */
export function statisticsOf(values: ArrayLike<number> | ArrayLike<bigint>): Statistics {
  return typeof values[0] === 'bigint'
    ? ofBigints(values as ArrayLike<bigint>)
    : ofNumbers(values as ArrayLike<number>);
}

function ofNumbers(values: ArrayLike<number>): Statistics {
  let nan = 0;
  let infinite = 0;
  let negativeInfinite = 0;
  let zeros = 0;
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (v - v !== 0) {
      if (v === Infinity) infinite++;
      else if (v === -Infinity) negativeInfinite++;
      else nan++;
      continue;
    }
    if (v === 0) zeros++;
    if (v < min) min = v;
    if (v > max) max = v;
  }
  const finite = values.length - nan - infinite - negativeInfinite;
  const counts = { count: values.length, nan, infinite, negativeInfinite, zeros, finite };
  if (finite === 0) return counts;
  return { ...counts, min, max, ...moments(values, finite, min, max) };
}

/** Two passes; sums and squares are taken of scaled numbers where they would overflow or vanish. */
function moments(
  values: ArrayLike<number>,
  finite: number,
  min: number,
  max: number,
): { mean: number; std: number } {
  if (min === max) return { mean: min, std: 0 };
  const largest = Math.max(Math.abs(min), Math.abs(max));
  const scale = largest > 1e140 || largest < 1e-140 ? largest : 1;
  let sum = 0;
  let lost = 0;
  for (let i = 0; i < values.length; i++) {
    const v = values[i] / scale;
    if (v - v !== 0) continue;
    // Neumaier's compensation: a mean of a hundred million f32 keeps its digits.
    const next = sum + v;
    lost += Math.abs(sum) >= Math.abs(v) ? sum - next + v : v - next + sum;
    sum = next;
  }
  const mean = (sum + lost) / finite;
  let squares = 0;
  for (let i = 0; i < values.length; i++) {
    const d = values[i] / scale - mean;
    if (d - d === 0) squares += d * d;
  }
  return { mean: mean * scale, std: Math.sqrt(squares / finite) * scale };
}

function ofBigints(values: ArrayLike<bigint>): Statistics {
  const n = values.length;
  let [min, max, sum, zeros] = [values[0], values[0], 0n, 0];
  for (let i = 0; i < n; i++) {
    const v = values[i];
    if (v < min) min = v;
    if (v > max) max = v;
    if (v === 0n) zeros++;
    sum += v;
  }
  const whole = sum / BigInt(n);
  const part = Number(sum - whole * BigInt(n)) / n;
  let squares = 0;
  // Differences to a whole number stay exact until they become f64.
  for (let i = 0; i < n; i++) squares += (Number(values[i] - whole) - part) ** 2;
  const std = Math.sqrt(squares / n);
  return {
    count: n,
    nan: 0,
    infinite: 0,
    negativeInfinite: 0,
    zeros,
    finite: n,
    min,
    max,
    mean: Number(whole) + part,
    std,
  };
}

/** How many finite values fall into each of `bins` equal parts of [min, max]. */
export function histogramOf(
  values: ArrayLike<number | bigint>,
  min: number,
  max: number,
  bins: number,
): number[] {
  const counts = new Array<number>(bins).fill(0);
  // Halves keep the width finite for the whole range of f64.
  const width = max / 2 - min / 2;
  for (let i = 0; i < values.length; i++) {
    const v = Number(values[i]);
    if (v - v !== 0) continue;
    const place = width > 0 ? (v / 2 - min / 2) / width : 0;
    counts[Math.min(bins - 1, Math.max(0, Math.floor(place * bins)))]++;
  }
  return counts;
}
