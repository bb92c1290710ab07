/** Runs of anybody, checked before they are fitted: numbers, units, and whether the design can tell terms apart. */
import { FitError } from '../../core/errors.js';
import { log } from '../../core/math.js';
import { symmetricEigen } from '../../core/optimize/index.js';
import { prepareRows, type Law, type LawInput, type Point } from './law.js';

/** Something to know about a fit. An `error` never becomes a result: it is thrown. */
export interface FitFlag {
  code:
    | 'few-points'
    | 'duplicates'
    | 'nearly-collinear'
    | 'not-converged'
    | 'unidentified'
    | 'wide'
    | 'bootstrap-failures'
    | 'extrapolates'
    | 'large-residuals'
    | 'exact-fit'
    | 'wrong-sign';
  parameter?: string;
  message: string;
}

/** Named columns of equal length. */
export type Columns = Readonly<Record<string, ArrayLike<number>>>;

/** Runs ready for fitting. */
export interface FitData {
  points: Point[];
  rows: Float64Array;
  response: Float64Array;
  flags: FitFlag[];
}

const fail = (law: Law, text: string): never => {
  throw new FitError(`fitLaw: ${law.id}: ${text}`);
};

/** Adds columns that follow from others: d = c / 6n, n = c / 6d, c = 6nd, m = d / n. */
export function deriveColumns(columns: Columns): Record<string, ArrayLike<number>> {
  const all: Record<string, ArrayLike<number>> = { ...columns };
  const make = (name: string, from: readonly string[], f: (...v: number[]) => number): void => {
    if (all[name] || !from.every((key) => all[key])) return;
    const sources = from.map((key) => all[key]);
    all[name] = Float64Array.from(sources[0], (_, i) => f(...sources.map((s) => s[i])));
  };
  make('d', ['c', 'n'], (c, n) => c / (6 * n));
  make('n', ['c', 'd'], (c, d) => c / (6 * d));
  make('d', ['m', 'n'], (m, n) => m * n);
  make('c', ['n', 'd'], (n, d) => 6 * n * d);
  make('m', ['d', 'n'], (d, n) => d / n);
  return all;
}

/**
 * Checks the columns a law needs and prepares them.
 *
 * @throws FitError for a missing column, lengths that differ, values that are not positive and finite, magnitudes that
 *   speak of wrong units, too few different points, inputs that do not vary or vary only together
 */
export function checkRuns(law: Law, given: Columns): FitData {
  const columns = deriveColumns(given);
  const needed = [...law.inputs, law.response];
  for (const { name, doc } of needed)
    if (!columns[name])
      fail(law, `column ${name} (${doc}) must be given, got ${Object.keys(columns).join(', ') || 'none'}`);
  const length = columns[law.response.name].length;
  if (length === 0) fail(law, 'runs must have at least one row, got none');
  for (const column of needed) checkColumn(law, column, columns[column.name], length, given);
  checkCompute(law, columns);
  const response = Float64Array.from(columns[law.response.name]);
  const points = Array.from(response, (_, i) =>
    Object.fromEntries(law.inputs.map(({ name }) => [name, columns[name][i]])),
  );
  const flags = [...checkCount(law, points, response), ...checkDesign(law, points)];
  return { points, rows: prepareRows(law, points), response, flags };
}

function checkColumn(
  law: Law,
  input: LawInput,
  values: ArrayLike<number>,
  length: number,
  given: Columns,
): void {
  const { name, unit, least, most } = input;
  if (values.length !== length)
    fail(law, `column ${name} must have ${length} values, as ${law.response.name}, got ${values.length}`);
  let fractions = 0;
  for (let i = 0; i < length; i++) {
    const value = values[i];
    if (!(value > 0 && value < Infinity))
      fail(law, `column ${name} must be positive and finite, got ${value} at row ${i + 1}`);
    if (input.count && given[name] && value < 1e6 && Math.floor(value) !== value) fractions++;
    if (value < least || value > most)
      fail(
        law,
        `column ${name} must be in ${unit} (${least} to ${most}), got ${value} at row ${i + 1}; ${advice(input, value)}`,
      );
  }
  if (fractions > 0)
    fail(
      law,
      `column ${name} must count ${unit}, got small values with fractions in ${fractions} of ${length} rows; if it is in thousands, millions or billions give the factor, e.g. units ${name}=1e9`,
    );
}

