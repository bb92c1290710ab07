/** Promises a cell makes and nobody waits for. */
import ts from '#typescript';

/** A promise's type: it has a `then` that can be called. */
function isThenable(type: ts.Type, checker: ts.TypeChecker, at: ts.Node): boolean {
  if (type.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return false;
  const parts = type.isUnion() ? type.types : [type];
  return parts.some((part) => {
    const then = part.getProperty('then');
    if (!then) return false;
    return checker.getTypeOfSymbolAtLocation(then, at).getCallSignatures().length > 0;
  });
}

/** `.then(f)` and `.catch(f)` take care of their promise; `.finally(f)` passes it on. */
function isHandled(node: ts.Expression): boolean {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false;
  const method = node.expression.name.text;
  return (method === 'then' || method === 'catch') && node.arguments.length > 0;
}

function strip(node: ts.Expression): ts.Expression {
  return ts.isParenthesizedExpression(node) ? strip(node.expression) : node;
}

function mayFloat(node: ts.Expression): boolean {
  if (ts.isAwaitExpression(node) || ts.isVoidExpression(node) || ts.isLiteralExpression(node)) return false;
  if (ts.isBinaryExpression(node)) {
    const operator = node.operatorToken.kind;
    const assigns = operator >= ts.SyntaxKind.FirstAssignment && operator <= ts.SyntaxKind.LastAssignment;
    return !assigns;
  }
  return !isHandled(node);
}

/**
 * Expression statements of the cell's own code (also in its loops and blocks, not in its functions) whose value
 * is a promise that is not awaited, kept, handled or dropped with `void`. A name or member that only shows a
 * promise made before counts too: what is shown is the promise, not its value.
 */
export function floatingPromises(
  source: ts.SourceFile,
  from: number,
  checker: ts.TypeChecker,
): ts.Expression[] {
  const found: ts.Expression[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node) || ts.isClassLike(node) || ts.isTypeNode(node)) return;
    if (ts.isExpressionStatement(node)) {
      const expression = strip(node.expression);
      if (mayFloat(expression) && isThenable(checker.getTypeAtLocation(expression), checker, expression))
        found.push(expression);
      return;
    }
    if (ts.isVariableStatement(node) || ts.isImportDeclaration(node)) return;
    ts.forEachChild(node, visit);
  };
  for (const node of source.statements) if (node.pos >= from - 1) visit(node);
  return found;
}
