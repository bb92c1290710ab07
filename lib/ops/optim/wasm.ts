/** Optimiser steps on WASM: copies first, then the in-place kernels run on the copies. */
import { parallelFor } from '../../cpu/wasm/threads.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import * as reference from './reference.js';

const GRAIN = 16384;

function copyOf(call: Call, name: string): Tensor {
  const t = allocate(call, [call.dims.P]);
  parallelFor('copy', t.size, 4 * GRAIN, call.in[name]!.pointer(call.op.id), t.pointer(call.op.id));
  return t;
}

export const adamWWasm: Implementation = {
  forward: (call) => {
    const { learningRate, beta1, beta2, eps, weightDecay, step } = call.params as Record<string, number>;
    const made = { parameters: copyOf(call, 'parameters'), m: copyOf(call, 'm'), v: copyOf(call, 'v') };
    const at = (t: Tensor | undefined) => t?.pointer('ops/adamw') ?? 0;
    const addresses = [
      at(made.parameters),
      at(call.in.gradients),
      at(made.m),
      at(made.v),
      at(call.in.decayMask),
    ];
    const corrections = [reference.biasCorrection(beta1, step), reference.biasCorrection(beta2, step)];
    const scale = call.in.scale ? call.in.scale.dataSync()[0] : 1;
    parallelFor(
      'adamW',
      call.dims.P,
      GRAIN,
      ...addresses,
      learningRate,
      beta1,
      beta2,
      eps,
      weightDecay,
      ...corrections,
      scale,
    );
    return made;
  },
};

export const sgdWasm: Implementation = {
  forward: (call) => {
    const { learningRate, momentum, weightDecay } = call.params as Record<string, number>;
    const made = { parameters: copyOf(call, 'parameters'), velocity: copyOf(call, 'velocity') };
    const scale = call.in.scale ? call.in.scale.dataSync()[0] : 1;
    const at = (t: Tensor) => t.pointer('ops/sgd');
    const addresses = [at(made.parameters), at(call.in.gradients!), at(made.velocity)];
    parallelFor('sgd', call.dims.P, GRAIN, ...addresses, learningRate, momentum, weightDecay, scale);
    return made;
  },
};
