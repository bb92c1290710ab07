import { describe, expect, it } from 'vitest';
import { compare } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { slice, softmaxAttention, useBackend, withBackend } from '../../lib/index.js';
import { createLanguageModel, disposeState, stateBytes } from '../../lib/nn/language-model.js';
import { KeyValueCache } from '../../lib/nn/kv-cache.js';
import { castTree } from '../../lib/nn/parameters.js';
import { tensor, zeros, type Tensor } from '../../lib/tensor/tensor.js';
import { SMALL } from './support.js';

const B = 2;
const T = 21;
const random = new Random('state test');
const ids = Int32Array.from({ length: B * T }, () => random.int(32));
const column = (t: number): Tensor => tensor(Int32Array.from({ length: B }, (_, b) => ids[b * T + t]));
const whole = () => tensor(ids, { shape: [B, T] });

describe.each(['mamba', 'transformer'] as const)('a %s language model', (kind) => {
  const model = createLanguageModel(SMALL[kind], 5);

  it.each([
    ['cpu', 'f64', 1e-12],
    ['cpu', 'f32', 5e-6],
    ['wasm', 'f32', 5e-6],
  ] as const)(
    'gives the same logits step by step as in one pass (%s, %s)',
    async (backend, dtype, tolerance) => {
      await useBackend(backend);
      const params = castTree(model.params, dtype);
      const { logits } = model.forward(params, whole());
      const state0 = model.initialState(B, 4);
      let state =
        dtype === 'f64'
          ? {
              batch: B,
              layers: state0.layers.map((l) => (l instanceof KeyValueCache ? l : castTree(l, 'f64'))),
            }
          : state0;
      for (let t = 0; t < T; t++) {
        const step = model.step(params, column(t), state);
        state = step.state;
        const expected = slice(logits, 1, t, t + 1);
        const report = compare(step.logits.dataSync(), expected.dataSync(), {
          name: `logits at ${t}`,
          tolerance,
        });
        expect(report.ok, report.text).toBe(true);
      }
      disposeState(state);
    },
  );

  it('carries its state from one piece of text to the next', async () => {
    await useBackend('wasm');
    const { logits } = model.forward(model.params, whole());
    let state = model.initialState(B);
    for (const [from, to] of [
      [0, 7],
      [7, 8],
      [8, T],
    ]) {
      const piece = slice(whole(), 1, from, to);
      const after = model.forward(model.params, piece, state);
      state = after.state!;
      const report = compare(after.logits.dataSync(), slice(logits, 1, from, to).dataSync(), {
        name: `${from} to ${to}`,
        tolerance: 5e-6,
      });
      expect(report.ok, report.text).toBe(true);
    }
    disposeState(state);
  });

  it('refuses ids of the wrong shape, of another batch, empty or out of range', () => {
    expect(() => model.forward(model.params, tensor(new Int32Array(3)))).toThrow(/ids must be i32 \[B,T\]/);
    expect(() => model.forward(model.params, zeros([2, 0], { dtype: 'i32' }))).toThrow(/at least one token/);
    expect(() => model.forward(model.params, whole(), model.initialState(3))).toThrow(/3 sequences/);
    expect(() => model.forward(model.params, tensor(Int32Array.from([32]), { shape: [1, 1] }))).toThrow(
      /\[0, 32\)/,
    );
    expect(() => model.loss(model.params, whole(), tensor(new Int32Array(4), { shape: [2, 2] }))).toThrow(
      /targets/,
    );
    expect(() => model.initialState(0)).toThrow(/batch must be a positive integer/);
  });
});

it('holds the same state bytes after any number of tokens in Mamba and more with each token in a transformer', () => {
  const mamba = createLanguageModel(SMALL.mamba, 1);
  const transformer = createLanguageModel(SMALL.transformer, 1);
  const sizes = (model: typeof mamba) => {
    let state = model.initialState(1, 2);
    return [0, 1, 2, 3].map((t) => {
      if (t > 0) state = model.step(model.params, tensor(Int32Array.from([t])), state).state;
      return stateBytes(state);
    });
  };
  // Per layer D (W - 1 + N) floats with D = 32, W = 4, N = 4.
  expect(sizes(mamba)).toEqual(new Array(4).fill(2 * 32 * (3 + 4) * 4));
  // Per layer and token 2 x width floats.
  expect(sizes(transformer)).toEqual([0, 1, 2, 3].map((t) => 2 * t * 2 * 16 * 4));
});

it('names the shape when keys do not fit a cache', () => {
  const cache = new KeyValueCache({ batch: 1, heads: 2, size: 4 });
  const bad = zeros([1, 1, 3, 4]);
  expect(() => cache.attend(bad, bad, bad)).toThrow(/k must have shape \[1,T,2,4\], got \[1, 1, 3, 4\]/);
  expect(() => new KeyValueCache({ batch: 1, heads: 2, size: 4 }, 0)).toThrow(
    /capacity must be a positive integer/,
  );
});

it('names the values of another shape and the type that changed, which would fill the cache with something else', () => {
  const cache = new KeyValueCache({ batch: 1, heads: 2, size: 4 });
  const k = zeros([1, 1, 2, 4], { device: 'host' });
  for (const shape of [
    [1, 2, 2, 4],
    [1, 1, 2, 3],
  ])
    expect(() => cache.attend(k, k, zeros(shape, { device: 'host' }))).toThrow(
      /v must have shape \[1,T,2,4\]/,
    );
  cache.attend(k, k, k);
  const wide = zeros([1, 1, 2, 4], { dtype: 'f64', device: 'host' });
  expect(() => cache.attend(wide, wide, wide)).toThrow(/q must be f32 on the host like the keys kept/);
  cache.dispose();
});

it('attention over a cache never reads the rows that are not in use, on any form of the host', () => {
  const unused = [1, 2, NaN, Infinity];
  const t = (values: number[]) => tensor(values, { shape: [1, values.length / 2, 1, 2], device: 'host' });
  const [q, k] = [t([1, 0]), t([1, 0, 0, 1])];
  for (const form of ['reference', 'parallel', 'chunk', 'step'] as const)
    for (const backend of ['cpu', 'wasm'] as const) {
      if (form === 'chunk' && backend === 'cpu') continue;
      const run = (rows: Tensor, keys?: number) =>
        withBackend(backend, () => softmaxAttention(q, rows, rows, { form, keys }).dataSync());
      const whole = run(k);
      expect(Array.from(run(t([1, 0, 0, 1, ...unused]), 2))).toEqual(Array.from(whole));
    }
});
