/** Picking elements of each row by position, and placing them there: what the gradient of top-k needs. */
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import { sameShape, sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { bitsType, dispatch } from '../../gpu/dispatch.js';
import { allocate, defineOperator, type Call, type Kernel } from '../../tensor/operator.js';
import { full, tensor, type Tensor } from '../../tensor/tensor.js';
import { compare, where } from '../map/index.js';
import { sum } from '../reduce/index.js';
import { broadcastTo, reshape } from '../structure/index.js';

/** Every position inside the row; `distinct`: none twice. On a GPU a check would wait for the indices. */
function checkPositions(call: Call, n: number, distinct: boolean): void {
  const indices = call.in.indices!;
  if (indices.device === 'gpu') return;
  const k = call.dims.K;
  const positions = indices.dataSync();
  const seen = new Int32Array(n).fill(-1);
  for (let i = 0; i < positions.length; i++) {
    const at = positions[i];
    if (at < 0 || at >= n)
      throw new ArgumentError(`${call.op.id}: indices must lie in [0, ${n}), got ${at} at ${i}`);
    const row = Math.floor(i / k);
    if (distinct && seen[at] === row)
      throw new ArgumentError(`${call.op.id}: indices of a row must be distinct, got ${at} twice`);
    seen[at] = row;
  }
}

const pickKernel: Kernel = (call) => {
  const x = call.in.x!;
  const { D, K } = call.dims;
  const y = allocate(call, call.in.indices!.shape, x.dtype);
  const [from, to] = [x.floats(call.op.id), y.floats(call.op.id)];
  call.in.indices!.dataSync().forEach((at, i) => (to[i] = from[Math.floor(i / K) * D + at]));
  return { y };
};

/** Distinct positions: steps of one through the row from a random start. */
const draw = (input: string, shape: Shape, uniform: () => number, n: number): Int32Array | undefined => {
  if (input !== 'indices') return undefined;
  const start = Math.floor(uniform() * n);
  return Int32Array.from({ length: sizeOf(shape) }, (_, i) => (start + i) % n);
};

const cost = {
  flops: () => 0,
  bytes: (d: Dims) => 8 * sizeOf(Object.values(d)),
};

const pickOp = defineOperator({
  id: 'ops/pick',
  summary: 'elements of each row by position',
  equation: 'y_j = x[indices_j] in every row',
  inputs: [
    { name: 'x', shape: '... D', doc: 'rows' },
    { name: 'indices', shape: '... K', dtypes: ['i32'], differentiable: false, doc: 'positions in a row' },
  ],
  outputs: [{ name: 'y', shape: '... K', doc: 'one element a position' }],
  parameters: {},
  check: (call) => checkPositions(call, call.dims.D, false),
  forms: {
    reference: { cpu: { forward: pickKernel } },
    parallel: {
      webgpu: {
        forward: (call) => {
          const { x, indices } = call.in;
          const { D, K } = call.dims;
          const y = allocate(call, indices!.shape, x!.dtype);
          dispatch({
            ...{ where: call.op.id, kernel: 'ops/index/pick', defs: { T: bitsType(x!.dtype) } },
            ...{ tensors: { x, indices, y }, params: { count: y.size, n: D, k: K }, threads: y.size },
          });
          return { y };
        },
      },
    },
  },
  // dx_i = sum_j [i = indices_j] dy_j: positions may repeat.
  gradient: (call) => {
    const indices = call.in.indices!;
    const dy = call.grad.y!;
    const lanes = tensor(
      Int32Array.from({ length: call.dims.D }, (_, i) => i),
      { device: indices.device },
    );
    const shape = [...indices.shape, call.dims.D];
    const spread = (t: Tensor) => broadcastTo(reshape(t, [...t.shape, 1]), shape);
    const chosen = compare(spread(indices), 'eq', broadcastTo(lanes, shape));
    const none = full([], 0, { dtype: dy.dtype, device: dy.device });
    return { x: sum(where(chosen, spread(dy), none), -2) };
  },
  ...cost,
  cases: [
    { name: 'rows', dims: { D: 9, K: 4 }, shapes: { x: [3, 9], indices: [3, 4] } },
    { name: 'repeats', dims: { D: 3, K: 7 }, shapes: { x: [2, 3], indices: [2, 7] } },
  ],
  sample: (input, shape, uniform, dims) => draw(input, shape, uniform, dims.D),
  sources: ['definition'],
});

const placeOp = defineOperator({
  id: 'ops/place',
  summary: 'elements put at distinct positions of rows of zeros',
  equation: 'y[indices_j] = values_j in every row',
  inputs: [
    { name: 'values', shape: '... K', doc: 'elements' },
    {
      name: 'indices',
      shape: '... K',
      dtypes: ['i32'],
      differentiable: false,
      doc: 'positions, distinct within a row',
    },
  ],
  outputs: [{ name: 'y', shape: '*', doc: '[..., size]' }],
  parameters: {
    size: { type: 'integer', default: undefined, required: true, minimum: 0, doc: 'elements of a row' },
  },
  check: (call) => {
    const { values, indices } = call.in;
    if (!sameShape(values!.shape, indices!.shape))
      throw new ShapeError(
        `${call.op.id}: indices must have the shape of values ${show([...values!.shape])}, got ${show([...indices!.shape])}`,
      );
    checkPositions(call, call.params.size as number, true);
  },
  forms: {
    reference: {
      cpu: {
        forward: (call) => {
          const { values, indices } = call.in;
          const size = call.params.size as number;
          const y = allocate(call, [...call.lead, size], values!.dtype);
          const [from, to] = [values!.floats(call.op.id), y.floats(call.op.id)];
          to.fill(0);
          indices!.dataSync().forEach((at, i) => (to[Math.floor(i / call.dims.K) * size + at] = from[i]));
          return { y };
        },
      },
    },
    parallel: { webgpu: { forward: placeGpu } },
  },
  gradient: (call) => ({ values: pickOp({ x: call.grad.y!, indices: call.in.indices! }).y }),
  ...cost,
  cases: [
    { name: 'rows', dims: { K: 4 }, shapes: { values: [3, 4], indices: [3, 4] }, params: { size: 9 } },
    { name: 'all', dims: { K: 5 }, shapes: { values: [5], indices: [5] }, params: { size: 5 } },
  ],
  sample: (input, shape, uniform, _, params) => draw(input, shape, uniform, params.size as number),
  sources: ['definition'],
});

function placeGpu(call: Call) {
  const { values, indices } = call.in;
  const size = call.params.size as number;
  const y = allocate(call, [...call.lead, size], values!.dtype);
  const common = {
    ...{ where: call.op.id, kernel: 'ops/index/place', defs: { T: bitsType(values!.dtype) } },
    tensors: { values, indices, y },
  };
  const sizes = { n: size, k: call.dims.K };
  const clear = { CLEAR: 1 };
  dispatch({ ...common, overrides: clear, params: { ...sizes, count: y.size }, threads: y.size });
  dispatch({ ...common, params: { ...sizes, count: values!.size }, threads: values!.size });
  return { y };
}

/** Rows of zeros with `values` [..., K] at the distinct positions `indices`: [..., size]. */
export function place(values: Tensor, indices: Tensor, size: number): Tensor {
  return placeOp({ values, indices }, { size }).y;
}
