/** One planned call on a device: its buffers, and recording it into an encoder. */
import { ArgumentError, show } from '../../../lib/core/errors.js';
import { packParams } from '../../../lib/gpu/source.js';
import type { OperatorRecord, Step } from './operators.js';
import { describePlan, infosOf, type Plan, type PlanInfo, type TensorInfo } from './plan.js';
import { KERNELS } from './tables.js';
import type { Slot, Tensor } from './tensors.js';

/** A buffer, or a part of one at an offset that the device can bind (a multiple of 256). */
export type Bindable = GPUBuffer | GPUBufferBinding;

/** Names of an operator: outputs, those of them with gradients, and inputs with gradients. */
export interface Named {
  outputs: string;
  smooth: string;
  gradients: string;
}

/** A compiled kernel. */
export interface Prepared {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
}

/** GPUBufferUsage as numbers, because not every host has the constants. */
const STORAGE = 0x80;
const UNIFORM = 0x40;
const COPY_SOURCE_AND_TARGET = 0x0c;
const SLOT = 256;
/** A binding must hold one element of its array, also when the tensor is empty; the widest is 24 bytes. */
const LEAST = 32;

/** One call with fixed sizes. It keeps what its backward pass needs, so that each layer of a model has its own. */
export class OperatorPlan<Names extends Named, Buffers> {
  /** Shape, element type and bytes of each output and of each gradient. */
  readonly outputs: Readonly<Record<Names['outputs'], TensorInfo>>;
  readonly gradients: Readonly<Partial<Record<Names['gradients'], TensorInfo>>>;
  /** Bytes of the buffers that the plan makes for itself, outputs that the caller does not pass not counted. */
  readonly scratchBytes: number;

  private readonly op: OperatorRecord;
  private readonly device: GPUDevice;
  private readonly steps: Plan;
  private readonly ready: readonly Prepared[];
  private readonly scratch: GPUBuffer[];
  private readonly uniforms: GPUBuffer;
  /** Bound where an optional input is not given. */
  private readonly absent: GPUBuffer;
  private readonly made = new Map<Tensor, GPUBuffer>();
  private bound = new Map<Slot, GPUBufferBinding>();
  private groups: { key: string; group: GPUBindGroup }[] = [];
  private readonly ids = new WeakMap<GPUBuffer, number>();
  private nextId = 1;
  private ran = false;
  private destroyed = false;

  constructor(op: OperatorRecord, device: GPUDevice, plan: Plan, ready: readonly Prepared[]) {
    this.op = op;
    this.device = device;
    this.steps = plan;
    this.ready = ready;
    this.outputs = infosOf(plan.outputs) as Record<Names['outputs'], TensorInfo>;
    this.gradients = infosOf(plan.gradients) as Record<Names['gradients'], TensorInfo>;
    this.scratchBytes = plan.scratch.reduce((sum, bytes) => sum + bytes, 0);
    this.scratch = plan.scratch.map((size) => this.storage(size));
    this.absent = this.storage(SLOT);
    this.uniforms = this.uploadUniforms([...plan.forward, ...plan.backward]);
    for (const [slot, place] of plan.places)
      if (slot.data) this.scratch[place] = this.constant(slot.data(), this.scratch[place]);
  }

  /** What forward() and backward() dispatch. */
  describe(): PlanInfo {
    return describePlan(this.steps);
  }

  /**
   * Records the forward pass; nothing is submitted. Outputs that are not passed are the plan's own and are overwritten
   * by the next call.
   * @throws ArgumentError that names a missing or too small buffer
   */
  forward(
    target: GPUCommandEncoder | GPUComputePassEncoder,
    inputs: Buffers,
    outputs: Partial<Record<Names['outputs'], Bindable>> = {},
  ): Record<Names['outputs'], GPUBuffer> {
    const { steps } = this;
    this.requireAlive('forward');
    this.bound = new Map();
    this.bindAll('', steps.inputs, inputs as Record<string, Bindable | undefined>);
    const results = this.bindResults('output ', steps.outputs, outputs);
    this.encode(target, steps.forward, 0);
    this.ran = true;
    return results;
  }

