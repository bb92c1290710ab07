/** Cumulative sum and associative scan (first-order linear recurrence). */
import { normalAxis, sizeOf, type Dims, type Shape } from '../../core/shape.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Params } from '../../tensor/operator.js';
import { requireTensor, type Tensor } from '../../tensor/tensor.js';
import { checkSequences, CU_SEQLENS, oneToken, samplePacked } from '../sequence/index.js';
import { chunkCpu, recurrentCpu } from './forms.js';
import { cumsumGpu } from './gpu.js';
import { chunkGpu, preferredGpuForm, recurrentGpu } from './gpu-recurrence.js';
import * as reference from './reference.js';
import { associativeScanWasm, cumsumWasm } from './wasm.js';

const cumsumOp = defineOperator({
  id: 'ops/cumsum',
  summary: 'running sum along an axis',
  equation: 'y_t = sum_{s<=t} x_s (s >= t when reversed)',
  inputs: [{ name: 'x', shape: '*', doc: 'tensor' }],
  outputs: [{ name: 'y', shape: '*', doc: 'shape of x' }],
  parameters: {
    axis: { type: 'integer', default: 0, minimum: 0, doc: 'axis' },
    reverse: { type: 'boolean', default: false, doc: 'from the end' },
  },
  check: (call) => void normalAxis(call.op.id, call.params.axis as number, call.in.x!.rank),
  forms: {
    reference: { cpu: { forward: reference.cumsum } },
    parallel: { wasm: cumsumWasm, webgpu: cumsumGpu },
  },
  gradient: (call) => ({
    x: cumsum(call.grad.y!, call.params.axis as number, { reverse: !call.params.reverse }),
  }),
  flops: (d: Dims) => sizeOf(Object.values(d)),
  bytes: (d: Dims) => 8 * sizeOf(Object.values(d)),
  cases: [
    { name: 'last', dims: { B: 3, T: 37 }, params: { axis: 1 } },
    { name: 'middle', dims: { B: 2, T: 11, D: 5 }, params: { axis: 1, reverse: true } },
    { name: 'one', dims: { T: 1 }, params: { axis: 0 } },
    { name: 'long', dims: { T: 1031 }, params: { axis: 0 } },
  ],
  sources: ['definition'],
});

/** Running sum along an axis, from the end when `reverse`. */
export function cumsum(x: Tensor, axis = -1, options: { reverse?: boolean } = {}): Tensor {
  requireTensor('cumsum', 'x', x);
  return cumsumOp({ x }, { axis: normalAxis('cumsum', axis, x.rank), ...options }).y;
}

/** Decays in (-1, 1); logarithms of decays where the call takes those, `strong` times as large. */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
  params: Params,
): ArrayLike<number> | undefined {
  if (input === 'cuSeqlens') return samplePacked(dims);
  if (input !== 'a') return undefined;
  const draw = () => (params.log ? -(dims.strong ?? 1) * uniform() : 2 * uniform() - 1);
  return Float64Array.from({ length: sizeOf(shape) }, draw);
}

const PACKED_STATE = { initial: [4, 6] };

