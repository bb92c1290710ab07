/** The movements of rows on WASM. */
import { parallelFor } from '../../cpu/wasm/threads.js';
import { allocate } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { combineBy, dispatchBy, type Movement } from './movement.js';

/** Rows a thread takes at least: about 64 KiB of them. */
const grain = (width: number) => Math.max(1, Math.ceil(16384 / Math.max(1, width)));

const vectors: Movement = {
  spread: (call, x, source, weights, k) => {
    const D = x.shape[1];
    const rows = allocate(call, [source.size, D]);
    const at = (t: Tensor | undefined) => t?.pointer(call.op.id) ?? 0;
    const args = [at(x), at(source), at(weights), at(rows), k, D];
    parallelFor('spreadRows', source.size, grain(D), ...args);
    return rows;
  },
  collect: (call, rows, slots, weights) => {
    const [T, k] = slots.shape;
    const D = rows.shape[1];
    const y = allocate(call, [T, D]);
    const at = (t: Tensor | undefined) => t?.pointer(call.op.id) ?? 0;
    parallelFor('collectRows', T, grain(D * k), at(rows), at(slots), at(weights), at(y), k, D);
    return y;
  },
  dots: (call, x, rows, slots) => {
    const k = slots.shape[1];
    const D = x.shape[1];
    const y = allocate(call, slots.shape);
    const at = (t: Tensor | undefined) => t?.pointer(call.op.id) ?? 0;
    parallelFor('dotRows', slots.size, grain(D), at(x), at(rows), at(slots), at(y), k, D);
    return y;
  },
};

export const dispatchWasm = dispatchBy(vectors);
export const combineWasm = combineBy(vectors);
