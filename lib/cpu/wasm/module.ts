/** The WASM kernels as one instance on host memory. Kernels are listed in README.md of this folder. */
import { DeviceError } from '../../core/errors.js';
import { wasmBase64, type KernelName, type WasmExports } from '../../generated/wasm-kernels.js';
import { hostMemory } from '../../tensor/host-memory.js';

export type { KernelName, WasmExports };

/** Bytes of scratch memory each thread owns. */
export const SCRATCH_BYTES = 1 << 20;

let compiled: WebAssembly.Module | undefined;
let exportsOfMain: WasmExports | undefined;

function bytes(): Uint8Array<ArrayBuffer> {
  const text = atob(wasmBase64);
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

/** The compiled module, shared with worker threads. */
export function wasmModule(): WebAssembly.Module {
  if (compiled) return compiled;
  try {
    return (compiled = new WebAssembly.Module(bytes()));
  } catch (error) {
    throw new DeviceError(
      `wasmKernels: the platform must compile WebAssembly with SIMD and threads, got ${String(error)}. ` +
        `On a browser's main thread await ready() first.`,
    );
  }
}

/** Compiles asynchronously; needed only where synchronous compilation is refused (a browser's main thread). */
export async function ready(): Promise<void> {
  compiled ??= await WebAssembly.compile(bytes());
}

/** The exports of this thread's instance, created on first use. */
export function wasmKernels(): WasmExports {
  if (exportsOfMain) return exportsOfMain;
  const instance = new WebAssembly.Instance(wasmModule(), { env: { memory: hostMemory.memory(), abort } });
  const made = instance.exports as unknown as WasmExports;
  made.setScratch(hostMemory.allocate(SCRATCH_BYTES).ptr);
  return (exportsOfMain = made);
}

function abort(): never {
  throw new DeviceError('wasmKernels: a kernel must not abort, got an abort');
}
