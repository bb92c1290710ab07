/** Cumulative sum and associative scan (first-order linear recurrence). */
import { normalAxis, sizeOf, type Dims } from '../../core/shape.js';
import { defineOperator } from '../../tensor/operator.js';
import { requireTensor, type Tensor } from '../../tensor/tensor.js';
import { associativeScanGpu, cumsumGpu } from './gpu.js';
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

const scanOp = defineOperator({
  id: 'ops/associative-scan',
  summary: 'first-order linear recurrence over time, per channel',
  equation: 'h_t = a_t h_{t-1} + b_t; (a1,b1) o (a2,b2) = (a1 a2, a2 b1 + b2)',
  inputs: [
    { name: 'a', shape: 'B T D', doc: 'decay' },
    { name: 'b', shape: 'B T D', doc: 'input' },
    { name: 'initial', shape: 'B D', optional: true, doc: 'state before the first token; zeros when absent' },
  ],
  outputs: [
    { name: 'y', shape: 'B T D', doc: 'state after every token' },
    { name: 'final', shape: 'B D', doc: 'state after the last token' },
  ],
  parameters: {},
  state: 'B D',
  forms: {
    reference: { cpu: reference.associativeScan },
    recurrent: { wasm: associativeScanWasm, webgpu: associativeScanGpu },
  },
  flops: (d: Dims) => 2 * d.B * d.T * d.D,
  bytes: (d: Dims) => 12 * d.B * d.T * d.D,
  cases: [
    { name: 'one', dims: { B: 2, T: 1, D: 3 }, with: ['initial'] },
    { name: 'prime', dims: { B: 2, T: 31, D: 5 } },
    { name: 'state', dims: { B: 1, T: 67, D: 9 }, with: ['initial'] },
  ],
  sample: (input, shape, uniform) =>
    input === 'a' ? Float64Array.from({ length: sizeOf(shape) }, () => 2 * uniform() - 1) : undefined,
  sources: [
    'Blelloch 1990, Prefix sums and their applications, section 1.4; mamba, arXiv 2312.00752, section 3.3.2',
  ],
});

/** h_t = a_t h_{t-1} + b_t over axis 1 of [B,T,D]. Gradients flow through all states, the final one and `initial`. */
export function associativeScan(
  a: Tensor,
  b: Tensor,
  options: { initial?: Tensor } = {},
): { y: Tensor; final: Tensor } {
  const { y, final } = scanOp({ a, b, ...options });
  return { y, final };
}
