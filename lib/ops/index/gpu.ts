/** Indexing on the GPU: gather, deterministic scatter-add and a stable argsort by counting. */
import { bitsType, dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import { allocate, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

export const gatherGpu: Implementation = {
  forward: (call) => {
    const { table, ids } = call.in;
    const { V, D } = call.dims;
    const y = allocate(call, [...ids!.shape, D], table!.dtype);
    const params = { count: y.size, d: D, rows: V };
    dispatch({
      where: call.op.id,
      kernel: 'ops/index/gather',
      defs: { T: bitsType(table!.dtype) },
      tensors: { table, ids, y },
      params,
      threads: y.size,
    });
    return { y };
  },
};

/** Stable order of each row: i32 positions. Cost n^2 comparisons a row, all in parallel. */
function order(where: string, x: Tensor, rows: number, n: number, descending: boolean): Tensor {
  const indices = gpuEmpty(where, [rows, n], 'i32');
  const tiles = Math.ceil(n / 64);
  const defs = { T: x.dtype };
  const overrides = { DESCENDING: descending ? 1 : 0, INTEGER: x.dtype === 'i32' ? 1 : 0 };
  dispatch({
    where,
    kernel: 'ops/index/rank',
    defs,
    overrides,
    tensors: { x, indices },
    params: { rows, n, tiles },
    rows: rows * tiles,
    work: rows * n * n,
  });
  return indices;
}

/** y[ids] += updates in the order of position, by one run of sorted ids a row: the same bits every time. */
export const scatterAddGpu: Implementation = {
  forward: (call) => {
    const { updates, ids } = call.in;
    const D = call.dims.D;
    const y = allocate(call, [call.params.rows as number, D]);
    const sorted = order(call.op.id, ids!, 1, ids!.size, false);
    const params = { count: y.size, n: ids!.size, d: D };
    const defs = { F: floatType(call.op.id, updates!) };
    const tensors = { updates, ids, order: sorted, y };
    dispatch({
      where: call.op.id,
      kernel: 'ops/index/scatter-add',
      defs,
      tensors,
      params,
      threads: y.size,
      work: updates!.size * 4 + y.size * 16,
    });
    sorted.dispose();
    return { y };
  },
};

export const argsortGpu: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const n = call.dims.D;
    const indices = order(call.op.id, x, n === 0 ? 0 : x.size / n, n, call.params.descending as boolean);
    const shaped = indices.view(x.shape);
    indices.dispose();
    return { indices: shaped };
  },
};
