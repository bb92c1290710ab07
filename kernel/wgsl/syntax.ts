/** Small questions about TypeScript syntax trees. */
import ts from 'typescript';

/** Does a node lie within one of the ranges? */
export function inside(node: ts.Node, cut: readonly ts.TextRange[]): boolean {
  return cut.some((r) => r.pos <= node.getStart() && node.end <= r.end);
}

/** Is this the name of `import * as`? */
export function isNamespace(node: ts.Expression, checker: ts.TypeChecker): boolean {
  if (!ts.isIdentifier(node)) return false;
  const declaration = checker.getSymbolAtLocation(node)?.declarations?.[0];
  return declaration !== undefined && ts.isNamespaceImport(declaration);
}

/** The top-level statement that declares a symbol under its own name. */
export function topLevel(symbol: ts.Symbol): ts.Statement | undefined {
  const declaration = symbol.declarations?.[0];
  if (!declaration || ts.isSourceFile(declaration)) return undefined;
  let node: ts.Node = declaration;
  while (node.parent && !ts.isSourceFile(node.parent)) node = node.parent;
  const statement = node as ts.Statement;
  const own = declared(statement).some((n) => n.parent === declaration || n === declaration);
  return own && node.parent ? statement : undefined;
}

/** Names a top-level statement declares. */
export function declared(statement: ts.Statement): ts.Identifier[] {
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap((d) => boundNames(d.name));
  if (
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement)
  )
    return statement.name ? [statement.name] : [];
  return [];
}

function boundNames(name: ts.BindingName): ts.Identifier[] {
  if (ts.isIdentifier(name)) return [name];
  return name.elements.flatMap((e) => (ts.isOmittedExpression(e) ? [] : boundNames(e.name)));
}

/** A text that is written out, or put together of constants of the same file. */
export function stringOf(node: ts.Expression | undefined): string | undefined {
  if (!node) return undefined;
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isIdentifier(node)) return stringOf(constantOf(node));
  if (!ts.isTemplateExpression(node)) return undefined;
  const parts = node.templateSpans.map((span) => [stringOf(span.expression), span.literal.text]);
  if (parts.some(([value]) => value === undefined)) return undefined;
  return node.head.text + parts.flat().join('');
}

/** What a top-level constant of the file is set to. */
function constantOf(name: ts.Identifier): ts.Expression | undefined {
  for (const statement of name.getSourceFile().statements)
    if (ts.isVariableStatement(statement))
      for (const d of statement.declarationList.declarations)
        if (ts.isIdentifier(d.name) && d.name.text === name.text) return d.initializer;
  return undefined;
}
