/** Laws of the diagonal-plus-low-rank recurrence that hold in every form, and upstream's values. */
import { describe, expect, it } from 'vitest';
import { compare, relativeRms, TOLERANCES } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import { threads, setThreads, stopThreads } from '../../lib/cpu/wasm/threads.js';
import { deltaRule, diagonalDecay, dplr, dplrOperator, dplrStep } from '../../lib/ops/index.js';
import '../../lib/index.js';
import { withBackend, type BackendName, type Form } from '../../lib/tensor/backend.js';
import { conform } from '../../lib/tensor/conformance.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, formula, goldenJson } from '../nn/support.js';

type Arrays = Record<string, { shape: Shape; values: Float64Array }>;
type Results = Record<string, ArrayLike<number>>;
interface Place {
  form: Form;
  backend: BackendName;
}

const PLACES = (['recurrent', 'chunk'] as const).flatMap((form) =>
  (['cpu', 'wasm'] as const).map((backend) => ({ form, backend })),
);
const [H, K, V] = [2, 12, 20];

/** As RWKV-7 calls it: unit directions, decays in [-strong, 0]. */
function inputsOf(T: number, seed = 5, strong = 0.6065): Arrays {
  const random = new Random(seed);
  const draw = (shape: Shape, f: (i: number) => number) => ({
    shape,
    values: Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(f(i))),
  });
  const key = [1, T, H, K];
  const unit = draw(key, () => random.normal()).values;
  for (let at = 0; at < unit.length; at += K) {
    const norm = Math.sqrt(unit.subarray(at, at + K).reduce((sum, x) => sum + x * x, 0));
    for (let i = at; i < at + K; i++) unit[i] /= norm;
  }
  return {
    q: draw(key, () => random.normal()),
    k: draw(key, () => random.normal()),
    v: draw([1, T, H, V], () => random.normal()),
    a: draw(key, (i) => -unit[i]),
    b: draw(key, (i) => unit[i] * random.uniform()),
    decay: draw(key, () => -strong * random.uniform()),
    initialState: draw([1, H, K, V], () => random.normal()),
  };
}

function seedsOf(T: number): Arrays {
  const { v, initialState } = inputsOf(T, 9);
  return { y: v, finalState: initialState };
}

const tensors = (a: Arrays, dtype: 'f32' | 'f64' = 'f32') =>
  Object.fromEntries(
    Object.entries(a).map(([name, { shape, values }]) => [
      name,
      tensor(values, { shape, dtype, device: 'host' }),
    ]),
  );

/** Outputs and gradients by name. */
function run(x: Arrays, seeds: Arrays, place: Place, dtype: 'f32' | 'f64' = 'f32', cu?: number[]): Results {
  const packed = cu && { cuSeqlens: tensor(cu, { dtype: 'i32', device: 'host' }) };
  return withBackend(place.backend, () => {
    const { outputs, pull } = vjp(
      (p: Record<string, Tensor>) => dplrOperator({ ...p, ...packed }, { scale: 0.5 }, { form: place.form }),
      tensors(x, dtype),
    );
    const grads = pull(tensors(seeds, dtype)) as Record<string, Tensor>;
    return Object.fromEntries([
      ...Object.entries(outputs).map(([name, t]) => [name, t.dataSync()] as const),
      ...Object.entries(grads).map(([name, t]) => [`d${name}`, t.dataSync()] as const),
    ]);
  });
}

/** Tokens from..to of everything that varies in time. */
function cut(x: Arrays, from: number, to: number): Arrays {
  return Object.fromEntries(
    Object.entries(x).map(([name, { shape, values }]) => {
      if (name === 'initialState' || name === 'finalState') return [name, { shape, values }];
      const width = sizeOf(shape.slice(2));
      const part = {
        shape: [1, to - from, ...shape.slice(2)],
        values: values.slice(from * width, to * width),
      };
      return [name, part];
    }),
  );
}

const state = (values: ArrayLike<number>) => ({ shape: [1, H, K, V], values: Float64Array.from(values) });

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number, name: string): void {
  const report = compare(got, want, { name, tolerance });
  expect(report.ok, report.text).toBe(true);
}

