/** Storage: one block of memory on the host or on a GPU, counted by the tensors that view it. */
import type { Dtype, HostArray } from '../core/dtype.js';
import { dtypeBytes } from '../core/dtype.js';
import { DeviceError } from '../core/errors.js';
import { hostMemory, type HostBlock } from './host-memory.js';

/** Where a tensor's elements live. The backends cpu and wasm share `host`. */
export type DeviceName = 'host' | 'gpu';

/** What a GPU backend offers to the tensor layer; registered by lib/gpu. */
export interface DeviceMemory {
  /** An opaque handle (a pooled GPUBuffer) of at least `bytes`. */
  allocate(bytes: number): unknown;
  release(handle: unknown): void;
  /** Uploads in program order: commands recorded before see the old bytes. */
  write(handle: unknown, offset: number, data: Uint8Array): void;
  /** Flushes recorded commands and reads back. */
  read(handle: unknown, offset: number, bytes: number): Promise<Uint8Array>;
  stats(): { liveBytes: number; pooledBytes: number; liveBlocks: number };
}

let gpuMemory: DeviceMemory | undefined;

export function registerGpuMemory(memory: DeviceMemory | undefined): void {
  gpuMemory = memory;
}

/** The registered GPU memory or a DeviceError that says how to get one. */
export function requireGpuMemory(where: string): DeviceMemory {
  if (!gpuMemory)
    throw new DeviceError(`${where}: no GPU device is open; call "await useBackend('webgpu')" first`);
  return gpuMemory;
}

export class Storage {
  references = 1;
  private block: HostBlock | undefined;
  private wide: Float64Array | undefined;
  private gpuHandle: unknown;
  private readonly gpu: DeviceMemory | undefined;

  constructor(
    readonly device: DeviceName,
    readonly bytes: number,
    wide = false,
  ) {
    if (device === 'gpu') {
      this.gpu = requireGpuMemory('tensor');
      this.gpuHandle = this.gpu.allocate(Math.max(4, bytes));
    } else if (wide) this.wide = new Float64Array(bytes / 8);
    else this.block = hostMemory.allocate(Math.max(4, bytes));
  }

  /** Adopts a foreign GPU buffer handle without owning it. */
  static adopt(handle: unknown, bytes: number): Storage {
    const storage = Object.create(Storage.prototype) as Storage;
    Object.assign(storage, { device: 'gpu', bytes, references: 1, gpuHandle: handle, gpu: undefined });
    return storage;
  }

  get released(): boolean {
    return this.references <= 0;
  }

  /** Byte address inside the host memory; undefined for f64 and GPU storage. */
  get pointer(): number | undefined {
    return this.block?.ptr;
  }

  get handle(): unknown {
    return this.gpuHandle;
  }

  /** A fresh typed view of `length` elements from element `offset`. */
  view(dtype: Dtype, offset: number, length: number): HostArray {
    if (this.wide) return this.wide.subarray(offset, offset + length);
    const block = this.block;
    if (!block) throw new DeviceError('tensor: elements live on the GPU; read them with "await t.data()"');
    const ptr = block.ptr + offset * dtypeBytes(dtype);
    if (dtype === 'f32') return hostMemory.f32(ptr, length);
    if (dtype === 'i32') return hostMemory.i32(ptr, length);
    if (dtype === 'u32') return hostMemory.u32(ptr, length);
    return hostMemory.u16(ptr, length);
  }

  retain(): this {
    this.references++;
    return this;
  }

  release(): void {
    if (--this.references !== 0) return;
    if (this.block) hostMemory.release(this.block);
    if (this.gpu) this.gpu.release(this.gpuHandle);
    this.block = undefined;
    this.wide = undefined;
    this.gpuHandle = undefined;
  }
}
