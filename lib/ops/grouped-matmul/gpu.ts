/** Products of row groups on the GPU: tiles find their group in the offsets on the device, nothing is read back. */
import { DeviceError } from '../../core/errors.js';
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import { allocate, type Implementation } from '../../tensor/operator.js';

const TILE = 64;
const MOST = 65535;
/** Rows a group has on average, up to which low tiles leave less work undone. */
const FEW = 16;

export const groupedMatmulGpu: Implementation = {
  forward: (call) => {
    const where = call.op.id;
    const { N, D, F, E } = call.dims;
    const { rows, weights, offsets } = call.in;
    const y = allocate(call, [N, F]);
    const height = N <= FEW * E ? 1 : 4;
    const starts = gpuEmpty(where, [E + 3], 'i32');
    dispatch({
      where,
      kernel: 'ops/grouped-matmul/starts',
      tensors: { offsets, starts },
      params: { rows: N, count: E, height: 16 * height },
      groups: [1, 1, 1],
      work: E,
    });
    // Every group can end in a tile that is not full, as can the rows before and after all groups.
    const tiles = Math.floor(N / (16 * height)) + Math.min(N, E + 2);
    const deep = Math.max(1, Math.ceil(tiles / MOST));
    const groups = [Math.ceil(F / TILE), Math.ceil(tiles / deep), deep] as const;
    requireGroups(where, groups, 'F');
    dispatch({
      where,
      kernel: 'ops/grouped-matmul/rows',
      defs: { F: floatType(where, rows!) },
      overrides: { HEIGHT: height },
      tensors: { starts, offsets, x: rows, w: weights, y },
      params: { rows: N, n: F, k: D, count: E, tb: Number(call.params.transpose) },
      groups,
      work: 2 * N * D * F,
    });
    starts.dispose();
    return { y };
  },
};

export const groupedOuterGpu: Implementation = {
  forward: (call) => {
    const where = call.op.id;
    const { N, D, F, E } = call.dims;
    const { a, b, offsets } = call.in;
    const y = allocate(call, [E, D, F]);
    const groups = [Math.ceil(F / TILE), Math.ceil(D / TILE), E] as const;
    requireGroups(where, groups, 'D, F and E');
    dispatch({
      where,
      kernel: 'ops/grouped-matmul/outer',
      defs: { F: floatType(where, a!) },
      tensors: { offsets, a, b, y },
      params: { rows: N, m: D, n: F },
      groups,
      work: 2 * N * D * F + y.size,
    });
    return { y };
  },
};

function requireGroups(where: string, groups: readonly number[], what: string): void {
  if (groups.some((g) => g > MOST))
    throw new DeviceError(
      `${where}: ${what} must fit into ${MOST} tiles of ${TILE} on the GPU, got ${groups.join(' x ')} tiles; split them`,
    );
}
