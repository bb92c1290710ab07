/** Causal depthwise convolution on the GPU. */
import { dispatch, gpuEmpty } from '../../gpu/dispatch.js';
import { outputShape, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { stridedGpu } from '../structure/gpu.js';
import { sumAxisGpu, zerosGpu } from '../reduce/gpu.js';

const CHUNK = 64;

export const causalConv1dGpu: Implementation = {
  forward: (call) => {
    const { x, weight, bias, state } = call.in;
    const { T: time, D: d, W: width } = call.dims;
    const y = gpuEmpty(call.op.id, x!.shape);
    const final = gpuEmpty(call.op.id, outputShape(call, 'finalState'));
    const STATE = state ? 1 : 0;
    const overrides = { STATE, BIAS: bias ? 1 : 0 };
    const params = { time, d, width };
    dispatch({
      where: call.op.id,
      kernel: 'ops/conv/forward',
      overrides,
      tensors: { x, weight, bias, state, y },
      params: { count: y.size, ...params },
      threads: y.size,
      work: y.size * width * 4,
    });
    const tensors = { x, state, final_state: final };
    dispatch({
      where: call.op.id,
      kernel: 'ops/conv/final-state',
      overrides: { STATE },
      tensors,
      params: { count: final.size, ...params },
      threads: final.size,
    });
    return { y, finalState: final };
  },
  backward: (call) => {
    const { x, weight, bias, state } = call.in;
    const { B, T: time, D: d, W: width } = call.dims;
    const dy = call.grad.y;
    const dx = gpuEmpty(call.op.id, x!.shape);
    const dstate = gpuEmpty(call.op.id, [B, d, Math.max(1, width - 1)]);
    const overrides = { DY: dy ? 1 : 0, DFINAL: call.grad.finalState ? 1 : 0, STATE: state ? 1 : 0 };
    const count = B * (time + width - 1) * d;
    const tensors = { weight, dy, dfinal: call.grad.finalState, dx, dstate };
    dispatch({
      where: call.op.id,
      kernel: 'ops/conv/input-gradient',
      overrides,
      tensors,
      params: { count, time, d, width },
      threads: count,
      work: count * width * 4,
    });
    const grads: OptionalTensors = { x: dx };
    if (state) grads.state = dstate.view(state.shape);
    dstate.dispose();
    if (call.needs('weight'))
      grads.weight = dy ? weightGradient(call, dy) : zerosGpu(call.op.id, weight!, weight!.shape);
    if (bias && call.needs('bias'))
      grads.bias = dy ? sumAxisGpu(call.op.id, dy, 1, B * time, d) : zerosGpu(call.op.id, bias, bias.shape);
    return grads;
  },
};

function weightGradient(call: Call, dy: Tensor): Tensor {
  const { B, T: time, D: d, W: width } = call.dims;
  const chunks = Math.max(1, Math.ceil(time / CHUNK));
  const partial = gpuEmpty(call.op.id, [B, chunks, width, d]);
  const overrides = { STATE: call.in.state ? 1 : 0 };
  const params = { count: partial.size, time, d, width, chunks, chunk: CHUNK };
  const tensors = { x: call.in.x, state: call.in.state, dy, partial };
  dispatch({
    where: call.op.id,
    kernel: 'ops/conv/weight-gradient',
    overrides,
    tensors,
    params,
    threads: partial.size,
    work: dy.size * width * 4,
  });
  const total = sumAxisGpu(call.op.id, partial, 1, B * chunks, width * d);
  const turned = stridedGpu(call.op.id, total, [d, width], [1, d]);
  partial.dispose();
  total.dispose();
  return turned;
}
