/** Structure: reshape, permute, slice, concat, broadcast and cast. */
import { DTYPES, type Dtype } from '../../core/dtype.js';
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import { checkShape, normalAxis, sameShape, sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { defineOperator, type Kernel, type OperatorCase } from '../../tensor/operator.js';
import { full, requireTensor, type Tensor } from '../../tensor/tensor.js';
import { checkAxes, checkAxis, checkParts, checkRange, checkSize, checkStretch, shapeOf } from './checks.js';
import { broadcastToGpu, castGpu, concatGpu, permuteGpu, sliceGpu, sumToGpu } from './gpu.js';
import * as reference from './reference.js';
import { broadcastToWasm, permuteWasm, sumToWasm } from './wasm.js';

const ANY = DTYPES;
const noFlops = () => 0;
const twice = (d: Dims) => 8 * (d['*'] ?? 0);
const copies = { flops: noFlops, bytes: twice, sources: ['definition'] };
const anyX = { name: 'x', shape: '*', dtypes: ANY, doc: 'any tensor' } as const;
const outY = { name: 'y', shape: '*', doc: 'copy' } as const;

const shapeParameter = (doc: string) =>
  ({ shape: { type: 'integers', default: undefined, required: true, doc } }) as const;

const view: Kernel = (call) => ({ y: call.in.x!.view(call.params.shape as number[], 0, 'ops/reshape') });

const reshapeOp = defineOperator({
  id: 'ops/reshape',
  summary: 'the same elements under another shape; nothing is copied',
  equation: 'y = x',
  inputs: [anyX],
  outputs: [outY],
  parameters: shapeParameter('new shape'),
  check: (call) => checkSize(call.in.x!, shapeOf(call)),
  forms: { reference: { cpu: { forward: view }, wasm: { forward: view }, webgpu: { forward: view } } },
  gradient: (call) => ({ x: reshape(call.grad.y!, call.in.x!.shape) }),
  ...copies,
  cases: [
    { name: 'matrix', dims: { M: 6, N: 4 }, params: { shape: [3, 8] } },
    { name: 'empty', dims: { M: 0, N: 4 }, params: { shape: [4, 0] } },
  ],
});

/** The same elements under another shape; one size may be -1. Nothing is copied. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  requireTensor('reshape', 'x', x);
  const unknown = shape.indexOf(-1);
  const known = sizeOf(shape.filter((d) => d !== -1));
  const target =
    unknown < 0 ? [...shape] : shape.map((d) => (d === -1 ? (known === 0 ? 0 : x.size / known) : d));
  checkShape('reshape', 'shape', target);
  return reshapeOp({ x }, { shape: target }).y;
}

const permuteOp = defineOperator({
  id: 'ops/permute',
  summary: 'reorders axes',
  equation: 'axis j of y is axis axes[j] of x',
  inputs: [anyX],
  outputs: [outY],
  parameters: {
    axes: { type: 'integers', default: undefined, required: true, doc: 'a permutation of the axes' },
  },
  check: (call) => checkAxes(call.in.x!, call.params.axes as number[]),
  forms: {
    reference: { cpu: { forward: reference.permute } },
    parallel: { wasm: permuteWasm, webgpu: permuteGpu },
  },
  gradient: (call) => {
    const axes = call.params.axes as readonly number[];
    return {
      x: permute(
        call.grad.y!,
        axes.map((_, i) => axes.indexOf(i)),
      ),
    };
  },
  ...copies,
  cases: [
    { name: 'transpose', dims: { M: 5, N: 7 }, params: { axes: [1, 0] } },
    { name: 'heads', dims: { B: 2, T: 5, H: 3, K: 4 }, params: { axes: [0, 2, 1, 3] } },
    { name: 'rotate', dims: { A: 2, B: 3, C: 4 }, params: { axes: [2, 0, 1] } },
  ],
});

/** Reorders axes: axis j of the result is axis `axes[j]` of x. */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  requireTensor('permute', 'x', x);
  return permuteOp({ x }, { axes: axes.map((a) => normalAxis('permute', a, x.rank)) }).y;
}

