/** The language service over all cells: checks, and what completion and inspection ask. */
import ts from '#typescript';
import type { Diagnostic } from '../threads/types-messages.js';
import { MOST_SHOWN, placeOf, toDiagnostic, type NameFile, type Shown } from './diagnostics.js';
import { floatingPromises } from './floating.js';
import { makeFooter, makeHeader } from './header.js';
import { collectGarbage } from './heap.js';
import { Host, slashed, wantsImplicitAny } from './host.js';
import { declaredNames, usedNames } from './names.js';
import { parse, type CellText } from './parse.js';
import { FileRegistry } from './registry.js';
import { Slots, type Cell } from './slots.js';

export interface Checked {
  readonly errors: readonly Diagnostic[];
  readonly floating: readonly Diagnostic[];
  /** Imported names that are only types. */
  readonly elided: ReadonlySet<string>;
}

const FIX = 'this promise is not awaited: nothing waits for its work, and its error would appear late';

export class Service {
  readonly slots: Slots;
  readonly host: Host;
  readonly language: ts.LanguageService;
  private readonly registry: FileRegistry;
  private readonly folder: string;
  private readonly lenient: boolean;
  private slotsKnown: number;

  constructor(root: string, folder: string) {
    this.folder = slashed(folder);
    this.lenient = !wantsImplicitAny(this.folder);
    this.slots = new Slots(this.folder);
    this.slotsKnown = this.slots.size;
    this.host = new Host(slashed(root), this.folder, this.slots);
    this.registry = new FileRegistry(this.host.settings);
    this.language = ts.createLanguageService(this.host, this.registry);
  }

