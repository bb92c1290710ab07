/** Operator records: one description from which checks, dispatch, tests, benches, export and pages follow. */
import { DTYPES, isFloat, type Dtype } from '../core/dtype.js';
import { ArgumentError, DeviceError, DtypeError, ShapeError, show } from '../core/errors.js';
import { bindShape, patternShape, sameShape, type Dims, type Shape } from '../core/shape.js';
import { currentBackend, isOpen, type BackendName, type Form } from './backend.js';
import { noGrad, record, shouldRecord } from './tape.js';
import { requireTensor, Tensor } from './tensor.js';
import type {
  Call,
  Implementation,
  InputSpec,
  OperatorRecord,
  OptionalTensors,
  Params,
  ParameterSpec,
  Tensors,
} from './record.js';

export type * from './record.js';

export interface CallOptions {
  form?: Form;
  backend?: BackendName;
}

/** A record that can be called. */
export interface Operator {
  (inputs: OptionalTensors, params?: Params, options?: CallOptions): Tensors;
  readonly record: OperatorRecord;
}

const registry = new Map<string, Operator>();

/** Every operator that was defined, in order of definition. */
export function operators(): Operator[] {
  return [...registry.values()];
}

/** Looks an operator up by id. @throws ArgumentError that lists near names. */
export function operator(id: string): Operator {
  const found = registry.get(id);
  if (!found)
    throw new ArgumentError(
      `operator: id must be one of ${[...registry.keys()].join(', ')}, got ${show(id)}`,
    );
  return found;
}

/** Registers a record and returns the function that runs it. */
export function defineOperator(op: OperatorRecord): Operator {
  if (registry.has(op.id)) throw new ArgumentError(`defineOperator: id must be new, got ${show(op.id)}`);
  const run = (inputs: OptionalTensors, params: Params = {}, options: CallOptions = {}) =>
    execute(op, inputs, params, options);
  const made = Object.assign(run, { record: op }) as Operator;
  registry.set(op.id, made);
  return made;
}

/** Sees the outermost calls of operators. */
export type CallObserver = (op: OperatorRecord, dims: Dims, params: Params) => void;

let observer: CallObserver | undefined;

/** Runs `run` and reports every operator called in it, not those that kernels call in turn. */
export function observeCalls<T>(see: CallObserver, run: () => T): T {
  const before = observer;
  observer = see;
  try {
    return run();
  } finally {
    observer = before;
  }
}

function unobserved<T>(call: Call, run: () => T): T {
  const see = observer;
  if (!see) return run();
  see(call.op, call.dims, call.params);
  observer = undefined;
  try {
    return run();
  } finally {
    observer = see;
  }
}

function execute(op: OperatorRecord, inputs: OptionalTensors, given: Params, options: CallOptions): Tensors {
  const params = checkParams(op, given);
  const present = op.inputs.flatMap((spec) => (inputs[spec.name] ? [inputs[spec.name]!] : []));
  const call: Call = {
    op,
    // A copy: the backward pass must not see what the caller does to the object later.
    in: { ...inputs },
    params,
    dims: {},
    lead: [],
    training: shouldRecord(op, inputs),
    saved: {},
    out: {},
    grad: {},
    needs: () => true,
  };
  checkInputs(op, call);
  op.check?.(call);
  const backend = chooseBackend(op, present, options);
  const implementation = resolve(op, backend, options, call);
  // Kernels may be written with other operators; only this call goes on the tape.
  const outputs = noGrad(() => unobserved(call, () => implementation.forward(call))) as Tensors;
  for (const t of Object.values(outputs)) t.origin = op.id;
  if (call.training) record(call, implementation, outputs);
  return outputs;
}

/** Element types met so far: of inputs that may be f16, and of the others. */
interface FloatTypes {
  half?: Dtype;
  full?: Dtype;
}

