/** Numbers as a card: heading, corner of the table, statistics, pictures; and the same as text. */
import type { Metadata, MimeBundle } from '../threads/messages.js';
import type { Absent, ArrayView } from './array-view.js';
import { alignText, card, escapeHtml, heading, note } from './html.js';
import { exactNumber, shapeText, shortNumber } from './numbers.js';
import { heatMap, histogram, sparkline } from './pictures.js';
import { statisticsOf, type Statistics } from './statistics.js';

const CORNER = 8;
const BEFORE_DOTS = 5;
const AFTER_DOTS = 2;

/** Positions shown of `length` ones; -1 stands for the ellipsis. */
function shownPositions(length: number): number[] {
  if (length <= CORNER) return Array.from({ length }, (_, i) => i);
  const head = Array.from({ length: BEFORE_DOTS }, (_, i) => i);
  const tail = Array.from({ length: AFTER_DOTS }, (_, i) => length - AFTER_DOTS + i);
  return [...head, -1, ...tail];
}

/** The matrix of the last two dims that comes first; a sequence is one row of it. */
export interface Matrix {
  rows: number;
  columns: number;
  /** `[0, 0, :, :]` where there are more matrices. */
  slice: string;
  /** How many such matrices there are. */
  matrices: number;
}

export function firstMatrix(shape: readonly number[]): Matrix {
  const columns = shape.at(-1) ?? 1;
  const rows = shape.at(-2) ?? 1;
  const outer = shape.slice(0, -2);
  const matrices = outer.reduce((product, size) => product * size, 1);
  return { rows, columns, matrices, slice: `[${[...outer.map(() => '0'), ':', ':'].join(', ')}]` };
}

interface Corner {
  /** Column positions, -1 for the ellipsis. */
  columns: number[];
  rows: { at: number; cells: string[] }[];
}

function cornerOf(view: ArrayView, matrix: Matrix): Corner {
  const columns = shownPositions(matrix.columns);
  const cell = (r: number, c: number): string => {
    if (r < 0 || c < 0) return '…';
    const i = r * matrix.columns + c;
    return i < view.values.length ? shortNumber(view.values[i]) : '…';
  };
  const rows = shownPositions(matrix.rows).map((r) => ({ at: r, cells: columns.map((c) => cell(r, c)) }));
  return { columns, rows };
}

/** Name, value and whether it should worry the reader. */
export type Fact = readonly [name: string, value: string, warn?: boolean];

/** Statistics as names and values; what is not there is left out. */
export function statisticFacts(s: Statistics, dtype: string): Fact[] {
  const facts: Fact[] = [];
  if (s.min !== undefined && s.max !== undefined && s.mean !== undefined && s.std !== undefined)
    facts.push(
      ['min', exactNumber(s.min, dtype)],
      ['max', exactNumber(s.max, dtype)],
      ['mean', shortNumber(s.mean, 6)],
      ['std', shortNumber(s.std, 6)],
    );
  if (s.zeros > 0) facts.push(['zeros', `${s.zeros.toLocaleString('en')} (${share(s.zeros, s.count)})`]);
  if (s.nan > 0) facts.push(['NaN', `${s.nan.toLocaleString('en')} (${share(s.nan, s.count)})`, true]);
  if (s.infinite > 0) facts.push(['+Infinity', s.infinite.toLocaleString('en'), true]);
  if (s.negativeInfinite > 0) facts.push(['-Infinity', s.negativeInfinite.toLocaleString('en'), true]);
  return facts;
}

/** A share that says 0 % or 100 % only when it is. */
function share(part: number, whole: number): string {
  if (part === whole) return '100 %';
  const percent = (100 * part) / whole;
  if (percent < 0.1) return '<0.1 %';
  return percent > 99.9 ? '>99.9 %' : `${Number(percent.toPrecision(3))} %`;
}

/** What must be said about the numbers below the statistics. */
function remarks(view: ArrayView, s: Statistics | undefined): string[] {
  const out: string[] = [];
  if (!s) return ['no elements'];
  if (s.finite === 0) out.push('no finite element');
  else if (s.finite < s.count) out.push('min, max, mean and std are of the finite elements');
  if (view.values.length < view.size)
    out.push(`statistics and pictures of the first ${view.values.length.toLocaleString('en')} elements`);
  return out;
}

