/** Long convolution against conv1d of PyTorch (test/golden/make/long_convolution.py), and its laws. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compare, relativeRms } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import { setThreads } from '../../lib/cpu/index.js';
import { baseConv, longConvolution, longConvolutionStep } from '../../lib/index.js';
import { causalConv1d, permute, slice } from '../../lib/ops/index.js';
import { twiddles } from '../../lib/families/long-convolution/fft.js';
import { longConvolutionOperator } from '../../lib/families/long-convolution/index.js';
import { withBackend, type BackendName, type Form } from '../../lib/tensor/backend.js';
import { conform } from '../../lib/tensor/conformance.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, formula, goldenJson } from '../nn/support.js';

interface GoldenCase {
  inputs: Record<string, number[]>;
  y: number[];
  gradients: Record<string, number[]>;
}

const golden = goldenJson('long-convolution.json');
const cases = golden.cases as (GoldenCase & { name: string })[];

/** Differences from golden values, as sentences. */
function disagreements(
  c: GoldenCase,
  name: string,
  arithmetic: (typeof ARITHMETICS)[number],
  run: (p: Record<string, Tensor>) => Record<string, Tensor>,
): string[] {
  const { dtype, backend, tolerance } = arithmetic;
  const draw = (key: string, shape: Shape) =>
    tensor(formula(`${name}/${key}`, shape, key === 'filter' && name !== 'base-conv' ? 0.5 : 2), {
      shape,
      dtype,
      device: 'host',
    });
  return withBackend(backend, () => {
    const leaves = Object.fromEntries(Object.entries(c.inputs).map(([k, s]) => [k, draw(k, s)]));
    const { outputs, pull } = vjp(run, leaves);
    const grads = pull(
      Object.fromEntries(Object.entries(outputs).map(([k, t]) => [k, draw(`d${k}`, t.shape)])),
    );
    const report = (key: string, t: Tensor, want: number[], limit: number) =>
      compare(t.dataSync(), want, { name: key, dims: t.shape, tolerance: limit });
    return [
      report('y', outputs.y, c.y, tolerance.forward),
      ...Object.entries(c.gradients).map(([k, want]) => report(k, grads[k], want, tolerance.gradient)),
    ]
      .filter((r) => !r.ok)
      .map((r) => r.text);
  });
}

describe('skip, gate, past inputs and all gradients are those of conv1d', () => {
  for (const c of cases)
    for (const arithmetic of ARITHMETICS)
      it.each(['reference', 'parallel', 'chunk'] as const)(
        `${c.name} in ${arithmetic.name}, form %s`,
        (form) => {
          const run = ({ u, filter, skip, gate, initialState }: Record<string, Tensor>) =>
            longConvolution(u, filter, { skip, gate, initialState, form });
          expect(disagreements(c, c.name, arithmetic, run)).toEqual([]);
        },
      );
});

describe('BaseConv', () => {
  const { paper, code } = golden.baseConv as Record<'paper' | 'code', GoldenCase>;

  it.each(ARITHMETICS)('of equation 4, with all gradients, in $name', (arithmetic) => {
    const run = ({ u, ...weights }: Record<string, Tensor>) => ({
      y: baseConv(u, weights as { weight: Tensor; filter: Tensor }).y,
    });
    expect(disagreements(paper, 'base-conv', arithmetic, run)).toEqual([]);
  });

  it.each(ARITHMETICS)('of the published code, with all gradients, in $name', (arithmetic) => {
    const run = ({ u, ...weights }: Record<string, Tensor>) => {
      const ones = tensor(new Float64Array(4).fill(1), { dtype: u.dtype, device: 'host' });
      const options = { residual: true, activation: true, skip: ones };
      return { y: baseConv(u, weights as { weight: Tensor; filter: Tensor }, options).y };
    };
    expect(disagreements(code, 'base-conv', arithmetic, run)).toEqual([]);
  });
});

const random = new Random(9);
const normal = (shape: number[], scale = 1) =>
  tensor(
    Float64Array.from({ length: sizeOf(shape) }, () => scale * random.normal()),
    { shape, dtype: 'f32', device: 'host' },
  );
const close = (got: Tensor, want: Tensor, limit = 2e-6) =>
  expect(relativeRms(got.dataSync(), want.dataSync())).toBeLessThan(limit);

