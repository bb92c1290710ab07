/** What the tests of softmax attention share: drawn inputs, outputs and gradients in one call. */
import { expect } from 'vitest';
import { Random } from '../../lib/core/random.js';
import { sizeOf } from '../../lib/core/shape.js';
import { softmaxAttentionWithLse, type AttentionOptions } from '../../lib/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';

const random = new Random(5);
export const draw = (shape: number[], dtype: 'f32' | 'f64' = 'f32') =>
  tensor(
    Float64Array.from({ length: sizeOf(shape) }, () => random.normal()),
    { shape, dtype, device: 'host' },
  );
export const ints = (values: number[], shape = [values.length]) =>
  tensor(Int32Array.from(values), { shape, device: 'host' });
export const read = (t: Tensor) => Array.from(t.dataSync());

interface Results {
  y: number[];
  lse: number[];
  gradients: Record<string, number[]>;
}

/** Outputs and all gradients on WASM, from fixed gradients of both outputs. */
export function run(
  p: Record<string, Tensor>,
  options: AttentionOptions = {},
  backend: 'cpu' | 'wasm' = 'wasm',
): Results {
  return withBackend(backend, () => {
    const { outputs, pull } = vjp(
      ({ q, k, v, sink, slopes }: Record<string, Tensor>) => ({
        ...softmaxAttentionWithLse(q, k, v, { ...options, sink, alibiSlopes: slopes }),
      }),
      p,
    );
    const ramp = (t: Tensor) =>
      tensor(
        Float64Array.from({ length: t.size }, (_, i) => Math.sin(i)),
        { shape: t.shape, dtype: t.dtype, device: 'host' },
      );
    const grads = pull({ y: ramp(outputs.y), lse: ramp(outputs.lse) });
    return {
      y: read(outputs.y),
      lse: read(outputs.lse),
      gradients: Object.fromEntries(Object.entries(grads).map(([name, t]) => [name, read(t)])),
    };
  });
}

export const near = (actual: readonly number[], expected: readonly number[], digits = 5) => {
  expect(actual.length).toBe(expected.length);
  actual.forEach((v, i) => expect(v).toBeCloseTo(expected[i], digits));
};
