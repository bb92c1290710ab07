/** RMSNorm and LayerNorm over the last axis. */
import { ArgumentError } from '../../core/errors.js';
import { sizeOf, type Dims } from '../../core/shape.js';
import { defineOperator, type Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { layerNormGpu, rmsNormGpu } from './gpu.js';
import * as reference from './reference.js';
import { layerNormWasm, rmsNormWasm } from './wasm.js';

const elements = (d: Dims) => sizeOf(Object.values(d));
const cost = { flops: (d: Dims) => 4 * elements(d), bytes: (d: Dims) => 8 * elements(d) };
const x = { name: 'x', shape: '... D', half: true, doc: 'rows' } as const;
const y = { name: 'y', shape: '... D', doc: 'shape of x' } as const;
const weight = { name: 'weight', shape: 'D', optional: true, half: true, doc: 'gain' } as const;
const bias = { name: 'bias', shape: 'D', optional: true, half: true, doc: 'shift' } as const;
const eps = { type: 'number', default: 1e-5, minimum: 0, doc: 'added under the root' } as const;
const shapes = [
  { name: 'odd', dims: { D: 37 }, shapes: { x: [2, 3, 37] } },
  { name: 'wide', dims: { D: 260 }, shapes: { x: [67, 260] } },
];

function notEmpty(call: Call): void {
  if (call.dims.D === 0) throw new ArgumentError(`${call.op.id}: last axis must not be empty, got size 0`);
}

const rmsNormOp = defineOperator({
  id: 'ops/rms-norm',
  summary: 'divides rows by their root mean square',
  equation: 'y = x / sqrt(mean(x^2) + eps) weight',
  inputs: [x, weight],
  outputs: [y],
  parameters: { eps },
  check: notEmpty,
  forms: { reference: { cpu: reference.rmsNorm }, parallel: { wasm: rmsNormWasm, webgpu: rmsNormGpu } },
  ...cost,
  cases: [...shapes, ...shapes.map((c) => ({ ...c, name: `${c.name}-weight`, with: ['weight'] }))],
  sources: ['Zhang and Sennrich 2019, arXiv 1910.07467, equation 4'],
});

/** x / sqrt(mean(x²) + eps) · weight over the last axis. */
export function rmsNorm(input: Tensor, gain?: Tensor, options: { eps?: number } = {}): Tensor {
  return rmsNormOp({ x: input, weight: gain }, options).y;
}

const layerNormOp = defineOperator({
  id: 'ops/layer-norm',
  summary: 'centres rows and divides them by their standard deviation',
  equation: 'y = (x - mean) / sqrt(var + eps) weight + bias',
  inputs: [x, weight, bias],
  outputs: [y],
  parameters: { eps },
  check: notEmpty,
  forms: { reference: { cpu: reference.layerNorm }, parallel: { wasm: layerNormWasm, webgpu: layerNormGpu } },
  ...cost,
  cases: [...shapes, ...shapes.map((c) => ({ ...c, name: `${c.name}-affine`, with: ['weight', 'bias'] }))],
  sources: ['Ba, Kiros and Hinton 2016, arXiv 1607.06450, equation 4'],
});

/** (x - mean) / sqrt(var + eps) · weight + bias over the last axis; biased variance. */
export function layerNorm(
  input: Tensor,
  gain?: Tensor,
  shift?: Tensor,
  options: { eps?: number } = {},
): Tensor {
  return layerNormOp({ x: input, weight: gain, bias: shift }, options).y;
}
