/** What the compiler asks of its surroundings: cells, the project's own modules, files on disk. */
import path from 'node:path';
import { readFileSync, statSync } from 'node:fs';
import ts from '#typescript';
import { AMBIENT } from './ambient.js';
import type { Slots } from './slots.js';

/** Files of packages are looked at again after so many milliseconds at the earliest; the user's own always. */
const PACKAGE_PATIENCE = 2000;

export function slashed(file: string): string {
  return file.replace(/\\/g, '/');
}

/** Options of the notebook's tsconfig.json that a notebook may set: how strict the checks are. */
const HONOURED = [
  'strict',
  'noImplicitThis',
  'noImplicitReturns',
  'noImplicitOverride',
  'noFallthroughCasesInSwitch',
  'noUncheckedIndexedAccess',
  'noPropertyAccessFromIndexSignature',
  'strictNullChecks',
  'strictFunctionTypes',
  'strictBindCallApply',
  'strictPropertyInitialization',
  'strictBuiltinIteratorReturn',
  'exactOptionalPropertyTypes',
  'useUnknownInCatchVariables',
];

function readFolderOptions(folder: string): Record<string, unknown> {
  const file = `${folder}/tsconfig.json`;
  const { config } = ts.readConfigFile(file, (name) => ts.sys.readFile(name)) as {
    config?: { compilerOptions?: Record<string, unknown> };
  };
  return config?.compilerOptions ?? {};
}

/** Whether the notebook's folder asks for implicit `any` to be an error. */
export function wantsImplicitAny(folder: string): boolean {
  return readFolderOptions(folder).noImplicitAny === true;
}

function folderOptions(folder: string): ts.CompilerOptions {
  const wanted = Object.entries(readFolderOptions(folder)).filter(([name]) => HONOURED.includes(name));
  return Object.fromEntries(wanted) as ts.CompilerOptions;
}

/**
 * Strict, but for rules that ask a notebook's author for annotations without finding mistakes: caught errors are
 * `any`, and what is implicitly `any` is no error unless the folder's tsconfig.json says `noImplicitAny`. The
 * compiler itself has it on, or the type of `let list = []` would be never[] and not grow with use.
 */
export function compilerOptions(folder: string): ts.CompilerOptions {
  return {
    target: ts.ScriptTarget.ESNext,
    module: ts.ModuleKind.Preserve,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    lib: ['lib.esnext.d.ts'],
    types: [],
    strict: true,
    noImplicitAny: true,
    useUnknownInCatchVariables: false,
    allowUnreachableCode: true,
    allowUnusedLabels: true,
    noUncheckedSideEffectImports: true,
    allowImportingTsExtensions: true,
    allowJs: true,
    maxNodeModuleJsDepth: 0,
    resolveJsonModule: true,
    esModuleInterop: true,
    jsx: ts.JsxEmit.ReactJSX,
    skipLibCheck: true,
    noEmit: true,
    ...folderOptions(folder),
  };
}

const NOTEBOOK_MODULES: Record<string, string> = {
  tslab: 'kernel/notebook/tslab',
  'assay/notebook': 'kernel/notebook/index',
};

interface Stamp {
  at: number;
  stamp: string;
}

export class Host implements ts.LanguageServiceHost {
  readonly settings: ts.CompilerOptions;
  readonly roots: string[];
  private readonly ambientFile: string;
  private readonly snapshots = new Map<string, { version: string; snapshot: ts.IScriptSnapshot }>();
  private readonly stamps = new Map<string, Stamp>();
  /** Imports of files on disk that named nothing: asked again, since the file may come. */
  private readonly failed = new Map<string, Set<string>>();
  private invalid = new Set<string>();

  constructor(
    private readonly root: string,
    private readonly folder: string,
    private readonly slots: Slots,
  ) {
    this.settings = compilerOptions(folder);
    this.packages = this.freshPackages();
    this.ambientFile = `${folder}/%ambient.d.ts`;
    const modules = `${root}/node_modules`;
    const types = [`${modules}/@types/node/index.d.ts`, `${modules}/@webgpu/types/dist/index.d.ts`];
    this.roots = [this.ambientFile, ...types, slots.scopeFile];
  }

  private packages: ts.ModuleResolutionCache;

  /** What package.json files say of the files beside them; without it they are read again for every program. */
  getModuleResolutionCache = (): ts.ModuleResolutionCache => this.packages;

  private freshPackages(): ts.ModuleResolutionCache {
    const same = (file: string) => (ts.sys.useCaseSensitiveFileNames ? file : file.toLowerCase());
    return ts.createModuleResolutionCache(this.folder, same, this.settings);
  }

  getCompilationSettings = (): ts.CompilerOptions => this.settings;
  getScriptFileNames = (): string[] => this.roots;
  getCurrentDirectory = (): string => this.folder;
  getDefaultLibFileName = (options: ts.CompilerOptions): string => ts.getDefaultLibFilePath(options);
  useCaseSensitiveFileNames = (): boolean => ts.sys.useCaseSensitiveFileNames;
  realpath = (file: string): string => ts.sys.realpath?.(file) ?? file;
  directoryExists = (folder: string): boolean => ts.sys.directoryExists(folder);
  getDirectories = (folder: string): string[] => ts.sys.getDirectories(folder);
  readDirectory: ts.LanguageServiceHost['readDirectory'] = (...ask) => ts.sys.readDirectory(...ask);

  fileExists = (file: string): boolean =>
    this.slots.has(file) || file === this.ambientFile || ts.sys.fileExists(file);

  readFile = (file: string): string | undefined => {
    if (file === this.ambientFile) return AMBIENT;
    return this.slots.textOf(file) ?? ts.sys.readFile(file);
  };