function cornerHtml(corner: Corner, isMatrix: boolean): string {
  const cells = (row: Corner['rows'][number]): string =>
    row.cells.map((cell) => `<td class="${tone(cell)}">${escapeHtml(cell)}</td>`).join('');
  const index = (at: number): string => `<th class="p">${at < 0 ? '…' : at}</th>`;
  const head = `<tr>${isMatrix ? '<th></th>' : ''}${corner.columns.map(index).join('')}</tr>`;
  const body = corner.rows.map((row) => `<tr>${isMatrix ? index(row.at) : ''}${cells(row)}</tr>`);
  return `<table><thead>${head}</thead><tbody>${body.join('')}</tbody></table>`;
}

function tone(cell: string): string {
  if (cell === '…') return 'p';
  return cell === 'NaN' || cell.endsWith('Infinity') ? 'n w' : 'n';
}

/** A table of names and values. */
export function factsHtml(facts: readonly Fact[]): string {
  const rows = facts.map(
    ([name, value, warn]) =>
      `<tr><td class="l ${warn ? 'w' : 'p'}">${name}</td><td class="n${warn ? ' w' : ''}">${escapeHtml(value)}</td></tr>`,
  );
  return rows.length > 0 ? `<table><tbody>${rows.join('')}</tbody></table>` : '';
}

function picturesOf(view: ArrayView, matrix: Matrix, s: Statistics): string {
  if (view.values.length < matrix.rows * matrix.columns || s.finite === 0) return '';
  const isMatrix = matrix.rows > 1 && matrix.columns > 1;
  const pictures: string[] = [];
  if (isMatrix) pictures.push(heatMap(view.values, matrix.rows, matrix.columns));
  else if (view.values.length > 2 && view.size === matrix.rows * matrix.columns)
    pictures.push(sparkline(view.values, s));
  if (view.values.length >= 16) pictures.push(histogram(view.values, s));
  return pictures
    .filter((picture) => picture !== '')
    .map((p) => `<div>${p}</div>`)
    .join('');
}

/** Both forms of a run of numbers. */
export function arrayForm(view: ArrayView): { data: MimeBundle; metadata: Metadata } {
  const matrix = firstMatrix(view.shape);
  const stats = view.values.length > 0 ? statisticsOf(view.values) : undefined;
  const facts = stats ? statisticFacts(stats, view.dtype) : [];
  const said = remarks(view, stats);
  const isMatrix = view.shape.length >= 2;
  const corner = stats ? cornerOf(view, matrix) : undefined;
  const many = matrix.matrices.toLocaleString('en');
  const caption = matrix.matrices > 1 ? `${matrix.slice}, the first of ${many} matrices` : '';
  const headline = [`${view.dtype} ${shapeText(view.shape)}`, ...view.facts];
  const lines = corner ? cornerText(corner, isMatrix) : [];
  const shown = facts.map(([name, value]) => `${name} ${value}`).join('  ');
  const text = [
    `${view.title} ${headline.join(', ')}`,
    ...(caption ? [caption] : []),
    ...lines,
    shown,
    ...said,
  ];
  const html =
    heading(view.title, headline) +
    (caption ? note(caption) : '') +
    `<div class="f"><div>${corner ? cornerHtml(corner, isMatrix) : ''}</div><div>${factsHtml(facts)}</div>` +
    `<div class="f">${stats ? picturesOf(view, matrix, stats) : ''}</div></div>` +
    said.map((line) => note(line, line.startsWith('no finite'))).join('');
  return {
    data: { 'text/plain': text.filter((line) => line !== '').join('\n'), 'text/html': card(html) },
    metadata: {},
  };
}

function cornerText(corner: Corner, isMatrix: boolean): string[] {
  if (!isMatrix) return [`[${corner.rows[0].cells.join(', ')}]`];
  return alignText(
    corner.rows.map((row) => row.cells),
    true,
  ).map((line) => `  ${line}`);
}

/** A thing without elements: what it is, and why there is nothing to see. */
export function absentForm({ title, facts, why }: Absent): { data: MimeBundle; metadata: Metadata } {
  return {
    data: {
      'text/plain': `${[title, ...(facts.length > 0 ? [facts.join(', ')] : [])].join(' ')}: ${why}`,
      'text/html': card(heading(title, facts) + note(why)),
    },
    metadata: {},
  };
}
