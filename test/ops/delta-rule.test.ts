/** The delta rule: laws of every form, what it becomes in special cases, keys that are hard, messages. */
import { describe, expect, it } from 'vitest';
import '../../lib/cpu/index.js';
import { relativeRms, TOLERANCES } from '../../lib/core/compare.js';
import type { Shape } from '../../lib/core/shape.js';
import { deltaRule, deltaRuleOperator, scalarDecay } from '../../lib/ops/index.js';
import { withBackend, type BackendName } from '../../lib/tensor/backend.js';
import { tensor, zeros, type Tensor } from '../../lib/tensor/tensor.js';
import { describeLaws, drawer, run, type Arrays, type Draw } from '../families/mixer-support.js';

const FORMS = ['recurrent', 'chunk'] as const;

/** Rows of unit length. */
function unit(rows: Arrays[string]): Arrays[string] {
  const width = rows.shape[rows.shape.length - 1];
  const values = rows.values.map((x, i) => {
    const row = rows.values.subarray(i - (i % width), i - (i % width) + width);
    return Math.fround(x / Math.sqrt(row.reduce((sum, y) => sum + y * y, 0)));
  });
  return { shape: rows.shape, values };
}

/** Two key heads for four value heads, of different widths. */
const inputs = (T: number, draw: Draw): Arrays => ({
  v: draw.normal([1, T, 4, 10]),
  q: draw.normal([1, T, 2, 11]),
  k: unit(draw.normal([1, T, 2, 11])),
  beta: draw.uniform([1, T, 4], 0, 1),
});

describe('the delta rule with a decay', () => {
  describeLaws({
    op: deltaRuleOperator,
    params: { scale: 0.6 },
    forms: FORMS,
    timed: ['v', 'q', 'k', 'beta', 'decay'],
    state: [4, 11, 10],
    width: 40,
    inputs: (T, draw) => ({ ...inputs(T, draw), decay: draw.uniform([1, T, 4], -0.5, 0) }),
    states: (rows, draw) => draw.normal([rows, 4, 11, 10]),
  });
});

describe('the delta rule without a decay', () => {
  describeLaws({
    op: deltaRuleOperator,
    forms: FORMS,
    timed: ['v', 'q', 'k', 'beta'],
    state: [4, 11, 10],
    width: 40,
    inputs,
    states: (rows, draw) => draw.normal([rows, 4, 11, 10]),
  });
});

const PLACES = FORMS.flatMap((form) => (['cpu', 'wasm'] as const).map((backend) => ({ form, backend })));

function seedsFor(x: Arrays, draw: Draw): Arrays {
  const [, T, H, V] = x.v.shape;
  const K = x.k.shape[3];
  return { y: draw.normal([1, T, H, V]), finalState: draw.normal([1, H, K, V]) };
}

/** Every place against the reference in f64. */
function holds(x: Arrays, params: { scale?: number } = {}): void {
  const seeds = seedsFor(x, drawer(2));
  const want = run(deltaRuleOperator, params, x, seeds, {
    form: 'reference',
    backend: 'cpu',
    dtype: 'f64',
  });
  for (const place of PLACES) {
    const got = run(deltaRuleOperator, params, x, seeds, place);
    const row = TOLERANCES[place.backend];
    for (const name of Object.keys(want)) {
      const limit = name.startsWith('d') ? row.gradient : row.forward;
      const error = relativeRms(got[name], want[name], { floor: 1e-6 });
      expect(error, `${place.form}/${place.backend} ${name}`).toBeLessThanOrEqual(limit);
    }
  }
}

