/** Tier adapter: GPU forms of scalar decay, packed against single, f16 storage, groups, and over long times. */
import { afterAll, describe, expect, it } from 'vitest';
import { closeGpu } from '../../lib/index.js';
import { relativeRms, rms, TOLERANCES } from '../../lib/core/compare.js';
import { float16FromBits, getFloat16Bits } from '../../lib/core/float16.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Dims } from '../../lib/core/shape.js';
import { scalarDecayOperator as op } from '../../lib/ops/index.js';
import type { Form } from '../../lib/tensor/backend.js';
import { conform } from '../../lib/tensor/conformance.js';
import type { Tensors } from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

type Values = Record<string, { shape: number[]; values: Float64Array }>;
type Results = Record<string, Float64Array>;

const FORMS = ['recurrent', 'chunk'] as const;
const HALF = ['q', 'k', 'v', 'dy'];

function draw({ B, T, G, H, K, V, S = B }: Dims): Values {
  const shapes: Record<string, number[]> = {
    q: [B, T, G, K],
    k: [B, T, G, K],
    v: [B, T, H, V],
    decay: [B, T, H],
    initialState: [S, H, K, V],
    dy: [B, T, H, V],
    dfinal: [S, H, K, V],
  };
  const random = new Random(5);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const one = name === 'decay' ? () => -0.3 * random.uniform() : () => random.normal();
      return [
        name,
        { shape, values: Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(one())) },
      ];
    }),
  );
}

/** Outputs and gradients; `exact` runs the reference in f64 on the host. */
async function run(
  form: Form,
  values: Values,
  options: { cu?: number[]; half?: boolean; exact?: boolean } = {},
): Promise<Results> {
  const { exact, half, cu } = options;
  const device = exact ? 'host' : 'gpu';
  const { dy, dfinal, ...inputs } = Object.fromEntries(
    Object.entries(values).map(([name, v]) => {
      const dtype = exact ? 'f64' : half && HALF.includes(name) ? 'f16' : 'f32';
      return [name, tensor(v.values, { shape: v.shape, dtype, device })];
    }),
  );
  const cuSeqlens = cu && tensor(Int32Array.from(cu), { device });
  const { outputs, pull } = vjp(
    (p: Record<string, Tensor>) =>
      op({ ...p, cuSeqlens }, { scale: 0.4 }, { form, backend: exact ? 'cpu' : 'webgpu' }),
    inputs,
  );
  const seeds: Tensors = {};
  if (dy) seeds.y = dy;
  if (dfinal) seeds.finalState = dfinal;
  const results: Results = {};
  for (const [name, t] of Object.entries(outputs)) results[name] = Float64Array.from(await t.data());
  for (const [name, t] of Object.entries(pull(seeds)))
    results[`gradient of ${name}`] = Float64Array.from(await t.data());
  return results;
}

function agree(actual: Results, expected: Results): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, want] of Object.entries(expected)) {
    const row = TOLERANCES.webgpu[name.startsWith('gradient') ? 'gradient' : 'forward'];
    expect(relativeRms(actual[name], want), name).toBeLessThanOrEqual(row);
  }
}

const DIMS = { B: 2, T: 133, G: 1, H: 2, K: 6, V: 9 };

