/** A place in a source text with the lines around it and a caret under it. */
import { columns, paint, visible } from './ansi.js';

export interface CodeFrame {
  /** As a reader should see it: `cell-3.ts`, `shader.wgsl`. */
  file: string;
  /** The whole source text. */
  text: string;
  /** From 1. */
  line: number;
  /** From 1, in UTF-16 units. Absent: the line is marked without a caret. */
  column?: number;
  /** UTF-16 units to underline, also over line ends; default 1. */
  length?: number;
  /** Said above the frame, after the place. */
  message?: string;
  /** `error TS2322`, `warning`; stands before the message. */
  label?: string;
  /** Lines after the frame: related places and reasons. */
  notes?: readonly string[];
  /** Lines shown before and after; default 2. */
  around?: number;
  /** Default true. */
  colour?: boolean;
}

const WIDTH = 160;

/** Underlined part of one line: columns from 0, end excluded. */
interface Mark {
  from: number;
  to: number;
}

/** The marked part of each line, by line from 1, as far as the underlining reaches. */
function marksOf(frame: CodeFrame, lines: readonly string[]): Map<number, Mark> {
  const marks = new Map<number, Mark>();
  if (frame.column === undefined) return marks;
  let left = Math.max(1, frame.length ?? 1);
  let from = Math.max(0, frame.column - 1);
  for (let at = frame.line; at <= lines.length && left > 0; at++) {
    const width = lines[at - 1].length;
    const to = Math.min(width, from + left);
    // A place at the end of its line still gets a caret.
    if (at === frame.line) marks.set(at, { from: Math.min(from, width), to: Math.max(to, from + 1) });
    else if (lines[at - 1].trim() !== '')
      marks.set(at, { from: width - lines[at - 1].trimStart().length, to });
    left -= width - from + 1;
    from = 0;
  }
  return marks;
}

/** The part of a very long line that the mark is in. */
function windowed(line: string, mark: Mark | undefined): { text: string; mark?: Mark } {
  if (line.length <= WIDTH) return { text: line, mark };
  const start = mark ? Math.max(0, Math.min(mark.from - 40, line.length - WIDTH)) : 0;
  const head = start > 0 ? '…' : '';
  const tail = start + WIDTH < line.length ? '…' : '';
  const shift = head.length - start;
  return {
    text: head + line.slice(start, start + WIDTH) + tail,
    mark: mark && { from: mark.from + shift, to: Math.min(mark.to, start + WIDTH) + shift },
  };
}

/** Carets under a line, aligned whatever its tabs and wide characters are. */
function carets(text: string, mark: Mark): string {
  const before = text.slice(0, mark.from);
  const pad = before
    .split('\t')
    .map((part) => ' '.repeat(columns(part)))
    .join('\t');
  return pad + '^'.repeat(Math.max(1, columns(text.slice(mark.from, mark.to))));
}

function head(frame: CodeFrame, on: boolean): string {
  const place = `${frame.file}:${frame.line}${frame.column === undefined ? '' : `:${frame.column}`}`;
  const mild = /^(note|warning|info)/.test(frame.label ?? '');
  const label = frame.label ? ` - ${paint(frame.label, mild ? 'bold' : 'red', on)}` : '';
  const message = frame.message ? `: ${visible(frame.message)}` : '';
  return paint(place, 'blue', on) + label + message;
}

/**
 * Lines of text: the place with the message, then the source around it.
 *
 * @returns only the place and message when the line is not in the text
 */
export function codeFrame(frame: CodeFrame): string {
  const on = frame.colour ?? true;
  const lines = frame.text.split(/\r\n|\r|\n/);
  const out = [head(frame, on)];
  if (frame.line >= 1 && frame.line <= lines.length) {
    const marks = marksOf(frame, lines);
    const around = frame.around ?? 2;
    // A mark over many lines is shown by its first ones.
    const lastMark = Math.min(Math.max(frame.line, ...marks.keys()), frame.line + 4);
    const first = Math.max(1, frame.line - around);
    const last = Math.min(lines.length, lastMark + around);
    const width = String(last).length;
    for (let at = first; at <= last; at++) {
      const marked = at === frame.line || (marks.has(at) && at <= lastMark);
      const { text, mark } = windowed(lines[at - 1], at <= lastMark ? marks.get(at) : undefined);
      const number = String(at).padStart(width);
      const gutter = marked ? paint(`> ${number} |`, 'red', on) : `  ${number} |`;
      out.push(`${gutter} ${visible(text)}`.trimEnd());
      if (mark) out.push(`  ${' '.repeat(width)} | ${paint(carets(text, mark), 'red', on)}`);
    }
  }
  for (const note of frame.notes ?? [])
    out.push(
      ...visible(note)
        .split('\n')
        .map((line) => `  ${line}`),
    );
  return out.join('\n');
}
