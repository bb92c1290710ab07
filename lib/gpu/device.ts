/** Opening GPU devices, adopting foreign ones, and the public look at both. */
import { ArgumentError, DeviceError, show } from '../core/errors.js';
import { dtypeBytes, type Dtype } from '../core/dtype.js';
import { sizeOf, type Shape } from '../core/shape.js';
import { markOpen, registerBackend } from '../tensor/backend.js';
import { registerGpuMemory, Storage } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';
import { treeTensors } from '../tensor/tree.js';
import type { Foreign } from './command.js';
import { GpuContext } from './context.js';
import { atExit, isNode, nodeGpu } from './node.js';
import { GpuBlock } from './pool.js';

/** Optional features that kernels or benchmarks can use. */
export const OPTIONAL_FEATURES = ['shader-f16', 'subgroups', 'timestamp-query'] as const;

/** What every kernel needs: WebGPU's default limits. */
export const REQUIRED_LIMITS = {
  maxStorageBuffersPerShaderStage: 8,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupsPerDimension: 65535,
  maxStorageBufferBindingSize: 134217728,
} as const;

export interface OpenOptions {
  /** `null` compiles but does not compute (Node only); `default` takes the system's adapter. */
  adapter?: 'default' | 'null';
  powerPreference?: GPUPowerPreference;
  /** Features to leave out although the adapter has them, e.g. to test the path without shader-f16. */
  without?: readonly string[];
  /** False: the plain kernels, although the device has the feature `subgroups`. */
  subgroups?: boolean;
}

let current: GpuContext | undefined;

/** The context operators run on. @throws DeviceError when none is open or the device was lost */
export function gpuContext(where = 'gpu'): GpuContext {
  if (!current)
    throw new DeviceError(
      `${where}: a GPU device must be open, got none; call "await useBackend('webgpu')" first`,
    );
  current.alive(where);
  return current;
}

/** The context operators run on, or undefined. */
export function currentGpu(): GpuContext | undefined {
  return current?.lost ? undefined : current;
}

async function entryPoint(options: OpenOptions): Promise<GPU> {
  const browser = typeof navigator !== 'undefined' ? (navigator as { gpu?: GPU }).gpu : undefined;
  if (options.adapter !== 'null' && browser) return browser;
  if (isNode()) return nodeGpu(options.adapter === 'null' ? ['backend=null'] : []);
  throw new DeviceError(
    'openGpu: this browser must offer navigator.gpu, got none; use a secure page (https or localhost) in a browser with WebGPU, or the backend wasm',
  );
}

/**
 * Opens the system's GPU and makes it the device of backend `webgpu`. An open, living device is returned as it is.
 * @throws DeviceError with advice when there is no adapter
 */
export async function openGpu(options: OpenOptions = {}): Promise<GpuContext> {
  if (current && !current.lost) return current;
  const gpu = await entryPoint(options);
  const adapter = await gpu.requestAdapter(
    options.powerPreference ? { powerPreference: options.powerPreference } : {},
  );
  if (!adapter)
    throw new DeviceError(
      'openGpu: the system must offer a GPU adapter, got none; install a graphics driver (on Linux also Vulkan, e.g. mesa-vulkan-drivers for software), or use the backend wasm',
    );
  const features = OPTIONAL_FEATURES.filter((f) => adapter.features.has(f) && !options.without?.includes(f));
  const device = await adapter.requestDevice({
    label: 'assay',
    requiredFeatures: features as unknown as GPUFeatureName[],
    requiredLimits: {
      maxStorageBufferBindingSize: adapter.limits.maxStorageBufferBindingSize,
      maxBufferSize: adapter.limits.maxBufferSize,
    },
  });
  const context = new GpuContext(device, {
    owned: true,
    info: adapter.info,
    subgroups: options.subgroups,
  });
  atExit(() => context.destroy());
  return activate(context);
}

