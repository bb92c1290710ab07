/**
 * Cells as files of one program. The compiler reuses a program's whole structure only while no file gains or
 * loses an import, so a fixed set of files (slots) exists from the start, one file re-exports them all, and
 * cells reach each other only through it. A new cell is then a changed text, not a changed program.
 */
import type { Declared } from './names.js';

/** A text in a slot. A slot used again holds another cell, so a cell is known by its object. */
export interface Cell {
  readonly slot: number;
  readonly file: string;
  readonly text: string;
  /** UTF-16 units of `text` before the reader's own code. */
  readonly header: number;
  readonly code: string;
  readonly wrapped?: readonly [number, number];
  /** Cells whose names this one uses. */
  readonly uses: readonly Cell[];
  /** Local source files it imports, directly or through the cells it uses. */
  readonly localFiles: readonly string[];
  readonly declared: readonly Declared[];
  /** What a reader calls it: cell-3.ts. */
  name: string;
}

/**
 * What a name means to later cells. `other` is its other half: a type declared under the name of a value leaves the
 * value as it was, and a value under the name of a type the type.
 */
export interface Meaning {
  readonly cell: Cell;
  readonly declared: Declared;
  readonly other?: Meaning;
}

const isType = ({ sort }: Declared): boolean => sort === 'interface' || sort === 'type';
/** Classes, enums and namespaces are types as well, and imports may be. */
const isOnlyValue = ({ sort }: Declared): boolean => sort === 'variable' || sort === 'function';

/** The half of `before` that a new declaration leaves as it was. */
function kept(declared: Declared, before: Meaning | undefined): Meaning | undefined {
  const halves = before?.other ? [before, before.other] : before ? [before] : [];
  const half = halves.find((one) =>
    isType(declared) ? !isType(one.declared) : isOnlyValue(declared) && isType(one.declared),
  );
  return half && { cell: half.cell, declared: half.declared };
}

/**
 * Most notebooks never declare in more cells. More slots change the program's structure, after which the engine compiles
 * much of the compiler anew: a pause, and a hundred megabytes.
 */
const FIRST_SLOTS = 512;
/** Of all slots; with so many in use the search for free ones would come too often. */
const MOST_IN_USE = 0.95;
const PREFIX = '%cell-';

export class Slots {
  private readonly cells = new Map<number, Cell>();
  /** How many files there are for cells. */
  size = FIRST_SLOTS;
  private version = 0;
  private readonly versions = new Map<number, string>();
  private readonly byFile = new Map<string, number>();
  private scopeText = '';
  /** The newest declaration of every name. */
  readonly live = new Map<string, Meaning>();
  private current = 1;

  /** `folder` is where cells pretend to lie, so that their relative imports mean the notebook's files. */
  constructor(private readonly folder: string) {
    this.addFiles();
  }

  get scopeFile(): string {
    return `${this.folder}/%scope.ts`;
  }

  /** The compiler asks for every file's version before every program: the answer must cost nothing. */
  private addFiles(): void {
    for (let slot = this.byFile.size + 1; slot <= this.size; slot++) this.byFile.set(this.fileOf(slot), slot);
    this.scopeText = [...this.byFile.values()]
      .map((slot) => `export * as c${slot} from './${PREFIX}${slot}';`)
      .join('\n');
  }

  fileOf(slot: number): string {
    return `${this.folder}/${PREFIX}${slot}.ts`;
  }

  has(file: string): boolean {
    return this.byFile.has(file) || file === this.scopeFile;
  }

  cellOf(file: string): Cell | undefined {
    const slot = this.byFile.get(file);
    return slot === undefined ? undefined : this.cells.get(slot);
  }

  /** Version of one of these files; undefined for any other. */
  versionOf(file: string): string | undefined {
    const slot = this.byFile.get(file);
    if (slot !== undefined) return this.versions.get(slot) ?? '0';
    return file === this.scopeFile ? String(this.size) : undefined;
  }

  /** Text of one of these files; undefined for any other. */
  textOf(file: string): string | undefined {
    const slot = this.byFile.get(file);
    if (slot !== undefined) return this.cells.get(slot)?.text ?? EMPTY;
    return file === this.scopeFile ? this.scopeText : undefined;
  }

  /** The slot the next cell is tried in. */
  get trial(): number {
    return this.current;
  }

  /** Puts a cell into the trial slot; it stays until another is tried or it is kept. */
  place(cell: Cell): void {
    this.cells.set(cell.slot, cell);
    this.versions.set(cell.slot, String(++this.version));
  }

  /** Whether the cell still lies in its slot. */
  holds(cell: Cell): boolean {
    return this.cells.get(cell.slot) === cell;
  }

  /** Makes the cell's names the ones later cells see. */
  keep(cell: Cell): void {
    for (const declared of cell.declared)
      this.live.set(declared.name, { cell, declared, other: kept(declared, this.live.get(declared.name)) });
    if (cell.slot === this.current && cell.declared.length > 0) this.current = this.freeSlot();
  }

  /** The cells that say what a name means, in a cell that declares it as `own` or not at all: one, or one for each half. */
  meanings(name: string, own: Declared | undefined): Meaning[] {
    const live = this.live.get(name);
    if (own) return [kept(own, live) ?? []].flat();
    return live?.other ? [live, live.other] : live ? [live] : [];
  }

  private reachable(): Set<number> {
    const found = new Set<number>();
    const visit = (cell: Cell): void => {
      if (found.has(cell.slot)) return;
      found.add(cell.slot);
      cell.uses.forEach(visit);
    };
    for (const { cell, other } of this.live.values())
      for (const one of other ? [cell, other.cell] : [cell]) visit(one);
    return found;
  }

  private freeSlot(): number {
    for (let slot = this.current + 1; slot <= this.size; slot++) if (!this.cells.has(slot)) return slot;
    const reached = this.reachable();
    for (const slot of [...this.cells.keys()])
      if (!reached.has(slot)) {
        this.cells.delete(slot);
        this.versions.set(slot, String(++this.version));
      }
    if (this.cells.size > this.size * MOST_IN_USE) {
      this.size *= 2;
      this.addFiles();
    }
    let slot = 1;
    while (this.cells.has(slot)) slot++;
    return slot;
  }

  /** Number of cells held, for tests of memory. */
  get held(): number {
    return this.cells.size;
  }
}

/** Every slot imports the scope, used or not: see above. */
export const IMPORT_SCOPE = "import * as __assay$ from './%scope';";
const EMPTY = `${IMPORT_SCOPE}\nexport {};`;
