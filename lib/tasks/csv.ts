/** Tables of comma-separated values (RFC 4180), with line numbers in errors. */
import { DataError, show } from '../core/errors.js';

/** A table of text; every row has as many cells as the header. */
export interface CsvTable {
  header: string[];
  rows: string[][];
  /** Line of the file on which each row begins, from 1. */
  lines: number[];
}

/**
 * Reads a table: quoted cells may hold commas, quotes (doubled) and line ends; LF, CRLF and a byte order mark are fine;
 * empty lines are skipped; spaces around names and unquoted cells are dropped.
 *
 * @throws DataError for an empty table, an unfinished quote, a name twice or missing, a row of another length
 */
export function parseCsv(text: string, separator = ','): CsvTable {
  const cells: { row: string[]; line: number }[] = [];
  let row: string[] = [];
  let [cell, quoted, wasQuoted] = ['', false, false];
  let [line, begun] = [1, 1];
  const endCell = (): void => {
    row.push(wasQuoted ? cell : cell.trim());
    [cell, wasQuoted] = ['', false];
  };
  const endRow = (): void => {
    endCell();
    if (row.length > 1 || row[0] !== '') cells.push({ row, line: begun });
    row = [];
    begun = line + 1;
  };
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  for (let i = 0; i < source.length; i++) {
    const char = source[i];
    if (quoted) {
      if (char === '"' && source[i + 1] === '"') cell += source[++i];
      else if (char === '"') quoted = false;
      else cell += char;
    } else if (char === '"' && cell.trim() === '' && !wasQuoted) [cell, quoted, wasQuoted] = ['', true, true];
    else if (char === separator) endCell();
    else if (char === '\n') endRow();
    else if (char !== '\r' && !(wasQuoted && char.trim() === '')) cell += char;
    if (char === '\n') line++;
  }
  if (quoted) throw new DataError(`parseCsv: the quote of the row at line ${begun} must be closed`);
  if (cell !== '' || row.length > 0) endRow();
  const [head, ...body] = cells;
  if (!head || body.length === 0)
    throw new DataError(`parseCsv: text must hold a header and a row, got ${cells.length} rows`);
  const header = head.row;
  header.forEach((name, i) => {
    if (name === '' || header.indexOf(name) !== i)
      throw new DataError(`parseCsv: column ${i + 1} must have a name of its own, got ${show(name)}`);
  });
  for (const { row: cellsOfRow, line: at } of body)
    if (cellsOfRow.length !== header.length)
      throw new DataError(`parseCsv: line ${at} must have ${header.length} cells, got ${cellsOfRow.length}`);
  return { header, rows: body.map((r) => r.row), lines: body.map((r) => r.line) };
}

/**
 * A column as numbers.
 *
 * @throws DataError for a column that is not there or a cell that is not a number; empty cells are not numbers
 */
export function numberColumn(table: CsvTable, name: string): Float64Array {
  const at = table.header.indexOf(name);
  if (at < 0)
    throw new DataError(`numberColumn: column must be one of ${table.header.join(', ')}, got ${show(name)}`);
  return Float64Array.from(table.rows, (row, i) => {
    const value = row[at] === '' ? NaN : Number(row[at]);
    if (Number.isNaN(value))
      throw new DataError(
        `numberColumn: ${name} must hold numbers, got ${show(row[at])} at line ${table.lines[i]}; correct it or leave the row out`,
      );
    return value;
  });
}