const scanOp = defineOperator({
  id: 'ops/associative-scan',
  summary: 'first-order linear recurrence over time, per channel',
  equation: 'h_t = a_t h_{t-1} + b_t, or e^{a_t} h_{t-1} + b_t; (a1,b1) o (a2,b2) = (a1 a2, a2 b1 + b2)',
  inputs: [
    { name: 'a', shape: 'B T D', half: true, doc: 'decay, or its natural logarithm' },
    { name: 'b', shape: 'B T D', half: true, doc: 'input' },
    {
      name: 'initial',
      shape: 'B D | S D',
      optional: true,
      doc: 'state before the first token; zeros when absent',
    },
    CU_SEQLENS,
  ],
  outputs: [
    { name: 'y', shape: 'B T D', doc: 'state after every token' },
    { name: 'final', shape: '*', doc: 'state after the last token: [B,D], or [S,D] packed' },
  ],
  parameters: {
    log: { type: 'boolean', default: false, doc: 'a holds natural logarithms of the decays' },
  },
  state: 'B D',
  check: (call) => checkSequences(call, 'a', ['initial']),
  forms: {
    reference: { cpu: reference.associativeScan },
    recurrent: { cpu: recurrentCpu, wasm: associativeScanWasm(false), webgpu: recurrentGpu },
    chunk: { cpu: chunkCpu, wasm: associativeScanWasm(true), webgpu: chunkGpu() },
    step: {
      cpu: oneToken(recurrentCpu, 'a'),
      wasm: oneToken(associativeScanWasm(false), 'a'),
      webgpu: oneToken(recurrentGpu, 'a'),
    },
  },
  prefer: (backend, dims) => (backend === 'webgpu' ? preferredGpuForm(dims) : undefined),
  flops: (d: Dims) => 2 * d.B * d.T * d.D,
  bytes: (d: Dims) => 12 * d.B * d.T * d.D,
  cases: [
    { name: 'one', dims: { B: 2, T: 1, D: 3 }, with: ['initial'] },
    { name: 'prime', dims: { B: 2, T: 31, D: 5 } },
    { name: 'state', dims: { B: 1, T: 67, D: 9 }, with: ['initial'] },
    { name: 'empty', dims: { B: 2, T: 0, D: 4 }, with: ['initial'] },
    { name: 'chunk-less-one', dims: { B: 1, T: 255, D: 19 }, with: ['initial'] },
    { name: 'chunk', dims: { B: 1, T: 256, D: 16 } },
    { name: 'chunk-and-one', dims: { B: 2, T: 257, D: 21 }, with: ['initial'] },
    { name: 'logarithms', dims: { B: 2, T: 67, D: 7 }, params: { log: true }, with: ['initial'] },
    { name: 'no-decay', dims: { B: 1, T: 29, D: 5, strong: 0 }, params: { log: true }, with: ['initial'] },
    {
      name: 'strong-decay',
      dims: { B: 1, T: 521, D: 6, strong: 60 },
      params: { log: true },
      with: ['initial'],
    },
    {
      name: 'packed',
      dims: { B: 1, T: 31, D: 6, S: 4 },
      shapes: PACKED_STATE,
      with: ['initial', 'cuSeqlens'],
    },
    { name: 'packed-chunks', dims: { B: 1, T: 193, D: 18, S: 3 }, with: ['cuSeqlens'] },
    {
      name: 'packed-long',
      dims: { B: 1, T: 821, D: 6, S: 4 },
      params: { log: true },
      shapes: PACKED_STATE,
      with: ['initial', 'cuSeqlens'],
    },
  ],
  sample,
  sources: [
    'Blelloch 1990, Prefix sums and their applications, section 1.4; mamba, arXiv 2312.00752, section 3.3.2',
  ],
});

/** Options of the recurrences. */
export interface RecurrenceOptions {
  /** State before the first token, [B,D], or [S,D] packed; zeros when absent. */
  initial?: Tensor;
  /** i32 [S+1], starts of packed sequences and the end of the last; then B = 1. */
  cuSeqlens?: Tensor;
  form?: Form;
}

function run(a: Tensor, b: Tensor, options: RecurrenceOptions, log: boolean): { y: Tensor; final: Tensor } {
  const { form, ...inputs } = options;
  const { y, final } = scanOp({ a, b, ...inputs }, { log }, { form });
  return { y, final };
}

/** h_t = a_t h_{t-1} + b_t over axis 1 of [B,T,D]. Gradients flow through all states, the final one and `initial`. */
export function associativeScan(
  a: Tensor,
  b: Tensor,
  options: RecurrenceOptions = {},
): { y: Tensor; final: Tensor } {
  return run(a, b, options, false);
}

/**
 * h_t = e^{g_t} h_{t-1} + x_t over axis 1 of [B,T,D] from logarithms g of the decays, <= 0 for a state that fades.
 * The decay over many tokens is e to the sum of their logarithms; its gradient needs no division by a decay.
 */
export function linearRecurrence(
  g: Tensor,
  x: Tensor,
  options: RecurrenceOptions = {},
): { y: Tensor; final: Tensor } {
  return run(g, x, options, true);
}

export { scanOp as associativeScanOperator };
