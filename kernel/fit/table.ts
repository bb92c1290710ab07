/** From a CSV of anybody to the columns of a law: names found or given, factors of units, rows chosen. */
import { ArgumentError, FitError } from '../../lib/core/errors.js';
import { deriveColumns, withoutHighest, type Law } from '../../lib/families/scaling-laws/index.js';
import { numberColumn, type CsvTable } from '../../lib/tasks/csv.js';

/** Names under which columns are found without being told, letters and digits only. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  n: ['n', 'params', 'parameters', 'nparams', 'numparams', 'nparameters', 'modelsize', 'size'],
  d: ['d', 'tokens', 'ntokens', 'numtokens', 'trainingtokens', 'traintokens', 'datasetsize'],
  c: ['c', 'flop', 'flops', 'compute', 'trainingflop', 'trainingflops', 'trainflop', 'trainflops'],
  loss: ['loss', 'l', 'finalloss', 'valloss', 'validationloss', 'testloss', 'evalloss', 'crossentropy'],
  u: ['u', 'uniquetokens', 'unique'],
  m: ['m', 'tokensperparameter', 'tokensperparam', 'multiplier'],
  g: ['g', 'granularity'],
  e: ['e', 'experts', 'nexperts', 'numexperts'],
  s: ['s', 'steps', 'nsteps', 'trainingsteps'],
  x: ['x'],
  batch: ['batch', 'batchsize', 'criticalbatch', 'bcrit'],
  error: ['error', 'err', 'top1error', 'avgerror'],
};

export interface TableOptions {
  /** Law's column to CSV's column. */
  columns: Readonly<Record<string, string>>;
  /** Factor by which a column is multiplied. */
  units: Readonly<Record<string, number>>;
  /** Rows kept: CSV's column equals a text. */
  where: Readonly<Record<string, string>>;
  dropHighest: number;
}

export interface ChosenColumns {
  columns: Record<string, Float64Array>;
  /** Which CSV column became which. */
  names: Record<string, string>;
  rows: number;
}

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

function columnFor(table: CsvTable, name: string): string | undefined {
  const known = KNOWN[name] ?? [name];
  const hits = table.header.filter((column) => known.includes(plain(column)));
  if (hits.length > 1)
    throw new FitError(
      `fit: column ${name} must be one column, got ${hits.join(', ')}; say which with --columns ${name}=...`,
    );
  return hits[0];
}

/**
 * Columns of a law from a table. What the law needs may also follow from others (d from c and n, and so on).
 *
 * @throws FitError for a column that is missing, named twice or not made of numbers
 */
export function chooseColumns(table: CsvTable, forms: readonly Law[], options: TableOptions): ChosenColumns {
  const kept = keepRows(table, options.where);
  const wanted = new Set(forms.flatMap((law) => [...law.inputs, law.response].map(({ name }) => name)));
  const names: Record<string, string> = {};
  for (const name of [...wanted, 'n', 'd', 'c']) {
    const column = options.columns[name] ?? columnFor(table, name);
    if (column !== undefined) names[name] = column;
  }
  for (const name of Object.keys(options.columns)) names[name] ??= options.columns[name];
  let columns: Record<string, Float64Array> = {};
  for (const [name, column] of Object.entries(names)) {
    const values = numberColumn(kept, column);
    const factor = options.units[name] ?? 1;
    columns[name] = factor === 1 ? values : values.map((v) => v * factor);
  }
  for (const name of Object.keys(options.units))
    if (!columns[name])
      throw new ArgumentError(
        `fit: --units ${name} must name a column in use, got ${Object.keys(columns).join(', ')}`,
      );
  const [{ response, inputs }] = forms;
  const missing = [...inputs, response].filter(({ name }) => !deriveColumns(columns)[name]);
  if (missing.length > 0)
    throw new FitError(
      `fit: columns ${missing.map(({ name, doc }) => `${name} (${doc})`).join(', ')} must be found, got ${table.header.join(', ')}; name them, e.g. --columns ${missing[0].name}=${JSON.stringify(table.header[0])}`,
    );
  if (options.dropHighest > 0) columns = withoutHighest(columns, response.name, options.dropHighest);
  return { columns, names, rows: columns[response.name].length };
}

function keepRows(table: CsvTable, where: Readonly<Record<string, string>>): CsvTable {
  const tests = Object.entries(where).map(([name, value]) => {
    const at = table.header.indexOf(name);
    if (at < 0) throw new FitError(`fit: --where must name one of ${table.header.join(', ')}, got ${name}`);
    return (row: readonly string[]): boolean => row[at] === value;
  });
  const chosen = table.rows.map((_, i) => i).filter((i) => tests.every((test) => test(table.rows[i])));
  if (chosen.length === 0) throw new FitError('fit: --where must leave rows, got none');
  return {
    header: table.header,
    rows: chosen.map((i) => table.rows[i]),
    lines: chosen.map((i) => table.lines[i]),
  };
}
