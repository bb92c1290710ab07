/** Laws of the RWKV operators that hold in every form. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { compare, TOLERANCES } from '../../lib/core/compare.js';
import * as math from '../../lib/core/math.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import { setThreads } from '../../lib/cpu/index.js';
import {
  channelMixing,
  mixTokens,
  rwkv7Decay,
  rwkvDecay,
  RWKV7_DECAY,
  tokenShift,
  tokenShiftOperator,
  wkv4,
  wkv4Operator,
  wkv4Step,
  wkv5,
  wkv6,
  wkv7,
} from '../../lib/families/rwkv/index.js';
import { diagonalDecay } from '../../lib/ops/diagonal-decay/index.js';
import { square } from '../../lib/ops/map/index.js';
import { sum } from '../../lib/ops/reduce/index.js';
import { slice } from '../../lib/ops/structure/index.js';
import { withBackend, type BackendName, type Form } from '../../lib/tensor/backend.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import type { Operator } from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';

type Arrays = Record<string, { shape: Shape; values: Float64Array }>;
type Results = Record<string, ArrayLike<number>>;

const PLACES = [
  { form: 'recurrent', backend: 'cpu' },
  { form: 'chunk', backend: 'cpu' },
  { form: 'recurrent', backend: 'wasm' },
] as const;
/** Inputs and gradients that have a row a token, and those that have one a sequence. */
const TIMED = ['k', 'v', 'y'];
const D = 37;

function draw(shape: Shape, seed: string, f: (r: Random, i: number) => number = (r) => r.normal()) {
  const random = new Random(7).split(seed);
  return { shape, values: Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.fround(f(random, i))) };
}

const stateLike = (rows: number, seed: string) =>
  draw([rows, 3, D], seed, (r, i) => (Math.floor(i / D) % 3 === 1 ? 0.3 + r.uniform() : r.normal()));

function inputsOf(T: number): Arrays {
  return {
    k: draw([1, T, D], 'k', (r) => 3 * r.normal()),
    v: draw([1, T, D], 'v'),
    decay: draw([D], 'decay', (r) => -0.01 - r.uniform()),
    bonus: draw([D], 'bonus'),
    initialState: stateLike(1, 'state'),
  };
}

const seedsOf = (T: number): Arrays => ({ y: draw([1, T, D], 'dy'), finalState: draw([1, 3, D], 'dfinal') });

/** Outputs and gradients by name. */
function run(
  x: Arrays,
  seeds: Arrays,
  place: { form?: Form; backend: BackendName },
  cuSeqlens?: number[],
  op: Operator = wkv4Operator,
): Results {
  const make = (a: Arrays) =>
    Object.fromEntries(
      Object.entries(a).map(([k, { shape, values }]) => [
        k,
        tensor(values, { shape, dtype: 'f32', device: 'host' }),
      ]),
    );
  const packed = cuSeqlens && { cuSeqlens: tensor(cuSeqlens, { dtype: 'i32', device: 'host' }) };
  return withBackend(place.backend, () => {
    const { outputs, pull } = vjp(
      (p: Record<string, Tensor>) => op({ ...p, ...packed }, {}, { form: place.form }),
      make(x),
    );
    const named = Object.entries(pull(make(seeds))).map(([k, g]) => [`d${k}`, g.dataSync()] as const);
    return Object.fromEntries([
      ...Object.entries(outputs).map(([k, t]) => [k, t.dataSync()] as const),
      ...named,
    ]);
  });
}

/** Steps from..to of everything that varies in time. */
function cut(x: Arrays, from: number, to: number): Arrays {
  return Object.fromEntries(
    Object.entries(x).map(([name, { shape, values }]) =>
      TIMED.includes(name)
        ? [name, { shape: [1, to - from, D], values: values.slice(from * D, to * D) }]
        : [name, { shape, values }],
    ),
  );
}

function expectClose(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number, name: string): void {
  const report = compare(got, want, { name, tolerance });
  expect(report.ok, report.text).toBe(true);
}

