/** Arrays of records, Arquero tables and objects of columns under one description. */
import { types } from 'node:util';
import { typedArrayDtype } from './array-view.js';
import type { DisplayLimits } from './limits.js';
import { className, ownData, peek } from './safe.js';

/** The first rows of a table. */
export interface TableView {
  title: string;
  /** Rows of the whole table; undefined where it does not tell. */
  rows: number | undefined;
  columns: TableColumn[];
  /** Columns beyond those shown. */
  hidden: number;
}

export interface TableColumn {
  name: string;
  /** `f64`, `number`, `string`, `mixed` ... */
  type: string;
  cells: unknown[];
}

/** Rows looked at to learn the columns. */
const SURVEY = 1000;
const MOST_COLUMNS = 200;

function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || types.isProxy(value)) return false;
  const prototype = Object.getPrototypeOf(value) as object | null;
  if (prototype === null) return true;
  // Records of another realm have that realm's Object.prototype.
  return Object.getPrototypeOf(prototype) === null && className(value) === 'Object';
}

function isAtom(value: unknown): boolean {
  return value === null || typeof value !== 'object' || value instanceof Date;
}

/** Keys of the records, in order of first sight, when they are alike enough to be rows of one table. */
function commonKeys(records: readonly object[]): string[] | undefined {
  const seen = new Map<string, number>();
  let filled = 0;
  let atoms = 0;
  for (const record of records) {
    for (const key of Object.keys(record)) {
      seen.set(key, (seen.get(key) ?? 0) + 1);
      filled++;
      if (isAtom(ownData(record, key))) atoms++;
    }
    if (seen.size > MOST_COLUMNS) return undefined;
  }
  if (seen.size === 0) return undefined;
  // Trees and unions of shapes read better as text: a table would be mostly holes or mostly [Object].
  const dense = filled >= 0.5 * seen.size * records.length;
  return dense && atoms >= 0.5 * filled ? [...seen.keys()] : undefined;
}

/** An array of at least one record. */
export function recordsView(value: object, limits: DisplayLimits): TableView | undefined {
  if (!Array.isArray(value) || value.length === 0 || types.isProxy(value)) return undefined;
  // Holes become undefined, which every() would skip.
  const survey = Array.from({ length: Math.min(SURVEY, value.length) }, (_, i) => (value as unknown[])[i]);
  if (!survey.every(isRecord)) return undefined;
  const keys = commonKeys(survey);
  if (!keys) return undefined;
  const columns = keys.slice(0, limits.columns).map((name) => {
    const all = survey.map((record) => ownData(record, name));
    return { name, type: typeOf(all), cells: all.slice(0, limits.rows) };
  });
  return { title: 'Array', rows: value.length, columns, hidden: keys.length - columns.length };
}

/** An object whose values are columns of equal length, at least one of them a typed array. */
export function columnsView(value: object, limits: DisplayLimits): TableView | undefined {
  if (!isRecord(value)) return undefined;
  const keys = Object.keys(value);
  if (keys.length < 2 || keys.length > MOST_COLUMNS) return undefined;
  const held = keys.map((key) => ownData(value, key));
  if (!held.some((column) => typedArrayDtype(column))) return undefined;
  if (!held.every((column) => Array.isArray(column) || typedArrayDtype(column))) return undefined;
  const lengths = new Set(held.map((column) => (column as unknown[]).length));
  if (lengths.size !== 1) return undefined;
  const columns = keys.slice(0, limits.columns).map((name, i) => columnOf(name, held[i], limits));
  return { title: 'Object of columns', rows: [...lengths][0], columns, hidden: keys.length - columns.length };
}

function columnOf(name: string, held: unknown, limits: DisplayLimits): TableColumn {
  const column = held as ArrayLike<unknown>;
  const survey = Array.from({ length: Math.min(SURVEY, column.length) }, (_, i) => column[i]);
  return { name, type: typedArrayDtype(held) ?? typeOf(survey), cells: survey.slice(0, limits.rows) };
}

type Call = (this: unknown, ...args: unknown[]) => unknown;

function method(value: object, name: string): Call | undefined {
  const found = peek(value, name);
  return typeof found === 'function' ? (found.bind(value) as Call) : undefined;
}

/** An Arquero table, or anything that answers columnNames() and objects() as it does. */
export function frameView(value: object, limits: DisplayLimits): TableView | undefined {
  if (Array.isArray(value) || types.isProxy(value)) return undefined;
  const [columnNames, objects] = [method(value, 'columnNames'), method(value, 'objects')];
  if (!columnNames || !objects) return undefined;
  const names = [...(columnNames() as Iterable<string>)];
  const records = [...(objects({ limit: SURVEY }) as Iterable<object>)].slice(0, SURVEY);
  const rows = method(value, 'numRows')?.();
  const columns = names.slice(0, limits.columns).map((name) => {
    const all = records.map((record) => peek(record, name));
    const array = method(value, 'column')?.(name);
    const dtype = typedArrayDtype(peek(array, 'data') ?? array);
    return { name, type: dtype ?? typeOf(all), cells: all.slice(0, limits.rows) };
  });
  const title = className(value) === 'ColumnTable' ? 'Table' : className(value) || 'Table';
  return {
    title,
    rows: typeof rows === 'number' ? rows : undefined,
    columns,
    hidden: names.length - columns.length,
  };
}

/** The one type of the values, missing ones aside. */
function typeOf(values: readonly unknown[]): string {
  const found = new Set(values.filter((v) => v !== null && v !== undefined).map(oneType));
  if (found.size === 0) return 'empty';
  return found.size === 1 ? [...found][0] : 'mixed';
}

function oneType(value: unknown): string {
  if (typeof value !== 'object') return typeof value;
  if (value instanceof Date) return 'date';
  return Array.isArray(value) ? 'array' : 'object';
}

/** Are the cells of such a column numbers, aligned to the right? */
export function isNumeric(type: string): boolean {
  return type === 'number' || type === 'bigint' || /^[fiu]\d/.test(type);
}
