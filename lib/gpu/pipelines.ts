/** Pipelines, layouts and bind groups of one device, made once and kept. */
import { DeviceError } from '../core/errors.js';
import {
  kernelSource,
  kernelText,
  plainKernel,
  subgroupKernel,
  type Defines,
  type Overrides,
  type SourceInfo,
} from './source.js';

export interface Prepared {
  /** File and variant, for messages. */
  label: string;
  info: SourceInfo;
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
}

/** A byte range bound to one binding. */
export interface BoundRange {
  buffer: GPUBuffer;
  offset: number;
  size: number;
}

const BIND_GROUPS = 4096;

export class PipelineCache {
  /** Are subgroup variants taken where there are any? Only on a device with the feature. */
  subgroups: boolean;
  private readonly prepared = new Map<string, Prepared>();
  private readonly groups = new Map<string, GPUBindGroup>();
  private readonly ids = new WeakMap<GPUBuffer, number>();
  private nextId = 1;

  constructor(
    private readonly device: GPUDevice,
    private readonly features: ReadonlySet<string>,
    /** Runs a call inside a validation scope whose error is reported under a name. */
    private readonly guarded: <T>(label: string, make: () => T) => T,
    subgroups = true,
  ) {
    this.subgroups = subgroups && features.has('subgroups');
  }

  /** The pipeline of a kernel, or of its subgroup variant, under textual defines and numeric override constants. */
  prepare(kernel: string, defs: Defines, overrides: Overrides): Prepared {
    const name = (this.subgroups && subgroupKernel(kernel)) || kernel;
    const variant = Object.entries(defs).map(([k, v]) => `${k}=${v}`);
    for (const [k, v] of Object.entries(overrides)) variant.push(`${k}=${v}`);
    const label = variant.length ? `${name} (${variant.join(', ')})` : name;
    let made = this.prepared.get(label);
    if (!made) this.prepared.set(label, (made = this.create(name, label, defs, overrides)));
    return made;
  }

  private create(name: string, label: string, defs: Defines, overrides: Overrides): Prepared {
    if (Object.values(defs).includes('f16') && !this.features.has('shader-f16'))
      throw new DeviceError(
        `${name}: the device must have the feature shader-f16 for f16 tensors, got one without; cast to f32`,
      );
    if (plainKernel(name) !== name && !this.features.has('subgroups'))
      throw new DeviceError(
        `${name}: the device must have the feature subgroups, got one without; take ${plainKernel(name)}`,
      );
    const info = kernelSource(name);
    return this.guarded(label, () => {
      const module = this.device.createShaderModule({ label, code: kernelText(name, defs) });
      const layout = this.device.createBindGroupLayout({ label, entries: info.bindings.map(layoutEntry) });
      const pipeline = this.device.createComputePipeline({
        label,
        layout: this.device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
        compute: { module, entryPoint: 'main', constants: overrides },
      });
      return { label, info, pipeline, layout };
    });
  }

  /** A bind group; uniform bindings take the range's buffer with a dynamic offset. */
  bindGroup(prepared: Prepared, ranges: readonly BoundRange[]): GPUBindGroup {
    const key = prepared.label + ranges.map((r) => `|${this.idOf(r.buffer)}:${r.offset}:${r.size}`).join('');
    let group = this.groups.get(key);
    if (group) return group;
    if (this.groups.size >= BIND_GROUPS) this.groups.clear();
    group = this.guarded(prepared.label, () =>
      this.device.createBindGroup({
        label: prepared.label,
        layout: prepared.layout,
        entries: prepared.info.bindings.map((b, i) => ({ binding: b.binding, resource: ranges[i] })),
      }),
    );
    this.groups.set(key, group);
    return group;
  }

  /** Forgets bind groups, after buffers were destroyed. */
  forgetGroups(): void {
    this.groups.clear();
  }

  private idOf(buffer: GPUBuffer): number {
    let id = this.ids.get(buffer);
    if (!id) this.ids.set(buffer, (id = this.nextId++));
    return id;
  }
}

function layoutEntry(b: SourceInfo['bindings'][number]): GPUBindGroupLayoutEntry {
  const buffer: GPUBufferBindingLayout =
    b.kind === 'uniform'
      ? { type: 'uniform', hasDynamicOffset: true }
      : { type: b.kind === 'read' ? 'read-only-storage' : 'storage' };
  return { binding: b.binding, visibility: 4, buffer };
}
