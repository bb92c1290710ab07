/** Laws of wkv5 to wkv7, token shift, decays and channel mixing of RWKV. */
import { describe, expect, it } from 'vitest';
import { compare } from '../../lib/core/compare.js';
import * as math from '../../lib/core/math.js';
import { Random } from '../../lib/core/random.js';
import { type Shape } from '../../lib/core/shape.js';
import {
  channelMixing,
  mixTokens,
  rwkv7Decay,
  rwkvDecay,
  RWKV7_DECAY,
  tokenShiftOperator,
  wkv5,
  wkv6,
  wkv7,
} from '../../lib/families/rwkv/index.js';
import { diagonalDecay } from '../../lib/ops/diagonal-decay/index.js';
import { square } from '../../lib/ops/map/index.js';
import { sum } from '../../lib/ops/reduce/index.js';
import { slice } from '../../lib/ops/structure/index.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { type Arrays, D, draw, run, expectClose } from './rwkv-support.js';

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
