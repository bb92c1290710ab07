/** Laws of the scalar-decay recurrence that hold in every form on the host. */
import { afterAll, describe, expect, it } from 'vitest';
import { compare, relativeRms, TOLERANCES } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import { decayWidth } from '../../lib/cpu/wasm/decay-calls.js';
import { setThreads, stopThreads, threads } from '../../lib/cpu/wasm/threads.js';
import '../../lib/index.js';
import { scalarDecay, scalarDecayOperator as op, scalarDecayStep } from '../../lib/ops/index.js';
import { withBackend, type BackendName, type Form } from '../../lib/tensor/backend.js';
import { conform } from '../../lib/tensor/conformance.js';
import type { Tensors } from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';

interface Sizes {
  B: number;
  T: number;
  G: number;
  H: number;
  K: number;
  V: number;
}

type Arrays = Record<string, { shape: Shape; values: Float32Array }>;
type Results = Record<string, ArrayLike<number>>;

const FORMS: [Form, BackendName][] = [
  ['reference', 'cpu'],
  ['recurrent', 'cpu'],
  ['chunk', 'cpu'],
  ['recurrent', 'wasm'],
  ['chunk', 'wasm'],
];
const SIZES: Sizes = { B: 2, T: 150, G: 1, H: 2, K: 6, V: 10 };
const TIMED = ['q', 'k', 'v', 'decay', 'dy'];

function draw({ B, T, G, H, K, V }: Sizes, states = B): Arrays {
  const shapes: Record<string, Shape> = {
    q: [B, T, G, K],
    k: [B, T, G, K],
    v: [B, T, H, V],
    decay: [B, T, H],
    initialState: [states, H, K, V],
    dy: [B, T, H, V],
    dfinal: [states, H, K, V],
  };
  const random = new Random(11);
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const one = name === 'decay' ? () => -0.3 * random.uniform() : () => random.normal();
      return [name, { shape, values: Float32Array.from({ length: sizeOf(shape) }, one) }];
    }),
  );
}

/** Outputs and gradients in f32; `packed` are starts of sequences. */
function run(form: Form, backend: BackendName, arrays: Arrays, packed?: number[]): Results {
  return withBackend(backend, () => {
    const { dy, dfinal, ...inputs } = Object.fromEntries(
      Object.entries(arrays).map(([name, { shape, values }]) => [name, tensor(values, { shape })]),
    );
    const cuSeqlens = packed && tensor(Int32Array.from(packed));
    const { outputs, pull } = vjp(
      (p: Record<string, Tensor>) => op({ ...p, cuSeqlens }, { scale: 0.7 }, { form }),
      inputs,
    );
    const seeds: Tensors = {};
    if (dy) seeds.y = dy;
    if (dfinal) seeds.finalState = dfinal;
    const results: Results = {};
    for (const [name, t] of Object.entries(outputs)) results[name] = t.dataSync();
    for (const [name, t] of Object.entries(pull(seeds))) results[`gradient of ${name}`] = t.dataSync();
    return results;
  });
}

/** Tokens [from, to) of row 0 of every input; states are kept. */
function cutTime(arrays: Arrays, from: number, to: number): Arrays {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, { shape, values }]) => {
      if (!TIMED.includes(name)) return [name, { shape, values }];
      const row = sizeOf(shape.slice(2));
      return [name, { shape: [1, to - from, ...shape.slice(2)], values: values.slice(from * row, to * row) }];
    }),
  );
}

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, name: string): void {
  const report = compare(actual, expected, { name, tolerance: TOLERANCES.wasm.gradient });
  expect(report.ok, report.text).toBe(true);
}

