/** Laws that every mixer with a state keeps in every form: splitting, packing, steps, threads, causality. */
import { expect, it } from 'vitest';
import { compare, TOLERANCES } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import '../../lib/cpu/index.js';
import { readyWorkers, setThreads } from '../../lib/cpu/wasm/threads.js';
import { withBackend, type BackendName, type Form } from '../../lib/tensor/backend.js';
import type { Operator, Params } from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { formula } from '../nn/support.js';

export type Arrays = Record<string, { shape: Shape; values: Float64Array }>;
export type Results = Record<string, ArrayLike<number>>;

export interface Place {
  form?: Form;
  backend: BackendName;
  dtype?: 'f32' | 'f64';
}

/** One operator as the laws see it. */
export interface Mixer {
  op: Operator;
  params?: Params;
  forms: readonly Form[];
  /** Inputs whose axis 1 is time; `y` counts as one. */
  timed: readonly string[];
  /** Shape of the state of one sequence, without its first axis. */
  state: Shape;
  /** Width of a row of y in time: heads times values. */
  width: number;
  /** Inputs for B = 1 and T tokens, without the state. */
  inputs(T: number, draw: Draw): Arrays;
  /** One row of states, of `rows` sequences. */
  states(rows: number, draw: Draw): Arrays[string];
}

/** Draws numbers of a shape, rounded to f32. */
export interface Draw {
  normal(shape: Shape): Arrays[string];
  uniform(shape: Shape, low: number, high: number): Arrays[string];
}

export function drawer(seed: number): Draw {
  const random = new Random(seed);
  const fill = (shape: Shape, f: () => number) => ({
    shape,
    values: Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(f())),
  });
  return {
    normal: (shape) => fill(shape, () => random.normal()),
    uniform: (shape, low, high) => fill(shape, () => low + (high - low) * random.uniform()),
  };
}

export function expectClose(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  tolerance: number,
  name: string,
): void {
  const report = compare(got, want, { name, tolerance, floor: 1e-6 });
  expect(report.ok, report.text).toBe(true);
}

/** Outputs by name and gradients with a `d` in front. */
export function run(
  op: Operator,
  params: Params | undefined,
  x: Arrays,
  seeds: Arrays,
  place: Place,
  cuSeqlens?: readonly number[],
): Results {
  const { dtype = 'f32', backend, form } = place;
  const make = (a: Arrays) =>
    Object.fromEntries(
      Object.entries(a).map(([k, { shape, values }]) => [
        k,
        tensor(values, { shape, dtype, device: 'host' }),
      ]),
    );
  const packed = cuSeqlens && {
    cuSeqlens: tensor(Int32Array.from(cuSeqlens), { dtype: 'i32', device: 'host' }),
  };
  return withBackend(backend, () => {
    const { outputs, pull } = vjp(
      (p: Record<string, Tensor>) => op({ ...p, ...packed }, params, { form }),
      make(x),
    );
    const grads = pull(make(seeds));
    return Object.fromEntries([
      ...Object.entries(outputs).map(([k, t]) => [k, t.dataSync()] as const),
      ...Object.entries(grads).map(([k, g]) => [`d${k}`, g.dataSync()] as const),
    ]);
  });
}

interface Problem {
  x: Arrays;
  seeds: Arrays;
}

function problem(m: Mixer, T: number, seed: number, rows = 1): Problem {
  const draw = drawer(seed);
  const x = { ...m.inputs(T, draw), initialState: m.states(rows, draw) };
  const seeds = {
    y: draw.normal(m.inputs(T, draw)[m.timed[0]].shape),
    finalState: draw.normal(x.initialState.shape),
  };
  return { x, seeds };
}

const widthOf = (a: Arrays[string]) => sizeOf(a.shape.slice(2));

/** Tokens from..to of everything that has time. */
function cut(m: Mixer, a: Arrays, from: number, to: number): Arrays {
  return Object.fromEntries(
    Object.entries(a).map(([name, { shape, values }]) => {
      if (name !== 'y' && !m.timed.includes(name)) return [name, { shape, values }];
      const width = sizeOf(shape.slice(2));
      const part = {
        shape: [1, to - from, ...shape.slice(2)],
        values: values.slice(from * width, to * width),
      };
      return [name, part];
    }),
  );
}

const timedGradients = (m: Mixer) => m.timed.map((name) => `d${name}`);
const stateOf = (m: Mixer, values: ArrayLike<number>, rows = 1) => ({
  shape: [rows, ...m.state],
  values: Float64Array.from(values),
});

