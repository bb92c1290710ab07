/** A GPU context: one device with its pool, pipelines and the one encoder that operators record into. */
import { DeviceError } from '../core/errors.js';
import type { DeviceMemory } from '../tensor/storage.js';
import { BufferPool, GpuBlock, STORAGE_USAGE, type PoolStats } from './pool.js';
import { PipelineCache, type BoundRange, type Prepared } from './pipelines.js';
import { isSoftware, type Command, type Foreign, type GpuRange } from './command.js';
import { ErrorScopes } from './scopes.js';
import { packParams } from './source.js';
import { StagingBuffers } from './staging.js';

/** Dispatches after which recorded work is submitted. */
const BATCH = 256;
const SLOT_BYTES = 256;
/** UNIFORM | COPY_DST. */
const UNIFORM_USAGE = 0x40 | 0x08;
/** Simple operations after which recorded work is submitted: about 250 ms on slow hardware and on software. */
const WORK = { hardware: 2e11, software: 4e8 };

export interface ContextOptions {
  /** True when the library made the device and may destroy it. */
  owned: boolean;
  info?: GPUAdapterInfo;
  /** False: no kernel variants with subgroups, although the device has the feature. */
  subgroups?: boolean;
}

export class GpuContext implements DeviceMemory {
  readonly features: ReadonlySet<string>;
  readonly limits: GPUSupportedLimits;
  readonly owned: boolean;
  readonly info: GPUAdapterInfo | undefined;
  readonly pool: BufferPool;
  readonly pipelines: PipelineCache;
  /** Tests set a word here; fresh blocks are then filled with it, so that unwritten elements are seen. */
  poison: number | undefined;
  /** Why the device is gone; undefined while it lives. */
  lost: string | undefined;
  /** Resolves when the device is lost, with the reason. */
  readonly whenLost: Promise<string>;

  private encoder: GPUCommandEncoder | undefined;
  private pass: GPUComputePassEncoder | undefined;
  private foreign: Foreign | undefined;
  private batch = 0;
  private dispatches = 0;
  private work = 0;
  private readonly workBudget: number;
  private lastKernel = 'none';
  private lastOperator = 'none';
  private readonly ring: GPUBuffer;
  private readonly ringData = new DataView(new ArrayBuffer(BATCH * SLOT_BYTES));
  private readonly staging: StagingBuffers;
  private readonly scopes: ErrorScopes;
  private dummyBlock: GpuBlock | undefined;

  constructor(
    readonly device: GPUDevice,
    options: ContextOptions,
  ) {
    this.features = device.features;
    this.limits = device.limits;
    this.owned = options.owned;
    this.info = options.info ?? (device as { adapterInfo?: GPUAdapterInfo }).adapterInfo;
    this.workBudget = isSoftware(this.info) ? WORK.software : WORK.hardware;
    this.scopes = new ErrorScopes(device);
    this.staging = new StagingBuffers(device);
    this.pool = new BufferPool(device, this, (size) => this.createStorage(size));
    this.pipelines = new PipelineCache(
      device,
      this.features,
      (label, make) => this.guarded(label, make),
      options.subgroups,
    );
    const size = BATCH * SLOT_BYTES;
    this.ring = device.createBuffer({ label: 'assay uniforms', size, usage: UNIFORM_USAGE });
    this.whenLost = device.lost.then((info) => {
      this.lost = `${info.reason || 'unknown'}: ${info.message} (last operator ${this.lastOperator})`;
      return this.lost;
    });
  }

  /** @throws DeviceError after the device was lost */
  alive(where: string): void {
    if (this.lost)
      throw new DeviceError(
        `${where}: the GPU device must be alive, got a lost one (${this.lost}); call "await useBackend('webgpu')" and make the tensors again`,
      );
  }

  allocate(bytes: number): GpuBlock {
    this.alive('allocate');
    const block = this.pool.allocate(bytes);
    if (this.poison !== undefined)
      this.write(block, 0, new Uint8Array(new Uint32Array(block.capacity / 4).fill(this.poison).buffer));
    return block;
  }