describe('every form in f64 is the reference to twelve digits', () => {
  it.each(['recurrent', 'chunk'] as const)('%s, for lengths around chunks', (form) => {
    for (const T of [1, 2, 15, 16, 17, 33, 65, 131]) {
      const [x, seeds] = [inputsOf(T), seedsOf(T)];
      const want = run(x, seeds, { form: 'reference', backend: 'cpu' }, 'f64');
      const got = run(x, seeds, { form, backend: 'cpu' }, 'f64');
      for (const name of Object.keys(want)) expectClose(got[name], want[name], 1e-12, `${name} at T = ${T}`);
    }
  });
});

describe.each(PLACES)('$form on $backend', (place) => {
  const T = 149;

  it.each([1, 16, 50, 64, 148])('gives the same in two parts, cut at %i, forward and backward', (middle) => {
    const [x, seeds] = [inputsOf(T), seedsOf(T)];
    const whole = run(x, seeds, place);
    const first = cut(x, 0, middle);
    const before = run(first, cut(seeds, 0, middle), place);
    const rest = { ...cut(x, middle, T), initialState: state(before.finalState) };
    const late = run(rest, cut(seeds, middle, T), place);
    const early = run(first, { ...cut(seeds, 0, middle), finalState: state(late.dinitialState) }, place);
    const { forward, gradient } = TOLERANCES.wasm;
    expectClose([...Array.from(before.y), ...Array.from(late.y)], whole.y, forward, 'y');
    expectClose(late.finalState, whole.finalState, forward, 'finalState');
    for (const name of ['dq', 'dk', 'dv', 'da', 'db', 'ddecay'])
      expectClose([...Array.from(early[name]), ...Array.from(late[name])], whole[name], gradient, name);
    expectClose(early.dinitialState, whole.dinitialState, gradient, 'dinitialState');
  });

  it('gives packed sequences the bits they have alone', () => {
    const cu = [0, 1, 1, 34, 98, T];
    const [x, seeds] = [inputsOf(T), seedsOf(T)];
    const { initialState } = inputsOf(T, 21);
    const rows = cu.length - 1;
    const states = {
      shape: [rows, H, K, V],
      values: Float64Array.from({ length: rows * H * K * V }, (_, i) => Math.fround(Math.sin(i))),
    };
    const packed = run({ ...x, initialState: states }, { ...seeds, finalState: states }, place, 'f32', cu);
    const size = initialState.values.length;
    for (let s = 0; s < rows; s++) {
      const [from, to] = [cu[s], cu[s + 1]];
      const own = state(states.values.subarray(s * size, (s + 1) * size));
      const alone = run(
        { ...cut(x, from, to), initialState: own },
        { ...cut(seeds, from, to), finalState: own },
        place,
      );
      for (const [name, values] of Object.entries(alone)) {
        const isState = name === 'finalState' || name === 'dinitialState';
        const width = isState ? size : name === 'y' || name === 'dv' ? H * V : H * K;
        const at = isState ? s * size : from * width;
        expect(Array.from(packed[name]).slice(at, at + values.length), `${name} of ${s}`).toEqual(
          Array.from(values),
        );
      }
    }
  });

  it('reduces to the diagonal decay when nothing is corrected', () => {
    const x = inputsOf(T);
    for (const name of ['a', 'b']) x[name].values.fill(0);
    withBackend(place.backend, () => {
      const { q, k, v, a, b, decay, initialState } = tensors(x);
      const got = dplr({ q, k, v, a, b, decay, initialState }, { scale: 0.5, form: place.form });
      const want = diagonalDecay({ q, k, v, decay, initialState }, { scale: 0.5 });
      expectClose(got.y.dataSync(), want.y.dataSync(), TOLERANCES.wasm.forward, 'y');
      expectClose(got.finalState.dataSync(), want.finalState.dataSync(), TOLERANCES.wasm.forward, 'state');
    });
  });

  it('is the gated delta rule for a = -e^g k, b = beta k, values beta v and decays equal over the lanes', () => {
    const x = inputsOf(T);
    const random = new Random(31);
    const beta = Float64Array.from({ length: T * H }, () => Math.fround(random.uniform()));
    const g = Float64Array.from({ length: T * H }, () => Math.fround(-random.uniform()));
    const unit = x.a.values.map((value) => -value);
    const scaled = (f: (i: number) => number, values: Float64Array, width: number) =>
      values.map((value, i) => value * f(Math.floor(i / width)));
    const named: Arrays = {
      ...x,
      k: { ...x.k, values: unit },
      a: { ...x.a, values: scaled((i) => -Math.exp(g[i]), unit, K) },
      b: { ...x.b, values: scaled((i) => beta[i], unit, K) },
      decay: { ...x.decay, values: x.decay.values.map((_, i) => g[Math.floor(i / K)]) },
    };
    const { q, k, v, a, b, decay, initialState } = tensors(named, 'f64');
    const spread = tensors({ v: { ...x.v, values: scaled((i) => beta[i], x.v.values, V) } }, 'f64').v;
    const rate = (values: Float64Array) => tensor(values, { shape: [1, T, H], dtype: 'f64', device: 'host' });
    const got = dplr({ q, k, v: spread, a, b, decay, initialState }, { form: place.form });
    const want = deltaRule({ q, k, v, beta: rate(beta), decay: rate(g), initialState });
    expect(relativeRms(got.y.dataSync(), want.y.dataSync())).toBeLessThan(1e-12);
    expect(relativeRms(got.finalState.dataSync(), want.finalState.dataSync())).toBeLessThan(1e-12);
  });

  it('advances token by token to the same state', () => {
    const x = inputsOf(40);
    withBackend(place.backend, () => {
      const whole = dplr(tensors(x) as never, { form: place.form });
      let carried = tensors(x).initialState;
      const read: number[] = [];
      for (let t = 0; t < 40; t++) {
        const step = dplrStep({
          ...(tensors(cut(x, t, t + 1)) as never as object),
          initialState: carried,
        } as never);
        carried = step.finalState;
        read.push(...Array.from(step.y.dataSync()));
      }
      expectClose(read, whole.y.dataSync(), TOLERANCES.wasm.forward, 'y');
      expectClose(carried.dataSync(), whole.finalState.dataSync(), TOLERANCES.wasm.forward, 'state');
    });
  });

  it('stays with the reference for 2,000 tokens whose directions are nearly one', () => {
    const x = inputsOf(2000, 5, 1e-3);
    for (let i = 0; i < x.a.values.length; i++) {
      const direction = (i % K === 0 ? 0.995 : 0.03) * (1 + 0.01 * Math.sin(i));
      x.a.values[i] = Math.fround(-direction);
      x.b.values[i] = Math.fround(direction);
    }
    const seeds = seedsOf(2000);
    const want = run(x, seeds, { form: 'recurrent', backend: 'cpu' }, 'f64');
    const got = run(x, seeds, place);
    for (const name of Object.keys(want)) {
      const row = TOLERANCES.wasm[name.startsWith('d') ? 'gradient' : 'forward'];
      expectClose(got[name], want[name], row, name);
    }
  });
});

