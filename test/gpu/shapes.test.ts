/** Tier adapter: shapes beyond the records' cases, where kernels change their path (chunks, tiles, blocks, variants). */
import { afterAll, describe, expect, it } from 'vitest';
import { closeGpu, operator, type OperatorRecord } from '../../lib/index.js';
import type { Form } from '../../lib/tensor/backend.js';
import { conform } from '../../lib/tensor/conformance.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

type Case = OperatorRecord['cases'][number];
const CASES: Record<string, Omit<Case, 'name'>[]> = {
  'ops/permute': [{ dims: {}, shapes: { x: [2, 3, 1, 5, 4] }, params: { axes: [3, 0, 4, 2, 1] } }],
  'ops/sum-to': [
    { dims: {}, shapes: { x: [3, 5, 7, 4] }, params: { shape: [5, 1, 4] } },
    { dims: {}, shapes: { x: [130, 33] }, params: { shape: [33] } },
    { dims: {}, shapes: { x: [2, 9, 3] }, params: { shape: [1, 9, 1] } },
  ],
  'ops/sum': [
    { dims: {}, shapes: { x: [2, 9001] }, params: { axis: 1 } },
    { dims: {}, shapes: { x: [4500, 17] }, params: { axis: 0 } },
    { dims: {}, shapes: { x: [2, 5, 300] }, params: { axis: 1 } },
  ],
  'ops/logsumexp': [
    { dims: {}, shapes: { x: [2, 5003] }, params: { axis: 1 } },
    { dims: {}, shapes: { x: [131, 19] }, params: { axis: 0 } },
  ],
  'ops/argmax': [{ dims: {}, shapes: { x: [3, 257, 2] }, params: { axis: 1 } }],
  'ops/matmul': [
    { dims: {}, shapes: { a: [2, 130, 37], b: [2, 37, 67] } },
    { dims: {}, shapes: { a: [70, 129], b: [65, 129] }, params: { transposeB: true } },
    {
      dims: {},
      shapes: { a: [37, 66], b: [37, 71], bias: [71] },
      params: { transposeA: true },
      with: ['bias'],
    },
    { dims: {}, shapes: { a: [3, 5, 1], b: [3, 1, 9] } },
  ],
  'ops/scatter-add': [{ dims: {}, shapes: { updates: [131, 3], ids: [131] }, params: { rows: 7 } }],
  'ops/argsort': [{ dims: {}, shapes: { x: [2, 197] }, params: { descending: true } }],
  'ops/top-k': [
    { dims: {}, shapes: { x: [2, 300] }, params: { k: 64 } },
    { dims: {}, shapes: { x: [3, 4100] }, params: { k: 300 } },
  ],
  'ops/grouped-matmul': [
    { dims: { N: 129, D: 16 }, shapes: { weights: [7, 16, 64], offsets: [8] } },
    { dims: { N: 16, D: 33 }, shapes: { weights: [1, 65, 33], offsets: [2] }, params: { transpose: true } },
    { dims: { N: 700, D: 3 }, shapes: { weights: [600, 3, 2], offsets: [601] } },
  ],
  'ops/grouped-outer': [{ dims: { N: 131, D: 65, F: 64 }, shapes: { offsets: [6] } }],
  'ops/cumsum': [{ dims: {}, shapes: { x: [2, 197, 3] }, params: { axis: 1, reverse: true } }],
  'ops/layer-norm': [{ dims: { D: 5 }, shapes: { x: [197, 5] }, with: ['weight', 'bias'] }],
  'ops/causal-conv1d': [{ dims: { B: 2, T: 131, D: 3, W: 4 }, with: ['bias', 'state'] }],
  'softmax-attention': [
    { dims: { B: 1, Tq: 19, Tk: 35, H: 2, Hkv: 1, K: 70, V: 33 } },
    { dims: { B: 1, Tq: 17, Tk: 17, H: 1, Hkv: 1, K: 33, V: 200 } },
    { dims: { B: 1, Tq: 5, Tk: 40, H: 2, Hkv: 2, K: 8, V: 8 }, params: { keys: 21 } },
  ],
  'selective-scan': [
    {
      dims: { B: 2, T: 19, D: 140, N: 16, G: 2 },
      with: ['D', 'z', 'deltaBias', 'initialState'],
      params: { softplus: true },
    },
    {
      dims: { B: 1, T: 31, D: 70, N: 3, G: 1, S: 4 },
      shapes: { initialState: [4, 70, 3] },
      with: ['initialState', 'cuSeqlens'],
    },
    { dims: { B: 1, T: 9, D: 6, N: 17, G: 3 }, shapes: { C: [6, 17] }, with: ['z'] },
    { dims: { B: 1, T: 5, D: 3, N: 256, G: 1 } },
  ],
};

describe.skipIf(!context)(
  `kernels equal the f64 reference where their path changes ${reason}`,
  { timeout: COLD },
  () => {
    for (const [id, cases] of Object.entries(CASES)) {
      const op = operator(id);
      const form = (Object.keys(op.record.forms) as Form[]).find(
        (f) => f !== 'step' && op.record.forms[f]?.webgpu,
      )!;
      for (const [i, c] of cases.entries())
        it(`${id} ${JSON.stringify({ ...c.dims, ...c.shapes, ...c.params })}`, async () => {
          const failed = (await conform(op, { name: `path-${i}`, ...c }, form, 'webgpu')).filter(
            (r) => !r.ok,
          );
          expect(failed.map((r) => r.text)).toEqual([]);
        });
    }
  },
);
