/**
 * Host memory of the `cpu` and `wasm` backends: one shared WebAssembly.Memory of fixed maximum, growing on
 * demand, with a size-class pool on top. Shared because kernels run on several threads, and because views of
 * unshared memory die when it grows. Bytes handed out are not cleared.
 */
import { ArgumentError, DeviceError, show } from '../core/errors.js';

/** A piece of host memory: byte address (64-byte aligned) and usable bytes (at least what was asked). */
export interface HostBlock {
  readonly ptr: number;
  readonly capacity: number;
}

/** Bytes in use, bytes kept for reuse, the largest use so far, bytes obtained from the system, blocks in use. */
export interface HostMemoryStats {
  liveBytes: number;
  pooledBytes: number;
  highWaterBytes: number;
  reservedBytes: number;
  liveBlocks: number;
}

const PAGE = 65536;
const ALIGN = 64;
/** Address 0 stays unused so that a zero pointer can mean "absent" to kernels. */
const BASE = 1024;
const POWER_LIMIT = 1 << 20;
const MAXIMUM_PAGES = [65536, 32768, 16384];

/** Rounds a request up to its size class: powers of two to 1 MiB, then eighths of an octave. */
export function sizeClass(bytes: number): number {
  if (bytes <= ALIGN) return ALIGN;
  const octave = 2 ** Math.ceil(Math.log2(bytes));
  const power = octave / 2 >= bytes ? octave / 2 : octave;
  if (power <= POWER_LIMIT) return power;
  const step = power / 16;
  return Math.ceil(bytes / step) * step;
}

function createMemory(): { memory: WebAssembly.Memory; pages: number } {
  let last: unknown;
  for (const pages of MAXIMUM_PAGES) {
    try {
      return { memory: new WebAssembly.Memory({ initial: 16, maximum: pages, shared: true }), pages };
    } catch (error) {
      last = error;
    }
  }
  throw new DeviceError(
    `hostMemory: the platform must provide shared WebAssembly memory of at least ` +
      `${MAXIMUM_PAGES[MAXIMUM_PAGES.length - 1]} pages, got ${String(last)}. ` +
      `In a browser the page must be cross-origin isolated (COOP and COEP headers).`,
  );
}

/** One pool over one memory. The library uses the single instance `hostMemory`. */
export class HostMemory {
  #created: { memory: WebAssembly.Memory; pages: number } | undefined;
  readonly #limitBytes: number;
  readonly #live = new Map<number, HostBlock>();
  readonly #free = new Map<number, number[]>();
  /** Merged free ranges [start, end), used once the memory is exhausted. */
  #ranges: { start: number; end: number }[] = [];
  #top = BASE;
  #liveBytes = 0;
  #pooledBytes = 0;
  #highWater = 0;
  /** Tests set a word here; blocks are then handed out filled with it, so that unwritten elements are seen. */
  poison: number | undefined;

  /** `limitBytes` lowers the maximum below what the platform gives. */
  constructor(limitBytes = Infinity) {
    this.#limitBytes = limitBytes;
  }

  #ensure(): { memory: WebAssembly.Memory; pages: number } {
    return (this.#created ??= createMemory());
  }

  /** The memory itself. Its `buffer` changes identity on growth; old views stay valid. */
  memory(): WebAssembly.Memory {
    return this.#ensure().memory;
  }

