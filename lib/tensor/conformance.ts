/** One case of one record on one form and backend, forward and backward, against the f64 reference. */
import { ArgumentError } from '../core/errors.js';
import { compare, FLOOR_FRACTION, TOLERANCES, type Comparison } from '../core/compare.js';
import { Random } from '../core/random.js';
import { withBackend, type BackendName, type Form } from './backend.js';
import { caseInputs } from './cases.js';
import type { Operator, OperatorCase, OperatorRecord, OptionalTensors, Tensors } from './operator.js';
import { vjp } from './tape.js';
import { tensor, type Tensor } from './tensor.js';
import type { Tree } from './tree.js';

/** Values of every output and of every gradient. */
interface Results {
  outputs: Map<string, { shape: readonly number[]; values: ArrayLike<number> }>;
  gradients: Map<string, { shape: readonly number[]; values: ArrayLike<number> }>;
}

/** True when some output is differentiable with respect to some input. */
export function isDifferentiable(op: OperatorRecord): boolean {
  return (
    op.inputs.some((i) => i.differentiable !== false) && op.outputs.some((o) => o.differentiable !== false)
  );
}

async function evaluate(
  op: Operator,
  c: OperatorCase,
  form: Form,
  backend: BackendName,
  float: 'f32' | 'f64',
  seed: number,
): Promise<Results> {
  const device = backend === 'webgpu' ? 'gpu' : 'host';
  const inputs = caseInputs(op.record, c, { seed, float, device });
  const run = (given: OptionalTensors) => op(given, c.params, { form, backend });
  const { outputs, gradients } = withBackend(backend, () => pass(op.record, run, inputs, c, seed));
  return { outputs: await read(outputs), gradients: await read(gradients) };
}

function pass(
  op: OperatorRecord,
  run: (given: OptionalTensors) => Tensors,
  inputs: OptionalTensors,
  c: OperatorCase,
  seed: number,
) {
  if (!isDifferentiable(op)) return { outputs: run(inputs), gradients: {} };
  const smooth = Object.fromEntries(
    op.inputs
      .filter((i) => i.differentiable !== false && inputs[i.name])
      .map((i) => [i.name, inputs[i.name]!]),
  );
  const { outputs, pull } = vjp(
    (leaves: Record<string, Tree>) => run({ ...inputs, ...(leaves as Tensors) }),
    smooth as Record<string, Tree>,
  );
  const seeds: OptionalTensors = {};
  for (const o of op.outputs)
    if (o.differentiable !== false)
      seeds[o.name] = drawLike(outputs[o.name], `${op.id}/${c.name}/grad/${o.name}`, seed);
  return { outputs, gradients: pull(seeds) as Tensors };
}

function drawLike(t: Tensor, name: string, seed: number): Tensor {
  const random = new Random(seed).split(name);
  const values = Float64Array.from({ length: t.size }, () => Math.fround(random.normal()));
  return tensor(values, { shape: t.shape, dtype: t.dtype, device: t.device });
}

async function read(tensors: Tensors): Promise<Results['outputs']> {
  const found: Results['outputs'] = new Map();
  for (const [name, t] of Object.entries(tensors))
    found.set(name, { shape: t.shape, values: await t.data() });
  return found;
}

/** Every output of the record must be there and no other, so that no comparison is left out. */
function requireNames(op: OperatorRecord, results: Results): void {
  const declared = op.outputs.map((o) => o.name).sort();
  const names = [...results.outputs.keys()].sort();
  if (declared.join() !== names.join())
    throw new ArgumentError(`${op.id}: outputs must be ${declared.join(', ')}, got ${names.join(', ')}`);
}

/**
 * Compares outputs and gradients of `form` on `backend` (f32) with the reference (f64).
 * One comparison a tensor; `ok` is false for NaN, infinity, wrong shape, or an error above the table's row.
 */
export async function conform(
  op: Operator,
  c: OperatorCase,
  form: Form,
  backend: BackendName,
  seed = 1,
): Promise<Comparison[]> {
  const expected = await evaluate(op, c, 'reference', 'cpu', 'f64', seed);
  const actual = await evaluate(op, c, form, backend, 'f32', seed);
  requireNames(op.record, expected);
  requireNames(op.record, actual);
  const floor = op.record.floors?.[c.name]?.floor ?? FLOOR_FRACTION;
  const found: Comparison[] = [];
  for (const kind of ['outputs', 'gradients'] as const) {
    const row = TOLERANCES[backend][kind === 'outputs' ? 'forward' : 'gradient'];
    for (const [name, want] of expected[kind]) {
      const got = actual[kind].get(name);
      const label = `${op.record.id} ${c.name} ${form}/${backend} ${kind === 'outputs' ? '' : 'gradient of '}${name}`;
      const report = compare(got?.values ?? [], want.values, {
        name: label,
        dims: want.shape,
        tolerance: row,
        seed,
        floor,
      });
      found.push(report);
      const shape = got ? `[${got.shape.join()}]` : 'nothing';
      if (shape !== `[${want.shape.join()}]`)
        found.push({ ...report, ok: false, text: `${label}: ${shape} instead of [${want.shape.join()}]` });
    }
  }
  return found;
}
