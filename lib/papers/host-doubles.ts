/** Operators in f64 on the plain backend: what a claim compares with loops written out from a paper. */
import { openBackend, withBackend } from '../tensor/backend.js';
import { scope } from '../tensor/scope.js';
import { tensor, type Tensor } from '../tensor/tensor.js';

/** f64 values on the host. */
export const doubles = (values: Iterable<number>, ...shape: number[]): Tensor =>
  tensor(Float64Array.from(values), { shape, dtype: 'f64', device: 'host' });

/** Runs `make` on the plain backend and gives the values of its tensors by name. */
export async function inDoubles(make: () => Record<string, Tensor>): Promise<Record<string, Float64Array>> {
  await openBackend('cpu');
  const found: Record<string, Float64Array> = {};
  withBackend('cpu', () =>
    scope(() => {
      for (const [name, t] of Object.entries(make())) found[name] = Float64Array.from(t.floats('inDoubles'));
    }),
  );
  return found;
}