const PLACES: [BackendName, Form][] = [
  ['cpu', 'parallel'],
  ['cpu', 'chunk'],
  ['wasm', 'parallel'],
  ['wasm', 'chunk'],
];

describe.each(PLACES)('on %s in form %s', (backend, form) => {
  it('cut anywhere in two calls through the state is the one call', () => {
    withBackend(backend, () => {
      const [u, filter] = [normal([2, 150, 6]), normal([90, 6], 0.1)];
      const whole = longConvolution(u, filter, { form });
      for (const at of [1, 63, 64, 100, 149]) {
        const first = longConvolution(slice(u, 1, 0, at), filter, { form });
        const rest = longConvolution(slice(u, 1, at, 150), filter, { initialState: first.finalState, form });
        close(first.y, slice(whole.y, 1, 0, at));
        close(rest.y, slice(whole.y, 1, at, 150));
        expect(rest.finalState.dataSync()).toEqual(whole.finalState.dataSync());
      }
    });
  });

  it('any length, filter and past agree with the reference, with gradients', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 140 }),
        fc.integer({ min: 1, max: 140 }),
        fc.boolean(),
        async (T, W, past) => {
          const c = { name: `${T}-${W}`, dims: { B: 2, T, D: 3, W }, with: past ? ['initialState'] : [] };
          const failed = (await conform(longConvolutionOperator, c, form, backend)).filter((r) => !r.ok);
          expect(failed.map((r) => r.text)).toEqual([]);
        },
      ),
      { numRuns: 15, seed: 4 },
    );
  });
});

