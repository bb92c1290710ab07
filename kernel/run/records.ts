/** Values a notebook records for whoever ran it, and the table of all runs. */
import type { Notebook } from './notebook.js';
import type { Parameters } from './parameters.js';

/** An output of this kind holds an object: every member is a recorded value by its name; later ones win. */
export const RECORD_MIME = 'application/x-assay.result+json';
/** What scrapbook writes: {name, data}. */
const SCRAP_MIME = 'application/scrapbook.scrap.json+json';

/** The values an executed notebook holds. */
export function recordedValues(notebook: Notebook): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const cell of notebook.cells)
    for (const output of cell.outputs ?? []) {
      if (!('data' in output)) continue;
      const record = output.data[RECORD_MIME];
      if (typeof record === 'object' && record !== null) Object.assign(values, record);
      const scrap = output.data[SCRAP_MIME] as { name?: unknown; data?: unknown } | undefined;
      if (typeof scrap?.name === 'string') values[scrap.name] = scrap.data;
    }
  return values;
}

/** What became of one run; `kept`: a finished run with the same key lay there already. */
export type RunStatus = 'ok' | 'kept' | 'failed' | 'interrupted' | 'lost' | 'not run';

export interface RunRow {
  /** The source. */
  readonly notebook: string;
  /** The executed copy. */
  readonly output: string;
  readonly parameters: Parameters;
  readonly status: RunStatus;
  readonly ok: boolean;
  readonly executed: number;
  readonly codeCells: number;
  readonly seconds: number;
  readonly failure?: { readonly cell: number; readonly reason: string };
  /** What the notebook recorded. */
  readonly values: Readonly<Record<string, unknown>>;
}

/** Columns and rows of texts: parameters, status, seconds, values. A value named like a parameter says so. */
export function tableOf(rows: readonly RunRow[]): { header: string[]; rows: string[][] } {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.parameters)))];
  const values = [...new Set(rows.flatMap((row) => Object.keys(row.values)))];
  const own = new Set([...names, 'status', 'seconds']);
  const header = [
    ...names,
    'status',
    'seconds',
    ...values.map((name) => (own.has(name) ? `${name} (result)` : name)),
  ];
  const cells = rows.map((row) => [
    ...names.map((name) => text(row.parameters[name])),
    row.status,
    String(row.seconds),
    ...values.map((name) => text(row.values[name])),
  ]);
  return { header, rows: cells };
}

function text(value: unknown): string {
  if (value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** The table as CSV (RFC 4180). */
export function csvOf(rows: readonly RunRow[]): string {
  const table = tableOf(rows);
  const cell = (value: string): string =>
    /[",\r\n]|^\s|\s$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
  return [table.header, ...table.rows].map((row) => row.map(cell).join(',') + '\r\n').join('');
}

const WIDEST = 28;

/** The table for people: columns in line, long values cut. */
export function printedTable(rows: readonly RunRow[]): string[] {
  const table = tableOf(rows);
  const short = (value: string): string => {
    const line = value.replace(/\s+/g, ' ');
    return line.length > WIDEST ? `${line.slice(0, WIDEST - 1)}…` : line;
  };
  const lines = [table.header, ...table.rows].map((row) => row.map(short));
  const widths = table.header.map((_, i) => Math.max(...lines.map((row) => row[i].length)));
  const rule = widths.map((width) => '-'.repeat(width));
  const [header, ...body] = lines;
  return [header, rule, ...body].map((row) =>
    row
      .map((value, i) => value.padEnd(widths[i]))
      .join('  ')
      .trimEnd(),
  );
}