  release(handle: unknown): void {
    const block = handle as GpuBlock;
    if (block.foreign || block.owner !== this || this.lost) return;
    if (this.foreign) this.foreign.held.push(block);
    else this.pool.release(block);
  }

  /** Uploads in program order: writeBuffer overtakes recorded commands, so those that use the block go first. */
  write(handle: unknown, offset: number, data: Uint8Array): void {
    this.alive('write');
    const block = this.own(handle, 'write');
    if (block.batch === this.batch) this.flush();
    // A plain copy, padded to words: host tensors lie in shared memory, which WebGPU does not take.
    const plain = new Uint8Array((data.byteLength + 3) & ~3);
    plain.set(data);
    this.device.queue.writeBuffer(block.buffer, offset, plain);
  }

  /** Submits what is recorded and reads bytes back. @throws DeviceError for validation errors since the last read, or a lost device */
  async read(handle: unknown, offset: number, bytes: number): Promise<Uint8Array> {
    this.alive('read');
    const block = this.own(handle, 'read');
    const start = offset & ~3;
    const size = (offset + bytes - start + 3) & ~3;
    const staging = this.staging.take(size);
    this.endPass();
    this.open().copyBufferToBuffer(block.buffer, start, staging, 0, size);
    this.flush();
    let copy: Uint8Array;
    try {
      copy = await this.staging.read(staging, size, offset - start, offset - start + bytes);
    } catch (error) {
      await this.settle();
      await Promise.race([this.whenLost, new Promise((resolve) => setTimeout(resolve, 100))]);
      this.alive('read');
      throw new DeviceError(
        `read: the tensor's bytes must be mapped, got ${String(error)} (last operator ${this.lastOperator}); the device is alive, read again`,
      );
    }
    await this.settle();
    return copy;
  }

  /** Waits for outstanding error scopes and throws the first error found. */
  settle(): Promise<void> {
    return this.scopes.settle();
  }

  stats(): PoolStats {
    return this.pool.stats();
  }

  /** Waits until submitted work is done. */
  async finish(): Promise<void> {
    this.flush();
    await this.device.queue.onSubmittedWorkDone();
    await this.settle();
  }

  /** Records one dispatch. */
  record(command: Command): void {
    const { operator, prepared, ranges, params, groups, work } = command;
    this.alive(operator);
    this.lastOperator = operator;
    this.lastKernel = prepared.label;
    for (const r of ranges) if (r) this.own(r.block, operator);
    if (this.foreign) return this.recordForeign(this.foreign, command);
    if (this.dispatches >= BATCH || (this.dispatches > 0 && this.work + work > this.workBudget)) this.flush();
    const slot = this.dispatches * SLOT_BYTES;
    packParams(prepared.info, params, this.ringData, slot);
    const group = this.pipelines.bindGroup(prepared, this.bound(prepared, ranges, this.ring));
    for (const r of ranges) if (r) r.block.batch = this.batch;
    this.pass ??= this.open().beginComputePass({ label: 'assay' });
    encode(this.pass, prepared, group, slot, groups);
    this.dispatches++;
    this.work += work;
  }

  private recordForeign(foreign: Foreign, { prepared, ranges, params, groups }: Command): void {
    const uniform = this.device.createBuffer({
      label: 'assay uniforms',
      size: SLOT_BYTES,
      usage: UNIFORM_USAGE,
    });
    foreign.uniforms.push(uniform);
    const data = new DataView(new ArrayBuffer(SLOT_BYTES));
    packParams(prepared.info, params, data, 0);
    this.device.queue.writeBuffer(uniform, 0, new Uint8Array(data.buffer));
    const group = this.pipelines.bindGroup(prepared, this.bound(prepared, ranges, uniform));
    encode(foreign.pass, prepared, group, 0, groups);
  }