const sliceOp = defineOperator({
  id: 'ops/slice',
  summary: 'a range of one axis',
  equation: 'y = x[start:end] along axis',
  inputs: [anyX],
  outputs: [outY],
  parameters: {
    axis: { type: 'integer', default: 0, minimum: 0, doc: 'axis' },
    start: { type: 'integer', default: 0, minimum: 0, doc: 'first index' },
    end: { type: 'integer', default: undefined, required: true, minimum: 0, doc: 'index after the last' },
  },
  check: (call) => {
    checkAxis(call);
    const { axis, start, end } = call.params as Record<string, number>;
    checkRange(call.in.x!.shape[axis], start, end);
  },
  forms: { reference: { cpu: { forward: reference.slice } }, parallel: { webgpu: sliceGpu } },
  gradient: (call) => {
    const { axis, start, end } = call.params as Record<string, number>;
    return { x: pad(call.grad.y!, axis, start, call.in.x!.shape[axis] - end) };
  },
  ...copies,
  cases: [
    { name: 'middle', dims: { B: 2, T: 7, D: 3 }, params: { axis: 1, start: 2, end: 5 } },
    { name: 'last-axis', dims: { B: 2, T: 7, D: 5 }, params: { axis: 2, start: 4, end: 5 } },
    { name: 'empty', dims: { B: 2, T: 7 }, params: { axis: 1, start: 3, end: 3 } },
  ],
});

/** Zeros before and after along one axis. */
function pad(x: Tensor, axis: number, before: number, after: number): Tensor {
  const block = (n: number) =>
    full(
      x.shape.map((d, i) => (i === axis ? n : d)),
      0,
      { dtype: x.dtype, device: x.device },
    );
  const left = before > 0 ? concat([block(before), x], axis) : x;
  return after > 0 ? concat([left, block(after)], axis) : left;
}

/** The range [start, end) of one axis; negative indices count from the end. */
export function slice(x: Tensor, axis: number, start: number, end?: number): Tensor {
  requireTensor('slice', 'x', x);
  const a = normalAxis('slice', axis, x.rank);
  const n = x.shape[a];
  const from = start < 0 ? start + n : start;
  const to = end === undefined ? n : end < 0 ? end + n : end;
  checkRange(n, from, to);
  return sliceOp({ x }, { axis: a, start: from, end: to }).y;
}

/** Cuts an axis into pieces of the given sizes. */
export function split(x: Tensor, sizes: readonly number[], axis: number): Tensor[] {
  requireTensor('split', 'x', x);
  checkShape('split', 'sizes', sizes);
  const a = normalAxis('split', axis, x.rank);
  if (sizes.reduce((s, d) => s + d, 0) !== x.shape[a])
    throw new ShapeError(`split: sizes must add up to ${x.shape[a]}, got ${show([...sizes])}`);
  let at = 0;
  return sizes.map((d) => slice(x, a, at, (at += d)));
}

const concatOp = defineOperator({
  id: 'ops/concat',
  summary: 'two tensors one after the other along an axis',
  equation: 'y = [a; b]',
  inputs: [
    { name: 'a', shape: '*', dtypes: ANY, doc: 'first' },
    { name: 'b', shape: '*', dtypes: ANY, doc: 'second, equal sizes on all other axes' },
  ],
  outputs: [outY],
  parameters: { axis: { type: 'integer', default: 0, minimum: 0, doc: 'axis' } },
  check: (call) => {
    checkAxis(call);
    checkParts([call.in.a!, call.in.b!], call.params.axis as number);
  },
  forms: { reference: { cpu: { forward: reference.concat } }, parallel: { webgpu: concatGpu } },
  gradient: (call) => {
    const axis = call.params.axis as number;
    const n = call.in.a!.shape[axis];
    return {
      a: call.needs('a') ? slice(call.grad.y!, axis, 0, n) : undefined,
      b: call.needs('b') ? slice(call.grad.y!, axis, n) : undefined,
    };
  },
  ...copies,
  cases: [
    { name: 'time', dims: { B: 2, T: 3, D: 4 }, params: { axis: 1 } },
    { name: 'first', dims: { B: 3, T: 2 }, params: { axis: 0 } },
  ],
});

