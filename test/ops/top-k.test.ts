/** Top-k on the host against its definition, for few and for many. */
import { describe, expect, it } from 'vitest';
import { grad, mul, sum, tensor, topK, withBackend, type Tensor } from '../../lib/index.js';
import { hardRows, largest } from './top-k-rows.js';

const N = 1031;
const rows = Object.entries(hardRows(N));

describe.each(['cpu', 'wasm'] as const)('topK on %s', (backend) => {
  const on = <T>(run: () => T) => withBackend(backend, run);

  it.each(rows)('takes the largest of a row of %s, for any k', (_, row) => {
    for (const k of [1, 2, 64, 65, 500, N]) {
      const { values, indices } = on(() => topK(tensor(row, { device: 'host' }), k));
      const wanted = largest(row, k);
      expect(Array.from(indices.dataSync())).toEqual(wanted);
      expect(Array.from(values.dataSync())).toEqual(wanted.map((i) => row[i]));
    }
  });

  it('takes the same of f64 numbers', () => {
    for (const [, row] of rows)
      for (const k of [3, 65]) {
        const x = tensor(Float64Array.from(row), { dtype: 'f64', device: 'host' });
        expect(Array.from(on(() => topK(x, k)).indices.dataSync())).toEqual(largest(row, k));
      }
  });

  it('chooses tokens for experts along a long axis', () => {
    const [E, T, k] = [5, 4099, 300];
    const x = Float32Array.from({ length: E * T }, (_, i) => Math.sin(i * i));
    const { indices } = on(() => topK(tensor(x, { shape: [E, T], device: 'host' }), k));
    expect(indices.shape).toEqual([E, k]);
    const found = Array.from(indices.dataSync());
    for (let e = 0; e < E; e++)
      expect(found.slice(e * k, (e + 1) * k)).toEqual(largest(x.subarray(e * T, (e + 1) * T), k));
  });

  it('sends its gradient to the chosen elements of long rows', () => {
    const row = hardRows(700)['normal numbers'];
    const weights = Float32Array.from({ length: 100 }, (_, j) => j + 1);
    const d = on(() =>
      grad((t: Tensor) => sum(mul(topK(t, 100).values, tensor(weights, { device: 'host' }))))(
        tensor(row, { device: 'host' }),
      ),
    );
    const wanted = new Array<number>(700).fill(0);
    largest(row, 100).forEach((i, j) => (wanted[i] = j + 1));
    expect(Array.from(d.dataSync())).toEqual(wanted);
  });

  it('refuses more than there are', () => {
    expect(() => topK(tensor([1, 2, 3], { device: 'host' }), 4)).toThrow(/k must be <= 3, got 4/);
  });
});
