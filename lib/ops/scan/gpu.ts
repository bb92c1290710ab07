/** Running sums and first-order recurrences on the GPU. */
import { splitAt } from '../../core/shape.js';
import { dispatch, gpuEmpty } from '../../gpu/dispatch.js';
import type { Implementation, OptionalTensors } from '../../tensor/operator.js';

export const cumsumGpu: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const [outer, n, inner] = splitAt(x.shape, call.params.axis as number);
    const y = gpuEmpty(call.op.id, x.shape);
    const rows = outer * inner;
    const overrides = { REVERSE: call.params.reverse ? 1 : 0 };
    dispatch({
      where: call.op.id,
      kernel: 'ops/scan/cumsum',
      overrides,
      tensors: { x, y },
      params: { rows, n, inner },
      rows,
      work: x.size * 16,
    });
    return { y };
  },
};

export const associativeScanGpu: Implementation = {
  forward: (call) => {
    const { a, b, initial } = call.in;
    const { B, T: time, D: d } = call.dims;
    const y = gpuEmpty(call.op.id, a!.shape);
    const final = gpuEmpty(call.op.id, [B, d]);
    const overrides = { INITIAL: initial ? 1 : 0 };
    const tensors = { a, b, initial, y, final_state: final };
    dispatch({
      where: call.op.id,
      kernel: 'ops/scan/associative',
      overrides,
      tensors,
      params: { count: B * d, time, d },
      threads: B * d,
      work: y.size * 4,
    });
    return { y, final };
  },
  backward: (call) => {
    const { a, initial } = call.in;
    const { B, T: time, D: d } = call.dims;
    const da = gpuEmpty(call.op.id, a!.shape);
    const db = gpuEmpty(call.op.id, a!.shape);
    const dinitial = gpuEmpty(call.op.id, [B, d]);
    const { y: dy, final: dfinal } = call.grad;
    const overrides = { INITIAL: initial ? 1 : 0, DY: dy ? 1 : 0, DFINAL: dfinal ? 1 : 0 };
    const tensors = { a, y: call.out.y, initial, dy, dfinal, da, db, dinitial };
    dispatch({
      where: call.op.id,
      kernel: 'ops/scan/associative-backward',
      overrides,
      tensors,
      params: { count: B * d, time, d },
      threads: B * d,
      work: da.size * 6,
    });
    const grads: OptionalTensors = { a: da, b: db };
    if (initial) grads.initial = dinitial;
    else dinitial.dispose();
    return grads;
  },
};
