/** Test vectors: a few cases of a record with results of the f64 reference and what a launch may differ from them. */
import { FLOOR_FRACTION, rms, TOLERANCES } from '../../lib/core/compare.js';
import type { Dtype } from '../../lib/core/dtype.js';
import { float16FromBits, getFloat16Bits } from '../../lib/core/float16.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import { withBackend, type Form } from '../../lib/tensor/backend.js';
import { casesOf, caseValues } from '../../lib/tensor/cases.js';
import type { Operator } from '../../lib/tensor/operator.js';
import type { OperatorCase, OptionalTensors, Params, Tensors } from '../../lib/tensor/record.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import type { Tree } from '../../lib/tensor/tree.js';
import { kernelSource } from '../../lib/gpu/source.js';
import type { DispatchInfo, PlanInfo } from './runtime/plan.js';
import { smoothNames, takesHalf, type Describe } from './probe.js';

/** A tensor of a vector: little-endian numbers in base64; f16 as bit patterns, expected values always as f32. */
export interface VectorTensor {
  shape: Shape;
  dtype: Dtype;
  data: string;
  /** Expected values only: the largest root mean square of the difference. */
  allowed?: number;
}

export interface Vector {
  name: string;
  dtype: 'f32' | 'f16';
  parameters: Params;
  inputs: Record<string, VectorTensor>;
  outputs: Record<string, VectorTensor>;
  outputGradients: Record<string, VectorTensor>;
  gradients: Record<string, VectorTensor>;
}

const MOST_CASES = 4;
const MOST_NUMBERS = 16_384;

const toHalf = (v: number) => float16FromBits(getFloat16Bits(v));

function base64(values: ArrayLike<number>, dtype: Dtype): string {
  const width = dtype === 'f16' ? 2 : 4;
  const view = new DataView(new ArrayBuffer(values.length * width));
  for (let i = 0; i < values.length; i++) {
    if (dtype === 'f16') view.setUint16(2 * i, getFloat16Bits(values[i]), true);
    else if (dtype === 'f32') view.setFloat32(4 * i, values[i], true);
    else if (dtype === 'i32') view.setInt32(4 * i, values[i], true);
    else view.setUint32(4 * i, values[i], true);
  }
  return Buffer.from(view.buffer).toString('base64');
}

/** Vectors of a form; cases that are large or that software GPUs leave out are not among them. */
export async function makeVectors(
  op: Operator,
  form: string,
  dtypes: readonly ('f32' | 'f16')[],
  describe: Describe,
  differentiable: boolean,
): Promise<Vector[]> {
  const small = casesOf(op.record, form as Form).filter(
    (c) => c.gpu !== false && count(op, c) <= MOST_NUMBERS,
  );
  const found: Vector[] = [];
  for (const dtype of dtypes)
    for (const c of small.slice(0, MOST_CASES))
      found.push(await makeVector(op, c, dtype, describe, differentiable));
  return found;
}

