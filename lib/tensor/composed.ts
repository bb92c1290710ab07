/** Implementations written with other operators: their gradient is the tape's own, kept from the forward pass. */
import type { Call, Implementation, OptionalTensors, Tensors } from './operator.js';
import { collect, scope } from './scope.js';
import { noGrad, vjp } from './tape.js';
import type { Tensor } from './tensor.js';

/** Pull-backs that wait for the backward pass, by the `saved` object of their call. */
const waiting = new WeakMap<object, (grads: OptionalTensors) => Record<string, Tensor>>();

/**
 * An implementation from a function of the call's inputs that is written with operators. While a tape records, the
 * function runs once on a tape of its own, and the backward pass pulls through that; nothing is computed twice.
 * @param run gets the call's inputs by name and the call (dims, params); returns its outputs. Inputs must be taken
 *   from the first argument: gradients flow through those handles only.
 * What it makes on the way is saved with the call: it is disposed after the backward pass, in a scope or not.
 */
export function composed(run: (inputs: OptionalTensors, call: Call) => Tensors): Implementation {
  return {
    forward: (call) => {
      if (!call.training) return scope(() => noGrad(() => run(call.in, call)));
      let pull: ((grads: OptionalTensors) => Record<string, Tensor>) | undefined;
      const { result, made } = collect(() => {
        const { tracked, fixed } = partsOf(call);
        const recorded = vjp((p: Record<string, Tensor>) => run({ ...fixed, ...p }, call), tracked);
        ({ pull } = recorded);
        return recorded.outputs;
      });
      waiting.set(call.saved, pull!);
      made.forEach((t, i) => (call.saved[i] = t));
      return result;
    },
    backward: (call) => {
      const pull = waiting.get(call.saved)!;
      waiting.delete(call.saved);
      return scope(() => pull(call.grad));
    },
  };
}

/** Differentiable inputs as fresh handles, so that one tensor in two places gets two gradients; and the others. */
function partsOf(call: Call): { tracked: Record<string, Tensor>; fixed: OptionalTensors } {
  const tracked: Record<string, Tensor> = {};
  const fixed: OptionalTensors = {};
  for (const [name, t] of Object.entries(call.in)) {
    const spec = call.op.inputs.find((i) => i.name === name);
    if (t && spec?.differentiable !== false && t.dtype !== 'i32') tracked[name] = t.view();
    else fixed[name] = t;
  }
  return { tracked, fixed };
}
