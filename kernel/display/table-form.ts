/** A table as HTML and as aligned text. */
import { inspect } from 'node:util';
import type { Metadata, MimeBundle } from '../threads/messages.js';
import { visible } from './ansi.js';
import { alignText, card, escapeHtml, heading, note } from './html.js';
import { shortNumber } from './numbers.js';
import { count, text } from './safe.js';
import { isNumeric, type TableView } from './table-view.js';

const WIDEST = 200;
const WIDEST_TEXT = 40;

function oneLine(words: string, width: number): string {
  const line = visible(words.replace(/\r?\n/g, '↵'));
  return line.length > width ? `${line.slice(0, width - 1)}…` : line;
}

/** A cell as text; missing values are empty. */
function cellText(value: unknown, width: number): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return oneLine(value, width);
  if (typeof value === 'number' || typeof value === 'bigint') return shortNumber(value, 6);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value === null || typeof value !== 'object') return oneLine(text(value), width);
  try {
    return oneLine(inspect(value, { depth: 1, breakLength: Infinity, maxArrayLength: 8 }), width);
  } catch {
    return '[unreadable]';
  }
}

function cellClass(value: unknown, numeric: boolean): string {
  const classes = numeric ? [] : ['l'];
  if (typeof value === 'number' && !Number.isFinite(value)) classes.push('w');
  else if (value === null || (typeof value === 'object' && !(value instanceof Date))) classes.push('p');
  return classes.length > 0 ? ` class="${classes.join(' ')}"` : '';
}

function headline(view: TableView): string[] {
  const columns = count(view.columns.length + view.hidden, 'column');
  return [view.rows === undefined ? columns : `${count(view.rows, 'row')} × ${columns}`];
}

/** What of the table is not shown. */
function omitted(view: TableView, shown: number): string {
  const parts: string[] = [];
  if (view.rows === undefined || view.rows > shown) parts.push(`the first ${count(shown, 'row')} are shown`);
  if (view.hidden > 0) parts.push(`${count(view.hidden, 'more column')} not shown`);
  return parts.join('; ');
}

/** Both forms of a table. */
export function tableForm(view: TableView): { data: MimeBundle; metadata: Metadata } {
  const shown = Math.max(0, ...view.columns.map((column) => column.cells.length));
  const right = view.columns.map((column) => isNumeric(column.type));
  const rows = Array.from({ length: shown }, (_, r) => view.columns.map((column) => column.cells[r]));
  const left = (i: number): string => (right[i] ? '' : ' class="l"');
  const head = view.columns
    .map(({ name, type }, i) => {
      const label = escapeHtml(oneLine(name, 60));
      return `<th${left(i)}>${label}<br><span class="p">${escapeHtml(type)}</span></th>`;
    })
    .join('');
  const body = rows.map(
    (row) =>
      `<tr>${row.map((v, i) => `<td${cellClass(v, right[i])}>${escapeHtml(cellText(v, WIDEST))}</td>`).join('')}</tr>`,
  );
  const rest = omitted(view, shown);
  const aligned = alignText(
    [
      view.columns.map((column) => oneLine(column.name, WIDEST_TEXT)),
      view.columns.map((column) => column.type),
      ...rows.map((row) => row.map((v) => cellText(v, WIDEST_TEXT))),
    ],
    right,
  );
  const title = [view.title, ...headline(view)].join(' ');
  return {
    data: {
      'text/plain': [title, ...aligned.map((line) => `  ${line}`), ...(rest ? [`… ${rest}`] : [])].join('\n'),
      'text/html': card(
        heading(view.title, headline(view)) +
          `<table><thead><tr>${head}</tr></thead><tbody>${body.join('')}</tbody></table>` +
          (rest ? note(`… ${rest}`) : ''),
      ),
    },
    metadata: {},
  };
}
