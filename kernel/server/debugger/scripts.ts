/** Scripts of the user thread that are the user's own, and places in them both ways: as written, as they run. */
import { existsSync, readFileSync } from 'node:fs';
import { basename, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  generatedPositionFor,
  LEAST_UPPER_BOUND,
  originalPositionFor,
  TraceMap,
} from '@jridgewell/trace-mapping';
import type { Asker } from '../../threads/ask.js';
import type { TypesAnswers, TypesRequest } from '../../threads/types-messages.js';
import type { Cells } from './cells.js';

/** From 1, as the user wrote it. */
export interface SourcePlace {
  readonly path: string;
  readonly line: number;
  readonly column: number;
}
/** From 0, as the engine counts. */
export interface ScriptPlace {
  readonly lineNumber: number;
  readonly columnNumber: number;
}
export interface Script {
  readonly id: string;
  readonly url: string;
  readonly path: string;
  /** Set for cells. */
  readonly count?: number;
  readonly sourceMapURL?: string;
}

const CELL = /^cell-(\d+)\.ts$/;
/** Folder of the built kernel and library: their frames are not the user's. */
const OWN_CODE = new URL('../../../', import.meta.url).href;
/** Milliseconds the types thread may take to say where a cell's lines went. */
const PATIENCE = 2000;

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

export class Scripts {
  private readonly scripts = new Map<string, Script>();
  private readonly lines = new Map<string, Promise<readonly number[] | undefined>>();
  private readonly maps = new Map<string, TraceMap | undefined>();
  private readonly folderUrl: string;

  constructor(
    private readonly folder: string,
    private readonly cells: Cells,
    private readonly types: Asker<TypesRequest, TypesAnswers>,
  ) {
    this.folderUrl = `${pathToFileURL(folder).href.replace(/\/$/, '')}/`;
  }

  /** What the engine steps over: all but the user's code, or (so that errors thrown there stop) the inmost. */
  blackbox(onlyInmost: boolean): string[] {
    if (onlyInmost) return ['^node:', `^${escaped(OWN_CODE)}kernel/`];
    const own = `${escaped(this.folderUrl)}(?!(?:.*/)?node_modules/)`;
    return [`^(?!cell-\\d+\\.ts$|file:.*[?]v=|${own}).+`, `^${escaped(OWN_CODE)}`];
  }

  parsed(id: string, url: string, sourceMapURL?: string): void {
    const cell = CELL.exec(url);
    if (cell) {
      const count = Number(cell[1]);
      const path = this.cells.ran(count)?.path;
      if (path !== undefined) this.scripts.set(id, { id, url, path, count });
    } else if (this.isLocal(url) && existsSync(new URL(url))) {
      // The kernel runs some text of its own under names in the folder that no file has.
      this.scripts.set(id, { id, url, path: fileURLToPath(new URL(url)), sourceMapURL });
    }
  }

  /** A file of the notebook's folder, or one that a cell imported from elsewhere as source (it has a version). */
  private isLocal(url: string): boolean {
    if (url.startsWith(OWN_CODE) || url.includes('/node_modules/')) return false;
    return url.startsWith(this.folderUrl) || (url.startsWith('file:') && url.includes('?v='));
  }

  clear(): void {
    this.scripts.clear();
    this.maps.clear();
    this.lines.clear();
  }

  get(id: string): Script | undefined {
    return this.scripts.get(id);
  }

  /** Every loaded script of a source: a cell's executions, a module's versions. */
  of(path: string): Script[] {
    return [...this.scripts.values()].filter((script) => script.path === path);
  }

  /** Local modules that were loaded, each once. */
  modules(): { name: string; path: string }[] {
    const paths = new Set([...this.scripts.values()].filter((s) => s.count === undefined).map((s) => s.path));
    return [...paths].map((path) => ({ name: relative(this.folder, path).replaceAll('\\', '/'), path }));
  }

  /** How a reader should see the source. */
  name(script: Script): string {
    return script.count === undefined ? basename(script.path) : script.url;
  }

  /** Undefined past the end of a cell, where the engine puts the return from it. */
  async toSource(script: Script, place: ScriptPlace): Promise<SourcePlace | undefined> {
    if (script.count !== undefined) return this.toCell(script, script.count, place);
    const map = this.mapOf(script);
    if (map) {
      const found = originalPositionFor(map, { line: place.lineNumber + 1, column: place.columnNumber });
      if (found.line !== null) return { path: script.path, line: found.line, column: found.column + 1 };
    }
    return { path: script.path, line: place.lineNumber + 1, column: place.columnNumber + 1 };
  }

  private async toCell(script: Script, count: number, place: ScriptPlace): Promise<SourcePlace | undefined> {
    const lines = await this.linesOf(script, count);
    const total = this.cells.ran(count)?.lines ?? Infinity;
    const { path } = script;
    if (!lines) {
      const line = place.lineNumber + 1;
      return line > total ? undefined : { path, line, column: place.columnNumber + 1 };
    }
    // The last line that begins at or before the place; lines that vanished (types) share the next one's.
    let line = 1;
    for (let i = 0; i < lines.length; i++) if (lines[i] <= place.lineNumber + 1) line = i + 1;
    return { path, line, column: 1 };
  }

  /** Where the engine must look for a line of the source. */
  async toScript(script: Script, line: number): Promise<ScriptPlace> {
    if (script.count !== undefined) {
      const lines = await this.linesOf(script, script.count);
      return { lineNumber: (lines?.[line - 1] ?? line) - 1, columnNumber: 0 };
    }
    const map = this.mapOf(script);
    if (map) {
      const found = generatedPositionFor(map, {
        source: map.sources[0] ?? '',
        line,
        column: 0,
        bias: LEAST_UPPER_BOUND,
      });
      if (found.line !== null) return { lineNumber: found.line - 1, columnNumber: 0 };
    }
    return { lineNumber: line - 1, columnNumber: 0 };
  }

  /** The script's line of every line of the cell; undefined when the cell kept its lines. */
  private linesOf({ id }: Script, count: number): Promise<readonly number[] | undefined> {
    let lines = this.lines.get(id);
    if (!lines) {
      lines = this.askLines(count).catch(() => undefined);
      this.lines.set(id, lines);
    }
    return lines;
  }

  private async askLines(count: number): Promise<readonly number[] | undefined> {
    const total = this.cells.ran(count)?.lines ?? 0;
    const asked = Array.from({ length: total }, (_, i) =>
      this.types.ask({ type: 'forward', count, place: { line: i + 1, column: 1 } }),
    );
    const places = await withPatience(Promise.all(asked));
    if (!places || places.every((place, i) => place === undefined || place.line === i + 1)) return undefined;
    return places.map((place, i) => place?.line ?? i + 1);
  }

  /** Source map that came inside a module's text; modules whose types were blanked out have none. */
  private mapOf(script: Script): TraceMap | undefined {
    if (!script.sourceMapURL) return undefined;
    if (!this.maps.has(script.id)) this.maps.set(script.id, readMap(script.sourceMapURL));
    return this.maps.get(script.id);
  }
}

function readMap(url: string): TraceMap | undefined {
  const inline = /^data:application\/json[^,]*;base64,(.*)$/s.exec(url);
  try {
    if (inline) return new TraceMap(Buffer.from(inline[1], 'base64').toString('utf8'));
    if (url.startsWith('file:')) return new TraceMap(readFileSync(fileURLToPath(url), 'utf8'));
  } catch {
    // A map that cannot be read leaves the script's own lines, which are right for most modules.
  }
  return undefined;
}

async function withPatience<T>(work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, PATIENCE, undefined);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