/** Registers the laws for one mixer; `v` of `timed[0]` must have the shape of y. */
export function describeLaws(m: Mixer): void {
  it('gives in f64 what the reference gives, in every form, around chunks, with all gradients', () => {
    for (const T of [1, 2, 31, 63, 64, 65, 97, 130]) {
      const { x, seeds } = problem(m, T, T);
      const want = run(m.op, m.params, x, seeds, { form: 'reference', backend: 'cpu', dtype: 'f64' });
      for (const form of m.forms) {
        const got = run(m.op, m.params, x, seeds, { form, backend: 'cpu', dtype: 'f64' });
        for (const name of Object.keys(want))
          expectClose(got[name], want[name], 1e-11, `${form} ${T} ${name}`);
      }
    }
  });

  for (const form of m.forms)
    for (const backend of ['cpu', 'wasm'] as const) describePlace(m, { form, backend });

  it('takes single steps from state to state to what one call gives', () => {
    for (const backend of ['cpu', 'wasm'] as const) {
      const { x, seeds } = problem(m, 29, 3);
      const whole = run(m.op, m.params, x, seeds, { backend });
      let state = x.initialState;
      const rows: number[] = [];
      for (let t = 0; t < 29; t++) {
        const at = { ...cut(m, x, t, t + 1), initialState: state };
        const token = run(m.op, m.params, at, cut(m, seeds, t, t + 1), { form: 'step', backend });
        rows.push(...Array.from(token.y));
        state = stateOf(m, token.finalState);
      }
      expectClose(rows, whole.y, TOLERANCES[backend].forward, 'y');
      expectClose(state.values, whole.finalState, TOLERANCES[backend].forward, 'finalState');
    }
  });

  it('has the same bits on one, two and three threads', async () => {
    const { x, seeds } = problem(m, 150, 8);
    const bits = (form: Form) => Object.entries(run(m.op, m.params, x, seeds, { form, backend: 'wasm' }));
    const all = () =>
      m.forms.flatMap((f) => bits(f).map(([name, v]) => [`${f} ${name}`, Array.from(v)] as const));
    setThreads(1);
    const one = all();
    for (const threads of [2, 3]) {
      setThreads(threads);
      all();
      for (let i = 0; i < 500 && readyWorkers() < threads - 1; i++)
        await new Promise((resolve) => setTimeout(resolve, 10));
      expect(readyWorkers()).toBe(threads - 1);
      all().forEach(([name, values], i) => expect(values, `${name}, ${threads} threads`).toEqual(one[i][1]));
    }
    setThreads(1);
  });
}