function count(op: Operator, c: OperatorCase): number {
  return [...caseValues(op.record, c, 1).values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}

async function makeVector(
  op: Operator,
  c: OperatorCase,
  dtype: 'f32' | 'f16',
  describe: Describe,
  differentiable: boolean,
): Promise<Vector> {
  const inputs: Record<string, VectorTensor> = {};
  const exact: OptionalTensors = {};
  for (const [name, drawn] of caseValues(op.record, c, 1)) {
    const half = dtype === 'f16' && takesHalf(op.record.inputs.find((i) => i.name === name)!);
    const values = half ? drawn.values.map(toHalf) : drawn.values;
    const own: Dtype = half ? 'f16' : drawn.dtype;
    inputs[name] = { shape: drawn.shape, dtype: own, data: base64(values, own) };
    exact[name] = tensor(values, {
      shape: drawn.shape,
      dtype: drawn.dtype === 'f32' ? 'f64' : drawn.dtype,
      device: 'host',
    });
  }
  const shapes = Object.fromEntries(
    Object.entries(inputs).map(([name, { shape, dtype: own }]) => [name, { shape, dtype: own }]),
  );
  const options = differentiable ? { dtype, gradients: 'all' as const } : { dtype };
  const plan = describe(shapes, c.params, options);
  const seeds = outputSeeds(op, c, plan.outputs, differentiable);
  const made = withBackend('cpu', () => reference(op, c, exact, seeds));
  const floor = op.record.floors?.[c.name]?.floor ?? FLOOR_FRACTION;
  const allowedFor = new Allowance(dtype, floor, plan, seeds);
  const expected = async (tensors: Tensors, infos: typeof plan.outputs, kind: 'forward' | 'gradient') => {
    const entries: Record<string, VectorTensor> = {};
    for (const [name, info] of Object.entries(infos)) {
      const values = Float64Array.from(await tensors[name].data());
      const stored: Dtype = info.dtype === 'f16' ? 'f32' : info.dtype;
      const allowed = allowedFor.of(values, info.dtype, kind);
      entries[name] = { shape: info.shape, dtype: info.dtype, data: base64(values, stored), allowed };
    }
    return entries;
  };
  return {
    name: c.name,
    dtype,
    parameters: c.params ?? {},
    inputs,
    outputs: await expected(made.outputs, plan.outputs, 'forward'),
    outputGradients: Object.fromEntries(
      Object.entries(seeds).map(([name, { shape, dtype: own, values }]) => [
        name,
        { shape, dtype: own, data: base64(values, own) },
      ]),
    ),
    gradients: await expected(made.gradients, plan.gradients, 'gradient'),
  };
}

interface Seed {
  shape: Shape;
  dtype: Dtype;
  values: Float64Array;
}

/** Gradients of the outputs that the vector sends back. */
function outputSeeds(
  op: Operator,
  c: OperatorCase,
  infos: Readonly<Record<string, { shape: Shape; dtype: Dtype }>>,
  differentiable: boolean,
): Record<string, Seed> {
  const seeds: Record<string, Seed> = {};
  for (const name of differentiable ? smoothNames(op.record.outputs) : []) {
    const { shape, dtype } = infos[name];
    const random = new Random(1).split(`${op.record.id}/${c.name}/grad/${name}`);
    const draw = () => (dtype === 'f16' ? toHalf(random.normal()) : Math.fround(random.normal()));
    seeds[name] = { shape, dtype, values: Float64Array.from({ length: sizeOf(shape) }, draw) };
  }
  return seeds;
}

function reference(
  op: Operator,
  c: OperatorCase,
  inputs: OptionalTensors,
  seeds: Record<string, Seed>,
): { outputs: Tensors; gradients: Tensors } {
  const run = (given: OptionalTensors) => op(given, c.params, { form: 'reference', backend: 'cpu' });
  if (Object.keys(seeds).length === 0) return { outputs: run(inputs), gradients: {} };
  const smooth = Object.fromEntries(
    smoothNames(op.record.inputs).flatMap((name) => (inputs[name] ? [[name, inputs[name]]] : [])),
  ) as Record<string, Tree>;
  const { outputs, pull } = vjp(
    (leaves: Record<string, Tree>) => run({ ...inputs, ...(leaves as Tensors) }),
    smooth,
  );
  const grads = Object.entries(seeds).map(([name, { shape, values }]): [string, Tensor] => [
    name,
    tensor(values, { shape, dtype: outputs[name].dtype, device: 'host' }),
  ]);
  return { outputs, gradients: pull(Object.fromEntries(grads)) as Tensors };
}

/** One unit in the last place of f16, relative. */
const HALF_UNIT = 2 ** -11;

/** What may be different, and by how much. */
class Allowance {
  private readonly dtype: 'f32' | 'f16';
  private readonly floor: number;
  private readonly plan: PlanInfo;
  /** What the gradients may be off because results that they are computed from are stored in f16. */
  private readonly stored: number;

  constructor(dtype: 'f32' | 'f16', floor: number, plan: PlanInfo, seeds: Record<string, Seed>) {
    this.dtype = dtype;
    this.floor = floor;
    this.plan = plan;
    const read = Object.entries(seeds).filter(
      ([name, seed]) =>
        seed.dtype === 'f16' && plan.backward.some((step) => Object.values(step.bindings).includes(name)),
    );
    this.stored = HALF_UNIT * Math.max(0, ...read.map(([, seed]) => rms(seed.values)));
  }

  /**
   * Largest root mean square of the difference. f32: the library's own relative tolerance. In f16 calls: twice the error
   * of rounding the exact result to f16 (gradients: three times), once more for each buffer in between that is f16, plus
   * what stored results are off, plus 1e-7.
   */
  of(values: Float64Array, dtype: Dtype, kind: 'forward' | 'gradient'): number {
    if (dtype === 'i32' || dtype === 'u32') return 0;
    const relative = TOLERANCES.webgpu[kind] * Math.max(rms(values), this.floor);
    if (this.dtype === 'f32') return relative;
    const rounding = rms(values.map((v) => toHalf(v) - v));
    const { forward, backward } = this.plan;
    const times = kind === 'forward' ? 2 + halfStores(forward) : 3 + halfStores([...forward, ...backward]);
    const stored = kind === 'gradient' ? this.stored : 0;
    return Math.max(relative, times * rounding + stored + 1e-7);
  }
}

/** How often dispatches write rounded f16 numbers to a buffer in between; copies round nothing. */
function halfStores(steps: readonly DispatchInfo[]): number {
  const writes = steps
    .filter((step) => !step.kernel.startsWith('ops/structure/'))
    .flatMap((step) => {
      const types = new Map(step.variant.split(' ').map((word) => word.split('=') as [string, string]));
      const { text, bindings } = kernelSource(step.kernel);
      return bindings.filter((b) => {
        const alias = new RegExp(`> ${b.name}: array<(\\w+)>`).exec(text)?.[1] ?? '';
        return (
          b.kind === 'write' && types.get(alias) === 'f16' && step.bindings[b.name].startsWith('scratch')
        );
      });
    });
  return writes.length;
}
