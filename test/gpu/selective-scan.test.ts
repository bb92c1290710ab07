/** Tier adapter: GPU forms of the selective scan at many chunk lengths, packed against single, and over long times. */
import { afterAll, describe, expect, it } from 'vitest';
import { closeGpu } from '../../lib/index.js';
import { relativeRms, rms, TOLERANCES } from '../../lib/core/compare.js';
import { float16FromBits, getFloat16Bits } from '../../lib/core/float16.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Dims } from '../../lib/core/shape.js';
import { chunkGpu, scanGpu, selectiveScanGpu } from '../../lib/families/selective-scan/gpu.js';
import { gradients } from '../../lib/families/selective-scan/gpu-gradient.js';
import { selectiveScanOperator } from '../../lib/families/selective-scan/index.js';
import { selectiveScanReference } from '../../lib/families/selective-scan/reference.js';
import { conform } from '../../lib/tensor/conformance.js';
import type { Call, Implementation, OperatorRecord, OptionalTensors } from '../../lib/tensor/operator.js';
import { tensor } from '../../lib/tensor/tensor.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

type Values = Record<string, { shape: number[]; values: Float64Array }>;
type Results = Record<string, Float64Array>;

/** Inputs of a call; `fixed` names inputs without a time axis, `with` the optional ones. */
function draw(dims: Dims, fixed: string[] = [], optional: string[] = [], seed = 3): Values {
  const { B, T, D, N } = dims;
  const random = new Random(seed);
  const varying = [B, T, dims.G ?? 1, N];
  const shapes: Record<string, number[]> = {
    u: [B, T, D],
    delta: [B, T, D],
    A: [D, N],
    B: fixed.includes('B') ? [D, N] : varying,
    C: fixed.includes('C') ? [D, N] : varying,
    D: [D],
    z: [B, T, D],
    deltaBias: [D],
    initialState: [dims.S ?? B, D, N],
    dy: [B, T, D],
    dfinal: [dims.S ?? B, D, N],
  };
  const made: Values = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const one = name === 'A' ? () => -0.1 - 2 * random.uniform() : () => random.normal();
    const values = Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(one()));
    if (!['D', 'z', 'deltaBias', 'initialState'].includes(name) || optional.includes(name))
      made[name] = { shape, values };
  }
  return made;
}

const HALF = ['u', 'delta', 'B', 'C', 'z', 'dy'];

/** Outputs and gradients of an implementation; `cu` packs, `exact` runs in f64 on the host. */
async function run(
  implementation: Implementation,
  dims: Dims,
  values: Values,
  options: { cu?: number[]; half?: boolean; exact?: boolean } = {},
): Promise<Results> {
  const { dy, dfinal, ...inputs } = Object.fromEntries(
    Object.entries(values).map(([name, v]) => {
      const dtype = options.exact ? 'f64' : options.half && HALF.includes(name) ? 'f16' : 'f32';
      return [name, tensor(v.values, { shape: v.shape, dtype, device: options.exact ? 'host' : 'gpu' })];
    }),
  );
  if (options.cu) inputs.cuSeqlens = tensor(Int32Array.from(options.cu), { device: 'gpu' });
  const call: Call = {
    op: { id: 'test', inputs: [], outputs: [] } as unknown as OperatorRecord,
    in: inputs,
    params: { softplus: true },
    dims,
    lead: [],
    training: true,
    saved: {},
    out: {},
    grad: { y: dy, finalState: dfinal },
    needs: () => true,
  };
  const results: OptionalTensors = { ...implementation.forward(call) };
  for (const [name, t] of Object.entries(implementation.backward!(call))) results[`gradient of ${name}`] = t;
  const read: Results = {};
  for (const [name, t] of Object.entries(results)) if (t) read[name] = Float64Array.from(await t.data());
  return read;
}

/** The recurrence with gradients over whole sequences: nothing is chunked. */
const whole: Implementation = { ...selectiveScanGpu, backward: (call) => gradients(call, undefined) };
/** On a device with subgroups the form runs its subgroup variant; this is the plain kernel. */
const plainScan: Implementation['forward'] = (call) => {
  const { pipelines } = context!;
  const before = pipelines.subgroups;
  pipelines.subgroups = false;
  try {
    return scanGpu.forward(call);
  } finally {
    pipelines.subgroups = before;
  }
};
const FORMS: Record<string, Implementation> = {
  recurrent: whole,
  scan: { ...scanGpu, backward: whole.backward },
  'scan without subgroups': { forward: plainScan, backward: whole.backward },
  'chunk of 16': chunkGpu(16),
  'chunk of 32': chunkGpu(32),
  'chunk of 128': chunkGpu(128),
};
const ALL = ['D', 'z', 'deltaBias', 'initialState'];

function agree(actual: Results, expected: Results): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, want] of Object.entries(expected)) {
    const row = TOLERANCES.webgpu[name.startsWith('gradient') ? 'gradient' : 'forward'];
    expect(relativeRms(actual[name], want), name).toBeLessThanOrEqual(row);
  }
}