function describePlace(m: Mixer, place: Place): void {
  const tolerance = TOLERANCES[place.backend];
  const at = (x: Arrays, seeds: Arrays, cu?: readonly number[]) => run(m.op, m.params, x, seeds, place, cu);

  it(`${place.form} on ${place.backend}: two calls joined by the state are the one call, with gradients`, () => {
    for (const [T, where] of [
      [130, 64],
      [97, 13],
      [31, 30],
    ]) {
      const { x, seeds } = problem(m, T, 5);
      const whole = at(x, seeds);
      const left = cut(m, x, 0, where);
      const none = stateOf(m, new Float64Array(sizeOf(m.state)));
      const first = at(left, { ...cut(m, seeds, 0, where), finalState: none });
      const right = { ...cut(m, x, where, T), initialState: stateOf(m, first.finalState) };
      const second = at(right, cut(m, seeds, where, T));
      const again = at(left, { ...cut(m, seeds, 0, where), finalState: stateOf(m, second.dinitialState) });
      for (const name of ['y', ...timedGradients(m)]) {
        const joined = [...Array.from(again[name]), ...Array.from(second[name])];
        expectClose(joined, whole[name], name === 'y' ? tolerance.forward : tolerance.gradient, name);
      }
      expectClose(second.finalState, whole.finalState, tolerance.forward, 'finalState');
      expectClose(again.dinitialState, whole.dinitialState, tolerance.gradient, 'dinitialState');
      for (const name of Object.keys(x).filter((n) => n !== 'initialState' && !m.timed.includes(n))) {
        const added = Array.from(again[`d${name}`], (v, i) => v + second[`d${name}`][i]);
        expectClose(added, whole[`d${name}`], tolerance.gradient, `d${name}`);
      }
    }
  });

  // The quadratic form has no sequences of its own: there packing only agrees within rounding.
  const exact = place.form !== 'parallel';
  it(`${place.form} on ${place.backend}: a packed sequence has the ${exact ? 'bits' : 'numbers'} it has alone`, () => {
    const starts = [0, 1, 1, 66, 150];
    const { x, seeds } = problem(m, 150, 9, 4);
    const whole = at(x, seeds, starts);
    const one = sizeOf(m.state);
    for (let s = 0; s + 1 < starts.length; s++) {
      const [from, to] = [starts[s], starts[s + 1]];
      const row = (a: Arrays[string]) => stateOf(m, a.values.subarray(s * one, (s + 1) * one));
      const alone = at(
        { ...cut(m, x, from, to), initialState: row(x.initialState) },
        { ...cut(m, seeds, from, to), finalState: row(seeds.finalState) },
      );
      for (const name of ['y', 'finalState', 'dinitialState', ...timedGradients(m)]) {
        const state = name.endsWith('State');
        const width = state ? one : name === 'y' ? m.width : widthOf(x[name.slice(1)]);
        const part = Array.from(whole[name]).slice((state ? s : from) * width, (state ? s + 1 : to) * width);
        if (exact) expect(Array.from(alone[name]), name).toEqual(part);
        else expectClose(alone[name], part, tolerance.gradient, name);
      }
    }
  });

  it(`${place.form} on ${place.backend}: later tokens leave earlier outputs as they are`, () => {
    const [{ x, seeds }, other] = [problem(m, 130, 11), problem(m, 130, 12)];
    const mixed = { ...x };
    for (const name of m.timed) {
      const values = Float64Array.from(x[name].values);
      const from = 101 * widthOf(x[name]);
      values.set(other.x[name].values.subarray(from), from);
      mixed[name] = { shape: x[name].shape, values };
    }
    const until = (r: Results) => Array.from(r.y).slice(0, 101 * m.width);
    if (exact) expect(until(at(mixed, seeds))).toEqual(until(at(x, seeds)));
    else expectClose(until(at(mixed, seeds)), until(at(x, seeds)), tolerance.forward, 'y');
  });
}

/** One stored case of test/golden/linear-attention.json. */
export interface GoldenCase {
  name: string;
  inputs: Record<string, number[]>;
  outputs: Record<string, number[]>;
  gradients: Record<string, number[]>;
}

/** Input of a golden case: scale and shift as in the script; the sum is rounded to f32. */
export function goldenInput(
  c: GoldenCase,
  name: string,
  shape: Shape,
  dtype: 'f32' | 'f64',
  [scale, shift]: readonly [number, number] = [2, 0],
): Tensor {
  const values = formula(`${c.name}/${name}`, shape, scale).map((v) => Math.fround(v + shift));
  return tensor(values, { shape, dtype, device: 'host' });
}

/** Outputs and gradients of `compute` that do not agree with a golden case, as sentences. */
export function goldenDisagreements(
  c: GoldenCase,
  arithmetic: {
    dtype: 'f32' | 'f64';
    backend: BackendName;
    tolerance: { forward: number; gradient: number };
  },
  compute: (inputs: Record<string, Tensor>) => Record<string, Tensor>,
  scales: Record<string, readonly [number, number]> = {},
): string[] {
  const { dtype, backend, tolerance } = arithmetic;
  return withBackend(backend, () => {
    const leaves = Object.fromEntries(
      Object.entries(c.inputs).map(([name, shape]) => [
        name,
        goldenInput(c, name, shape, dtype, scales[name]),
      ]),
    );
    const { outputs, pull } = vjp((p: Record<string, Tensor>) => {
      const made = compute(p);
      return Object.fromEntries(Object.keys(c.outputs).map((name) => [name, made[name]]));
    }, leaves);
    const grads = pull(
      Object.fromEntries(
        Object.entries(outputs).map(([name, t]) => [name, goldenInput(c, `d${name}`, t.shape, dtype)]),
      ),
    );
    const report = (name: string, t: Tensor, want: number[], limit: number) =>
      compare(t.dataSync(), want, {
        name: `${c.name} ${name}`,
        dims: t.shape,
        tolerance: limit,
        floor: 1e-6,
      });
    return [
      ...Object.entries(c.outputs).map(([k, want]) => report(k, outputs[k], want, tolerance.forward)),
      ...Object.entries(c.gradients).map(([k, want]) =>
        report(`gradient of ${k}`, grads[k], want, tolerance.gradient),
      ),
    ]
      .filter((r) => !r.ok)
      .map((r) => r.text);
  });
}
