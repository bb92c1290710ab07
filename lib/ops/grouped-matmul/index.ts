/** Products of row groups, each with a matrix of its own, as a mixture of experts needs them. */
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { defineOperator, type Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { groupedMatmulGpu, groupedOuterGpu } from './gpu.js';
import * as reference from './reference.js';
import { groupedMatmulWasm, groupedOuterWasm } from './wasm.js';

/** Offsets are checked on the host; on a GPU kernels stay inside the rows, since a readback would stall every step. */
function checkOffsets(call: Call, rows: number): void {
  const offsets = call.in.offsets!;
  if (offsets.rank !== 1 || offsets.size < 2)
    throw new ShapeError(
      `${call.op.id}: offsets must have shape [E + 1] for at least one group, got ${show([...offsets.shape])}`,
    );
  if (offsets.device === 'gpu') return;
  const values = offsets.dataSync();
  let before = 0;
  for (let e = 0; e < values.length; before = values[e++])
    if (values[e] < before || values[e] > rows)
      throw new ArgumentError(
        `${call.op.id}: offsets must ascend from 0 or more to at most ${rows}, got ${values[e]} at ${e} after ${before}`,
      );
}

function checkMatmul(call: Call): void {
  checkOffsets(call, call.dims.N);
  const weights = call.in.weights!;
  const E = call.in.offsets!.size - 1;
  const [D, F] = call.params.transpose ? weights.shape.slice(1).reverse() : weights.shape.slice(1);
  if (weights.rank !== 3 || weights.shape[0] !== E || D !== call.dims.D)
    throw new ShapeError(
      `${call.op.id}: weights must have shape [${E}, ${call.params.transpose ? `F, ${call.dims.D}` : `${call.dims.D}, F`}], got ${show([...weights.shape])}`,
    );
  Object.assign(call.dims, { E, F });
}

/** Sorted cuts: some groups are empty and some rows belong to none. */
function sample(input: string, shape: Shape, uniform: () => number, dims: Dims): number[] | undefined {
  if (input !== 'offsets') return undefined;
  const cuts = Array.from({ length: sizeOf(shape) - 2 }, () => Math.floor(uniform() * (dims.N + 1)));
  const last = dims.N - Math.floor(uniform() * Math.min(3, dims.N + 1));
  return [0, ...cuts.map((cut) => Math.min(cut, last)).sort((a, b) => a - b), last];
}

const flops = ({ N, D, F }: Dims) => 2 * N * D * F;
const bytes = ({ N, D, F, E = 1 }: Dims) => 4 * (N * D + E * D * F + N * F);
const offsetsInput = {
  name: 'offsets',
  shape: '*',
  dtypes: ['i32'],
  differentiable: false,
  doc: '[E + 1], ascending: group e holds rows offsets[e] to offsets[e + 1] - 1',
} as const;

const groupedMatmulOp = defineOperator({
  id: 'ops/grouped-matmul',
  summary: 'matrix product of row groups, each with a matrix of its own',
  equation: 'y_i = x_i W_e for offsets_e <= i < offsets_{e+1}; other rows are 0',
  inputs: [
    { name: 'rows', shape: 'N D', half: true, doc: 'rows, sorted by group' },
    { name: 'weights', shape: '*', half: true, doc: '[E, D, F], or [E, F, D] with transpose' },
    offsetsInput,
  ],
  outputs: [{ name: 'y', shape: 'N F', doc: 'products; zero rows where there is no group' }],
  parameters: { transpose: { type: 'boolean', default: false, doc: 'use every matrix transposed' } },
  check: checkMatmul,
  forms: {
    reference: { cpu: { forward: reference.groupedMatmul } },
    parallel: { wasm: groupedMatmulWasm, webgpu: groupedMatmulGpu },
  },
  gradient: (call) => {
    const { rows, weights, offsets } = call.in;
    const dy = call.grad.y!;
    const transpose = call.params.transpose as boolean;
    return {
      rows: call.needs('rows') ? groupedMatmul(dy, weights!, offsets!, { transpose: !transpose }) : undefined,
      weights: !call.needs('weights')
        ? undefined
        : transpose
          ? groupedOuter(dy, rows!, offsets!)
          : groupedOuter(rows!, dy, offsets!),
    };
  },
  flops,
  bytes,
  cases: [
    { name: 'groups', dims: { N: 19, D: 5 }, shapes: { weights: [4, 5, 7], offsets: [5] } },
    {
      name: 'transposed',
      dims: { N: 19, D: 6 },
      shapes: { weights: [3, 9, 6], offsets: [4] },
      params: { transpose: true },
    },
    { name: 'one-row', dims: { N: 1, D: 17 }, shapes: { weights: [3, 17, 33], offsets: [4] } },
    { name: 'one-group', dims: { N: 70, D: 64 }, shapes: { weights: [1, 64, 65], offsets: [2] } },
    { name: 'tiles', dims: { N: 300, D: 70 }, shapes: { weights: [3, 70, 131], offsets: [4] } },
    {
      name: 'tiles-transposed',
      dims: { N: 201, D: 67 },
      shapes: { weights: [2, 65, 67], offsets: [3] },
      params: { transpose: true },
    },
    { name: 'many-groups', dims: { N: 300, D: 9 }, shapes: { weights: [257, 9, 11], offsets: [258] } },
    { name: 'long-sums', dims: { N: 40, D: 515 }, shapes: { weights: [2, 515, 18], offsets: [3] } },
  ],
  sample,
  sources: ['definition', 'arXiv 2211.15841v1, section 4'],
});

const groupedOuterOp = defineOperator({
  id: 'ops/grouped-outer',
  summary:
    'sum of outer products of the rows of each group: the gradient of a grouped matmul to its matrices',
  equation: 'y_e = sum_{i = offsets_e}^{offsets_{e+1} - 1} a_i^T b_i',
  inputs: [
    { name: 'a', shape: 'N D', half: true, doc: 'left rows' },
    { name: 'b', shape: 'N F', half: true, doc: 'right rows' },
    offsetsInput,
  ],
  outputs: [{ name: 'y', shape: 'E D F', doc: 'one matrix a group; 0 for an empty one' }],
  parameters: {},
  check: (call) => {
    checkOffsets(call, call.dims.N);
    call.dims.E = call.in.offsets!.size - 1;
  },
  forms: {
    reference: { cpu: { forward: reference.groupedOuter } },
    parallel: { wasm: groupedOuterWasm, webgpu: groupedOuterGpu },
  },
  gradient: (call) => {
    const { a, b, offsets } = call.in;
    const dy = call.grad.y!;
    return {
      a: call.needs('a') ? groupedMatmul(b!, dy, offsets!, { transpose: true }) : undefined,
      b: call.needs('b') ? groupedMatmul(a!, dy, offsets!) : undefined,
    };
  },
  flops,
  bytes,
  cases: [
    { name: 'groups', dims: { N: 19, D: 5, F: 7 }, shapes: { offsets: [5] } },
    { name: 'tiles', dims: { N: 90, D: 67, F: 131 }, shapes: { offsets: [3] } },
    { name: 'many-groups', dims: { N: 60, D: 3, F: 5 }, shapes: { offsets: [258] } },
    { name: 'long-sums', dims: { N: 600, D: 17, F: 9 }, shapes: { offsets: [3] } },
  ],
  sample,
  sources: ['definition'],
});

/**
 * Rows [N,D], sorted by group, times the matrix of their group: weights [E,D,F] (or [E,F,D] with `transpose`) and
 * i32 offsets [E+1] give [N,F]. Groups may be empty; rows of no group give zeros. Sums run in f32 or better in an
 * order that depends on sizes alone. Nothing is read back from a GPU.
 * @throws ShapeError when sizes do not fit
 * @throws ArgumentError for offsets that do not ascend inside [0, N] on the host; a GPU's offsets are not checked,
 * since a check would wait for them
 */
export function groupedMatmul(
  rows: Tensor,
  weights: Tensor,
  offsets: Tensor,
  options: { transpose?: boolean } = {},
): Tensor {
  return groupedMatmulOp({ rows, weights, offsets }, options).y;
}

/**
 * For each group the sum of outer products of its rows: a [N,D], b [N,F] and i32 offsets [E+1] give [E,D,F]. The
 * gradient of `groupedMatmul` to its weights; errors and offsets are as there.
 */
export function groupedOuter(a: Tensor, b: Tensor, offsets: Tensor): Tensor {
  return groupedOuterOp({ a, b, offsets }).y;
}
