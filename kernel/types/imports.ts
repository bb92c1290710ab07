/** Imports of cells as calls of the kernel's import function, on the same lines. */
import ts from '#typescript';
import type { Edits } from './edits.js';

/** One import of a cell: local names and what they are called in the module ('*' for the namespace). */
export interface CellImport {
  readonly specifier: string;
  readonly names: readonly (readonly [local: string, exported: string])[];
}

interface Clause {
  /** [local name, exported name, exported name as written in code] */
  readonly names: [string, string, string][];
  readonly namespace?: string;
}

function readClause(clause: ts.ImportClause, source: ts.SourceFile, elided: ReadonlySet<string>): Clause {
  const names: [string, string, string][] = [];
  if (clause.name && !elided.has(clause.name.text)) names.push([clause.name.text, 'default', 'default']);
  const bindings = clause.namedBindings;
  if (!bindings) return { names };
  if (ts.isNamespaceImport(bindings)) {
    const name = bindings.name.text;
    return elided.has(name) ? { names } : { names, namespace: name };
  }
  for (const one of bindings.elements) {
    if (one.isTypeOnly || elided.has(one.name.text)) continue;
    const exported = one.propertyName ?? one.name;
    names.push([one.name.text, exported.text, exported.getText(source)]);
  }
  return { names };
}

/**
 * The call that imports: `await __assay.import('s')`, with the import attributes where there are any, and the names
 * the module must export: destructuring alone would make those it lacks undefined.
 */
function importCall(
  specifier: ts.Expression,
  attributes: ts.ImportAttributes | undefined,
  source: ts.SourceFile,
  names: readonly string[] = [],
): string {
  const list = attributes?.elements.map((one) => one.getText(source).replace(/\s+/g, ' ')).join(',');
  const options = list ? `{with:{${list}}}` : names.length > 0 ? 'void 0' : '';
  const demanded = names.length > 0 ? JSON.stringify(names) : '';
  return `await __assay.import(${[specifier.getText(source), options, demanded].filter(Boolean).join(',')})`;
}

/** `var a,b` for new names, `let` for names of globalThis (which must be shadowed, never replaced). */
function declareNames(locals: readonly string[], globals: ReadonlySet<string>): string {
  const lets = locals.filter((name) => globals.has(name));
  const vars = locals.filter((name) => !globals.has(name));
  return (lets.length ? `let ${lets.join(',')};` : '') + (vars.length ? `var ${vars.join(',')};` : '');
}

function assignments(clause: Clause, call: string, globals: ReadonlySet<string>): string {
  const locals = [...clause.names.map(([local]) => local), ...(clause.namespace ? [clause.namespace] : [])];
  const keyword = locals.every((name) => globals.has(name)) ? 'let' : 'var';
  const mixed = keyword === 'var' && locals.some((name) => globals.has(name));
  const pattern = clause.names.map(([local, , written]) =>
    local === written ? local : `${written}:${local}`,
  );
  if (clause.namespace !== undefined) {
    const rest = clause.names.map(([local]) => `${local}=${clause.namespace}.default`);
    const [first] = rest;
    if (mixed)
      return `${declareNames(locals, globals)}${clause.namespace}=${call}${first ? `;${first}` : ''};`;
    return `${keyword} ${clause.namespace}=${call}${first ? `,${first}` : ''};`;
  }
  if (mixed) return `${declareNames(locals, globals)}({${pattern.join(',')}}=${call});`;
  return `${keyword}{${pattern.join(',')}}=${call};`;
}

/** Rewrites a static import; returns what it imports, or undefined when nothing of it runs. */
export function rewriteImport(
  node: ts.ImportDeclaration,
  source: ts.SourceFile,
  edits: Edits,
  globals: ReadonlySet<string>,
  elided: ReadonlySet<string>,
): CellImport | undefined {
  const start = node.getStart(source);
  const specifier = (node.moduleSpecifier as ts.StringLiteral).text;
  if (!node.importClause) {
    edits.replaceLines(start, node.end, `${importCall(node.moduleSpecifier, node.attributes, source)};`);
    return { specifier, names: [] };
  }
  const clause = readClause(node.importClause, source, elided);
  if (clause.names.length === 0 && clause.namespace === undefined) {
    // Only types were wanted: a module that holds nothing else need not exist when the cell runs.
    edits.replaceLines(start, node.end, ';');
    return undefined;
  }
  const demanded = clause.names.map(([, exported]) => exported);
  const call = importCall(node.moduleSpecifier, node.attributes, source, demanded);
  edits.replaceLines(start, node.end, assignments(clause, call, globals));
  const names = clause.names.map(([local, exported]) => [local, exported] as const);
  return { specifier, names: clause.namespace === undefined ? names : [...names, [clause.namespace, '*']] };
}

/** `export ... from 's'` in a cell has nobody to export to; the module still runs. */
export function rewriteReExport(node: ts.ExportDeclaration, source: ts.SourceFile, edits: Edits): void {
  const start = node.getStart(source);
  if (!node.moduleSpecifier) edits.replaceLines(start, node.end, ';');
  else edits.replaceLines(start, node.end, `${importCall(node.moduleSpecifier, node.attributes, source)};`);
}

/** Dynamic imports and import.meta anywhere in a cell: neither exists in code evaluated by the inspector. */
export function rewriteDynamic(node: ts.Node, source: ts.SourceFile, edits: Edits): void {
  if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    edits.replace(node.expression.getStart(source), node.expression.end, '__assay.import');
  else if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword)
    edits.replaceLines(node.getStart(source), node.end, '__assay.meta');
}
