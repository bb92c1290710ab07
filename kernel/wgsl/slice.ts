/**
 * Cuts what an export needs out of the project's TypeScript: from a few roots, every top-level statement they reach, in
 * one flat scope, with comments and types. Records keep what a launch needs; kernels for the CPU are left out.
 */
import { join, relative, sep } from 'node:path';
import ts from 'typescript';
import { kernelNames } from '../../lib/gpu/source.js';
import { declared, inside, isNamespace, stringOf, topLevel } from './syntax.js';
import { pruned, recordSites, type RecordSite } from './prune.js';

/** Files whose exports stand in for those of the same name under lib/tensor and lib/gpu. */
const RUNTIME = ['tensors', 'operators', 'gradients', 'plan', 'launch', 'operator-plan', 'tables'].map(
  (name) => `kernel/wgsl/runtime/${name}.ts`,
);

/** Files that nothing of an export may come from: what they do, plans do otherwise. */
const NO_STAND_IN = /^lib\/tensor\/(tape|tree|scope|storage|host-memory)\.ts$/;

/** Parsed sources with their symbols; made once, used for every operator. */
export interface Sources {
  root: string;
  program: ts.Program;
  checker: ts.TypeChecker;
  /** Names the runtime exports, with their symbols. */
  runtime: Map<string, ts.Symbol>;
  /** Where each operator record is made, by operator id. */
  records: Map<string, RecordSite>;
}

/** Reads the sources of the checkout at `root`. */
export function openSources(root: string): Sources {
  const rootNames = [join(root, 'lib/index.ts'), ...RUNTIME.map((file) => join(root, file))];
  const options: ts.CompilerOptions = {
    noLib: true,
    types: [],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    skipLibCheck: true,
  };
  const program = ts.createProgram({ rootNames, options });
  const checker = program.getTypeChecker();
  const runtime = new Map<string, ts.Symbol>();
  for (const file of RUNTIME) {
    const source = program.getSourceFile(join(root, file));
    const module = source && checker.getSymbolAtLocation(source);
    if (!module) throw new Error(`wgsl export: ${file} must be a module of the checkout, got none`);
    for (const symbol of checker.getExportsOfModule(module)) runtime.set(symbol.name, symbol);
  }
  return { root, program, checker, runtime, records: recordSites(program) };
}

interface Piece {
  statement: ts.Statement;
  file: ts.SourceFile;
  names: ts.Symbol[];
}

export interface Slice {
  /** The statements in an order that runs, runtime last. */
  statements: string[];
  /** Text of the expression that gives the operator. */
  operator: string;
  /** Names of kernels that the statements hold, whole or as `folder/${name}`. */
  kernels: string[];
  /** Does host code take views, which may have to be copied to where they can be bound? */
  hasViews: boolean;
  /** Files outside the runtime that statements came from. */
  files: string[];
}

/** The host code of one form of an operator, with `roots` of the runtime and `errors` of lib/core/errors.ts; `reserved` names are kept free. */
export function sliceOperator(
  sources: Sources,
  id: string,
  form: string,
  roots: readonly string[],
  errors: readonly string[],
  reserved: readonly string[],
): Slice {
  return new Slicer(sources, form, reserved).slice(id, roots, errors);
}

class Slicer {
  private readonly pieces = new Map<ts.Statement, Piece>();
  private readonly names = new Map<ts.Symbol, string>();
  private readonly taken: Set<string>;
  private readonly strings = new Set<string>();
  private readonly heads = new Set<string>(['']);

  constructor(
    private readonly sources: Sources,
    private readonly form: string,
    reserved: readonly string[],
  ) {
    this.taken = new Set(reserved);
  }

  slice(id: string, roots: readonly string[], errors: readonly string[]): Slice {
    const { records, runtime } = this.sources;
    const site = records.get(id);
    if (!site) throw new Error(`wgsl export: the record of ${id} must be found in the sources, got none`);
    for (const name of roots) this.include(runtime.get(name)!);
    for (const name of errors) this.include(this.exported('lib/core/errors.ts', name));
    this.follow(site.expression, this.cut(site.expression));
    const ordered = this.ordered();
    this.name(ordered);
    const printed = ordered.filter((piece) => !this.isTable(piece));
    const statements = printed.map((piece) => this.print(piece));
    const files = [...new Set(ordered.map((p) => this.path(p.file)))].filter((f) => !RUNTIME.includes(f));
    const host = ordered.filter(
      (p) => !this.isRuntime(p) && /^lib\/(ops|families)\//.test(this.path(p.file)),
    );
    const hasViews = host.some((p) => this.printNode(p.statement).includes('.view('));
    return {
      statements,
      hasViews,
      operator: this.printNode(site.expression),
      kernels: this.kernels(),
      files,
    };
  }

