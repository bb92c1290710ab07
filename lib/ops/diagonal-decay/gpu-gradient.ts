/** The backward pass of the GPU forms: adjoints of the states, what tokens exchange with them, pairs inside chunks. */
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import { allocate, type Call, type OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { sumAxisGpu } from '../reduce/gpu.js';
import type { Slots } from '../sequence/gpu.js';
import { stridedGpu } from '../structure/gpu.js';
import {
  carried,
  CHUNK,
  laneRows,
  LEVELS,
  matrices,
  mixed,
  overridesOf,
  planeOf,
  tokens,
  transposed,
  WHERE,
  type Parts,
} from './gpu-common.js';
import { product } from './gpu-product.js';

/** Gradients of every float input from dy and the gradient of the final state. */
export function gradients(call: Call, slots: Slots, parts: Parts, dy: Tensor): OptionalTensors {
  const { initialState } = call.in;
  const queries = laneRows(call, parts.lanes, 0);
  const { chunks: adjoints, last } = carried(
    call,
    slots,
    parts.totals,
    queries,
    dy,
    call.grad.finalState,
    true,
  );
  queries.tensor.dispose();
  const made: OptionalTensors = { v: mixed(call, slots, parts, dy, adjoints, true) };
  const slopes = slopesOf(call, slots, dy);
  const exchange = exchanged(call, slots, parts.states, adjoints, dy);
  adjoints.dispose();
  Object.assign(made, laneGradients(call, slots, slopes, exchange));
  slopes.dispose();
  Object.assign(made, collect(call, slots, exchange));
  exchange.dispose();
  if (initialState) made.initialState = last;
  else last.dispose();
  return made;
}

/** dy_i . v_j for j <= i and its transpose: [slots, H, 2, 64, 64]. */
function slopesOf(call: Call, slots: Slots, dy: Tensor): Tensor {
  const { H, V } = call.dims;
  const square = CHUNK * CHUNK;
  const tensor = gpuEmpty(WHERE, [slots.count, H, 2, CHUNK, CHUNK]);
  product(call, slots, {
    m: 'tokens',
    n: 'tokens',
    depth: V,
    left: tokens(call, dy, V),
    right: transposed(tokens(call, call.in.v!, V)),
    to: { tensor, slot: 2 * H * square, head: 2 * square, row: CHUNK, column: 1 },
    lower: true,
  });
  return tensor;
}

/**
 * Planes [B T, H, K] of dy S^T and v G^T, without decays; behind them, for every chunk, head and lane, the state before
 * the chunk times the adjoint after it, and the bonus.
 */
function exchanged(call: Call, slots: Slots, states: Tensor, adjoints: Tensor, dy: Tensor): Tensor {
  const { q, v, bonus } = call.in;
  const { H, K, V } = call.dims;
  const plane = planeOf(call);
  const rows = slots.count * H * K;
  const exchange = gpuEmpty(WHERE, [2 * plane + 2 * rows]);
  const sides = [
    [dy, states],
    [v!, adjoints],
  ];
  sides.forEach(([values, matrix], side) => {
    const to = exchange.view(q!.shape, side * plane);
    product(call, slots, {
      m: 'tokens',
      n: K,
      depth: V,
      left: tokens(call, values, V),
      right: transposed(matrices(call, matrix)),
      to: tokens(call, to, K),
    });
    to.dispose();
  });
  dispatch({
    where: WHERE,
    kernel: 'ops/diagonal-decay/crossing',
    overrides: { EXCLUSIVE: overridesOf(call).EXCLUSIVE },
    tensors: { slots: slots.table, states, adjoints, bonus, exchange },
    params: { rows, heads: H, k: K, v: V, at: 2 * plane },
    rows,
    work: rows * V * 4,
  });
  return exchange;
}

/** Gradients of q and k; `exchange` then holds those of the log-decays, and sums over chunks. */
function laneGradients(call: Call, slots: Slots, slopes: Tensor, exchange: Tensor): OptionalTensors {
  const { q, k, decay } = call.in;
  const { H, K } = call.dims;
  const [dq, dk] = [allocate(call, q!.shape, q!.dtype), allocate(call, k!.shape, k!.dtype)];
  const quads = Math.ceil(K / 4);
  const rows = slots.count * H * quads;
  dispatch({
    where: WHERE,
    kernel: 'ops/diagonal-decay/gradient',
    defs: { F: floatType(WHERE, q!) },
    overrides: overridesOf(call),
    tensors: { slots: slots.table, q, k, decay, slopes, exchange, dq, dk },
    params: {
      ...{ rows, heads: H, k: K, quads, levels: LEVELS },
      ...{ plane: planeOf(call), at: 2 * planeOf(call), scale: call.params.scale as number },
    },
    rows,
    work: rows * CHUNK * 2048,
  });
  return { q: dq, k: dk };
}

/** Gradients of the log-decays and the bonus: a plane of `exchange`, or sums over all chunks. */
function collect(call: Call, slots: Slots, exchange: Tensor): OptionalTensors {
  const { decay, bonus } = call.in;
  const { H, K } = call.dims;
  const made: OptionalTensors = {};
  const varies = decay!.rank === 4;
  if (varies) made.decay = exchange.view(decay!.shape, 0);
  if (varies && !bonus) return made;
  const sums = exchange.view([slots.count * H * K * 2], 2 * planeOf(call));
  const totals = sumAxisGpu(WHERE, sums, 1, slots.count, H * K * 2);
  const pick = (at: number) => stridedGpu(WHERE, totals, [H, K], [2 * K, 2], at);
  if (!varies) made.decay = pick(0);
  if (bonus) made.bonus = pick(1);
  sums.dispose();
  totals.dispose();
  return made;
}
