/** Optimiser steps on the GPU over flat buffers. */
import { dispatch, gpuEmpty } from '../../gpu/dispatch.js';
import type { Implementation } from '../../tensor/operator.js';

export const adamWGpu: Implementation = {
  forward: (call) => {
    const { learningRate, beta1, beta2, eps, weightDecay, step } = call.params as Record<string, number>;
    const { parameters, gradients, m, v, decayMask, scale } = call.in;
    const count = call.dims.P;
    const [next, nextM, nextV] = [0, 1, 2].map(() => gpuEmpty(call.op.id, [count]));
    const common = { where: call.op.id, threads: count, work: count * 8 };
    dispatch({
      ...common,
      kernel: 'ops/optim/moments',
      overrides: { SCALE: scale ? 1 : 0 },
      tensors: { gradients, m, v, scale, next_m: nextM, next_v: nextV },
      params: { count, beta1, beta2, rest1: 1 - beta1, rest2: 1 - beta2 },
    });
    dispatch({
      ...common,
      kernel: 'ops/optim/adamw',
      overrides: { MASK: decayMask ? 1 : 0 },
      tensors: { parameters, m: nextM, v: nextV, mask: decayMask, next },
      params: {
        count,
        rate: learningRate,
        eps,
        decay: weightDecay,
        c1: 1 - beta1 ** step,
        c2: 1 - beta2 ** step,
      },
    });
    return { parameters: next, m: nextM, v: nextV };
  },
};

export const sgdGpu: Implementation = {
  forward: (call) => {
    const { learningRate, momentum, weightDecay } = call.params as Record<string, number>;
    const { parameters, gradients, velocity, scale } = call.in;
    const count = call.dims.P;
    const next = gpuEmpty(call.op.id, [count]);
    const nextVelocity = gpuEmpty(call.op.id, [count]);
    dispatch({
      where: call.op.id,
      kernel: 'ops/optim/sgd',
      overrides: { SCALE: scale ? 1 : 0 },
      tensors: { parameters, gradients, velocity, scale, next, next_velocity: nextVelocity },
      params: { count, rate: learningRate, momentum, decay: weightDecay },
      threads: count,
    });
    return { parameters: next, velocity: nextVelocity };
  },
};
