/** Imports of cells: local files in their newest version, packages from the notebook's folder, the project itself. */
import { existsSync, statSync } from 'node:fs';
import { createRequire, isBuiltin, register } from 'node:module';
import { join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { constants, runInThisContext } from 'node:vm';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { Asker } from '../threads/ask.js';
import type { TypesAnswers, TypesRequest } from '../threads/types-messages.js';
import type { FailedImport, HookData } from './loader-hook.js';
import { isLocal, ownModule, type OwnModules } from './specifiers.js';

export type Namespace = Record<string, unknown>;
export type ImportOptions = { with?: Record<string, string> };
type DynamicImport = (specifier: string, options?: ImportOptions) => Promise<Namespace>;

export interface ImporterOptions {
  readonly folder: string;
  readonly own: OwnModules;
  readonly types: Asker<TypesRequest, TypesAnswers>;
  /** The loader thread's way to the types thread. */
  readonly loader: MessagePort;
}

/** Node's warning that this use of vm may change, said at the first import, is nothing a reader can act on. */
function hideWarning(): void {
  const emitWarning = process.emitWarning.bind(process) as (...warning: unknown[]) => void;
  process.emitWarning = (...warning: unknown[]): void => {
    if (!String(warning[0]).includes('USE_MAIN_CONTEXT_DEFAULT_LOADER')) emitWarning(...warning);
  };
}

export class Importer {
  /** The module that cells seem to be: specifiers resolve from its folder. */
  readonly self: string;
  private readonly byNode: DynamicImport;
  private readonly require: NodeJS.Require;
  private readonly versions = new Map<string, string>();
  private readonly loaded = new Set<string>();
  private hook: Asker<FailedImport, { failed: boolean }> | undefined;

  constructor(private readonly options: ImporterOptions) {
    this.self = pathToFileURL(join(options.folder, '[cells].mjs')).href;
    hideWarning();
    this.byNode = runInThisContext('(specifier, options) => import(specifier, options)', {
      filename: this.self,
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    }) as DynamicImport;
    this.require = createRequire(this.self);
  }

  /**
   * `import(specifier)` as seen from the notebook's folder.
   * @throws SyntaxError when the module lacks one of `names`, as a static import does
   */
  async import(
    specifier: string,
    options?: ImportOptions,
    names: readonly string[] = [],
  ): Promise<Namespace> {
    const namespace = await this.load(specifier, options);
    for (const name of names) if (!(name in namespace)) throw lacking(specifier, name, namespace);
    return namespace;
  }

  private async load(specifier: string, options?: ImportOptions): Promise<Namespace> {
    if (typeof specifier !== 'string') specifier = String(specifier);
    if (isBuiltin(specifier)) return this.byNode(specifier);
    const own = ownModule(specifier, this.options.own);
    if (own === undefined) this.startHook();
    const wanted = own ?? (isLocal(specifier) ? await this.localAddress(specifier) : specifier);
    const attributes = /\.json(?:\?|$)/.test(wanted) ? (options ?? { with: { type: 'json' } }) : options;
    try {
      const namespace = await (attributes ? this.byNode(wanted, attributes) : this.byNode(wanted));
      this.loaded.add(specifier);
      return namespace;
    } catch (error) {
      if (this.hook) await this.hook.ask({ type: 'failed', specifier: wanted, parent: this.self });
      throw this.advised(error, specifier);
    }
  }

  /** True once an import of this specifier has succeeded. */
  wasLoaded(specifier: string): boolean {
    return this.loaded.has(specifier);
  }

  /** The address of a local file with its version, so that an edited file is another module. */
  private async localAddress(specifier: string): Promise<string> {
    const found = await this.options.types.ask({ type: 'locate', specifier, from: this.options.folder });
    if (found) return `${pathToFileURL(found.file).href}?v=${found.version}`;
    const url = new URL(specifier.replace(/\\/g, '/'), this.self);
    const file = fileURLToPath(url);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (!stat?.isFile()) return url.href;
    const version = `${stat.mtimeMs}-${stat.size}`;
    const known = this.versions.get(file);
    this.versions.set(file, version);
    // CommonJS files are kept by path, whatever the address says.
    if (known !== undefined && known !== version) delete this.require.cache[file];
    url.searchParams.set('stamp', version);
    return url.href;
  }

  private startHook(): void {
    if (this.hook) return;
    const channel = new MessageChannel();
    const { loader, own } = this.options;
    const data: HookData = { types: loader, user: channel.port2, own };
    register(new URL('./loader-hook.js', import.meta.url), {
      data,
      transferList: [loader, channel.port2],
    });
    this.hook = new Asker(channel.port1);
    channel.port1.unref();
  }

  /** The error with the specifier, the folder and what to do. */
  private advised(error: unknown, specifier: string): unknown {
    if (!(error instanceof Error)) return error;
    const { code } = error as NodeJS.ErrnoException;
    const advice = this.advice(code, specifier, error.message);
    if (advice === undefined) return withoutLoader(unlinked(error, this.options.folder));
    const made = new Error(`import '${specifier}': ${advice}`);
    made.name = 'ImportError';
    return Object.assign(made, { code });
  }

  private advice(code: string | undefined, specifier: string, message: string): string | undefined {
    const { folder } = this.options;
    const direct = message.includes('[cells].mjs');
    if (code === 'ERR_MODULE_NOT_FOUND') {
      if (ownModule(specifier, this.options.own) !== undefined)
        return `the project has no module of this name; its modules are those of lib/, such as ${this.options.own.name}/nn/train`;
      if (isLocal(specifier) && direct)
        return `no such file, looked for from ${folder}; check the spelling or make the file, then run the cell again`;
      const pack = packageIn(message);
      const by = direct ? '' : `, wanted by ${/ imported from (.*)$/.exec(message)?.[1] ?? 'a module'}`;
      if (pack === undefined) return `${message}, looked for from ${folder}`;
      if (existsSync(join(folder, 'node_modules', pack)))
        return `package '${pack}' is installed but has nothing to run under this name, looked for from ${folder}`;
      return `package '${pack}' is not installed, looked for from ${folder}${by}; run %install ${pack} and then this cell again`;
    }
    if (code === 'ERR_PACKAGE_PATH_NOT_EXPORTED')
      return `${message.replace(/ imported from .*$/, '')}; the package's "exports" name what may be imported from it`;
    return undefined;
  }
}

/** What a static import of a name that is not there says. */
function lacking(specifier: string, name: string, namespace: Namespace): SyntaxError {
  const { default: whole } = namespace;
  const inDefault = typeof whole === 'object' && whole !== null && name in whole;
  const names = Object.keys(namespace).filter((one) => one !== 'default');
  const advice = inDefault
    ? `; its default export has it: import all from '${specifier}'; const { ${name} } = all`
    : name === 'default'
      ? `; import its names${names.length > 0 ? ` (${names.slice(0, 5).join(', ')} ...)` : ''} or * as all`
      : '';
  return new SyntaxError(`'${specifier}' does not provide an export named '${name}'${advice}`);
}

/** Modules that do not fit together, named as the reader knows them: Node says their addresses. */
function unlinked(error: Error, folder: string): Error {
  const address = /file:\/\/\/[^'\s]*?\?v=[0-9a-f]+(?:&[\w-]+=\d+)?/g;
  if (!(error instanceof SyntaxError) || !/does not provide an export/.test(error.message)) return error;
  const named = (text: string) =>
    text.replace(address, (url) => relative(folder, fileURLToPath(url.replace(/\?.*/, ''))));
  const [place] = (error.stack ?? '').split('\n');
  const where = place.startsWith('file:') ? `${named(place)}: ` : '';
  const made = new SyntaxError(where + named(error.message));
  made.stack = `${made.name}: ${made.message}`;
  return made;
}

/** An error of loading has no frames of interest; one that a module threw keeps the module's own. */
function withoutLoader(error: Error): Error {
  const lines = (error.stack ?? '').split('\n');
  const loading = lines.filter((line) => /^\s+at .*(?:node:internal|loader-hook\.js)/.test(line));
  if (loading.length > 0) error.stack = lines.filter((line) => !loading.includes(line)).join('\n');
  return error;
}

/** The package that Node says is missing; newer versions name the file they looked for. */
function packageIn(message: string): string | undefined {
  const missing = /Cannot find package '([^']*)'/.exec(message)?.[1].replace(/^.*node_modules[\\/]/, '');
  const parts = missing?.split(/[\\/]/) ?? [];
  return parts.slice(0, parts[0]?.startsWith('@') ? 2 : 1).join('/') || undefined;
}
