/** Cumulative sum and linear recurrence on WASM. */
import { parallelFor } from '../../cpu/wasm/threads.js';
import { splitAt } from '../../core/shape.js';
import { allocate, type Implementation } from '../../tensor/operator.js';
import { zeros, type Tensor } from '../../tensor/tensor.js';

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

export const associativeScanWasm: Implementation = {
  forward: (call) => {
    const { B, T, D } = call.dims;
    const y = allocate(call, [B, T, D]);
    const final = allocate(call, [B, D]);
    const { a, b, initial } = call.in;
    parallelFor('linearRecurrence', B * D, 64, at(a), at(b), at(initial), at(y), at(final), T, D, 0);
    return { y, final };
  },
  backward: (call) => {
    const { B, T, D } = call.dims;
    const dy = call.grad.y ?? zeros([B, T, D], { device: 'host' });
    const made = {
      a: allocate(call, [B, T, D]),
      b: allocate(call, [B, T, D]),
      initial: allocate(call, [B, D]),
    };
    const inputs = [at(call.in.a), at(call.out.y), at(call.in.initial), at(dy), at(call.grad.final)];
    parallelFor(
      'linearRecurrenceBackward',
      B * D,
      64,
      ...inputs,
      at(made.a),
      at(made.b),
      at(made.initial),
      T,
      D,
      0,
    );
    if (!call.grad.y) dy.dispose();
    return made;
  },
};
