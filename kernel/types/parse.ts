/** Parsing of cells: always as modules of the newest language, so that top-level await reads as await. */
import ts from '#typescript';

const OPTIONS: ts.CreateSourceFileOptions = {
  languageVersion: ts.ScriptTarget.ESNext,
  impliedNodeFormat: ts.ModuleKind.ESNext,
  jsDocParsingMode: ts.JSDocParsingMode.ParseNone,
  // Without an import or export a file would be a script, where `await (x)` is a call of a function await.
  setExternalModuleIndicator: (file) => {
    (file as { externalModuleIndicator?: unknown }).externalModuleIndicator = true;
  },
};

export type Language = 'ts' | 'tsx' | 'js';
const KINDS = { ts: ts.ScriptKind.TS, tsx: ts.ScriptKind.TSX, js: ts.ScriptKind.JS };

/** The syntax tree of `text` as a module. */
export function parse(text: string, language: Language = 'ts'): ts.SourceFile {
  return ts.createSourceFile(`cell.${language}`, text, OPTIONS, false, KINDS[language]);
}

/** What the parser complained of. */
export function parseErrors(source: ts.SourceFile): readonly ts.DiagnosticWithLocation[] {
  return (source as unknown as { parseDiagnostics: ts.DiagnosticWithLocation[] }).parseDiagnostics;
}

/** A cell as the compiler reads it. */
export interface CellText {
  /** The cell, in parentheses where it is an object literal. */
  readonly text: string;
  /** Offsets in `text` of the two parentheses put in, if any. */
  readonly wrapped?: readonly [open: number, close: number];
}

/**
 * A cell that begins with a brace and reads as an object literal means one, as in the REPLs of Node and Deno:
 * `{ a: 1 }` is an object, not a block with a label.
 */
export function cellText(code: string): CellText {
  const begin = code.search(/\S/);
  if (code[begin] !== '{' || /;\s*$/.test(code)) return { text: code };
  const source = parse(`(${code}\n)`);
  const [first, second] = source.statements;
  if (parseErrors(source).length > 0 || second || !first || !ts.isExpressionStatement(first))
    return { text: code };
  if (!ts.isParenthesizedExpression(first.expression)) return { text: code };
  const inner = first.expression.expression;
  if (!ts.isObjectLiteralExpression(inner)) return { text: code };
  // One less: the code itself does not hold the opening parenthesis.
  const close = inner.end - 1;
  const text = `${code.slice(0, begin)}(${code.slice(begin, close)})${code.slice(close)}`;
  return { text, wrapped: [begin, close + 1] };
}

/** `text` with everything but its line ends replaced by blanks. */
export function blank(text: string): string {
  return text.replace(/[^\r\n\u2028\u2029]/g, ' ');
}

/** Whether the node carries the modifier. */
export function hasModifier(node: ts.Node, kind: ts.SyntaxKind): boolean {
  return (ts.canHaveModifiers(node) && ts.getModifiers(node)?.some((one) => one.kind === kind)) || false;
}

/** Names bound by a variable's name or pattern, in order. */
export function boundNames(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((one) => (ts.isOmittedExpression(one) ? [] : boundNames(one.name)));
}
