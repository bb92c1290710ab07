/** Optimiser steps as operators over one flat parameter buffer. They make fresh tensors; nothing changes in place. */
import { sizeOf, type Dims } from '../../core/shape.js';
import { defineOperator, type InputSpec, type ParameterSpec } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { adamWGpu, sgdGpu } from './gpu.js';
import * as reference from './reference.js';
import { adamWWasm, sgdWasm } from './wasm.js';

const flat = (name: string, doc: string, optional = false): InputSpec => ({
  name,
  shape: 'P',
  doc,
  optional,
  differentiable: false,
});
const scale: InputSpec = {
  name: 'scale',
  shape: '1',
  optional: true,
  differentiable: false,
  doc: 'factor on the gradients (clipping)',
};
const out = (name: string, doc: string) => ({ name, shape: 'P', doc, differentiable: false });
const number = (value: number, doc: string, maximum?: number): ParameterSpec => ({
  type: 'number',
  default: value,
  minimum: 0,
  maximum,
  doc,
});
const positive = (input: string, shape: readonly number[], uniform: () => number) =>
  input === 'v' || input === 'scale' || input === 'decayMask'
    ? Float64Array.from({ length: sizeOf(shape) }, uniform)
    : undefined;
const cases = [
  { name: 'plain', dims: { P: 1031 } },
  { name: 'masked', dims: { P: 67 }, with: ['decayMask', 'scale'] },
];

const adamWOp = defineOperator({
  id: 'ops/adamw',
  summary: 'AdamW step with decoupled weight decay',
  equation: 'p = p (1 - lr wd mask) - lr mhat / (sqrt(vhat) + eps)',
  inputs: [
    flat('parameters', 'weights'),
    flat('gradients', 'gradients'),
    flat('m', 'first moment'),
    flat('v', 'second moment'),
    flat('decayMask', '1 where weight decay applies', true),
    scale,
  ],
  outputs: [out('parameters', 'new weights'), out('m', 'new first moment'), out('v', 'new second moment')],
  parameters: {
    learningRate: number(1e-3, 'step size'),
    beta1: number(0.9, 'decay of the first moment', 1),
    beta2: number(0.999, 'decay of the second moment', 1),
    eps: number(1e-8, 'added to the root'),
    weightDecay: number(0.01, 'decoupled decay'),
    step: { type: 'integer', default: 1, minimum: 1, doc: 'number of this step, from 1' },
  },
  forms: {
    reference: { cpu: { forward: reference.adamW } },
    parallel: { wasm: adamWWasm, webgpu: adamWGpu },
  },
  flops: (d: Dims) => 14 * d.P,
  bytes: (d: Dims) => 28 * d.P,
  cases: cases.map((c) => ({ ...c, params: { step: 3, weightDecay: 0.1, learningRate: 0.01 } })),
  sample: positive,
  sources: ['Loshchilov and Hutter 2019, arXiv 1711.05101, algorithm 2; decay times lr as PyTorch'],
});

/** One AdamW step; all inputs [P], `scale` [1] multiplies the gradients. */
export function adamW(
  inputs: { parameters: Tensor; gradients: Tensor; m: Tensor; v: Tensor; decayMask?: Tensor; scale?: Tensor },
  options: {
    learningRate?: number;
    beta1?: number;
    beta2?: number;
    eps?: number;
    weightDecay?: number;
    step: number;
  },
): { parameters: Tensor; m: Tensor; v: Tensor } {
  const { parameters, m, v } = adamWOp(inputs, options);
  return { parameters, m, v };
}

const sgdOp = defineOperator({
  id: 'ops/sgd',
  summary: 'SGD step with momentum',
  equation: 'u = momentum u + g + wd p; p = p - lr u',
  inputs: [
    flat('parameters', 'weights'),
    flat('gradients', 'gradients'),
    flat('velocity', 'momentum buffer'),
    scale,
  ],
  outputs: [out('parameters', 'new weights'), out('velocity', 'new momentum buffer')],
  parameters: {
    learningRate: number(1e-2, 'step size'),
    momentum: number(0, 'momentum', 1),
    weightDecay: number(0, 'L2 decay'),
  },
  forms: { reference: { cpu: { forward: reference.sgd } }, parallel: { wasm: sgdWasm, webgpu: sgdGpu } },
  flops: (d: Dims) => 6 * d.P,
  bytes: (d: Dims) => 20 * d.P,
  cases: [
    { name: 'plain', dims: { P: 1031 }, params: { momentum: 0.9, weightDecay: 0.1 } },
    { name: 'scaled', dims: { P: 67 }, with: ['scale'] },
  ],
  sample: positive,
  sources: ['definition; momentum as PyTorch (no dampening)'],
});

/** One SGD step; all inputs [P], `scale` [1] multiplies the gradients. */
export function sgd(
  inputs: { parameters: Tensor; gradients: Tensor; velocity: Tensor; scale?: Tensor },
  options: { learningRate?: number; momentum?: number; weightDecay?: number } = {},
): { parameters: Tensor; velocity: Tensor } {
  const { parameters, velocity } = sgdOp(inputs, options);
  return { parameters, velocity };
}
