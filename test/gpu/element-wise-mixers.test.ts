/** Tier adapter: recurrence, HGRN, rotary and long convolution on the GPU: long sequences, packing, cuts, f16 storage. */
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { closeGpu } from '../../lib/index.js';
import { relativeRms, rms, TOLERANCES } from '../../lib/core/compare.js';
import { float16FromBits, getFloat16Bits } from '../../lib/core/float16.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf } from '../../lib/core/shape.js';
import { hgrn, hgrnOperator } from '../../lib/families/hgrn/index.js';
import { longConvolution, longConvolutionOperator } from '../../lib/families/long-convolution/index.js';
import { rotary, rotaryFrequencies, rotaryTable, rotateCachedKeys } from '../../lib/families/rotary/index.js';
import { slice } from '../../lib/ops/index.js';
import { chunkGpu, slotLength } from '../../lib/ops/scan/gpu-recurrence.js';
import { associativeScan, associativeScanOperator } from '../../lib/ops/scan/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { conform } from '../../lib/tensor/conformance.js';
import type {
  Call,
  Operator,
  OperatorCase,
  OperatorRecord,
  OptionalTensors,
  Tensors,
} from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());
let random: Random;
beforeEach(() => {
  random = new Random(23);
});

const normal = (shape: number[], scale = 1) =>
  Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(scale * random.normal()));
const onGpu = (values: Float64Array | Int32Array, shape: number[], dtype: 'f32' | 'f16' | 'i32' = 'f32') =>
  tensor(values, { shape, dtype, device: 'gpu' });
const read = async (t: Tensor) => Float64Array.from(await t.data());

async function agrees(op: Operator, c: OperatorCase, form: 'chunk' | 'recurrent'): Promise<void> {
  const failed = (await conform(op, c, form, 'webgpu')).filter((r) => !r.ok);
  expect(failed.map((r) => r.text)).toEqual([]);
}

describe.skipIf(!context)(`long sequences on the GPU ${reason}`, { timeout: COLD }, () => {
  it('the recurrence over 100,000 tokens with a memory of thousands', async () => {
    const dims = { B: 1, T: 100_000, D: 3, strong: 1e-3 };
    expect(slotLength(dims)).toBe(128);
    await agrees(
      associativeScanOperator,
      { name: 'long', dims, params: { log: true }, with: ['initial'] },
      'chunk',
    );
  });

  it('the long convolution keeps the digits of a small channel beside a large one, and a NaN in its own channel', async () => {
    const sizes = [1e8, 1e-8, 1, 1e-6, 1e6];
    const shape = [2, 90, 5];
    const [u, filter] = [normal(shape).map((v, i) => v * sizes[i % 5]), normal([90, 5], 0.1)];
    const dy = normal(shape);
    const run = async (onDevice: (values: Float64Array, shape: number[]) => Tensor) => {
      const leaves = { u: onDevice(u, shape), filter: onDevice(filter, [90, 5]) };
      const { outputs, pull } = vjp((p: typeof leaves) => longConvolution(p.u, p.filter), leaves);
      const grads = pull({ y: onDevice(dy, shape) });
      return { y: await read(outputs.y), u: await read(grads.u), filter: await read(grads.filter) };
    };
    const host = (values: Float64Array, shape: number[]) =>
      tensor(values, { shape, dtype: 'f64', device: 'host' });
    const channel = (values: Float64Array, d: number) => values.filter((_, i) => i % 5 === d);
    const [got, want] = [await run(onGpu), await run(host)];
    for (const name of ['y', 'u', 'filter'] as const)
      for (let d = 0; d < 5; d++)
        expect(relativeRms(channel(got[name], d), channel(want[name], d)), `${name} ${d}`).toBeLessThan(2e-6);
    u[30 * 5] = NaN;
    const { y } = await run(onGpu);
    for (let d = 0; d < 5; d++) expect(channel(y, d).some(Number.isNaN)).toBe(d === 0);
    expect(y.slice(90 * 5).some(Number.isNaN)).toBe(false);
  });

  it('HGRN over 3,001 tokens', () =>
    agrees(
      hgrnOperator,
      { name: 'long', dims: { B: 2, T: 3001, D: 5, strong: 0.01 }, with: ['initialState'] },
      'chunk',
    ));

  it.each([
    ['blocks of 1,024', { B: 1, T: 4500, D: 2, W: 4500 }],
    ['a short sequence after a long past', { B: 1, T: 70, D: 3, W: 1500 }],
  ])('long convolution in %s', (_, dims) =>
    agrees(longConvolutionOperator, { name: 'long', dims, with: ['initialState'] }, 'chunk'),
  );
});

