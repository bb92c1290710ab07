/** Errors as text: what, where, why (causes), members of an aggregate, and the properties that say more. */
import { inspect } from 'node:util';
import { paint, visible } from './ansi.js';
import { codeFrame } from './code-frame.js';
import { className, isError, ownData, peek, text } from './safe.js';

/** One line of a stack. */
export interface StackFrame {
  /** `async f`, `new Foo`, `Foo.bar`; empty at the top level of a file. */
  call: string;
  /** As the stack has it: a path, a file: or node: address, or the name given by sourceURL. */
  file?: string;
  line?: number;
  column?: number;
}

export interface ErrorTextOptions {
  /** The frame as the reader should see it (own lines of a cell), or undefined to leave it out. */
  mapFrame?: (frame: StackFrame) => StackFrame | undefined;
  /** Source text of a file; the first frame whose source is known gets a code frame. */
  source?: (file: string) => string | undefined;
  /** Default true. */
  colour?: boolean;
  /** Frames shown of each error; default 20. */
  frames?: number;
}

/** Deepest cause and most members of one aggregate that are shown. */
const CHAIN = 10;
const MEMBERS = 10;
const MESSAGE = 20_000;
const SHOWN_ELSEWHERE = new Set(['stack', 'message', 'name', 'cause', 'errors', 'error', 'suppressed']);

/** Name of an error: its own, or its class where the class forgot to set one; for other thrown values their type. */
export function errorName(error: unknown): string {
  if (!isError(error)) return className(error) || (error === null ? 'null' : typeof error);
  const name = peek(error, 'name');
  const made = className(error);
  if (typeof name !== 'string' || name === '') return made || 'Error';
  return name === 'Error' && made.endsWith('Error') ? made : name;
}

/** Message of an error; for other thrown values what they look like. */
export function errorMessage(error: unknown): string {
  if (isError(error)) {
    const message = peek(error, 'message');
    return shorten(typeof message === 'string' ? message : message === undefined ? '' : text(message));
  }
  if (typeof error === 'string') return shorten(error);
  return shorten(safeInspect(error, false));
}

/** "TypeError: x is not a function" */
export function errorTitle(error: unknown, colour = false): string {
  const message = errorMessage(error);
  const name = isError(error) ? errorName(error) : 'Uncaught';
  return paint(visible(name), 'bold', colour) + (message ? `: ${visible(message)}` : '');
}

function shorten(message: string): string {
  if (message.length <= MESSAGE) return message;
  return `${message.slice(0, MESSAGE)}… (${message.length - MESSAGE} more characters)`;
}

function safeInspect(value: unknown, colors: boolean): string {
  try {
    return inspect(value, { depth: 2, colors, maxStringLength: 2000, maxArrayLength: 20, breakLength: 100 });
  } catch (failure) {
    return `[a value that cannot be shown: ${text(peek(failure, 'message') ?? failure)}]`;
  }
}

/** `at call (file:line:column)` and its kin; undefined for lines that are no frames. */
export function parseFrame(line: string): StackFrame | undefined {
  const found = /^\s*at (.*)$/.exec(line);
  if (!found) return undefined;
  const inner = /^(?:(.*?) \()?(.*?):(\d+):(\d+)\)?$/.exec(found[1]);
  if (!inner) return { call: found[1].trim() };
  const [, call = '', file] = inner;
  const isAsync = call === '' && file.startsWith('async ');
  return {
    call: isAsync ? 'async' : call,
    file: isAsync ? file.slice('async '.length) : file,
    line: Number(inner[3]),
    column: Number(inner[4]),
  };
}

/** A frame as a stack writes it. */
export function frameText(frame: StackFrame): string {
  const { call, file, line, column } = frame;
  if (file === undefined) return `at ${call}`;
  const place = `${file}${line === undefined ? '' : `:${line}${column === undefined ? '' : `:${column}`}`}`;
  if (call === 'async') return `at async ${place}`;
  return call ? `at ${call} (${place})` : `at ${place}`;
}

/** Frames of a stack, and what Node put above the message of a syntax error (the line in the file that has it). */
export function parseStack(error: unknown): { before: string; frames: StackFrame[] } {
  const stack = peek(error, 'stack');
  if (typeof stack !== 'string') return { before: '', frames: [] };
  const message = errorMessage(error);
  const at = message ? stack.indexOf(message) : -1;
  // The message may itself have lines that look like frames: they are not searched.
  const rest = at >= 0 ? stack.slice(at + message.length) : stack;
  const above = at > 0 ? stack.slice(0, at).split('\n').slice(0, -1) : [];
  const frames = rest.split('\n').flatMap((line) => parseFrame(line) ?? []);
  return { before: above.slice(0, 12).join('\n').trimEnd(), frames };
}

