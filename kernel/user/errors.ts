/** Errors of cells as the protocol wants them: thrown values, refused cells, promises nobody awaits. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { codeFrame } from '../display/code-frame.js';
import { errorMessage, errorName, formatErrorText } from '../display/errors.js';
import type { ErrorContent } from '../threads/messages.js';
import type { Diagnostic, RefusedCell } from '../threads/types-messages.js';
import type { CellSources } from './cell-map.js';

/** Diagnostics shown with a code frame; of the others only the number is told. */
const SHOWN = 10;

/** ename, evalue and traceback of anything that was thrown. Stacks are mapped by mapStacks already. */
export function errorContent(error: unknown, cells: CellSources): ErrorContent {
  const text = formatErrorText(error, { source: (file) => cells.get(file)?.code });
  return { ename: errorName(error), evalue: errorMessage(error), traceback: text.split('\n') };
}

/** What is said when the kernel's own code failed: made with nothing that a cell could have broken. */
export function brokenContent(error: unknown): ErrorContent {
  let evalue = 'the kernel could not run or show this cell';
  try {
    evalue += `: ${(error as Error).message}`;
  } catch {
    // Without the reason.
  }
  evalue +=
    '; a cell may have changed what JavaScript itself needs (a prototype, a global): restart the kernel';
  return { ename: 'KernelError', evalue, traceback: [`KernelError: ${evalue}`] };
}

/** The text a diagnostic points into: the cell's own, or that of a file of the notebook's folder. */
function textOf(file: string, code: string, cellFile: string, folder: string): string {
  if (file === cellFile) return code;
  try {
    return readFileSync(resolve(folder, file), 'utf8');
  } catch {
    return '';
  }
}

/** Where a cell stands whose diagnostics are shown. */
export interface CellPlace {
  readonly code: string;
  readonly count: number;
  readonly folder: string;
}

function framed(diagnostic: Diagnostic, cell: CellPlace, label: string): string[] {
  const { file, line, column, length, message, notes } = diagnostic;
  const text = textOf(file, cell.code, `cell-${cell.count}.ts`, cell.folder);
  return codeFrame({ file, text, line, column, length, message, notes, label }).split('\n');
}

function codeName(diagnostic: Diagnostic): string {
  return diagnostic.code > 0 ? `TS${diagnostic.code}` : 'error';
}

/** A cell that was not run: `SyntaxError`, or the number of its first type error such as `TS2322`. */
export function refusal(refused: RefusedCell, cell: CellPlace): ErrorContent {
  const { diagnostics, kind } = refused;
  const syntax = kind === 'syntax';
  const lines = diagnostics
    .slice(0, SHOWN)
    .flatMap((diagnostic, i) => [...(i > 0 ? [''] : []), ...framed(diagnostic, cell, codeName(diagnostic))]);
  const more = diagnostics.length - SHOWN;
  if (more > 0) lines.push('', `… and ${more} more`);
  lines.push('');
  const advice = syntax
    ? 'Nothing of this cell was run.'
    : 'Nothing of this cell was run. `// @ts-nocheck` or `%%nocheck` as its first line runs it unchecked.';
  lines.push(advice);
  const [first] = diagnostics;
  const ename = syntax ? 'SyntaxError' : first ? codeName(first) : 'TypeError';
  return { ename, evalue: first?.message ?? 'the cell was refused', traceback: lines };
}

/** The visible note on an expression that is a promise nobody awaits. */
export function floatingNote(diagnostic: Diagnostic, cell: CellPlace): string {
  return `${framed(diagnostic, cell, 'note').join('\n')}\n`;
}
