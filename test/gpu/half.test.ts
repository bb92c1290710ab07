/** Tier adapter: f16 storage. Kernels against plain f64 loops on the same rounded inputs; sums are f32 inside. */
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { closeGpu, cumsum, matmul, mean, rmsNorm, silu, valueAndGrad } from '../../lib/index.js';
import { getFloat16Bits, float16FromBits } from '../../lib/core/float16.js';
import { rms } from '../../lib/core/compare.js';
import { sizeOf, type Dims } from '../../lib/core/shape.js';
import { Random } from '../../lib/core/random.js';
import type {
  Call,
  Implementation,
  OperatorRecord,
  OptionalTensors,
  Params,
} from '../../lib/tensor/operator.js';
import { tensor, Tensor } from '../../lib/tensor/tensor.js';
import { binaryGpu, unaryGpu } from '../../lib/ops/map/gpu.js';
import { groupedMatmulGpu, groupedOuterGpu } from '../../lib/ops/grouped-matmul/gpu.js';
import { matmulGpu } from '../../lib/ops/matmul/gpu.js';
import { rmsNormGpu } from '../../lib/ops/norm/gpu.js';
import { sumGpu } from '../../lib/ops/reduce/gpu.js';
import { castGpu, sliceGpu } from '../../lib/ops/structure/gpu.js';
import { softmaxGpu } from '../../lib/ops/softmax/gpu.js';
import { attentionGpu } from '../../lib/families/softmax-attention/gpu.js';
import { selectiveScanGpu } from '../../lib/families/selective-scan/gpu.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());
const missing = !context ? reason : context.features.has('shader-f16') ? '' : 'the adapter lacks shader-f16';
let random: Random;
// Each test draws its own numbers, whichever tests run before it.
beforeEach(() => {
  random = new Random(7);
});

interface Drawn {
  t: Tensor;
  values: Float64Array;
}

/** Normal numbers rounded to f16, as a GPU tensor and as f64. */
function draw(shape: number[], scale = 1, dtype: 'f16' | 'f32' = 'f16'): Drawn {
  const raw = Float64Array.from({ length: sizeOf(shape) }, () => scale * random.normal());
  const values = raw.map((v) => (dtype === 'f16' ? float16FromBits(getFloat16Bits(v)) : Math.fround(v)));
  return { values, t: tensor(values, { shape, dtype, device: 'gpu' }) };
}

function makeCall(inputs: OptionalTensors, dims: Dims, params: Params = {}): Call {
  const op = { id: 'test', inputs: [], outputs: [] } as unknown as OperatorRecord;
  return {
    op,
    in: inputs,
    params,
    dims,
    lead: [],
    training: true,
    saved: {},
    out: {},
    grad: {},
    needs: () => true,
  };
}

/** Twice (gradients: three times) the error that rounding the exact result to f16 makes. */
function holds(actual: ArrayLike<number>, exact: Float64Array, factor: number): void {
  const rounded = exact.map((v) => float16FromBits(getFloat16Bits(v)) - v);
  const error = rms(exact.map((v, i) => actual[i] - v));
  expect(actual.length).toBe(exact.length);
  expect(error).toBeLessThanOrEqual(factor * rms(rounded) + 1e-7);
}

async function check(
  implementation: Implementation,
  call: Call,
  output: string,
  exact: Float64Array,
): Promise<void> {
  const out = implementation.forward(call);
  expect(out[output]!.dtype).toBe('f16');
  holds(await out[output]!.data(), exact, 2);
  call.out = out as Record<string, Tensor>;
}

