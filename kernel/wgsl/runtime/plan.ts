/** Plans of one operator: its dispatches for given sizes, the buffers between them, and what the device must offer. */
import { dtypeBytes, type Dtype } from '../../../lib/core/dtype.js';
import { ArgumentError, show } from '../../../lib/core/errors.js';
import type { Shape } from '../../../lib/core/shape.js';
import type { InputSpec, Params } from '../../../lib/tensor/record.js';
import {
  callOf,
  copied,
  implementationOf,
  recordSteps,
  type Call,
  type Kernel,
  type OperatorRecord,
  type OptionalTensors,
  type Step,
  type Tensors,
} from './operators.js';
import { KERNELS, VARIANTS } from './tables.js';
import { Tensor, type Slot } from './tensors.js';

/** A shape, or a shape with another element type than the usual one. */
export type ShapeSpec = Shape | { readonly shape: Shape; readonly dtype: Dtype };

export interface PlanOptions<InputName extends string = string, OutputName extends string = string> {
  /** Element type of the inputs that may be f16; default f32. */
  dtype?: 'f32' | 'f16';
  /** Inputs whose gradients are wanted, or `all`; without it there is no backward pass. */
  gradients?: 'all' | readonly InputName[];
  /** Outputs whose gradients backward() is given; the others count as zero. Default: all. */
  outputGradients?: readonly OutputName[];
  /**
   * Features that kernels may be chosen by; a launcher fills in those of its device. Where `subgroups` is among them,
   * the files with subgroup operations are taken.
   */
  features?: Iterable<string>;
}

export interface TensorInfo {
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** What a buffer must hold. */
  readonly bytes: number;
}

/** One dispatch, as the README of an export lists it. */
export interface DispatchInfo {
  readonly kernel: string;
  /** The kernel with its element types. */
  readonly variant: string;
  readonly file: string;
  readonly workgroups: readonly [number, number, number];
  readonly constants: Readonly<Record<string, number>>;
  /** Constants written into the text of the file. */
  readonly sizes: Readonly<Record<string, string | number>>;
  readonly params: Readonly<Record<string, number | readonly number[]>>;
  /** What lies at each storage binding: an input, output or gradient by name, `scratch 0` and so on, or `none`. */
  readonly bindings: Readonly<Record<string, string>>;
}

/** Everything that follows from sizes and parameters alone. */
export interface Plan {
  readonly forward: readonly Step[];
  readonly backward: readonly Step[];
  readonly inputs: Tensors;
  readonly outputs: Tensors;
  readonly outputGradients: Tensors;
  readonly gradients: Tensors;
  /** Buffers between the dispatches, in bytes, and which of them a slot lies in. */
  readonly scratch: readonly number[];
  readonly places: ReadonlyMap<Slot, number>;
}

/** Plans a call. @throws ShapeError, DtypeError or ArgumentError that names the input or parameter */
export function planCall(
  op: OperatorRecord,
  shapes: Record<string, ShapeSpec | undefined>,
  params: Params,
  options: PlanOptions,
): Plan {
  const features = new Set(options.features ?? []);
  const inputs: Tensors = {};
  for (const [name, spec] of Object.entries(shapes))
    if (spec !== undefined) inputs[name] = inputTensor(op, name, spec, options.dtype ?? 'f32');
  const wanted = wantedGradients(op, inputs, options.gradients);
  const call = callOf(op, inputs, params, wanted.length > 0);
  const implementation = implementationOf(op);
  const claimed = new Set<Slot>();
  const forward = recordSteps(features, () =>
    owned(op, implementation.forward(call), names(op.outputs), claimed),
  );
  const outputs = forward.result;
  const outputGradients: Tensors = {};
  let backward: { result: Tensors; steps: Step[] } = { result: {}, steps: [] };
  if (wanted.length > 0) {
    for (const name of options.outputGradients ?? smooth(op.outputs))
      outputGradients[name] = gradientOf(op, name, outputs);
    const kernel = implementation.backward ?? op.gradient;
    if (!kernel) throw new ArgumentError(`${op.id}: gradients must not be asked for, it has none`);
    backward = recordSteps(features, () =>
      owned(op, pullBack(call, kernel, outputs, outputGradients, wanted), wanted, claimed),
    );
  }
  const steps = { forward: forward.steps, backward: backward.steps };
  return { ...steps, inputs, outputs, outputGradients, gradients: backward.result, ...placeScratch(steps) };
}