/**
 * Makes a caller's device the device of backend `webgpu`. The device is never destroyed here, and its `lost` promise
 * and `onuncapturederror` handler stay the caller's.
 * `features` names what the caller needs beyond the basics, e.g. `shader-f16` for f16 tensors. A device with the feature
 * `subgroups` runs the kernel variants that use it, unless `subgroups` is false.
 * @throws DeviceError that names each missing limit and feature
 */
export function createContext(options: {
  device: GPUDevice;
  features?: readonly string[];
  subgroups?: boolean;
}): GpuContext {
  const { device, features = [] } = options;
  const missing = Object.entries(REQUIRED_LIMITS).flatMap(([name, least]) => {
    const has = (device.limits as unknown as Record<string, number>)[name];
    return has >= least ? [] : [`${name} >= ${least} (has ${has})`];
  });
  for (const f of features) if (!device.features.has(f)) missing.push(`the feature ${f}`);
  if (missing.length)
    throw new DeviceError(
      `createContext: device must offer ${missing.join(', ')}, got one without; ask for it with requiredLimits and requiredFeatures`,
    );
  return activate(new GpuContext(device, { owned: false, subgroups: options.subgroups }));
}

function activate(context: GpuContext): GpuContext {
  current = context;
  registerGpuMemory(context);
  markOpen('webgpu');
  void context.whenLost.then(() => {
    if (current === context) markOpen('webgpu', false);
  });
  return context;
}

/** Submits, frees an own device and closes backend `webgpu`; tensors on it are gone. */
export function closeGpu(): void {
  current?.flush();
  current?.destroy();
  current = undefined;
  registerGpuMemory(undefined);
  markOpen('webgpu', false);
}

registerBackend('webgpu', async () => void (await openGpu()));

/**
 * A tensor on a caller's buffer, without a copy. The buffer needs usage STORAGE (and COPY_SRC to be read back) and
 * stays the caller's; the caller keeps it alive and unmapped while the tensor is used.
 */
export function tensorFromBuffer(buffer: GPUBuffer, shape: Shape, dtype: Dtype = 'f32'): Tensor {
  const context = gpuContext('tensorFromBuffer');
  const bytes = Math.ceil((sizeOf(shape) * dtypeBytes(dtype)) / 4) * 4;
  if ((buffer.usage & 0x80) === 0)
    throw new ArgumentError(`tensorFromBuffer: buffer must have usage STORAGE, got usage ${buffer.usage}`);
  if (buffer.size < bytes)
    throw new ArgumentError(
      `tensorFromBuffer: buffer must hold ${bytes} bytes for ${dtype}${show([...shape])}, got ${buffer.size}`,
    );
  return Tensor.wrap(
    Storage.adopt(new GpuBlock(buffer, buffer.size, context, true), bytes),
    shape,
    dtype,
    0,
    'tensorFromBuffer',
  );
}

/**
 * The buffer range behind a GPU tensor, without a copy; recorded work that writes it is submitted first.
 * It is valid until the tensor is disposed.
 */
export function bufferOf(t: Tensor): { buffer: GPUBuffer; offset: number; size: number } {
  const context = gpuContext('bufferOf');
  const { handle, offset, size } = t.gpuBinding('bufferOf');
  context.flush();
  return { buffer: context.own(handle, 'bufferOf').buffer, offset, size };
}

/**
 * Records the operators that `fn` calls into the caller's compute pass: no submit, no map. What was recorded before is
 * submitted first. Inputs must already be on the GPU (uploads and readbacks inside `fn` would not be in order).
 * Call `release` after the pass was submitted; until then temporaries stay out of the pool.
 */
export function encodeInto<T>(pass: GPUComputePassEncoder, fn: () => T): { result: T; release: () => void } {
  const context = gpuContext('encodeInto');
  const foreign: Foreign = { pass, uniforms: [], held: [] };
  const result = context.into(foreign, fn);
  for (const t of treeTensors(result)) t.alive('encodeInto');
  return { result, release: () => context.giveBack(foreign) };
}
