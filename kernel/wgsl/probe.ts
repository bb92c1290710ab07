/** Plans of many sizes, to see which kernel variants an operator's calls ask for. */
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import type { Form } from '../../lib/tensor/backend.js';
import { caseInputNames, caseShape, casesOf } from '../../lib/tensor/cases.js';
import type { InputSpec, OperatorCase, OperatorRecord, Params } from '../../lib/tensor/record.js';
import type { PlanInfo, PlanOptions, ShapeSpec } from './runtime/plan.js';

/** What a generated module gives. */
export type Describe = (
  shapes: Record<string, ShapeSpec>,
  params?: Params,
  options?: PlanOptions,
) => PlanInfo;

/** One call to plan. */
export interface Probe {
  shapes: Record<string, ShapeSpec>;
  params: Params;
  options: PlanOptions;
}

const SIZES = [0, 1, 5, 40, 300, 1000];
const MOST_ELEMENTS = 2e7;

/** Names of inputs or outputs that gradients flow through. */
export function smoothNames(specs: readonly { name: string; differentiable?: boolean }[]): string[] {
  return specs.filter((s) => s.differentiable !== false).map((s) => s.name);
}

/** May this input be stored as f16? */
export function takesHalf(input: InputSpec): boolean {
  return input.half === true || input.dtypes?.includes('f16') === true;
}

/** Shapes of a case's inputs, with other sizes for some letters of the dims alphabet. */
export function shapesOf(
  op: OperatorRecord,
  c: OperatorCase,
  sizes: Readonly<Record<string, number>> = {},
): Record<string, Shape> {
  const changed = { ...c, dims: { ...c.dims, ...sizes } };
  return Object.fromEntries(
    caseInputNames(op, c).map((name) => [
      name,
      caseShape(
        changed,
        op.inputs.find((i) => i.name === name)!,
      ),
    ]),
  );
}

/** Shapes of a case at its own sizes, with each letter at others, and with each axis of free shapes at others. */
function variations(op: OperatorRecord, c: OperatorCase): Record<string, Shape>[] {
  const base = shapesOf(op, c);
  const found = [base];
  for (const letter of Object.keys(c.dims))
    for (const size of SIZES) found.push(shapesOf(op, c, { [letter]: size }));
  for (const name of Object.keys(base))
    for (const axis of base[name].keys())
      for (const size of SIZES) {
        const old = base[name][axis];
        // Inputs that share the axis share its new size.
        const changed = Object.entries(base).map(([key, shape]): [string, Shape] => [
          key,
          shape.map((d, i) => (d === old && (i === axis || key !== name) ? size : d)),
        ]);
        found.push(Object.fromEntries(changed));
        found.push({ ...base, [name]: base[name].map((d, i) => (i === axis ? size : d)) });
      }
  const small = (shapes: Record<string, Shape>) =>
    Object.values(shapes).every((shape) => sizeOf(shape) <= MOST_ELEMENTS);
  return found.filter(small);
}

/** The parameters of a case, and with each choice and switch set otherwise. */
function parameterSets(op: OperatorRecord, c: OperatorCase): Params[] {
  const sets: Params[] = [c.params ?? {}];
  for (const [name, p] of Object.entries(op.parameters)) {
    const values = p.type === 'boolean' ? [false, true] : (p.oneOf ?? []);
    for (const value of values) sets.push({ ...c.params, [name]: value });
  }
  return sets;
}

/** With all gradients, with each alone, with the gradient of each output alone, and without. */
function gradientSets(op: OperatorRecord, names: readonly string[]): PlanOptions[] {
  const wanted = smoothNames(op.inputs).filter((name) => names.includes(name));
  const outputs = smoothNames(op.outputs);
  return [
    {},
    { gradients: 'all' },
    ...wanted.map((name) => ({ gradients: [name] })),
    ...(outputs.length > 1
      ? outputs.map((name) => ({ gradients: 'all' as const, outputGradients: [name] }))
      : []),
  ];
}

/** Shapes with the element types that inputs may have besides the usual ones. */
function typed(
  op: OperatorRecord,
  shapes: Record<string, Shape>,
  dtypes: readonly string[],
): Probe['shapes'][] {
  const free = op.inputs.filter((i) => i.dtypes && shapes[i.name]);
  const types = new Set(
    free.flatMap((i) => i.dtypes!.filter((d) => d !== 'f64' && (d !== 'f16' || dtypes.includes(d)))),
  );
  const sets = [...types].map((dtype) =>
    Object.fromEntries(
      Object.entries(shapes).map(([name, shape]): [string, ShapeSpec] => [
        name,
        free.some((i) => i.name === name && i.dtypes!.includes(dtype)) ? { shape, dtype } : shape,
      ]),
    ),
  );
  return sets.length > 0 ? sets : [shapes];
}

/** Calls to plan for a form in the given element types. */
export function* probes(
  op: OperatorRecord,
  form: string,
  dtypes: readonly ('f32' | 'f16')[],
  differentiable: boolean,
): Generator<Probe> {
  for (const c of casesOf(op, form as Form))
    for (const dtype of dtypes)
      for (const [i, shapes] of variations(op, c).entries())
        yield* i === 0
          ? choices(op, c, shapes, dtypes, dtype, differentiable)
          : [{ shapes, params: c.params ?? {}, options: everything(dtype, differentiable) }];
}

const everything = (dtype: 'f32' | 'f16', differentiable: boolean): PlanOptions =>
  differentiable ? { dtype, gradients: 'all' } : { dtype };

/** One set of shapes in every element type, with every choice of parameters and of gradients. */
function* choices(
  op: OperatorRecord,
  c: OperatorCase,
  shapes: Record<string, Shape>,
  dtypes: readonly string[],
  dtype: 'f32' | 'f16',
  differentiable: boolean,
): Generator<Probe> {
  for (const spec of typed(op, shapes, dtypes))
    for (const params of parameterSets(op, c))
      for (const gradients of differentiable ? gradientSets(op, Object.keys(shapes)) : [{}])
        yield { shapes: spec, params, options: { dtype, ...gradients } };
}

/** The kernel variants that the calls ask for; calls that the operator refuses are passed over. */
export function seenVariants(describe: Describe, calls: Iterable<Probe>): Set<string> {
  const seen = new Set<string>();
  for (const { shapes, params, options } of calls) {
    const plan = attempt(() => describe(shapes, params, options));
    for (const step of plan ? [...plan.forward, ...plan.backward] : []) seen.add(step.variant);
  }
  return seen;
}

const REFUSALS = ['ShapeError', 'ArgumentError', 'DtypeError', 'DeviceError'];

/** What `run` gives, or undefined when the operator refuses the sizes. */
export function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof Error && REFUSALS.includes(error.name)) return undefined;
    throw error;
  }
}
