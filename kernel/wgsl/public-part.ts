/** The typed, documented part of a launch file, written from the operator's record. */
import type { InputSpec, OperatorRecord, ParameterSpec } from '../../lib/tensor/record.js';

/** `ops/rms-norm` becomes `RmsNorm`, `moe-routing/plan` `MoeRoutingPlan`. */
export function typeName(id: string): string {
  return id
    .replace(/^ops\//, '')
    .split(/[/-]/)
    .map((w) => w[0].toUpperCase() + w.slice(1))
    .join('');
}

/** Names that the public part declares. */
export function publicNames(id: string): string[] {
  const name = typeName(id);
  const types = ['Inputs', 'Parameters', 'Names', 'Launcher', 'Plan'].map((word) => name + word);
  return [...types, `create${name}`, `describe${name}`];
}

/** Shapes of a pattern as people read them: `[B, T, G, N] or [D, N]`. */
export function readShape(pattern: string): string {
  if (pattern === '*') return 'any shape';
  return pattern
    .split('|')
    .map((p) => `[${p.trim().split(' ').filter(Boolean).join(', ')}]`)
    .join(' or ');
}

/** Element types a GPU can be given for an input. */
export function inputTypes(input: InputSpec): string[] {
  const listed = (input.dtypes ?? ['f32']).filter((d) => d !== 'f64');
  return input.half && !listed.includes('f16') ? [...listed, 'f16'] : listed;
}

const TYPES: Record<ParameterSpec['type'], string> = {
  number: 'number',
  integer: 'number',
  boolean: 'boolean',
  string: 'string',
  integers: 'readonly number[]',
};

function parameterType(p: ParameterSpec): string {
  return p.oneOf ? p.oneOf.map((v) => `'${v}'`).join(' | ') : TYPES[p.type];
}

/** Range and default of a parameter in words. */
export function parameterNote(p: ParameterSpec): string {
  const notes = [
    p.minimum !== undefined ? `at least ${p.minimum}` : '',
    p.maximum !== undefined ? `at most ${p.maximum}` : '',
    p.default !== undefined ? `default ${JSON.stringify(p.default)}` : '',
  ].filter(Boolean);
  return `${p.doc}${notes.length ? ` (${notes.join(', ')})` : ''}`;
}

const union = (names: readonly string[]) => names.map((n) => `'${n}'`).join(' | ') || 'never';

const smooth = <T extends { differentiable?: boolean }>(specs: readonly T[]) =>
  specs.filter((s) => s.differentiable !== false);

/** The exported types and functions. `operator` is the expression of the record in the host code. */
export function publicPart(op: OperatorRecord, operator: string, differentiable: boolean): string {
  const name = typeName(op.id);
  const inputs = op.inputs.map(
    (i) =>
      `  /** ${readShape(i.shape)} in ${inputTypes(i).join(', ')}: ${i.doc}${i.optional ? '; optional' : ''} */\n  ${i.name}${i.optional ? '?' : ''}: T;`,
  );
  const parameters = Object.entries(op.parameters).map(
    ([key, p]) => `  /** ${parameterNote(p)} */\n  ${key}${p.required ? '' : '?'}: ${parameterType(p)};`,
  );
  const required = Object.values(op.parameters).some((p) => p.required);
  const outputs = op.outputs.map((o) => ` *   ${o.name} ${readShape(o.shape)}: ${o.doc}`);
  return `/** One entry for each input: a shape when planning, a buffer when recording. */
export type ${name}Inputs<T> = ${inputs.length ? `{\n${inputs.join('\n')}\n}` : 'Record<never, T>'};

export type ${name}Parameters = {
${parameters.join('\n')}
};

/** Outputs${differentiable ? ', those with gradients, and inputs with gradients' : ''}. */
export type ${name}Names = {
  outputs: ${union(op.outputs.map((o) => o.name))};
  smooth: ${differentiable ? union(smooth(op.outputs).map((o) => o.name)) : 'never'};
  gradients: ${differentiable ? union(smooth(op.inputs).map((i) => i.name)) : 'never'};
};

export type ${name}Launcher = Launcher<
  ${name}Names,
  ${name}Inputs<ShapeSpec>,
  ${name}Parameters,
  ${name}Inputs<Bindable>
>;
export type ${name}Plan = OperatorPlan<${name}Names, ${name}Inputs<Bindable>>;

/**
 * ${op.summary}: ${op.equation}
 * Outputs:
${outputs.join('\n')}
 * Launches on the caller's device; nothing is submitted, mapped or kept beyond the plans.
 * @throws DeviceError that names each of WebGPU's default limits the device lacks
 */
export function create${name}(device: GPUDevice, options: LaunchOptions = {}): ${name}Launcher {
  return new Launcher(${operator}.record, device, options);
}

/** What a call dispatches and needs, without a device: workgroups, parameters, bytes of every buffer. */
export function describe${name}(
  shapes: ${name}Inputs<ShapeSpec>,
  parameters: ${name}Parameters${required ? '' : ' = {}'},
  options: PlanOptions<${name}Names['gradients'], ${name}Names['smooth']> = {},
): PlanInfo {
  return describePlan(planCall(${operator}.record, shapes, parameters, options));
}

export type { Bindable, DispatchInfo, LaunchOptions, PlanInfo, PlanOptions, ShapeSpec, TensorInfo };
export { ArgumentError, DeviceError, DtypeError, ShapeError };`;
}
