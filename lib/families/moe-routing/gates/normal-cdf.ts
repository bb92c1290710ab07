/** The distribution function of the normal distribution, for the smooth load of a noisy gate. */
import * as math from '../../../core/math.js';
import { sizeOf } from '../../../core/shape.js';
import { floatType, dispatch } from '../../../gpu/dispatch.js';
import { affine, exp, mul, square } from '../../../ops/index.js';
import { allocate, defineOperator, type Kernel } from '../../../tensor/operator.js';
import type { Tensor } from '../../../tensor/tensor.js';

const SQRT_HALF = 0.7071067811865476;
const DENSITY_AT_ZERO = 0.3989422804014327;

const forwardCpu: Kernel = (call) => {
  const x = call.in.x!.floats(call.op.id);
  const made = allocate(call, call.in.x!.shape);
  const y = made.floats(call.op.id);
  for (let i = 0; i < x.length; i++) y[i] = 0.5 * math.erfc(-x[i] * SQRT_HALF);
  return { y: made };
};

const forwardGpu: Kernel = (call) => {
  const x = call.in.x!;
  const y = allocate(call, x.shape);
  dispatch({
    where: call.op.id,
    kernel: 'families/moe-routing/normal-cdf',
    defs: { F: floatType(call.op.id, x) },
    tensors: { x, y },
    params: { count: x.size },
    threads: x.size,
    work: x.size * 40,
  });
  return { y };
};

const op = defineOperator({
  id: 'moe-routing/normal-cdf',
  summary: 'distribution function of the standard normal distribution, element by element',
  equation: 'y = erfc(-x / sqrt 2) / 2',
  inputs: [{ name: 'x', shape: '*', doc: 'any shape' }],
  outputs: [{ name: 'y', shape: '*', doc: 'shape of x, between 0 and 1' }],
  parameters: {},
  forms: { reference: { cpu: { forward: forwardCpu } }, parallel: { webgpu: { forward: forwardGpu } } },
  // dy/dx = e^{-x^2 / 2} / sqrt(2 pi)
  gradient: (call) => ({
    x: mul(call.grad.y!, affine(exp(affine(square(call.in.x!), -0.5, 0)), DENSITY_AT_ZERO, 0)),
  }),
  flops: (d) => 40 * sizeOf(Object.values(d)),
  bytes: (d) => 8 * sizeOf(Object.values(d)),
  cases: [
    { name: 'one', dims: { M: 1 } },
    { name: 'tail', dims: { M: 3, N: 37 } },
    { name: 'far-tail', dims: { M: 2, N: 19, far: 1 }, shapes: { x: [2, 19] } },
  ],
  sample: (_, shape, uniform, dims) =>
    Float64Array.from({ length: sizeOf(shape) }, () => (dims.far ? -2 - 3 * uniform() : 8 * uniform() - 4)),
  sources: ['definition; the error function of lib/core'],
});

/** Phi(x), accurate in the lower tail. */
export function normalCdf(x: Tensor): Tensor {
  return op({ x }).y;
}
