/** One evaluation from files: inputs in, outputs (and gradients) out. */
import { isAbsolute, join } from 'node:path';
import { openBackend, operator, tensor, vjp, withBackend } from '../../lib/index.js';
import { ArgumentError } from '../../lib/core/errors.js';
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from '../../lib/nn/safetensors.js';
import { readBytes, writeAtomic } from '../../lib/tasks/files.js';
import { isDifferentiable } from '../../lib/tensor/conformance.js';
import { BACKENDS, FORMS, type BackendName, type Form } from '../../lib/tensor/backend.js';
import type { Operator, OptionalTensors, Params, Tensors } from '../../lib/tensor/operator.js';
import type { Tensor } from '../../lib/tensor/tensor.js';

/** What `assay eval` and each line of a cases file ask for. */
export interface EvalRequest {
  op: string;
  form?: string;
  backend?: string;
  inputs: string;
  params?: Params;
  grad?: boolean;
  output: string;
}

const GRAD = 'grad.';

/** A request read from JSON, with the fields that everything else relies on. */
function checkRequest(value: unknown): asserts value is EvalRequest {
  const fail = (condition: string, got: unknown): never => {
    throw new ArgumentError(`eval: ${condition}, got ${JSON.stringify(got) ?? 'nothing'}`);
  };
  if (!isObject(value)) return fail('a request must be a JSON object', value);
  for (const name of ['op', 'inputs', 'output'])
    if (typeof value[name] !== 'string') fail(`${name} must be a string`, value[name]);
  if (value.params !== undefined && !isObject(value.params))
    fail('params must be a JSON object', value.params);
  if (value.grad !== undefined && typeof value.grad !== 'boolean') fail('grad must be a boolean', value.grad);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function oneOf<T extends string>(
  name: string,
  value: string | undefined,
  allowed: readonly T[],
): T | undefined {
  if (value !== undefined && !(allowed as readonly string[]).includes(value))
    throw new ArgumentError(
      `eval: ${name} must be one of ${allowed.join(', ')}, got ${JSON.stringify(value)}`,
    );
  return value as T | undefined;
}

/** Tensors of the named inputs; anything in the file that the record does not name is an error. */
function inputTensors(
  op: Operator,
  stored: Record<string, StoredTensor>,
  grad: boolean,
  device: 'host' | 'gpu',
): { inputs: OptionalTensors; seeds: OptionalTensors } {
  const inputs: OptionalTensors = {};
  const seeds: OptionalTensors = {};
  for (const [name, { data, dtype, shape }] of Object.entries(stored)) {
    const made = () => tensor(data, { dtype, shape, device });
    if (grad && name.startsWith(GRAD) && op.record.outputs.some((o) => o.name === name.slice(GRAD.length)))
      seeds[name.slice(GRAD.length)] = made();
    else if (op.record.inputs.some((i) => i.name === name)) inputs[name] = made();
    else
      throw new ArgumentError(
        `eval: inputs of ${op.record.id} must be among ${op.record.inputs.map((i) => i.name).join(', ')}, got ${JSON.stringify(name)}`,
      );
  }
  for (const spec of op.record.inputs)
    if (!spec.optional && !inputs[spec.name])
      throw new ArgumentError(`eval: input ${spec.name} of ${op.record.id} must be given, got none`);
  if (grad && Object.keys(seeds).length === 0)
    throw new ArgumentError(
      `eval: inputs must hold a gradient of at least one output (${op.record.outputs.map((o) => GRAD + o.name).join(', ')}), got none`,
    );
  return { inputs, seeds };
}

async function collect(into: Record<string, StoredTensor>, tensors: Tensors, prefix: string): Promise<void> {
  for (const [name, t] of Object.entries(tensors))
    into[prefix + name] = {
      dtype: t.dtype === 'f16' ? 'f32' : t.dtype,
      shape: t.shape,
      data: await t.data(),
    };
}

/** Runs one request; paths are relative to `folder`. @throws ArgumentError for a field of the wrong type */
export async function evaluate(request: unknown, folder: string): Promise<void> {
  checkRequest(request);
  const at = (path: string) => (isAbsolute(path) ? path : join(folder, path));
  const op = operator(request.op);
  const backend: BackendName = oneOf('backend', request.backend, BACKENDS) ?? 'cpu';
  const form: Form | undefined = oneOf('form', request.form, FORMS);
  await openBackend(backend);
  const { tensors: stored } = decodeSafetensors(await readBytes(at(request.inputs)));
  const { inputs, seeds } = inputTensors(
    op,
    stored,
    request.grad === true,
    backend === 'webgpu' ? 'gpu' : 'host',
  );
  const results: Record<string, StoredTensor> = {};
  const run = (given: OptionalTensors) => op(given, request.params ?? {}, { form, backend });
  if (!request.grad)
    await collect(
      results,
      withBackend(backend, () => run(inputs)),
      '',
    );
  else {
    if (!isDifferentiable(op.record))
      throw new ArgumentError(`eval: grad must be off for ${op.record.id}, which has no gradient`);
    const smooth = op.record.inputs
      .filter((i) => i.differentiable !== false && inputs[i.name])
      .map((i) => i.name);
    const leaves = Object.fromEntries(smooth.map((name) => [name, inputs[name]!]));
    const { outputs, pull } = withBackend(backend, () =>
      vjp((p: Record<string, Tensor>) => run({ ...inputs, ...p }), leaves),
    );
    await collect(results, outputs, '');
    await collect(
      results,
      withBackend(backend, () => pull(seeds)),
      GRAD,
    );
  }
  await writeAtomic(
    at(request.output),
    encodeSafetensors(results, { op: op.record.id, form: form ?? '', backend }),
  );
}