  getScriptVersion = (file: string): string => {
    if (file === this.ambientFile) return '1';
    return this.slots.versionOf(file) ?? this.stamp(file);
  };

  /** The compiler asks for the text of every file for every program, and looks at those that changed. */
  getScriptSnapshot = (file: string): ts.IScriptSnapshot | undefined => {
    const version = this.getScriptVersion(file);
    const known = this.snapshots.get(file);
    if (known?.version === version) return known.snapshot;
    const text = this.readFile(file);
    if (text === undefined) return undefined;
    const snapshot = ts.ScriptSnapshot.fromString(text);
    this.snapshots.set(file, { version, snapshot });
    return snapshot;
  };

  /** Changes when the file does. Files that come with the kernel do not change while it runs. */
  private stamp(file: string): string {
    if (file.startsWith(`${this.root}/node_modules/typescript/`) || this.roots.includes(file)) return '1';
    if (file.startsWith(`${this.root}/node_modules/@types/node/`)) return '1';
    const known = this.stamps.get(file);
    const now = Date.now();
    const own = !file.includes('/node_modules/') && !file.startsWith(`${this.root}/dist/`);
    if (known && !own && now - known.at < PACKAGE_PATIENCE) return known.stamp;
    const stat = statSync(file, { throwIfNoEntry: false });
    const stamp = stat ? `${stat.mtimeMs}:${stat.size}` : 'gone';
    this.stamps.set(file, { at: now, stamp });
    return stamp;
  }

  /** Looks whether imports that failed would now succeed; call before asking for a program. */
  refresh(): void {
    this.invalid = new Set();
    for (const [file, specifiers] of this.failed) {
      if (!ts.sys.fileExists(file)) this.failed.delete(file);
      else if ([...specifiers].some((one) => this.resolve(one, file))) {
        this.invalid.add(file.toLowerCase());
        this.failed.delete(file);
      }
    }
  }

  hasInvalidatedResolutions = (file: ts.Path): boolean =>
    this.invalid.size > 0 && this.invalid.has(file.toLowerCase());

  /** Declarations of the modules that mean the project whatever the notebook's folder. */
  private projectModule(specifier: string): string | undefined {
    if (!/^(assay|tslab)(\/|$)/.test(specifier)) return undefined;
    const inner = specifier === 'assay' ? 'index' : specifier.slice('assay/'.length).replace(/\.js$/, '');
    const place = NOTEBOOK_MODULES[specifier] ?? `lib/${inner}`;
    const candidates = [`${this.root}/dist/${place}.d.ts`, `${this.root}/${place}.ts`];
    const found = candidates.find((file) => ts.sys.fileExists(file));
    if (found) return found;
    // Other names that the project's package.json exports.
    return ts.resolveModuleName(specifier, `${this.root}/%.ts`, this.settings, this).resolvedModule
      ?.resolvedFileName;
  }

  resolve(specifier: string, from: string): ts.ResolvedModuleFull | undefined {
    // Every cell imports the scope and the scope every cell: nothing to search for.
    if (specifier.startsWith('./%') && this.slots.has(from))
      return { resolvedFileName: `${this.folder}/${specifier.slice(2)}.ts`, extension: ts.Extension.Ts };
    const file = this.projectModule(specifier);
    if (file)
      return {
        resolvedFileName: file,
        extension: file.endsWith('.d.ts') ? ts.Extension.Dts : ts.Extension.Ts,
      };
    return ts.resolveModuleName(specifier, from, this.settings, this).resolvedModule;
  }

  resolveModuleNameLiterals: ts.LanguageServiceHost['resolveModuleNameLiterals'] = (literals, from) =>
    literals.map((literal) => {
      // An import other than that of the cells' scope: packages may have come or changed since the last one.
      if (this.slots.has(from) && !literal.text.startsWith('./%')) this.packages = this.freshPackages();
      const resolvedModule = this.resolve(literal.text, from);
      if (!resolvedModule && !this.slots.has(from) && !from.includes('/node_modules/')) {
        const list = this.failed.get(from) ?? new Set();
        this.failed.set(from, list.add(literal.text));
      }
      return { resolvedModule };
    });

  /** `/// <reference types="node" />` of a package means the declarations that are there already. */
  resolveTypeReferenceDirectiveReferences = <T extends ts.FileReference | string>(
    references: readonly T[],
    from: string,
    _redirected: ts.ResolvedProjectReference | undefined,
    options: ts.CompilerOptions,
  ): ts.ResolvedTypeReferenceDirectiveWithFailedLookupLocations[] =>
    references.map((one) => {
      const name = typeof one === 'string' ? one : one.fileName;
      if (name === 'node')
        return { resolvedTypeReferenceDirective: { primary: true, resolvedFileName: this.roots[1] } };
      return ts.resolveTypeReferenceDirective(name, from, options, this);
    });

  /** Files a program of cells always holds, in the order they are found, for parsing ahead. */
  *ownFiles(): Generator<{ file: string; text: string }, void, ts.SourceFile> {
    const folder = path.posix.dirname(slashed(this.getDefaultLibFileName(this.settings)));
    const queue = [`${folder}/lib.esnext.d.ts`, ...this.roots.slice(1, 3)];
    const seen = new Set(queue);
    for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
      const parsed = yield { file, text: readFileSync(file, 'utf8') };
      const base = path.posix.dirname(file);
      const more = [
        ...parsed.libReferenceDirectives.map((one) => `${folder}/lib.${one.fileName}.d.ts`),
        ...parsed.referencedFiles.map((one) => path.posix.join(base, one.fileName)),
      ];
      for (const one of more)
        if (!seen.has(one) && ts.sys.fileExists(one)) {
          seen.add(one);
          queue.push(one);
        }
    }
  }
}
