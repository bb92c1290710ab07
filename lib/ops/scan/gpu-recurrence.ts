/** The linear recurrence on the GPU: whole sequences in order, or slots of time at once with a carry over them. */
import { dispatch, floatType, gpuEmpty, type Dispatch } from '../../gpu/dispatch.js';
import type { Call, Implementation, OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { slotsOf, type Slots } from '../sequence/gpu.js';
import { stateRows } from '../sequence/index.js';

/** Channels of sequences that keep a GPU busy by themselves, and those worth having by cutting time. */
const FULL = 2 ** 15;
const PLENTY = 2 ** 16;
/** Fewer tokens than this are not worth three phases. */
const LONG = 256;

/** `chunk` for sequences of at least 256 tokens with fewer than 32,768 channels together; `recurrent` otherwise. */
export function preferredGpuForm(dims: Call['dims']): 'chunk' | 'recurrent' {
  const sequences = dims.S ?? dims.B;
  const time = dims.S ? (dims.B * dims.T) / Math.max(1, dims.S) : dims.T;
  return time >= LONG && sequences * dims.D < FULL ? 'chunk' : 'recurrent';
}

const floorPower = (x: number) => 2 ** Math.floor(Math.log2(Math.max(1, x)));

/**
 * Tokens to a slot, 16 to 256: the longest that gives lanes in plenty, but no shorter than what balances the serial
 * steps of two passes over a slot and one over all slots.
 */
export function slotLength({ B, T, D, S }: Call['dims']): number {
  const tokens = B * T;
  const plenty = floorPower((tokens * D) / PLENTY);
  const balanced = floorPower(Math.sqrt(tokens / Math.max(1, S ?? B) / 2));
  return Math.max(16, Math.min(256, Math.max(plenty, balanced)));
}

/** What every pass shares: flags of the call and the type of stored decays and inputs. */
function passOf(call: Call, rows: number) {
  const { T: time, D: d } = call.dims;
  const packed = call.in.cuSeqlens ? 1 : 0;
  return (kernel: string, tensors: Dispatch['tensors'], overrides: Record<string, number>): void =>
    dispatch({
      where: call.op.id,
      kernel: `ops/scan/${kernel}`,
      defs: { F: floatType(call.op.id, call.in.a!) },
      overrides: { LOG: call.params.log ? 1 : 0, PACKED: packed, ...overrides },
      tensors,
      params: { count: rows * d, time, d },
      threads: rows * d,
      work: call.in.a!.size * 8,
    });
}

/** What enters every slot, and what leaves the last; `x` are inputs, or with `reverse` gradients of the states. */
function entering(
  call: Call,
  slots: Slots,
  tensors: { x: Tensor | undefined; edge: Tensor | undefined; last: Tensor },
  reverse: boolean,
): Tensor {
  const { D: d } = call.dims;
  const { x, edge, last } = tensors;
  const flags = { LOG: call.params.log ? 1 : 0, REVERSE: reverse ? 1 : 0 };
  const factors = gpuEmpty(call.op.id, [slots.count, d]);
  const ends = gpuEmpty(call.op.id, [slots.count, d]);
  const local = { a: call.in.a, x, spans: slots.table, factors, ends };
  passOf(call, slots.count)('associative-local', local, { SLOTS: 1, REVERSE: flags.REVERSE, DY: x ? 1 : 0 });
  const rows = slots.sequences;
  dispatch({
    where: call.op.id,
    kernel: 'ops/scan/associative-carry',
    overrides: { ...flags, SEEDED: edge ? 1 : 0 },
    tensors: { ranges: slots.ranges, edge, factors, ends, last },
    params: { count: rows * d, d },
    threads: rows * d,
    work: factors.size * 4,
  });
  factors.dispose();
  return ends;
}

function outputsOf(call: Call) {
  const { a } = call.in;
  return {
    y: gpuEmpty(call.op.id, a!.shape, a!.dtype),
    final: gpuEmpty(call.op.id, [stateRows(call), call.dims.D]),
  };
}

function gradientsOf(call: Call) {
  const { a } = call.in;
  return {
    da: gpuEmpty(call.op.id, a!.shape, a!.dtype),
    db: gpuEmpty(call.op.id, a!.shape, a!.dtype),
  };
}

/** A copy of the gradient of the final state, which the backward pass overwrites with that of the initial one. */
function seedOf(call: Call): Tensor {
  const seed = gpuEmpty(call.op.id, [stateRows(call), call.dims.D]);
  const x = call.grad.final;
  if (x)
    dispatch({
      where: call.op.id,
      kernel: 'ops/structure/copy',
      tensors: { x, y: seed },
      params: { count: x.size, offset: 0 },
      threads: x.size,
    });
  return seed;
}

function results(call: Call, da: Tensor, db: Tensor, initial: Tensor): OptionalTensors {
  if (call.in.initial) return { a: da, b: db, initial };
  initial.dispose();
  return { a: da, b: db };
}

/** One invocation a channel of a sequence, serial over time. */
export const recurrentGpu: Implementation = {
  forward: (call) => {
    const { a, b, initial, cuSeqlens } = call.in;
    const { y, final } = outputsOf(call);
    const tensors = { a, b, initial, spans: cuSeqlens, y, final_state: final };
    passOf(call, stateRows(call))('associative', tensors, { INITIAL: initial ? 1 : 0, SLOTS: 0 });
    return { y, final };
  },
  backward: (call) => {
    const { a, initial, cuSeqlens } = call.in;
    const { y: dy, final } = call.grad;
    const { da, db } = gradientsOf(call);
    const edge = seedOf(call);
    const flags = { INITIAL: initial ? 1 : 0, DY: dy ? 1 : 0, SEEDED: final ? 1 : 0, SLOTS: 0 };
    const tensors = { a, y: call.out.y, initial, dy, spans: cuSeqlens, edge, da, db };
    passOf(call, stateRows(call))('associative-backward', tensors, flags);
    return results(call, da, db, edge);
  },
};

/** Slots of time in parallel, forward and backward; `length` in tokens, else by the sizes of the call. */
export const chunkGpu = (length?: number): Implementation => ({
  forward: (call) => {
    const { a, b, initial } = call.in;
    const { y, final } = outputsOf(call);
    const slots = slotsOf(call, length ?? slotLength(call.dims));
    const start = entering(call, slots, { x: b, edge: initial, last: final }, false);
    const unused = gpuEmpty(call.op.id, [1]);
    const tensors = { a, b, initial: start, spans: slots.table, y, final_state: unused };
    passOf(call, slots.count)('associative', tensors, { INITIAL: 1, SLOTS: 1 });
    for (const t of [start, unused, slots]) t.dispose();
    return { y, final };
  },
  backward: (call) => {
    const { a, initial } = call.in;
    const { y: dy, final } = call.grad;
    const { da, db } = gradientsOf(call);
    const slots = slotsOf(call, length ?? slotLength(call.dims));
    const first = gpuEmpty(call.op.id, [stateRows(call), call.dims.D]);
    const edge = entering(call, slots, { x: dy, edge: final, last: first }, true);
    const flags = { INITIAL: initial ? 1 : 0, DY: dy ? 1 : 0, SEEDED: 1, SLOTS: 1 };
    const tensors = { a, y: call.out.y, initial, dy, spans: slots.table, edge, da, db };
    passOf(call, slots.count)('associative-backward', tensors, flags);
    for (const t of [edge, slots]) t.dispose();
    return results(call, da, db, first);
  },
});
