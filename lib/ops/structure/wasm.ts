/** Strided copies and column sums on WASM; other dtypes than f32 stay with the TypeScript kernels. */
import { parallelFor } from '../../cpu/wasm/threads.js';
import { sizeOf, stridesOf, type Shape } from '../../core/shape.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import { tensor } from '../../tensor/tensor.js';
import * as reference from './reference.js';

const ID = 'ops/structure';

/** y of `shape` reads x at the given element strides. */
function stridedCopy(call: Call, shape: Shape, strides: readonly number[]): ReturnType<Kernel> {
  const x = call.in.x!;
  const y = allocate(call, shape, x.dtype);
  const meta = tensor(Int32Array.from([...shape, ...strides]), { dtype: 'i32', device: 'host' });
  parallelFor('permute', y.size, 16384, x.pointer(ID), y.pointer(ID), shape.length, meta.pointer(ID));
  meta.dispose();
  return { y };
}

const fourBytes = (call: Call) => call.in.x!.dtype !== 'f16' && call.in.x!.dtype !== 'f64';

export const permuteWasm: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const axes = call.params.axes as readonly number[];
    if (!fourBytes(call) || axes.length === 0) return reference.permute(call);
    const strides = stridesOf(x.shape);
    return stridedCopy(
      call,
      axes.map((a) => x.shape[a]),
      axes.map((a) => strides[a]),
    );
  },
};

export const broadcastToWasm: Implementation = {
  forward: (call) => {
    const shape = call.params.shape as number[];
    if (!fourBytes(call) || shape.length === 0) return reference.broadcastTo(call);
    return stridedCopy(call, shape, reference.stretchedStrides(call.in.x!.shape, shape));
  },
};

/** Fast when the result is a suffix of x's shape (bias gradients) or a scalar. */
export const sumToWasm: Implementation = {
  forward: (call) => {
    const x = call.in.x!;
    const shape = call.params.shape as number[];
    const columns = sizeOf(shape);
    const suffix = shape.every((d, i) => d === x.shape[x.rank - shape.length + i]);
    if (!suffix || columns < 4 || x.size === 0) return reference.sumTo(call);
    const y = allocate(call, shape);
    parallelFor('sumColumns', columns, 32, x.pointer(ID), y.pointer(ID), x.size / columns, columns);
    return { y };
  },
};
