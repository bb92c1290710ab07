/** Parsed files, kept between programs: a file that leaves a program and comes back is not parsed again. */
import ts from '#typescript';

interface Entry {
  readonly version: string;
  readonly file: ts.SourceFile;
}

type Options = ts.CreateSourceFileOptions;

/** One settings object is in use, so files are known by their path alone; only the newest version is kept. */
export class FileRegistry implements ts.DocumentRegistry {
  private readonly files = new Map<string, Entry>();

  constructor(private readonly settings: ts.CompilerOptions) {}

  /** Parses a file ahead of its use. */
  preload(fileName: string, text: string, version: string): ts.SourceFile {
    return this.acquire(fileName, ts.ScriptSnapshot.fromString(text), version, ts.ScriptKind.TS, {
      languageVersion: this.settings.target ?? ts.ScriptTarget.ESNext,
    });
  }

  private acquire(
    fileName: string,
    snapshot: ts.IScriptSnapshot,
    version: string,
    kind?: ts.ScriptKind,
    options?: ts.ScriptTarget | Options,
  ): ts.SourceFile {
    const known = this.files.get(fileName);
    const format = typeof options === 'object' ? options.impliedNodeFormat : undefined;
    if (known?.version === version) {
      known.file.impliedNodeFormat = format;
      return known.file;
    }
    const file = ts.createLanguageServiceSourceFile(
      fileName,
      snapshot,
      this.optionsFor(fileName, options),
      version,
      false,
      kind,
    );
    this.files.set(fileName, { version, file });
    return file;
  }

  /** Doc comments of declaration files are read when they are asked for (docs.ts). */
  private optionsFor(fileName: string, options: ts.ScriptTarget | Options | undefined): Options {
    const languageVersion = this.settings.target ?? ts.ScriptTarget.ESNext;
    const given = typeof options === 'object' ? options : { languageVersion: options ?? languageVersion };
    if (!/\.d\.[cm]?ts$/.test(fileName)) return given;
    return { ...given, jsDocParsingMode: ts.JSDocParsingMode.ParseNone };
  }

  readonly acquireDocument: ts.DocumentRegistry['acquireDocument'] = (
    file,
    _settings,
    snapshot,
    version,
    kind,
    options,
  ) => this.acquire(file, snapshot, version, kind, options);

  readonly acquireDocumentWithKey: ts.DocumentRegistry['acquireDocumentWithKey'] = (
    file,
    _path,
    _settings,
    _key,
    ...rest
  ) => this.acquire(file, ...rest);

  /** A changed version is all an update means here. */
  readonly updateDocument = this.acquireDocument;
  readonly updateDocumentWithKey = this.acquireDocumentWithKey;

  getKeyForCompilationSettings(): ts.DocumentRegistryBucketKey {
    return 'cells' as ts.DocumentRegistryBucketKey;
  }

  releaseDocument(): void {}
  releaseDocumentWithKey(): void {}

  reportStats(): string {
    return `${this.files.size} files`;
  }
}
