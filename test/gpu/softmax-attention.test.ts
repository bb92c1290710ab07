/** Tier adapter: attention on a GPU beyond the cases of its record: f16, hidden NaN, packed bits, long caches, merging. */
import { afterAll, describe, expect, it } from 'vitest';
import { rms } from '../../lib/core/compare.js';
import { float16FromBits, getFloat16Bits } from '../../lib/core/float16.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf } from '../../lib/core/shape.js';
import {
  closeGpu,
  mergeAttentionStates,
  slice,
  softmaxAttention,
  softmaxAttentionWithLse,
  tensor,
  vjp,
  withBackend,
  type AttentionOptions,
  type Tensor,
} from '../../lib/index.js';
import { KeyValueCache } from '../../lib/nn/kv-cache.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

const random = new Random(3);
const draw = (shape: number[]) =>
  Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(random.normal()));
const onGpu = (values: Float64Array, shape: number[], dtype: 'f32' | 'f16' = 'f32') =>
  tensor(values, { shape, dtype, device: 'gpu' });
const ints = (values: number[], shape = [values.length]) =>
  tensor(Int32Array.from(values), { shape, device: 'gpu' });
const read = async (t: Tensor) => Array.from(await t.data());
const error = (actual: ArrayLike<number>, exact: ArrayLike<number>) =>
  rms(Float64Array.from(exact, (v, i) => actual[i] - v));

const SHAPES = { q: [1, 40, 4, 16], k: [1, 70, 2, 16], v: [1, 70, 2, 16] };
const values = { q: draw(SHAPES.q), k: draw(SHAPES.k), v: draw(SHAPES.v) };
const dy = draw(SHAPES.q);
const gpu = (dtype: 'f32' | 'f16' = 'f32', given = values) => ({
  q: onGpu(given.q, SHAPES.q, dtype),
  k: onGpu(given.k, SHAPES.k, dtype),
  v: onGpu(given.v, SHAPES.v, dtype),
});

function gradients(p: Record<string, Tensor>, options: AttentionOptions): Record<string, Tensor> {
  const { outputs, pull } = vjp(
    (x: Record<string, Tensor>) => ({ y: softmaxAttention(x.q, x.k, x.v, options) }),
    p,
  );
  const grads = pull({ y: onGpu(dy, SHAPES.q, outputs.y.dtype as 'f32') });
  return { y: outputs.y, ...grads };
}

