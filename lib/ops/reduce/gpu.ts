/** Reductions on the GPU: partial results over chunks, again until one is left, so that sums stay trees. */
import { sizeOf, splitAt, type Shape } from '../../core/shape.js';
import { dispatch, floatType } from '../../gpu/dispatch.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { Tensor } from '../../tensor/tensor.js';

const OP = { sum: 0, sumSquares: 1, maximum: 2, logsumexp: 3 } as const;
type Op = keyof typeof OP;

/** Elements one workgroup (contiguous axis) or one invocation (strided axis) takes. */
const ROW_CHUNK = 4096;
const COLUMN_CHUNK = 64;

/**
 * Reduces the middle axis of [outer, n, inner] to outer * inner elements. Partial results are f32; the last round is
 * stored in the dtype of `like`.
 */
function reduce(
  where: string,
  op: Op,
  x: Tensor,
  outer: number,
  n: number,
  inner: number,
  scale = 1,
  like = x,
): Tensor {
  const columns = inner >= 16;
  const chunk = columns ? COLUMN_CHUNK : ROW_CHUNK;
  const chunks = Math.max(1, Math.ceil(n / chunk));
  const final = chunks === 1;
  const y = Tensor.empty([outer * chunks * inner], final ? like.dtype : 'f32', 'gpu', where);
  step(where, op, columns, x, y, { rows: y.size, n, inner, chunks, chunk, scale: final ? scale : 1, one: 1 });
  if (final) return y;
  // Squares are summed once; what follows adds plain sums.
  const rest = reduce(where, op === 'sumSquares' ? 'sum' : op, y, outer, chunks, inner, scale, like);
  y.dispose();
  return rest;
}

function step(
  where: string,
  op: Op,
  columns: boolean,
  x: Tensor,
  y: Tensor,
  params: Record<string, number>,
): void {
  dispatch({
    where,
    kernel: columns ? 'ops/reduce/columns' : 'ops/reduce/rows',
    defs: { F: floatType(where, x), O: floatType(where, y) },
    overrides: { OP: OP[op] },
    tensors: { x, y },
    params,
    ...(columns ? { threads: params.rows } : { rows: params.rows }),
    work: x.size * 4,
  });
}

/** Sum over the middle axis of [outer, n, inner], as a flat tensor. */
export function sumAxisGpu(where: string, x: Tensor, outer: number, n: number, inner: number): Tensor {
  return reduce(where, 'sum', x, outer, n, inner);
}

/** Zeros made on the device, in the dtype of `like`: the sums over an empty axis. */
export function zerosGpu(where: string, like: Tensor, shape: Shape): Tensor {
  return reshaped(reduce(where, 'sum', like, 1, 0, sizeOf(shape)), shape, where);
}

function shapeWithout(call: Call): number[] {
  const { axis, keepDims } = call.params as { axis: number; keepDims: boolean };
  return call.in.x!.shape.flatMap((d, i) => (i !== axis ? [d] : keepDims ? [1] : []));
}

function reshaped(flat: Tensor, shape: readonly number[], origin: string): Tensor {
  const y = flat.view(shape, 0, origin);
  flat.dispose();
  return y;
}

function along(op: Op, mean = false): Implementation {
  return {
    forward: (call) => {
      const x = call.in.x!;
      const [outer, n, inner] = splitAt(x.shape, call.params.axis as number);
      const flat = reduce(call.op.id, op, x, outer, n, inner, mean ? 1 / n : 1);
      return { y: reshaped(flat, shapeWithout(call), call.op.id) };
    },
  };
}

export const sumGpu = along('sum');
export const meanGpu = along('sum', true);
export const amaxGpu = along('maximum');
export const logsumexpGpu = along('logsumexp');

export const sumSquaresGpu: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    return { y: reshaped(reduce(call.op.id, 'sumSquares', x, 1, sizeOf(x.shape), 1), [], call.op.id) };
  },
};

export const argmaxGpu: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const [outer, n, inner] = splitAt(x.shape, call.params.axis as number);
    const y = allocate(call, shapeWithout(call), 'i32');
    const rows = outer * inner;
    dispatch({
      where: call.op.id,
      kernel: 'ops/reduce/argmax',
      defs: { F: floatType(call.op.id, x) },
      tensors: { x, y },
      params: { rows, n, inner },
      rows,
      work: x.size * 4,
    });
    return { y };
  },
};
