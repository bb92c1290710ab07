/** Runs one operator row: first its record's cases must conform, then it is timed. */
import { operator, scope } from '../../lib/index.js';
import { Random } from '../../lib/core/random.js';
import { patternShape, sizeOf, type Shape } from '../../lib/core/shape.js';
import { withBackend, type BackendName, type Form } from '../../lib/tensor/backend.js';
import { casesOf } from '../../lib/tensor/cases.js';
import { conform } from '../../lib/tensor/conformance.js';
import type { InputSpec, Operator, OptionalTensors } from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { measureWork, type Timing, type Work } from './measure.js';
import type { OperatorRow } from './suites.js';

const checked = new Map<string, Promise<string[]>>();

/** Sentences of the record's failing cases on this form and backend; empty means it may be timed. */
export function redCases(op: Operator, form: Form, backend: BackendName): Promise<string[]> {
  const key = `${op.record.id} ${form} ${backend}`;
  const known = checked.get(key);
  if (known) return known;
  const run = async () => {
    const failed: string[] = [];
    const cases = casesOf(op.record, form);
    // Nothing checked is nothing known.
    if (cases.length === 0) failed.push(`${key}: no case fits this form`);
    for (const c of cases)
      for (const r of await conform(op, c, form, backend)) if (!r.ok) failed.push(r.text);
    return failed;
  };
  const made = run();
  checked.set(key, made);
  return made;
}

/** What an operator is asked to do, whatever the form and the backend. */
export type Problem = Pick<OperatorRow, 'op' | 'dims' | 'params' | 'shapes' | 'with'>;

/** Shapes of the tensors a problem hands over. */
export function inputShapes(problem: Problem): { spec: InputSpec; shape: Shape }[] {
  const { record } = operator(problem.op);
  return record.inputs
    .filter((spec) => !spec.optional || problem.with?.includes(spec.name))
    .map((spec) => ({
      spec,
      shape: problem.shapes?.[spec.name] ?? patternShape(spec.shape.split('|')[0].trim(), problem.dims),
    }));
}

/** Numbers drawn for one input; longer ones repeat them, because drawing can take longer than computing. */
const DRAWN = 1 << 16;

function inputsOf(problem: Problem, device: 'host' | 'gpu'): OptionalTensors {
  const { record } = operator(problem.op);
  const made: OptionalTensors = {};
  for (const { spec, shape } of inputShapes(problem)) {
    const random = new Random(7).split(spec.name);
    const size = sizeOf(shape);
    const few = size > DRAWN ? [DRAWN] : shape;
    const values = new Float32Array(size);
    const first = values.subarray(0, Math.min(size, DRAWN));
    const sample = record.sample?.(
      spec.name,
      few,
      () => random.uniform(),
      problem.dims,
      problem.params ?? {},
    );
    if (sample) first.set(sample);
    else random.fillNormal(first, 0, 1);
    for (let at = DRAWN; at < size; at += DRAWN) values.set(first.subarray(0, size - at), at);
    made[spec.name] = tensor(values, { shape, device });
  }
  return made;
}

/** Tensors of one problem on one device, shared by all forms and backends that are timed on it. */
export class Bench {
  readonly inputs: OptionalTensors;
  private gradient: { name: string; seed: Tensor } | undefined;

  constructor(
    readonly problem: Problem,
    device: 'host' | 'gpu',
  ) {
    this.inputs = inputsOf(problem, device);
  }

  /** Calls of one form in one direction. On a GPU every sample ends with a readback of one element. */
  work(form: Form, backend: BackendName, direction: string): Work {
    const make =
      direction === 'forward+backward' ? this.both(form, backend) : () => this.forward(form, backend);
    return {
      run: (calls) => {
        let last: Tensor | undefined;
        for (let i = 0; i < calls; i++) {
          last?.dispose();
          last = withBackend(backend, () => scope(() => make().view([1])));
        }
        const probe = last!;
        if (backend !== 'webgpu') return probe.dispose();
        // Only a readback makes a GPU finish; the host has finished when the call returns.
        return probe.data().then(() => probe.dispose());
      },
    };
  }

  private forward(form: Form, backend: BackendName): Tensor {
    const { op, params } = this.problem;
    return Object.values(operator(op)(this.inputs, params, { form, backend }))[0];
  }

  private both(form: Form, backend: BackendName): () => Tensor {
    const { op, params } = this.problem;
    const { name, seed } = this.seed(form, backend);
    return () => {
      const { pull } = vjp(
        (p: Record<string, Tensor>) => operator(op)(p, params, { form, backend }),
        this.inputs as Record<string, Tensor>,
      );
      return Object.values(pull({ [name]: seed }))[0];
    };
  }

  /** A gradient of ones for the first output. */
  private seed(form: Form, backend: BackendName): { name: string; seed: Tensor } {
    if (this.gradient) return this.gradient;
    const { op, params } = this.problem;
    const outputs = withBackend(backend, () => operator(op)(this.inputs, params, { form, backend }));
    const [name, output] = Object.entries(outputs)[0];
    const seed = tensor(new Float32Array(output.size).fill(1), {
      shape: output.shape,
      device: output.device,
    });
    for (const t of Object.values(outputs)) t.dispose();
    return (this.gradient = { name, seed });
  }

  dispose(): void {
    for (const t of Object.values(this.inputs)) t?.dispose();
    this.gradient?.seed.dispose();
  }
}

/** Time of one call of a row in one direction. */
export async function timeRow(row: OperatorRow, direction: string, backend: BackendName): Promise<Timing> {
  const bench = new Bench(row, backend === 'webgpu' ? 'gpu' : 'host');
  try {
    return await measureWork(bench.work(row.form, backend, direction));
  } finally {
    bench.dispose();
  }
}
