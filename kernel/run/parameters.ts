/** Parameters of notebooks: the cell tagged `parameters` declares them, a cell injected after it sets them. */
import ts from 'typescript';
import { hasTag, sourceOf, type Cell, type Notebook } from './notebook.js';

/** Values by name, as JSON knows them. */
export type Parameters = Readonly<Record<string, unknown>>;

/** What a notebook declares: the default's kind decides how a text from the command line is read. */
export interface DeclaredParameter {
  readonly name: string;
  readonly kind: 'number' | 'string' | 'boolean' | 'other';
  /** The type written in the notebook, kept so that a wrong value is a type error before anything runs. */
  readonly type?: string;
  readonly keyword: 'const' | 'let';
}

const TAG = 'parameters';
const INJECTED = 'injected-parameters';

/** The parameters a notebook declares, in order; empty when no cell is tagged. */
export function declaredParameters(notebook: Notebook): DeclaredParameter[] {
  const found = new Map<string, DeclaredParameter>();
  for (const cell of notebook.cells) {
    if (cell.cell_type !== 'code' || !hasTag(cell, TAG)) continue;
    const source = ts.createSourceFile('parameters.ts', sourceOf(cell), ts.ScriptTarget.ES2022, true);
    for (const statement of source.statements) {
      if (!ts.isVariableStatement(statement)) continue;
      const constant = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0;
      for (const declaration of statement.declarationList.declarations) {
        if (!ts.isIdentifier(declaration.name)) continue;
        const name = declaration.name.text;
        found.set(name, {
          name,
          kind: kindOf(declaration),
          type: declaration.type?.getText(source),
          keyword: constant ? 'const' : 'let',
        });
      }
    }
  }
  return [...found.values()];
}

function kindOf({ type, initializer }: ts.VariableDeclaration): DeclaredParameter['kind'] {
  if (type) {
    if (type.kind === ts.SyntaxKind.NumberKeyword) return 'number';
    if (type.kind === ts.SyntaxKind.StringKeyword) return 'string';
    if (type.kind === ts.SyntaxKind.BooleanKeyword) return 'boolean';
  }
  let value = initializer;
  while (value && (ts.isAsExpression(value) || ts.isParenthesizedExpression(value))) value = value.expression;
  if (value && ts.isPrefixUnaryExpression(value)) value = value.operand;
  if (!value) return 'other';
  if (ts.isNumericLiteral(value)) return 'number';
  if (ts.isStringLiteralLike(value)) return 'string';
  const { kind } = value;
  return kind === ts.SyntaxKind.TrueKeyword || kind === ts.SyntaxKind.FalseKeyword ? 'boolean' : 'other';
}

/**
 * Values for one run: texts are read as the declared kind, values of JSON must be of it.
 *
 * @throws Error naming the declared parameters when a name is not among them, or the kind when a value is not of it
 */
export function checkedParameters(
  declared: readonly DeclaredParameter[],
  given: Readonly<Record<string, GivenValue>>,
  where: string,
): Parameters {
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const parameter = declared.find((known) => known.name === name);
    if (!parameter) throw new Error(undeclared(name, declared, where));
    values[name] = 'text' in value ? fromText(parameter, value.text, where) : value.value;
    const { kind } = parameter;
    const got = values[name];
    if (got === undefined) throw new Error(`${where}: parameter ${name} must have a value, got undefined`);
    if (kind !== 'other' && parameter.type === undefined && typeof got !== kind && got !== null)
      throw new Error(`${where}: parameter ${name} must be a ${kind}, got ${JSON.stringify(got)}`);
  }
  return values;
}

/** A value as it was given: text of the command line or of a CSV, or a value of JSON. */
export type GivenValue = { readonly text: string } | { readonly value: unknown };

function undeclared(name: string, declared: readonly DeclaredParameter[], where: string): string {
  if (declared.length === 0)
    return `${where}: parameter ${name} must be declared, but no cell is tagged "${TAG}"; tag the cell that declares the notebook's parameters`;
  const names = declared.map((parameter) => parameter.name).join(', ');
  return `${where}: parameter ${name} must be one of those that the cell tagged "${TAG}" declares (${names})`;
}

function fromText({ name, kind }: DeclaredParameter, text: string, where: string): unknown {
  if (kind === 'string') return text;
  if (kind === 'number') {
    const value = Number(text);
    if (text.trim() === '' || Number.isNaN(value))
      throw new Error(`${where}: parameter ${name} must be a number, got "${text}"`);
    return value;
  }
  if (kind === 'boolean') {
    if (text !== 'true' && text !== 'false')
      throw new Error(`${where}: parameter ${name} must be true or false, got "${text}"`);
    return text === 'true';
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** A copy of the notebook with one cell after the tagged one (or the last of them) that sets the values. */
export function injectParameters(
  notebook: Notebook,
  declared: readonly DeclaredParameter[],
  values: Parameters,
): Notebook {
  const copy = structuredClone(notebook);
  copy.cells = copy.cells.filter((cell) => !hasTag(cell, INJECTED));
  const names = Object.keys(values);
  if (names.length === 0) return copy;
  const lines = declared
    .filter(({ name }) => names.includes(name))
    .map(
      ({ keyword, name, type }) => `${keyword} ${name}${type ? `: ${type}` : ''} = ${literal(values[name])};`,
    );
  const cell: Cell = {
    cell_type: 'code',
    id: 'injected-parameters',
    metadata: { tags: [INJECTED] },
    source: lines.join('\n'),
    outputs: [],
    execution_count: null,
  };
  const after = copy.cells.reduce(
    (last, one, i) => (one.cell_type === 'code' && hasTag(one, TAG) ? i : last),
    -1,
  );
  copy.cells.splice(after + 1, 0, cell);
  return copy;
}

/** A value as TypeScript: JSON, and the numbers JSON lacks. */
function literal(value: unknown): string {
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  return JSON.stringify(value);
}