describe('on wasm', () => {
  it.each(['recurrent', 'chunk'] as const)('%s has the same bits on one, two and three threads', (form) => {
    const before = threads();
    const [x, seeds] = [inputsOf(600), seedsOf(600)];
    const found = [1, 2, 3].map((count) => {
      setThreads(count);
      return run(x, seeds, { form, backend: 'wasm' });
    });
    setThreads(before);
    stopThreads();
    for (const other of found.slice(1)) expect(other).toEqual(found[0]);
  });

  it('chunks lose no digits over thousands of tokens that hardly fade, and are what runs then', async () => {
    for (const least of [1e-8, 1e-5, 1e-4, 1e-3]) {
      const dims = { B: 1, T: 2003, H: 1, K: 6, V: 5, least, strong: 0, still: 1 };
      const c = { name: 'hardly-fading', dims, with: ['initialState'] };
      const failed = (await conform(dplrOperator, c, 'chunk', 'wasm')).filter((r) => !r.ok);
      expect(failed.map((r) => r.text)).toEqual([]);
    }
    const prefer = dplrOperator.record.prefer!;
    expect(prefer('wasm', { B: 2, T: 2048 }, {})).toBe('chunk');
    expect(prefer('wasm', { B: 1, T: 2048, S: 40 }, {})).toBeUndefined();
  });

  it('runs keys beyond the kernels’ memory in TypeScript', () => {
    const wide = [1, 3, 1, 260];
    const fill = (shape: Shape, scale: number) =>
      tensor(formula(`wide/${scale}`, shape, scale), { shape, dtype: 'f32', device: 'host' });
    const x = {
      q: fill(wide, 1),
      k: fill(wide, 2),
      v: fill([1, 3, 1, 4], 1),
      a: fill(wide, 0.5),
      b: fill(wide, 0.25),
    };
    const decay = fill(wide, 0);
    const { y } = withBackend('wasm', () => dplr({ ...x, decay }, { form: 'chunk' }));
    const want = withBackend('cpu', () => dplr({ ...x, decay }, { form: 'reference' }));
    expectClose(y.dataSync(), want.y.dataSync(), TOLERANCES.wasm.forward, 'y');
  });
});