  /** Largest size the memory can grow to, in bytes. */
  maximumBytes(): number {
    return Math.min(this.#ensure().pages * PAGE, this.#limitBytes);
  }

  /** Takes a block of at least `bytes` bytes. Contents are undefined. Throws DeviceError when full. */
  allocate(bytes: number): HostBlock {
    if (!Number.isFinite(bytes) || bytes < 0) {
      throw new ArgumentError(`hostMemory.allocate: bytes must be a non-negative number, got ${show(bytes)}`);
    }
    const capacity = sizeClass(bytes);
    const pooled = this.#free.get(capacity)?.pop();
    if (pooled !== undefined) {
      this.#pooledBytes -= capacity;
      return this.#hand(pooled, capacity);
    }
    const start = this.#fromRanges(capacity) ?? this.#bump(capacity) ?? this.#reclaim(capacity);
    if (start === undefined) throw this.#full(bytes);
    return this.#hand(start, capacity);
  }

  /** Gives a block back for reuse. Releasing twice throws ArgumentError. */
  release(block: HostBlock): void {
    if (this.#live.get(block.ptr) !== block) {
      throw new ArgumentError(
        `hostMemory.release: block must be live, got a block at ${block.ptr} that was released before or ` +
          `never allocated here. Release each block once.`,
      );
    }
    this.#live.delete(block.ptr);
    this.#liveBytes -= block.capacity;
    this.#pooledBytes += block.capacity;
    const list = this.#free.get(block.capacity);
    if (list) list.push(block.ptr);
    else this.#free.set(block.capacity, [block.ptr]);
  }

  f32(ptr: number, length: number): Float32Array {
    return new Float32Array(this.memory().buffer, ptr, length);
  }
  i32(ptr: number, length: number): Int32Array {
    return new Int32Array(this.memory().buffer, ptr, length);
  }
  u32(ptr: number, length: number): Uint32Array {
    return new Uint32Array(this.memory().buffer, ptr, length);
  }
  u16(ptr: number, length: number): Uint16Array {
    return new Uint16Array(this.memory().buffer, ptr, length);
  }
  u8(ptr: number, length: number): Uint8Array {
    return new Uint8Array(this.memory().buffer, ptr, length);
  }

  stats(): HostMemoryStats {
    return {
      liveBytes: this.#liveBytes,
      pooledBytes: this.#pooledBytes,
      highWaterBytes: this.#highWater,
      reservedBytes: this.#created ? this.#created.memory.buffer.byteLength : 0,
      liveBlocks: this.#live.size,
    };
  }

  /** Runs something synchronous and tells by how much live bytes rose at most on the way. */
  peakDuring<T>(run: () => T): { bytes: number; result: T } {
    const [before, highest] = [this.#liveBytes, this.#highWater];
    this.#highWater = before;
    try {
      const result = run();
      return { bytes: this.#highWater - before, result };
    } finally {
      this.#highWater = Math.max(highest, this.#highWater);
    }
  }

  #hand(ptr: number, capacity: number): HostBlock {
    const block: HostBlock = { ptr, capacity };
    this.#live.set(ptr, block);
    this.#liveBytes += capacity;
    if (this.#liveBytes > this.#highWater) this.#highWater = this.#liveBytes;
    if (this.poison !== undefined) this.u32(ptr, capacity / 4).fill(this.poison);
    return block;
  }

  /** Takes fresh memory after everything handed out so far; grows by at least an eighth. */
  #bump(capacity: number): number | undefined {
    const end = this.#top + capacity;
    if (end > this.maximumBytes()) return undefined;
    const { memory, pages } = this.#ensure();
    const current = memory.buffer.byteLength;
    if (end > current) {
      const needed = Math.ceil((end - current) / PAGE);
      const wanted = Math.min(Math.max(needed, Math.ceil(current / PAGE / 8), 64), pages - current / PAGE);
      if (!tryGrow(memory, wanted) && !tryGrow(memory, needed)) return undefined;
    }
    const start = this.#top;
    this.#top = end;
    return start;
  }

  /** Best fit among merged ranges. */
  #fromRanges(capacity: number): number | undefined {
    let best: { start: number; end: number } | undefined;
    for (const range of this.#ranges) {
      const size = range.end - range.start;
      if (size >= capacity && (!best || size < best.end - best.start)) best = range;
    }
    if (!best) return undefined;
    const start = best.start;
    best.start += capacity;
    this.#pooledBytes -= capacity;
    if (best.start === best.end) this.#ranges = this.#ranges.filter((range) => range !== best);
    return start;
  }

  /** Last resort: merges neighbouring free blocks of all classes into ranges and tries those. */
  #reclaim(capacity: number): number | undefined {
    const pieces = [...this.#ranges];
    for (const [size, list] of this.#free)
      for (const start of list) pieces.push({ start, end: start + size });
    this.#free.clear();
    pieces.sort((a, b) => a.start - b.start);
    const merged: { start: number; end: number }[] = [];
    for (const piece of pieces) {
      const last = merged[merged.length - 1];
      if (last && last.end === piece.start) last.end = piece.end;
      else merged.push({ ...piece });
    }
    const last = merged[merged.length - 1];
    if (last && last.end === this.#top) {
      this.#top = last.start;
      this.#pooledBytes -= last.end - last.start;
      merged.pop();
    }
    this.#ranges = merged;
    return this.#fromRanges(capacity) ?? this.#bump(capacity);
  }

  #full(bytes: number): DeviceError {
    return new DeviceError(
      `hostMemory.allocate: bytes must fit into host memory, got ${bytes} bytes asked with ` +
        `${this.#liveBytes} live in ${this.#live.size} blocks and a maximum of ${this.maximumBytes()}. ` +
        `Dispose tensors, open a scope, or make the batch smaller.`,
    );
  }
}

function tryGrow(memory: WebAssembly.Memory, pages: number): boolean {
  if (pages <= 0) return false;
  try {
    memory.grow(pages);
    return true;
  } catch {
    return false;
  }
}

/** The host memory of this process (created on first use). */
export const hostMemory = new HostMemory();
