/** The only file of the GPU layer that needs Node: it loads the optional `webgpu` package. */
import { DeviceError, show } from '../core/errors.js';

/** One dawn instance per process, whoever made it; a second copy of the library adopts it. */
const SLOT = Symbol.for('assay.gpu');

interface Instance {
  gpu: GPU;
  flags: string;
}

/** True where the platform is Node and not a browser. */
export function isNode(): boolean {
  return typeof process !== 'undefined' && typeof process.versions?.node === 'string';
}

/**
 * The process-wide GPU object of the `webgpu` package, made with dawn's `flags` on the first call and kept
 * referenced, because devices die with it.
 * @throws DeviceError when the package is absent or another instance with other flags already runs
 */
export async function nodeGpu(flags: readonly string[]): Promise<GPU> {
  const wanted = flags.join(' ');
  const shared = globalThis as { [SLOT]?: Instance };
  const existing = shared[SLOT];
  if (existing) {
    if (existing.flags !== wanted)
      throw new DeviceError(
        `openGpu: adapter must be the one this process already opened (${show(existing.flags)}), got ${show(wanted)}; ` +
          'two instances in one process crash, use another process',
      );
    return existing.gpu;
  }
  const made: Instance = { gpu: await load(flags), flags: wanted };
  return (shared[SLOT] ??= made).gpu;
}

async function load(flags: readonly string[]): Promise<GPU> {
  let library: { create(flags: string[]): GPU };
  try {
    // Not a literal, so that bundles for browsers leave it alone.
    const name = 'webgpu';
    library = (await import(/* @vite-ignore */ name)) as typeof library;
  } catch (error) {
    throw new DeviceError(
      `openGpu: the optional package "webgpu" must be installed to use a GPU in Node, got ${String(error)}; ` +
        'install it with "npm install" (not --omit=optional), or use the backend wasm',
    );
  }
  return library.create([...flags]);
}

/** Runs `release` when the process ends, so that a live device never keeps it open or crashes it. */
export function atExit(release: () => void): void {
  if (isNode()) process.once('exit', release);
}
