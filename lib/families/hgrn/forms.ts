/** The gated recurrence: fused on WASM; elsewhere written with the linear recurrence, with gradients of the tape. */
import {
  linearRecurrence as run,
  linearRecurrenceBackward as runBackward,
} from '../../cpu/wasm/recurrence-calls.js';
import { stateRows } from '../../ops/sequence/index.js';
import { add, affine, exp, mul, neg, tanh } from '../../ops/map/index.js';
import { linearRecurrence } from '../../ops/scan/index.js';
import { cast } from '../../ops/structure/index.js';
import { composed } from '../../tensor/composed.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { customOp } from '../../tensor/tape.js';
import type { Tensor } from '../../tensor/tensor.js';

/** 1 - e^g as -tanh(g / 2) (1 + e^g): near 0, where the gate is nearly open, 1 - e^g itself has lost its digits. */
const complement = (g: Tensor) => mul(neg(tanh(affine(g, 0.5, 0))), add(exp(g), 1));

/** (1 - e^g) i. Its slope in g is -e^g i, which the slope of tanh would round to nothing where the gate is closed. */
const drive = customOp({
  name: 'hgrn/drive',
  forward: ([g, i]) => mul(complement(g), i),
  backward: (dx, [g, i]) => [neg(mul(exp(g), mul(i, dx))), mul(complement(g), dx)],
});

/** f16 is storage only: products and the recurrence are f32. */
const widened = (t: Tensor) => (t.dtype === 'f16' ? cast(t, 'f32') : t);

export function hgrnForm(form: 'recurrent' | 'chunk' | 'step'): Implementation {
  return composed((inputs) => {
    const [i, g] = [widened(inputs.i!), widened(inputs.g!)];
    const { initialState: initial, cuSeqlens } = inputs;
    const { y, final } = linearRecurrence(g, drive(g, i), { initial, cuSeqlens, form });
    return { y: inputs.i!.dtype === 'f16' ? cast(y, 'f16') : y, finalState: final };
  });
}

const at = (t: Tensor | undefined) => t?.pointer('hgrn') ?? 0;

function dimsOf(call: Call, split: boolean) {
  const { B, T, D } = call.dims;
  return { B, T, D, cu: at(call.in.cuSeqlens), S: stateRows(call), mode: 'gated' as const, split };
}

/** Gate, input and recurrence in one pass; `split` cuts time into parts of 256 tokens that run at once. */
export const hgrnWasm = (split: boolean): Implementation => ({
  forward: (call) => {
    const { i, g, initialState } = call.in;
    const y = allocate(call, i!.shape);
    const finalState = allocate(call, [stateRows(call), call.dims.D]);
    const addresses = { a: at(g), b: at(i), h0: at(initialState), h: at(y), final: at(finalState) };
    run(dimsOf(call, split), addresses);
    return { y, finalState };
  },
  backward: (call) => {
    const { i, g, initialState } = call.in;
    const made = {
      i: allocate(call, i!.shape),
      g: allocate(call, i!.shape),
      initialState: allocate(call, [stateRows(call), call.dims.D]),
    };
    runBackward(dimsOf(call, split), {
      a: at(g),
      b: at(i),
      h: at(call.out.y),
      h0: at(initialState),
      dh: at(call.grad.y),
      dfinal: at(call.grad.finalState),
      da: at(made.g),
      db: at(made.i),
      dh0: at(made.initialState),
    });
    return made;
  },
});
