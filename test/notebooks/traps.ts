/** Finds in notebook cells what type-checks and yet goes wrong in stock tslab (docs/notebooks.md lists all of it). */
import ts from 'typescript';

/** Names that the top level of a cell declares. */
function declared(source: ts.SourceFile): Set<string> {
  const names = new Set<string>();
  const bind = (name: ts.BindingName): void => {
    if (ts.isIdentifier(name)) names.add(name.text);
    else for (const element of name.elements) if (ts.isBindingElement(element)) bind(element.name);
  };
  for (const statement of source.statements) {
    if (ts.isVariableStatement(statement))
      for (const d of statement.declarationList.declarations) bind(d.name);
    else if ((ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) && statement.name)
      names.add(statement.name.text);
  }
  return names;
}

/** One sentence for each trap, in the order of the cells. */
export function cellTraps(cells: readonly string[]): string[] {
  const earlier = new Set<string>();
  return cells.flatMap((code, i) => {
    // As a module, or `await (x)` would be read as a call.
    const source = ts.createSourceFile(
      `cell-${i + 1}.ts`,
      `${code}\nexport {};`,
      ts.ScriptTarget.ES2022,
      true,
    );
    const own = declared(source);
    const foreign = new Set([...earlier].filter((name) => !own.has(name)));
    const found = trapsOf(source, foreign).map((text) => `cell ${i + 1}: ${text}`);
    for (const name of own) earlier.add(name);
    return found;
  });
}

function trapsOf(source: ts.SourceFile, foreign: ReadonlySet<string>): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node, inFunction: boolean): void => {
    found.push(...trapsAt(node, inFunction, foreign));
    const inside = inFunction || ts.isFunctionLike(node);
    ts.forEachChild(node, (child) => visit(child, inside));
  };
  visit(source, false);
  return found;
}

function trapsAt(node: ts.Node, inFunction: boolean, foreign: ReadonlySet<string>): string[] {
  if (ts.isShorthandPropertyAssignment(node) && foreign.has(node.name.text))
    return [`write { ${node.name.text}: ${node.name.text} }, tslab loses the shorthand`];
  if (ts.isBinaryExpression(node) && isAssignment(node.operatorToken.kind) && ts.isIdentifier(node.left))
    return foreign.has(node.left.text)
      ? [`assigns ${node.left.text} of an earlier cell, functions there keep the old value`]
      : [];
  if (!inFunction && ts.isAwaitExpression(node)) {
    const awaited = node.expression;
    const plain = ts.isCallExpression(awaited) && !awaited.getText().startsWith('(');
    return plain ? [] : ['await must stand before a call'];
  }
  if (!inFunction && ts.isForOfStatement(node) && node.awaitModifier)
    return ['for await must stand in a function'];
  if (ts.isIdentifier(node) && node.text.startsWith('__'))
    return [`${node.text} must not begin with two underscores`];
  return [];
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}
