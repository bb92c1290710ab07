/** Matrix products on the GPU: 64 x 64 tiles, or one workgroup an element where a side is narrow. */
import { DeviceError } from '../../core/errors.js';
import { dispatch, floatType } from '../../gpu/dispatch.js';
import { allocate, type Implementation } from '../../tensor/operator.js';
import { planMatmul } from './reference.js';

const TILE = 64;
const MOST = 65535;

/** y = op(a) op(b) + bias; sums in f32. */
export const matmulGpu: Implementation = {
  forward: (call) => {
    const { batch, m, n, k, sharedB, shape } = planMatmul(call);
    const { a, b, bias } = call.in;
    const y = allocate(call, shape);
    // Layouts are uniforms, not override constants: one pipeline serves them all.
    const layout = {
      stride_a: m * k,
      stride_b: sharedB ? 0 : k * n,
      ta: Number(call.params.transposeA),
      tb: Number(call.params.transposeB),
      with_bias: bias ? 1 : 0,
    };
    const common = {
      where: 'ops/matmul',
      defs: { F: floatType('matmul', a!) },
      tensors: { a, b, bias, y },
      work: 2 * batch * m * n * k,
    };
    if (Math.min(m, n) <= 4) {
      dispatch({
        ...common,
        kernel: 'ops/matmul/narrow',
        params: { rows: y.size, m, n, k, ...layout },
        rows: y.size,
      });
      return { y };
    }
    const groups = [Math.ceil(n / TILE), Math.ceil(m / TILE), batch] as const;
    if (groups.some((g) => g > MOST))
      throw new DeviceError(
        `matmul: sizes must fit into ${MOST} tiles of ${TILE} and ${MOST} batches on the GPU, got ${batch} x ${m} x ${n}; split the batch`,
      );
    dispatch({ ...common, kernel: 'ops/matmul/tiled', params: { m, n, k, ...layout }, groups });
    return { y };
  },
};