  /**
   * Records the backward pass of the last forward(), whose inputs and outputs must still hold their values. Takes the
   * gradients of the outputs, gives those of the inputs.
   */
  backward(
    target: GPUCommandEncoder | GPUComputePassEncoder,
    outputGradients: Partial<Record<Names['smooth'], Bindable>>,
    gradients: Partial<Record<Names['gradients'], Bindable>> = {},
  ): Partial<Record<Names['gradients'], GPUBuffer>> {
    const { steps } = this;
    this.requireAlive('backward');
    if (Object.keys(steps.gradients).length === 0)
      throw new ArgumentError(
        `${this.op.id}: plan must be made with gradients for backward(), got one without`,
      );
    if (!this.ran)
      throw new ArgumentError(`${this.op.id}: forward() must be recorded before backward(), got none`);
    this.bindAll('gradient of ', steps.outputGradients, outputGradients);
    const results = this.bindResults('gradient of ', steps.gradients, gradients);
    this.encode(target, steps.backward, steps.forward.length);
    return results as Partial<Record<Names['gradients'], GPUBuffer>>;
  }

  /** Frees the buffers that the plan made, outputs included. */
  destroy(): void {
    this.destroyed = true;
    for (const buffer of [...this.scratch, ...this.made.values(), this.uniforms, this.absent])
      buffer.destroy();
  }

  private requireAlive(what: string): void {
    if (this.destroyed)
      throw new ArgumentError(
        `${this.op.id}: plan must be alive for ${what}(), got a destroyed one; make another`,
      );
  }

  private bindAll(what: string, tensors: Record<string, Tensor>, buffers: object): void {
    const given = buffers as Record<string, Bindable | undefined>;
    for (const name of Object.keys(given))
      if (given[name] && !tensors[name])
        throw new ArgumentError(
          `${this.op.id}: buffers must be of ${
            Object.keys(tensors)
              .map((n) => what + n)
              .join(', ') || '(none)'
          } as planned, got ${show(what + name)}`,
        );
    for (const [name, t] of Object.entries(tensors)) this.bind(what + name, t, given[name]);
  }

  private bindResults(
    what: string,
    tensors: Record<string, Tensor>,
    buffers: object,
  ): Record<string, GPUBuffer> {
    const given = { ...buffers } as Record<string, Bindable | undefined>;
    for (const [name, t] of Object.entries(tensors)) given[name] ??= this.own(t);
    this.bindAll(what, tensors, given);
    return Object.fromEntries(
      Object.entries(tensors).map(([name, t]) => [name, this.bound.get(t.slot)!.buffer]),
    );
  }

  private own(t: Tensor): GPUBuffer {
    let buffer = this.made.get(t);
    if (!buffer) this.made.set(t, (buffer = this.storage(Math.max(LEAST, t.slot.bytes))));
    return buffer;
  }

  private bind(name: string, t: Tensor, given: Bindable | undefined): void {
    if (!given) throw new ArgumentError(`${this.op.id}: ${name} must be given as a buffer, got none`);
    const part: GPUBufferBinding = 'buffer' in given ? given : { buffer: given };
    const offset = part.offset ?? 0;
    const room = Math.min(part.size ?? Infinity, part.buffer.size - offset);
    if (room < t.slot.bytes)
      throw new ArgumentError(
        `${this.op.id}: ${name} must be a buffer of ${t.slot.bytes} bytes for ${t.dtype}[${t.shape.join(',')}], got ${room}`,
      );
    if ((part.buffer.usage & STORAGE) === 0)
      throw new ArgumentError(
        `${this.op.id}: ${name} must be a buffer with usage STORAGE, got usage ${part.buffer.usage}`,
      );
    if (offset % SLOT !== 0)
      throw new ArgumentError(
        `${this.op.id}: ${name} must start at a multiple of ${SLOT} bytes in its buffer, got offset ${offset}`,
      );
    this.bound.set(t.slot, { buffer: part.buffer, offset, size: room });
  }

