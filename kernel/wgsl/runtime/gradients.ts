/** Gradients of host code that is written with operators. */
import { add } from '../../../lib/ops/map/index.js';
import { followCalls, type OptionalTensors, type Tensors } from './operators.js';
import { full, type Tensor } from './tensors.js';

/** Sum of two gradients of one tensor. */
const addGradients = add as unknown as (a: Tensor, b: Tensor) => Tensor;

type Followed = ReturnType<typeof followCalls>;

/** Walks the followed calls backwards; `found` holds gradients by tensor, at first those of outputs. */
function pullBack(nodes: Followed['nodes'], tracked: Followed['tracked'], found: Map<number, Tensor>): void {
  for (const { call, backward, outputs } of nodes.reverse()) {
    const grad: OptionalTensors = {};
    for (const [name, t] of Object.entries(outputs)) grad[name] = found.get(t.id);
    if (Object.values(grad).every((g) => !g)) continue;
    const needs = (name: string) => call.in[name] !== undefined && tracked.has(call.in[name].id);
    const made = backward({ ...call, out: outputs, grad, needs });
    for (const [name, g] of Object.entries(made)) {
      const input = call.in[name];
      if (!g || !input || !needs(name)) continue;
      const before = found.get(input.id);
      found.set(input.id, before ? addGradients(before, g) : g);
    }
  }
}

function gradientsOf<P extends Record<string, Tensor>>(params: P, found: Map<number, Tensor>): P {
  const grads = Object.entries(params).map(([name, t]) => [
    name,
    found.get(t.id) ?? full(t.shape, 0, { dtype: t.dtype }),
  ]);
  return Object.fromEntries(grads) as P;
}

/** The scalar that `fn` computes and its gradients with respect to the tensors of the first argument. */
export function valueAndGrad<P extends Record<string, Tensor>>(
  fn: (params: P) => Tensor,
): (params: P) => { value: Tensor; grads: P } {
  return (params) => {
    const { result, nodes, tracked } = followCalls(Object.values(params), () => fn(params));
    const found = new Map([[result.id, full(result.shape, 1, { dtype: result.dtype })]]);
    pullBack(nodes, tracked, found);
    return { value: result, grads: gradientsOf(params, found) };
  };
}

/** Named outputs of `fn`, and the function from their gradients to those of the tensors of the first argument. */
export function vjp<P extends Record<string, Tensor>>(
  fn: (params: P) => Tensors,
  params: P,
): { outputs: Tensors; pull: (grads: OptionalTensors) => P } {
  const { result, nodes, tracked } = followCalls(Object.values(params), () => fn(params));
  const pull = (grads: OptionalTensors) => {
    const found = new Map<number, Tensor>();
    for (const [name, g] of Object.entries(grads)) {
      const output = result[name];
      if (!g || !output) continue;
      const before = found.get(output.id);
      found.set(output.id, before ? addGradients(before, g) : g);
    }
    pullBack(nodes, tracked, found);
    return gradientsOf(params, found);
  };
  return { outputs: result, pull };
}
