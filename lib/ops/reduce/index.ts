/** Reductions along one axis or over everything. */
import { ArgumentError } from '../../core/errors.js';
import { normalAxis, type Dims } from '../../core/shape.js';
import {
  defineOperator,
  type Call,
  type Implementation,
  type Kernel,
  type Operator,
  type OperatorCase,
} from '../../tensor/operator.js';
import { requireTensor, type Tensor } from '../../tensor/tensor.js';
import { affine, compare, exp, mul, power, sub } from '../map/index.js';
import { broadcastTo, reshape } from '../structure/index.js';
import { amaxGpu, argmaxGpu, logsumexpGpu, meanGpu, sumGpu, sumSquaresGpu } from './gpu.js';
import * as reference from './reference.js';
import { sumSquaresWasm, sumWasm } from './wasm.js';

const elements = (d: Dims) => Object.values(d).reduce((p, n) => p * n, 1);
const cost = { flops: elements, bytes: (d: Dims) => 4 * elements(d), sources: ['definition'] };
const CASES: OperatorCase[] = [
  { name: 'last', dims: { M: 5, N: 37 }, params: { axis: 1, keepDims: false } },
  { name: 'middle', dims: { B: 2, T: 7, D: 3 }, params: { axis: 1, keepDims: true } },
  { name: 'first', dims: { M: 4, N: 6 }, params: { axis: 0, keepDims: false } },
  { name: 'all', dims: { M: 1031 }, params: { axis: 0, keepDims: false } },
];

interface Reduction {
  name: string;
  equation: string;
  cpu: Kernel;
  wasm?: Implementation;
  webgpu: Implementation;
  gradient?: Kernel;
}

function defineReduction(r: Reduction): Operator {
  return defineOperator({
    id: `ops/${r.name}`,
    summary: `${r.name} along one axis`,
    equation: `y = ${r.equation}`,
    inputs: [
      {
        name: 'x',
        shape: '*',
        half: r.name === 'sum' || r.name === 'mean',
        doc: 'tensor',
        differentiable: r.gradient !== undefined,
      },
    ],
    outputs: [
      {
        name: 'y',
        shape: '*',
        doc: 'x without the axis, or with size 1',
        differentiable: r.gradient !== undefined,
      },
    ],
    parameters: {
      axis: { type: 'integer', default: 0, minimum: 0, doc: 'axis' },
      keepDims: { type: 'boolean', default: false, doc: 'keep the axis with size 1' },
    },
    check: (call) => {
      normalAxis(call.op.id, call.params.axis as number, call.in.x!.rank);
      if (call.in.x!.shape[call.params.axis as number] === 0 && r.name !== 'sum')
        throw new ArgumentError(`ops/${r.name}: axis must not be empty, got size 0`);
    },
    forms: {
      reference: { cpu: { forward: r.cpu } },
      parallel: { ...(r.wasm && { wasm: r.wasm }), webgpu: r.webgpu },
    },
    gradient: r.gradient,
    ...cost,
    cases: CASES,
  });
}

/** A reduced tensor stretched back over the axis it lost. */
function stretch(call: Call, t: Tensor): Tensor {
  const x = call.in.x!;
  const kept = x.shape.map((d, i) => (i === call.params.axis ? 1 : d));
  return broadcastTo(reshape(t, kept), x.shape);
}

const sumOp = defineReduction({
  name: 'sum',
  equation: 'sum_i x_i',
  cpu: reference.sum,
  wasm: sumWasm,
  webgpu: sumGpu,
  gradient: (call) => ({ x: stretch(call, call.grad.y!) }),
});
const meanOp = defineReduction({
  name: 'mean',
  equation: '1/n sum_i x_i',
  cpu: reference.mean,
  webgpu: meanGpu,
  gradient: (call) => ({
    x: stretch(call, affine(call.grad.y!, 1 / call.in.x!.shape[call.params.axis as number], 0)),
  }),
});
const amaxOp = defineReduction({
  name: 'amax',
  equation: 'max_i x_i',
  cpu: reference.amax,
  webgpu: amaxGpu,
  // Ties share the gradient equally, as PyTorch's amax.
  gradient: (call) => {
    const hit = compare(call.in.x!, 'eq', stretch(call, call.out.y));
    const axis = call.params.axis as number;
    const share = sum(hit, axis, true);
    const each = mul(reshape(call.grad.y!, share.shape), power(share, -1));
    return { x: mul(hit, broadcastTo(each, hit.shape)) };
  },
});
const logsumexpOp = defineReduction({
  name: 'logsumexp',
  equation: 'log sum_i e^{x_i}',
  cpu: reference.logsumexp,
  webgpu: logsumexpGpu,
  gradient: (call) => ({
    x: mul(stretch(call, call.grad.y!), exp(sub(call.in.x!, stretch(call, call.out.y)))),
  }),
});
const argmaxOp = defineReduction({
  name: 'argmax',
  equation: 'first i with the largest x_i',
  cpu: reference.argmax,
  webgpu: argmaxGpu,
});

function along(op: Operator): (x: Tensor, axis?: number, keepDims?: boolean) => Tensor {
  return (x, axis, keepDims = false) => {
    requireTensor(op.record.id, 'x', x);
    if (axis === undefined) {
      const flat = op({ x: reshape(x, [x.size]) }, { axis: 0, keepDims: false }).y;
      return keepDims ? reshape(flat, new Array<number>(x.rank).fill(1)) : flat;
    }
    return op({ x }, { axis: normalAxis(op.record.id, axis, x.rank), keepDims }).y;
  };
}

/** Sum along an axis, or over everything without one. */
export const sum = along(sumOp);
export const mean = along(meanOp);
/** Largest element; ties share the gradient. */
export const amax = along(amaxOp);
/** log sum e^x without overflow. */
export const logsumexp = along(logsumexpOp);
/** i32 index of the largest element; the lowest index wins ties, NaN counts as the largest. */
export const argmax = along(argmaxOp);

const sumSquaresOp = defineOperator({
  id: 'ops/sum-squares',
  summary: 'sum of squares of all elements',
  equation: 'y = sum_i x_i^2',
  inputs: [{ name: 'x', shape: '*', doc: 'tensor' }],
  outputs: [{ name: 'y', shape: '', doc: 'scalar' }],
  parameters: {},
  forms: {
    reference: { cpu: { forward: reference.sumSquares } },
    parallel: { wasm: sumSquaresWasm, webgpu: sumSquaresGpu },
  },
  gradient: (call) => ({ x: mul(affine(call.in.x!, 2, 0), broadcastTo(call.grad.y!, call.in.x!.shape)) }),
  ...cost,
  cases: [
    { name: 'short', dims: { M: 3 } },
    { name: 'long', dims: { M: 9001 } },
  ],
});

/** Sum of squares of all elements, a scalar. */
export function sumSquares(x: Tensor): Tensor {
  return sumSquaresOp({ x }).y;
}
