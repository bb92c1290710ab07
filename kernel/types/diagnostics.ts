/** The compiler's diagnostics as the kernel shows them. */
import ts from '#typescript';
import type { Diagnostic, Place } from '../threads/types-messages.js';
import { withoutHeader } from './header.js';
import { parseErrors } from './parse.js';

/** At most so many are shown of one cell: the first are the ones that matter. */
export const MOST_SHOWN = 10;

/** Where a diagnostic's text is shown: the reader's file name and how offsets become places. */
export interface Shown {
  readonly file: string;
  readonly source: ts.SourceFileLike;
  /** UTF-16 units before the reader's own text. */
  readonly header: number;
  /** Parentheses put into the text after the header: their offsets in it. */
  readonly wrapped?: readonly [number, number];
  /** Length of the reader's text with the parentheses. */
  readonly length: number;
}

/** Line and column, from 1, of an offset of the compiler's text in the reader's text. */
export function placeOf(offset: number, shown: Shown): { line: number; column: number } {
  const inCell = Math.min(Math.max(offset - shown.header, 0), shown.length);
  const text = (shown.source as { text: string }).text;
  const before = text.slice(shown.header, shown.header + inCell);
  const lines = before.split(/\r\n|[\n\r\u2028\u2029]/);
  let column = lines[lines.length - 1].length + 1;
  for (const put of shown.wrapped ?? [])
    if (put < inCell && !/[\n\r\u2028\u2029]/.test(before.slice(put))) column--;
  return { line: lines.length, column };
}

/** What a reader calls a file and a place in it. */
export type NameFile = (file: ts.SourceFile, start: number) => { file: string; place: Place };

/** The chained reasons below the first message, indented by depth. */
function reasons(message: ts.DiagnosticMessageChain, depth = 0): string[] {
  return (message.next ?? []).flatMap((one) => [
    '  '.repeat(depth) + withoutHeader(one.messageText),
    ...reasons(one, depth + 1),
  ]);
}

function related(information: ts.DiagnosticRelatedInformation, names: NameFile): string {
  const text = withoutHeader(ts.flattenDiagnosticMessageText(information.messageText, '\n'));
  if (!information.file || information.start === undefined) return text;
  const { file, place } = names(information.file, information.start);
  return `${file}:${place.line}:${place.column}: ${text}`;
}

/** One diagnostic as shown. */
export function toDiagnostic(one: ts.Diagnostic, shown: Shown, names: NameFile): Diagnostic {
  const start = one.start ?? 0;
  const message = typeof one.messageText === 'string' ? one.messageText : one.messageText.messageText;
  const chain = typeof one.messageText === 'string' ? [] : reasons(one.messageText);
  const length = Math.max(1, Math.min(one.length ?? 1, shown.header + shown.length - start));
  return {
    ...placeOf(start, shown),
    code: one.code,
    message: withoutHeader(message),
    length,
    file: shown.file,
    notes: [...chain, ...(one.relatedInformation ?? []).map((note) => related(note, names))],
  };
}

/** Syntax errors of a parsed text. */
export function syntaxDiagnostics(
  source: ts.SourceFile,
  file: string,
  wrapped?: readonly [number, number],
): Diagnostic[] {
  const shown = { file, source, header: 0, wrapped, length: source.text.length };
  return parseErrors(source)
    .slice(0, MOST_SHOWN)
    .map((one) => toDiagnostic(one, shown, (_, start) => ({ file, place: placeOf(start, shown) })));
}
