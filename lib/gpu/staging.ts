/** Mappable buffers for readbacks, a few kept of each size. */
const KEPT = 4;
const SMALLEST = 256;

export class StagingBuffers {
  private readonly free = new Map<number, GPUBuffer[]>();

  constructor(private readonly device: GPUDevice) {}

  /** An unmapped buffer of at least `size` bytes, to copy into. */
  take(size: number): GPUBuffer {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(SMALLEST, size)));
    const usage = 0x01 | 0x08; // MAP_READ | COPY_DST
    return (
      this.free.get(capacity)?.pop() ??
      this.device.createBuffer({ label: 'assay readback', size: capacity, usage })
    );
  }

  /** Maps what was copied, takes bytes [start, end) out and keeps the buffer for the next readback. */
  async read(buffer: GPUBuffer, size: number, start: number, end: number): Promise<Uint8Array> {
    await buffer.mapAsync(0x01, 0, size);
    const copy = new Uint8Array(buffer.getMappedRange(0, size)).slice(start, end);
    buffer.unmap();
    const list = this.free.get(buffer.size);
    if (!list) this.free.set(buffer.size, [buffer]);
    else if (list.length < KEPT) list.push(buffer);
    else buffer.destroy();
    return copy;
  }
}
