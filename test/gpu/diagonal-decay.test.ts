/** Tier adapter: linear attention with diagonal decay on the GPU. Packed against single, long times, f16 storage. */
import { afterAll, describe, expect, it } from 'vitest';
import { closeGpu } from '../../lib/index.js';
import { relativeRms, rms, TOLERANCES } from '../../lib/core/compare.js';
import { float16FromBits, getFloat16Bits } from '../../lib/core/float16.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Dims } from '../../lib/core/shape.js';
import { hgrn2Operator } from '../../lib/families/gated-linear-attention/index.js';
import { diagonalDecayOperator } from '../../lib/ops/diagonal-decay/index.js';
import { withBackend, type Form } from '../../lib/tensor/backend.js';
import { conform } from '../../lib/tensor/conformance.js';
import type { Operator } from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

type Values = Record<string, { shape: number[]; values: Float64Array }>;
type Results = Record<string, Float64Array>;

const FORMS = ['chunk', 'recurrent'] as const;
const half = (v: number) => float16FromBits(getFloat16Bits(v));

/** Inputs of a call and gradients of its outputs, exact in f16 where `round` says so. */
function draw(dims: Dims, options: { bonus?: boolean; fixed?: boolean; round?: boolean } = {}): Values {
  const { B, T, H, K, V } = dims;
  const random = new Random(3);
  const shapes: Record<string, number[]> = {
    q: [B, T, H, K],
    k: [B, T, H, K],
    v: [B, T, H, V],
    decay: options.fixed ? [H, K] : [B, T, H, K],
    bonus: [H, K],
    initialState: [dims.S ?? B, H, K, V],
    dy: [B, T, H, V],
    dfinal: [dims.S ?? B, H, K, V],
  };
  if (!options.bonus) delete shapes.bonus;
  const one = (name: string) => {
    if (name === 'decay') return Math.fround(-random.uniform());
    return options.round && !name.includes('inal') ? half(random.normal()) : Math.fround(random.normal());
  };
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { shape, values: Float64Array.from({ length: sizeOf(shape) }, () => one(name)) },
    ]),
  );
}

interface Place {
  form: Form;
  cu?: number[];
  half?: readonly string[];
  exact?: boolean;
  without?: string;
}

/** Outputs, and gradients with a `d` in front; `exact` is the reference in f64. */
async function run(op: Operator, values: Values, place: Place): Promise<Results> {
  const device = place.exact ? 'host' : 'gpu';
  const made = Object.fromEntries(
    Object.entries(values).map(([name, v]) => {
      const dtype = place.exact ? 'f64' : place.half?.includes(name) ? 'f16' : 'f32';
      return [name, tensor(v.values, { shape: v.shape, dtype, device })];
    }),
  );
  const { dy, dfinal, ...inputs } = made;
  const packed = place.cu && { cuSeqlens: tensor(Int32Array.from(place.cu), { dtype: 'i32', device }) };
  const form = place.exact ? 'reference' : place.form;
  const { outputs, grads } = withBackend(place.exact ? 'cpu' : 'webgpu', () => {
    const { outputs, pull } = vjp(
      (p: Record<string, Tensor>) => op({ ...p, ...packed }, { scale: 0.5 }, { form }),
      inputs,
    );
    const seeds: Record<string, Tensor> = { y: dy, finalState: dfinal };
    if (place.without) delete seeds[place.without];
    return { outputs, grads: pull(seeds) };
  });
  const read: Results = {};
  for (const [name, t] of Object.entries(outputs)) read[name] = Float64Array.from(await t.data());
  for (const [name, t] of Object.entries(grads)) read[`d${name}`] = Float64Array.from(await t.data());
  return read;
}

function agree(actual: Results, expected: Results, label: string): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, want] of Object.entries(expected)) {
    const row = TOLERANCES.webgpu[name.startsWith('d') ? 'gradient' : 'forward'];
    expect(relativeRms(actual[name], want), `${label} ${name}`).toBeLessThanOrEqual(row);
  }
}

