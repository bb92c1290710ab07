/** The backward pass of every GPU form of the selective scan, over chunks of time or over whole sequences. */
import { stridesOf } from '../../core/shape.js';
import { dispatch, gpuEmpty } from '../../gpu/dispatch.js';
import type { Call, OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { sumAxisGpu } from '../../ops/reduce/gpu.js';
import { stridedGpu } from '../../ops/structure/gpu.js';
import { carry, dispatchSlots, planOf, tableOf, WHERE, type Plan } from './gpu-common.js';

/** Elements that regions of shared buffers are aligned to: 256 bytes in f32 and f16, so that views bind as they are. */
const ALIGN = 128;
/** Blocks of channels that one workgroup of kernel gradient takes in turn. */
const PASSES = 4;
const aligned = (count: number) => Math.ceil(count / ALIGN) * ALIGN;

/** Regions of the one temporary buffer of kernel gradient, in floats. */
interface Work {
  buffer: Tensor;
  /** Workgroups that share the channels of a group. */
  parts: number;
  partialAt: number;
  partialSize: number;
  sumsAt: number;
  /** Floats of one row of sums: dA, (dD, dbias, 0, 0), then dB and dC where fixed. */
  sumWidth: number;
}

function workOf(plan: Plan): Work {
  const row = plan.quads * 4;
  const partialAt = aligned(plan.slots * plan.d * row);
  const varies = plan.bVaries || plan.cVaries;
  const parts = Math.ceil(plan.blocks / PASSES);
  const partialSize = varies ? parts * plan.tokens * plan.groups * 2 * row : 0;
  const sumsAt = partialAt + aligned(partialSize);
  const sumWidth = row * (1 + (plan.bVaries ? 0 : 1) + (plan.cVaries ? 0 : 1)) + 4;
  const buffer = gpuEmpty(WHERE, [sumsAt + plan.slots * plan.d * sumWidth]);
  return { buffer, parts, partialAt, partialSize, sumsAt, sumWidth };
}

/** Gradients of all inputs; `length` as in planOf. */
export function gradients(call: Call, length: number | undefined): OptionalTensors {
  const { u, delta, z } = call.in;
  const plan = planOf(call, length);
  const table = tableOf(call, plan);
  const work = workOf(plan);
  const initial = enter(call, plan, table, work);
  const dy = call.grad.y;
  const plane = aligned(u!.size);
  const grads = gpuEmpty(WHERE, [(z ? 3 : 2) * plane], u!.dtype);
  dispatchSlots(
    plan,
    'gradient',
    { u, delta, dy, z, table, kept: call.saved.kept, work: work.buffer, grads },
    { GATED: z ? 1 : 0, DY: dy ? 1 : 0 },
    { plane, at_partial: work.partialAt / 4, at_sums: work.sumsAt / 4, sum_width: work.sumWidth / 4 },
    plan.slots * plan.groups * work.parts,
  );
  table.dispose();
  const made: OptionalTensors = {
    u: grads.view(u!.shape, 0),
    delta: grads.view(u!.shape, plane),
    ...collect(call, plan, work),
  };
  if (z) made.z = grads.view(u!.shape, 2 * plane);
  if (call.in.initialState) made.initialState = initial ?? leaving(call, plan, work);
  else initial?.dispose();
  grads.dispose();
  work.buffer.dispose();
  return made;
}

/**
 * Fills the gradient that enters each slot at its end. Over chunks that takes a pass of its own and leaves the gradient
 * of the initial state; whole sequences start from the gradient of the final state.
 */
function enter(call: Call, plan: Plan, table: Tensor, work: Work): Tensor | undefined {
  const { delta, z, cuSeqlens: cu } = call.in;
  const { y: dy, finalState: edge } = call.grad;
  const chunks = work.buffer;
  if (plan.whole) {
    carry(plan, { table, cu, edge, chunks }, true);
    return undefined;
  }
  const steps = gpuEmpty(WHERE, [plan.slots, plan.d]);
  const last = gpuEmpty(WHERE, [plan.sequences, plan.d, plan.states]);
  dispatchSlots(
    plan,
    'chunk-adjoint',
    { delta, dy, z, table, ends: chunks, steps },
    { GATED: z ? 1 : 0, DY: dy ? 1 : 0 },
  );
  carry(plan, { table, steps, cu, edge, chunks, last }, true);
  steps.dispose();
  return last;
}

/** What left whole sequences at their start. */
function leaving(call: Call, plan: Plan, work: Work): Tensor {
  const row = plan.quads * 4;
  return stridedGpu(WHERE, work.buffer, call.in.initialState!.shape, [plan.d * row, row, 1]);
}

/** Gradients of weights and of B and C: sums over slots and over the workgroups that share a group. */
function collect(call: Call, plan: Plan, work: Work): OptionalTensors {
  const { B, C, D: skip, deltaBias } = call.in;
  const { d, states, slots } = plan;
  const row = plan.quads * 4;
  const { parts, sumWidth, partialSize } = work;
  const sums = work.buffer.view([slots * d * sumWidth], work.sumsAt);
  const totals = sumAxisGpu(WHERE, sums, 1, slots, d * sumWidth);
  const column = (at: number) => stridedGpu(WHERE, totals, [d, states], [sumWidth, 1], at);
  const single = (at: number) => stridedGpu(WHERE, totals, [d], [sumWidth], at);
  const grads: OptionalTensors = { A: column(0) };
  if (skip) grads.D = single(row);
  if (deltaBias) grads.deltaBias = single(row + 1);
  const partial = work.buffer.view([partialSize], work.partialAt);
  const pairs = parts > 1 ? sumAxisGpu(WHERE, partial, 1, parts, partialSize / parts) : partial.view();
  const token = (like: Tensor, at: number) => {
    const strides = stridesOf(like.shape).map((s, axis) => (axis === 3 ? 1 : (s / states) * 2 * row));
    return stridedGpu(WHERE, pairs, like.shape, strides, at);
  };
  grads.B = narrow(plan.bVaries ? token(B!, 0) : column(row + 4), B!);
  grads.C = narrow(plan.cVaries ? token(C!, row) : column(row + 4 + (plan.bVaries ? 0 : row)), C!);
  for (const t of [sums, totals, partial, pairs]) t.dispose();
  return grads;
}

/** The f32 gradient in the dtype of its input; takes the tensor over. */
function narrow(t: Tensor, like: Tensor): Tensor {
  if (t.dtype === like.dtype) return t;
  const y = gpuEmpty(WHERE, t.shape, like.dtype);
  dispatch({
    where: WHERE,
    kernel: 'ops/structure/cast',
    defs: { S: t.dtype, T: like.dtype },
    tensors: { x: t, y },
    params: { count: t.size },
    threads: t.size,
  });
  t.dispose();
  return y;
}
