/** Loop guards: every loop asks at the start of each round whether its cell was interrupted. */
import ts from '#typescript';
import type { Edits } from './edits.js';

/**
 * Functions travel as text (into a worker, into a browser's page), where there is no kernel: there the guard is
 * silent. Once compiled the question whether the name exists costs nothing.
 */
export const GUARD = "if(typeof __assay=='object'&&__assay.f[0])__assay.stop();";

function isLoop(node: ts.Node): node is ts.IterationStatement {
  return ts.isIterationStatement(node, false);
}

/** Puts the guard first in the body of the loop, which gets braces where it has none. */
export function guardLoop(node: ts.Node, source: ts.SourceFile, edits: Edits): void {
  if (!isLoop(node)) return;
  const body = node.statement;
  const start = body.getStart(source);
  if (ts.isBlock(body)) {
    edits.insert(start + 1, GUARD);
    return;
  }
  edits.insert(start, `{${GUARD}`);
  edits.insert(body.end, '}');
}