/** Outputs and gradients of the recurrence in slots of a fixed length. */
async function scan(length: number, inputs: OptionalTensors, grad: OptionalTensors, dims: Call['dims']) {
  const call: Call = {
    op: { id: 'test', inputs: [], outputs: [] } as unknown as OperatorRecord,
    in: inputs,
    params: { log: true },
    dims,
    lead: [],
    training: true,
    saved: {},
    out: {},
    grad,
    needs: () => true,
  };
  const implementation = chunkGpu(length);
  call.out = implementation.forward(call) as Tensors;
  const all = { ...call.out, ...implementation.backward!(call) };
  const found: Record<string, Float64Array> = {};
  for (const [name, t] of Object.entries(all)) if (t) found[name] = await read(t);
  return found;
}

describe.skipIf(!context)(`the recurrence in slots ${reason}`, { timeout: COLD }, () => {
  const [T, D] = [230, 5];
  const starts = [0, 1, 1, 100, 230];
  const drawn = () => ({
    a: normal([T, D]).map((v) => -Math.abs(Math.fround(0.1 * v))),
    b: normal([T, D]),
    initial: normal([4, D]),
    dy: normal([T, D]),
    final: normal([4, D]),
  });

  it('packed has the bits of separate sequences in slots of one length', async () => {
    const x = drawn();
    const cuSeqlens = onGpu(Int32Array.from(starts), [5], 'i32');
    const shape = [1, T, D];
    const packed = await scan(
      16,
      { a: onGpu(x.a, shape), b: onGpu(x.b, shape), initial: onGpu(x.initial, [4, D]), cuSeqlens },
      { y: onGpu(x.dy, shape), final: onGpu(x.final, [4, D]) },
      { B: 1, T, D, S: 4 },
    );
    for (let s = 0; s < 4; s++) {
      const [from, to] = [starts[s] * D, starts[s + 1] * D];
      const part = (v: Float64Array) => onGpu(v.slice(from, to), [1, (to - from) / D, D]);
      const row = (v: Float64Array) => onGpu(v.slice(s * D, (s + 1) * D), [1, D]);
      const alone = await scan(
        16,
        { a: part(x.a), b: part(x.b), initial: row(x.initial) },
        { y: part(x.dy), final: row(x.final) },
        { B: 1, T: (to - from) / D, D },
      );
      // `final` and `initial` are rows of states, the others of tokens.
      for (const [name, values] of Object.entries(alone)) {
        const state = name === 'final' || name === 'initial';
        const want = state ? packed[name].slice(s * D, (s + 1) * D) : packed[name].slice(from, to);
        expect(values, `${name} of ${s}`).toEqual(want);
      }
    }
  });

  it('agrees at every length of a slot', async () => {
    const x = drawn();
    const inputs = { a: onGpu(x.a, [1, T, D]), b: onGpu(x.b, [1, T, D]) };
    const grad = { y: onGpu(x.dy, [1, T, D]), final: onGpu(x.final.slice(0, D), [1, D]) };
    const whole = await scan(T, inputs, grad, { B: 1, T, D });
    for (const length of [1, 7, 16, 64, 229]) {
      const cut = await scan(length, inputs, grad, { B: 1, T, D });
      for (const [name, want] of Object.entries(whole))
        expect(relativeRms(cut[name], want), `${name} at ${length}`).toBeLessThan(TOLERANCES.webgpu.gradient);
    }
  });
});

describe.skipIf(!context)(`caches on the GPU ${reason}`, { timeout: COLD }, () => {
  it('long convolution cut in two through its state is the whole', async () => {
    const [u, filter] = [onGpu(normal([2, 300, 3]), [2, 300, 3]), onGpu(normal([200, 3], 0.1), [200, 3])];
    const whole = await read(slice(longConvolution(u, filter).y, 1, 170, 300));
    const first = longConvolution(slice(u, 1, 0, 170), filter);
    const rest = longConvolution(slice(u, 1, 170, 300), filter, { initialState: first.finalState });
    expect(relativeRms(await read(rest.y), whole)).toBeLessThan(1e-5);
  });

  it('keys turn anew, and positions outside a table are cut to it', async () => {
    const frequencies = rotaryFrequencies(8);
    const values = normal([1, 4, 2, 8]);
    const keys = onGpu(values, [1, 4, 2, 8]);
    const table = rotaryTable(frequencies, { length: 50, device: 'gpu' });
    const at = (p: number[]) => onGpu(Int32Array.from(p), [1, 4], 'i32');
    const old = rotary(keys, table, { positions: at([0, 10, 20, 49]) });
    const moved = rotateCachedKeys(old, { from: [0, 10, 20, 49], to: [0, 1, 2, 3], frequencies });
    expect(relativeRms(await read(moved), await read(rotary(keys, table)))).toBeLessThan(1e-6);
    const cut = rotary(keys, table, { positions: at([-5, 60, 3, 4]) });
    const inside = rotary(keys, table, { positions: at([0, 49, 3, 4]) });
    expect(await read(cut)).toEqual(await read(inside));
  });
});

