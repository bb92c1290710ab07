/** Cumulative sum and linear recurrence on WASM. */
import {
  linearRecurrence,
  linearRecurrenceBackward,
  type RecurrenceMode,
} from '../../cpu/wasm/recurrence-calls.js';
import { parallelFor } from '../../cpu/wasm/threads.js';
import { splitAt } from '../../core/shape.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { stateRows } from '../sequence/index.js';

const at = (t: Tensor | undefined) => t?.pointer('ops/associative-scan') ?? 0;

export const cumsumWasm: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const [outer, n, inner] = splitAt(x.shape, call.params.axis as number);
    const y = allocate(call, x.shape);
    const reverse = Number(call.params.reverse);
    parallelFor('cumsum', outer * inner, 64, x.pointer('cumsum'), y.pointer('cumsum'), n, inner, reverse);
    return { y };
  },
};

function dimsOf(call: Call, split: boolean) {
  const mode: RecurrenceMode = call.params.log ? 'log' : 'decay';
  const { B, T, D } = call.dims;
  return { B, T, D, cu: at(call.in.cuSeqlens), S: stateRows(call), mode, split };
}

/** Channels in the SIMD lanes; `split` cuts time into parts of 256 tokens that run at once. */
export const associativeScanWasm = (split: boolean): Implementation => ({
  forward: (call) => {
    const { a, b, initial } = call.in;
    const y = allocate(call, b!.shape);
    const final = allocate(call, [stateRows(call), call.dims.D]);
    const addresses = { a: at(a), b: at(b), h0: at(initial), h: at(y), final: at(final) };
    linearRecurrence(dimsOf(call, split), addresses);
    return { y, final };
  },
  backward: (call) => {
    const { a, initial } = call.in;
    const made = {
      a: allocate(call, a!.shape),
      b: allocate(call, a!.shape),
      initial: allocate(call, [stateRows(call), call.dims.D]),
    };
    linearRecurrenceBackward(dimsOf(call, split), {
      a: at(a),
      h: at(call.out.y),
      h0: at(initial),
      dh: at(call.grad.y),
      dfinal: at(call.grad.final),
      da: at(made.a),
      db: at(made.b),
      dh0: at(made.initial),
    });
    return made;
  },
});