describe.skipIf(!context)(`diagonal decay on the GPU ${reason}`, { timeout: COLD }, () => {
  it.each([1, 2, 15, 16, 17, 63, 64, 65, 127, 128, 129])(
    'agrees with the definition in f64 at T = %i, around the ends of chunks',
    async (T) => {
      for (const bonus of [false, true]) {
        const values = draw({ B: 1, T, H: 2, K: 6, V: 5 }, { bonus });
        const expected = await run(diagonalDecayOperator, values, { form: 'reference', exact: true });
        for (const form of FORMS)
          agree(await run(diagonalDecayOperator, values, { form }), expected, `${form} ${bonus}`);
      }
    },
  );

  it.each(['y', 'finalState'])('agrees with it without a gradient of %s', async (without) => {
    const values = draw({ B: 2, T: 70, H: 2, K: 9, V: 7 }, { bonus: true, fixed: true });
    const expected = await run(diagonalDecayOperator, values, { form: 'reference', exact: true, without });
    for (const form of FORMS)
      agree(await run(diagonalDecayOperator, values, { form, without }), expected, form);
  });

  it('agrees with it where heads fill several tiles: K = 70, V = 131', async () => {
    const values = draw({ B: 1, T: 66, H: 1, K: 70, V: 131 });
    const expected = await run(diagonalDecayOperator, values, { form: 'reference', exact: true });
    for (const form of FORMS) agree(await run(diagonalDecayOperator, values, { form }), expected, form);
  });

  it.each(FORMS)('%s gives a packed sequence the bits it has alone, forward and backward', async (form) => {
    const cu = [0, 1, 1, 66, 150];
    const [H, K, V] = [2, 6, 5];
    const values = draw({ B: 1, T: 150, H, K, V, S: 4 });
    const together = await run(diagonalDecayOperator, values, { form, cu });
    for (let s = 0; s < 4; s++) {
      const [from, to] = [cu[s], cu[s + 1]];
      const cut = (name: string, width: number) => ({
        shape: [1, to - from, H, width],
        values: values[name].values.slice(from * H * width, to * H * width),
      });
      const row = (name: string) => ({
        shape: [1, H, K, V],
        values: values[name].values.slice(s * H * K * V, (s + 1) * H * K * V),
      });
      const alone = await run(
        diagonalDecayOperator,
        {
          ...{ q: cut('q', K), k: cut('k', K), v: cut('v', V), decay: cut('decay', K) },
          ...{ initialState: row('initialState'), dy: cut('dy', V), dfinal: row('dfinal') },
        },
        { form },
      );
      for (const [name, got] of Object.entries(alone)) {
        const width = name.endsWith('State') ? 0 : H * (['y', 'dv'].includes(name) ? V : K);
        const size = H * K * V;
        const part = width
          ? together[name].slice(from * width, to * width)
          : together[name].slice(s * size, (s + 1) * size);
        expect(got, `${name} of sequence ${s}`).toEqual(part);
      }
    }
  });

  it('holds over 2,100 tokens, with decays of every strength', async () => {
    const c = { name: 'long', dims: { B: 1, T: 2100, H: 1, K: 16, V: 16, huge: 40 }, with: ['initialState'] };
    const failed = (await conform(diagonalDecayOperator, c, 'chunk', 'webgpu')).filter((r) => !r.ok);
    expect(failed.map((r) => r.text)).toEqual([]);
  });

  it('loses no digits over thousands of tokens that hardly fade', async () => {
    for (const least of [1e-8, 1e-4]) {
      const dims = { B: 1, T: 2003, H: 1, K: 6, V: 5, least, strong: 0 };
      const c = { name: 'hardly-fading', dims, with: ['initialState'] };
      const failed = (await conform(diagonalDecayOperator, c, 'chunk', 'webgpu')).filter((r) => !r.ok);
      expect(failed.map((r) => r.text)).toEqual([]);
    }
  });

  it('names what the recurrent form cannot hold', async () => {
    const values = draw({ B: 1, T: 1, H: 1, K: 513, V: 2 });
    await expect(run(diagonalDecayOperator, values, { form: 'recurrent' })).rejects.toThrow(
      /K must be <= 512/,
    );
  });
});

const missing = !context ? reason : context.features.has('shader-f16') ? '' : 'the adapter lacks shader-f16';

/** Twice (gradients: three times) the error that rounding the exact result to f16 makes; sums are f32 inside. */
function rounds(actual: Results, exact: Results, stored: readonly string[]): void {
  for (const [name, want] of Object.entries(exact)) {
    const error = rms(want.map((v, i) => actual[name][i] - v));
    if (!stored.includes(name))
      expect(error / rms(want), name).toBeLessThanOrEqual(TOLERANCES.webgpu.gradient);
    else {
      const rounded = rms(want.map((v) => half(v) - v));
      expect(error, name).toBeLessThanOrEqual((name.startsWith('d') ? 3 : 2) * rounded + 1e-7);
    }
  }
}

describe.skipIf(missing !== '')(
  `f16 storage is as exact as rounding allows ${missing}`,
  { timeout: COLD },
  () => {
    it.each(FORMS)('in form %s, states, decays and their gradients staying f32', async (form) => {
      for (const bonus of [false, true]) {
        const values = draw({ B: 1, T: 75, H: 2, K: 8, V: 6 }, { bonus, round: true });
        const exact = await run(diagonalDecayOperator, values, { form: 'reference', exact: true });
        const stored = ['q', 'k', 'v', 'dy'];
        const got = await run(diagonalDecayOperator, values, { form, half: stored });
        rounds(got, exact, ['y', 'dq', 'dk', 'dv']);
      }
    });

    it('HGRN-2 takes f16 queries, gates and inputs; its gates are made in f32', async () => {
      const drawn = draw({ B: 1, T: 33, H: 2, K: 8, V: 6 }, { round: true });
      const { q, k: f, v: i, initialState, dy, dfinal } = drawn;
      const values = { q, f, i, initialState, dy, dfinal };
      const exact = await run(hgrn2Operator, values, { form: 'reference', exact: true });
      const got = await run(hgrn2Operator, values, { form: 'chunk', half: ['q', 'f', 'i', 'dy'] });
      // Keys and silu(q) are rounded to f16 on the way: a few roundings instead of one.
      for (const [name, want] of Object.entries(exact))
        expect(relativeRms(got[name], want), name).toBeLessThanOrEqual(3e-3);
    });
  },
);