/** Frames of an error, mapped; a mapper that fails leaves the frame as it is. */
function framesOf(error: unknown, options: ErrorTextOptions): { before: string; frames: StackFrame[] } {
  const { before, frames } = parseStack(error);
  const { mapFrame } = options;
  if (!mapFrame) return { before, frames };
  const mapped = frames.flatMap((frame) => {
    try {
      return mapFrame(frame) ?? [];
    } catch {
      return frame;
    }
  });
  return { before, frames: mapped };
}

function quoted(frames: readonly StackFrame[], options: ErrorTextOptions): string[] {
  for (const { file, line, column } of frames) {
    if (file === undefined || line === undefined) continue;
    const source = options.source?.(file);
    if (source === undefined) continue;
    return codeFrame({ file, text: source, line, column, colour: options.colour }).split('\n');
  }
  return [];
}

/** Own properties that say more: code, errno, path, and whatever the author of the class put there. */
function propertyLines(error: object, colour: boolean): string[] {
  let keys: string[] = [];
  try {
    keys = Object.keys(error);
  } catch {
    return [];
  }
  return keys
    .filter((key) => !SHOWN_ELSEWHERE.has(key))
    .slice(0, 20)
    .map((key) => `${key}: ${safeInspect(ownData(error, key) ?? peek(error, key), colour)}`);
}

interface Walk {
  readonly options: ErrorTextOptions;
  /** Errors already shown, for causes that go in circles. */
  readonly seen: Map<unknown, string>;
  readonly colour: boolean;
}

/** Lines of one error and of those it holds. */
function linesOf(error: unknown, walk: Walk, depth: number): string[] {
  // A cause that is no error is just its value.
  if (!isError(error) && depth > 0) return visible(errorMessage(error)).split('\n');
  const title = errorTitle(error, walk.colour);
  if (!isError(error)) return title.split('\n');
  if (walk.seen.has(error)) return [`${title} (shown above; the chain of causes is a circle or shared)`];
  walk.seen.set(error, title);
  const { before, frames } = framesOf(error, walk.options);
  const limit = walk.options.frames ?? 20;
  const lines = [...(before ? visible(before).split('\n') : []), ...title.split('\n')];
  if (depth === 0) lines.push(...quoted(frames, walk.options));
  for (const frame of frames.slice(0, limit)) lines.push(`    ${visible(frameText(frame))}`);
  if (frames.length > limit) lines.push(`    … ${frames.length - limit} more frames`);
  for (const line of propertyLines(error, walk.colour)) lines.push(...indent(line.split('\n'), '  '));
  return [...lines, ...heldErrors(error, walk, depth)];
}

function indent(lines: readonly string[], by: string): string[] {
  return lines.map((line) => (line === '' ? '' : by + line));
}

/** Cause, members of an AggregateError, both sides of a SuppressedError. */
function heldErrors(error: Error, walk: Walk, depth: number): string[] {
  const held: [string, unknown][] = [];
  const has = (key: string): boolean => {
    try {
      return key in error;
    } catch {
      return false;
    }
  };
  if (has('cause') && peek(error, 'cause') !== undefined) held.push(['caused by', peek(error, 'cause')]);
  const members = peek(error, 'errors');
  if (Array.isArray(members))
    members.slice(0, MEMBERS).forEach((member, i) => held.push([`${i + 1} of ${members.length}:`, member]));
  if (errorName(error) === 'SuppressedError')
    held.push(['thrown:', peek(error, 'error')], ['hid:', peek(error, 'suppressed')]);
  if (held.length > 0 && depth >= CHAIN) return ['  … further causes are left out'];
  const lines = held.flatMap(([word, inner]) => {
    const [first, ...rest] = linesOf(inner, walk, depth + 1);
    return indent([`${paint(word, 'bold', walk.colour)} ${first}`, ...rest], '  ');
  });
  if (Array.isArray(members) && members.length > MEMBERS)
    lines.push(`  … ${members.length - MEMBERS} more errors`);
  return lines;
}

/**
 * An error as lines of text: title, code frame, frames, properties, then causes and members, indented. Takes any
 * thrown value and never throws.
 */
export function formatErrorText(error: unknown, options: ErrorTextOptions = {}): string {
  const colour = options.colour ?? true;
  try {
    return linesOf(error, { options, seen: new Map(), colour }, 0).join('\n');
  } catch (failure) {
    return `${text(error)}\n(this error could not be shown whole: ${text(failure)})`;
  }
}
