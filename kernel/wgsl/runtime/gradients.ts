/** Gradients of host code that is written with operators. */
import { add } from '../../../lib/ops/map/index.js';
import {
  follow,
  followCalls,
  isFollowed,
  noGrad,
  type Followed,
  type OptionalTensors,
  type Tensors,
} from './operators.js';
import { full, type Tensor } from './tensors.js';

/** Sum of two gradients of one tensor. */
const addGradients = add as unknown as (a: Tensor, b: Tensor) => Tensor;

/** Walks the followed calls backwards; `found` holds gradients by tensor, at first those of outputs. */
function pullBack(
  nodes: readonly Followed[],
  tracked: ReadonlySet<number>,
  found: Map<number, Tensor>,
): void {
  for (const { inputs, outputs, backward } of [...nodes].reverse()) {
    const grad: OptionalTensors = {};
    for (const [name, t] of Object.entries(outputs)) grad[name] = found.get(t.id);
    if (Object.values(grad).every((g) => !g)) continue;
    const needs = (name: string) => inputs[name] !== undefined && tracked.has(inputs[name].id);
    for (const [name, g] of Object.entries(backward(grad, needs))) {
      const input = inputs[name];
      if (g && input && needs(name)) gather(found, input, g);
    }
  }
}

function gather(found: Map<number, Tensor>, t: Tensor, g: Tensor): void {
  const before = found.get(t.id);
  found.set(t.id, before ? addGradients(before, g) : g);
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
      if (g && output) gather(found, output, g);
    }
    pullBack(nodes, tracked, found);
    return gradientsOf(params, found);
  };
  return { outputs: result, pull };
}

/** Context handed to a custom operator's two functions; `save` keeps tensors for the backward pass. */
export interface CustomContext {
  saved: Tensors;
  save(name: string, t: Tensor): void;
}

/** An operator by its two functions: the output, and the gradients of the inputs in their order. */
export function customOp(definition: {
  name: string;
  forward(inputs: Tensor[], ctx: CustomContext): Tensor;
  backward(dy: Tensor, inputs: Tensor[], y: Tensor, ctx: CustomContext): (Tensor | undefined)[];
}): (...inputs: Tensor[]) => Tensor {
  return (...inputs) => {
    const saved: Tensors = {};
    const ctx: CustomContext = { saved, save: (name, t) => void (saved[name] = t.view()) };
    const made = noGrad(() => definition.forward(inputs, ctx));
    // Gradients go by tensor: an input handed through would meet its own gradient again.
    const y = inputs.includes(made) ? made.view() : made;
    const named = Object.fromEntries(inputs.map((t, i) => [String(i), t]));
    if (!isFollowed(named)) return y;
    const backward = (grad: OptionalTensors) =>
      Object.fromEntries(definition.backward(grad.y!, inputs, y, ctx).map((g, i) => [String(i), g]));
    follow({ inputs: named, outputs: { y }, backward });
    return y;
  };
}
