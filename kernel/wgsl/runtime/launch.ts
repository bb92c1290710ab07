/** Plans on a device: checks what it offers, loads and compiles kernels. */
import { DeviceError } from '../../../lib/core/errors.js';
import { REQUIRED_LIMITS } from '../../../lib/gpu/device.js';
import { OperatorPlan, type Named, type Prepared } from './operator-plan.js';
import type { OperatorRecord, Step } from './operators.js';
import { planCall, variantOf, type Plan, type PlanOptions, type ShapeSpec } from './plan.js';
import { FILES, KERNELS, VARIANTS } from './tables.js';

export interface LaunchOptions {
  /** WGSL texts by file name, where the page has them already; other files are fetched from beside this module. */
  texts?: Readonly<Record<string, string>>;
  /** False: no files with subgroup operations, although the device has the feature `subgroups`. */
  subgroups?: boolean;
}

/** GPUShaderStage.COMPUTE; not every host has the constant. */
const COMPUTE = 4;

/** The kernels of this export on one device. */
export class Launcher<Names extends Named, Shapes, Parameters, Buffers> {
  readonly device: GPUDevice;
  private readonly op: OperatorRecord;
  private readonly texts: Readonly<Record<string, string>>;
  /** What kernels are chosen by. */
  private readonly features: readonly string[];
  private readonly prepared = new Map<string, Promise<Prepared>>();

  /** @throws DeviceError that names each limit the device lacks */
  constructor(op: OperatorRecord, device: GPUDevice, options: LaunchOptions) {
    this.op = op;
    this.device = device;
    this.texts = options.texts ?? {};
    const refused = options.subgroups === false ? 'subgroups' : undefined;
    this.features = [...device.features].filter((feature) => feature !== refused);
    const limits = device.limits as unknown as Record<string, number>;
    const missing = Object.entries(REQUIRED_LIMITS).filter(([name, least]) => !(limits[name] >= least));
    if (missing.length > 0)
      throw new DeviceError(
        `${op.id}: device must offer ${missing.map(([name, least]) => `${name} >= ${least} (has ${limits[name]})`).join(', ')}; ask for it with requiredLimits`,
      );
  }

  /**
   * Plans a call for these sizes, compiles its kernels and makes the buffers it needs in between. Make it once a layer
   * and keep it: forward() and backward() only record.
   * @throws ShapeError, DtypeError, ArgumentError that names the input; DeviceError that names a missing feature or limit
   */
  async plan(
    shapes: Shapes,
    parameters?: Parameters,
    options: PlanOptions<Names['gradients'], Names['smooth']> = {},
  ): Promise<OperatorPlan<Names, Buffers>> {
    const given = shapes as Record<string, ShapeSpec | undefined>;
    const features = options.features ?? this.features;
    const plan = planCall(this.op, given, { ...parameters }, { ...options, features });
    this.checkSizes(plan);
    const steps = [...plan.forward, ...plan.backward];
    const ready = await Promise.all(steps.map((step) => this.prepare(step)));
    return new OperatorPlan<Names, Buffers>(this.op, this.device, plan, ready);
  }

  private checkSizes(plan: Plan): void {
    const { maxStorageBufferBindingSize, maxBufferSize } = this.device.limits;
    const most = Math.min(maxStorageBufferBindingSize, maxBufferSize);
    const check = (name: string, bytes: number) => {
      if (bytes > most)
        throw new DeviceError(
          `${this.op.id}: ${name} must fit into one binding of ${most} bytes (maxStorageBufferBindingSize, maxBufferSize), got ${bytes}; make the sizes smaller or ask for higher limits`,
        );
    };
    for (const tensors of [plan.inputs, plan.outputs])
      for (const [name, t] of Object.entries(tensors)) check(name, t.slot.bytes);
    for (const [i, bytes] of plan.scratch.entries()) check(`scratch ${i}`, bytes);
  }

  private prepare(step: Step): Promise<Prepared> {
    const key = `${variantOf(step)} ${JSON.stringify([step.sizes, step.overrides])}`;
    let made = this.prepared.get(key);
    if (!made) {
      made = this.compile(step);
      this.prepared.set(key, made);
      // A failed load may be tried again.
      made.catch(() => this.prepared.delete(key));
    }
    return made;
  }

  private async compile(step: Step): Promise<Prepared> {
    const label = variantOf(step);
    const variant = VARIANTS[label];
    if (!variant)
      throw new DeviceError(
        `${this.op.id}: this export must hold the kernel ${label}, got none; export it again with the dtype`,
      );
    for (const feature of variant.features)
      if (!this.device.features.has(feature))
        throw new DeviceError(
          `${this.op.id}: device must have the feature ${feature} for ${variant.file}, got one without; ask for it with requiredFeatures`,
        );
    let code = this.texts[variant.file] ?? (await fetchText(this.op.id, variant.file));
    for (const [name, value] of Object.entries(step.sizes))
      code = code.replace(new RegExp(`^(const ${name} = )\\w+;`, 'm'), `$1${value};`);
    const module = this.device.createShaderModule({ label, code });
    const entries = KERNELS[step.kernel].bindings.map((b): GPUBindGroupLayoutEntry => {
      const type = b.kind === 'uniform' ? 'uniform' : b.kind === 'read' ? 'read-only-storage' : 'storage';
      return { binding: b.binding, visibility: COMPUTE, buffer: { type } };
    });
    const layout = this.device.createBindGroupLayout({ label, entries });
    const pipeline = await this.device.createComputePipelineAsync({
      label,
      layout: this.device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
      compute: { module, entryPoint: 'main', constants: step.overrides },
    });
    return { pipeline, layout };
  }
}

async function fetchText(where: string, file: string): Promise<string> {
  const refuse = (got: string) =>
    new DeviceError(`${where}: ${file} must be served beside the module, got ${got}; or pass it in texts`);
  // Where files are not served, fetch itself fails, in words that name no file.
  const response = await fetch(FILES[file]).catch((error: unknown) => {
    throw refuse(String(error));
  });
  if (!response.ok) throw refuse(`status ${response.status}`);
  return response.text();
}
