/** Local modules: types erased, loop guards put in, local imports pinned to the versions they have now. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { TraceMap, decodedMappings, encodedMap } from '@jridgewell/trace-mapping';
import ts from '#typescript';
import type { PreparedModule, RefusedCell } from '../threads/types-messages.js';
import { syntaxDiagnostics } from './diagnostics.js';
import { Edits } from './edits.js';
import { erase } from './erase.js';
import { guardLoop } from './guards.js';
import { locateFile } from './local-files.js';
import { parse, parseErrors, type Language } from './parse.js';
import { elideTypes } from './elision.js';

interface FileRecord {
  readonly stamp: string;
  readonly text: string;
  readonly hash: string;
  /** Specifiers as written, of imports that run. */
  readonly specifiers: readonly string[];
}

function languageOf(file: string): Language {
  const extension = path.extname(file);
  return extension === '.tsx' || extension === '.jsx'
    ? 'tsx'
    : extension === '.js' || extension === '.mjs'
      ? 'js'
      : 'ts';
}

/** The literal a static or dynamic import names. */
function specifierOf(node: ts.Node): ts.StringLiteralLike | undefined {
  let literal: ts.Node | undefined;
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) literal = node.moduleSpecifier;
  else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
    literal = node.arguments[0];
  return literal && ts.isStringLiteralLike(literal) ? literal : undefined;
}

/** Specifiers, as written, of a file's static and dynamic imports that may run. */
export function specifiersOf(source: ts.SourceFile): string[] {
  const found = new Set<string>();
  const visit = (node: ts.Node): void => {
    const literal = specifierOf(node);
    const typeOnly =
      (ts.isImportDeclaration(node) && node.importClause?.isTypeOnly) ||
      (ts.isExportDeclaration(node) && node.isTypeOnly);
    if (literal && !typeOnly) found.add(literal.text);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...found];
}

/** Moves the columns of a source map's places by what was put into the text after it was made. */
function shiftMap(sourceMap: string, file: string, base: string, edits: Edits): string {
  const map = new TraceMap(sourceMap);
  const lines = edits.columnShifts();
  const mappings = decodedMappings(map).map((segments, line) =>
    segments.map((segment) => {
      const moved = [...segment] as typeof segment;
      moved[0] = lines(line, segment[0]);
      return moved;
    }),
  );
  const shifted = new TraceMap({
    version: 3,
    names: map.names,
    sources: [pathToFileURL(file).href],
    sourcesContent: [base],
    mappings: mappings as never,
  });
  return JSON.stringify(encodedMap(shifted));
}

/** What makes a TypeScript file that uses CommonJS's names work as a module. */
const REQUIRE = "process.getBuiltinModule('module').createRequire(import.meta.url)";
const COMMONJS: readonly (readonly [string, string])[] = [
  ['require', REQUIRE],
  ['__filename', 'import.meta.filename'],
  ['__dirname', 'import.meta.dirname'],
];

export class Modules {
  private readonly files = new Map<string, FileRecord>();
  private readonly prepared = new Map<string, PreparedModule | RefusedCell>();

  constructor(
    private readonly excluded: readonly string[],
    private readonly folder: string,
  ) {}

  /** The local source file a specifier means. */
  find(specifier: string, from: string): string | undefined {
    return locateFile(specifier, from, this.excluded);
  }

  /** The local source file a specifier means, and its version. */
  locate(specifier: string, from: string): { file: string; version: string } | undefined {
    const file = locateFile(specifier, from, this.excluded);
    return file ? { file, version: this.version(file) } : undefined;
  }

  private read(file: string): FileRecord {
    const stat = statSync(file);
    const stamp = `${stat.mtimeMs}:${stat.size}:${stat.ino}`;
    const known = this.files.get(file);
    if (known?.stamp === stamp) return known;
    const text = readFileSync(file, 'utf8');
    const record = {
      stamp,
      text,
      hash: createHash('sha256').update(text).digest('hex'),
      specifiers: specifiersOf(parse(text, languageOf(file))),
    };
    this.files.set(file, record);
    return record;
  }

  /** Hash over the file and every local file it reaches; files that import each other reach the same ones. */
  version(file: string): string {
    const reached = new Set<string>();
    const visit = (one: string): void => {
      if (reached.has(one)) return;
      reached.add(one);
      for (const specifier of this.read(one).specifiers) {
        const next = locateFile(specifier, one, this.excluded);
        if (next) visit(next);
      }
    };
    visit(file);
    const hash = createHash('sha256').update(file);
    for (const one of [...reached].sort()) hash.update(`\0${one}\0${this.read(one).hash}`);
    return hash.digest('hex').slice(0, 16);
  }

  /** The module's JavaScript. */
  prepare(file: string): PreparedModule | RefusedCell {
    const version = this.version(file);
    const key = `${file}?${version}`;
    let made = this.prepared.get(key);
    if (!made) {
      made = this.make(file, version);
      this.prepared.set(key, made);
      // Old versions are asked for no more: Node keeps what it has loaded.
      for (const old of this.prepared.keys())
        if (old !== key && old.startsWith(`${file}?`)) this.prepared.delete(old);
    }
    return made;
  }

  private make(file: string, version: string): PreparedModule | RefusedCell {
    const language = languageOf(file);
    const source = parse(this.read(file).text, language);
    const shown = path.relative(this.folder, file) || file;
    if (parseErrors(source).length > 0)
      return { ok: false, kind: 'syntax', diagnostics: syntaxDiagnostics(source, shown) };
    const erased = erase(source, path.basename(file), language);
    const tree = parse(erased.text, 'js');
    const edits = new Edits(erased.text);
    const gone = language === 'js' ? new Set<ts.Node>() : elideTypes(source, tree, edits);
    if (language !== 'js') edits.insert(0, commonJs(tree));
    this.rewrite(file, tree, edits, gone);
    const { text } = edits.apply();
    if (!erased.sourceMap) return { ok: true, js: text, version };
    const map = shiftMap(erased.sourceMap, file, source.text, edits);
    const encoded = Buffer.from(map).toString('base64');
    const comment = `//# sourceMappingURL=data:application/json;base64,${encoded}`;
    return { ok: true, js: `${text}\n${comment}\n`, version };
  }

  private rewrite(file: string, tree: ts.SourceFile, edits: Edits, gone: ReadonlySet<ts.Node>): void {
    const visit = (node: ts.Node): void => {
      if (gone.has(node)) return;
      guardLoop(node, tree, edits);
      const literal = specifierOf(node);
      const found = literal && this.locate(literal.text, file);
      if (literal && found) {
        const url = `${pathToFileURL(found.file).href}?v=${found.version}`;
        edits.replace(literal.getStart(tree), literal.end, JSON.stringify(url));
      }
      ts.forEachChild(node, visit);
    };
    visit(tree);
  }
}

/** Declarations of the CommonJS names the file uses without declaring them. */
function commonJs(tree: ts.SourceFile): string {
  const identifiers = (tree as unknown as { identifiers: ReadonlyMap<string, string> }).identifiers;
  const declared = new Set(
    tree.statements.flatMap((one) =>
      ts.isVariableStatement(one)
        ? one.declarationList.declarations.map((declaration) => declaration.name.getText(tree))
        : ts.isFunctionDeclaration(one) && one.name
          ? [one.name.text]
          : [],
    ),
  );
  return COMMONJS.filter(([name]) => identifiers.has(name) && !declared.has(name))
    .map(([name, code]) => `const ${name}=${code};`)
    .join('');
}