describe.each(FORMS)('scalar decay in form %s on %s', (form, backend) => {
  it('gives at any split, with the carried state, what the whole gives', () => {
    const arrays = draw({ ...SIZES, B: 1 });
    const whole = run(form, backend, arrays);
    const row = SIZES.H * SIZES.V;
    for (const t of [1, 15, 16, 63, 64, 65, 149]) {
      const head = run(form, backend, cutTime(arrays, 0, t));
      const carried = { shape: arrays.initialState.shape, values: Float32Array.from(head.finalState) };
      const tail = run(form, backend, { ...cutTime(arrays, t, SIZES.T), initialState: carried });
      close([...Array.from(head.y), ...Array.from(tail.y)], whole.y, `y split at ${t}`);
      close(tail.finalState, whole.finalState, `final state split at ${t}`);
      // Gradients of the tail are those of the whole; its initial state's is the head's final one.
      const back = {
        shape: arrays.dfinal.shape,
        values: Float32Array.from(tail['gradient of initialState']),
      };
      const first = run(form, backend, { ...cutTime(arrays, 0, t), dfinal: back });
      for (const name of ['q', 'k', 'v', 'decay']) {
        const key = `gradient of ${name}`;
        close([...Array.from(first[key]), ...Array.from(tail[key])], whole[key], `${key} split at ${t}`);
      }
      close(first['gradient of initialState'], whole['gradient of initialState'], `initial state at ${t}`);
      expect(head.y.length).toBe(t * row);
    }
  });

  it('gives packed sequences the bits that each has alone', () => {
    const cu = [0, 1, 1, 66, 150];
    const arrays = draw({ ...SIZES, B: 1 }, cu.length - 1);
    const packed = run(form, backend, arrays, cu);
    for (let s = 0; s + 1 < cu.length; s++) {
      const own = cutTime(arrays, cu[s], cu[s + 1]);
      for (const name of ['initialState', 'dfinal']) {
        const { shape, values } = arrays[name];
        const size = sizeOf(shape.slice(1));
        own[name] = { shape: [1, ...shape.slice(1)], values: values.slice(s * size, (s + 1) * size) };
      }
      const alone = run(form, backend, own);
      for (const [key, values] of Object.entries(packed)) {
        const state = /state/i.test(key);
        const row = values.length / (state ? cu.length - 1 : SIZES.T);
        const [from, to] = state ? [s, s + 1] : [cu[s], cu[s + 1]];
        expect(Array.from(values).slice(from * row, to * row), `${key} of ${s}`).toEqual(
          Array.from(alone[key]),
        );
      }
    }
  });

  it('gives value heads of a group what repeated queries and keys give, with summed gradients', () => {
    const grouped = draw({ ...SIZES, T: 70, G: 2, H: 4 });
    const repeat = ({ shape, values }: Arrays[string]) => {
      const [B, T, , K] = shape;
      const wide = new Float32Array(B * T * 4 * K);
      for (let at = 0; at < wide.length; at++) {
        const [p, h, i] = [Math.floor(at / (4 * K)), Math.floor(at / K) % 4, at % K];
        wide[at] = values[(p * 2 + Math.floor(h / 2)) * K + i];
      }
      return { shape: [B, T, 4, K], values: wide };
    };
    const whole = run(form, backend, { ...grouped, q: repeat(grouped.q), k: repeat(grouped.k) });
    const shared = run(form, backend, grouped);
    for (const name of ['y', 'finalState', 'gradient of v', 'gradient of decay'])
      expect(Array.from(shared[name]), name).toEqual(Array.from(whole[name]));
    for (const name of ['q', 'k']) {
      const { K } = SIZES;
      const sums = Array.from(shared[`gradient of ${name}`], (_, at) => {
        const [p, g, i] = [Math.floor(at / (2 * K)), Math.floor(at / K) % 2, at % K];
        const part = (h: number) => whole[`gradient of ${name}`][(p * 4 + h) * K + i];
        return part(2 * g) + part(2 * g + 1);
      });
      close(shared[`gradient of ${name}`], sums, name);
    }
  });

  it('is causal masked attention without softmax where there is no decay and no state', () => {
    const { q, k, v } = draw({ ...SIZES, T: 40, G: 2 });
    const { K, V } = SIZES;
    const { y } = run(form, backend, { q, k, v });
    const expected = new Float64Array(v.values.length);
    for (let b = 0; b < 2; b++)
      for (let h = 0; h < 2; h++)
        for (let i = 0; i < 40; i++)
          for (let j = 0; j <= i; j++) {
            const [atI, atJ] = [(b * 40 + i) * 2 + h, (b * 40 + j) * 2 + h];
            let score = 0;
            for (let a = 0; a < K; a++) score += q.values[atI * K + a] * k.values[atJ * K + a];
            for (let a = 0; a < V; a++) expected[atI * V + a] += 0.7 * score * v.values[atJ * V + a];
          }
    close(y, expected, 'y');
  });

  it('sees a token alone where decays forget everything, minus infinity included', () => {
    const { q, k, v, decay } = draw({ ...SIZES, T: 70, G: 2 });
    const expected = Float64Array.from(v.values, (value, at) => {
      const row = Math.floor(at / SIZES.V) * SIZES.K;
      let score = 0;
      for (let a = 0; a < SIZES.K; a++) score += q.values[row + a] * k.values[row + a];
      return 0.7 * score * value;
    });
    for (const g of [-200, -Infinity])
      close(
        run(form, backend, { q, k, v, decay: { ...decay, values: decay.values.map(() => g) } }).y,
        expected,
        `${g}`,
      );
  });

  it('takes one decay a head as the same decay at every token, with gradients summed', () => {
    const arrays = draw({ ...SIZES, T: 67 });
    const heads = Float32Array.of(-0.05, -0.4);
    const each = arrays.decay.values.map((_, at) => heads[at % 2]);
    const spread = run(form, backend, { ...arrays, decay: { shape: arrays.decay.shape, values: each } });
    const fixed = run(form, backend, { ...arrays, decay: { shape: [2], values: heads } });
    for (const name of Object.keys(spread).filter((key) => key !== 'gradient of decay'))
      expect(Array.from(fixed[name]), name).toEqual(Array.from(spread[name]));
    const sums = [0, 0];
    Array.from(spread['gradient of decay']).forEach((value, at) => (sums[at % 2] += value));
    expect(relativeRms(fixed['gradient of decay'], sums)).toBeLessThan(1e-4);
  });

  it.each(['dy', 'dfinal'])('takes an absent %s as zeros', (name) => {
    const arrays = draw({ ...SIZES, T: 67 });
    const zero = { ...arrays[name], values: arrays[name].values.map(() => 0) };
    const { [name]: _, ...rest } = arrays;
    const without = run(form, backend, rest);
    for (const [key, values] of Object.entries(run(form, backend, { ...arrays, [name]: zero })))
      expect(Array.from(without[key]), key).toEqual(Array.from(values));
  });
});