const names = (specs: readonly { name: string }[]) => specs.map((s) => s.name);

/** Names of those that gradients flow through. */
function smooth(specs: readonly { name: string; differentiable?: boolean }[]): string[] {
  return names(specs.filter((s) => s.differentiable !== false));
}

function inputTensor(op: OperatorRecord, name: string, spec: ShapeSpec, dtype: 'f32' | 'f16'): Tensor {
  const input = op.inputs.find((i) => i.name === name);
  if (!input)
    throw new ArgumentError(
      `${op.id}: inputs must be ${names(op.inputs).join(', ') || '(none)'}, got ${show(name)}`,
    );
  const plain = 'shape' in spec ? spec : { shape: spec, dtype: usualType(input, dtype) };
  return Tensor.empty(plain.shape, plain.dtype, 'gpu', name, true);
}

/** The element type of an input when none is given. */
function usualType(input: InputSpec, dtype: 'f32' | 'f16'): Dtype {
  if (input.half || input.dtypes?.includes('f16')) return dtype;
  return !input.dtypes || input.dtypes.includes('f32') ? 'f32' : input.dtypes[0];
}

function wantedGradients(
  op: OperatorRecord,
  inputs: Tensors,
  wanted: PlanOptions['gradients'],
): readonly string[] {
  const possible = smooth(op.inputs).filter((name) => inputs[name]);
  if (wanted === undefined || wanted === 'all') return wanted ? possible : [];
  for (const name of wanted)
    if (!possible.includes(name))
      throw new ArgumentError(
        `${op.id}: gradients must be among ${possible.join(', ') || '(none)'}, got ${show(name)}`,
      );
  return wanted;
}

function gradientOf(op: OperatorRecord, name: string, outputs: Tensors): Tensor {
  if (!smooth(op.outputs).includes(name))
    throw new ArgumentError(
      `${op.id}: outputGradients must be among ${smooth(op.outputs).join(', ')}, got ${show(name)}`,
    );
  return Tensor.empty(outputs[name].shape, outputs[name].dtype, 'gpu', `gradient of ${name}`, true);
}

function pullBack(
  call: Call,
  kernel: Kernel,
  outputs: Tensors,
  grad: Tensors,
  wanted: readonly string[],
): OptionalTensors {
  return kernel({ ...call, out: outputs, grad, needs: (name) => wanted.includes(name) });
}

/** Results that each have a buffer of their own, which the caller may bind; others are copied into one. */
function owned(
  op: OperatorRecord,
  made: OptionalTensors,
  wanted: readonly string[],
  claimed: Set<Slot>,
): Tensors {
  const found: Tensors = {};
  for (const name of wanted) {
    const t = made[name];
    if (!t) throw new ArgumentError(`${op.id}: host code must give ${name}, got none`);
    const whole =
      t.offset === 0 && t.slot.bytes === Math.ceil((Math.max(1, t.size) * dtypeBytes(t.dtype)) / 4) * 4;
    const free = whole && !t.slot.bound && !t.slot.own && !claimed.has(t.slot);
    found[name] = free ? t : copied(op.id, t, true);
    found[name].slot.bound = true;
    claimed.add(found[name].slot);
  }
  return found;
}