function advice(input: LawInput, value: number): string {
  if (input.name === 'c' && input.unit.startsWith('FLOP'))
    return value < input.least
      ? 'if it is in PF-days use units c=8.64e19'
      : 'FLOP of the whole training are expected';
  if (input.name === 'c') return 'if it is in FLOP use units c=1.1574074074074074e-20';
  if (input.count && value < input.least)
    return `if it is in millions or billions use units ${input.name}=1e6 or ${input.name}=1e9`;
  if (input.name === 'loss' && value > input.most)
    return 'a perplexity must be turned into its logarithm first';
  return 'check the column and its units';
}

/** Tokens a parameter and FLOP a token tell when two columns are in units that do not fit together. */
function checkCompute(law: Law, columns: Columns): void {
  const { n, d, c } = columns;
  const uses = (name: string): boolean => law.inputs.some((input) => input.name === name);
  if (uses('n') && uses('d')) {
    const ratio = middle(Array.from(n, (v, i) => d[i] / v));
    if (!(ratio > 1e-3 && ratio < 1e6))
      fail(
        law,
        `columns n and d must be in parameters and tokens, got ${ratio.toPrecision(3)} tokens a parameter at the median; check units n=..., d=...`,
      );
  }
  if (n && d && c && (uses('n') || uses('d')) && !uses('c') && law.response.name === 'loss') {
    const ratio = middle(Array.from(n, (v, i) => c[i] / (6 * v * d[i])));
    if (!(ratio > 1 / 30 && ratio < 30))
      fail(
        law,
        `columns n, d and c must fit C = 6 N D, got c / 6nd = ${ratio.toPrecision(3)} at the median; check units n=..., d=..., c=...`,
      );
  }
}

const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

function checkCount(law: Law, points: readonly Point[], response: Float64Array): FitFlag[] {
  const keys = points.map((point, i) => JSON.stringify([...Object.values(point), response[i]]));
  const places = new Set(points.map((point) => JSON.stringify(Object.values(point)))).size;
  const p = law.parameters.length;
  if (places < p + 1)
    fail(law, `runs must have at least ${p + 1} different inputs for ${p} parameters, got ${places}`);
  const flags: FitFlag[] = [];
  if (places < 3 * p)
    flags.push({
      code: 'few-points',
      message: `${places} different inputs for ${p} parameters; intervals of so few are rough`,
    });
  const double = keys.length - new Set(keys).size;
  if (double > 0)
    flags.push({
      code: 'duplicates',
      message: `${double} rows repeat another row exactly; if they are not separate runs, intervals are too narrow`,
    });
  return flags;
}

/** Inputs must vary, and not all along one line. */
function checkDesign(law: Law, points: readonly Point[]): FitFlag[] {
  const logs = law.inputs.map(({ name }) => points.map((point) => log(point[name])));
  const k = logs.length;
  const centered = logs.map((values, j) => {
    const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
    const rest = values.map((v) => v - mean);
    const size = Math.sqrt(rest.reduce((sum, v) => sum + v * v, 0));
    if (!(size > 1e-9 * Math.max(1, Math.abs(mean)) * Math.sqrt(values.length)))
      fail(
        law,
        `column ${law.inputs[j].name} must vary, got ${points[0][law.inputs[j].name]} in every row; fit a law without it`,
      );
    return rest.map((v) => v / size);
  });
  if (k < 2) return [];
  const correlation = new Float64Array(k * k);
  for (let i = 0; i < k; i++)
    for (let j = 0; j < k; j++)
      correlation[i * k + j] = centered[i].reduce((sum, v, at) => sum + v * centered[j][at], 0);
  const least = symmetricEigen(correlation).values[0];
  const names = law.inputs.map(({ name }) => name).join(', ');
  if (!(least > 1e-8))
    fail(
      law,
      `columns ${names} must vary independently, got columns that move together (collinear in logarithms); add runs off that line`,
    );
  return least < 2e-3
    ? [
        {
          code: 'nearly-collinear',
          message: `${names} move almost together (least eigenvalue of their correlation ${least.toExponential(1)}); their terms are hard to tell apart`,
        },
      ]
    : [];
}

/** The runs without their `count` highest responses, the later of equals first. */
export function withoutHighest(
  columns: Columns,
  response: string,
  count: number,
): Record<string, Float64Array> {
  const values = columns[response];
  const order = Array.from(values, (_, i) => i).sort((i, j) => values[j] - values[i] || j - i);
  const dropped = new Set(order.slice(0, count));
  return Object.fromEntries(
    Object.entries(columns).map(([name, column]) => [
      name,
      Float64Array.from(column).filter((_, i) => !dropped.has(i)),
    ]),
  );
}
