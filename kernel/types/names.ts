/** Names a file declares at its top level and names it uses. */
import ts from '#typescript';
import { boundNames, hasModifier } from './parse.js';

/**
 * How later cells may use the name: `let` can be assigned, `const` cannot; everything else (functions, classes,
 * enums, namespaces, types, imports) may have several meanings at once and is imported with all of them.
 */
export type DeclarationKind = 'let' | 'const' | 'other';

/** What a name is, for a reader of completions. */
export type Sort = 'variable' | 'function' | 'class' | 'enum' | 'namespace' | 'interface' | 'type' | 'module';

export interface Declared {
  readonly name: string;
  readonly kind: DeclarationKind;
  readonly sort: Sort;
  /** False for interfaces and type aliases, which leave nothing at run time. */
  readonly value: boolean;
  /** The cell itself exports it under its own name. */
  readonly exported: boolean;
}

function kindOf(list: ts.VariableDeclarationList): DeclarationKind {
  return (list.flags & ts.NodeFlags.Const) !== 0 || (list.flags & ts.NodeFlags.Using) !== 0 ? 'const' : 'let';
}

/** `var` names of nested blocks and loops: they belong to the top level too. */
function nestedVars(node: ts.Node, add: (name: string) => void): void {
  ts.forEachChild(node, (child) => {
    if (ts.isFunctionLike(child) || ts.isClassLike(child) || ts.isModuleDeclaration(child)) return;
    if (ts.isVariableDeclarationList(child) && (child.flags & ts.NodeFlags.BlockScoped) === 0)
      for (const one of child.declarations) boundNames(one.name).forEach(add);
    nestedVars(child, add);
  });
}

function importedNames(node: ts.ImportDeclaration): { name: string; value: boolean }[] {
  const clause = node.importClause;
  if (!clause) return [];
  const value = !clause.isTypeOnly;
  const names = clause.name ? [{ name: clause.name.text, value }] : [];
  const bindings = clause.namedBindings;
  if (bindings && ts.isNamespaceImport(bindings)) names.push({ name: bindings.name.text, value });
  else if (bindings)
    names.push(...bindings.elements.map((one) => ({ name: one.name.text, value: value && !one.isTypeOnly })));
  return names;
}

function exportedElsewhere(source: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  for (const node of source.statements)
    if (ts.isExportDeclaration(node) && node.exportClause && ts.isNamedExports(node.exportClause))
      for (const one of node.exportClause.elements) names.add(one.name.text);
  return names;
}

interface Found {
  kind: DeclarationKind;
  sort: Sort;
  value: boolean;
  exported: boolean;
}

function declarationsOf(
  node: ts.Statement,
  add: (name: string, kind: DeclarationKind, value: boolean) => void,
) {
  if (ts.isVariableStatement(node)) {
    const ambient = hasModifier(node, ts.SyntaxKind.DeclareKeyword);
    for (const one of node.declarationList.declarations)
      for (const name of boundNames(one.name)) add(name, kindOf(node.declarationList), !ambient);
  } else if (ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node) || ts.isEnumDeclaration(node)) {
    if (node.name) add(node.name.text, 'other', !hasModifier(node, ts.SyntaxKind.DeclareKeyword));
  } else if (ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) {
    add(node.name.text, 'other', false);
  } else if (ts.isModuleDeclaration(node)) {
    if (ts.isIdentifier(node.name) && (node.flags & ts.NodeFlags.GlobalAugmentation) === 0)
      add(node.name.text, 'other', !hasModifier(node, ts.SyntaxKind.DeclareKeyword));
  } else if (ts.isImportEqualsDeclaration(node)) {
    add(node.name.text, 'other', !node.isTypeOnly);
  } else if (ts.isImportDeclaration(node)) {
    for (const { name, value } of importedNames(node)) add(name, 'other', value);
  } else {
    nestedVars(node, (name) => add(name, 'let', true));
  }
}

function sortOf(node: ts.Statement): Sort {
  if (ts.isFunctionDeclaration(node)) return 'function';
  if (ts.isClassDeclaration(node)) return 'class';
  if (ts.isEnumDeclaration(node)) return 'enum';
  if (ts.isInterfaceDeclaration(node)) return 'interface';
  if (ts.isTypeAliasDeclaration(node)) return 'type';
  if (ts.isModuleDeclaration(node)) return 'namespace';
  return ts.isImportDeclaration(node) || ts.isImportEqualsDeclaration(node) ? 'module' : 'variable';
}

/** Names the cell declares at its top level, in order; a name declared several times appears once. */
export function declaredNames(source: ts.SourceFile): Declared[] {
  const found = new Map<string, Found>();
  const elsewhere = exportedElsewhere(source);
  for (const node of source.statements) {
    const exported = hasModifier(node, ts.SyntaxKind.ExportKeyword);
    const isDefault = hasModifier(node, ts.SyntaxKind.DefaultKeyword);
    const sort = sortOf(node);
    declarationsOf(node, (name, kind, value) => {
      const before = found.get(name);
      found.set(name, {
        // A variable and a type of one name: both meanings reach later cells.
        kind: before && before.kind !== kind ? 'other' : kind,
        sort: before && !value ? before.sort : sort,
        value: value || (before?.value ?? false),
        exported: (exported && !isDefault) || elsewhere.has(name) || (before?.exported ?? false),
      });
    });
  }
  return [...found].map(([name, one]) => ({ name, ...one }));
}

/** Names that statements of the top level assign. */
export function assignedNames(source: ts.SourceFile): string[] {
  return source.statements.flatMap((node) => {
    if (!ts.isExpressionStatement(node) || !ts.isBinaryExpression(node.expression)) return [];
    const { left, operatorToken } = node.expression;
    return operatorToken.kind === ts.SyntaxKind.EqualsToken && ts.isIdentifier(left) ? [left.text] : [];
  });
}

/** Enums and namespaces with code at the top level: their object is made anew by every cell. */
export function objectNames(source: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  for (const node of source.statements)
    if (ts.isEnumDeclaration(node) || (ts.isModuleDeclaration(node) && ts.isIdentifier(node.name)))
      names.add(node.name.text);
  return names;
}

/** Every identifier that may refer to something outside the file: not keys, members or labels. */
export function usedNames(root: ts.Node): Set<string> {
  const names = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) names.add(node.text);
    else if (ts.isPropertyAccessExpression(node)) visit(node.expression);
    else if (ts.isQualifiedName(node)) visit(node.left);
    else if (ts.isPropertyAssignment(node)) {
      if (ts.isComputedPropertyName(node.name)) visit(node.name);
      visit(node.initializer);
    } else if (ts.isLabeledStatement(node)) visit(node.statement);
    else if (ts.isBreakOrContinueStatement(node)) return;
    else ts.forEachChild(node, visit);
  };
  visit(root);
  return names;
}
