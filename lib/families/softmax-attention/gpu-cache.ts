/** A cache of keys or values on the GPU that grows in place: the one kernel that changes a tensor it did not make. */
import { bitsType, dispatch } from '../../gpu/dispatch.js';
import type { Tensor } from '../../tensor/tensor.js';
import { WHERE } from './gpu-plan.js';

/** Copies the first `count` tokens of every sequence of `from` [B,T1,H,K] to `to` [B,T2,H,K] at token `at`. */
export function appendRowsGpu(from: Tensor, count: number, to: Tensor, at: number): void {
  const [batch, held, heads, size] = from.shape;
  const inner = heads * size;
  const total = batch * count * inner;
  dispatch({
    where: WHERE,
    kernel: 'families/softmax-attention/append',
    defs: { T: bitsType(from.dtype) },
    tensors: { x: from, y: to },
    params: { count: total, rows: count, held, room: to.shape[1], inner, at },
    threads: total,
    work: total,
  });
}
