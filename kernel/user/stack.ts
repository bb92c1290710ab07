/** Stacks as the user should read them: own lines of cells and local files, nothing of the kernel. */
import { findSourceMap } from 'node:module';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Place } from '../threads/types-messages.js';
import type { CellSources } from './cell-map.js';

/** A frame's file, line and column as written in a stack. */
const PLACE = /((?:file:\/\/|node:|[A-Za-z]:\\|\/)[^()]*?|cell-\d+\.ts):(\d+):(\d+)(\)?)$/;

export interface StackMapper {
  readonly cells: CellSources;
  /** The notebook's folder: files in it are named relative to it. */
  readonly folder: string;
  /** Address of this folder (kernel/user), ending in a slash: frames of it are left out. */
  readonly own: string;
}

/** A path as the reader knows it: relative inside the notebook's folder, else absolute; addresses lose versions. */
export function shownFile(file: string, folder: string): string {
  if (!file.startsWith('file:') && !/^(?:\/|[A-Za-z]:\\)/.test(file)) return file;
  let path = file;
  if (file.startsWith('file:')) {
    try {
      path = fileURLToPath(file.replace(/[?#].*$/, ''));
    } catch {
      return file;
    }
  }
  const inside = relative(folder, path);
  const outside = inside === '' || inside.startsWith('..') || /^[A-Za-z]:/.test(inside);
  return outside || inside.split(sep).includes('node_modules') ? path : inside;
}

function traced(file: string, place: Place): { file: string; place: Place } {
  // Node keeps maps under the address for modules and under the path for CommonJS.
  const map = findSourceMap(file);
  const entry = map?.findEntry(place.line - 1, place.column - 1);
  if (!entry || !('originalSource' in entry) || typeof entry.originalSource !== 'string')
    return { file, place };
  return {
    file: entry.originalSource,
    place: { line: entry.originalLine + 1, column: entry.originalColumn + 1 },
  };
}

/** Is the file one of the kernel's that call the user's code: this folder's, or what notebooks import? */
function ofKernel(file: string, own: string): boolean {
  const kernel = own.replace(/[^/]*\/$/, '');
  return [own, `${kernel}notebook/`, `${kernel}widgets/`].some((folder) => file.startsWith(folder));
}

/** One line of a stack with its place mapped; undefined for frames of the kernel itself. */
export function mapFrameLine(line: string, mapper: StackMapper): string | undefined {
  const found = PLACE.exec(line);
  if (!found) return line;
  const [, file, row, column, close] = found;
  if (ofKernel(file, mapper.own)) return undefined;
  const raw = { line: Number(row), column: Number(column) };
  const cell = mapper.cells.get(file);
  const at = cell ? { file, place: cell.back(raw) } : traced(file, raw);
  const head = line.slice(0, found.index);
  return `${head}${shownFile(at.file, mapper.folder)}:${at.place.line}:${at.place.column}${close}`;
}

/** The lines of the frames, without the kernel's and without Node's machinery below the user's code. */
export function mapFrameLines(lines: readonly string[], mapper: StackMapper): string[] {
  const below = lines.findIndex((line) => line.includes('(node:inspector:'));
  const upper = below < 0 ? lines : lines.slice(0, below);
  const mapped = upper.flatMap((line) => mapFrameLine(line, mapper) ?? []);
  let end = mapped.length;
  while (end > 0 && /[( ]node:(?:internal\/|async_hooks:)/.test(mapped[end - 1])) end--;
  // Node's frames alone say nothing of an error that the kernel's own code threw.
  return end > 0 || mapped.length < upper.length ? mapped.slice(0, end) : mapped;
}

function title(error: unknown): string {
  try {
    return Error.prototype.toString.call(error);
  } catch {
    return 'Error';
  }
}

/** Frames captured of an error: the kernel's own, which nobody sees, must not crowd the cell's out. */
const FRAMES = 30;

/** Makes `error.stack` a mapped one, whoever reads it. */
export function mapStacks(mapper: StackMapper): void {
  const prepare: typeof Error.prepareStackTrace = (error, sites) => {
    // A failing mapper would hide the user's error behind its own.
    let lines = sites.map((site) => `    at ${(site as { toString(): string }).toString()}`);
    try {
      lines = mapFrameLines(lines, mapper);
    } catch {
      // The frames stay as the engine has them.
    }
    return [title(error), ...lines].join('\n');
  };
  Error.stackTraceLimit = FRAMES;
  // A program that sets its own and takes it away again, by undefined, gets this one back.
  let set: unknown;
  Object.defineProperty(Error, 'prepareStackTrace', {
    get: () => set ?? prepare,
    set: (held: unknown) => (set = held),
    configurable: true,
  });
}