describe.skipIf(!context)(`GPU forms of the selective scan ${reason}`, { timeout: COLD }, () => {
  const shapes: [string, Dims, string[], string[]][] = [
    ['plain', { B: 2, T: 77, D: 5, N: 7, G: 1 }, [], []],
    ['groups that fill no workgroup', { B: 1, T: 139, D: 36, N: 16, G: 2 }, [], ALL],
    ['several workgroups a group', { B: 1, T: 41, D: 148, N: 13, G: 2 }, [], ALL],
    ['fixed C', { B: 3, T: 33, D: 6, N: 1, G: 3 }, ['C'], ['D']],
    ['fixed B', { B: 1, T: 65, D: 70, N: 6, G: 1 }, ['B'], ['z']],
    ['fixed B and C', { B: 2, T: 131, D: 3, N: 8 }, ['B', 'C'], ALL],
  ];
  it.each(shapes)('agree with the definition in f64: %s', async (_, dims, fixed, optional) => {
    const values = draw(dims, fixed, optional);
    const expected = await run(selectiveScanReference, dims, values, { exact: true });
    for (const name of Object.keys(FORMS)) agree(await run(FORMS[name], dims, values), expected);
  });

  it.each([15, 16, 17, 31, 32, 33, 127, 128, 129, 255, 256, 257])(
    'agree with it at T = %i, around the ends of chunks and blocks',
    async (T) => {
      const dims = { B: 1, T, D: 3, N: 8, G: 1 };
      const values = draw(dims, [], ALL);
      const expected = await run(selectiveScanReference, dims, values, { exact: true });
      for (const name of Object.keys(FORMS)) agree(await run(FORMS[name], dims, values), expected);
    },
  );

  it.each(['dy', 'dfinal'])('agree with it when %s is absent', async (name) => {
    const dims = { B: 2, T: 50, D: 3, N: 8, G: 1 };
    const { [name]: _, ...values } = draw(dims, [], ALL);
    const expected = await run(selectiveScanReference, dims, values, { exact: true });
    for (const form of Object.keys(FORMS)) agree(await run(FORMS[form], dims, values), expected);
  });

  describe('packed sequences', () => {
    const cu = [0, 1, 1, 18, 67, 99, 131, 400];
    const dims = { B: 1, T: 400, D: 5, N: 8, G: 1, S: cu.length - 1 };
    const values = draw(dims, [], ALL);

    /** The part of a packed array that belongs to sequence s. */
    const cut = (name: string, v: Float64Array, s: number) => {
      const state = name.endsWith('State') || name === 'dfinal';
      const row = v.length / (state ? dims.S : dims.T);
      return state ? v.slice(s * row, (s + 1) * row) : v.slice(cu[s] * row, cu[s + 1] * row);
    };
    const TIMED = ['u', 'delta', 'B', 'C', 'z', 'dy', 'initialState', 'dfinal'];
    const single = (s: number): Values =>
      Object.fromEntries(
        Object.entries(values).map(([name, v]) => {
          if (!TIMED.includes(name)) return [name, v];
          const first = name === 'initialState' || name === 'dfinal' ? [1] : [1, cu[s + 1] - cu[s]];
          return [
            name,
            {
              shape: [...first, ...v.shape.slice(first.length)],
              values: cut(name, v.values, s),
            },
          ];
        }),
      );

    it.each(Object.keys(FORMS))('equal single runs to the bit in form %s', async (name) => {
      const packed = await run(FORMS[name], dims, values, { cu });
      for (let s = 0; s < dims.S; s++) {
        const alone = await run(FORMS[name], { B: 1, T: cu[s + 1] - cu[s], D: 5, N: 8, G: 1 }, single(s));
        for (const key of ['y', 'finalState', ...TIMED.slice(0, 5).map((n) => `gradient of ${n}`)])
          expect([...cut(key, packed[key], s)], `${key} of sequence ${s}`).toEqual([...alone[key]]);
        const key = 'gradient of initialState';
        expect([...cut(key, packed[key], s)], `${key} of sequence ${s}`).toEqual([...alone[key]]);
      }
    });

    it.each(Object.keys(FORMS))('keep NaN to the sequence it is in, in form %s', async (name) => {
      const clean = await run(FORMS[name], dims, values, { cu });
      const spoilt = { ...values, u: { shape: values.u.shape, values: values.u.values.slice() } };
      spoilt.u.values[20 * 5] = NaN;
      const found = await run(FORMS[name], dims, spoilt, { cu });
      for (const key of ['y', 'finalState', 'gradient of u', 'gradient of B', 'gradient of initialState'])
        for (const s of [0, 2, 4, 6])
          expect([...cut(key, found[key], s)]).toEqual([...cut(key, clean[key], s)]);
      expect(cut('y', found.y, 3).some(Number.isNaN)).toBe(true);
    });
  });

  it('give the same bits on every run, gradients included', async () => {
    const dims = { B: 2, T: 100, D: 40, N: 16, G: 2 };
    const values = draw(dims, [], ALL);
    for (const implementation of Object.values(FORMS))
      expect(await run(implementation, dims, values)).toEqual(await run(implementation, dims, values));
  });

  it.each(['recurrent', 'chunk', 'scan'] as const)('form %s holds over 5,000 tokens', async (form) => {
    const failed = await conform(
      selectiveScanOperator,
      {
        name: 'very-long',
        dims: { B: 1, T: 5000, D: 3, N: 16, G: 1 },
        with: ALL,
        params: { softplus: true },
      },
      form,
      'webgpu',
    );
    expect(failed.filter((r) => !r.ok).map((r) => r.text)).toEqual([]);
  });

  it.runIf(context?.features.has('shader-f16'))(
    'store f16 as exactly as rounding allows, with sums and states in f32',
    async () => {
      const dims = { B: 1, T: 70, D: 20, N: 16, G: 1 };
      const values = draw(dims, [], ALL);
      for (const name of HALF)
        values[name].values = values[name].values.map((v) => float16FromBits(getFloat16Bits(v)));
      const exact = await run(selectiveScanReference, dims, values, { exact: true });
      for (const implementation of Object.values(FORMS))
        for (const [name, got] of Object.entries(await run(implementation, dims, values, { half: true }))) {
          const rounding = exact[name].map((v) => float16FromBits(getFloat16Bits(v)) - v);
          const error = rms(got.map((v, i) => v - exact[name][i]));
          expect(error, name).toBeLessThanOrEqual(1.1 * rms(rounding) + 1e-5 * rms(exact[name]));
        }
    },
  );

  it.each(Object.keys(FORMS))('keep a zero state zero under rates that grow, in form %s', async (name) => {
    const dims = { B: 1, T: 600, D: 3, N: 8, G: 1 };
    const values = draw(dims);
    values.A.values.fill(1);
    values.delta.values.fill(0.5);
    values.u.values.fill(0, 0, 590 * 3);
    const exact = await run(selectiveScanReference, dims, values, { exact: true });
    const { y, finalState } = await run(FORMS[name], dims, values);
    agree({ y, finalState }, { y: exact.y, finalState: exact.finalState });
  });

  it.each(Object.keys(FORMS))(
    'let an infinite step spoil what it must and no more, in form %s',
    async (name) => {
      const dims = { B: 1, T: 40, D: 3, N: 5, G: 1 };
      const values = draw(dims, [], ALL);
      values.delta.values[20 * 3 + 1] = Infinity;
      const spoilt = (r: Results) =>
        Object.fromEntries(Object.entries(r).map(([key, v]) => [key, [...v].map(Number.isFinite)]));
      const expected = await run(selectiveScanReference, dims, values, { exact: true });
      expect(spoilt(await run(FORMS[name], dims, values))).toEqual(spoilt(expected));
    },
  );

  it('refuse starts that bound no sequence, and no channels', async () => {
    const dims = { B: 1, T: 20, D: 3, N: 4, G: 1 };
    const { u, delta, A, B, C } = Object.fromEntries(
      Object.entries(draw(dims)).map(([key, v]) => [
        key,
        tensor(Float32Array.from(v.values), { shape: v.shape, device: 'gpu' }),
      ]),
    );
    const cuSeqlens = tensor(Int32Array.of(0), { device: 'gpu' });
    expect(() => selectiveScanOperator({ u, delta, A, B, C, cuSeqlens })).toThrow(
      'selective-scan: cuSeqlens must hold the start and the end of a sequence, got 1 values',
    );
    const none = { ...dims, D: 0 };
    await expect(run(whole, none, draw(none))).rejects.toThrow(
      'selective-scan: D must be >= 1 on the GPU, got 0',
    );
  });

  it('refuse more states than a workgroup has room for', async () => {
    const dims = { B: 1, T: 2, D: 1, N: 257, G: 1 };
    await expect(run(whole, dims, draw(dims))).rejects.toThrow(
      'selective-scan: N must be <= 256 on the GPU, got 257; use wasm or cpu',
    );
  });

  it('refuse a chunk length that is no multiple of the distance of kept states', () => {
    expect(() => chunkGpu(24)).toThrow('selective-scan: length must be a positive multiple of 16, got 24');
    expect(() => chunkGpu(0)).toThrow('selective-scan: length must be a positive multiple of 16, got 0');
  });
});

describe('the form that runs where none is named', () => {
  const prefer = (dims: Dims) => selectiveScanOperator.record.prefer!('webgpu', dims, {});

  it('is chunk for long sequences that alone cannot fill a GPU', () => {
    expect(prefer({ B: 1, T: 2048, D: 1536, N: 16 })).toBe('chunk');
    expect(prefer({ B: 1, T: 65536, D: 256, N: 16, S: 4 })).toBe('chunk');
  });

  it('is recurrent for short sequences and for many channels', () => {
    expect(prefer({ B: 1, T: 1, D: 1536, N: 16 })).toBe('recurrent');
    expect(prefer({ B: 16, T: 2048, D: 1536, N: 16 })).toBe('recurrent');
    expect(prefer({ B: 1, T: 2048, D: 256, N: 16, S: 100 })).toBe('recurrent');
  });
});
