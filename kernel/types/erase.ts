/** TypeScript to JavaScript: types blanked out in place, or, where syntax needs code of its own, emitted. */
import ts from '#typescript';
import { blankSourceFile } from '#ts-blank-space';
import { blank, hasModifier, parse, type Language } from './parse.js';

export interface Erased {
  readonly text: string;
  /** Present when the text was emitted: its lines and columns are then its own. */
  readonly sourceMap?: string;
}

const USING = 4 satisfies ts.NodeFlags.Using;

/** Syntax that stays valid for the blanker but that no supported engine runs natively. */
function needsCompiler(node: ts.Node): boolean {
  if (ts.isDecorator(node)) return true;
  if (ts.isVariableDeclarationList(node) && (node.flags & USING) !== 0) return true;
  if (ts.isPropertyDeclaration(node) && hasModifier(node, ts.SyntaxKind.AccessorKeyword)) return true;
  if (ts.isJsxElement(node) || ts.isJsxSelfClosingElement(node) || ts.isJsxFragment(node)) return true;
  return ts.forEachChild(node, (child) => needsCompiler(child) || undefined) ?? false;
}

/**
 * `import x = require('y')` as `const  x = require('y')`, of the same length: the blanker knows no import by `=`.
 * An alias of a namespace's member is an assignment already.
 */
function rewriteImportEquals(source: ts.SourceFile): string {
  let text = source.text;
  const put = (start: number, end: number, by: string) => {
    text = text.slice(0, start) + by + text.slice(end);
  };
  for (const node of source.statements) {
    const start = node.getStart(source);
    if (ts.isImportEqualsDeclaration(node)) {
      if (node.isTypeOnly) {
        put(start, node.end, blank(text.slice(start, node.end)));
        continue;
      }
      const keyword = text.indexOf('import', node.modifiers?.end ?? start);
      put(keyword, keyword + 6, 'const ');
    } else if (ts.isExportAssignment(node) && node.isExportEquals) {
      const expression = node.expression.getStart(source);
      put(start, expression, blank(text.slice(start, expression)));
    }
  }
  return text;
}

const EMIT: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleDetection: ts.ModuleDetectionKind.Force,
  jsx: ts.JsxEmit.ReactJSX,
  sourceMap: true,
  inlineSourceMap: false,
  verbatimModuleSyntax: true,
  useDefineForClassFields: true,
  newLine: ts.NewLineKind.LineFeed,
};

function emit(text: string, name: string): Erased {
  const { outputText, sourceMapText } = ts.transpileModule(text, { fileName: name, compilerOptions: EMIT });
  // The compiler names its map in a comment; the map travels beside the text.
  const comment = outputText.lastIndexOf('//# sourceMappingURL=');
  return { text: comment < 0 ? outputText : outputText.slice(0, comment), sourceMap: sourceMapText };
}

/** Erases the types of a parsed file. `name` is its name in the source map. */
export function erase(parsed: ts.SourceFile, name: string, language: Language = 'ts'): Erased {
  if (language === 'js') return { text: parsed.text };
  const text = rewriteImportEquals(parsed);
  const source = text === parsed.text ? parsed : parse(text, language);
  if (needsCompiler(source)) return emit(text, name);
  let unsupported = false;
  const blanked = blankSourceFile(source, () => {
    unsupported = true;
  });
  return unsupported ? emit(text, name) : { text: blanked };
}