describe('messages', () => {
  it('name what does not fit', () => {
    const x = tensors(inputsOf(5)) as never as Parameters<typeof dplr>[0];
    const { initialState } = tensors(inputsOf(5, 3));
    expect(() => dplr({ ...x, a: x.v })).toThrow(/ops\/dplr: a must/);
    const none = (shape: Shape) => tensor(new Float64Array(0), { shape, dtype: 'f32', device: 'host' });
    expect(() => dplr({ ...x, v: none([1, 5, H, 0]), initialState: none([1, H, K, 0]) })).toThrow(
      /K and V must be at least 1, .* V = 0/,
    );
    expect(() => dplr(x, { scale: Infinity })).toThrow(/scale must be <= 3e\+38, got Infinity/);
    expect(() => dplr({ ...x, decay: undefined as never })).toThrow(/ops\/dplr: decay must be given/);
    const cuSeqlens = tensor([0, 2, 5], { dtype: 'i32', device: 'host' });
    expect(() => dplr({ ...x, initialState, cuSeqlens })).toThrow(
      /initialState must have one row a sequence/,
    );
    expect(() => dplrStep(x)).toThrow(/q must hold one token in form step, got T = 5/);
  });
});

interface GoldenCase {
  name: string;
  dims: { K: number };
  decay: [number, number];
  tied: boolean;
  inputs: Record<string, number[]>;
  y: number[];
  finalState: number[];
  gradients: Record<string, number[]>;
}

/** An input as the script makes it. */
function golden(c: GoldenCase, name: string, shape: Shape): Float64Array {
  const drawn = (input: string, scale = 2, of: Shape = shape) => formula(`${c.name}/${input}`, of, scale);
  if (name === 'a') return drawn('a', 1);
  if (name === 'decay') return drawn('decay', 1).map((x) => Math.fround(x * c.decay[0] + c.decay[1]));
  if (name !== 'b') return drawn(name);
  if (!c.tied) return drawn('b', 1);
  const alpha = drawn('alpha', 1, [...shape.slice(0, 3), 1]);
  return drawn('a', 1).map((x, i) => Math.fround(-x * (alpha[Math.floor(i / c.dims.K)] + 0.5)));
}

describe('every form gives the outputs and all gradients of dplr_recurrence of flash-linear-attention', () => {
  for (const c of goldenJson('dplr.json').cases as GoldenCase[])
    for (const { name, dtype, backend, tolerance } of ARITHMETICS)
      it(`${c.name} in ${name}`, () => {
        for (const form of ['reference', 'recurrent', 'chunk'] as const) {
          const make = (input: string, shape: Shape) =>
            tensor(golden(c, input, shape), { shape, dtype, device: 'host' });
          const leaves = Object.fromEntries(
            Object.entries(c.inputs).map(([input, shape]) => [input, make(input, shape)]),
          );
          withBackend(backend, () => {
            const { outputs, pull } = vjp(
              (p: Record<string, Tensor>) => dplrOperator(p, { scale: c.dims.K ** -0.5 }, { form }),
              leaves,
            );
            const grads = pull({
              y: make('dy', outputs.y.shape),
              finalState: make('dfinalState', outputs.finalState.shape),
            });
            expectClose(outputs.y.dataSync(), c.y, tolerance.forward, `${form} y`);
            expectClose(outputs.finalState.dataSync(), c.finalState, tolerance.forward, `${form} state`);
            for (const [input, want] of Object.entries(c.gradients))
              expectClose(grads[input].dataSync(), want, tolerance.gradient, `${form} gradient of ${input}`);
          });
        }
      });
});
