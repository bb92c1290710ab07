/**
 * Starts of a fit from the data: most laws are sums of terms that are linear in their coefficients once the exponents
 * are fixed. So exponents come from a coarse grid and coefficients from weighted least squares; the best few are kept.
 */
import { cholesky, choleskySolve } from '../../core/optimize/index.js';

export interface SeparableOptions {
  /** Values of the nonlinear parameters to try. */
  grid: readonly (readonly number[])[];
  /** Terms of the sum at a prepared point for given nonlinear parameters. */
  terms: (nonlinear: readonly number[], rows: Float64Array, at: number) => number[];
  /** What the sum should equal, by default the response; `weight` is the weight of its squared error. */
  target?: (response: number, nonlinear: readonly number[]) => { value: number; weight: number };
  /** Coefficients may have any sign; by default they are kept positive. */
  signed?: boolean;
  /** Internal parameters from coefficients and nonlinear parameters. */
  toTheta: (coefficients: Float64Array, nonlinear: readonly number[]) => Float64Array;
  width: number;
  /** How many to keep; default 6. */
  keep?: number;
}

/** All combinations of some lists. */
export function product(...lists: readonly (readonly number[])[]): number[][] {
  return lists.reduce<number[][]>((all, list) => all.flatMap((head) => list.map((v) => [...head, v])), [[]]);
}

/** Numbers from low to high, evenly spaced. */
export function range(low: number, high: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => low + ((high - low) * i) / (count - 1));
}

/** The best starts of a coarse grid, the best first. */
export function separableStarts(
  rows: Float64Array,
  response: Float64Array,
  options: SeparableOptions,
): Float64Array[] {
  const { keep = 6 } = options;
  const found: { theta: Float64Array; error: number }[] = [];
  for (const nonlinear of options.grid) {
    const solved = leastSquares(rows, response, nonlinear, options);
    if (!solved || !Number.isFinite(solved.error)) continue;
    const theta = options.toTheta(solved.coefficients, nonlinear);
    if (theta.every(Number.isFinite)) found.push({ theta, error: solved.error });
  }
  found.sort((a, b) => a.error - b.error);
  return found.slice(0, keep).map(({ theta }) => theta);
}

function leastSquares(
  rows: Float64Array,
  response: Float64Array,
  nonlinear: readonly number[],
  options: SeparableOptions,
): { coefficients: Float64Array; error: number } | undefined {
  const { terms, width, target = relative } = options;
  const design = Array.from(response, (_, i) => terms(nonlinear, rows, i * width));
  const wanted = Array.from(response, (value) => target(value, nonlinear));
  const k = design[0].length;
  // Columns of size one keep the normal equations far from the limits of f64.
  const scale = Array.from({ length: k }, (_, j) =>
    Math.max(...design.map((row) => Math.abs(row[j])), 1e-300),
  );
  let kept = Array.from({ length: k }, (_, j) => j);
  const coefficients = new Float64Array(k);
  for (;;) {
    const m = kept.length;
    const normal = new Float64Array(m * m);
    const right = new Float64Array(m);
    design.forEach((row, i) => {
      for (let p = 0; p < m; p++) {
        const u = (row[kept[p]] / scale[kept[p]]) * wanted[i].weight;
        right[p] += u * wanted[i].value;
        for (let q = 0; q < m; q++) normal[p * m + q] += (u * row[kept[q]]) / scale[kept[q]];
      }
    });
    for (let p = 0; p < m; p++) normal[p * m + p] *= 1 + 1e-12;
    const L = cholesky(normal);
    if (!L) return undefined;
    const solution = choleskySolve(L, right);
    coefficients.fill(0);
    kept.forEach((j, p) => (coefficients[j] = solution[p] / scale[j]));
    const negative = options.signed ? -1 : solution.findIndex((v) => !(v > 0));
    if (negative < 0 || m === 1) break;
    kept = kept.filter((_, p) => p !== negative);
  }
  let error = 0;
  design.forEach((row, i) => {
    const rest = row.reduce((sum, v, j) => sum + v * coefficients[j], 0) - wanted[i].value;
    error += wanted[i].weight * rest * rest;
  });
  if (!options.signed)
    for (let j = 0; j < k; j++)
      if (!(coefficients[j] > 0)) coefficients[j] = (1e-3 * median(wanted.map((w) => w.value))) / scale[j];
  return { coefficients, error };
}

/** Relative errors count, as in the logarithmic fit that follows. */
function relative(response: number): { value: number; weight: number } {
  return { value: response, weight: 1 / (response * response) };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