describe.skipIf(missing !== '')(
  `f16 kernels are as exact as rounding allows ${missing}`,
  { timeout: COLD },
  () => {
    it('maps, forward and backward, with an odd number of elements', async () => {
      const x = draw([3, 7]);
      const call = makeCall({ x: x.t }, {});
      const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
      await check(
        unaryGpu('silu'),
        call,
        'y',
        x.values.map((v) => v * sigmoid(v)),
      );
      const dy = draw([3, 7]);
      call.grad = { y: dy.t };
      const { x: dx } = unaryGpu('silu').backward!(call);
      holds(
        await dx!.data(),
        x.values.map((v, i) => dy.values[i] * sigmoid(v) * (1 + v * (1 - sigmoid(v)))),
        3,
      );
      const b = draw([3, 7]);
      await check(
        binaryGpu('mul'),
        makeCall({ a: x.t, b: b.t }, {}),
        'y',
        x.values.map((v, i) => v * b.values[i]),
      );
    });

    it('sums over several chunks keep f32 partial results', async () => {
      const x = draw([2, 5001]);
      const exact = Float64Array.from([0, 1], (r) =>
        x.values.subarray(r * 5001, (r + 1) * 5001).reduce((s, v) => s + v, 0),
      );
      await check(sumGpu, makeCall({ x: x.t }, {}, { axis: 1, keepDims: false }), 'y', exact);
    });

    it('slices, also at odd offsets, and casts back and forth', async () => {
      const x = draw([2, 9]);
      const cut = makeCall({ x: x.t.view([9], 9) }, {}, { axis: 0, start: 3, end: 8 });
      await check(sliceGpu, cut, 'y', x.values.slice(12, 17));
      const wide = castGpu.forward(makeCall({ x: cut.out.y }, {}, { dtype: 'f32' })).y!;
      expect(wide.dtype).toBe('f32');
      expect([...(await wide.data())]).toEqual([...x.values.slice(12, 17)]);
      const whole = castGpu.forward(makeCall({ x: wide }, {}, { dtype: 'i32' })).y!;
      expect([...(await whole.data())]).toEqual([...x.values.slice(12, 17)].map((v) => Math.trunc(v) + 0));
    });

    it('grouped matmul and grouped outer products', async () => {
      const [N, D, F, E] = [41, 33, 21, 3];
      const bounds = [0, 17, 17, 40];
      const offsets = tensor(Int32Array.from(bounds), { device: 'gpu' });
      const [a, b, w] = [draw([N, D]), draw([N, F]), draw([E, D, F])];
      const [y, outer] = [new Float64Array(N * F), new Float64Array(E * D * F)];
      for (let e = 0; e < E; e++)
        for (let i = bounds[e]; i < bounds[e + 1]; i++)
          for (let d = 0; d < D; d++)
            for (let f = 0; f < F; f++) {
              y[i * F + f] += a.values[i * D + d] * w.values[(e * D + d) * F + f];
              outer[(e * D + d) * F + f] += a.values[i * D + d] * b.values[i * F + f];
            }
      const dims = { N, D, F, E };
      const params = { transpose: false };
      const call = makeCall({ rows: a.t, weights: w.t, offsets }, dims, params);
      await check(groupedMatmulGpu, call, 'y', y);
      await check(groupedOuterGpu, makeCall({ a: a.t, b: b.t, offsets }, dims), 'y', outer);
    });

    it('matmul, softmax and rms-norm', async () => {
      const [m, k, n] = [19, 33, 21];
      const a = draw([m, k]);
      const b = draw([k, n]);
      const exact = new Float64Array(m * n);
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++)
          for (let p = 0; p < k; p++) exact[i * n + j] += a.values[i * k + p] * b.values[p * n + j];
      await check(
        matmulGpu,
        makeCall({ a: a.t, b: b.t }, {}, { transposeA: false, transposeB: false }),
        'y',
        exact,
      );
      const soft = new Float64Array(m * k);
      const norm = new Float64Array(m * k);
      for (let i = 0; i < m; i++) {
        const row = a.values.subarray(i * k, (i + 1) * k);
        const total = row.reduce((s, v) => s + Math.exp(v), 0);
        const square = row.reduce((s, v) => s + v * v, 0) / k;
        row.forEach((v, j) => {
          soft[i * k + j] = Math.exp(v) / total;
          norm[i * k + j] = v / Math.sqrt(square + 1e-5);
        });
      }
      await check(softmaxGpu, makeCall({ x: a.t }, { D: k }), 'y', soft);
      await check(rmsNormGpu, makeCall({ x: a.t }, { D: k }, { eps: 1e-5 }), 'y', norm);
    });

    it('attention, forward and the gradient of the values', async () => {
      const dims = { B: 1, Tq: 5, Tk: 5, H: 1, Hkv: 1, K: 4, V: 3 };
      const [q, k, v, dy] = [draw([1, 5, 1, 4]), draw([1, 5, 1, 4]), draw([1, 5, 1, 3]), draw([1, 5, 1, 3])];
      const exact = new Float64Array(15);
      const dv = new Float64Array(15);
      for (let i = 0; i < 5; i++) {
        const p = Array.from({ length: i + 1 }, (_, j) =>
          Math.exp([0, 1, 2, 3].reduce((s, e) => s + q.values[i * 4 + e] * k.values[j * 4 + e], 0) / 2),
        );
        const total = p.reduce((s, x) => s + x, 0);
        p.forEach((w, j) => {
          for (let c = 0; c < 3; c++) {
            exact[i * 3 + c] += (w / total) * v.values[j * 3 + c];
            dv[j * 3 + c] += (w / total) * dy.values[i * 3 + c];
          }
        });
      }
      const call = makeCall({ q: q.t, k: k.t, v: v.t }, dims, { causal: true });
      await check(attentionGpu, call, 'y', exact);
      call.grad = { y: dy.t };
      holds(await attentionGpu.backward!(call).v!.data(), dv, 3);
    });

    it('selective scan with its states in f32', async () => {
      const [T, D, N] = [11, 3, 5];
      const dims = { B: 1, T, D, N, G: 1 };
      const [u, delta, z] = [draw([1, T, D]), draw([1, T, D], 0.3), draw([1, T, D])];
      const [b, c] = [draw([1, T, 1, N]), draw([1, T, 1, N])];
      // Rates that grow would carry the gradients beyond the largest f16.
      const rates = Float64Array.from({ length: D * N }, () => Math.fround(-0.1 - Math.abs(random.normal())));
      const A = tensor(rates, { shape: [D, N], dtype: 'f32', device: 'gpu' });
      const exact = new Float64Array(T * D);
      const h = new Float64Array(D * N);
      for (let t = 0; t < T; t++)
        for (let d = 0; d < D; d++) {
          const at = t * D + d;
          const step = Math.log1p(Math.exp(delta.values[at]));
          let y = 0;
          for (let n = 0; n < N; n++) {
            h[d * N + n] =
              Math.exp(step * rates[d * N + n]) * h[d * N + n] + step * u.values[at] * b.values[t * N + n];
            y += h[d * N + n] * c.values[t * N + n];
          }
          exact[at] = (y * z.values[at]) / (1 + Math.exp(-z.values[at]));
        }
      const call = makeCall({ u: u.t, delta: delta.t, A, B: b.t, C: c.t, z: z.t }, dims, {
        softplus: true,
      });
      await check(selectiveScanGpu, call, 'y', exact);
      expect(call.out.finalState.dtype).toBe('f32');
      call.grad = { y: draw([1, T, D]).t };
      const grads = selectiveScanGpu.backward!(call);
      for (const name of ['u', 'delta', 'A', 'B', 'C', 'z']) {
        expect(grads[name]!.dtype).toBe(call.in[name]!.dtype);
        expect((await grads[name]!.data()).every(Number.isFinite)).toBe(true);
      }
    });

    it('is accepted by the public functions, trains through the tape, and never mixes silently', async () => {
      const x = draw([5, 8]).t;
      const w = draw([8, 4]).t;
      const loss = (p: { w: Tensor }) => mean(silu(matmul(rmsNorm(x), p.w)));
      const { value, grads } = valueAndGrad(loss)({ w });
      expect(value.dtype).toBe('f16');
      expect(grads.w.dtype).toBe('f16');
      expect((await grads.w.data()).every(Number.isFinite)).toBe(true);
      const full = draw([8, 4], 1, 'f32').t;
      expect(() => matmul(x, full)).toThrow(
        'ops/matmul: b must be f16 like the inputs before it, got f32; cast one',
      );
      expect(() => cumsum(draw([3, 2]).t)).toThrow('ops/cumsum: x must be f32 or f64, got f16');
    });
  },
);