/** Joins tensors along an axis; all other axes must agree. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  if (parts.length === 0) throw new ArgumentError('concat: parts must hold at least one tensor, got none');
  for (const part of parts) requireTensor('concat', 'parts', part);
  const a = normalAxis('concat', axis, parts[0].rank);
  checkParts(parts, a);
  return parts.length === 1
    ? reshape(parts[0], parts[0].shape)
    : parts.reduce((left, right) => concatOp({ a: left, b: right }, { axis: a }).y);
}

const broadcastOp = defineOperator({
  id: 'ops/broadcast-to',
  summary: 'repeats axes of size 1 and adds leading axes',
  equation: 'y[i] = x[i with stretched axes at 0]',
  inputs: [anyX],
  outputs: [outY],
  parameters: shapeParameter('shape to fill'),
  check: (call) => checkStretch('broadcastTo', call.in.x!.shape, shapeOf(call), call.in.x!.shape),
  forms: {
    reference: { cpu: { forward: reference.broadcastTo } },
    parallel: { wasm: broadcastToWasm, webgpu: broadcastToGpu },
  },
  gradient: (call) => ({ x: sumTo(call.grad.y!, call.in.x!.shape) }),
  ...copies,
  cases: [
    { name: 'rows', dims: { D: 5 }, params: { shape: [3, 5] } },
    { name: 'columns', dims: { B: 3, T: 1, D: 2 }, params: { shape: [3, 4, 2] } },
  ],
});

/** Repeats a tensor up to `shape` by NumPy's broadcasting rule. */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  requireTensor('broadcastTo', 'x', x);
  if (sameShape(x.shape, shape)) return reshape(x, shape);
  return broadcastOp({ x }, { shape: [...shape] }).y;
}

const sumToOp = defineOperator({
  id: 'ops/sum-to',
  summary: 'sums the axes that broadcasting would stretch',
  equation: 'y = sum of x over stretched axes',
  inputs: [{ name: 'x', shape: '*', half: true, doc: 'tensor' }],
  outputs: [outY],
  parameters: shapeParameter('shape before broadcasting'),
  check: (call) => checkStretch('sumTo', shapeOf(call), call.in.x!.shape, call.in.x!.shape),
  forms: {
    reference: { cpu: { forward: reference.sumTo } },
    parallel: { wasm: sumToWasm, webgpu: sumToGpu },
  },
  gradient: (call) => ({ x: broadcastTo(call.grad.y!, call.in.x!.shape) }),
  ...copies,
  cases: [
    { name: 'rows', dims: { B: 3, D: 5 }, params: { shape: [5] } },
    { name: 'middle', dims: { B: 3, T: 4, D: 2 }, params: { shape: [3, 1, 2] } },
    { name: 'all', dims: { B: 3, T: 7 }, params: { shape: [] } },
  ],
});

/** Sums x down to `shape`: the transpose of broadcastTo. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  requireTensor('sumTo', 'x', x);
  if (sameShape(x.shape, shape)) return reshape(x, shape);
  return sumToOp({ x }, { shape: [...shape] }).y;
}

const castOp = defineOperator({
  id: 'ops/cast',
  summary: 'converts the element type',
  equation: 'y = dtype(x)',
  inputs: [anyX],
  outputs: [outY],
  parameters: { dtype: { type: 'string', default: 'f32', oneOf: DTYPES, doc: 'target type' } },
  forms: { reference: { cpu: { forward: reference.cast } }, parallel: { webgpu: castGpu } },
  gradient: (call) => ({ x: cast(call.grad.y!, call.in.x!.dtype) }),
  ...copies,
  cases: [{ name: 'identity', dims: { M: 3, N: 5 }, params: { dtype: 'f32' } }] satisfies OperatorCase[],
});

/**
 * Converts the element type. f32 to f16 rounds to nearest even; floats to integers truncate; what lies outside the
 * range becomes its nearest end (on a GPU the nearest f32 inside), NaN becomes 0. Between i32 and u32 the bits stay.
 */
export function cast(x: Tensor, dtype: Dtype): Tensor {
  requireTensor('cast', 'x', x);
  return x.dtype === dtype ? reshape(x, x.shape) : castOp({ x }, { dtype }).y;
}
