/** The recurrence on WASM, SIMD over the columns of the state; keeps the state every 64 tokens for the backward pass. */
import * as calls from '../../cpu/wasm/dplr-calls.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { Tensor } from '../../tensor/tensor.js';
import { stateRows } from '../sequence/index.js';

const at = (t: Tensor | undefined) => t?.pointer('ops/dplr') ?? 0;

function dimsOf(call: Call): calls.DplrDims {
  const { B, T, H, K, V } = call.dims;
  const scale = call.params.scale as number;
  return { B, T, H, K, V, S: stateRows(call), cu: at(call.in.cuSeqlens), scale };
}

function addresses(from: Record<string, Tensor | undefined>): calls.DplrInputs {
  const { q, k, v, a, b, decay } = from;
  return { q: at(q), k: at(k), v: at(v), a: at(a), b: at(b), decay: at(decay) };
}

const kernels = (form: calls.DplrForm): Implementation => ({
  forward: (call) => {
    const dims = dimsOf(call);
    const state = [dims.H, dims.K, dims.V];
    const y = allocate(call, call.in.v!.shape);
    const finalState = allocate(call, [dims.S, ...state]);
    if (call.training)
      call.saved.kept = Tensor.empty([calls.dplrKeptRows(dims), ...state], 'f32', 'host', call.op.id);
    const outputs = { y: at(y), final: at(finalState), kept: at(call.saved.kept) };
    calls.dplr(form, dims, { ...addresses(call.in), h0: at(call.in.initialState), ...outputs });
    return { y, finalState };
  },
  backward: (call) => {
    const made: Record<string, Tensor> = {};
    for (const name of ['q', 'k', 'v', 'a', 'b', 'decay', 'initialState'])
      if (call.in[name]) made[name] = allocate(call, call.in[name].shape);
    const given = { kept: at(call.saved.kept), dy: at(call.grad.y), dfinal: at(call.grad.finalState) };
    const dims = dimsOf(call);
    const inputs = { ...addresses(call.in), ...given, dh0: at(made.initialState) };
    calls.dplrBackward(form, dims, inputs, addresses(made));
    return made;
  },
});

/** Keys beyond the kernels' memory go to the TypeScript form. */
export function dplrWasm(form: calls.DplrForm, slow: Implementation): Implementation {
  const fast = kernels(form);
  const of = (call: Call) => (call.dims.K > calls.DPLR_MAX_KEYS ? slow : fast);
  return { forward: (call) => of(call).forward(call), backward: (call) => of(call).backward!(call) };
}
