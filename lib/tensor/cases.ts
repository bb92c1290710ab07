/** Inputs of a record's cases, drawn from the seeded generator: tests, `assay eval` and benches share them. */
import type { Dtype } from '../core/dtype.js';
import { Random } from '../core/random.js';
import { patternShape, sizeOf, type Shape } from '../core/shape.js';
import type { Form } from './backend.js';
import type { DeviceName } from './storage.js';
import type { InputSpec, OperatorCase, OperatorRecord, OptionalTensors } from './operator.js';
import { tensor } from './tensor.js';

/** The shape of one input in one case. */
export function caseShape(c: OperatorCase, input: InputSpec): Shape {
  const given = c.shapes?.[input.name];
  if (given) return given;
  const pattern = input.shape.split('|')[0].trim();
  if (pattern === '*' || pattern.startsWith('...')) return Object.values(c.dims);
  return patternShape(pattern, c.dims);
}

/** Cases that a form can run: the one-token form takes those with one token. */
export function casesOf(op: OperatorRecord, form: Form): readonly OperatorCase[] {
  return form === 'step' ? op.cases.filter((c) => (c.dims.T ?? c.dims.Tq) === 1) : op.cases;
}

/** Names of the inputs present in a case: the required ones and those in `with`. */
export function caseInputNames(op: OperatorRecord, c: OperatorCase): string[] {
  return op.inputs.filter((i) => !i.optional || c.with?.includes(i.name)).map((i) => i.name);
}

/** Values of every input of a case, rounded to f32 so that all backends see the same numbers. */
export function caseValues(
  op: OperatorRecord,
  c: OperatorCase,
  seed: number,
): Map<string, { shape: Shape; dtype: Dtype; values: Float64Array }> {
  const found = new Map<string, { shape: Shape; dtype: Dtype; values: Float64Array }>();
  for (const name of caseInputNames(op, c)) {
    const spec = op.inputs.find((i) => i.name === name)!;
    const shape = caseShape(c, spec);
    const random = new Random(seed).split(`${op.id}/${c.name}/${name}`);
    const drawn = op.sample?.(name, shape, () => random.uniform(), c.dims, c.params ?? {});
    const values = drawn
      ? Float64Array.from(drawn, Math.fround)
      : Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(random.normal()));
    const integer = spec.dtypes !== undefined && spec.dtypes.every((d) => d === 'i32' || d === 'u32');
    found.set(name, { shape, dtype: integer ? 'i32' : 'f32', values });
  }
  return found;
}

/** Tensors of a case in f64 (for references) or f32. */
export function caseInputs(
  op: OperatorRecord,
  c: OperatorCase,
  options: { seed?: number; float?: 'f32' | 'f64'; device?: DeviceName } = {},
): OptionalTensors {
  const { seed = 1, float = 'f32', device = 'host' } = options;
  const made: OptionalTensors = {};
  for (const [name, { shape, dtype, values }] of caseValues(op, c, seed))
    made[name] = tensor(values, { shape, dtype: dtype === 'f32' ? float : dtype, device });
  return made;
}
