/** What cells find on globalThis beside Node's own: `cell`, `prompt`, `require` and the hidden `__assay`. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { CellHandle } from '../notebook/host.js';
import type { InterruptState } from '../threads/interrupt-state.js';
import type { Keep } from './evaluate.js';
import { CellInterrupted, currentExecution, type Execution } from './executions.js';
import type { ImportOptions, Namespace } from './imports.js';
import { folderRequire } from './require.js';
import { isLocal, ownModule, type OwnModules } from './specifiers.js';

/** What transpiled cells call. */
export interface AssayRuntime {
  /** InterruptState: loop guards ask its first cell. */
  readonly f: Int32Array;
  /** Called by a guard while some execution shall stop; throws when it is the running one. */
  readonly stop: () => void;
  readonly import: (
    specifier: string,
    options?: ImportOptions,
    names?: readonly string[],
  ) => Promise<Namespace>;
  /** import.meta of a cell. */
  readonly meta: { url: string; dirname: string; filename: string; resolve(specifier: string): string };
  readonly keep: Keep;
  /** New values of names bound by local imports, for the script that assigns them. */
  renewed: unknown[];
}

export interface RuntimeOptions {
  readonly folder: string;
  readonly state: InterruptState;
  readonly own: OwnModules;
  readonly stop: () => void;
  readonly import: AssayRuntime['import'];
  readonly keep: Keep;
  readonly prompt: (message: string) => string;
}

/** The handle of an execution: `cell` in its code. */
export function cellHandle(execution: Execution): CellHandle {
  return {
    count: execution.count,
    signal: execution.signal,
    throwIfInterrupted() {
      if (execution.interrupted) throw new CellInterrupted();
    },
  };
}

/** Defines a name that loops over globalThis do not show and that a program may still replace. */
function define(name: string, descriptor: PropertyDescriptor): void {
  Object.defineProperty(globalThis, name, { configurable: true, enumerable: false, ...descriptor });
}

function value(name: string, held: unknown): void {
  define(name, { value: held, writable: true });
}

/** `cell` is the running one, also in functions that an earlier cell declared. */
function defineCell(): void {
  const idle = new AbortController().signal;
  const none: CellHandle = { count: 0, signal: idle, throwIfInterrupted: () => undefined };
  const handles = new WeakMap<Execution, CellHandle>();
  define('cell', {
    get() {
      const execution = currentExecution();
      if (!execution) return none;
      const known = handles.get(execution) ?? cellHandle(execution);
      handles.set(execution, known);
      return known;
    },
    set: (held: unknown) => value('cell', held),
  });
}

/** Puts all of it on globalThis. */
export function defineRuntime(options: RuntimeOptions): AssayRuntime {
  const { folder, state, own } = options;
  const filename = join(folder, '[cells].mjs');
  const require = folderRequire(folder, own);
  const runtime: AssayRuntime = {
    f: state.cells,
    stop: options.stop,
    import: options.import,
    meta: {
      url: pathToFileURL(filename).href,
      dirname: folder,
      filename,
      resolve: (specifier) => resolved(specifier, filename, require, own),
    },
    keep: options.keep,
    renewed: [],
  };
  Object.defineProperty(globalThis, '__assay', { value: runtime });
  value('require', require);
  value('__dirname', folder);
  value('__filename', filename);
  value('prompt', (message = 'Prompt', preset?: string): string => {
    const answer = options.prompt(`${message} `);
    return answer === '' && preset !== undefined ? preset : answer;
  });
  defineCell();
  return runtime;
}

function resolved(specifier: string, filename: string, require: NodeJS.Require, own: OwnModules): string {
  const mine = ownModule(specifier, own);
  if (mine !== undefined) return mine;
  if (isLocal(specifier) || /^[a-z][a-z+.-]+:/.test(specifier))
    return new URL(specifier, pathToFileURL(filename)).href;
  const path = require.resolve(specifier);
  return path.startsWith('node:') || !/[\\/]/.test(path)
    ? `node:${path.replace(/^node:/, '')}`
    : pathToFileURL(path).href;
}