describe('long convolution', () => {
  it.each(['cpu', 'wasm'] as const)('step by step is the whole on %s', (backend) => {
    withBackend(backend, () => {
      const [u, filter] = [normal([2, 40, 5]), normal([25, 5], 0.2)];
      const [skip, gate] = [normal([5]), normal([2, 40, 5])];
      const whole = longConvolution(u, filter, { skip, gate });
      let initialState: Tensor | undefined;
      for (let t = 0; t < 40; t++) {
        const token = (x: Tensor) => slice(x, 1, t, t + 1);
        const made = longConvolutionStep(token(u), filter, { skip, gate: token(gate), initialState });
        close(made.y, token(whole.y), 5e-6);
        initialState = made.finalState;
      }
      expect(initialState!.dataSync()).toEqual(whole.finalState.dataSync());
    });
  });

  it('with few taps is the short convolution, whose taps are stored oldest input first and channel by channel', () => {
    const [u, filter] = [normal([2, 30, 6]), normal([4, 6])];
    const reversed = Float32Array.from(
      { length: 24 },
      (_, i) => filter.dataSync()[(3 - (i % 4)) * 6 + (i >> 2)],
    );
    const weight = tensor(reversed, { shape: [6, 4], device: 'host' });
    close(longConvolution(u, filter).y, causalConv1d(u, weight).y);
    expect(permute(longConvolution(u, filter).finalState, [0, 2, 1]).dataSync()).toEqual(
      causalConv1d(u, weight).finalState.dataSync(),
    );
  });

  it('has the same bits on one thread, two and three', () => {
    const [u, filter, dy] = [normal([2, 200, 43]), normal([200, 43], 0.1), normal([2, 200, 43])];
    const bits = [1, 2, 3].map((threads) => {
      setThreads(threads);
      return withBackend('wasm', () => {
        const { outputs, pull } = vjp((p: { u: Tensor; filter: Tensor }) => longConvolution(p.u, p.filter), {
          u,
          filter,
        });
        const grads = pull({ y: dy });
        return [outputs.y, grads.u, grads.filter].map((t) => t.dataSync());
      });
    });
    setThreads(2);
    expect(bits[1]).toEqual(bits[0]);
    expect(bits[2]).toEqual(bits[0]);
  });

  it('keeps its digits over 20,000 tokens on wasm', () => {
    const inputs = { u: normal([1, 20000, 2]), filter: normal([20000, 2], 0.01) };
    const run = (backend: BackendName, dtype: 'f32' | 'f64') =>
      withBackend(backend, () => {
        const wide = (t: Tensor) => tensor(t.dataSync(), { shape: t.shape, dtype, device: 'host' });
        return longConvolution(wide(inputs.u), wide(inputs.filter), { form: 'parallel' }).y.dataSync();
      });
    expect(relativeRms(run('wasm', 'f32'), run('cpu', 'f64'))).toBeLessThan(1e-6);
  });

  it('keeps the digits of a small channel beside a large one, and a NaN in its own channel and sequence', () => {
    const sizes = [1, 1e8, 1e-8, 1e5, 1e-5, 1, 1e12, 1e-3, 1];
    const spread = (t: Tensor) =>
      tensor(
        t.dataSync().map((v, i) => v * sizes[i % sizes.length]),
        { shape: t.shape, dtype: 'f32', device: 'host' },
      );
    const x = {
      u: spread(normal([2, 150, 9])),
      filter: normal([150, 9], 0.1),
      initialState: spread(normal([2, 149, 9])),
    };
    const dy = normal([2, 150, 9]);
    const run = (backend: BackendName, dtype: 'f32' | 'f64') =>
      withBackend(backend, () => {
        const wide = (t: Tensor) => tensor(t.dataSync(), { shape: t.shape, dtype, device: 'host' });
        const leaves = { u: wide(x.u), filter: wide(x.filter), initialState: wide(x.initialState) };
        const { outputs, pull } = vjp(
          ({ u, filter, initialState }: typeof leaves) =>
            longConvolution(u, filter, { initialState, form: 'parallel' }),
          leaves,
        );
        return { y: outputs.y, ...pull({ y: wide(dy) }) };
      });
    const channel = (t: Tensor, d: number) => slice(t, t.rank - 1, d, d + 1).dataSync();
    const [got, want] = [run('wasm', 'f32'), run('cpu', 'f64')];
    for (const name of ['y', 'u', 'filter', 'initialState'] as const)
      for (let d = 0; d < 9; d++)
        expect(relativeRms(channel(got[name], d), channel(want[name], d)), `${name} ${d}`).toBeLessThan(1e-6);
    x.u.dataSync()[30 * 9 + 2] = NaN;
    const { y } = run('wasm', 'f32');
    for (let b = 0; b < 2; b++)
      for (let d = 0; d < 9; d++)
        expect(channel(slice(y, 0, b, b + 1), d).some(Number.isNaN)).toBe(b === 0 && d === 2);
  });

  it('in waves of channels, which long sequences need, has the bits of channels alone', () => {
    const [u, filter] = [normal([1, 70000, 25]), normal([70000, 25], 0.01)];
    withBackend('wasm', () => {
      const last = (t: Tensor) => slice(t, t.rank - 1, 24, 25);
      const alone = longConvolution(last(u), last(filter)).y;
      expect(last(longConvolution(u, filter).y).dataSync()).toEqual(alone.dataSync());
    });
  });

  it('takes turns that are exact at quarters', () => {
    const w = twiddles(8);
    expect([w[0], w[1]]).toEqual([1, 0]);
    expect(Math.abs(w[4]) + Math.abs(w[5] - 1)).toBeLessThan(1e-15);
  });

  it.each<[string, () => unknown, string]>([
    [
      'a skip that would broadcast',
      () => longConvolution(normal([1, 3, 2]), normal([2, 2]), { skip: normal([1]) }),
      'long-convolution: skip must have shape [2], got [1]',
    ],
    [
      'a gate that would broadcast',
      () => longConvolution(normal([1, 3, 2]), normal([2, 2]), { gate: normal([4, 1, 3, 2]) }),
      'long-convolution: gate must have shape [1, 3, 2], got [4, 1, 3, 2]',
    ],
    [
      'an option nobody knows',
      () => longConvolution(normal([1, 3, 2]), normal([2, 2]), { bias: 1 } as never),
      'long-convolution: parameters must be among (none), got "bias"',
    ],
    [
      'a filter without taps',
      () => longConvolution(normal([1, 3, 2]), normal([0, 2])),
      'filter must have at least one tap',
    ],
    [
      'a state of another length',
      () => longConvolution(normal([1, 3, 2]), normal([4, 2]), { initialState: normal([1, 4, 2]) }),
      'initialState must have shape [B,W-1,D]',
    ],
    [
      'other channels',
      () => longConvolution(normal([1, 3, 2]), normal([4, 3])),
      'filter must have shape [W,D] with D = 2',
    ],
    [
      'several tokens in form step',
      () => longConvolutionStep(normal([1, 3, 2]), normal([4, 2])),
      'u must hold one token',
    ],
  ])('refuses %s', (_, run, message) => {
    expect(run).toThrow(message);
  });
});
