/** Whether a cell typed so far is a whole: what a console asks on Enter. */
import ts from '#typescript';
import type { TypesAnswers } from '../threads/types-messages.js';
import { cellText, parse, parseErrors } from './parse.js';

/** Diagnostics that more text can cure wherever they are reported. */
const OPEN = new Set([
  1010, // '*/' expected
  1160, // unterminated template literal
]);

/** Length of the text without trailing blanks and comments. */
function endOfCode(text: string): number {
  const scanner = ts.createScanner(ts.ScriptTarget.ESNext, false, ts.LanguageVariant.Standard, text);
  let end = 0;
  for (let token = scanner.scan(); token !== ts.SyntaxKind.EndOfFileToken; token = scanner.scan())
    if (token > ts.SyntaxKind.LastTriviaToken) end = scanner.getTokenEnd();
  return end;
}

/** Blanks for the next line: those of the last one, and two more after an opening bracket. */
function nextIndent(text: string): string {
  const lines = text.slice(0, endOfCode(text)).split(/\r?\n/);
  const last = lines[lines.length - 1];
  const indent = /^\s*/.exec(last)?.[0] ?? '';
  return /[{([]\s*$|=>\s*$/.test(last) ? `${indent}  ` : indent;
}

/** Answers is_complete for the text of a cell. */
export function isComplete(code: string): TypesAnswers['is-complete'] {
  const source = parse(cellText(code).text);
  const errors = parseErrors(source);
  if (errors.length === 0) return { status: 'complete', indent: '' };
  const first = errors[0];
  const open = errors.some((one) => OPEN.has(one.code));
  // An unterminated string or regular expression may be reported at the end, but no further line can close it.
  const unclosable = first.code === 1002 || first.code === 1161;
  if (open || (!unclosable && first.start >= endOfCode(code)))
    return { status: 'incomplete', indent: open ? '' : nextIndent(code) };
  return { status: 'invalid', indent: '' };
}
