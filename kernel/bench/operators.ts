/** Runs one operator row: first its record's cases must conform, then it is timed. */
import { operator, scope } from '../../lib/index.js';
import { Random } from '../../lib/core/random.js';
import { patternShape, sizeOf } from '../../lib/core/shape.js';
import { withBackend, type BackendName } from '../../lib/tensor/backend.js';
import { casesOf } from '../../lib/tensor/cases.js';
import { conform } from '../../lib/tensor/conformance.js';
import type { Operator, OptionalTensors } from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { measure, type Timing } from './measure.js';
import type { OperatorRow } from './suites.js';

const checked = new Map<string, Promise<string[]>>();

/** Sentences of the record's failing cases on this form and backend; empty means it may be timed. */
export function redCases(op: Operator, form: OperatorRow['form'], backend: BackendName): Promise<string[]> {
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

function inputsOf(op: Operator, row: OperatorRow, device: 'host' | 'gpu'): OptionalTensors {
  const made: OptionalTensors = {};
  for (const spec of op.record.inputs.filter((i) => !i.optional)) {
    const shape = row.shapes?.[spec.name] ?? patternShape(spec.shape.split('|')[0].trim(), row.dims);
    const random = new Random(7).split(spec.name);
    const sample = op.record.sample?.(spec.name, shape, () => random.uniform(), row.dims, row.params ?? {});
    const values = new Float32Array(sizeOf(shape));
    if (sample) values.set(sample);
    else random.fillNormal(values, 0, 1);
    made[spec.name] = tensor(values, { shape, device });
  }
  return made;
}

/** Time of one call in one direction. On a GPU every call ends with a readback of one element. */
export async function timeRow(row: OperatorRow, direction: string, backend: BackendName): Promise<Timing> {
  const op = operator(row.op);
  const inputs = inputsOf(op, row, backend === 'webgpu' ? 'gpu' : 'host');
  const options = { form: row.form, backend };
  // Only a readback makes a GPU finish; the host has finished when the call returns.
  const timed = (make: () => Tensor) => async () => {
    const probe = withBackend(backend, () => scope(() => make().view([1])));
    if (backend === 'webgpu') await probe.data();
    probe.dispose();
  };
  const first = (tensors: Record<string, Tensor>) => Object.values(tensors)[0];
  if (direction !== 'forward+backward')
    return withOwned(inputs, () => measure(timed(() => first(op(inputs, row.params, options)))));
  const output = Object.entries(withBackend(backend, () => op(inputs, row.params, options)))[0];
  const ones = new Float32Array(output[1].size).fill(1);
  const seed = tensor(ones, { shape: output[1].shape, device: output[1].device });
  const both = timed(() => {
    const { pull } = vjp(
      (p: Record<string, Tensor>) => op(p, row.params, options),
      inputs as Record<string, Tensor>,
    );
    return first(pull({ [output[0]]: seed }));
  });
  return withOwned({ ...inputs, seed, output: output[1] }, () => measure(both));
}

async function withOwned<T>(tensors: OptionalTensors, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } finally {
    for (const t of Object.values(tensors)) t?.dispose();
  }
}
