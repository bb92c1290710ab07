/** In local modules: imports and exports of types, which exist in no module at run time, are taken out. */
import ts from '#typescript';
import { blank } from './parse.js';
import type { Edits } from './edits.js';
import { declaredNames, usedNames } from './names.js';

/** Names used outside of import declarations. */
function valuesUsed(tree: ts.SourceFile): Set<string> {
  const statements = tree.statements.filter((one) => !ts.isImportDeclaration(one));
  const names = new Set<string>();
  for (const one of statements) for (const name of usedNames(one)) names.add(name);
  return names;
}

/** Blanks a list's element and the comma after it. */
function eraseElement(node: ts.Node, tree: ts.SourceFile, edits: Edits): void {
  const comma = /^\s*,/.exec(tree.text.slice(node.end))?.[0].length ?? 0;
  edits.erase(node.getStart(tree), node.end + comma);
}

function elideImport(
  node: ts.ImportDeclaration,
  used: Set<string>,
  tree: ts.SourceFile,
  edits: Edits,
): boolean {
  const clause = node.importClause;
  if (!clause) return false;
  const bindings = clause.namedBindings;
  const named = bindings && ts.isNamedImports(bindings) ? [...bindings.elements] : [];
  const kept =
    (clause.name && used.has(clause.name.text)) ||
    (bindings && ts.isNamespaceImport(bindings) && used.has(bindings.name.text)) ||
    named.some((one) => used.has(one.name.text));
  if (!kept) {
    const start = node.getStart(tree);
    edits.replace(start, node.end, blank(tree.text.slice(start, node.end)).replace(' ', ';'));
    return true;
  }
  if (clause.name && !used.has(clause.name.text)) eraseElement(clause.name, tree, edits);
  for (const one of named) if (!used.has(one.name.text)) eraseElement(one, tree, edits);
  return false;
}

/**
 * Takes out of a module's JavaScript the imports whose names it never uses as values, as the compiler does, and
 * exports of its own types. Returns the statements that are gone.
 */
export function elideTypes(source: ts.SourceFile, tree: ts.SourceFile, edits: Edits): Set<ts.Node> {
  const used = valuesUsed(tree);
  const types = new Set(declaredNames(source).flatMap((one) => (one.value ? [] : [one.name])));
  const gone = new Set<ts.Node>();
  for (const node of tree.statements) {
    if (ts.isImportDeclaration(node) && elideImport(node, used, tree, edits)) gone.add(node);
    const clause = ts.isExportDeclaration(node) && !node.moduleSpecifier && node.exportClause;
    if (clause && ts.isNamedExports(clause))
      for (const one of clause.elements)
        if (types.has((one.propertyName ?? one.name).text)) eraseElement(one, tree, edits);
  }
  return gone;
}