/** Buffers between dispatches share memory when their times of use do not meet. */
function placeScratch(steps: { forward: Step[]; backward: Step[] }): Pick<Plan, 'scratch' | 'places'> {
  const uses = new Map<Slot, { first: number; last: number }>();
  for (const [at, step] of [...steps.forward, ...steps.backward].entries())
    for (const range of step.ranges)
      if (range && !range.slot.bound) {
        const use = uses.get(range.slot);
        if (use) use.last = at;
        else uses.set(range.slot, { first: at, last: at });
      }
  const scratch: { bytes: number; until: number }[] = [];
  const places = new Map<Slot, number>();
  for (const [slot, { first, last }] of uses) {
    const bytes = Math.ceil(slot.bytes / 256) * 256;
    const fits = slot.own ? [] : scratch.filter((s) => s.until < first);
    // The tightest one that is large enough, else the largest one, which grows.
    const best = fits.sort(
      (a, b) =>
        Number(b.bytes >= bytes) - Number(a.bytes >= bytes) ||
        Math.abs(a.bytes - bytes) - Math.abs(b.bytes - bytes),
    )[0];
    const place = best ?? { bytes, until: 0 };
    if (!best) scratch.push(place);
    place.bytes = Math.max(place.bytes, bytes);
    place.until = slot.own ? Infinity : last;
    places.set(slot, scratch.indexOf(place));
  }
  return { scratch: scratch.map((s) => s.bytes), places };
}

/** Name of the kernel variant of a step, as VARIANTS has it. */
export function variantOf(step: Step): string {
  const types = Object.entries(step.types).map(([k, v]) => `${k}=${v}`);
  const subgroups = [`${step.kernel}-subgroups`, ...types].join(' ');
  return step.subgroups && subgroups in VARIANTS ? subgroups : [step.kernel, ...types].join(' ');
}

export function infoOf(t: Tensor): TensorInfo {
  return { shape: t.shape, dtype: t.dtype, bytes: t.slot.bytes };
}

/** A plan in words and numbers. */
export interface PlanInfo {
  readonly outputs: Readonly<Record<string, TensorInfo>>;
  readonly gradients: Readonly<Record<string, TensorInfo>>;
  readonly forward: readonly DispatchInfo[];
  readonly backward: readonly DispatchInfo[];
  /** Bytes of each buffer between dispatches. */
  readonly scratch: readonly number[];
}

export function infosOf(tensors: Tensors): Record<string, TensorInfo> {
  return Object.fromEntries(Object.entries(tensors).map(([name, t]) => [name, infoOf(t)]));
}

export function describePlan(plan: Plan): PlanInfo {
  const named = new Map<Slot, string>();
  const name = (tensors: Tensors, what: string) => {
    for (const [key, t] of Object.entries(tensors)) named.set(t.slot, what + key);
  };
  name(plan.gradients, 'gradient of ');
  name(plan.outputGradients, 'gradient of ');
  name(plan.outputs, '');
  name(plan.inputs, '');
  const place = (slot: Slot) => named.get(slot) ?? `scratch ${plan.places.get(slot)}`;
  const words = (steps: readonly Step[]) => steps.map((step) => describeStep(step, place));
  const [outputs, gradients] = [infosOf(plan.outputs), infosOf(plan.gradients)];
  return {
    outputs,
    gradients,
    forward: words(plan.forward),
    backward: words(plan.backward),
    scratch: plan.scratch,
  };
}

function describeStep(step: Step, place: (slot: Slot) => string): DispatchInfo {
  const bindings: Record<string, string> = {};
  for (const [i, b] of KERNELS[step.kernel].bindings.entries()) {
    const slot = step.ranges[i]?.slot;
    if (b.kind !== 'uniform') bindings[b.name] = slot ? place(slot) : 'none';
  }
  return {
    kernel: step.kernel,
    variant: variantOf(step),
    file: VARIANTS[variantOf(step)]?.file ?? '(not in this export)',
    workgroups: step.groups,
    constants: step.overrides,
    sizes: step.sizes,
    params: step.params,
    bindings,
  };
}
