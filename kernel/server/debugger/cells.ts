/** Codes of cells by the path under which a front end speaks of them: prefix, hash of the code, suffix. */
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { murmur2 } from './murmur2.js';

export const HASH_METHOD = 'Murmur2';
export const HASH_SEED = 0x9747b28c;
export const CELL_SUFFIX = '.ts';

export interface CellSource {
  readonly path: string;
  readonly code: string;
  readonly lines: number;
  /** Executions that ran this very code. */
  readonly counts: number[];
}

export class Cells {
  /**
   * Nothing is written there; the path is a name only. JupyterLab shows a source as "Cell [3]" when its path
   * contains `ipykernel_`, and as the bare path otherwise.
   */
  readonly prefix = join(tmpdir(), `ipykernel_assay_${process.pid}`) + sep;
  private readonly byPath = new Map<string, CellSource>();
  private readonly byCount = new Map<number, CellSource>();

  pathOf(code: string): string {
    return `${this.prefix}${murmur2(code, HASH_SEED)}${CELL_SUFFIX}`;
  }

  /** Makes the code known; with `count` also that this execution runs it. */
  add(code: string, count?: number): CellSource {
    const path = this.pathOf(code);
    let cell = this.byPath.get(path);
    if (!cell) {
      cell = { path, code, lines: code.split('\n').length, counts: [] };
      this.byPath.set(path, cell);
    }
    if (count !== undefined && this.byCount.get(count) !== cell) {
      cell.counts.push(count);
      this.byCount.set(count, cell);
    }
    return cell;
  }

  at(path: string): CellSource | undefined {
    return this.byPath.get(path);
  }

  ran(count: number): CellSource | undefined {
    return this.byCount.get(count);
  }
}

/**
 * The line (from 1) at or after `line` that holds more than blanks and comments; `line` itself when there is
 * none. Only for cells that have not run: of those that have, the engine knows the exact places.
 */
export function nextCodeLine(code: string, line: number): number {
  let comment = false;
  for (const [index, text] of code.split('\n').entries()) {
    let rest = text;
    let found = false;
    while (rest.trim() !== '') {
      if (comment) {
        const end = rest.indexOf('*/');
        comment = end < 0;
        rest = comment ? '' : rest.slice(end + 2);
      } else if (/^\s*\/\*/.test(rest)) {
        comment = true;
        rest = rest.replace(/^\s*\/\*/, '');
      } else {
        found = !/^\s*\/\//.test(rest);
        break;
      }
    }
    if (found && index + 1 >= line) return index + 1;
  }
  return line;
}
