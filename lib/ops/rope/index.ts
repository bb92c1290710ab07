/** Rotary position embedding. */
import { ShapeError } from '../../core/errors.js';
import type { Dims } from '../../core/shape.js';
import { defineOperator } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { ropeGpu } from './gpu.js';
import * as reference from './reference.js';
import { ropeWasm } from './wasm.js';

const ropeOp = defineOperator({
  id: 'ops/rope',
  summary: 'rotary position embedding, pairs (i, i + K/2)',
  equation: 'y_t = R(t + offset) x_t with angles (t + offset) base^(-2i/K)',
  inputs: [{ name: 'x', shape: 'B T H K', half: true, doc: 'queries or keys, K even' }],
  outputs: [{ name: 'y', shape: 'B T H K', doc: 'rotated' }],
  parameters: {
    base: { type: 'number', default: 10000, minimum: 1, doc: 'wavelength base' },
    offset: { type: 'integer', default: 0, minimum: 0, doc: 'position of the first token' },
  },
  check: (call) => {
    if (call.dims.K % 2 !== 0)
      throw new ShapeError(`ops/rope: x must have an even last axis, got K = ${call.dims.K}`);
  },
  forms: { reference: { cpu: reference.rope }, parallel: { wasm: ropeWasm, webgpu: ropeGpu } },
  flops: (d: Dims) => 3 * d.B * d.T * d.H * d.K,
  bytes: (d: Dims) => 8 * d.B * d.T * d.H * d.K,
  cases: [
    { name: 'heads', dims: { B: 2, T: 13, H: 3, K: 8 } },
    { name: 'offset', dims: { B: 1, T: 1, H: 2, K: 6 }, params: { offset: 1000 } },
  ],
  sources: ['Su et al. 2021, arXiv 2104.09864, section 3.2; pairing of GPT-NeoX (i, i + K/2)'],
});

/** Rotates [B,T,H,K] by position; `offset` is the position of the first token. */
export function rope(x: Tensor, options: { base?: number; offset?: number } = {}): Tensor {
  return ropeOp({ x }, options).y;
}