describe.each(PLACES)('wkv4 in form $form on $backend', (place) => {
  const T = 200;
  const tolerance = TOLERANCES[place.backend];

  it('cut anywhere in two calls through the state is the one call, with its gradients', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: T - 1 }), (at) => {
        const [x, seeds] = [inputsOf(T), seedsOf(T)];
        const whole = run(x, seeds, place);
        const zero = { shape: [1, 3, D], values: new Float64Array(3 * D) };
        const first = run(cut(x, 0, at), { ...cut(seeds, 0, at), finalState: zero }, place);
        const state = { shape: [1, 3, D], values: Float64Array.from(first.finalState) };
        const second = run({ ...cut(x, at, T), initialState: state }, cut(seeds, at, T), place);
        const adjoint = { shape: [1, 3, D], values: Float64Array.from(second.dinitialState) };
        const again = run(cut(x, 0, at), { ...cut(seeds, 0, at), finalState: adjoint }, place);
        const joined = (name: string) => [...Array.from(again[name]), ...Array.from(second[name])];
        const added = (name: string) => Array.from(again[name], (v, i) => v + second[name][i]);
        expectClose(joined('y'), whole.y, tolerance.forward, 'y');
        expectClose(second.finalState, whole.finalState, tolerance.forward, 'finalState');
        for (const name of ['dk', 'dv']) expectClose(joined(name), whole[name], tolerance.gradient, name);
        for (const name of ['ddecay', 'dbonus'])
          expectClose(added(name), whole[name], tolerance.gradient, name);
        expectClose(again.dinitialState, whole.dinitialState, tolerance.gradient, 'dinitialState');
      }),
      { numRuns: 4, seed: 7, examples: [[64], [17]] },
    );
  });

  it('packed gives every sequence the bits it has alone, outputs and gradients', () => {
    const starts = [0, 83, 83, 84, T];
    const [x, seeds] = [inputsOf(T), seedsOf(T)];
    const [initial, final] = [stateLike(4, 'states'), draw([4, 3, D], 'finals')];
    const whole = run({ ...x, initialState: initial }, { ...seeds, finalState: final }, place, starts);
    starts.slice(1).forEach((end, s) => {
      const start = starts[s];
      const width = 3 * D;
      const row = (a: Float64Array) => ({ shape: [1, 3, D], values: a.slice(s * width, (s + 1) * width) });
      const own = { ...cut(x, start, end), initialState: row(initial.values) };
      const alone = run(own, { ...cut(seeds, start, end), finalState: row(final.values) }, place);
      for (const name of ['y', 'dk', 'dv'])
        expect(Array.from(alone[name]), name).toEqual(Array.from(whole[name]).slice(start * D, end * D));
      for (const name of ['finalState', 'dinitialState'])
        expect(Array.from(alone[name]), name).toEqual(
          Array.from(whole[name]).slice(s * width, (s + 1) * width),
        );
    });
  });

  it('says the same when the exponent of the initial state moves into its sums', () => {
    const x = inputsOf(50);
    const moved = x.initialState.values.map((v, i) => {
      const part = Math.floor(i / D) % 3;
      return part === 2 ? v - 2 : v * math.exp(2);
    });
    const [one, two] = [x, { ...x, initialState: { shape: [1, 3, D], values: moved } }].map((inputs) =>
      run(inputs, { y: seedsOf(50).y }, place),
    );
    for (const name of ['y', 'dk', 'dv', 'ddecay', 'dbonus'])
      expectClose(two[name], one[name], tolerance.gradient, name);
  });

  it('forgets at the right rate however small the decay is beside the key', () => {
    // pp + w rounds to pp here: the rate would be lost if it were added token by token.
    const T = 4096;
    const values = (f: (t: number) => number) => ({
      shape: [1, T, 1],
      values: Float64Array.from({ length: T }, (_, t) => f(t)),
    });
    const k = values((t) => (t === 0 ? 64 : 62));
    const v = values((t) => (t === 0 ? 1 : 0));
    const rate = Math.fround(-1e-6);
    const vector = (value: number) => ({ shape: [1], values: Float64Array.of(value) });
    const { y } = run({ k, v, decay: vector(rate), bonus: vector(0) }, { y: values(() => 1) }, place);
    const old = math.exp(64 + (T - 2) * rate - 62);
    let rest = 1;
    for (let t = 1; t < T - 1; t++) rest += math.exp((T - 2 - t) * rate);
    expect(Math.abs(y[T - 1] / (old / (old + rest)) - 1)).toBeLessThan(2e-5);
  });
});

it('wkv4 steps from state to state give what the whole sequence gives', () => {
  const T = 23;
  for (const backend of ['cpu', 'wasm'] as const)
    withBackend(backend, () => {
      const x = Object.fromEntries(
        Object.entries(inputsOf(T)).map(([name, { shape, values }]) => [
          name,
          tensor(values, { shape, dtype: 'f32', device: 'host' }),
        ]),
      );
      const whole = wkv4(x as never);
      let state = x.initialState;
      const rows: number[] = [];
      for (let t = 0; t < T; t++) {
        const one = { ...x, k: slice(x.k, 1, t, t + 1), v: slice(x.v, 1, t, t + 1), initialState: state };
        const { y, finalState } = wkv4Step(one as never);
        rows.push(...Array.from(y.dataSync()));
        state = finalState;
      }
      expectClose(rows, whole.y.dataSync(), TOLERANCES.wasm.forward, 'y');
      expectClose(state.dataSync(), whole.finalState.dataSync(), TOLERANCES.wasm.forward, 'finalState');
    });
});

