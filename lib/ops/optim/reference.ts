/** Optimiser steps over flat buffers, from their definitions. */
import { pow } from '../../core/math.js';
import { allocate, type Call, type Kernel } from '../../tensor/operator.js';

/** 1/(1 - beta^step): undoes the bias of averages that start at zero. */
export function biasCorrection(beta: number, step: number): number {
  return 1 / (1 - pow(beta, step));
}

function inputs(call: Call, names: readonly string[]) {
  return names.map((name) => call.in[name]?.floats(call.op.id));
}

/** m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; p = p (1 - lr wd mask) - lr mhat / (sqrt(vhat) + eps), g = scale * gradient. */
export const adamW: Kernel = (call) => {
  const { learningRate, beta1, beta2, eps, weightDecay, step } = call.params as Record<string, number>;
  const [p, g, m, v, mask, scale] = inputs(call, ['parameters', 'gradients', 'm', 'v', 'decayMask', 'scale']);
  const made = ['parameters', 'm', 'v'].map(() => allocate(call, [call.dims.P]));
  const [np, nm, nv] = made.map((t) => t.floats(call.op.id));
  const [c1, c2] = [biasCorrection(beta1, step), biasCorrection(beta2, step)];
  const s = scale ? scale[0] : 1;
  for (let i = 0; i < np.length; i++) {
    const gradient = s * g![i];
    nm[i] = beta1 * m![i] + (1 - beta1) * gradient;
    nv[i] = beta2 * v![i] + (1 - beta2) * gradient * gradient;
    const decay = 1 - learningRate * weightDecay * (mask ? mask[i] : 1);
    np[i] = p![i] * decay - (learningRate * nm[i] * c1) / (Math.sqrt(nv[i] * c2) + eps);
  }
  return { parameters: made[0], m: made[1], v: made[2] };
};

/** u = momentum u + scale * gradient + weightDecay p; p = p - lr u. */
export const sgd: Kernel = (call) => {
  const { learningRate, momentum, weightDecay } = call.params as Record<string, number>;
  const [p, g, u, scale] = inputs(call, ['parameters', 'gradients', 'velocity', 'scale']);
  const made = [allocate(call, [call.dims.P]), allocate(call, [call.dims.P])];
  const [np, nu] = made.map((t) => t.floats(call.op.id));
  const s = scale ? scale[0] : 1;
  for (let i = 0; i < np.length; i++) {
    nu[i] = momentum * u![i] + s * g![i] + weightDecay * p![i];
    np[i] = p![i] - learningRate * nu[i];
  }
  return { parameters: made[0], velocity: made[1] };
};
