/** Places of a cell in its JavaScript and back. Free of the compiler, so that every thread can use it. */
import {
  GREATEST_LOWER_BOUND,
  LEAST_UPPER_BOUND,
  TraceMap,
  generatedPositionFor,
  originalPositionFor,
} from '@jridgewell/trace-mapping';
import type { CellMap, Place } from '../threads/types-messages.js';

/** Offsets at which the lines of `text` begin. */
function lineStarts(text: string): number[] {
  const starts = [0];
  for (const match of text.matchAll(/\r\n|[\n\r\u2028\u2029]/g)) starts.push(match.index + match[0].length);
  return starts;
}

function offsetOf(text: string, place: Place): number | undefined {
  const starts = lineStarts(text);
  if (place.line < 1 || place.line > starts.length) return undefined;
  const end = place.line < starts.length ? starts[place.line] - 1 : text.length;
  return Math.min(starts[place.line - 1] + place.column - 1, end);
}

/** Column of the JavaScript, from 1, to the column before the edits. Edits never move lines. */
function columnBefore(js: string, map: CellMap, place: Place): number {
  const offset = offsetOf(js, place);
  const start = lineStarts(js)[place.line - 1];
  if (offset === undefined) return place.column;
  let column = offset - start;
  for (const [at, put, taken] of map.edits) {
    if (at < start || at > offset) continue;
    // A place within what was put in becomes the place it was put at.
    column -= Math.min(put, offset - at) - (offset - at >= put ? taken : Math.min(taken, offset - at));
  }
  return Math.max(1, column + 1);
}

/** A place in the JavaScript that ran to the cell as written; undefined for code the compiler made up. */
export function backwardPlace(js: string, map: CellMap, place: Place): Place | undefined {
  const column = columnBefore(js, map, place);
  if (!map.sourceMap) return { line: place.line, column };
  const trace = new TraceMap(map.sourceMap);
  const needle = { line: place.line, column: column - 1 };
  const found = originalPositionFor(trace, { ...needle, bias: GREATEST_LOWER_BOUND });
  if (found.line !== null) return { line: found.line, column: found.column + 1 };
  const later = originalPositionFor(trace, { ...needle, bias: LEAST_UPPER_BOUND });
  return later.line === null ? undefined : { line: later.line, column: later.column + 1 };
}

/** A place in the cell to the place in its JavaScript. */
export function forwardPlace(js: string, map: CellMap, place: Place): Place | undefined {
  let { line, column } = place;
  if (map.sourceMap) {
    const trace = new TraceMap(map.sourceMap);
    const source = trace.sources[0] ?? '';
    const needle = { source, line, column: column - 1 };
    let found = generatedPositionFor(trace, { ...needle, bias: LEAST_UPPER_BOUND });
    if (found.line === null) found = generatedPositionFor(trace, { ...needle, bias: GREATEST_LOWER_BOUND });
    if (found.line === null) return undefined;
    line = found.line;
    column = found.column + 1;
  }
  const start = lineStarts(js)[line - 1];
  if (start === undefined) return undefined;
  let offset = start + column - 1;
  for (const [at, put, taken] of map.edits) {
    if (at < start || at > offset) continue;
    // A place within what was taken out becomes the place where something else was put in.
    offset = offset >= at + taken ? offset + put - taken : at;
  }
  return { line, column: offset - start + 1 };
}
