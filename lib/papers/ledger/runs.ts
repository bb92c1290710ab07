/** Run files: building, writing to JSON, reading back with every field checked. File access is in lib/tasks/files. */
import { DataError, show } from '../../core/errors.js';
import { canonicalJson, runId } from './canonical.js';
import { SIZES, type Run } from './types.js';

/** Adds the content id to a finished run. */
export function sealRun(run: Omit<Run, 'id'>): Run {
  return { ...run, id: runId(run) };
}

/** `<size>.<device>.<first 8 of id>.json`, the name under `notebooks/results/<paper>/`. */
export function runFileName(run: Run): string {
  return `${run.size}.${run.device.slug}.${run.id.slice(0, 8)}.json`;
}

/** The text of a run file: canonical JSON, one member of the run a line. */
export function formatRun(run: Run): string {
  const lines = Object.entries(run)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${JSON.stringify(key)}: ${canonicalJson(value)}`);
  return `{\n${lines.join(',\n')}\n}\n`;
}

/** Checks one value; `path` names the field in errors. */
type Check = (value: unknown, path: string) => unknown;

function fail(path: string, condition: string, value: unknown): never {
  throw new DataError(`readRun: ${path} must ${condition}, got ${show(value)}`);
}

const text: Check = (value, path) => (typeof value === 'string' ? value : fail(path, 'be a text', value));
const flag: Check = (value, path) =>
  typeof value === 'boolean' ? value : fail(path, 'be true or false', value);
const SPECIAL: Record<string, number> = { NaN: NaN, Infinity: Infinity, '-Infinity': -Infinity };

/** A number; the texts NaN, Infinity and -Infinity stand for the values JSON cannot hold. */
const real: Check = (value, path) => {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value in SPECIAL ? SPECIAL[value] : fail(path, 'be a number', value);
};

const amount: Check = (value, path) =>
  typeof value === 'number' && value >= 0 && value < Infinity
    ? value
    : fail(path, 'be a finite number, not negative', value);

const pattern =
  (expression: RegExp, what: string): Check =>
  (value, path) =>
    typeof value === 'string' && expression.test(value) ? value : fail(path, `be ${what}`, value);

const hex64 = pattern(/^[0-9a-f]{64}$/, 'a sha256 in hex');
const time: Check = (value, path) =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT/.test(value) && !Number.isNaN(Date.parse(value))
    ? value
    : fail(path, 'be an ISO 8601 date and time', value);

const oneOf =
  (...choices: readonly unknown[]): Check =>
  (value, path) =>
    choices.includes(value) ? value : fail(path, `be one of ${choices.join(', ')}`, value);

const list =
  (item: Check): Check =>
  (value, path) =>
    Array.isArray(value) ? value.map((v, i) => item(v, `${path}[${i}]`)) : fail(path, 'be a list', value);

function members(value: unknown, path: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fail(path, 'be an object', value);
  return value as Record<string, unknown>;
}

const dictionary =
  (item: Check): Check =>
  (value, path) =>
    Object.fromEntries(
      Object.entries(members(value, path)).map(([key, v]) => [
        key,
        item(v, `${path}[${JSON.stringify(key)}]`),
      ]),
    );

const plain: Check = (value, path) => {
  if (typeof value === 'string' || typeof value === 'boolean' || value === null) return value;
  if (typeof value === 'number') return value;
  if (Array.isArray(value)) return list(plain)(value, path);
  return dictionary(plain)(value, path);
};

/** An object with exactly these fields; those ending in `?` may be missing. */
const record =
  (fields: Record<string, Check>): Check =>
  (value, path) => {
    const source = members(value, path);
    const names = new Set(Object.keys(fields).map((name) => name.replace('?', '')));
    for (const key of Object.keys(source)) {
      if (!names.has(key)) fail(path, `have no field ${JSON.stringify(key)}`, source[key]);
    }
    const out: Record<string, unknown> = {};
    for (const [field, check] of Object.entries(fields)) {
      const name = field.replace('?', '');
      const where = path === 'run' ? `run.${name}` : `${path}.${name}`;
      if (source[name] !== undefined) out[name] = check(source[name], where);
      else if (!field.endsWith('?')) fail(where, 'be given', undefined);
    }
    return out;
  };

const runRecord = record({
  format: oneOf(1),
  id: hex64,
  paper: pattern(/^[a-z0-9-]+$/, 'a paper slug'),
  'experiment?': pattern(/^[a-z0-9-]+$/, 'the name of an experiment'),
  size: oneOf(...SIZES),
  backend: text,
  started: time,
  wallSeconds: amount,
  status: oneOf('complete', 'failed', 'cancelled'),
  'failure?': text,
  dirty: flag,
  code: record({ commit: text, hash: text }),
  lock: hex64,
  data: list(record({ name: text, sha256: hex64 })),
  device: record({
    slug: pattern(/^[a-z0-9-]+$/, 'a slug of a-z, 0-9 and -'),
    platform: text,
    arch: text,
    cpu: text,
    cores: amount,
    memoryGiB: amount,
    runtime: text,
    'adapter?': text,
  }),
  config: dictionary(plain),
  criteria: dictionary(hex64),
  measurements: dictionary(list(record({ arm: text, value: real, 'seed?': amount, 'at?': real }))),
  curves: list(record({ arm: text, 'seed?': amount, label: text, x: list(real), y: list(real) })),
  'fingerprint?': text,
});

/**
 * Reads a run file.
 *
 * @throws DataError naming the field that is missing, unknown or malformed, or when the id is not that of the content.
 */
export function readRun(json: string): Run {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new DataError(`readRun: the file must be JSON, got ${(error as Error).message}`);
  }
  const run = runRecord(value, 'run') as Run;
  const id = runId(run);
  if (id !== run.id) {
    throw new DataError(
      `readRun: run.id must be the hash of the content, ${id}, got ${run.id}; a run file must not be edited`,
    );
  }
  return run;
}