describe('the delta rule', () => {
  it('without decay is the one with decays of 0, to the bit', () => {
    const draw = drawer(4);
    const x = inputs(70, draw);
    const seeds = seedsFor(x, draw);
    const still = { shape: [1, 70, 4], values: new Float64Array(280) };
    for (const place of PLACES) {
      const want = run(deltaRuleOperator, {}, x, seeds, place);
      const got = run(deltaRuleOperator, {}, { ...x, decay: still }, seeds, place);
      for (const name of Object.keys(want)) expect(got[name], name).toEqual(want[name]);
    }
  });

  it('with orthonormal keys and beta 1 writes as linear attention does', () => {
    const [T, K, H, V] = [40, 64, 2, 5];
    const draw = drawer(6);
    const k = new Float64Array(T * K);
    for (let t = 0; t < T; t++) k[t * K + ((t * 27) % K)] = t % 3 ? 1 : -1;
    const make = (a: { shape: Shape; values: ArrayLike<number> }) =>
      tensor(Float64Array.from(a.values), { shape: a.shape, dtype: 'f64', device: 'host' });
    const q = make(draw.normal([1, T, 1, K]));
    const v = make(draw.normal([1, T, H, V]));
    const keys = make({ shape: [1, T, 1, K], values: k });
    const beta = make({ shape: [1, T, H], values: new Float64Array(T * H).fill(1) });
    const decay = make(draw.uniform([1, T, H], -0.2, 0));
    const linear = scalarDecay({ q, k: keys, v, decay }, { scale: 0.5, form: 'recurrent' });
    for (const form of FORMS) {
      const delta = deltaRule({ q, k: keys, v, beta, decay }, { scale: 0.5, form });
      expect(relativeRms(delta.y.dataSync(), linear.y.dataSync())).toBeLessThan(1e-13);
      expect(relativeRms(delta.finalState.dataSync(), linear.finalState.dataSync())).toBeLessThan(1e-13);
    }
  });

  it('returns the value last written under a unit key when beta is 1', () => {
    const draw = drawer(7);
    const x = inputs(50, draw);
    x.beta.values.fill(1);
    x.q = x.k;
    const seeds = seedsFor(x, draw);
    for (const place of PLACES) {
      const { y } = run(deltaRuleOperator, {}, x, seeds, place);
      expect(relativeRms(y, x.v.values)).toBeLessThan(2e-6);
    }
  });

  it('leaves the state as it is where beta and decay are 0, to the bit', () => {
    const draw = drawer(8);
    const x: Arrays = { ...inputs(45, draw), initialState: draw.normal([1, 4, 11, 10]) };
    x.beta.values.fill(0);
    for (const place of PLACES) {
      const { finalState } = run(deltaRuleOperator, {}, x, seedsFor(x, draw), place);
      expect(Array.from(finalState)).toEqual(Array.from(x.initialState.values));
    }
  });

  it('holds over 700 tokens of nearly the same key with beta 1 and no decay', () => {
    const draw = drawer(9);
    const [T, H, K, V] = [700, 1, 24, 8];
    const around = draw.normal([K]).values;
    const noise = draw.uniform([1, T, H, K], -0.01, 0.01);
    const k = unit({ shape: noise.shape, values: noise.values.map((x, i) => x + around[i % K]) });
    const beta = { shape: [1, T, H], values: new Float64Array(T).fill(1) };
    holds({ v: draw.normal([1, T, H, V]), q: draw.normal([1, T, H, K]), k, beta });
  });

  it('holds for beta near 2 and decays from none to e^-60 side by side', () => {
    const draw = drawer(10);
    const x: Arrays = { ...inputs(150, draw), beta: draw.uniform([1, 150, 4], 1.9, 2) };
    const decay = draw.uniform([1, 150, 4], -0.01, 0);
    for (let i = 0; i < 600; i += 4 * 11) decay.values[i] = -60;
    for (let i = 1; i < 600; i += 4) decay.values[i] = 0;
    holds({ ...x, decay }, { scale: 0.3 });
  });

  it('holds for heads of 256 and, by the TypeScript forms, wider ones', () => {
    const draw = drawer(11);
    for (const [K, V] of [
      [256, 256],
      [3, 260],
    ]) {
      const T = 35;
      holds({
        v: draw.normal([1, T, 1, V]),
        q: draw.normal([1, T, 1, K]),
        k: unit(draw.normal([1, T, 1, K])),
        beta: draw.uniform([1, T, 1], 0, 1),
        decay: draw.uniform([1, T, 1], -0.3, 0),
      });
    }
  });
});

describe('messages of the delta rule', () => {
  const x = (...shape: number[]): Tensor => zeros(shape, { device: 'host' });
  const given = { q: x(1, 4, 2, 3), k: x(1, 4, 2, 3), v: x(1, 4, 4, 5), beta: x(1, 4, 4) };
  const cu = (...starts: number[]) => tensor(Int32Array.from(starts), { dtype: 'i32', device: 'host' });

  it.each<[string, Parameters<typeof deltaRule>, RegExp]>([
    ['key heads', [{ ...given, v: x(1, 4, 3, 5), beta: x(1, 4, 3) }], /G must divide H = 3, got G = 2/],
    ['empty keys', [{ ...given, q: x(1, 4, 2, 0), k: x(1, 4, 2, 0) }], /K and V must be at least 1/],
    ['key width', [{ ...given, k: x(1, 4, 2, 4) }], /ops\/delta-rule: k must have shape/],
    ['beta', [{ ...given, beta: x(1, 4, 2) }], /ops\/delta-rule: beta must have shape/],
    ['decay', [{ ...given, decay: x(1, 3, 4) }], /ops\/delta-rule: decay must have shape/],
    ['state rows', [{ ...given, initialState: x(2, 4, 3, 5) }], /initialState must have/],
    ['packed ends', [{ ...given, cuSeqlens: cu(0, 3) }], /cuSeqlens must start at 0, never fall and end/],
    ['step', [given, { form: 'step' }], /q must hold one token in form step, got T = 4/],
    ['form', [given, { form: 'parallel' }], /form and backend must be one of/],
    ['scale', [given, { scale: NaN }], /scale must be a number/],
  ])('name what is wrong with %s', (_, call, message) => {
    for (const backend of ['cpu', 'wasm'] satisfies BackendName[])
      expect(() => withBackend(backend, () => deltaRule(...call))).toThrow(message);
  });
});
