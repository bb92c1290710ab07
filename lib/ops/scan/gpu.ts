/** Running sums on the GPU. */
import { splitAt } from '../../core/shape.js';
import { dispatch, gpuEmpty } from '../../gpu/dispatch.js';
import type { Implementation } from '../../tensor/operator.js';

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
