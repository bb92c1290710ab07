/** Structure operators on the GPU: strided views made contiguous, bit by bit for every dtype. */
import { isFloat, type Dtype } from '../../core/dtype.js';
import { DtypeError, ShapeError, show } from '../../core/errors.js';
import { sizeOf, splitAt, stridesOf, type Shape } from '../../core/shape.js';
import { bitsType, dispatch } from '../../gpu/dispatch.js';
import { allocate, type Implementation } from '../../tensor/operator.js';
import { Tensor } from '../../tensor/tensor.js';
import { sumAxisGpu } from '../reduce/gpu.js';

const MOST_AXES = 8;

/** A contiguous tensor of `shape` whose element [i...] is x[offset + sum i strides]. */
export function stridedGpu(
  where: string,
  x: Tensor,
  shape: Shape,
  strides: readonly number[],
  offset = 0,
): Tensor {
  if (shape.length > MOST_AXES)
    throw new ShapeError(`${where}: rank must be <= ${MOST_AXES} on the GPU, got shape ${show([...shape])}`);
  const y = Tensor.empty(shape, x.dtype, 'gpu', where);
  const params = { count: y.size, rank: shape.length, offset, shape, strides };
  dispatch({
    where,
    kernel: 'ops/structure/strided',
    defs: { T: bitsType(x.dtype) },
    tensors: { x, y },
    params,
    threads: y.size,
    work: y.size * 8,
  });
  return y;
}

export const permuteGpu: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const axes = call.params.axes as readonly number[];
    const strides = stridesOf(x.shape);
    return {
      y: stridedGpu(
        call.op.id,
        x,
        axes.map((a) => x.shape[a]),
        axes.map((a) => strides[a]),
      ),
    };
  },
};

export const sliceGpu: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const { axis, start, end } = call.params as Record<string, number>;
    const strides = stridesOf(x.shape);
    const shape = x.shape.map((d, i) => (i === axis ? end - start : d));
    return { y: stridedGpu(call.op.id, x, shape, strides, start * strides[axis]) };
  },
};

export const broadcastToGpu: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const shape = call.params.shape as readonly number[];
    const lead = shape.length - x.rank;
    const own = stridesOf(x.shape);
    const strides = shape.map((d, i) =>
      i < lead || (x.shape[i - lead] === 1 && d !== 1) ? 0 : own[i - lead],
    );
    return { y: stridedGpu(call.op.id, x, shape, strides) };
  },
};

export const concatGpu: Implementation = {
  forward: (call) => {
    const { a, b } = call.in;
    const axis = call.params.axis as number;
    const [, na, inner] = splitAt(a!.shape, axis);
    const nb = b!.shape[axis];
    const y = allocate(
      call,
      a!.shape.map((d, i) => (i === axis ? na + nb : d)),
      a!.dtype,
    );
    const params = { count: y.size, na, nb, inner };
    dispatch({
      where: call.op.id,
      kernel: 'ops/structure/concat',
      defs: { T: bitsType(a!.dtype) },
      tensors: { a, b, y },
      params,
      threads: y.size,
    });
    return { y };
  },
};

export const castGpu: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const dtype = call.params.dtype as Dtype;
    if (dtype === 'f64')
      throw new DtypeError(
        `${call.op.id}: dtype must be f32 or narrower on the GPU, got "f64"; read the tensor first`,
      );
    const y = allocate(call, x.shape, dtype);
    dispatch({
      where: call.op.id,
      kernel: 'ops/structure/cast',
      defs: { S: x.dtype, T: dtype },
      overrides: { INTEGER: isFloat(x.dtype) && !isFloat(dtype) ? 1 : 0 },
      tensors: { x, y },
      params: { count: x.size },
      threads: x.size,
    });
    return { y };
  },
};

export const sumToGpu: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const shape = call.params.shape as readonly number[];
    const lead = x.rank - shape.length;
    const summed = x.shape.map((d, i) => i < lead || (shape[i - lead] === 1 && d !== 1));
    return { y: sumRuns(call.op.id, x, summed, shape) };
  },
};

/** Sums marked axes, neighbouring ones together, from the last to the first. */
function sumRuns(where: string, x: Tensor, summed: readonly boolean[], shape: Shape): Tensor {
  let y = x.view();
  let outerShape = [...x.shape];
  let inner = 1;
  for (let i = x.rank - 1; i >= 0;) {
    let j = i;
    while (j >= 0 && summed[j] === summed[i]) j--;
    const n = sizeOf(x.shape.slice(j + 1, i + 1));
    outerShape = x.shape.slice(0, j + 1);
    if (summed[i]) {
      const next = sumAxisGpu(where, y, sizeOf(outerShape), n, inner);
      y.dispose();
      y = next;
    } else inner *= n;
    i = j;
  }
  const result = y.view(shape, 0, where);
  y.dispose();
  return result;
}
