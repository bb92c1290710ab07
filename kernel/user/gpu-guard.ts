/**
 * Stands between JavaScript and the GPU addon (dawn): its methods count as native code, which is never terminated;
 * an interrupted cell's calls are refused; and devices are made known. Getters run no JavaScript and stay as they are.
 */
import { CellInterrupted } from './executions.js';
import { capture, filesOf, ownerOf } from './interrupt-frames.js';
import type { InterruptGuard } from './interrupt-guard.js';
import type { GpuWatch } from './gpu-watch.js';

type Method = (this: unknown, ...args: never[]) => unknown;
interface Addon {
  create: Method;
  globals: Record<string, { prototype?: object } | undefined>;
}

/** What `finally` blocks clean up with, and what keeps the device's state whole. */
const ALLOWED = new Set([
  'destroy',
  'unmap',
  'end',
  'popErrorScope',
  'popDebugGroup',
  'endOcclusionQuery',
  'addEventListener',
  'removeEventListener',
  'dispatchEvent',
]);
/** These refuse by a rejected promise, as everything about them is told by their promise. */
const ASYNCHRONOUS = new Set([
  'requestAdapter',
  'requestDevice',
  'mapAsync',
  'onSubmittedWorkDone',
  'createComputePipelineAsync',
  'createRenderPipelineAsync',
  'getCompilationInfo',
]);
const WRAPPED = Symbol.for('assay.gpu.guarded');

function asAddon(exports: unknown): Addon | undefined {
  const found = exports as Partial<Addon> | null | undefined;
  const usable = typeof found?.create === 'function' && found.globals?.GPUDevice?.prototype;
  return usable ? (found as Addon) : undefined;
}

/**
 * The library's GPU layer records commands of all cells into one encoder; a refusal in the midst of that would lose
 * other cells' work without a word. Its calls pass; its loops end at their next turn of the event loop.
 */
function insideLibrary(wrapper: Method): boolean {
  for (const file of filesOf(capture(wrapper, 12))) {
    const owner = ownerOf(file);
    if (owner === 'library-gpu') return true;
    if (owner !== 'webgpu' && owner !== 'node') return false;
  }
  return false;
}

/** Wraps every addon of dawn that is loaded from now on, by whomever. */
export function installGpuGuard(guard: InterruptGuard, watch: GpuWatch): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with the caller's own this
  const load = process.dlopen;
  process.dlopen = function dlopen(this: NodeJS.Process, ...args: Parameters<typeof load>): void {
    Reflect.apply(load, this, args);
    const addon = asAddon((args[0] as { exports?: unknown }).exports);
    if (addon) guardAddon(addon, guard, watch);
  };
}

/** Wraps the methods of one addon's classes, once. */
export function guardAddon(addon: Addon, guard: InterruptGuard, watch: GpuWatch): void {
  if (WRAPPED in addon.globals) return;
  Object.defineProperty(addon.globals, WRAPPED, { value: true });
  for (const type of Object.values(addon.globals)) {
    const prototype = type?.prototype;
    if (!prototype) continue;
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (name === 'constructor' || typeof property.value !== 'function' || !property.configurable) continue;
      const around = watch.around(prototype === addon.globals.GPUDevice?.prototype, name);
      const value = guardMethod(property.value as Method, name, guard, around);
      Object.defineProperty(prototype, name, { ...property, value });
    }
  }
  const { request } = watch;
  const adapter = addon.globals.GPUAdapter?.prototype as { requestDevice: Method } | undefined;
  if (adapter) {
    const guarded = adapter.requestDevice;
    adapter.requestDevice = guardedLike(guarded, function (this: unknown, ...args: never[]) {
      return request(Reflect.apply(guarded, this, args) as Promise<GPUDevice>);
    });
  }
  addon.create = guardMethod(addon.create, 'create', guard);
}

function guardMethod(
  original: Method,
  name: string,
  guard: InterruptGuard,
  around?: (result: unknown, args: readonly unknown[]) => void,
): Method {
  const { cells } = guard.state;
  const refusable = !ALLOWED.has(name);
  const asynchronous = ASYNCHRONOUS.has(name);
  // Only this thread writes the depth and decides by it, so it needs no atomic operation.
  const guarded: Method = function (...args) {
    if (cells[0] !== 0 && refusable && guard.refused() && !insideLibrary(guarded)) {
      if (asynchronous) return Promise.reject(new CellInterrupted());
      throw new CellInterrupted();
    }
    cells[1]++;
    try {
      const result = Reflect.apply(original, this, args);
      if (around) around(result, args);
      return result;
    } finally {
      cells[1]--;
    }
  };
  return guardedLike(original, guarded);
}

function guardedLike(original: Method, guarded: Method): Method {
  for (const key of ['name', 'length'] as const)
    Object.defineProperty(guarded, key, { value: original[key], configurable: true });
  return guarded;
}
