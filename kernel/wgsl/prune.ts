/** What an export leaves out of operator records: other forms and backends, costs, test cases. */
import ts from 'typescript';

/** Members of a record that a launch needs. */
const KEPT = new Set(['id', 'inputs', 'outputs', 'parameters', 'check', 'forms', 'gradient']);
/** Implementations that do not run on a GPU. */
const HOST = new Set(['cpu', 'wasm']);

/** The expression that makes a record: the name it is kept under, or the call that gives it. */
export interface RecordSite {
  expression: ts.Expression;
  /** Path of the file. */
  file: string;
}

/** Finds every record: by the literal `id` of its definition, or by the literal that a function which defines it is given. */
export function recordSites(program: ts.Program): Map<string, RecordSite> {
  const found = new Map<string, RecordSite>();
  for (const file of program.getSourceFiles()) {
    if (!/\/lib\/(ops|families)\/.+\.ts$/.test(file.fileName.replaceAll('\\', '/'))) continue;
    const makers = new Map<string, string>();
    for (const statement of file.statements)
      if (ts.isFunctionDeclaration(statement) && statement.name) {
        const id = definitions(statement).map(idOf)[0];
        if (id !== undefined)
          makers.set(statement.name.text, ts.isTemplateExpression(id) ? id.head.text : '');
      }
    walk(file, (node) => {
      if (!ts.isCallExpression(node) || !ts.isIdentifier(node.expression)) return;
      const prefix = makers.get(node.expression.text);
      const id = isDefinition(node)
        ? literal(idOf(node))
        : prefix === undefined
          ? undefined
          : given(node, prefix);
      if (id !== undefined && !found.has(id))
        found.set(id, { expression: nameFor(node) ?? node, file: file.fileName });
    });
  }
  return found;
}

function nameFor(call: ts.CallExpression): ts.Identifier | undefined {
  const { parent } = call;
  return ts.isVariableDeclaration(parent) && ts.isIdentifier(parent.name) ? parent.name : undefined;
}

function given(call: ts.CallExpression, prefix: string): string | undefined {
  const [first] = call.arguments;
  if (!first) return undefined;
  if (ts.isStringLiteral(first)) return prefix + first.text;
  if (!ts.isObjectLiteralExpression(first)) return undefined;
  for (const name of ['id', 'name']) {
    const text = literal(member(first, name));
    if (text !== undefined) return prefix + text;
  }
  return undefined;
}

const literal = (node: ts.Expression | undefined) =>
  node && ts.isStringLiteral(node) ? node.text : undefined;

function walk(node: ts.Node, see: (node: ts.Node) => void): void {
  see(node);
  ts.forEachChild(node, (child) => walk(child, see));
}

function isDefinition(node: ts.Node): node is ts.CallExpression {
  return (
    ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'defineOperator'
  );
}

function definitions(node: ts.Node): ts.CallExpression[] {
  const found: ts.CallExpression[] = [];
  walk(node, (n) => void (isDefinition(n) && found.push(n)));
  return found;
}

function member(object: ts.ObjectLiteralExpression, name: string): ts.Expression | undefined {
  const property = object.properties.find((p) => nameOf(p) === name);
  return property && ts.isPropertyAssignment(property) ? property.initializer : undefined;
}

function idOf(call: ts.CallExpression): ts.Expression | undefined {
  const [record] = call.arguments;
  return record && ts.isObjectLiteralExpression(record) ? member(record, 'id') : undefined;
}

function nameOf(p: ts.ObjectLiteralElementLike | ts.TypeElement): string | undefined {
  return p.name && (ts.isIdentifier(p.name) || ts.isStringLiteral(p.name)) ? p.name.text : undefined;
}

/** Ranges of a statement that an export of `form` leaves out. */
export function pruned(node: ts.Node, form: string): ts.TextRange[] {
  const path = node.getSourceFile().fileName.replaceAll('\\', '/');
  if (!/\/lib\/(ops|families)\//.test(path)) return [];
  const cut: ts.TextRange[] = [];
  walk(node, (n) => {
    if (isDefinition(n)) pruneRecord(n, form, cut);
    else if (ts.isObjectLiteralExpression(n)) drop(n.properties, (p) => HOST.has(nameOf(p) ?? ''), cut);
    else if (ts.isInterfaceDeclaration(n)) drop(n.members, (p) => HOST.has(nameOf(p) ?? ''), cut);
  });
  pruneUnused(node, cut);
  return cut;
}

function pruneRecord(call: ts.CallExpression, form: string, cut: ts.TextRange[]): void {
  const [record] = call.arguments;
  if (!ts.isObjectLiteralExpression(record)) return;
  drop(record.properties, (p) => !KEPT.has(nameOf(p) ?? ''), cut);
  const forms = member(record, 'forms');
  if (!forms || !ts.isObjectLiteralExpression(forms)) return;
  const gpu = (p: ts.ObjectLiteralElementLike) =>
    ts.isPropertyAssignment(p) &&
    ts.isObjectLiteralExpression(p.initializer) &&
    p.initializer.properties.some((q) => nameOf(q) === 'webgpu');
  const asked = forms.properties.some((p) => nameOf(p) === form && gpu(p));
  drop(forms.properties, (p) => !gpu(p) || (asked && nameOf(p) !== form), cut);
  for (const p of forms.properties)
    if (ts.isPropertyAssignment(p) && ts.isObjectLiteralExpression(p.initializer))
      drop(p.initializer.properties, (q) => nameOf(q) !== 'webgpu', cut);
}

/** Cuts elements of a list with the comma and the comments that belong to them. */
function drop<T extends ts.Node>(
  list: ts.NodeArray<T>,
  unwanted: (node: T) => boolean,
  cut: ts.TextRange[],
): void {
  for (const [i, node] of list.entries()) {
    if (!unwanted(node)) continue;
    const next = list.at(i + 1);
    cut.push({ pos: node.getFullStart(), end: next ? next.getFullStart() : list.end });
  }
}

/** Cuts local constants that only served what is cut already, until there are none. */
function pruneUnused(node: ts.Node, cut: ts.TextRange[]): void {
  if (cut.length === 0) return;
  const gone = (n: ts.Node) => cut.some((r) => r.pos <= n.getStart() && n.end <= r.end);
  for (let again = true; again;) {
    again = false;
    walk(node, (n) => {
      if (!ts.isVariableStatement(n) || ts.isSourceFile(n.parent) || gone(n)) return;
      const names = new Set<string>();
      for (const d of n.declarationList.declarations)
        walk(d.name, (m) => void (ts.isIdentifier(m) && names.add(m.text)));
      let used = false;
      walk(n.parent, (m) => {
        if (
          ts.isIdentifier(m) &&
          names.has(m.text) &&
          !gone(m) &&
          !(n.pos <= m.pos && m.end <= n.end) &&
          !isMember(m)
        )
          used = true;
      });
      if (used) return;
      cut.push({ pos: n.getFullStart(), end: n.end });
      again = true;
    });
  }
}

/** A name after a dot or before a colon is not a use of a local. */
function isMember(n: ts.Identifier): boolean {
  const { parent } = n;
  return (
    (ts.isPropertyAccessExpression(parent) && parent.name === n) ||
    (ts.isPropertyAssignment(parent) && parent.name === n)
  );
}
