/** Top-level declarations of a cell as names that any later cell can declare again, with any kind. */
import ts from '#typescript';
import type { Edits } from './edits.js';
import { boundNames } from './parse.js';

export interface Scope {
  readonly source: ts.SourceFile;
  readonly edits: Edits;
  /** Own names of globalThis before the first cell. */
  readonly globals: ReadonlySet<string>;
  /** Enums and namespaces of the cell: they start empty, also when an earlier cell had one of the name. */
  readonly emptied: ReadonlySet<string>;
}

/** Blanks `export`, `export default` and `default`; returns where the rest begins. */
function stripExport(node: ts.HasModifiers, { source, edits }: Scope): void {
  for (const modifier of ts.getModifiers(node) ?? [])
    if (modifier.kind === ts.SyntaxKind.ExportKeyword || modifier.kind === ts.SyntaxKind.DefaultKeyword)
      edits.erase(modifier.getStart(source), modifier.end);
}

function keywordOf(names: readonly string[], globals: ReadonlySet<string>): 'let' | 'var' | 'mixed' {
  const shadowing = names.filter((name) => globals.has(name)).length;
  return shadowing === 0 ? 'var' : shadowing === names.length ? 'let' : 'mixed';
}

function variables(node: ts.VariableStatement, scope: Scope): void {
  const { source, edits, globals, emptied } = scope;
  stripExport(node, scope);
  const list = node.declarationList;
  const start = list.getStart(source);
  const isVar = (list.flags & ts.NodeFlags.BlockScoped) === 0;
  const written = isVar ? 3 : (list.flags & ts.NodeFlags.Const) !== 0 ? 5 : 3;
  const names = list.declarations.flatMap((one) => boundNames(one.name));
  const keyword = keywordOf(names, globals);
  for (const one of list.declarations)
    if (!one.initializer && ts.isIdentifier(one.name) && (!isVar || emptied.has(one.name.text)))
      edits.insert(one.name.end, '=void 0');
  // Where a line end was the statement's end, `=void 0` or `)` would go on into a next line that opens a bracket.
  const semicolon = source.text[node.end - 1] === ';' ? '' : ';';
  if (keyword !== 'mixed') {
    edits.replace(start, start + written, keyword.padEnd(written));
    if (semicolon) edits.insert(list.end, semicolon);
    return;
  }
  // Names of both sorts in one statement: declared first, then assigned as one expression.
  const lets = names.filter((name) => globals.has(name));
  const vars = names.filter((name) => !globals.has(name));
  edits.replace(start, start + written, `let ${lets.join(',')};var ${vars.join(',')};(`);
  edits.insert(list.end, `)${semicolon}`);
}

function functionDeclaration(node: ts.FunctionDeclaration, scope: Scope): void {
  const { source, edits, globals } = scope;
  stripExport(node, scope);
  if (!node.name) {
    // `export default function () {}`: an expression; the semicolon keeps it from reading as an argument.
    const modifiers = ts.getModifiers(node)?.filter((one) => one.kind === ts.SyntaxKind.AsyncKeyword) ?? [];
    edits.insert((modifiers[0] ?? lastModifier(node)).end - (modifiers[0] ? 5 : 0), ';(');
    edits.insert(node.end, ')');
    return;
  }
  const name = node.name.text;
  if (!globals.has(name)) return;
  // A declaration would replace the global; it must stay usable before its line, so it is not moved.
  edits.replace(node.name.getStart(source), node.name.end, `${name}$cell`);
  edits.insert(0, `let ${name}=Object.defineProperty(${name}$cell,'name',{value:'${name}'});`);
}

function lastModifier(node: ts.HasModifiers): ts.Modifier {
  const modifiers = ts.getModifiers(node) ?? [];
  return modifiers[modifiers.length - 1];
}

function classDeclaration(node: ts.ClassDeclaration, scope: Scope): void {
  const { edits, globals, source } = scope;
  stripExport(node, scope);
  const modifiers = ts.getModifiers(node);
  const start = modifiers?.length ? modifiers[modifiers.length - 1].end : node.getStart(source);
  if (!node.name) {
    edits.insert(start, ';(');
    edits.insert(node.end, ')');
    return;
  }
  const name = node.name.text;
  edits.insert(start, `${globals.has(name) ? 'let' : 'var'} ${name}=`);
  edits.insert(node.end, ';');
}

function exportDefault(node: ts.ExportAssignment, { source, edits }: Scope): void {
  const start = node.expression.getStart(source);
  edits.erase(node.getStart(source), start);
  edits.insert(start, ';(');
  edits.insert(node.expression.end, ')');
}

/** Rewrites one top-level statement that is no import. */
export function rewriteStatement(node: ts.Statement, scope: Scope): void {
  if (ts.isVariableStatement(node)) variables(node, scope);
  else if (ts.isFunctionDeclaration(node)) functionDeclaration(node, scope);
  else if (ts.isClassDeclaration(node)) classDeclaration(node, scope);
  else if (ts.isExportAssignment(node)) exportDefault(node, scope);
}