/** Accepted types; inputs of one kind agree, and the others accompany f16 in f32. */
function checkDtype(op: OperatorRecord, spec: InputSpec, t: Tensor, floats: FloatTypes): void {
  const listed = spec.dtypes ?? (['f32', 'f64'] as const);
  const accepted = spec.half && t.device === 'gpu' ? [...listed, 'f16'] : listed;
  if (!accepted.includes(t.dtype))
    throw new DtypeError(`${op.id}: ${spec.name} must be ${accepted.join(' or ')}, got ${t.dtype}`);
  if (!isFloat(t.dtype) || spec.dtypes) return;
  const kind = spec.half ? 'half' : 'full';
  const other = spec.half ? floats.full : floats.half;
  const alone = other === undefined || other === 'f64' || t.dtype === 'f64' ? other : undefined;
  const wanted = floats[kind] ?? alone;
  if (wanted !== undefined && t.dtype !== wanted)
    throw new DtypeError(
      `${op.id}: ${spec.name} must be ${wanted} like the inputs before it, got ${t.dtype}; cast one`,
    );
  floats[kind] = t.dtype;
}

/** Shapes, dtypes and devices against the record; binds the dims. */
export function checkInputs(op: OperatorRecord, call: Call): void {
  for (const name of Object.keys(call.in))
    if (!op.inputs.some((spec) => spec.name === name))
      throw new ArgumentError(
        `${op.id}: inputs must be ${op.inputs.map((i) => i.name).join(', ')}, got ${show(name)}`,
      );
  const floats: FloatTypes = {};
  for (const spec of op.inputs) {
    const t = call.in[spec.name];
    if (t === undefined) {
      if (!spec.optional)
        throw new ArgumentError(
          `${op.id}: ${spec.name} must be given (shape [${spec.shape}]), got undefined`,
        );
      continue;
    }
    requireTensor(op.id, spec.name, t);
    t.alive(op.id);
    checkDtype(op, spec, t, floats);
    bindShape(op.id, spec.name, spec.shape, t.shape, call.dims);
    if (spec.shape.startsWith('...')) bindLead(op, spec, t, call);
  }
}

/** `...` stands for the same axes in every input, not only for as many elements. */
function bindLead(op: OperatorRecord, spec: InputSpec, t: Tensor, call: Call): void {
  const lead = t.shape.slice(0, t.rank - spec.shape.split(' ').length + 1);
  const first = op.inputs.find((i) => i.shape.startsWith('...'));
  if (spec !== first && !sameShape(lead, call.lead))
    throw new ShapeError(
      `${op.id}: ${spec.name} must have leading axes ${show([...call.lead])} like ${first?.name}, got ${show([...t.shape])}`,
    );
  (call as { lead: Shape }).lead = lead;
}

/** Parameters with their defaults, checked against the record. */
export function checkParams(op: OperatorRecord, given: Params): Params {
  for (const name of Object.keys(given))
    if (!Object.hasOwn(op.parameters, name))
      throw new ArgumentError(
        `${op.id}: parameters must be among ${Object.keys(op.parameters).join(', ') || '(none)'}, got ${show(name)}`,
      );
  const params: Params = {};
  for (const [name, spec] of Object.entries(op.parameters)) {
    const value = given[name] ?? spec.default;
    if (value !== undefined) checkParam(op.id, name, spec, value);
    else if (spec.required)
      throw new ArgumentError(`${op.id}: ${name} must be given (${spec.doc}), got undefined`);
    params[name] = Array.isArray(value) ? [...(value as readonly number[])] : value;
  }
  return params;
}

