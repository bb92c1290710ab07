/** From a place in the JavaScript that runs back to the cell as the user wrote it. */
import { originalPositionFor, TraceMap } from '@jridgewell/trace-mapping';
import type { CellMap, Place } from '../threads/types-messages.js';

/** Offsets at which the lines of a text begin. */
function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Index of the last start that is not after `offset`. */
function lineOf(starts: readonly number[], offset: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Offset before the edits of an offset after them; inside of what was put in: where that was put. */
export function undoEdits(edits: CellMap['edits'], offset: number): number {
  let shift = 0;
  for (const [at, put, taken] of edits) {
    if (offset < at) break;
    if (offset < at + put) return at + shift;
    shift += taken - put;
  }
  return offset + shift;
}

/** One prepared cell: its text, its JavaScript and the way back. */
export class CellSource {
  private starts: { js: number[]; code: number[] } | undefined;
  private trace: TraceMap | undefined;

  constructor(
    readonly code: string,
    private readonly js: string,
    private readonly map: CellMap,
  ) {}

  /** The place in the cell of a place in its JavaScript; lines and columns from 1. */
  back(place: Place): Place {
    this.starts ??= { js: lineStarts(this.js), code: lineStarts(this.code) };
    const { js, code } = this.starts;
    if (place.line < 1 || place.line > js.length) return place;
    return this.map.sourceMap === undefined ? this.byOffset(place, js, code) : this.byTrace(place, js);
  }

  private byOffset(place: Place, js: readonly number[], code: readonly number[]): Place {
    const offset = Math.min(
      undoEdits(this.map.edits, js[place.line - 1] + place.column - 1),
      this.code.length,
    );
    const line = lineOf(code, offset);
    return { line: line + 1, column: offset - code[line] + 1 };
  }

  /** Edits keep lines, so on the way to the emitted text only the line's own edits move the column. */
  private byTrace(place: Place, js: readonly number[]): Place {
    const start = js[place.line - 1];
    const own = this.map.edits.filter(([at]) => at >= start);
    const column = undoEdits(own, start + place.column - 1) - start;
    this.trace ??= new TraceMap(this.map.sourceMap!);
    const found = originalPositionFor(this.trace, { line: place.line, column: Math.max(0, column) });
    return found.line === null ? place : { line: found.line, column: found.column + 1 };
  }
}

/** All cells that ran, by the name their frames have. */
export class CellSources {
  private readonly all = new Map<string, CellSource>();

  add(count: number, source: CellSource): void {
    this.all.set(`cell-${count}.ts`, source);
  }

  /** `cell-3.ts` -> its source. */
  get(file: string): CellSource | undefined {
    return this.all.get(file);
  }
}
