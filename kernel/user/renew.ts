/** Names that cells imported from local files follow the files: renewed before the next cell after an edit. */
import type { LocalImport } from '../threads/types-messages.js';
import type { Namespace } from './imports.js';

interface Bound {
  readonly specifier: string;
  readonly exported: string;
  readonly file: string;
}

export interface RenewParts {
  readonly version: (specifier: string) => Promise<string | undefined>;
  readonly import: (specifier: string) => Promise<Namespace>;
  /** Gives the names their new values. */
  readonly assign: (values: ReadonlyMap<string, unknown>) => Promise<void>;
  /** Says that an edited file could not be loaded. */
  readonly fail: (specifier: string, error: unknown) => void;
}

export class LocalNames {
  private readonly bound = new Map<string, Bound>();
  /** By file: the version whose exports the names have (or could not get). */
  private readonly versions = new Map<string, string>();

  constructor(private readonly parts: RenewParts) {}

  /** A cell is about to run: names it declares are its own from now on. */
  declared(names: readonly string[]): void {
    for (const name of names) this.bound.delete(name);
  }

  /** A cell has run these imports. */
  async imported(imports: readonly LocalImport[]): Promise<void> {
    for (const { specifier, file, names } of imports) {
      for (const [local, exported] of names) this.bound.set(local, { specifier, exported, file });
      const version = await this.parts.version(specifier);
      if (version !== undefined) this.versions.set(file, version);
    }
  }

  /** Loads edited files anew and gives the names their values. Failures of `imports` are the cell's own to tell. */
  async renew(imports: readonly LocalImport[]): Promise<void> {
    const files = new Map<string, string>();
    for (const { file, specifier } of this.bound.values()) files.set(file, specifier);
    const told = new Set(imports.map(({ file }) => file));
    await Promise.all(
      [...files].map(([file, specifier]) => this.renewFile(file, specifier, !told.has(file))),
    );
  }

  private async renewFile(file: string, specifier: string, tell: boolean): Promise<void> {
    const version = await this.parts.version(specifier);
    // A deleted file leaves the names as they are.
    if (version === undefined || version === this.versions.get(file)) return;
    this.versions.set(file, version);
    try {
      const namespace = await this.parts.import(specifier);
      const values = new Map<string, unknown>();
      const gone = new Set<string>();
      for (const [local, { file: from, exported }] of this.bound)
        if (from !== file) continue;
        else if (exported === '*') values.set(local, namespace);
        else if (exported in namespace) values.set(local, namespace[exported]);
        else gone.add(exported);
      await this.parts.assign(values);
      if (gone.size > 0) throw new SyntaxError(`it no longer exports ${[...gone].join(', ')}`);
    } catch (error) {
      if (tell) this.parts.fail(specifier, error);
    }
  }
}
