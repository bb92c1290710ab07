/** RMSNorm and LayerNorm on the GPU, one workgroup a row; weight gradients by sums over chunks of rows. */
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import { allocate, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { sumAxisGpu } from '../reduce/gpu.js';

const CHUNK = 64;

function sizes(call: Call): { rows: number; n: number } {
  const n = call.dims.D;
  return { rows: call.in.x!.size / n, n };
}

/** Inputs of both kernels: CENTER tells LayerNorm from RMSNorm. */
function settings(call: Call, center: number) {
  return {
    where: call.op.id,
    defs: { F: floatType(call.op.id, call.in.x!) },
    work: call.in.x!.size * 12,
    overrides: { CENTER: center, WEIGHT: call.in.weight ? 1 : 0 },
  };
}

function norm(center: number): Implementation {
  return {
    forward: (call) => {
      const { x, weight, bias } = call.in;
      const { rows, n } = sizes(call);
      const y = allocate(call, x!.shape);
      const moments = gpuEmpty(call.op.id, [rows, 2]);
      const common = settings(call, center);
      const overrides = { ...common.overrides, BIAS: bias ? 1 : 0 };
      const tensors = { x, weight, bias, y, moments };
      dispatch({
        ...common,
        kernel: 'ops/norm/forward',
        overrides,
        tensors,
        params: { rows, n, eps: call.params.eps as number },
        rows,
      });
      if (call.training) call.saved.moments = moments;
      else moments.dispose();
      return { y };
    },
    backward: (call) => {
      const { x, weight } = call.in;
      const { rows, n } = sizes(call);
      const dx = allocate(call, x!.shape);
      const tensors = { x, weight, dy: call.grad.y, moments: call.saved.moments, dx };
      dispatch({
        ...settings(call, center),
        kernel: 'ops/norm/backward',
        tensors,
        params: { rows, n },
        rows,
      });
      const grads: OptionalTensors = { x: dx };
      if (weight && call.needs('weight')) grads.weight = weightGradient(call, rows, n);
      if (call.in.bias && call.needs('bias')) grads.bias = sumAxisGpu(call.op.id, call.grad.y!, 1, rows, n);
      return grads;
    },
  };
}

function weightGradient(call: Call, rows: number, n: number): Tensor {
  const chunks = Math.max(1, Math.ceil(rows / CHUNK));
  const partial = gpuEmpty(call.op.id, [chunks, n]);
  const tensors = { x: call.in.x, dy: call.grad.y, moments: call.saved.moments, partial };
  const params = { rows, n, chunks, chunk: CHUNK };
  const defs = { F: floatType(call.op.id, call.in.x!) };
  dispatch({
    where: call.op.id,
    kernel: 'ops/norm/weight-gradient',
    defs,
    tensors,
    params,
    threads: chunks * n,
    work: rows * n * 4,
  });
  const total = sumAxisGpu(call.op.id, partial, 1, chunks, n);
  partial.dispose();
  return total;
}

export const rmsNormGpu = norm(0);
export const layerNormGpu = norm(1);