describe('one token at a time', () => {
  it.each(['cpu', 'wasm'] as const)(
    'gives what the whole sequence gives on %s, on wasm to the bit',
    (backend) => {
      const arrays = draw({ ...SIZES, B: 1, T: 20 });
      const whole = run('recurrent', backend, arrays);
      withBackend(backend, () => {
        let initialState = tensor(arrays.initialState.values, { shape: arrays.initialState.shape });
        const ys: number[] = [];
        for (let t = 0; t < 20; t++) {
          const parts = cutTime(arrays, t, t + 1);
          const [q, k, v, decay] = ['q', 'k', 'v', 'decay'].map((name) =>
            tensor(parts[name].values, { shape: parts[name].shape }),
          );
          const { y, finalState } = scalarDecayStep({ q, k, v, decay, initialState }, { scale: 0.7 });
          ys.push(...Array.from(y.dataSync()));
          initialState = finalState;
        }
        close(ys, whole.y, 'y');
        close(initialState.dataSync(), whole.finalState, 'final state');
        if (backend === 'wasm') expect(ys).toEqual(Array.from(whole.y));
      });
    },
  );
});

describe('the kernels on WASM', () => {
  const before = threads();
  afterAll(() => {
    setThreads(before);
    stopThreads();
  });

  it.each(['recurrent', 'chunk'] as const)('give the same bits on 1, 2 and 3 threads in form %s', (form) => {
    const arrays = draw({ B: 2, T: 200, G: 2, H: 4, K: 32, V: 140 });
    const found = [1, 2, 3].map((count) => {
      setThreads(count);
      return run(form, 'wasm', arrays);
    });
    for (const other of found.slice(1))
      for (const [name, values] of Object.entries(found[0])) {
        const same = Array.from(values).every((value, i) => Object.is(value, other[name][i]));
        expect(same, name).toBe(true);
      }
  });

  it.each(['recurrent', 'chunk'] as const)('hold over 2,003 tokens in form %s', async (form) => {
    const c = {
      name: 'very-long',
      dims: { B: 1, T: 2003, G: 1, H: 2, K: 8, V: 20, spread: 20 },
      with: ['decay', 'initialState'],
    };
    const failed = (await conform(op, c, form, 'wasm')).filter((r) => !r.ok);
    expect(failed.map((r) => r.text)).toEqual([]);
  });

  it('lose no digits over thousands of tokens that hardly fade', async () => {
    for (const least of [1e-5, 0.01, 0.1, 1]) {
      const c = {
        name: 'hardly-fading',
        dims: { B: 1, T: 2003, G: 1, H: 1, K: 5, V: 6, least, spread: 0 },
        with: ['decay', 'initialState'],
      };
      const failed = (await conform(op, c, 'chunk', 'wasm')).filter((r) => !r.ok);
      expect(failed.map((r) => r.text)).toEqual([]);
    }
    const prefer = (backend: BackendName, T: number) =>
      op.record.prefer!(backend, { B: 2, T, G: 1, H: 1, K: 5, V: 6 }, {});
    expect([prefer('wasm', 2048), prefer('wasm', 64), prefer('cpu', 2048)]).toEqual([
      'chunk',
      'recurrent',
      'recurrent',
    ]);
  });

  it('narrow their tiles for long keys, and leave longer ones to TypeScript, with right numbers', async () => {
    expect(decayWidth({ K: 64, V: 64 })).toBe(64);
    expect(decayWidth({ K: 64, V: 130 })).toBe(72);
    expect(decayWidth({ K: 600, V: 64 })).toBeLessThan(64);
    expect(decayWidth({ K: 2000, V: 8 })).toBeUndefined();
    for (const [K, V] of [
      [600, 40],
      [2000, 3],
    ]) {
      const c = {
        name: 'long-keys',
        dims: { B: 1, T: 66, G: 1, H: 1, K, V },
        with: ['decay', 'initialState'],
      };
      for (const form of ['recurrent', 'chunk'] as const) {
        const failed = (await conform(op, c, form, 'wasm')).filter((r) => !r.ok);
        expect(failed.map((r) => r.text)).toEqual([]);
      }
    }
  });
});

