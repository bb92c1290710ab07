/** Operators while a call is planned: their host code runs as it does in the library, and dispatches are written down. */
import { ArgumentError, DeviceError, show } from '../../../lib/core/errors.js';
import { dtypeBytes } from '../../../lib/core/dtype.js';
import type { Dims, Shape } from '../../../lib/core/shape.js';
import type { Defines, Overrides } from '../../../lib/gpu/source.js';
import { checkInputs, checkParams } from '../../../lib/tensor/operator.js';
import type { InputSpec, OutputSpec, Params, ParameterSpec } from '../../../lib/tensor/record.js';
import { FORM, KERNELS } from './tables.js';
import { Tensor, type Slot } from './tensors.js';

export type Tensors = Record<string, Tensor>;
export type OptionalTensors = Record<string, Tensor | undefined>;

/** What the host code of a kernel sees. The same object serves forward and backward. */
export interface Call {
  readonly op: OperatorRecord;
  readonly in: OptionalTensors;
  readonly params: Params;
  readonly dims: Dims;
  /** Sizes that `...` stood for. */
  readonly lead: Shape;
  /** True when a backward pass will follow: keep what it needs in `saved`. */
  readonly training: boolean;
  readonly saved: Tensors;
  /** Backward only: outputs of the forward pass. */
  out: Tensors;
  /** Backward only: gradients of the outputs; undefined stands for zero. */
  grad: OptionalTensors;
  /** Backward only: does this input need a gradient? */
  needs(name: string): boolean;
}

export type Kernel = (call: Call) => OptionalTensors;

export interface Implementation {
  forward: Kernel;
  /** Gradients by input name. Absent: the record's own `gradient` is used. */
  backward?: Kernel;
}

export interface OperatorRecord {
  id: string;
  inputs: readonly InputSpec[];
  outputs: readonly OutputSpec[];
  parameters: Record<string, ParameterSpec>;
  forms: Record<string, { webgpu?: Implementation }>;
  /** Gradient written with other operators. */
  gradient?: Kernel;
  /** Checks beyond shapes and ranges. */
  check?: (call: Call) => void;
}

/** The only backend there is here; it stands in for the library's list. */
export type BackendName = 'webgpu';

export interface Operator {
  (inputs: OptionalTensors, params?: Params, options?: { form?: string; backend?: BackendName }): Tensors;
  readonly record: OperatorRecord;
}

/** One dispatch as host code asks for it. */
export interface Dispatch {
  /** Operator id, for messages. */
  where: string;
  kernel: string;
  defs?: Defines;
  overrides?: Overrides;
  /** By binding name; undefined stands for an absent optional input. */
  tensors: Record<string, Tensor | undefined>;
  params: Record<string, number | readonly number[]>;
  /** Invocations wanted, 256 to a workgroup. */
  threads?: number;
  /** Workgroups wanted, folded to two dimensions. */
  rows?: number;
  /** Workgroups as they are. */
  groups?: readonly [number, number, number];
  /** Rough operations; not used here. */
  work?: number;
}

/** One dispatch of a plan. Ranges are in the order of the kernel's bindings; undefined for uniforms and absent inputs. */
export interface Step {
  kernel: string;
  /** Element types, which choose the file. */
  types: Defines;
  /** Constants written into its text. */
  sizes: Defines;
  overrides: Overrides;
  params: Record<string, number | readonly number[]>;
  groups: readonly [number, number, number];
  ranges: readonly ({ slot: Slot; offset: number; size: number } | undefined)[];
  /** Is the file with subgroup operations taken, where this kernel has one? */
  subgroups: boolean;
}

/** What a plan is made for: the device's features, and the list that dispatches are written into. */
export interface GpuContext {
  readonly features: ReadonlySet<string>;
  steps: Step[];
}

let planning: GpuContext | undefined;

/** Runs host code and gives back the dispatches it asks for. */
export function recordSteps<T>(features: ReadonlySet<string>, run: () => T): { result: T; steps: Step[] } {
  const before = planning;
  const context: GpuContext = { features, steps: [] };
  planning = context;
  try {
    return { result: run(), steps: context.steps };
  } finally {
    planning = before;
  }
}

export function gpuContext(where = 'gpu'): GpuContext {
  if (!planning) throw new DeviceError(`${where}: a call must be planned, got none`);
  return planning;
}

const MOST = 65535;
/** Offsets that every device can bind. */
const ALIGN = 256;

/** Writes one dispatch down. Nothing is written when it has no work. */
export function dispatch(d: Dispatch): void {
  const groups = d.groups ?? fold(d.rows ?? Math.ceil((d.threads ?? 0) / 256));
  if (groups.some((g) => g === 0)) return;
  if (groups.some((g) => g > MOST))
    throw new DeviceError(
      `${d.where}: workgroups must be at most ${MOST} in each dimension, got ${groups.join(' x ')}`,
    );
  const info = KERNELS[d.kernel];
  if (!info) throw new DeviceError(`${d.where}: kernel must be in this export, got ${show(d.kernel)}`);
  const given = d.defs ?? {};
  const types = { ...info.types };
  for (const name of Object.keys(types)) types[name] = String(given[name] ?? types[name]);
  const sizes = Object.fromEntries(
    info.sizes.filter((name) => name in given).map((name) => [name, given[name]]),
  );
  const ranges = info.bindings.map((b) => {
    const t = b.kind === 'uniform' ? undefined : d.tensors[b.name];
    return t && rangeOf(d.where, t);
  });
  const { kernel, params } = d;
  const context = gpuContext(d.where);
  context.steps.push({
    kernel,
    types,
    sizes,
    overrides: d.overrides ?? {},
    params,
    groups,
    ranges,
    subgroups: context.features.has('subgroups'),
  });
}

