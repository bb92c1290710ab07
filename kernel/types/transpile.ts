/** A cell to JavaScript for evaluation in V8's REPL mode: lines kept, columns kept but for recorded edits. */
import ts from '#typescript';
import type { CellMap } from '../threads/types-messages.js';
import { Edits } from './edits.js';
import { erase } from './erase.js';
import { guardLoop } from './guards.js';
import { rewriteDynamic, rewriteImport, rewriteReExport, type CellImport } from './imports.js';
import { objectNames } from './names.js';
import { parse, type CellText } from './parse.js';
import { rewriteStatement } from './statements.js';

/** The JavaScript of a cell, without its sourceURL: that differs with every execution. */
export interface Transpiled {
  readonly body: string;
  readonly map: CellMap;
  readonly imports: readonly CellImport[];
}

/** Modules are strict, and so is what the compiler checks; a cell shall not run under other rules. */
const STRICT = "'use strict';";

/** The statement a reader sees as the cell's last: declarations of functions and types produce nothing. */
function endsInExpression(source: ts.SourceFile): boolean {
  for (let at = source.statements.length - 1; at >= 0; at--) {
    const node = source.statements[at];
    if (ts.isEmptyStatement(node)) continue;
    if (ts.isExpressionStatement(node) || (ts.isExportAssignment(node) && !node.isExportEquals)) return true;
    const nothing =
      ts.isFunctionDeclaration(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node);
    if (!nothing) return false;
  }
  return false;
}

/**
 * Transpiles a parsed cell. `elided` are imported names known to be types only; an import of nothing else is
 * not run.
 */
export function transpile(
  cell: CellText,
  source: ts.SourceFile,
  globals: ReadonlySet<string>,
  elided: ReadonlySet<string> = new Set(),
): Transpiled {
  const erased = erase(source, 'cell.ts');
  const tree = parse(erased.text, 'js');
  const edits = new Edits(erased.text);
  const scope = { source: tree, edits, globals, emptied: objectNames(source) };
  const imports: CellImport[] = [];
  if (erased.text.startsWith('#!')) edits.erase(0, (erased.text + '\n').search(/[\r\n]/));
  edits.insert(0, STRICT);
  for (const node of tree.statements) {
    if (ts.isImportDeclaration(node)) {
      const made = rewriteImport(node, tree, edits, globals, elided);
      if (made) imports.push(made);
    } else if (ts.isExportDeclaration(node)) rewriteReExport(node, tree, edits);
    else rewriteStatement(node, scope);
  }
  const visit = (node: ts.Node): void => {
    guardLoop(node, tree, edits);
    rewriteDynamic(node, tree, edits);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  const made = edits.apply();
  // Without a last expression V8 would hand out the value of some statement before, such as a loop's body.
  const body = endsInExpression(source) ? made.text : `${made.text}\n;void 0`;
  const list = cell.wrapped && !erased.sourceMap ? withParentheses(made.edits, cell.wrapped) : made.edits;
  return { body, map: { edits: list, sourceMap: erased.sourceMap }, imports };
}

/** Adds the two parentheses of an object literal to the record: the cell as written does not hold them. */
function withParentheses(
  edits: readonly (readonly [number, number, number])[],
  wrapped: readonly [number, number],
): CellMap['edits'] {
  const shifted = (offset: number) => {
    let at = offset;
    for (const [place, put, taken] of edits) if (place <= at) at += put - taken;
    return at;
  };
  const added = wrapped.map((offset) => [shifted(offset), 1, 0] as const);
  return [...edits, ...added].sort((a, b) => a[0] - b[0]);
}
