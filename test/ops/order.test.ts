/** Order: ties, NaN and infinities by hand-made rows, for every backend of the host. */
import { describe, expect, it } from 'vitest';
import { amax, argmax, argsort, grad, sum, tensor, topK, withBackend, type Tensor } from '../../lib/index.js';

const values = (t: Tensor) => Array.from(t.dataSync());
const row = (...v: number[]) => tensor(v, { device: 'host' });

describe.each(['cpu', 'wasm'] as const)('on %s', (backend) => {
  const on = <T>(run: () => T) => withBackend(backend, run);

  it('topK takes the lower index first among equals', () => {
    const { values: best, indices } = on(() => topK(row(2, 5, 2, 5, 5, -0, 0), 5));
    expect(values(best)).toEqual([5, 5, 5, 2, 2]);
    expect(values(indices)).toEqual([1, 3, 4, 0, 2]);
  });

  it('topK and argmax count NaN as the largest, the first one winning', () => {
    const x = row(1, NaN, Infinity, NaN);
    expect(values(on(() => topK(x, 4)).indices)).toEqual([1, 2, 3, 0]);
    expect(values(on(() => argmax(x)))).toEqual([1]);
    expect(values(on(() => argmax(row(3, 7, 7, -Infinity))))).toEqual([1]);
    expect(values(on(() => argmax(row(-Infinity, -Infinity))))).toEqual([0]);
  });

  it('argsort keeps the order of equals in both directions', () => {
    const x = row(3, 1, 3, NaN, 1, -Infinity);
    expect(values(on(() => argsort(x)))).toEqual([5, 1, 4, 0, 2, 3]);
    expect(values(on(() => argsort(x, { descending: true })))).toEqual([3, 0, 2, 1, 4, 5]);
  });

  it('the gradient of topK goes to the chosen elements, that of amax is shared among ties', () => {
    const x = row(2, 5, 2, 5);
    const dTop = on(() => grad((t: Tensor) => sum(topK(t, 3).values))(x));
    expect(values(dTop)).toEqual([1, 1, 0, 1]);
    expect(values(on(() => grad((t: Tensor) => amax(t))(x)))).toEqual([0, 0.5, 0, 0.5]);
  });
});
