/** Rotation of pairs on WASM and on the GPU; both read the table of the call. */
import { parallelFor } from '../../cpu/wasm/threads.js';
import { dispatch, floatType } from '../../gpu/dispatch.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

const both = (rotate: (call: Call, x: Tensor, sign: 1 | -1) => Tensor): Implementation => ({
  forward: (call) => ({ y: rotate(call, call.in.x!, 1) }),
  backward: (call) => ({ x: rotate(call, call.grad.y!, -1) }),
});

export const rotaryWasm = both((call, x, sign) => {
  const { B, T, H, K, P, J } = call.dims;
  const at = (t: Tensor | undefined) => t?.pointer('rotary') ?? 0;
  const y = allocate(call, x.shape);
  const cos = at(call.in.table);
  const sizes = [at(call.in.positions), T, call.params.offset as number, H, K, 2 * J];
  const interleaved = call.params.pairing === 'interleaved' ? 1 : 0;
  parallelFor('rope', B * T, 64, at(x), at(y), cos, cos + 4 * P * J, ...sizes, interleaved, sign);
  return y;
});

export const rotaryGpu = both((call, x, sign) => {
  const { B, T: time, H: heads, K: k, P: rows, J: half } = call.dims;
  const { table, positions } = call.in;
  const y = allocate(call, x.shape);
  const count = B * time * heads * (k - half);
  dispatch({
    where: call.op.id,
    kernel: 'families/rotary/rotate',
    defs: { F: floatType(call.op.id, x) },
    overrides: {
      TRANSPOSED: sign < 0 ? 1 : 0,
      INTERLEAVED: call.params.pairing === 'interleaved' ? 1 : 0,
      POSITIONS: positions ? 1 : 0,
    },
    tensors: { x, table, positions, y },
    params: { count, time, heads, k, half, rows, offset: call.params.offset as number },
    threads: count,
    work: x.size * 4,
  });
  return y;
});
