/** Tier adapter: the diagonal-plus-low-rank recurrence in f16 storage, packed, over long times and with absent gradients. */
import { afterAll, describe, expect, it } from 'vitest';
import { closeGpu } from '../../lib/index.js';
import { relativeRms, TOLERANCES } from '../../lib/core/compare.js';
import { float16FromBits, getFloat16Bits } from '../../lib/core/float16.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Dims } from '../../lib/core/shape.js';
import { chunkCpu } from '../../lib/ops/dplr/chunk.js';
import { chunkGpu, recurrentGpu } from '../../lib/ops/dplr/gpu.js';
import type { Call, Implementation, OperatorRecord } from '../../lib/tensor/operator.js';
import { tensor } from '../../lib/tensor/tensor.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

type Values = Record<string, { shape: number[]; values: Float64Array }>;
type Results = Record<string, Float64Array>;

const FORMS: Record<string, Implementation> = { recurrent: recurrentGpu, chunk: chunkGpu };
const HALF = ['q', 'k', 'v', 'a', 'b', 'dy'];

/** As RWKV-7 calls it; `half` rounds what may be stored so. */
function draw(dims: Dims, half = false): Values {
  const { B, T, H, K, V } = dims;
  const random = new Random(11);
  const key = [B, T, H, K];
  const state = [dims.S ?? B, H, K, V];
  const unit = Float64Array.from({ length: sizeOf(key) }, () => random.normal());
  for (let at = 0; at < unit.length; at += K) {
    const norm = Math.sqrt(unit.subarray(at, at + K).reduce((sum, x) => sum + x * x, 0));
    for (let i = at; i < at + K; i++) unit[i] /= norm;
  }
  const made: Values = {};
  const add = (name: string, shape: number[], f: (i: number) => number) => {
    const round = (x: number) =>
      half && HALF.includes(name) ? float16FromBits(getFloat16Bits(x)) : Math.fround(x);
    made[name] = { shape, values: Float64Array.from({ length: sizeOf(shape) }, (_, i) => round(f(i))) };
  };
  for (const name of ['q', 'k']) add(name, key, () => random.normal());
  add('v', [B, T, H, V], () => random.normal());
  add('a', key, (i) => -unit[i]);
  add('b', key, (i) => unit[i] * random.uniform());
  add('decay', key, () => -0.6065 * random.uniform());
  add('initialState', state, () => random.normal());
  add('dy', [B, T, H, V], () => random.normal());
  add('dfinal', state, () => random.normal());
  return made;
}

/** Outputs and gradients of an implementation; `exact` runs in f64 on the host. */
async function run(
  implementation: Implementation,
  dims: Dims,
  values: Values,
  options: { cu?: number[]; half?: boolean; exact?: boolean } = {},
): Promise<Results> {
  const device = options.exact ? 'host' : 'gpu';
  const { dy, dfinal, ...inputs } = Object.fromEntries(
    Object.entries(values).map(([name, v]) => {
      const dtype = options.exact ? 'f64' : options.half && HALF.includes(name) ? 'f16' : 'f32';
      return [name, tensor(v.values, { shape: v.shape, dtype, device })];
    }),
  );
  if (options.cu) inputs.cuSeqlens = tensor(Int32Array.from(options.cu), { device });
  const call: Call = {
    op: { id: 'test', inputs: [], outputs: [] } as unknown as OperatorRecord,
    in: inputs,
    params: { scale: 0.5 },
    dims,
    lead: [],
    training: true,
    saved: {},
    out: {},
    grad: { y: dy, finalState: dfinal },
    needs: () => true,
  };
  const results = { ...implementation.forward(call) };
  for (const [name, t] of Object.entries(implementation.backward!(call))) results[`gradient of ${name}`] = t;
  const read: Results = {};
  for (const [name, t] of Object.entries(results)) if (t) read[name] = Float64Array.from(await t.data());
  return read;
}

function agree(actual: Results, expected: Results): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, want] of Object.entries(expected)) {
    const row = TOLERANCES.webgpu[name.startsWith('gradient') ? 'gradient' : 'forward'];
    expect(relativeRms(actual[name], want), name).toBeLessThanOrEqual(row);
  }
}

describe.skipIf(!context)(`GPU forms of the recurrence ${reason}`, { timeout: COLD }, () => {
  it.each(Object.keys(FORMS))('%s agrees with the definition over 2,003 tokens', async (form) => {
    const dims = { B: 1, T: 2003, H: 1, K: 16, V: 12 };
    const values = draw(dims);
    agree(await run(FORMS[form], dims, values), await run(chunkCpu, dims, values, { exact: true }));
  });

  it.each(Object.keys(FORMS))(
    '%s agrees with it when a gradient or the initial state is absent',
    async (form) => {
      const dims = { B: 2, T: 21, H: 2, K: 8, V: 12 };
      for (const name of ['dy', 'dfinal', 'initialState']) {
        const { [name]: _, ...values } = draw(dims);
        agree(await run(FORMS[form], dims, values), await run(chunkCpu, dims, values, { exact: true }));
      }
    },
  );

  it.each(Object.keys(FORMS))('%s gives packed sequences the bits they have alone', async (form) => {
    const cu = [0, 1, 1, 18, 67, 99];
    const dims = { B: 1, T: 99, H: 2, K: 12, V: 8, S: 5 };
    const values = draw(dims);
    const packed = await run(FORMS[form], dims, values, { cu });
    for (let s = 0; s < 5; s++) {
      const [from, to] = [cu[s], cu[s + 1]];
      const isState = (name: string) => /State|dfinal/.test(name);
      const widthOf = (name: string) =>
        isState(name) ? 2 * 12 * 8 : /^(y|dy|v|gradient of v)$/.test(name) ? 16 : 24;
      const part = (name: string, all: Float64Array) => {
        const width = widthOf(name);
        return isState(name) ? all.slice(s * width, (s + 1) * width) : all.slice(from * width, to * width);
      };
      const alone: Values = Object.fromEntries(
        Object.entries(values).map(([name, v]) => {
          const shape = [1, ...(isState(name) ? [] : [to - from]), ...v.shape.slice(isState(name) ? 1 : 2)];
          return [name, { shape, values: part(name, v.values) }];
        }),
      );
      const single = await run(FORMS[form], { B: 1, T: to - from, H: 2, K: 12, V: 8 }, alone);
      for (const [name, got] of Object.entries(single))
        expect(got, `${name} of ${s}`).toEqual(part(name, packed[name]));
    }
  });

  it.skipIf(!context?.features.has('shader-f16')).each(Object.keys(FORMS))(
    '%s stores f16 and computes in f32: twice the error of rounding the exact result at most',
    async (form) => {
      const dims = { B: 1, T: 70, H: 2, K: 20, V: 12 };
      const values = draw(dims, true);
      const exact = await run(chunkCpu, dims, values, { exact: true });
      const actual = await run(FORMS[form], dims, values, { half: true });
      const stored = ['y', ...HALF.map((name) => `gradient of ${name}`)];
      for (const [name, want] of Object.entries(exact)) {
        const rounded = want.map((x) => float16FromBits(getFloat16Bits(x)));
        const row = TOLERANCES.webgpu[name.startsWith('gradient') ? 'gradient' : 'forward'];
        const limit = stored.includes(name) ? 2 * relativeRms(rounded, want) : row;
        expect(relativeRms(actual[name], want), name).toBeLessThanOrEqual(limit);
      }
    },
  );
});