describe.skipIf(!context)(`GPU forms of scalar decay ${reason}`, { timeout: COLD }, () => {
  describe('packed sequences', () => {
    const cu = [0, 1, 1, 18, 83, 147, 400];
    const S = cu.length - 1;
    const values = draw({ ...DIMS, B: 1, T: 400, S });

    /** The part of a packed array that belongs to sequence s. */
    const cut = (name: string, v: Float64Array, s: number) => {
      const state = /state|dfinal/i.test(name);
      const row = v.length / (state ? S : 400);
      return state ? v.slice(s * row, (s + 1) * row) : v.slice(cu[s] * row, cu[s + 1] * row);
    };
    const single = (s: number): Values =>
      Object.fromEntries(
        Object.entries(values).map(([name, v]) => {
          const first = name === 'initialState' || name === 'dfinal' ? [1] : [1, cu[s + 1] - cu[s]];
          return [
            name,
            { shape: [...first, ...v.shape.slice(first.length)], values: cut(name, v.values, s) },
          ];
        }),
      );

    it.each(FORMS)('equal single runs to the bit in form %s', async (form) => {
      const packed = await run(form, values, { cu });
      for (let s = 0; s < S; s++)
        for (const [key, alone] of Object.entries(await run(form, single(s))))
          expect([...cut(key, packed[key], s)], `${key} of sequence ${s}`).toEqual([...alone]);
    });

    it.each(FORMS)('keep NaN to the sequence it is in, in form %s', async (form) => {
      const clean = await run(form, values, { cu });
      const spoilt = { ...values, v: { shape: values.v.shape, values: values.v.values.slice() } };
      spoilt.v.values[20 * 18] = NaN;
      const found = await run(form, spoilt, { cu });
      for (const key of Object.keys(clean))
        for (const s of [0, 2, 4, 5])
          expect([...cut(key, found[key], s)], key).toEqual([...cut(key, clean[key], s)]);
      expect(cut('y', found.y, 3).some(Number.isNaN)).toBe(true);
    });
  });

  it.each(['dy', 'dfinal', 'initialState', 'decay'])('agree with f64 where %s is absent', async (name) => {
    const { [name]: _, ...values } = draw(DIMS);
    const expected = await run('reference', values, { exact: true });
    for (const form of FORMS) agree(await run(form, values), expected);
  });

  it.each([
    ['several heads a group', { B: 1, T: 70, G: 2, H: 6, K: 20, V: 17 }],
    ['several tiles of keys and values', { B: 1, T: 90, G: 1, H: 1, K: 150, V: 70 }],
    ['as many keys as form recurrent takes', { B: 1, T: 66, G: 1, H: 1, K: 512, V: 4 }],
  ])('agree with f64 for %s', async (_, dims) => {
    const values = draw(dims);
    const expected = await run('reference', values, { exact: true });
    for (const form of FORMS) agree(await run(form, values), expected);
  });

  it('give the same bits on every run, gradients included', async () => {
    const values = draw({ B: 1, T: 140, G: 1, H: 2, K: 70, V: 20 });
    for (const form of FORMS) expect(await run(form, values)).toEqual(await run(form, values));
  });

  it.each(FORMS)('form %s holds over 2,500 tokens', async (form) => {
    const c = {
      name: 'very-long',
      dims: { B: 1, T: 2500, G: 1, H: 2, K: 8, V: 20, spread: 20 },
      with: ['decay', 'initialState'],
    };
    const failed = (await conform(op, c, form, 'webgpu')).filter((r) => !r.ok);
    expect(failed.map((r) => r.text)).toEqual([]);
  });

  it.runIf(context?.features.has('shader-f16'))(
    'store f16 as exactly as rounding allows, with sums and states in f32',
    async () => {
      for (const dims of [DIMS, { ...DIMS, H: 4, V: 20 }]) {
        const values = draw(dims);
        for (const name of HALF)
          values[name].values = values[name].values.map((v) => float16FromBits(getFloat16Bits(v)));
        const exact = await run('reference', values, { exact: true });
        for (const form of FORMS)
          for (const [name, got] of Object.entries(await run(form, values, { half: true }))) {
            const rounding = exact[name].map((v) => float16FromBits(getFloat16Bits(v)) - v);
            const error = rms(got.map((v, i) => v - exact[name][i]));
            expect(error, `${form} ${name}`).toBeLessThanOrEqual(2 * rms(rounding) + 1e-5 * rms(exact[name]));
          }
      }
    },
  );

  it('refuse more keys in form recurrent than its invocations hold', async () => {
    const values = draw({ B: 1, T: 2, G: 1, H: 1, K: 513, V: 1 });
    await expect(run('recurrent', values)).rejects.toThrow(
      'ops/scalar-decay: K must be <= 512 in form recurrent on the GPU, got 513; use the form chunk',
    );
  });
});

describe('the form that runs where none is named', () => {
  const prefer = (dims: Dims) => op.record.prefer!('webgpu', dims, {});

  it('is chunk for sequences worth three phases and for keys that form recurrent does not hold', () => {
    expect(prefer({ B: 1, T: 2048, G: 8, H: 8, K: 64, V: 64 })).toBe('chunk');
    expect(prefer({ B: 1, T: 1, G: 8, H: 8, K: 1000, V: 64 })).toBe('chunk');
  });

  it('is recurrent for short sequences, packed ones on average, on WASM below 256 tokens and in TypeScript', () => {
    expect(prefer({ B: 1, T: 1, G: 8, H: 8, K: 64, V: 64 })).toBe('recurrent');
    expect(prefer({ B: 1, T: 640, G: 8, H: 8, K: 64, V: 64, S: 40 })).toBe('recurrent');
    const onHost = (backend: 'cpu' | 'wasm', dims: Dims) => op.record.prefer!(backend, dims, {});
    expect(onHost('wasm', { B: 1, T: 2048, K: 64 })).toBe('chunk');
    expect(onHost('wasm', { B: 1, T: 2048, K: 64, S: 40 })).toBe('recurrent');
    expect(onHost('cpu', { B: 1, T: 2048, K: 64 })).toBe('recurrent');
  });
});
