/** What the types thread is asked and answers, by the user thread (cells, modules) and the server (the editor). */
import type { MimeBundle } from './messages.js';

/** A place in a cell as the user wrote it; line and column from 1, columns in UTF-16 units. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface Diagnostic extends Place {
  /** Such as 2322; 0 when the problem is not the compiler's. */
  readonly code: number;
  readonly message: string;
  /** UTF-16 units from the place; may reach over the line's end. */
  readonly length: number;
  /** File as a reader should see it: `cell-3.ts`, or a path relative to the notebook's folder. */
  readonly file: string;
  /** Related places and chained reasons, already text. */
  readonly notes: readonly string[];
}

/**
 * How to get from a place in the JavaScript that runs back to the cell. Cells keep their lines and, but for
 * `edits`, their columns; a cell that had to be emitted (enum, decorators, `using` ...) carries a source map.
 */
export interface CellMap {
  /** [offset in the JavaScript, UTF-16 units put in, UTF-16 units taken out], ascending. */
  readonly edits: readonly (readonly [number, number, number])[];
  /** Source map (version 3 JSON) from the text before the edits to the cell. */
  readonly sourceMap?: string;
}

/** An import that a cell made from a file of the notebook's folder: renewed when the file changes. */
export interface LocalImport {
  /** Absolute path of the file. */
  readonly file: string;
  readonly specifier: string;
  /** Local name and exported name ('*' for a namespace, 'default'). */
  readonly names: readonly (readonly [local: string, exported: string])[];
}

export interface PreparedCell {
  readonly ok: true;
  /** JavaScript for Runtime.evaluate in REPL mode, its sourceURL included. */
  readonly js: string;
  readonly map: CellMap;
  readonly localImports: readonly LocalImport[];
  /** Names the cell declares at its top level. */
  readonly declares: readonly string[];
  /** Expression statements that are promises nobody awaits. */
  readonly floating: readonly Diagnostic[];
}
export interface RefusedCell {
  readonly ok: false;
  /** Syntax errors or type errors; nothing of the cell may run. */
  readonly kind: 'syntax' | 'types';
  readonly diagnostics: readonly Diagnostic[];
}

/** A module of the notebook's folder, ready to be loaded. */
export interface PreparedModule {
  readonly ok: true;
  readonly js: string;
  /** Hash of its text and of the local modules it imports, transitively. */
  readonly version: string;
}

export type TypesRequest =
  /** `check` false leaves types unchecked (setting, comment or magic); syntax is always checked. */
  | { type: 'prepare'; code: string; count: number; check: boolean }
  /** The file a local specifier means, and its version now. Undefined when it is not a local source file. */
  | { type: 'locate'; specifier: string; from: string }
  | { type: 'module'; file: string }
  | { type: 'complete'; code: string; cursor: number }
  | { type: 'inspect'; code: string; cursor: number; detail: number }
  | { type: 'is-complete'; code: string }
  /** Names that came into the session otherwise than by a cell (the debugger's console), as their JavaScript. */
  | { type: 'declare'; code: string }
  /** A place in a cell to the place in its JavaScript (lines and columns from 1), for breakpoints. */
  | { type: 'forward'; count: number; place: Place };

export interface Completion {
  readonly text: string;
  /** LSP-like word: function, variable, property, class, interface, keyword, module ... */
  readonly kind: string;
  readonly signature?: string;
}

export interface TypesAnswers {
  prepare: PreparedCell | RefusedCell;
  locate: { file: string; version: string } | undefined;
  module: PreparedModule | RefusedCell;
  /** start and end in UTF-16 units of the code. */
  complete: { start: number; end: number; completions: Completion[] };
  inspect: { found: boolean; data: MimeBundle };
  'is-complete': { status: 'complete' | 'incomplete' | 'invalid' | 'unknown'; indent: string };
  declare: undefined;
  forward: Place | undefined;
}
