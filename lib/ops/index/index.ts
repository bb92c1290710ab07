/** Indexing: gather (embedding), deterministic scatter-add, top-k, argsort. */
import { ArgumentError } from '../../core/errors.js';
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { defineOperator, type Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { reshape } from '../structure/index.js';
import { argsortGpu, gatherGpu, scatterAddGpu } from './gpu.js';
import { place } from './place.js';
import * as reference from './reference.js';
import { topKGpu, topKHost } from './top-k.js';
import { gatherWasm, scatterAddWasm } from './wasm.js';

/** Ids are checked on the host; on a GPU kernels stay inside the table, since a readback would stall every step. */
function checkIds(call: Call, rows: number): void {
  const ids = call.in.ids!;
  if (ids.device === 'gpu') return;
  const values = ids.dataSync();
  for (let i = 0; i < values.length; i++)
    if (values[i] < 0 || values[i] >= rows)
      throw new ArgumentError(`${call.op.id}: ids must lie in [0, ${rows}), got ${values[i]} at ${i}`);
}

const drawIds =
  (limit: (d: Dims) => number) => (input: string, shape: Shape, uniform: () => number, dims: Dims) =>
    input === 'ids'
      ? Int32Array.from({ length: sizeOf(shape) }, () => Math.floor(uniform() * limit(dims)))
      : undefined;
const cost = {
  flops: (d: Dims) => sizeOf(Object.values(d)),
  bytes: (d: Dims) => 8 * sizeOf(Object.values(d)),
};

const gatherOp = defineOperator({
  id: 'ops/gather',
  summary: 'rows of a table by index, as in an embedding',
  equation: 'y_i = table[ids_i]',
  inputs: [
    { name: 'table', shape: 'V D', half: true, doc: 'rows' },
    { name: 'ids', shape: '*', dtypes: ['i32'], differentiable: false, doc: 'row numbers' },
  ],
  outputs: [{ name: 'y', shape: '*', doc: '[...ids, D]' }],
  parameters: {},
  check: (call) => checkIds(call, call.dims.V),
  forms: {
    reference: { cpu: { forward: reference.gather } },
    parallel: { wasm: gatherWasm, webgpu: gatherGpu },
  },
  gradient: (call) => ({
    table: scatterAdd(flatRows(call.grad.y!), reshape(call.in.ids!, [call.in.ids!.size]), call.dims.V),
  }),
  ...cost,
  cases: [
    { name: 'matrix', dims: { V: 11, D: 5 }, shapes: { ids: [3, 4] } },
    { name: 'one', dims: { V: 2, D: 33 }, shapes: { ids: [1] } },
  ],
  sample: drawIds((d) => d.V),
  sources: ['definition'],
});

function flatRows(t: Tensor): Tensor {
  const width = t.shape[t.rank - 1];
  return reshape(t, [width === 0 ? 0 : t.size / width, width]);
}

/**
 * Rows `table[ids]`: [V,D] and i32 ids of any shape give [...ids, D].
 * @throws ArgumentError for an id outside [0, V) on the host; on a GPU it is clamped, since a check would wait for it
 */
export function gather(table: Tensor, ids: Tensor): Tensor {
  return gatherOp({ table, ids }).y;
}

const scatterOp = defineOperator({
  id: 'ops/scatter-add',
  summary: 'adds rows into a table of zeros, in a fixed order',
  equation: 'y[ids_i] += updates_i',
  inputs: [
    { name: 'updates', shape: '... D', half: true, doc: 'rows to add' },
    { name: 'ids', shape: '...', dtypes: ['i32'], differentiable: false, doc: 'row numbers' },
  ],
  outputs: [{ name: 'y', shape: '*', doc: '[rows, D]' }],
  parameters: {
    rows: { type: 'integer', default: undefined, required: true, minimum: 0, doc: 'rows of the table' },
  },
  check: (call) => checkIds(call, call.params.rows as number),
  forms: {
    reference: { cpu: { forward: reference.scatterAdd } },
    parallel: { wasm: scatterAddWasm, webgpu: scatterAddGpu },
  },
  gradient: (call) => ({ updates: gather(call.grad.y!, call.in.ids!) }),
  ...cost,
  cases: [
    { name: 'collisions', dims: { D: 5 }, shapes: { updates: [13, 5], ids: [13] }, params: { rows: 4 } },
    { name: 'matrix', dims: { D: 3 }, shapes: { updates: [2, 4, 3], ids: [2, 4] }, params: { rows: 9 } },
  ],
  sample: drawIds(() => 4),
  sources: ['definition'],
});

/**
 * Sums rows of `updates` into a [rows, D] table; collisions add in order of position, so results repeat bit for bit.
 * @throws ArgumentError for an id outside [0, rows) on the host; on a GPU such rows are left out
 */
export function scatterAdd(updates: Tensor, ids: Tensor, rows: number): Tensor {
  return scatterOp({ updates, ids }, { rows }).y;
}

const topKOp = defineOperator({
  id: 'ops/top-k',
  summary: 'the k largest of the last axis, largest first; ties: lower index first',
  equation: 'values_j = x[indices_j]',
  inputs: [{ name: 'x', shape: '... D', doc: 'scores' }],
  outputs: [
    { name: 'values', shape: '*', doc: '[..., k]' },
    { name: 'indices', shape: '*', doc: 'i32 [..., k]', differentiable: false },
  ],
  parameters: { k: { type: 'integer', default: 1, minimum: 1, doc: 'how many, at most D' } },
  check: (call) => {
    if ((call.params.k as number) > call.dims.D)
      throw new ArgumentError(`ops/top-k: k must be <= ${call.dims.D}, got ${String(call.params.k)}`);
  },
  forms: {
    reference: { cpu: { forward: reference.topK } },
    parallel: { cpu: { forward: topKHost }, webgpu: topKGpu },
  },
  gradient: (call) => ({ x: place(call.grad.values!, call.out.indices, call.dims.D) }),
  ...cost,
  cases: [
    { name: 'rows', dims: { D: 17 }, shapes: { x: [3, 17] }, params: { k: 4 } },
    { name: 'all', dims: { D: 5 }, shapes: { x: [5] }, params: { k: 5 } },
    { name: 'many', dims: { D: 301 }, shapes: { x: [2, 301] }, params: { k: 65 } },
    { name: 'all-of-many', dims: { D: 515 }, shapes: { x: [515] }, params: { k: 515 } },
  ],
  sources: ['definition'],
});

/**
 * The k largest of the last axis [..., D], largest first, and their i32 indices: [..., k] each, 1 <= k <= D. Among equals
 * the lower index comes first; -0 and 0 are equal; NaN counts as positive infinity. The same on every backend.
 * @throws ArgumentError for a k above D
 */
export function topK(x: Tensor, k: number): { values: Tensor; indices: Tensor } {
  const { values, indices } = topKOp({ x }, { k });
  return { values, indices };
}

const argsortOp = defineOperator({
  id: 'ops/argsort',
  summary: 'indices that sort the last axis; stable',
  equation: 'x[indices] is sorted',
  inputs: [{ name: 'x', shape: '... D', differentiable: false, doc: 'keys' }],
  outputs: [{ name: 'indices', shape: '*', differentiable: false, doc: 'i32, shape of x' }],
  parameters: { descending: { type: 'boolean', default: false, doc: 'largest first' } },
  forms: { reference: { cpu: { forward: reference.argsort } }, parallel: { webgpu: argsortGpu } },
  ...cost,
  cases: [
    { name: 'ascending', dims: { D: 19 }, shapes: { x: [4, 19] } },
    { name: 'descending', dims: { D: 7 }, shapes: { x: [2, 7] }, params: { descending: true } },
  ],
  // Few distinct values, so that stability shows.
  sample: (_, shape, uniform) =>
    Float64Array.from({ length: sizeOf(shape) }, () => Math.floor(uniform() * 6)),
  sources: ['definition'],
});

/** i32 indices that sort the last axis; equal keys keep their order, NaN counts as the largest. */
export function argsort(x: Tensor, options: { descending?: boolean } = {}): Tensor {
  return argsortOp({ x }, options).indices;
}
