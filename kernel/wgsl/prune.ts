/** What an export leaves out of operator records: other forms and backends, costs, test cases. */
import ts from 'typescript';
import { stringOf } from './syntax.js';

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

/** Finds every record: by the `id` of its definition, or by the literal that a function which defines it is given. */
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
        ? stringOf(idOf(node))
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
    const text = stringOf(member(first, name));
    if (text !== undefined) return prefix + text;
  }
  return undefined;
}

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

/** Properties of a record, those of literals that are spread into it among them. */
function propertiesOf(object: ts.ObjectLiteralExpression): ts.ObjectLiteralElementLike[] {
  return object.properties.flatMap((p) =>
    ts.isSpreadAssignment(p) && ts.isObjectLiteralExpression(p.expression) ? propertiesOf(p.expression) : [p],
  );
}

function member(object: ts.ObjectLiteralExpression, name: string): ts.Expression | undefined {
  const property = propertiesOf(object).find((p) => nameOf(p) === name);
  if (property && ts.isShorthandPropertyAssignment(property)) return property.name;
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
  const file = node.getSourceFile();
  if (!/\/lib\/(ops|families)\//.test(file.fileName.replaceAll('\\', '/'))) return [];
  const parts = recordParts(file);
  const cut: ts.TextRange[] = [];
  walk(node, (n) => {
    cutHostBranch(n, cut);
    if (ts.isInterfaceDeclaration(n)) drop(n.members, (p) => HOST.has(nameOf(p) ?? ''), cut);
    if (!ts.isObjectLiteralExpression(n)) return;
    if (parts.has(n)) pruneRecord(n, form, cut);
    else drop(n.properties, (p) => HOST.has(nameOf(p) ?? ''), cut);
  });
  pruneUnused(node, cut);
  return cut;
}

const partsOf = new WeakMap<ts.SourceFile, Set<ts.Expression>>();

/** The object literals of a file that are records, or are spread into one. */
function recordParts(file: ts.SourceFile): Set<ts.Expression> {
  const known = partsOf.get(file);
  if (known) return known;
  const records = definitions(file).flatMap((call) => call.arguments.slice(0, 1));
  const spread = new Set<string>();
  const found = new Set<ts.Expression>(records);
  for (const record of found)
    if (ts.isObjectLiteralExpression(record))
      for (const p of record.properties)
        if (ts.isSpreadAssignment(p)) {
          if (ts.isIdentifier(p.expression)) spread.add(p.expression.text);
          else found.add(p.expression);
        }
  for (const statement of file.statements)
    if (ts.isVariableStatement(statement))
      for (const { name, initializer } of statement.declarationList.declarations)
        if (initializer && ts.isIdentifier(name) && spread.has(name.text)) found.add(initializer);
  partsOf.set(file, found);
  return found;
}

function pruneRecord(record: ts.ObjectLiteralExpression, form: string, cut: ts.TextRange[]): void {
  drop(record.properties, (p) => !ts.isSpreadAssignment(p) && !KEPT.has(nameOf(p) ?? ''), cut);
  const forms = member(record, 'forms');
  if (!forms || !ts.isObjectLiteralExpression(forms)) return;
  // What is not written out may hold kernels; a plan chooses the form by its name.
  const literalOf = (p: ts.ObjectLiteralElementLike) =>
    ts.isPropertyAssignment(p) && ts.isObjectLiteralExpression(p.initializer) ? p.initializer : undefined;
  const gpu = (p: ts.ObjectLiteralElementLike) =>
    literalOf(p)?.properties.some((q) => nameOf(q) === 'webgpu') ?? true;
  const asked = forms.properties.some((p) => nameOf(p) === form && gpu(p));
  const unwanted = (p: ts.ObjectLiteralElementLike) =>
    !ts.isSpreadAssignment(p) && (!gpu(p) || (asked && nameOf(p) !== form));
  drop(forms.properties, unwanted, cut);
  for (const p of forms.properties) {
    const backends = literalOf(p);
    if (backends) drop(backends.properties, (q) => nameOf(q) !== 'webgpu', cut);
  }
}

/** Cuts what runs for tensors on the host only: plans know no others. */
function cutHostBranch(n: ts.Node, cut: ts.TextRange[]): void {
  if (ts.isIfStatement(n) && isOn('host', n.expression))
    cut.push({ pos: n.getFullStart(), end: n.elseStatement?.getStart() ?? n.end });
  if (!ts.isConditionalExpression(n)) return;
  if (isOn('host', n.condition)) cut.push({ pos: n.getStart(), end: n.whenFalse.getStart() });
  if (isOn('gpu', n.condition))
    cut.push({ pos: n.getStart(), end: n.whenTrue.getStart() }, { pos: n.whenTrue.end, end: n.end });
}

/** Is this `t.device === device`? */
function isOn(device: string, e: ts.Expression): boolean {
  return (
    ts.isBinaryExpression(e) &&
    e.operatorToken.kind === ts.SyntaxKind.EqualsEqualsEqualsToken &&
    ts.isPropertyAccessExpression(e.left) &&
    e.left.name.text === 'device' &&
    ts.isStringLiteral(e.right) &&
    e.right.text === device
  );
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
