/** Laws of wkv4 that hold in every form, and what it refuses. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { TOLERANCES } from '../../lib/core/compare.js';
import * as math from '../../lib/core/math.js';
import { type Shape } from '../../lib/core/shape.js';
import { setThreads } from '../../lib/cpu/index.js';
import { tokenShift, wkv4, wkv4Step } from '../../lib/families/rwkv/index.js';
import { slice } from '../../lib/ops/structure/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { tensor } from '../../lib/tensor/tensor.js';
import { PLACES, D, draw, stateLike, inputsOf, seedsOf, run, cut, expectClose } from './rwkv-support.js';

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
