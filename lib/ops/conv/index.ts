/** Causal depthwise convolution over time with carried state. */
import { ShapeError } from '../../core/errors.js';
import type { Dims } from '../../core/shape.js';
import { defineOperator } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { causalConv1dGpu } from './gpu.js';
import * as reference from './reference.js';
import { causalConv1dWasm } from './wasm.js';

const convOp = defineOperator({
  id: 'ops/causal-conv1d',
  summary: 'depthwise convolution that sees the present and the W-1 tokens before it',
  equation: 'y_t = bias + sum_j weight_j x_{t-W+1+j}',
  inputs: [
    { name: 'x', shape: 'B T D', doc: 'channels over time' },
    { name: 'weight', shape: 'D W', doc: 'one filter a channel; the last tap meets the present token' },
    { name: 'bias', shape: 'D', optional: true, doc: 'added to every token' },
    {
      name: 'state',
      shape: 'B D W-1',
      optional: true,
      doc: 'tokens before the first, oldest first; zeros when absent',
    },
  ],
  outputs: [
    { name: 'y', shape: 'B T D', doc: 'filtered channels' },
    { name: 'finalState', shape: 'B D W-1', doc: 'the last W-1 tokens, to carry on with' },
  ],
  parameters: {},
  state: 'B D W-1',
  check: (call) => {
    if (call.dims.W === 0)
      throw new ShapeError('ops/causal-conv1d: weight must have at least one tap, got W = 0');
  },
  forms: {
    reference: { cpu: reference.causalConv1d },
    parallel: { wasm: causalConv1dWasm, webgpu: causalConv1dGpu },
  },
  flops: (d: Dims) => 2 * d.B * d.T * d.D * d.W,
  bytes: (d: Dims) => 8 * d.B * d.T * d.D,
  cases: [
    { name: 'plain', dims: { B: 2, T: 13, D: 5, W: 4 }, with: ['bias'] },
    { name: 'state', dims: { B: 2, T: 7, D: 9, W: 4 }, with: ['bias', 'state'] },
    { name: 'step', dims: { B: 3, T: 1, D: 4, W: 3 }, with: ['state'] },
    { name: 'short', dims: { B: 1, T: 2, D: 3, W: 5 }, with: ['state'] },
  ],
  sources: ['mamba, arXiv 2312.00752, section 3.4; state as ONNX CausalConvWithState'],
});

/**
 * Causal depthwise convolution [B,T,D] with filters [D,W]; `state` [B,D,W-1] carries on an earlier call.
 * @returns y [B,T,D] and finalState [B,D,W-1]; gradients flow through both
 */
export function causalConv1d(
  x: Tensor,
  weight: Tensor,
  options: { bias?: Tensor; state?: Tensor } = {},
): { y: Tensor; finalState: Tensor } {
  const { y, finalState } = convOp({ x, weight, ...options });
  return { y, finalState };
}
