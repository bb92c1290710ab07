/** Gather and deterministic scatter-add on WASM. */
import { parallelFor } from '../../cpu/wasm/threads.js';
import { allocate, type Implementation } from '../../tensor/operator.js';

export const gatherWasm: Implementation = {
  forward: (call) => {
    const { table, ids } = call.in;
    const width = table!.shape[1];
    const y = allocate(call, [...ids!.shape, width]);
    const at = 'ops/gather';
    parallelFor('gatherRows', ids!.size, 256, table!.pointer(at), ids!.pointer(at), y.pointer(at), width);
    return { y };
  },
};

export const scatterAddWasm: Implementation = {
  forward: (call) => {
    const { updates, ids } = call.in;
    const width = call.dims.D;
    const y = allocate(call, [call.params.rows as number, width], 'f32');
    y.floats('ops/scatter-add').fill(0);
    const at = 'ops/scatter-add';
    parallelFor(
      'scatterAddRows',
      width,
      16,
      updates!.pointer(at),
      ids!.pointer(at),
      y.pointer(at),
      ids!.size,
      width,
    );
    return { y };
  },
};