function checkParam(id: string, name: string, spec: ParameterSpec, value: unknown): void {
  const fail = (condition: string): never => {
    throw new ArgumentError(`${id}: ${name} must ${condition}, got ${show(value)}`);
  };
  if (spec.type === 'integers') {
    if (!Array.isArray(value) || !value.every(Number.isInteger)) fail('be an array of integers');
  } else if (spec.type === 'integer') {
    if (!Number.isInteger(value)) fail('be an integer');
  } else if (typeof value !== spec.type || Number.isNaN(value)) fail(`be a ${spec.type}`);
  if (spec.minimum !== undefined && (value as number) < spec.minimum) fail(`be >= ${spec.minimum}`);
  if (spec.maximum !== undefined && (value as number) > spec.maximum) fail(`be <= ${spec.maximum}`);
  if (spec.oneOf && !spec.oneOf.includes(value as string)) fail(`be one of ${spec.oneOf.join(', ')}`);
}

function chooseBackend(op: OperatorRecord, present: Tensor[], options: CallOptions): BackendName {
  const device = present[0]?.device ?? (currentBackend() === 'webgpu' ? 'gpu' : 'host');
  for (const t of present)
    if (t.device !== device)
      throw new DeviceError(
        `${op.id}: inputs must live on one device, got ${present.map((p) => p.device).join(', ')}; use t.to('gpu') or await t.toHost()`,
      );
  const host = currentBackend() === 'webgpu' ? (isOpen('wasm') ? 'wasm' : 'cpu') : currentBackend();
  const wanted = options.backend ?? (device === 'gpu' ? 'webgpu' : host);
  if ((wanted === 'webgpu') !== (device === 'gpu'))
    throw new DeviceError(
      `${op.id}: inputs must live on the ${wanted === 'webgpu' ? 'GPU' : 'host'} for backend ${wanted}, got tensors on the ${device}`,
    );
  if (!isOpen(wanted))
    throw new DeviceError(
      `${op.id}: backend ${wanted} must be open, got a closed one; call "await openBackend('${wanted}')"`,
    );
  // Only the TypeScript kernels compute in f64.
  return present.some((t) => t.dtype === 'f64') ? 'cpu' : wanted;
}

/** The implementation of a form on a backend. `wasm` falls back on the TypeScript kernel, which is as deterministic. */
function resolve(
  op: OperatorRecord,
  backend: BackendName,
  options: CallOptions,
  { dims, params }: Pick<Call, 'dims' | 'params'>,
): Implementation {
  const preferred = options.form ?? op.prefer?.(backend, dims, params);
  const rest = options.form ? [] : (Object.keys(op.forms) as Form[]).sort(preferFast);
  const forms = preferred ? [preferred, ...rest] : rest;
  const chain: BackendName[] = backend === 'wasm' ? ['wasm', 'cpu'] : [backend];
  for (const b of chain)
    for (const form of forms) {
      const found = op.forms[form]?.[b];
      if (found) return found;
    }
  const exist = Object.entries(op.forms).flatMap(([f, bs]) => Object.keys(bs ?? {}).map((b) => `${f}/${b}`));
  throw new DeviceError(
    `${op.id}: form and backend must be one of ${exist.join(', ')}, got ${options.form ?? 'any'}/${backend}`,
  );
}

function preferFast(a: Form, b: Form): number {
  return Number(a === 'reference') - Number(b === 'reference') || Number(a === 'step') - Number(b === 'step');
}

/** Shape of an output by its pattern in the record. */
export function outputShape(call: Call, name: string): number[] {
  const spec = call.op.outputs.find((o) => o.name === name);
  if (!spec) throw new ShapeError(`${call.op.id}: output must be declared, got ${show(name)}`);
  return patternShape(spec.shape, call.dims, call.lead);
}

/** An uninitialised tensor on the device and in the float dtype of the first input, or as given. */
export function allocate(call: Call, shape: Shape, dtype?: Dtype): Tensor {
  const first = Object.values(call.in).find((t) => t && DTYPES.includes(t.dtype));
  const like =
    Object.values(call.in).find((t) => t && (t.dtype === 'f32' || t.dtype === 'f64' || t.dtype === 'f16')) ??
    first;
  return Tensor.empty(shape, dtype ?? like?.dtype ?? 'f32', first?.device ?? 'host', call.op.id);
}