  private path(file: ts.SourceFile): string {
    return relative(this.sources.root, file.fileName).split(sep).join('/');
  }

  /** The top-level symbol an identifier stands for, or undefined for locals, members and globals. */
  private target(node: ts.Identifier): ts.Symbol | undefined {
    const { checker, runtime } = this.sources;
    const { parent } = node;
    let symbol = ts.isShorthandPropertyAssignment(parent)
      ? checker.getShorthandAssignmentValueSymbol(parent)
      : checker.getSymbolAtLocation(node);
    if (symbol && symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
    const statement = symbol && topLevel(symbol);
    if (!symbol || !statement) return undefined;
    const path = this.path(statement.getSourceFile());
    if (!/^(lib|kernel)\//.test(path)) return undefined;
    if (/^lib\/(tensor|gpu)\//.test(path)) symbol = runtime.get(symbol.name) ?? symbol;
    return symbol;
  }

  private include(symbol: ts.Symbol): void {
    const statement = topLevel(symbol);
    if (!statement) throw new Error(`wgsl export: ${symbol.name} must be declared at the top of a file`);
    if (this.pieces.has(statement)) return;
    const file = statement.getSourceFile();
    const path = this.path(file);
    if (/^lib\/cpu\/|\/wasm\.ts$|^lib\/generated\//.test(path))
      throw new Error(`wgsl export: host code must not need ${symbol.name} of ${path}`);
    if (NO_STAND_IN.test(path))
      throw new Error(
        `wgsl export: ${symbol.name} of ${path} must have a stand-in in kernel/wgsl/runtime, got none`,
      );
    const names = declared(statement).flatMap((n) => this.sources.checker.getSymbolAtLocation(n) ?? []);
    this.pieces.set(statement, { statement, file, names });
    this.follow(statement, this.cut(statement));
  }

  private cut(node: ts.Node): readonly ts.TextRange[] {
    return pruned(node, this.form);
  }

  private follow(node: ts.Node, cut: readonly ts.TextRange[]): void {
    if (inside(node, cut)) return;
    if (ts.isStringLiteralLike(node)) this.strings.add(node.text);
    if (ts.isTemplateHead(node)) this.heads.add(node.text);
    if (ts.isTemplateExpression(node)) this.strings.add(stringOf(node) ?? '');
    if (ts.isIdentifier(node)) {
      const symbol = this.target(node);
      if (symbol) this.include(symbol);
    }
    ts.forEachChild(node, (child) => this.follow(child, cut));
  }

  /** Files in the order their imports run, the runtime's after those it uses; statements in file order. */
  private ordered(): Piece[] {
    const { program, root } = this.sources;
    const order: ts.SourceFile[] = [];
    const seen = new Set<ts.SourceFile>();
    const visit = (file: ts.SourceFile): void => {
      if (seen.has(file)) return;
      seen.add(file);
      for (const statement of file.statements)
        if (ts.isImportDeclaration(statement)) {
          const module = this.sources.checker.getSymbolAtLocation(statement.moduleSpecifier);
          const next = module?.valueDeclaration;
          if (next && ts.isSourceFile(next)) visit(next);
        }
      order.push(file);
    };
    const core = [...new Set([...this.pieces.values()].map((p) => p.file))].filter((f) =>
      this.path(f).startsWith('lib/core/'),
    );
    for (const file of core) visit(file);
    for (const file of RUNTIME.slice(0, 2)) visit(program.getSourceFile(join(root, file))!);
    for (const piece of this.pieces.values()) visit(piece.file);
    const at = (p: Piece) => order.indexOf(p.file);
    return [...this.pieces.values()].sort((a, b) => at(a) - at(b) || a.statement.pos - b.statement.pos);
  }

  /**
   * Members of `import * as` modules that pieces use, each with the names of locals there: the flat name stands without
   * its module, where a local must not hide it.
   */
  private hidden(ordered: readonly Piece[]): Map<ts.Symbol, Set<string>> {
    const found = new Map<ts.Symbol, Set<string>>();
    for (const { statement } of ordered) {
      const members: ts.Symbol[] = [];
      const locals = new Set<string>();
      const visit = (n: ts.Node): void => {
        if (ts.isVariableDeclaration(n) || ts.isParameter(n) || ts.isBindingElement(n))
          if (ts.isIdentifier(n.name)) locals.add(n.name.text);
        if (ts.isPropertyAccessExpression(n) && isNamespace(n.expression, this.sources.checker)) {
          const symbol = ts.isIdentifier(n.name) ? this.target(n.name) : undefined;
          if (symbol) members.push(symbol);
        }
        ts.forEachChild(n, visit);
      };
      visit(statement);
      for (const symbol of members) found.set(symbol, new Set([...(found.get(symbol) ?? []), ...locals]));
    }
    return found;
  }

  /** Names in the flat scope; a name that is taken gets the folder of its file. */
  private name(ordered: readonly Piece[]): void {
    const hidden = this.hidden(ordered);
    const runtimeFirst = [...ordered].sort((a, b) => Number(this.isRuntime(b)) - Number(this.isRuntime(a)));
    for (const piece of runtimeFirst)
      for (const symbol of piece.names) {
        let name = symbol.name;
        const folder = this.path(piece.file)
          .split('/')
          .at(-2)!
          .replace(/-(\w)/g, (_, c: string) => c.toUpperCase());
        for (let i = 1; this.taken.has(name) || hidden.get(symbol)?.has(name); i++)
          name = `${symbol.name}_${folder}${i > 1 ? i : ''}`;
        this.taken.add(name);
        this.names.set(symbol, name);
      }
  }

  private kernels(): string[] {
    const heads = [...this.heads];
    const named = (name: string) =>
      heads.some((head) => name.startsWith(head) && this.strings.has(name.slice(head.length)));
    return kernelNames().filter(named);
  }

  /** The tables of an export are written anew. */
  private isTable(piece: Piece): boolean {
    return this.path(piece.file).endsWith('runtime/tables.ts') && ts.isVariableStatement(piece.statement);
  }

  private exported(path: string, name: string): ts.Symbol {
    const { program, checker, root } = this.sources;
    const module = checker.getSymbolAtLocation(program.getSourceFile(join(root, path))!)!;
    return checker.getExportsOfModule(module).find((s) => s.name === name)!;
  }

  private isRuntime(piece: Piece): boolean {
    return RUNTIME.includes(this.path(piece.file));
  }

  private print(piece: Piece): string {
    const start = piece.statement.getFullStart();
    const text = this.printNode(piece.statement, true);
    // The comment that opens a file speaks of the file.
    const first = piece.file.statements.find((s) => s.getFullStart() === 0);
    return start === 0 && first === piece.statement ? text.replace(/^\s*\/\*\*[\s\S]*?\*\/\s*/, '') : text;
  }

  /** Source text of a node: without what is cut and without `export`, with the names of the flat scope. */
  private printNode(node: ts.Node, comments = false): string {
    const file = node.getSourceFile();
    const cut = this.cut(node);
    const edits: { pos: number; end: number; text: string }[] = cut.map((r) => ({ ...r, text: '' }));
    if (ts.canHaveModifiers(node))
      for (const m of ts.getModifiers(node) ?? [])
        if (m.kind === ts.SyntaxKind.ExportKeyword)
          edits.push({ pos: m.getStart(), end: m.end + 1, text: '' });
    const visit = (n: ts.Node): void => {
      if (inside(n, cut)) return;
      if (ts.isPropertyAccessExpression(n) && isNamespace(n.expression, this.sources.checker)) {
        const name = ts.isIdentifier(n.name) ? this.nameOf(n.name) : undefined;
        if (name) return void edits.push({ pos: n.getStart(), end: n.end, text: name });
      }
      if (ts.isIdentifier(n)) {
        const name = this.nameOf(n);
        if (name !== undefined && name !== n.text) {
          const short = ts.isShorthandPropertyAssignment(n.parent);
          edits.push({ pos: n.getStart(), end: n.end, text: short ? `${n.text}: ${name}` : name });
        }
      }
      ts.forEachChild(n, visit);
    };
    visit(node);
    let text = '';
    let at = comments ? node.getFullStart() : node.getStart();
    for (const e of edits.sort((a, b) => a.pos - b.pos)) {
      if (e.pos < at) continue;
      text += file.text.slice(at, e.pos) + e.text;
      at = e.end;
    }
    return (text + file.text.slice(at, node.end)).trim();
  }

  private nameOf(node: ts.Identifier): string | undefined {
    const symbol = this.target(node);
    return symbol && this.names.get(symbol);
  }
}
