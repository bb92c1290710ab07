/** Whose code is on the stack: the kernel's, Node's, the library's GPU layer, or the user's. */
import { fileURLToPath } from 'node:url';

/** Folder of the compiled kernel, as an address and as a path: frames carry either. */
const KERNEL_URL = new URL('../', import.meta.url).href;
const KERNEL_PATH = fileURLToPath(KERNEL_URL);
/** The library's pauses: its loops watch the cell's signal and then end in order, with their checkpoint saved. */
const LIBRARY_PAUSE = /[\\/]lib[\\/]nn[\\/]progress\.js$/;
const LIBRARY_GPU = /[\\/]lib[\\/]gpu[\\/][\w-]+\.js$/;
/** The npm package puts functions of its own over the addon's. */
const WEBGPU_PACKAGE = /[\\/]node_modules[\\/]webgpu[\\/]/;

export type Owner = 'kernel' | 'node' | 'library-gpu' | 'library-pause' | 'webgpu' | 'user';

/** A place in the stack captured cheaply; its files are only worked out by `filesOf`. */
export interface Capture {
  stack?: unknown;
  files?: string[];
}

/** The `depth` innermost frames outside `below`, not formatted yet. */
export function capture(below: (...args: never[]) => unknown, depth: number): Capture {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = depth;
  const made: Capture = {};
  Error.captureStackTrace(made, below);
  Error.stackTraceLimit = limit;
  return made;
}

/** Files of the frames really on the stack (not those a promise waits in), innermost first. */
export function filesOf(made: Capture): readonly string[] {
  // A stack is formatted once only.
  return (made.files ??= formatFiles(made));
}

function formatFiles(made: Capture): string[] {
  const files: string[] = [];
  // eslint-disable-next-line @typescript-eslint/unbound-method -- only put back
  const prepare = Error.prepareStackTrace;
  // Raw sites, so that neither a user's own hook nor source maps change the names.
  Error.prepareStackTrace = (_, sites) => {
    for (const site of sites) if (!site.isAsync()) files.push(nameOf(site));
    return '';
  };
  try {
    void made.stack;
  } finally {
    Error.prepareStackTrace = prepare;
  }
  return files;
}

function nameOf(site: NodeJS.CallSite): string {
  // Cells and evaluated text are named by their sourceURL only.
  return site.getScriptNameOrSourceURL() || site.getFileName() || '';
}

/** Frames without a file (builtins, evaluated text) count as the user's. */
export function ownerOf(file: string): Owner {
  if (file.startsWith('node:')) return 'node';
  if (file.startsWith(KERNEL_URL) || file.startsWith(KERNEL_PATH)) return 'kernel';
  if (LIBRARY_GPU.test(file)) return 'library-gpu';
  if (LIBRARY_PAUSE.test(file)) return 'library-pause';
  if (WEBGPU_PACKAGE.test(file)) return 'webgpu';
  return 'user';
}