  private encode(
    target: GPUCommandEncoder | GPUComputePassEncoder,
    steps: readonly Step[],
    first: number,
  ): void {
    const own = 'beginComputePass' in target ? target.beginComputePass({ label: this.op.id }) : undefined;
    const pass = own ?? (target as GPUComputePassEncoder);
    for (const [i, step] of steps.entries()) {
      pass.setPipeline(this.ready[first + i].pipeline);
      pass.setBindGroup(0, this.group(step, first + i));
      pass.dispatchWorkgroups(...step.groups);
    }
    own?.end();
  }

  /** The bind group of a step; the last one is kept while the buffers stay the same. */
  private group(step: Step, at: number): GPUBindGroup {
    const info = KERNELS[step.kernel];
    const resources = info.bindings.map((b, i): GPUBufferBinding => {
      if (b.kind === 'uniform') return { buffer: this.uniforms, offset: at * SLOT, size: info.uniformBytes };
      const range = step.ranges[i];
      return range ? this.resource(range) : { buffer: this.absent, offset: 0, size: SLOT };
    });
    const key = resources.map((r) => `${this.idOf(r.buffer)}:${r.offset}:${r.size}`).join('|');
    if (this.groups[at]?.key !== key) {
      const entries = info.bindings.map((b, i) => ({ binding: b.binding, resource: resources[i] }));
      const group = this.device.createBindGroup({
        label: step.kernel,
        layout: this.ready[at].layout,
        entries,
      });
      this.groups[at] = { key, group };
    }
    return this.groups[at].group;
  }

  private resource({ slot, offset, size }: { slot: Slot; offset: number; size: number }): GPUBufferBinding {
    const place = this.steps.places.get(slot);
    const whole =
      this.bound.get(slot) ?? (place === undefined ? undefined : { buffer: this.scratch[place], offset: 0 });
    if (!whole)
      throw new ArgumentError(`${this.op.id}: every buffer of a step must be known, got one that is not`);
    const room = ('size' in whole ? whole.size! : whole.buffer.size) - offset;
    return {
      buffer: whole.buffer,
      offset: (whole.offset ?? 0) + offset,
      size: Math.min(room - (room % 4), Math.max(LEAST, size)),
    };
  }

  private idOf(buffer: GPUBuffer): number {
    let id = this.ids.get(buffer);
    if (!id) this.ids.set(buffer, (id = this.nextId++));
    return id;
  }

  private storage(bytes: number): GPUBuffer {
    const size = Math.ceil(bytes / 4) * 4;
    return this.device.createBuffer({ label: this.op.id, size, usage: STORAGE | COPY_SOURCE_AND_TARGET });
  }

  private constant(data: Uint8Array, instead: GPUBuffer): GPUBuffer {
    instead.destroy();
    const usage = STORAGE | COPY_SOURCE_AND_TARGET;
    const buffer = this.device.createBuffer({
      label: this.op.id,
      size: instead.size,
      usage,
      mappedAtCreation: true,
    });
    new Uint8Array(buffer.getMappedRange()).set(data);
    buffer.unmap();
    return buffer;
  }

  /** The parameters of every step; they follow from sizes alone, so they are written once. */
  private uploadUniforms(steps: readonly Step[]): GPUBuffer {
    const size = Math.max(1, steps.length) * SLOT;
    const buffer = this.device.createBuffer({
      label: this.op.id,
      size,
      usage: UNIFORM,
      mappedAtCreation: true,
    });
    const view = new DataView(buffer.getMappedRange());
    for (const [i, step] of steps.entries())
      packParams({ name: step.kernel, fields: KERNELS[step.kernel].fields }, step.params, view, i * SLOT);
    buffer.unmap();
    return buffer;
  }
}
