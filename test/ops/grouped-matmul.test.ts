/** Grouped products against single products: uneven and empty groups, bits, threads, refusals. */
import { afterEach, describe, expect, it } from 'vitest';
import { setThreads, sum, tensor, valueAndGrad, vjp, withBackend, type Tensor } from '../../lib/index.js';
import { groupedMatmul, groupedOuter, matmul, slice, mul } from '../../lib/ops/index.js';
import { Random } from '../../lib/core/random.js';

const random = new Random(11);
const draw = (...shape: number[]) =>
  tensor(
    Float32Array.from({ length: shape.reduce((p, d) => p * d, 1) }, () => random.normal()),
    { shape, device: 'host' },
  );
const ids = (values: number[]) => tensor(Int32Array.from(values), { device: 'host' });
const values = (t: Tensor) => Array.from(t.dataSync());
const on = <T>(run: () => T) => withBackend('wasm', run);

afterEach(() => setThreads(1));

/** Sizes of groups and where they start. */
function offsetsOf(counts: readonly number[]): number[] {
  return counts.reduce((at, count) => [...at, at[at.length - 1] + count], [0]);
}

const GROUPS: Record<string, number[]> = {
  'uneven groups, some empty': [0, 70, 1, 0, 2, 129, 17, 0],
  'one group that holds all rows': [0, 0, 300, 0],
  'one row': [0, 1, 0],
  'no row at all': [0, 0],
  '257 groups': Array.from({ length: 257 }, (_, e) => (e * 7) % 4),
};

describe.each(Object.entries(GROUPS))('groupedMatmul over %s', (_, counts) => {
  const E = counts.length;
  const [D, F] = E > 100 ? [13, 11] : [67, 261];
  const offsets = offsetsOf(counts);
  const N = offsets[E];
  const rows = draw(N, D);
  const straight = draw(E, D, F);
  const turned = draw(E, F, D);

  it.each([false, true])('has the bits of one matmul a group (transpose %s)', (transpose) => {
    const w = transpose ? turned : straight;
    const all = values(on(() => groupedMatmul(rows, w, ids(offsets), { transpose })));
    expect(all.length).toBe(N * F);
    for (let e = 0; e < E; e++) {
      const own = on(() =>
        matmul(slice(rows, 0, offsets[e], offsets[e + 1]), w.view(w.shape.slice(1), e * D * F), {
          transposeB: transpose,
        }),
      );
      expect(all.slice(offsets[e] * F, offsets[e + 1] * F)).toEqual(values(own));
    }
  });

  it('has gradients with the bits of one matmul a group', () => {
    const dy = draw(N, F);
    const grads = on(() => {
      const { pull } = vjp(
        (p: { rows: Tensor; w: Tensor }) => ({ y: groupedMatmul(p.rows, p.w, ids(offsets)) }),
        { rows, w: straight },
      );
      return pull({ y: dy });
    });
    const [dRows, dW] = [values(grads.rows), values(grads.w)];
    for (let e = 0; e < E; e++) {
      const cut = (t: Tensor) => slice(t, 0, offsets[e], offsets[e + 1]);
      const own = on(() => matmul(cut(dy), straight.view([D, F], e * D * F), { transposeB: true }));
      expect(dRows.slice(offsets[e] * D, offsets[e + 1] * D)).toEqual(values(own));
      const outer = on(() => matmul(cut(rows), cut(dy), { transposeA: true }));
      expect(dW.slice(e * D * F, (e + 1) * D * F)).toEqual(values(outer));
    }
  });

  it('has the same bits for any number of threads', () => {
    const b = draw(N, F);
    const [first, ...rest] = [1, 2, 3].map((count) => {
      setThreads(count);
      return on(() => [
        values(groupedMatmul(rows, straight, ids(offsets))),
        values(groupedMatmul(rows, turned, ids(offsets), { transpose: true })),
        values(groupedOuter(rows, b, ids(offsets))),
      ]);
    });
    for (const other of rest) expect(other).toEqual(first);
  });
});

describe('groupedMatmul', () => {
  it('gives zeros for rows of no group, before and after, and no gradient to them', () => {
    const [rows, w] = [draw(9, 5), draw(2, 5, 3)];
    const { value, grads } = on(() =>
      valueAndGrad((x: Tensor) => {
        const y = groupedMatmul(x, w, ids([2, 4, 6]));
        const outside = [...values(y).slice(0, 6), ...values(y).slice(18)];
        expect(outside).toEqual(outside.map(() => 0));
        return sum(mul(y, y));
      })(rows),
    );
    expect(values(value)[0]).toBeGreaterThan(0);
    const outside = [...values(grads).slice(0, 10), ...values(grads).slice(30)];
    expect(outside).toEqual(outside.map(() => 0));
  });

  it('gives a row the same product in whichever group of equal matrices it lies', () => {
    const [rows, one] = [draw(40, 33), draw(33, 29)];
    const w = tensor([...values(one), ...values(one), ...values(one)], {
      shape: [3, 33, 29],
      device: 'host',
    });
    const whole = values(on(() => matmul(rows, one)));
    for (const offsets of [
      [0, 40, 40, 40],
      [0, 1, 2, 40],
      [0, 0, 19, 40],
    ])
      expect(values(on(() => groupedMatmul(rows, w, ids(offsets))))).toEqual(whole);
  });

  it.each([
    [[0, 3, 2], /offsets must ascend from 0 or more to at most 4, got 2 at 2 after 3/],
    [[-1, 2, 4], /got -1 at 0/],
    [[0, 2, 5], /got 5 at 2 after 2/],
    [[0, 4], /weights must have shape \[1, 3, F\], got \[2, 3, 5\]/],
    [[0], /offsets must have shape \[E \+ 1\] for at least one group, got \[1\]/],
  ])('refuses offsets %j', (offsets, message) => {
    expect(() => on(() => groupedMatmul(draw(4, 3), draw(2, 3, 5), ids(offsets)))).toThrow(message);
  });

  it('refuses matrices of another width', () => {
    expect(() => groupedMatmul(draw(4, 3), draw(2, 5, 3), ids([0, 1, 2]))).toThrow(/weights must have shape/);
    expect(() => groupedMatmul(draw(4, 3), draw(2, 3, 5), ids([0, 1, 2]), { transpose: true })).toThrow(
      /weights must have shape \[2, F, 3\], got \[2, 3, 5\]/,
    );
  });
});
