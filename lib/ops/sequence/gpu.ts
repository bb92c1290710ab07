/** Chunks of time on the GPU, packed or not: one table that every chunked kernel reads. */
import { dispatch, gpuEmpty } from '../../gpu/dispatch.js';
import type { Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { stateRows } from './index.js';

/** How a call is laid over chunks of time. */
export interface Slots {
  /** Rows of the table; some hold nothing when packed. */
  count: number;
  sequences: number;
  /** i32 [count, 4]; see kernels-wgsl/shared/slots. */
  table: Tensor;
  /** i32 [sequences, 2]: first slot of a sequence, and how many it has. */
  ranges: Tensor;
  dispose(): void;
}

/**
 * Cuts the sequences of a call into chunks; a chunk never crosses a sequence. Nothing is read back.
 * `chunk` of T or more gives one slot a sequence.
 */
export function slotsOf(call: Call, chunk: number): Slots {
  const { T } = call.dims;
  const cu = call.in.cuSeqlens;
  const sequences = stateRows(call);
  const per = cu ? 0 : Math.ceil(T / chunk);
  const count = cu ? Math.floor(T / chunk) + sequences : sequences * per;
  const table = gpuEmpty(call.op.id, [count, 4], 'i32');
  const ranges = gpuEmpty(call.op.id, [sequences, 2], 'i32');
  dispatch({
    where: call.op.id,
    kernel: 'ops/sequence/slots',
    overrides: { PACKED: cu ? 1 : 0 },
    tensors: { cu, slots: table, ranges },
    params: { count, time: T, chunk, per, sequences },
    threads: Math.max(count, sequences),
    work: count * 8,
  });
  return {
    count,
    sequences,
    table,
    ranges,
    dispose: () => {
      table.dispose();
      ranges.dispose();
    },
  };
}
