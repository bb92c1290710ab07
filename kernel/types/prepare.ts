/** Cells from text to what runs: checked, transpiled, remembered. */
import type { Diagnostic, LocalImport, PreparedCell, RefusedCell } from '../threads/types-messages.js';
import { syntaxDiagnostics } from './diagnostics.js';
import { namesFile } from './local-files.js';
import { specifiersOf, type Modules } from './modules.js';
import { assignedNames, declaredNames, usedNames, type Declared } from './names.js';
import { cellText, parse, type CellText } from './parse.js';
import { Service } from './service.js';
import type { Cell } from './slots.js';
import { transpile, type Transpiled } from './transpile.js';

/** What a text alone says, whatever names mean. */
interface Read {
  readonly text: CellText;
  /** Syntax errors leave nothing to remember. */
  readonly errors: readonly Diagnostic[];
  readonly used: readonly string[];
  readonly declares: ReadonlyMap<string, Declared>;
  /** Specifiers of its imports that run. */
  readonly specifiers: readonly string[];
  /** The file asks for no checks itself. */
  readonly unchecked: boolean;
}

interface Remembered {
  readonly cell: Cell;
  readonly transpiled: Transpiled;
  readonly floating: readonly Diagnostic[];
}

/** Texts remembered; more than a notebook holds, few enough to forget those typed once. */
const MOST_REMEMBERED = 500;

/** A map that forgets what was not asked for the longest. */
class Recent<Value> {
  private readonly map = new Map<string, Value>();

  get(key: string): Value | undefined {
    const value = this.map.get(key);
    if (value !== undefined) {
      this.map.delete(key);
      this.map.set(key, value);
    }
    return value;
  }

  set(key: string, value: Value): void {
    this.map.delete(key);
    this.map.set(key, value);
    if (this.map.size > MOST_REMEMBERED) this.map.delete(this.map.keys().next().value!);
  }
}

/** A `@ts-nocheck` in the comments before the first code. */
function saysNoCheck(code: string): boolean {
  return /^\s*(?:(?:\/\/.*(?:\r?\n|$)|\/\*[\s\S]*?\*\/)\s*)*?\/[/*]\s*@ts-nocheck\b/.test(code);
}

export class Preparer {
  private readonly reads = new Recent<Read>();
  private readonly remembered = new Recent<Remembered>();
  private readonly identities = new WeakMap<Cell, number>();
  private nextIdentity = 1;

  constructor(
    private readonly service: Service,
    private readonly modules: Modules,
    private readonly globals: ReadonlySet<string>,
    private readonly folder: string,
  ) {}

  /** Answers `prepare`; the names of an accepted cell are those that later cells see. */
  prepare(code: string, count: number, check: boolean): PreparedCell | RefusedCell {
    const name = `cell-${count}.ts`;
    const read = this.read(code);
    if (read.errors.length > 0) {
      const diagnostics = read.errors.map((one) => ({ ...one, file: name }));
      return { ok: false, kind: 'syntax', diagnostics };
    }
    const checked = check && !read.unchecked;
    const key = this.key(code, read, checked);
    const known = this.remembered.get(key);
    if (known && (known.cell.declared.length === 0 || this.service.slots.holds(known.cell)))
      return this.finish(known, name);
    const made = this.make(read, name, checked);
    if ('ok' in made) return made;
    this.remembered.set(key, made);
    return this.finish(made, name);
  }

  /** Names that code outside of cells has declared: of any type. Those it only assigns keep the type they have. */
  declare(code: string): undefined {
    const source = parse(code);
    const declared = declaredNames(source).flatMap((one) => (one.value ? [one.name] : []));
    const known = (name: string) => this.globals.has(name) || this.service.slots.live.has(name);
    const assigned = assignedNames(source).filter((name) => !known(name));
    const names = new Set([...declared, ...assigned]);
    if (names.size > 0) this.prepare(`declare let ${[...names].join(': any, ')}: any;`, 0, false);
  }

  private read(code: string): Read {
    let read = this.reads.get(code);
    if (read) return read;
    const text = cellText(code);
    const source = parse(text.text);
    read = {
      text,
      errors: syntaxDiagnostics(source, 'cell.ts', text.wrapped),
      used: [...usedNames(source)],
      declares: new Map(declaredNames(source).map((one) => [one.name, one])),
      specifiers: specifiersOf(source),
      unchecked: saysNoCheck(code),
    };
    this.reads.set(code, read);
    return read;
  }

  /** Equal keys, equal answers: the text, what its names mean, and the local files behind it. */
  private key(code: string, read: Read, checked: boolean): string {
    const cells = new Set<Cell>();
    let names = '';
    for (const name of read.used) {
      for (const { cell } of this.service.slots.meanings(name, read.declares.get(name))) {
        cells.add(cell);
        names += `${name}@${this.identity(cell)} `;
      }
    }
    const files = new Set([...this.localFiles(read), ...[...cells].flatMap((cell) => cell.localFiles)]);
    const versions = [...files].map((file) => this.versionOf(file));
    return `${checked ? 'checked' : 'unchecked'}\0${names}\0${versions.join(' ')}\0${code}`;
  }

  private versionOf(file: string): string {
    try {
      return this.modules.version(file);
    } catch {
      return 'gone';
    }
  }

  private identity(cell: Cell): number {
    let identity = this.identities.get(cell);
    if (identity === undefined) this.identities.set(cell, (identity = this.nextIdentity++));
    return identity;
  }

  private localFiles(read: Read): string[] {
    return read.specifiers.filter(namesFile).flatMap((one) => this.modules.find(one, this.folder) ?? []);
  }

  private make(read: Read, name: string, checked: boolean): Remembered | RefusedCell {
    // Parsed again rather than remembered: trees are large, and most texts are prepared once.
    const source = parse(read.text.text);
    const cell = this.service.makeCell(read.text, source, name, this.localFiles(read));
    if (!checked) {
      const elided = read.specifiers.length > 0 ? this.service.typeImports(cell) : undefined;
      return { cell, floating: [], transpiled: transpile(read.text, source, this.globals, elided) };
    }
    const { errors, floating, elided } = this.service.check(cell);
    if (errors.length > 0) return { ok: false, kind: 'types', diagnostics: errors };
    return { cell, floating, transpiled: transpile(read.text, source, this.globals, elided) };
  }

  private finish({ cell, transpiled, floating }: Remembered, name: string): PreparedCell {
    cell.name = name;
    this.service.slots.keep(cell);
    return {
      ok: true,
      js: `${transpiled.body}\n//# sourceURL=${name}`,
      map: transpiled.map,
      localImports: this.localImports(transpiled),
      declares: cell.declared.flatMap((one) => (one.value ? [one.name] : [])),
      floating: floating.map((one) => ({ ...one, file: name })),
    };
  }

  private localImports({ imports }: Transpiled): LocalImport[] {
    return imports.flatMap(({ specifier, names }) => {
      const file = this.modules.find(specifier, this.folder);
      return file === undefined ? [] : [{ file, specifier, names }];
    });
  }
}