  private bound(
    prepared: Prepared,
    ranges: readonly (GpuRange | undefined)[],
    uniforms: GPUBuffer,
  ): BoundRange[] {
    return prepared.info.bindings.map((b, i) => {
      if (b.kind === 'uniform') return { buffer: uniforms, offset: 0, size: prepared.info.uniformBytes };
      const r = ranges[i];
      return r
        ? { buffer: r.block.buffer, offset: r.offset, size: r.size }
        : { buffer: this.dummy().buffer, offset: 0, size: 256 };
    });
  }

  /** Stands in for absent optional inputs. */
  private dummy(): GpuBlock {
    return (this.dummyBlock ??= this.pool.allocate(256));
  }

  /** Records what `fn` runs into the caller's pass; released blocks stay out of the pool until `foreign` is given back. */
  into<T>(foreign: Foreign, fn: () => T): T {
    if (this.foreign) throw new DeviceError('encodeInto: calls must not be nested, got one inside another');
    this.flush();
    this.foreign = foreign;
    try {
      return fn();
    } finally {
      this.foreign = undefined;
    }
  }

  /** Gives back what commands in a caller's pass held, once that pass was submitted. */
  giveBack(foreign: Foreign): void {
    for (const buffer of foreign.uniforms.splice(0)) buffer.destroy();
    for (const block of foreign.held.splice(0)) this.pool.release(block);
    this.pipelines.forgetGroups();
  }

  /** Submits everything recorded so far. */
  flush(): void {
    if (!this.encoder) return;
    this.endPass();
    const encoder = this.encoder;
    this.encoder = undefined;
    if (this.dispatches)
      this.device.queue.writeBuffer(
        this.ring,
        0,
        new Uint8Array(this.ringData.buffer, 0, this.dispatches * SLOT_BYTES),
      );
    this.guarded(`batch of ${this.dispatches} kernels ending with ${this.lastKernel}`, () =>
      this.device.queue.submit([encoder.finish()]),
    );
    this.batch++;
    this.dispatches = 0;
    this.work = 0;
    if (this.pool.trim()) this.pipelines.forgetGroups();
  }

  /** Frees the device when it is the library's own; a foreign device stays as it is. */
  destroy(): void {
    if (!this.owned || this.lost) return;
    this.encoder = undefined;
    this.pass = undefined;
    this.device.destroy();
  }

  /** Checks that a block belongs here. */
  own(handle: unknown, where: string): GpuBlock {
    const block = handle as GpuBlock;
    if (block.owner === this) return block;
    const reason = (block.owner as Partial<GpuContext>).lost;
    throw new DeviceError(
      reason
        ? `${where}: tensor must live on a living GPU device, got one whose device was lost (${reason}); make it again`
        : `${where}: tensor must live on the current GPU device, got one of another device; read it and upload it again`,
    );
  }

  private open(): GPUCommandEncoder {
    return (this.encoder ??= this.device.createCommandEncoder({ label: 'assay' }));
  }

  private endPass(): void {
    this.pass?.end();
    this.pass = undefined;
  }

  private guarded<T>(label: string, make: () => T): T {
    const explain = (message: string) =>
      `${this.lastOperator}: kernel ${label} must pass validation, got ${message}`;
    return this.scopes.run('validation', make, explain);
  }

  private createStorage(size: number): GPUBuffer {
    const make = () => this.device.createBuffer({ label: 'assay tensor', size, usage: STORAGE_USAGE });
    const { liveBytes, pooledBytes } = this.pool.stats();
    return this.scopes.run(
      'out-of-memory',
      make,
      (message) =>
        `gpu: ${size} bytes must fit into device memory beside ${liveBytes + pooledBytes}, got ${message}; dispose tensors or make the batch smaller`,
    );
  }
}

function encode(
  pass: GPUComputePassEncoder,
  prepared: Prepared,
  group: GPUBindGroup,
  slot: number,
  groups: readonly [number, number, number],
): void {
  pass.setPipeline(prepared.pipeline);
  pass.setBindGroup(0, group, [slot]);
  pass.dispatchWorkgroups(...groups);
}
