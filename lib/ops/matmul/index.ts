/** Matrix product: batched, nn / nt / tn / tt, f32 or better accumulation. */
import { ShapeError, show } from '../../core/errors.js';
import { sameShape, sizeOf, type Dims } from '../../core/shape.js';
import { defineOperator, type Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { permute, reshape, sumTo } from '../structure/index.js';
import { matmulGpu } from './gpu.js';
import * as reference from './reference.js';
import { matmulWasm } from './wasm.js';

function check(call: Call): void {
  const a = call.in.a!;
  const b = call.in.b!;
  const fail = (condition: string): never => {
    throw new ShapeError(`matmul: ${condition}, got a ${show([...a.shape])} and b ${show([...b.shape])}`);
  };
  if (a.rank < 2 || b.rank < 2) fail('a and b must have at least two axes');
  if (b.rank > 2 && !sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2)))
    fail('leading axes must be equal unless b is a matrix');
  const inner = call.params.transposeA ? a.shape[a.rank - 2] : a.shape[a.rank - 1];
  const other = call.params.transposeB ? b.shape[b.rank - 1] : b.shape[b.rank - 2];
  if (inner !== other) fail(`inner sizes must agree (${inner} and ${other})`);
  const n = call.params.transposeB ? b.shape[b.rank - 2] : b.shape[b.rank - 1];
  const bias = call.in.bias;
  if (bias && !sameShape(bias.shape, [n]))
    throw new ShapeError(`matmul: bias must have shape [${n}], got ${show([...bias.shape])}`);
  const plan = reference.planMatmul(call);
  Object.assign(call.dims, { L: plan.batch, M: plan.m, N: plan.n, K: plan.k });
}

const product = (d: Dims) => (d.L ?? 1) * d.M * d.N * d.K;

const matmulOp = defineOperator({
  id: 'ops/matmul',
  summary: 'matrix product, batched, with optional transposes and bias',
  equation: 'y = op(a) op(b) + bias',
  inputs: [
    { name: 'a', shape: '*', half: true, doc: '[..., M, K], or [..., K, M] with transposeA' },
    {
      name: 'b',
      shape: '*',
      half: true,
      doc: '[..., K, N], or [..., N, K] with transposeB; a plain matrix is shared by the batch',
    },
    { name: 'bias', shape: 'N', optional: true, half: true, doc: 'added to every row' },
  ],
  outputs: [{ name: 'y', shape: '*', doc: '[..., M, N]' }],
  parameters: {
    transposeA: { type: 'boolean', default: false, doc: 'use a transposed' },
    transposeB: { type: 'boolean', default: false, doc: 'use b transposed' },
  },
  check,
  forms: {
    reference: { cpu: { forward: reference.matmul } },
    parallel: { wasm: matmulWasm, webgpu: matmulGpu },
  },
  gradient: (call) => ({
    a: call.needs('a') ? gradientA(call) : undefined,
    b: call.needs('b') ? gradientB(call) : undefined,
    bias: call.in.bias && call.needs('bias') ? sumTo(call.grad.y!, call.in.bias.shape) : undefined,
  }),
  flops: (d) => 2 * product(d),
  bytes: (d) => 4 * (d.L ?? 1) * (d.M * d.K + d.K * d.N + d.M * d.N),
  cases: [
    { name: 'nn', dims: {}, shapes: { a: [9, 5], b: [5, 7], bias: [7] }, with: ['bias'] },
    { name: 'shared', dims: {}, shapes: { a: [2, 9, 5], b: [5, 7], bias: [7] }, with: ['bias'] },
    { name: 'nt', dims: {}, shapes: { a: [2, 17, 19], b: [2, 33, 19] }, params: { transposeB: true } },
    { name: 'tn', dims: {}, shapes: { a: [3, 40, 17], b: [3, 40, 6] }, params: { transposeA: true } },
    {
      name: 'tt',
      dims: {},
      shapes: { a: [5, 9], b: [7, 5] },
      params: { transposeA: true, transposeB: true },
    },
    { name: 'tn-shared', dims: {}, shapes: { a: [2, 5, 9], b: [5, 7] }, params: { transposeA: true } },
    { name: 'row', dims: {}, shapes: { a: [1, 70], b: [70, 65], bias: [65] }, with: ['bias'] },
    { name: 'square', dims: {}, shapes: { a: [64, 64], b: [64, 64] } },
  ],
  sources: ['definition'],
});

function gradientA(call: Call): Tensor {
  const dy = call.grad.y!;
  const b = call.in.b!;
  const { transposeA, transposeB } = call.params as Record<string, boolean>;
  // y = op(a) op(b): d op(a) = dy op(b)^T, transposed back when a came in transposed.
  if (!transposeA) return matmul(dy, b, { transposeB: !transposeB });
  if (b.rank === 2 && dy.rank > 2) {
    const flat = matmul(dy, b, { transposeB: !transposeB });
    return swapLast(flat);
  }
  return matmul(b, dy, { transposeA: transposeB, transposeB: true });
}

function gradientB(call: Call): Tensor {
  const a = call.in.a!;
  const dy = call.grad.y!;
  const { transposeA, transposeB } = call.params as Record<string, boolean>;
  const shared = call.in.b!.rank === 2 && a.rank > 2;
  if (shared && transposeA) return sumTo(perBatch(a, dy, true, transposeB), call.in.b!.shape);
  const rows = (t: Tensor) => (shared ? reshape(t, [sizeOf(t.shape.slice(0, -1)), t.shape[t.rank - 1]]) : t);
  return perBatch(rows(a), rows(dy), transposeA, transposeB);
}

function perBatch(a: Tensor, dy: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  return transposeB
    ? matmul(dy, a, { transposeA: true, transposeB: transposeA })
    : matmul(a, dy, { transposeA: !transposeA });
}

function swapLast(t: Tensor): Tensor {
  const axes = t.shape.map((_, i) => i);
  [axes[t.rank - 2], axes[t.rank - 1]] = [t.rank - 1, t.rank - 2];
  return permute(t, axes);
}

/**
 * Matrix product op(a) op(b) (+ bias). Leading axes of a are a batch; b is either batched alike or one shared matrix.
 * @throws ShapeError when ranks, leading axes or inner sizes do not fit
 */
export function matmul(
  a: Tensor,
  b: Tensor,
  options: { transposeA?: boolean; transposeB?: boolean; bias?: Tensor } = {},
): Tensor {
  const { bias, ...params } = options;
  return matmulOp({ a, b, bias }, params).y;
}
