/** Tier adapter: GPU forms of the delta rule, packed against single, f16 storage, groups, wide heads, long times. */
import { afterAll, describe, expect, it } from 'vitest';
import { closeGpu } from '../../lib/index.js';
import { relativeRms, rms, TOLERANCES } from '../../lib/core/compare.js';
import { float16FromBits, getFloat16Bits } from '../../lib/core/float16.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Dims } from '../../lib/core/shape.js';
import { deltaRuleOperator as op } from '../../lib/ops/index.js';
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
const HALF = ['q', 'k', 'v', 'beta', 'dy'];

function draw({ B, T, G, H, K, V, S = B }: Dims): Values {
  const shapes: Record<string, number[]> = {
    q: [B, T, G, K],
    k: [B, T, G, K],
    v: [B, T, H, V],
    beta: [B, T, H],
    decay: [B, T, H],
    initialState: [S, H, K, V],
    dy: [B, T, H, V],
    dfinal: [S, H, K, V],
  };
  const random = new Random(5);
  const made = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const uniform = name === 'decay' ? -0.3 : 1;
      const one = ['decay', 'beta'].includes(name) ? () => uniform * random.uniform() : () => random.normal();
      return [
        name,
        { shape, values: Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(one())) },
      ];
    }),
  );
  made.k.values = made.k.values.map((x, i, all) => {
    const row = all.subarray(i - (i % K), i - (i % K) + K);
    return Math.fround(x / Math.sqrt(row.reduce((sum, y) => sum + y * y, 0)));
  });
  return made;
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

const DIMS = { B: 2, T: 101, G: 1, H: 2, K: 6, V: 9 };

describe.skipIf(!context)(`GPU forms of the delta rule ${reason}`, { timeout: COLD }, () => {
  describe('packed sequences', () => {
    const cu = [0, 1, 1, 18, 83, 147, 240];
    const [T, S] = [240, cu.length - 1];
    const values = draw({ ...DIMS, B: 1, T, S });

    /** The part of a packed array that belongs to sequence s. */
    const cut = (name: string, v: Float64Array, s: number) => {
      const state = /state|dfinal/i.test(name);
      const row = v.length / (state ? S : T);
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
    ['several tiles of keys and values', { B: 1, T: 67, G: 1, H: 1, K: 100, V: 70 }],
    ['as many keys as the kernels hold', { B: 1, T: 40, G: 1, H: 1, K: 256, V: 11 }],
  ])('agree with f64 for %s', async (_, dims) => {
    const values = draw(dims);
    const expected = await run('reference', values, { exact: true });
    for (const form of FORMS) agree(await run(form, values), expected);
  });

  it('join two calls by the state and its gradient', async () => {
    const values = draw({ ...DIMS, B: 1 });
    const whole = await run('chunk', values);
    const where = 45;
    const part = (from: number, to: number): Values =>
      Object.fromEntries(
        Object.entries(values).map(([name, { shape, values: v }]) => {
          if (name === 'initialState' || name === 'dfinal') return [name, { shape, values: v }];
          const row = v.length / DIMS.T;
          return [name, { shape: [1, to - from, ...shape.slice(2)], values: v.slice(from * row, to * row) }];
        }),
      );
    const state = (v: Float64Array) => ({ shape: values.initialState.shape, values: v });
    const first = await run('chunk', part(0, where));
    const second = await run('chunk', {
      ...part(where, DIMS.T),
      initialState: state(first.finalState),
    });
    const again = await run('chunk', {
      ...part(0, where),
      dfinal: state(second['gradient of initialState']),
    });
    for (const name of ['y', 'gradient of q', 'gradient of k', 'gradient of beta', 'gradient of decay'])
      agree({ [name]: Float64Array.from([...again[name], ...second[name]]) }, { [name]: whole[name] });
    agree({ finalState: second.finalState }, { finalState: whole.finalState });
  });

  it('give the same bits on every run, gradients included', async () => {
    const values = draw({ B: 1, T: 100, G: 1, H: 2, K: 70, V: 20 });
    for (const form of FORMS) expect(await run(form, values)).toEqual(await run(form, values));
  });

  it.each(FORMS)('form %s holds over 2,100 tokens', async (form) => {
    const c = {
      name: 'very-long',
      dims: { B: 1, T: 2100, G: 1, H: 2, K: 8, V: 20, decayTo: 0.02 },
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

  it('refuse more keys than their workgroups hold, with advice', async () => {
    const values = draw({ B: 1, T: 2, G: 1, H: 1, K: 257, V: 1 });
    for (const form of FORMS)
      await expect(run(form, values)).rejects.toThrow(
        'ops/delta-rule: K must be <= 256 on the GPU, got 257; use wasm or cpu',
      );
  });
});

describe('the form that runs where none is named', () => {
  const prefer = (backend: 'cpu' | 'wasm' | 'webgpu', dims: Dims) => op.record.prefer!(backend, dims, {});

  it('is chunk for sequences of some length, packed ones on average, and recurrent in TypeScript', () => {
    for (const backend of ['wasm', 'webgpu'] as const) {
      expect(prefer(backend, { B: 1, T: 2048, H: 8 })).toBe('chunk');
      expect(prefer(backend, { B: 1, T: 1, H: 8 })).toBe('recurrent');
      expect(prefer(backend, { B: 1, T: 640, H: 8, S: 80 })).toBe('recurrent');
    }
    expect(prefer('cpu', { B: 1, T: 2048, H: 8 })).toBe('recurrent');
  });
});