describe('wrong inputs are named', () => {
  const zeros = (...shape: number[]) => tensor(new Float32Array(sizeOf(shape)), { shape, device: 'host' });
  const inputs = { q: zeros(1, 4, 2, 3), k: zeros(1, 4, 2, 3), v: zeros(1, 4, 2, 5) };

  it('heads that do not divide', () => {
    expect(() => scalarDecay({ ...inputs, v: zeros(1, 4, 3, 5) })).toThrow(
      'ops/scalar-decay: q must have a number of heads that divides the heads of v, got 2 and 3',
    );
  });

  it('no keys, no values', () => {
    expect(() => scalarDecay({ q: zeros(1, 4, 2, 0), k: zeros(1, 4, 2, 0), v: inputs.v })).toThrow(
      'ops/scalar-decay: K and V must be >= 1, got K = 0 and V = 5',
    );
  });

  it('a state of another batch, and packed rows in a batch of two', () => {
    expect(() => scalarDecay({ ...inputs, initialState: zeros(2, 2, 3, 5) })).toThrow(/initialState/);
    const two = { q: zeros(2, 4, 2, 3), k: zeros(2, 4, 2, 3), v: zeros(2, 4, 2, 5) };
    const cuSeqlens = tensor(Int32Array.of(0, 4), { device: 'host' });
    expect(() => scalarDecay({ ...two, cuSeqlens })).toThrow(
      'ops/scalar-decay: q must have B = 1 with cuSeqlens, got B = 2',
    );
    const wrong = tensor(Int32Array.of(0, 5), { device: 'host' });
    expect(() => scalarDecay({ ...inputs, cuSeqlens: wrong })).toThrow(
      'ops/scalar-decay: cuSeqlens must start at 0, never fall and end at T = 4',
    );
  });

  it('a decay of another shape, and more than one token in a step', () => {
    expect(() => scalarDecay({ ...inputs, decay: zeros(3) })).toThrow(/decay/);
    expect(() => scalarDecayStep(inputs)).toThrow(
      'ops/scalar-decay: q must hold one token in form step, got T = 4',
    );
  });
});