const half = (v: number) => float16FromBits(getFloat16Bits(v));

/** Twice (gradients: three times) the error that rounding the exact result to f16 makes. */
function holds(actual: Float64Array, exact: ArrayLike<number>, factor: number, name: string): void {
  const wanted = Float64Array.from(exact);
  expect(actual.length).toBe(wanted.length);
  const error = rms(actual.map((v, i) => v - wanted[i]));
  expect(error, name).toBeLessThanOrEqual(factor * rms(wanted.map((v) => half(v) - v)) + 1e-7);
}

const noHalf = !context ? reason : context.features.has('shader-f16') ? '' : 'the adapter lacks shader-f16';

describe.skipIf(noHalf !== '')(`f16 storage of mixers ${noHalf}`, { timeout: COLD }, () => {
  type Run = (p: Record<string, Tensor>) => Tensors;
  const cases: [string, Run, Record<string, [number[], 'f16' | 'f32']>][] = [
    ...(['recurrent', 'chunk'] as const).map(
      (form): [string, Run, Record<string, [number[], 'f16' | 'f32']>] => [
        `associative scan, ${form}`,
        ({ a, b, initial }) => associativeScan(a, b, { initial, form }),
        { a: [[1, 90, 3], 'f16'], b: [[1, 90, 3], 'f16'], initial: [[1, 3], 'f32'] },
      ],
    ),
    [
      'HGRN',
      ({ i, g, initialState }) => hgrn({ i, g, initialState }, { form: 'chunk' }),
      { i: [[1, 90, 3], 'f16'], g: [[1, 90, 3], 'f16'], initialState: [[1, 3], 'f32'] },
    ],
    [
      'long convolution',
      ({ u, filter, initialState }) => longConvolution(u, filter, { initialState }),
      { u: [[2, 90, 3], 'f16'], filter: [[40, 3], 'f32'], initialState: [[2, 39, 3], 'f32'] },
    ],
    [
      'rotary',
      ({ x }) => {
        const device = x.device === 'gpu' ? 'gpu' : 'host';
        const dtype = x.device === 'gpu' ? 'f32' : 'f64';
        const table = rotaryTable(rotaryFrequencies(6), { length: 9, dtype, device });
        return { y: rotary(x, table, { pairing: 'interleaved' }) };
      },
      { x: [[2, 9, 2, 7], 'f16'] },
    ],
  ];

  it.each(cases)('%s is as exact as rounding allows', async (_, run, spec) => {
    const values = Object.fromEntries(
      Object.entries(spec).map(([name, [shape, dtype]]) => {
        const scaled = normal(shape, 0.4).map((v) => (name === 'g' ? -Math.abs(v) : v));
        return [name, dtype === 'f16' ? scaled.map(half) : scaled];
      }),
    );
    const seeds: Record<string, Float64Array> = {};
    const pass = (exact: boolean) => {
      const leaves = Object.fromEntries(
        Object.entries(spec).map(([name, [shape, dtype]]) => [
          name,
          tensor(values[name], { shape, dtype: exact ? 'f64' : dtype, device: exact ? 'host' : 'gpu' }),
        ]),
      );
      const { outputs, pull } = vjp(run, leaves);
      const grads = pull(
        Object.fromEntries(
          Object.entries(outputs).map(([k, t]) => {
            seeds[k] ??= normal([...t.shape]).map(half);
            return [k, tensor(seeds[k], { shape: t.shape, dtype: t.dtype, device: t.device })];
          }),
        ),
      );
      return { outputs, grads };
    };
    const exact = withBackend('cpu', () => pass(true));
    const actual = pass(false);
    for (const [name, t] of Object.entries(actual.outputs))
      holds(await read(t), exact.outputs[name].dataSync(), 2, name);
    for (const [name, t] of Object.entries(actual.grads)) {
      expect(t.dtype).toBe(spec[name][1]);
      // Gradients in f32 still start from states kept in f16.
      holds(await read(t), exact.grads[name].dataSync(), 3, `gradient of ${name}`);
    }
  });
});
