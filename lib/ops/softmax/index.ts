/** Softmax, log-softmax and cross-entropy over the last axis. */
import { ArgumentError } from '../../core/errors.js';
import { sizeOf, type Dims } from '../../core/shape.js';
import { defineOperator, type Call, type Implementation, type Operator } from '../../tensor/operator.js';
import { requireTensor, type Tensor } from '../../tensor/tensor.js';
import { normalAxis } from '../../core/shape.js';
import { permute } from '../structure/index.js';
import { crossEntropyGpu, logSoftmaxGpu, softmaxGpu } from './gpu.js';
import * as reference from './reference.js';
import { crossEntropyWasm, logSoftmaxWasm, softmaxWasm } from './wasm.js';

const elements = (d: Dims) => sizeOf(Object.values(d));
const cost = { flops: (d: Dims) => 4 * elements(d), bytes: (d: Dims) => 8 * elements(d) };

function notEmpty(call: Call): void {
  if ((call.dims.D ?? call.dims.V) === 0)
    throw new ArgumentError(`${call.op.id}: last axis must not be empty, got size 0`);
}

interface Rows {
  id: string;
  equation: string;
  cpu: Implementation;
  wasm: Implementation;
  webgpu: Implementation;
}

function defineRows(r: Rows): Operator {
  return defineOperator({
    id: r.id,
    summary: `${r.equation} over the last axis`,
    equation: r.equation,
    inputs: [{ name: 'x', shape: '... D', half: true, doc: 'logits' }],
    outputs: [{ name: 'y', shape: '... D', doc: 'shape of x' }],
    parameters: {},
    check: notEmpty,
    forms: { reference: { cpu: r.cpu }, parallel: { wasm: r.wasm, webgpu: r.webgpu } },
    ...cost,
    cases: [
      { name: 'one', dims: { D: 1 }, shapes: { x: [3, 1] } },
      { name: 'rows', dims: { D: 37 }, shapes: { x: [2, 3, 37] } },
      { name: 'wide', dims: { D: 1031 }, shapes: { x: [2, 1031] } },
    ],
    sample: (_, shape, uniform) => Float64Array.from({ length: sizeOf(shape) }, () => 20 * uniform() - 10),
    sources: ['definition'],
  });
}

const softmaxOp = defineRows({
  id: 'ops/softmax',
  equation: 'y = e^x / sum e^x',
  cpu: reference.softmax,
  wasm: softmaxWasm,
  webgpu: softmaxGpu,
});
const logSoftmaxOp = defineRows({
  id: 'ops/log-softmax',
  equation: 'y = x - log sum e^x',
  cpu: reference.logSoftmax,
  wasm: logSoftmaxWasm,
  webgpu: logSoftmaxGpu,
});

function onAxis(op: Operator): (x: Tensor, axis?: number) => Tensor {
  return (x, axis = -1) => {
    requireTensor(op.record.id, 'x', x);
    const a = normalAxis(op.record.id, axis, x.rank);
    if (a === x.rank - 1) return op({ x }).y;
    const axes = x.shape.map((_, i) => i);
    [axes[a], axes[x.rank - 1]] = [x.rank - 1, a];
    return permute(op({ x: permute(x, axes) }).y, axes);
  };
}

/** e^x / sum e^x along an axis (default last). */
export const softmax = onAxis(softmaxOp);
/** x - log sum e^x along an axis (default last). */
export const logSoftmax = onAxis(logSoftmaxOp);

const crossEntropyOp = defineOperator({
  id: 'ops/cross-entropy',
  summary: 'negative log likelihood of targets under softmax(logits), per row, in nats',
  equation: 'loss = log sum e^x - x[target]',
  inputs: [
    { name: 'logits', shape: '... V', doc: 'scores' },
    { name: 'targets', shape: '...', dtypes: ['i32'], differentiable: false, doc: 'class numbers' },
  ],
  outputs: [{ name: 'loss', shape: '...', doc: 'nats per row' }],
  parameters: {},
  check: (call) => {
    notEmpty(call);
    const targets = call.in.targets!;
    if (targets.device === 'gpu') return;
    const values = targets.dataSync();
    for (let i = 0; i < values.length; i++)
      if (values[i] < 0 || values[i] >= call.dims.V)
        throw new ArgumentError(
          `ops/cross-entropy: targets must lie in [0, ${call.dims.V}), got ${values[i]} at ${i}`,
        );
  },
  forms: {
    reference: { cpu: reference.crossEntropy },
    parallel: { wasm: crossEntropyWasm, webgpu: crossEntropyGpu },
  },
  ...cost,
  cases: [
    { name: 'rows', dims: { V: 37 }, shapes: { logits: [2, 3, 37], targets: [2, 3] } },
    { name: 'bytes', dims: { V: 256 }, shapes: { logits: [5, 256], targets: [5] } },
  ],
  sample: (input, shape, uniform, dims) =>
    input === 'targets'
      ? Int32Array.from({ length: sizeOf(shape) }, () => Math.floor(uniform() * dims.V))
      : undefined,
  sources: ['definition'],
});

/**
 * Loss per row in nats: logits [..., V], i32 targets [...]. Take mean() for a batch.
 * @throws ArgumentError for a target outside [0, V) on the host; on a GPU it is clamped, in the gradient too
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  return crossEntropyOp({ logits, targets }).loss;
}