describe.skipIf(!context)(`softmax attention on a GPU ${reason}`, { timeout: COLD }, () => {
  it.runIf(context?.features.has('shader-f16'))(
    'in f16 is within twice the error of rounding, gradients thrice, lse in f32',
    async () => {
      const round = (v: Float64Array) => v.map((x) => float16FromBits(getFloat16Bits(x)));
      const rounded = { q: round(values.q), k: round(values.k), v: round(values.v) };
      const options = { softcap: 3, window: [30, -1] as const, sink: 0.5 };
      const host = Object.fromEntries(
        Object.entries(rounded).map(([n, v]) => [
          n,
          tensor(v, { shape: SHAPES[n as 'q'], dtype: 'f64', device: 'host' }),
        ]),
      );
      const exact: Record<string, Tensor> = withBackend('cpu', () => {
        const { outputs, pull } = vjp(
          (x: Record<string, Tensor>) => ({
            y: softmaxAttention(x.q, x.k, x.v, { ...options, form: 'reference' }),
          }),
          host,
        );
        const seed = tensor(round(dy), { shape: SHAPES.q, dtype: 'f64', device: 'host' });
        return { y: outputs.y, ...pull({ y: seed }) };
      });
      const actual = gradients(gpu('f16'), { ...options, form: 'chunk' });
      for (const [name, factor] of [
        ['y', 2],
        ['q', 3],
        ['k', 3],
        ['v', 3],
      ] as const) {
        expect(actual[name].dtype).toBe('f16');
        const want = Float64Array.from(exact[name].dataSync());
        expect(error(await read(actual[name]), want)).toBeLessThanOrEqual(factor * error(round(want), want));
      }
      expect(softmaxAttentionWithLse(gpu('f16').q, gpu('f16').k, gpu('f16').v).lse.dtype).toBe('f32');
    },
  );

  it('keeps NaN of hidden keys out, gradients included', async () => {
    const bad = { ...values, k: values.k.slice(), v: values.v.slice() };
    for (const row of [62, 69]) {
      bad.k.fill(NaN, row * 32, row * 32 + 32);
      bad.v.fill(NaN, row * 32, row * 32 + 32);
    }
    const rows = 32 * 64;
    const clean = gradients(gpu(), {});
    const dirty = gradients(gpu('f32', bad), {});
    expect((await read(dirty.y)).slice(0, rows)).toEqual((await read(clean.y)).slice(0, rows));
    expect((await read(dirty.q)).slice(0, rows)).toEqual((await read(clean.q)).slice(0, rows));
    const [one, keys] = [slice(gpu().q, 1, 0, 1), ints([62])];
    const step = (p: ReturnType<typeof gpu>) => read(softmaxAttention(one, p.k, p.v, { keys, form: 'step' }));
    expect(await step(gpu('f32', bad))).toEqual(await step(gpu()));
  });

  it('lets NaN of a query or key that is seen reach the gradients of all that it meets', async () => {
    const nan = (t: 'q' | 'k', row: number) => {
      const bad = { ...values, [t]: values[t].slice() };
      const width = t === 'q' ? 64 : 32;
      bad[t].fill(NaN, row * width, (row + 1) * width);
      return gradients(gpu('f32', bad), {});
    };
    const odd = async (t: Tensor) => (await read(t)).map(Number.isNaN);
    // Query 10 of 40 stands at place 40 of 70 and sees the keys up to it.
    for (const name of ['k', 'v']) {
      const found = await odd(nan('q', 10)[name]);
      expect(found).toEqual(found.map((_, i) => i < 41 * 32));
    }
    // Key 62 is seen by queries 32 and on, which see all other keys up to their places.
    expect((await odd(nan('k', 62).v)).every(Boolean)).toBe(true);
  });

  it('gives packed sequences the bits they have by themselves, and clamps starts that lie', async () => {
    const [cq, ck] = [
      [0, 1, 1, 40],
      [0, 33, 40, 70],
    ];
    const p = gpu();
    const options = { cuSeqlensQ: ints(cq), cuSeqlensK: ints(ck) };
    const packed = softmaxAttention(p.q, p.k, p.v, options);
    for (const s of [0, 2]) {
      const part = (t: Tensor, c: number[]) => slice(t, 1, c[s], c[s + 1]);
      const alone = softmaxAttention(part(p.q, cq), part(p.k, ck), part(p.v, ck));
      expect(await read(part(packed, cq))).toEqual(await read(alone));
    }
    const lying = { cuSeqlensQ: ints([0, 900]), cuSeqlensK: ints([0, 9000]) };
    expect(await read(softmaxAttention(p.q, p.k, p.v, lying))).toEqual(
      await read(softmaxAttention(p.q, p.k, p.v)),
    );
  });

  it('decodes a long cache in parts, and merges states, as the whole', async () => {
    const T = 2100;
    const [qv, kv, vv] = [draw([2, 1, 4, 16]), draw([2, T, 1, 16]), draw([2, T, 1, 16])];
    const [q, k, v] = [onGpu(qv, [2, 1, 4, 16]), onGpu(kv, [2, T, 1, 16]), onGpu(vv, [2, T, 1, 16])];
    const whole = withBackend('cpu', () => {
      const host = (x: Float64Array, shape: number[]) => tensor(x, { shape, dtype: 'f64', device: 'host' });
      const [a, b, c] = [host(qv, [2, 1, 4, 16]), host(kv, [2, T, 1, 16]), host(vv, [2, T, 1, 16])];
      return Array.from(softmaxAttention(a, b, c, { form: 'reference' }).dataSync());
    });
    const step = await read(softmaxAttention(q, k, v, { form: 'step' }));
    expect(error(step, whole)).toBeLessThanOrEqual(1e-5 * rms(whole));
    const part = (from: number, to: number) =>
      softmaxAttentionWithLse(q, slice(k, 1, from, to), slice(v, 1, from, to));
    const merged = await read(mergeAttentionStates([part(0, 800), part(800, T)]).y);
    expect(error(merged, whole)).toBeLessThanOrEqual(1e-5 * rms(whole));
  });

  it('grows a cache in place, past its capacity and after forgetting, as attention over the whole', async () => {
    const [qv, kv] = [draw([2, 7, 2, 4]), draw([2, 7, 1, 4])];
    const [q, k] = [onGpu(qv, [2, 7, 2, 4]), onGpu(kv, [2, 7, 1, 4])];
    const whole = await read(softmaxAttention(q, k, k));
    const cache = new KeyValueCache({ batch: 2, heads: 1, size: 4 }, 3);
    const attend = (from: number, to: number) => {
      const [a, b] = [slice(q, 1, from, to), slice(k, 1, from, to)];
      return read(cache.attend(a, b, b));
    };
    await attend(0, 2);
    await attend(2, 5);
    cache.truncate(4);
    for (const t of [4, 5, 6]) {
      const want = [0, 1].flatMap((b) => whole.slice((b * 7 + t) * 8, (b * 7 + t + 1) * 8));
      expect(error(await attend(t, t + 1), want)).toBeLessThanOrEqual(1e-5 * rms(want));
    }
    expect(cache.length).toBe(7);
    cache.dispose();
  });

  it('refuses heads wider than 256', () => {
    const t = onGpu(new Float64Array(257), [1, 1, 1, 257]);
    expect(() => softmaxAttention(t, t, t)).toThrow(/K and V must be <= 256 on the GPU, got K = 257/);
  });
});
