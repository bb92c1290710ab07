/** Parameter sets from files: JSON (an object, or an array of objects), or a CSV with a header; a row is a run. */
import { readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { parseCsv } from '../../lib/tasks/csv.js';
import type { GivenValue } from './parameters.js';

export type GivenParameters = Readonly<Record<string, GivenValue>>;

/** The parameter sets of a file, in order. */
export function readParameterFile(file: string): GivenParameters[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`--parameters: ${file} cannot be read: ${(error as Error).message}`);
  }
  const kind = extname(file).toLowerCase();
  if (kind === '.json') return fromJson(text, file);
  if (kind === '.csv' || kind === '.tsv') return fromCsv(text, kind === '.tsv' ? '\t' : ',');
  throw new Error(`--parameters: the file must end in .json, .csv or .tsv, got ${file}`);
}

function fromJson(text: string, file: string): GivenParameters[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    throw new Error(`--parameters: ${file} must be JSON: ${(error as Error).message}`);
  }
  const rows: unknown[] = Array.isArray(parsed) ? parsed : [parsed];
  if (rows.length === 0) throw new Error(`--parameters: ${file} must hold parameter sets, got an empty list`);
  return rows.map((row, i) => {
    if (typeof row !== 'object' || row === null || Array.isArray(row))
      throw new Error(
        `--parameters: ${file} must be an object or a list of objects, got ${JSON.stringify(row)} at place ${i + 1}`,
      );
    return Object.fromEntries(
      Object.entries(row).map(([name, value]) => [name, { value: value as unknown }]),
    );
  });
}

/** Every cell of the CSV is text; an empty cell leaves the notebook's own value. */
function fromCsv(text: string, separator: string): GivenParameters[] {
  const { header, rows } = parseCsv(text, separator);
  return rows.map((row) =>
    Object.fromEntries(header.flatMap((name, i) => (row[i] === '' ? [] : [[name, { text: row[i] }]]))),
  );
}

/** One `-p name=value`. */
export function parseAssignment(text: string): [name: string, value: GivenValue] {
  const at = text.indexOf('=');
  if (at <= 0) throw new Error(`-p must be name=value, got "${text}"`);
  return [text.slice(0, at).trim(), { text: text.slice(at + 1) }];
}
