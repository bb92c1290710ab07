/** What the GPU passes share: scores and lanes of chunks, states carried over them, outputs. */
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import { allocate, type Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { Slots } from '../sequence/gpu.js';
import { product, type Operand } from './gpu-product.js';

export const WHERE = 'ops/diagonal-decay';
/** Tokens of a chunk, and halvings of it down to one token: as in kernels-wgsl/ops/diagonal-decay. */
export const CHUNK = 64;
export const LEVELS = 6;
/** Elements that regions of shared buffers are aligned to: 256 bytes, so that views bind as they are. */
const ALIGN = 64;
const aligned = (count: number) => Math.ceil(count / ALIGN) * ALIGN;

/** What the forward pass makes and the backward pass uses again. */
export interface Parts {
  /** [slots, H, 64, 64] */
  scores: Tensor;
  /** Two planes [B T, H, K]: scaled q with the decays before it, k with those after it, in the chunk. */
  lanes: Tensor;
  /** [slots, H, K] */
  totals: Tensor;
  /** [slots, H, K, V]: before every chunk. */
  states: Tensor;
}

export const overridesOf = (call: Call) => ({
  EXCLUSIVE: call.in.bonus ? 1 : 0,
  VARIES: call.in.decay!.rank === 4 ? 1 : 0,
});

/** Elements between the planes of [B T, H, K]. */
export const planeOf = (call: Call) => aligned(call.in.q!.size);

/** Rows of a token: `n` numbers for every head, of one chunk and head. */
export function tokens(call: Call, tensor: Tensor, n: number): Operand {
  return { tensor, begin: call.dims.H * n, head: n, row: call.dims.H * n, column: 1 };
}

/** Matrices [K, V] of every chunk and head. */
export function matrices(call: Call, tensor: Tensor): Operand {
  const { H, K, V } = call.dims;
  return { tensor, slot: H * K * V, head: K * V, row: V, column: 1 };
}

export const transposed = (o: Operand): Operand => ({ ...o, row: o.column, column: o.row });

function scoresOf(call: Call, slots: Slots): Omit<Parts, 'states'> {
  const { q, k, decay, bonus } = call.in;
  const { H, K } = call.dims;
  const rows = slots.count * H;
  const scores = gpuEmpty(WHERE, [rows, CHUNK, CHUNK]);
  const lanes = gpuEmpty(WHERE, [2 * planeOf(call)]);
  const totals = gpuEmpty(WHERE, [rows, K]);
  dispatch({
    where: WHERE,
    kernel: 'ops/diagonal-decay/scores',
    defs: { F: floatType(WHERE, q!) },
    overrides: overridesOf(call),
    tensors: { slots: slots.table, q, k, decay, bonus, scores, lanes, totals },
    params: {
      rows,
      heads: H,
      k: K,
      levels: LEVELS,
      plane: planeOf(call),
      scale: call.params.scale as number,
    },
    rows,
    work: rows * CHUNK * CHUNK * K,
  });
  return { scores, lanes, totals };
}

/** Plane 0 (q side) or 1 (k side) of the lanes, as rows of tokens. */
export function laneRows(call: Call, lanes: Tensor, plane: 0 | 1): Operand {
  const { q } = call.in;
  return tokens(call, lanes.view(q!.shape, plane * planeOf(call)), call.dims.K);
}

/** What chunks add to a state from zero, sum of outer products of lanes and values; then what enters each, and leaves. */
export function carried(
  call: Call,
  slots: Slots,
  totals: Tensor,
  lanes: Operand,
  values: Tensor,
  edge: Tensor | undefined,
  reverse: boolean,
): { chunks: Tensor; last: Tensor } {
  const { H, K, V } = call.dims;
  const chunks = gpuEmpty(WHERE, [slots.count, H, K, V]);
  product(call, slots, {
    m: K,
    n: V,
    depth: 'tokens',
    left: transposed(lanes),
    right: tokens(call, values, V),
    to: matrices(call, chunks),
  });
  const last = gpuEmpty(WHERE, [slots.sequences, H, K, V]);
  dispatch({
    where: WHERE,
    kernel: 'ops/diagonal-decay/carry',
    overrides: { REVERSE: reverse ? 1 : 0, SEEDED: edge ? 1 : 0 },
    tensors: { ranges: slots.ranges, totals, edge, chunks, last },
    params: { count: last.size, heads: H, k: K, v: V },
    threads: last.size,
    work: chunks.size * 4,
  });
  return { chunks, last };
}

/** Everything up to the states before the chunks, and the final one. */
export function partsOf(call: Call, slots: Slots): { parts: Parts; last: Tensor } {
  const made = scoresOf(call, slots);
  const { v, initialState } = call.in;
  const keys = laneRows(call, made.lanes, 1);
  const { chunks, last } = carried(call, slots, made.totals, keys, v!, initialState, false);
  keys.tensor.dispose();
  return { parts: { ...made, states: chunks }, last };
}

/** y = P x + L M, or with P transposed: outputs of the forward pass, gradients of the values in the backward one. */
export function mixed(
  call: Call,
  slots: Slots,
  { scores, lanes }: Parts,
  values: Tensor,
  states: Tensor,
  backward: boolean,
): Tensor {
  const { H, K, V } = call.dims;
  const y = allocate(call, call.in.v!.shape, call.in.v!.dtype);
  const square = CHUNK * CHUNK;
  const pairs: Operand = { tensor: scores, slot: H * square, head: square, row: CHUNK, column: 1 };
  const rows = laneRows(call, lanes, backward ? 1 : 0);
  product(call, slots, {
    m: 'tokens',
    n: V,
    depth: 'tokens',
    left: backward ? transposed(pairs) : pairs,
    right: tokens(call, values, V),
    more: { depth: K, left: rows, right: matrices(call, states) },
    to: tokens(call, y, V),
  });
  rows.tensor.dispose();
  return y;
}