describe('wkv4 on wasm', () => {
  afterAll(() => setThreads(2));
  it('has the same bits on one, two and three threads', () => {
    const T = 2100;
    const [x, seeds] = [inputsOf(T), seedsOf(T)];
    const results = [1, 2, 3].map((n) => {
      setThreads(n);
      return run(x, seeds, { form: 'recurrent', backend: 'wasm' });
    });
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});

describe('wkv5, wkv6 and wkv7', () => {
  const [B, T, H, K, V] = [2, 21, 2, 4, 3];
  const make = (shape: Shape, seed: string, f?: (r: Random) => number) =>
    tensor(draw(shape, seed, f).values, { shape, dtype: 'f64', device: 'host' });
  const shared = {
    r: make([B, T, H, K], 'r'),
    k: make([B, T, H, K], 'key'),
    v: make([B, T, H, V], 'value'),
    bonus: make([H, K], 'u'),
    initialState: make([B, H, K, V], 'h'),
  };
  const decay = make([B, T, H, K], 'w', (r) => -r.uniform());
  const fixed = make([H, K], 'w5', (r) => -r.uniform());

  it('wkv6 with the same decay in every token is wkv5', () => {
    const spread = Float64Array.from({ length: B * T * H * K }, (_, i) => fixed.dataSync()[i % (H * K)]);
    const one = wkv5({ ...shared, decay: fixed });
    const two = wkv6({
      ...shared,
      decay: tensor(spread, { shape: [B, T, H, K], dtype: 'f64', device: 'host' }),
    });
    expectClose(two.y.dataSync(), one.y.dataSync(), 1e-13, 'y');
    expectClose(two.finalState.dataSync(), one.finalState.dataSync(), 1e-13, 'finalState');
  });

  it('wkv6 with no bonus reads the state before the token enters it', () => {
    const zero = tensor(new Float64Array(H * K), { shape: [H, K], dtype: 'f64', device: 'host' });
    const after = slice(wkv6({ ...shared, decay, bonus: zero }).y, 1, 1, T);
    const exact = diagonalDecay({
      q: shared.r,
      k: shared.k,
      v: shared.v,
      decay,
      initialState: shared.initialState,
    });
    const differ = compare(after.dataSync(), slice(exact.y, 1, 1, T).dataSync(), {
      name: 'y',
      tolerance: 1e-3,
    });
    expect(differ.ok).toBe(false);
    // The first token reads the initial state alone.
    const { r, initialState } = shared;
    for (let b = 0; b < B; b++)
      for (let v = 0; v < V; v++) {
        let sum = 0;
        for (let i = 0; i < K; i++)
          sum += r.dataSync()[b * T * H * K + i] * initialState.dataSync()[(b * H * K + i) * V + v];
        const got = wkv6({ ...shared, decay, bonus: zero }).y.dataSync()[b * T * H * V + v];
        expect(got).toBeCloseTo(sum, 12);
      }
  });

  it('wkv7 that removes nothing is linear attention with diagonal decay, read after the write', () => {
    const removal = make([B, T, H, K], 'kk');
    const rate = tensor(new Float64Array(B * T * H * K), {
      shape: [B, T, H, K],
      dtype: 'f64',
      device: 'host',
    });
    const { r, k, v, initialState } = shared;
    const one = wkv7({ r, k, v, removal, rate, decay, initialState });
    const two = diagonalDecay({ q: r, k, v, decay, initialState });
    expectClose(one.y.dataSync(), two.y.dataSync(), 1e-13, 'y');
    expectClose(one.finalState.dataSync(), two.finalState.dataSync(), 1e-13, 'finalState');
  });

  it('wkv7 with rate one and no decay leaves nothing of what stood under a removal key', () => {
    // One token, unit key e_0: row 0 of the state is replaced by the value, the others stay.
    const unit = (length: number) =>
      tensor(
        Float64Array.from({ length }, (_, i) => Number(i === 0)),
        { shape: [1, 1, 1, length], dtype: 'f64', device: 'host' },
      );
    const state = make([1, 1, K, V], 'state7');
    const ones = tensor(new Float64Array(K).fill(1), { shape: [1, 1, 1, K], dtype: 'f64', device: 'host' });
    const none = tensor(new Float64Array(K), { shape: [1, 1, 1, K], dtype: 'f64', device: 'host' });
    const v = make([1, 1, 1, V], 'v7');
    const { finalState } = wkv7({
      r: ones,
      k: unit(K),
      v,
      removal: unit(K),
      rate: ones,
      decay: none,
      initialState: state,
    });
    const want = [...v.dataSync(), ...state.dataSync().slice(V)];
    expectClose(finalState.dataSync(), want, 1e-14, 'state');
  });
});

describe('token shift', () => {
  const arrays = (T: number): Arrays => ({ x: draw([1, T, D], 'x'), state: draw([1, D], 's') });
  const place = { backend: 'wasm' } as const;

  it('puts the state before the first token, hands on the last one, and its gradient shifts back', () => {
    const T = 5;
    const x = arrays(T);
    const dy = draw([1, T, D], 'dy');
    const dfinal = draw([1, D], 'df');
    const got = run(x, { y: dy, finalState: dfinal }, place, undefined, tokenShiftOperator);
    const values = Array.from(x.x.values);
    expect(Array.from(got.y)).toEqual([...x.state.values, ...values.slice(0, (T - 1) * D)]);
    expect(Array.from(got.finalState)).toEqual(values.slice((T - 1) * D));
    expect(Array.from(got.dx)).toEqual([...dy.values.slice(D), ...dfinal.values]);
    expect(Array.from(got.dstate)).toEqual(Array.from(dy.values.slice(0, D)));
  });

  it('does not look across the borders of packed sequences; an empty one passes its state on', () => {
    const x = { x: draw([1, 6, D], 'x'), state: draw([3, D], 's3') };
    const got = run(x, { y: draw([1, 6, D], 'dy') }, place, [0, 4, 4, 6], tokenShiftOperator);
    const row = (a: ArrayLike<number>, i: number) => Array.from(a).slice(i * D, (i + 1) * D);
    expect(row(got.y, 0)).toEqual(row(x.state.values, 0));
    expect(row(got.y, 4)).toEqual(row(x.state.values, 2));
    expect(row(got.finalState, 0)).toEqual(row(x.x.values, 3));
    expect(row(got.finalState, 1)).toEqual(row(x.state.values, 1));
    expect(row(got.dx, 3)).toEqual(new Array(D).fill(0));
  });
});

describe('parametrisations and channel mixing', () => {
  const f64 = (shape: Shape, seed: string) =>
    tensor(draw(shape, seed).values, { shape, dtype: 'f64', device: 'host' });

  it('rwkv7Decay is -exp(-softplus(-raw) - 1/2), and rwkvDecay -e^raw', () => {
    const raw = f64([40], 'raw');
    const want = Array.from(raw.dataSync(), (x) => -math.exp(-math.softplus(-x) - 0.5));
    expectClose(rwkv7Decay(raw).dataSync(), want, 1e-14, 'rwkv7Decay');
    expect(RWKV7_DECAY).toBeCloseTo(0.6065306597126334, 15);
    expectClose(
      rwkvDecay(raw).dataSync(),
      Array.from(raw.dataSync(), (x) => -math.exp(x)),
      1e-15,
      'rwkvDecay',
    );
  });

  it('a mixture weighs the token itself up to RWKV-5 and the one before from RWKV-6 on', () => {
    const [x, before] = [f64([1, 2, 3], 'a'), f64([1, 2, 3], 'b')];
    const weight = tensor([0.25, 0.5, 1], { dtype: 'f64', device: 'host' });
    const other = tensor([0.75, 0.5, 0], { dtype: 'f64', device: 'host' });
    const [early] = mixTokens(x, before, [weight], 5);
    const [late] = mixTokens(x, before, [other], 6);
    expectClose(early.dataSync(), late.dataSync(), 1e-14, 'mixture');
    expect(early.dataSync()[2]).toBeCloseTo(x.dataSync()[2], 14);
  });

  const weights = {
    key: f64([7, 5], 'Wk'),
    value: f64([5, 7], 'Wv'),
    mixKey: f64([5], 'mk'),
    receptance: f64([5, 5], 'Wr'),
    mixReceptance: f64([5], 'mr'),
  };

  it.each([4, 5, 6, 7] as const)('channel mixing of version %i is its formula, with gradients', (version) => {
    const { receptance, mixReceptance, ...rest } = weights;
    const p = version === 7 ? rest : weights;
    const [x, state] = [f64([2, 3, 5], 'x'), f64([2, 5], 'state')];
    const { y, finalState } = channelMixing(p, x, { version, state });
    const at = (b: number, t: number, i: number) =>
      t < 0 ? state.dataSync()[b * 5 + i] : x.dataSync()[(b * 3 + t) * 5 + i];
    const mixed = (b: number, t: number, mu: Tensor) =>
      Array.from({ length: 5 }, (_, i) => {
        const m = version <= 5 ? 1 - mu.dataSync()[i] : mu.dataSync()[i];
        return at(b, t, i) * (1 - m) + at(b, t - 1, i) * m;
      });
    const times = (W: Tensor, v: number[]) =>
      Array.from({ length: W.shape[0] }, (_, o) =>
        v.reduce((s, e, i) => s + W.dataSync()[o * v.length + i] * e, 0),
      );
    const want: number[] = [];
    for (let b = 0; b < 2; b++)
      for (let t = 0; t < 3; t++) {
        const hidden = times(weights.key, mixed(b, t, weights.mixKey)).map((h) => Math.max(h, 0) ** 2);
        const gate =
          version === 7
            ? [1, 1, 1, 1, 1]
            : times(receptance, mixed(b, t, mixReceptance)).map((g) => math.sigmoid(g));
        want.push(...times(weights.value, hidden).map((v, i) => v * gate[i]));
      }
    expectClose(y.dataSync(), want, 1e-13, 'y');
    expectClose(
      finalState.dataSync(),
      Array.from({ length: 10 }, (_, i) => at(Math.floor(i / 5), 2, i % 5)),
      0,
      'state',
    );
    const report = gradcheck(
      (input: Tensor) => sum(square(channelMixing(p, input, { version, state }).y)),
      [x],
    );
    expect(report.ok, JSON.stringify(report)).toBe(true);
  });

  it('says when a receptance is missing or too much', () => {
    const { receptance, ...half } = weights;
    const x = f64([1, 2, 5], 'x');
    expect(() => channelMixing(half, x, { version: 5 })).toThrow(
      'channelMixing: receptance and mixReceptance must be given for version 5, got mixReceptance',
    );
    expect(() => channelMixing(weights, x, { version: 7 })).toThrow(
      'channelMixing: receptance and mixReceptance must be absent for version 7, got receptance and mixReceptance',
    );
    expect(() => channelMixing({ ...half, mixReceptance: undefined, receptance }, x, { version: 7 })).toThrow(
      'must be absent for version 7, got receptance',
    );
    expect(() => mixTokens(x, x, [], 3 as never)).toThrow('mixTokens: version must be 4, 5, 6 or 7, got 3');
    expect(() => channelMixing(weights, x, { version: 3 as never })).toThrow(
      'channelMixing: version must be 4, 5, 6 or 7, got 3',
    );
  });
});

describe('bad input', () => {
  const host = (shape: Shape) => tensor(draw(shape, 'any').values, { shape, dtype: 'f32', device: 'host' });
  const inputs = { k: host([2, 3, 4]), v: host([2, 3, 4]), decay: host([4]), bonus: host([4]) };

  it('is told by name, condition and value', () => {
    expect(() => wkv4(inputs, { scale: 2 } as never)).toThrow('rwkv/wkv4: parameters must be among (none)');
    expect(() => wkv4({ ...inputs, v: host([2, 3, 5]) })).toThrow(
      'rwkv/wkv4: v must have shape [B,T,D] with D = 4, got [2, 3, 5]',
    );
    expect(() => wkv4({ ...inputs, initialState: host([3, 3, 4]) })).toThrow(
      'rwkv/wkv4: initialState must have one row a sequence (2), got 3',
    );
    expect(() => wkv4({ ...inputs, initialState: host([2, 2, 4]) })).toThrow(/initialState must have shape/);
    expect(() => wkv4(inputs, { form: 'step' })).toThrow(
      'rwkv/wkv4: k must hold one token in form step, got T = 3',
    );
    const starts = tensor([0, 3], { dtype: 'i32', device: 'host' });
    expect(() => wkv4({ ...inputs, cuSeqlens: starts })).toThrow(
      'rwkv/wkv4: k must have B = 1 with cuSeqlens, got B = 2',
    );
    expect(() => tokenShift(host([2, 3, 4]), { state: host([3, 4]) })).toThrow(
      'rwkv/token-shift: state must have one row a sequence (2), got 3',
    );
  });
});
