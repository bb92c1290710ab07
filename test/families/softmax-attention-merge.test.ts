/** Attention over parts of the keys put together equals attention over all of them. */
import { expect, it } from 'vitest';
import { Random } from '../../lib/core/random.js';
import { sizeOf } from '../../lib/core/shape.js';
import { mergeAttentionStates, softmaxAttentionWithLse } from '../../lib/index.js';
import { slice } from '../../lib/ops/structure/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { vjp } from '../../lib/tensor/tape.js';
import { full, tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { relativeRms } from '../../lib/core/compare.js';

const random = new Random(9);
const draw = (shape: number[]) =>
  tensor(
    Float64Array.from({ length: sizeOf(shape) }, () => random.normal()),
    { shape, dtype: 'f64', device: 'host' },
  );
const read = (t: Tensor) => Array.from(t.dataSync());
const p = { q: draw([2, 3, 4, 5]), k: draw([2, 11, 2, 5]), v: draw([2, 11, 2, 6]) };
const dy = draw([2, 3, 4, 6]);
const dlse = draw([2, 4, 3]);

function pulled(run: (x: typeof p) => { y: Tensor; lse: Tensor }) {
  return withBackend('cpu', () => {
    const { outputs, pull } = vjp((x: typeof p) => ({ ...run(x) }), p);
    const grads = pull({ y: dy, lse: dlse });
    return [outputs.y, outputs.lse, grads.q, grads.k, grads.v].map(read);
  });
}

it('mergeAttentionStates equals the whole, with gradients through both outputs of every part', () => {
  const whole = pulled((x) => softmaxAttentionWithLse(x.q, x.k, x.v, { causal: false }));
  const merged = pulled((x) => {
    const part = (from: number, to: number) =>
      softmaxAttentionWithLse(x.q, slice(x.k, 1, from, to), slice(x.v, 1, from, to), { causal: false });
    return mergeAttentionStates([part(0, 4), mergeAttentionStates([part(4, 5), part(5, 11)])]);
  });
  merged.forEach((values, i) => expect(relativeRms(values, whole[i])).toBeLessThan(1e-12));
});

it('a part that sees nothing counts for nothing, and nothing but such parts is nothing', () => {
  withBackend('cpu', () => {
    const state = softmaxAttentionWithLse(p.q, p.k, p.v, { causal: false });
    const empty = {
      y: full(state.y.shape, 0, { dtype: 'f64', device: 'host' }),
      lse: full(state.lse.shape, -1e30, { dtype: 'f64', device: 'host' }),
    };
    const merged = mergeAttentionStates([empty, state]);
    expect(relativeRms(read(merged.y), read(state.y))).toBeLessThan(1e-14);
    expect(relativeRms(read(merged.lse), read(state.lse))).toBeLessThan(1e-14);
    const nothing = mergeAttentionStates([empty, empty]);
    expect(read(nothing.y).every((v) => v === 0)).toBe(true);
    expect(read(nothing.lse).every((v) => v === -1e30)).toBe(true);
  });
});

it('mergeAttentionStates refuses no parts and parts that differ', () => {
  expect(() => mergeAttentionStates([])).toThrow('states must hold at least one { y, lse }, got []');
  const [y, lse] = [draw([1, 2, 1, 3]), draw([1, 1, 2])];
  expect(() => mergeAttentionStates([{ y, lse: draw([1, 2, 1]) }])).toThrow(
    /y \[B,T,H,V\] and lse \[B,H,T\] of one size/,
  );
  expect(() =>
    mergeAttentionStates([
      { y, lse },
      { y: draw([1, 2, 1, 4]), lse },
    ]),
  ).toThrow(/of one size/);
});
