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
/** Bytes between dispatches beyond which a size is not made larger still. */
const MOST_SCRATCH = 2 ** 25;

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

type Shapes = Record<string, Shape>;

/** Shapes of a case with each letter, and each axis of free shapes, at other sizes: rows of growing ones. */
function variations(op: OperatorRecord, c: OperatorCase): Shapes[][] {
  const base = shapesOf(op, c);
  const rows = Object.keys(c.dims).map((letter) => SIZES.map((size) => shapesOf(op, c, { [letter]: size })));
  for (const name of Object.keys(base))
    for (const axis of base[name].keys()) {
      const old = base[name][axis];
      // Inputs that share the axis share its new size.
      const shared = (size: number) =>
        Object.entries(base).map(([key, shape]): [string, Shape] => [
          key,
          shape.map((d, i) => (d === old && (i === axis || key !== name) ? size : d)),
        ]);
      rows.push(SIZES.map((size) => Object.fromEntries(shared(size))));
      rows.push(
        SIZES.map((size) => ({ ...base, [name]: base[name].map((d, i) => (i === axis ? size : d)) })),
      );
    }
  return rows;
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

/** Calls to plan for a form in the given element types; the plan of each is handed back, for what to ask next. */
export function* probes(
  op: OperatorRecord,
  form: string,
  dtypes: readonly ('f32' | 'f16')[],
  differentiable: boolean,
): Generator<Probe, void, PlanInfo | undefined> {
  // Beside an empty axis a large one asks for nothing new; the host may make large tables for it all the same.
  const small = (shapes: Shapes) => {
    const all = Object.values(shapes);
    const empty = all.some((shape) => sizeOf(shape) === 0);
    return all.every((shape) => sizeOf(shape) <= MOST_ELEMENTS && (!empty || Math.max(0, ...shape) < 300));
  };
  for (const c of casesOf(op, form as Form))
    for (const dtype of dtypes) {
      const base = shapesOf(op, c);
      yield* choices(op, c, base, dtypes, dtype, differentiable);
      const large = new Map([[JSON.stringify(base), false]]);
      for (const row of variations(op, c))
        for (const shapes of row.filter(small)) {
          const key = JSON.stringify(shapes);
          if (!large.has(key)) {
            const options = everything(dtype, differentiable);
            const plan = yield { shapes, params: c.params ?? {}, options };
            large.set(key, bytesBetween(plan) > MOST_SCRATCH);
          }
          if (large.get(key)) break;
        }
    }
}

const bytesBetween = (plan: PlanInfo | undefined) => (plan?.scratch ?? []).reduce((sum, n) => sum + n, 0);

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
): Generator<Probe, void, PlanInfo | undefined> {
  for (const spec of typed(op, shapes, dtypes))
    for (const params of parameterSets(op, c))
      for (const gradients of differentiable ? gradientSets(op, Object.keys(shapes)) : [{}])
        yield { shapes: spec, params, options: { dtype, ...gradients } };
}

/** The kernel variants that the calls ask for; calls that the operator refuses are passed over. */
export function seenVariants(describe: Describe, calls: ReturnType<typeof probes>): Set<string> {
  const seen = new Set<string>();
  for (let next = calls.next(); !next.done;) {
    const { shapes, params, options } = next.value;
    const plan = attempt(() => describe(shapes, params, options));
    for (const step of plan ? [...plan.forward, ...plan.backward] : []) seen.add(step.variant);
    next = calls.next(plan);
  }
  return seen;
}

const REFUSALS = ['ShapeError', 'ArgumentError', 'DtypeError', 'DeviceError', 'RangeError'];

/** What `run` gives, or undefined when the operator, or the memory of this machine, refuses the sizes. */
export function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch (error) {
    if (error instanceof Error && REFUSALS.includes(error.name)) return undefined;
    throw error;
  }
}