  /**
   * Parses the files every program holds and makes the first program, in steps of some milliseconds between
   * which questions are answered; a question that needs the program does what is left at once.
   */
  async warm(): Promise<void> {
    const files = this.host.ownFiles();
    let next = files.next();
    while (!next.done) {
      const until = performance.now() + 15;
      while (!next.done && performance.now() < until) {
        const { file, text } = next.value;
        next = files.next(this.registry.preload(file, text, '1'));
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.check(this.makeCell({ text: '1 + 1' }, parse('1 + 1'), 'cell.ts', []));
  }

  program(): ts.Program {
    this.host.refresh();
    if (this.slots.size !== this.slotsKnown) this.startOver();
    const program = this.language.getProgram();
    if (!program) throw new Error('types: the compiler must make a program, got none');
    return program;
  }

  /**
   * With other files the compiler makes every part of the program anew. Two programs side by side would raise the
   * process's memory for good, so the old one goes first.
   */
  private startOver(): void {
    this.slotsKnown = this.slots.size;
    this.language.cleanupSemanticCache();
    collectGarbage();
  }

  /** A text being written, in the program for questions about it. It exports nothing: it may be cut off anywhere. */
  draft(code: string): Cell {
    const cell = this.makeCell({ text: code }, parse(code), 'cell.ts', [], false);
    this.program();
    return cell;
  }

  /** A cell as a file of the trial slot; it is in the program until another one is made. */
  makeCell(
    text: CellText,
    source: ts.SourceFile,
    name: string,
    localFiles: readonly string[],
    exported = true,
  ): Cell {
    const declared = declaredNames(source);
    const { header, uses } = makeHeader(usedNames(source), declared, this.slots);
    const slot = this.slots.trial;
    const cell: Cell = {
      slot,
      file: this.slots.fileOf(slot),
      // Only the first line of a file may begin so, and the header comes before it.
      text: header + text.text.replace(/^#!/, '//') + (exported ? makeFooter(declared) : ''),
      header: header.length,
      code: text.text,
      wrapped: text.wrapped,
      uses,
      localFiles: [...new Set([...localFiles, ...uses.flatMap((one) => one.localFiles)])],
      declared,
      name,
    };
    this.slots.place(cell);
    return cell;
  }

  check(cell: Cell): Checked {
    const program = this.program();
    const source = program.getSourceFile(cell.file);
    if (!source) throw new Error(`types: ${cell.file} must be part of the program`);
    const shown = this.shown(cell, source);
    const end = cell.header + cell.code.length;
    const names: NameFile = (file, start) => this.nameFile(file, start);
    const errors = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
      .filter(
        (one) => one.category === ts.DiagnosticCategory.Error && !(this.lenient && isImplicitAny(one.code)),
      )
      .filter(({ start = 0 }) => start >= cell.header && start <= end)
      .sort((a, b) => (a.start ?? 0) - (b.start ?? 0))
      .slice(0, MOST_SHOWN)
      .map((one) => toDiagnostic(one, shown, names));
    if (errors.length > 0) return { errors, floating: [], elided: new Set() };
    const checker = program.getTypeChecker();
    const floating = floatingPromises(source, cell.header, checker).map((node) =>
      floatingNote(node, source, shown),
    );
    return { errors, floating, elided: typeImports(source, cell.header, checker) };
  }

  /** Imported names that are only types, of a cell whose types are of no interest: it runs whatever the checker does. */
  typeImports(cell: Cell): Set<string> {
    try {
      const program = this.program();
      return typeImports(program.getSourceFile(cell.file)!, cell.header, program.getTypeChecker());
    } catch {
      return new Set();
    }
  }

  shown(cell: Cell, source: ts.SourceFileLike): Shown {
    return {
      file: cell.name,
      source,
      header: cell.header,
      wrapped: cell.wrapped,
      length: cell.code.length,
    };
  }

  /** What a reader calls a file: a cell by its number, others by their path from the notebook's folder. */
  private nameFile(source: ts.SourceFile, start: number): ReturnType<NameFile> {
    const cell = this.slots.cellOf(source.fileName);
    if (cell) return { file: cell.name, place: placeOf(start, this.shown(cell, source)) };
    const { line, character } = source.getLineAndCharacterOfPosition(start);
    const inside = source.fileName.startsWith(`${this.folder}/`);
    const file = inside ? source.fileName.slice(this.folder.length + 1) : source.fileName;
    return { file, place: { line: line + 1, column: character + 1 } };
  }
}

/** Diagnostics of noImplicitAny, among them that of a package without declarations (7016). */
function isImplicitAny(code: number): boolean {
  const others = [7027, 7028, 7029, 7030, 7041];
  return code >= 7005 && code <= 7057 && !others.includes(code);
}

function floatingNote(node: ts.Expression, source: ts.SourceFile, shown: Shown): Diagnostic {
  const start = node.getStart(source);
  const text = node.getText(source).replace(/\s+/g, ' ');
  const short = text.length > 60 ? `${text.slice(0, 57)}...` : text;
  return toDiagnostic(
    {
      category: ts.DiagnosticCategory.Warning,
      code: 0,
      file: source,
      start,
      length: node.end - start,
      messageText: {
        category: ts.DiagnosticCategory.Warning,
        code: 0,
        messageText: `${FIX}; write await ${short}`,
        next: [
          {
            category: ts.DiagnosticCategory.Message,
            code: 0,
            messageText: 'or `void` before it if that is meant',
          },
        ],
      },
    },
    shown,
    (_, at) => ({ file: shown.file, place: placeOf(at, shown) }),
  );
}

/** Names imported by the cell that mean nothing at run time. Names that mean nothing known are kept. */
function typeImports(source: ts.SourceFile, from: number, checker: ts.TypeChecker): Set<string> {
  const types = new Set<string>();
  const test = (name: ts.Identifier): void => {
    const symbol = checker.getSymbolAtLocation(name);
    if (!symbol || (symbol.flags & ts.SymbolFlags.Alias) === 0) return;
    const target = checker.getAliasedSymbol(symbol);
    const known = (target.flags & (ts.SymbolFlags.Type | ts.SymbolFlags.Namespace)) !== 0;
    if (known && (target.flags & ts.SymbolFlags.Value) === 0) types.add(name.text);
  };
  for (const node of source.statements) {
    if (!ts.isImportDeclaration(node) || !node.importClause || node.pos < from - 1) continue;
    if (node.importClause.name) test(node.importClause.name);
    const bindings = node.importClause.namedBindings;
    if (bindings && ts.isNamedImports(bindings)) for (const one of bindings.elements) test(one.name);
  }
  return types;
}