function fold(groups: number): [number, number, number] {
  if (groups <= MOST) return [groups, 1, 1];
  const y = Math.ceil(groups / MOST);
  return [Math.ceil(groups / y), y, 1];
}

/** The bytes of a tensor; a view at an offset that cannot be bound is copied first. */
function rangeOf(where: string, t: Tensor): { slot: Slot; offset: number; size: number } {
  const width = dtypeBytes(t.dtype);
  const offset = t.offset * width;
  const size = Math.max(4, Math.ceil((t.size * width) / 4) * 4);
  if (offset % ALIGN === 0) return { slot: t.slot, offset, size };
  return rangeOf(where, copied(where, t));
}

/** The elements of a tensor in a buffer of their own. */
export function copied(where: string, t: Tensor, bound = false): Tensor {
  const width = dtypeBytes(t.dtype);
  const base = Math.floor((t.offset * width) / ALIGN) * (ALIGN / width);
  const extent = t.offset - base + t.size;
  const x = new Tensor(t.slot, [extent], t.dtype, base, where);
  const y = Tensor.empty(t.shape, t.dtype, 'gpu', where, bound);
  dispatch({
    where,
    kernel: 'ops/structure/copy',
    defs: { T: t.dtype === 'f16' ? 'f16' : 'u32' },
    tensors: { x, y },
    params: { count: t.size, offset: t.offset - base },
    threads: t.size,
  });
  return y;
}

/** A call of an operator with checked inputs and parameters. */
export function callOf(op: OperatorRecord, inputs: OptionalTensors, given: Params, training: boolean): Call {
  const call: Call = {
    op,
    in: { ...inputs },
    params: checkParams(op as never, given),
    dims: {},
    lead: [],
    training,
    saved: {},
    out: {},
    grad: {},
    needs: () => true,
  };
  checkInputs(op as never, call as never);
  op.check?.(call);
  return call;
}

/**
 * The implementation of a form. A call without one takes the form of the export where the operator has it, else its
 * first; of operators used inside the export holds no more than that.
 */
export function implementationOf(op: OperatorRecord, form?: string): Implementation {
  const asked = op.forms[form ?? FORM]?.webgpu;
  if (asked) return asked;
  const exist = Object.keys(op.forms).filter((name) => op.forms[name].webgpu);
  if (form === undefined && exist.length > 0) return op.forms[exist[0]].webgpu!;
  throw new DeviceError(
    `${op.id}: form must be one with WGSL kernels in this export (${exist.join(', ') || 'none'}), got ${form ?? FORM}`,
  );
}

/** A call that gradients are followed back through. */
export interface Followed {
  inputs: OptionalTensors;
  outputs: Tensors;
  /** Gradients by input name, given gradients by output name. */
  backward: (grad: OptionalTensors, needs: (name: string) => boolean) => OptionalTensors;
}

interface Tape {
  tracked: Set<number>;
  nodes: Followed[];
}

let tape: Tape | undefined;

function withTape<T>(next: Tape | undefined, run: () => T): T {
  const before = tape;
  tape = next;
  try {
    return run();
  } finally {
    tape = before;
  }
}

/** Do gradients that are being followed flow into one of these? */
export function isFollowed(inputs: OptionalTensors): boolean {
  const recording = tape;
  return recording !== undefined && Object.values(inputs).some((t) => t && recording.tracked.has(t.id));
}

/** Notes a call whose inputs are followed. */
export function follow(node: Followed): void {
  for (const t of Object.values(node.outputs)) tape?.tracked.add(t.id);
  tape?.nodes.push(node);
}

const isSmooth = (specs: readonly { name: string; differentiable?: boolean }[], name: string) =>
  specs.find((s) => s.name === name)?.differentiable !== false;

function smoothOf<T>(
  specs: readonly { name: string; differentiable?: boolean }[],
  tensors: Record<string, T>,
): Record<string, T> {
  return Object.fromEntries(Object.entries(tensors).filter(([name]) => isSmooth(specs, name)));
}

export function defineOperator(op: OperatorRecord): Operator {
  const run = (
    inputs: OptionalTensors,
    params: Params = {},
    options: { form?: string; backend?: BackendName } = {},
  ): Tensors => {
    const followed = isFollowed(smoothOf(op.inputs, inputs));
    const call = callOf(op, inputs, params, followed);
    const implementation = implementationOf(op, options.form);
    const outputs = withTape(undefined, () => implementation.forward(call)) as Tensors;
    if (!followed) return outputs;
    const backward = implementation.backward ?? op.gradient;
    if (!backward) throw new ArgumentError(`${op.id}: operator must have a gradient here, got none`);
    follow({
      inputs: smoothOf(op.inputs, call.in),
      outputs: smoothOf(op.outputs, outputs),
      backward: (grad, needs) => backward({ ...call, out: outputs, grad, needs }),
    });
    return outputs;
  };
  return Object.assign(run, { record: op });
}

/** Runs without following gradients. */
export function noGrad<T>(run: () => T): T {
  return withTape(undefined, run);
}

/** The calls that `run` makes on tensors that come from `leaves`. */
export function followCalls<T>(
  leaves: readonly Tensor[],
  run: () => T,
): { result: T; nodes: Followed[]; tracked: Set<number> } {
  const made: Tape = { tracked: new Set(leaves.map((t) => t.id)), nodes: [] };
  return { result: withTape(made, run), nodes: made.nodes, tracked: made.tracked };
}
