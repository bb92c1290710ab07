/**
 * Selective scan on the GPU, forward: whole sequences by the recurrence, chunks in three phases, or lanes along time.
 * Every form keeps the state before every 16th token for the one backward pass they share.
 */
import { gpuEmpty } from '../../gpu/dispatch.js';
import { ArgumentError } from '../../core/errors.js';
import type { Call, Implementation, OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import {
  carry,
  chunkLength,
  dispatchSlots,
  gradientLength,
  planOf,
  tableOf,
  WHERE,
  withOutputs,
  type Plan,
} from './gpu-common.js';
import { gradients } from './gpu-gradient.js';

interface Outputs {
  y: Tensor;
  finalState: Tensor;
}

function outputsOf(call: Call, plan: Plan): Outputs {
  if (call.training) call.saved.kept = gpuEmpty(WHERE, [plan.keptRows, plan.d, plan.quads, 4]);
  return {
    y: gpuEmpty(WHERE, call.in.u!.shape, call.in.u!.dtype),
    finalState: gpuEmpty(WHERE, [plan.sequences, plan.d, plan.states]),
  };
}

/** The pass that writes y, from the state that enters each slot. */
function apply(
  call: Call,
  plan: Plan,
  kernel: 'recurrent' | 'scan',
  tensors: { table: Tensor; start?: Tensor; y: Tensor; final_state?: Tensor },
  startWidth: number,
): void {
  const { u, delta, z } = call.in;
  const { kept } = call.saved;
  const flags = { GATED: z, START: tensors.start, FINAL: tensors.final_state, KEPT: kept };
  const overrides = Object.fromEntries(Object.entries(flags).map(([name, t]) => [name, t ? 1 : 0]));
  const rows = kernel === 'scan' ? plan.slots * plan.d : undefined;
  const { table, start, y, final_state } = tensors;
  withOutputs({ final_state, kept }, (outputs) =>
    dispatchSlots(
      plan,
      kernel,
      { u, delta, z, table, start, y, ...outputs },
      overrides,
      { start_width: startWidth },
      rows,
    ),
  );
}

/** Whole sequences: one pass over the activations. */
function forwardWhole(call: Call, kernel: 'recurrent' | 'scan'): OptionalTensors {
  const plan = planOf(call, undefined);
  const table = tableOf(call, plan);
  const { y, finalState } = outputsOf(call, plan);
  const tensors = { table, start: call.in.initialState, y, final_state: finalState };
  apply(call, plan, kernel, tensors, plan.states);
  table.dispose();
  return { y, finalState };
}

/** Chunks from zero, the carry over chunks, chunks from what enters them: u and delta are read twice. */
function forwardChunks(call: Call, length: number): OptionalTensors {
  const { u, delta, cuSeqlens: cu, initialState } = call.in;
  const plan = planOf(call, length);
  const table = tableOf(call, plan);
  const chunks = gpuEmpty(WHERE, [plan.slots, plan.d, plan.quads, 4]);
  const steps = gpuEmpty(WHERE, [plan.slots, plan.d]);
  dispatchSlots(plan, 'chunk-local', { u, delta, table, ends: chunks, steps }, {});
  const { y, finalState } = outputsOf(call, plan);
  carry(plan, { table, steps, cu, edge: initialState, chunks, last: finalState }, false);
  apply(call, plan, 'recurrent', { table, start: chunks, y }, plan.quads * 4);
  for (const t of [table, chunks, steps]) t.dispose();
  return { y, finalState };
}

/** Whole sequences in order: lanes across channels and states. */
export const selectiveScanGpu: Implementation = {
  forward: (call) => forwardWhole(call, 'recurrent'),
  backward: (call) => gradients(call, gradientLength(call)),
};

/** Lanes along time. Its gradients are those of the chunked form. */
export const scanGpu: Implementation = {
  forward: (call) => forwardWhole(call, 'scan'),
  backward: (call) => gradients(call, gradientLength(call)),
};

/**
 * Chunks of time in parallel, forward and backward; `length` in tokens, else by the sizes of the call.
 * @throws ArgumentError unless the length is a positive multiple of 16
 */
export function chunkGpu(length?: number): Implementation {
  if (length !== undefined && !(length > 0 && length % 16 === 0))
    throw new ArgumentError(`${WHERE}: length must be a positive multiple of 16, got ${length}`);
  return {
    forward: (call) => forwardChunks(call, length ?? chunkLength(call)),
    backward: (call) => gradients(call, length ?? gradientLength(call)),
  };
}
