/** Tier adapter: top-k by radix select and by rounds against the definition, element by element. */
import { afterAll, describe, expect, it } from 'vitest';
import { closeGpu, tensor, topK } from '../../lib/index.js';
import { hardRows, largest } from '../ops/top-k-rows.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

describe.skipIf(!context)(`topK on a GPU ${reason}`, { timeout: COLD }, () => {
  const N = 5003;
  const rows = Object.entries(hardRows(N));
  const data = new Float32Array(rows.length * N);
  rows.forEach(([, row], r) => data.set(row, r * N));

  it.each([17, 64, 65, 256, 257, 3000, N])(`takes the largest %i of hard rows of ${N}`, async (k) => {
    const { values, indices } = topK(tensor(data, { shape: [rows.length, N], device: 'gpu' }), k);
    const [v, ix] = [await values.data(), await indices.data()];
    for (const [r, [name, row]] of rows.entries()) {
      const wanted = largest(row, k);
      expect(Array.from(ix.slice(r * k, (r + 1) * k)), name).toEqual(wanted);
      expect(Array.from(v.slice(r * k, (r + 1) * k)), name).toEqual(wanted.map((i) => row[i]));
    }
  });

  it.each([
    [70_001, 10],
    [1_000_000, 1000],
    [200_000, 200_000],
  ])('takes of %i numbers the largest %i', async (n, k) => {
    const row = Float32Array.from({ length: n }, (_, i) => Math.sin(i * 0.37) * ((i % 7) - 3));
    const { indices } = topK(tensor(row, { device: 'gpu' }), k);
    expect(Array.from(await indices.data())).toEqual(largest(row, k));
  });
});
