/** Buffers of a GPU device: power-of-two sizes, reused, destroyed only after a flush. */
import { DeviceError } from '../core/errors.js';

/** STORAGE | COPY_SRC | COPY_DST; numbers because Node has no global constants. */
export const STORAGE_USAGE = 0x80 | 0x04 | 0x08;
const SMALLEST = 256;

/** What a GPU tensor's storage holds: a buffer, its usable bytes and the context it belongs to. */
export class GpuBlock {
  /** Number of the batch that last used it, to see hazards with queue.writeBuffer. */
  batch = -1;
  constructor(
    readonly buffer: GPUBuffer,
    readonly capacity: number,
    readonly owner: object,
    /** A caller's buffer: never pooled, never destroyed. */
    readonly foreign = false,
  ) {}
}

export interface PoolStats {
  liveBytes: number;
  pooledBytes: number;
  liveBlocks: number;
  pooledBlocks: number;
}

export class BufferPool {
  private readonly free = new Map<number, GpuBlock[]>();
  private liveBytes = 0;
  private pooledBytes = 0;
  private liveBlocks = 0;
  private pooledBlocks = 0;

  constructor(
    private readonly device: GPUDevice,
    private readonly owner: object,
    /** Makes a buffer; reports when the device has no memory left. */
    private readonly create: (size: number) => GPUBuffer,
    private readonly keepBytes = 256 * 2 ** 20,
  ) {}

  /** @throws DeviceError when one binding of the device cannot hold the bytes */
  allocate(bytes: number): GpuBlock {
    const limit = Math.min(this.device.limits.maxStorageBufferBindingSize, this.device.limits.maxBufferSize);
    if (bytes > limit)
      throw new DeviceError(
        `gpu: a tensor must fit into one storage binding of ${limit} bytes, got ${bytes}; make the batch smaller or use the backend wasm`,
      );
    const capacity = Math.min(2 ** Math.ceil(Math.log2(Math.max(SMALLEST, bytes))), Math.ceil(limit / 4) * 4);
    const pooled = this.free.get(capacity)?.pop();
    if (pooled) {
      this.pooledBytes -= capacity;
      this.pooledBlocks--;
    }
    this.liveBytes += capacity;
    this.liveBlocks++;
    return pooled ?? new GpuBlock(this.create(capacity), capacity, this.owner);
  }

  /** Back to the pool. Safe while commands that use it are still recorded: dispatches run in order. */
  release(block: GpuBlock): void {
    this.liveBytes -= block.capacity;
    this.liveBlocks--;
    this.pooledBytes += block.capacity;
    this.pooledBlocks++;
    const list = this.free.get(block.capacity);
    if (list) list.push(block);
    else this.free.set(block.capacity, [block]);
  }

  /** Destroys pooled buffers beyond what is kept. Only after a submit. Returns true when any went. */
  trim(keep = Math.max(this.keepBytes, this.liveBytes)): boolean {
    if (this.pooledBytes <= keep) return false;
    const sizes = [...this.free.keys()].sort((a, b) => b - a);
    for (const size of sizes)
      for (const list = this.free.get(size)!; list.length && this.pooledBytes > keep;) {
        list.pop()!.buffer.destroy();
        this.pooledBytes -= size;
        this.pooledBlocks--;
      }
    return true;
  }

  stats(): PoolStats {
    return {
      liveBytes: this.liveBytes,
      pooledBytes: this.pooledBytes,
      liveBlocks: this.liveBlocks,
      pooledBlocks: this.pooledBlocks,
    };
  }
}
