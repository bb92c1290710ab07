/** Softmax attention by identities that need no other program. */
import { describe, expect, it } from 'vitest';
import {
  alibiSlopes,
  softmaxAttention,
  softmaxAttentionWithLse,
  type AttentionOptions,
} from '../../lib/index.js';
import { add, mul, sum } from '../../lib/ops/index.js';
import { withBackend, type Form } from '../../lib/tensor/backend.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import { vjp } from '../../lib/tensor/tape.js';
import { slice } from '../../lib/ops/structure/index.js';
import type { Tensor } from '../../lib/tensor/tensor.js';
import { draw, ints, near, read, run } from './softmax-attention-support.js';

const FORMS: [Form, 'cpu' | 'wasm'][] = [
  ['reference', 'cpu'],
  ['parallel', 'cpu'],
  ['parallel', 'wasm'],
  ['chunk', 'wasm'],
];

describe('a query that sees no key', () => {
  it.each(FORMS)('gives 0, log-sum-exp -1e30 and gradients of 0 in form %s on %s', (form, backend) => {
    const p = { q: draw([1, 70, 2, 4]), k: draw([1, 3, 1, 4]), v: draw([1, 3, 1, 5]) };
    const { y, lse, gradients } = run(p, { form }, backend);
    expect(y.slice(0, 67 * 10).every((v) => v === 0)).toBe(true);
    expect(lse.slice(0, 67).every((v) => v === Math.fround(-1e30) || v === -1e30)).toBe(true);
    expect(gradients.q.slice(0, 67 * 8).every((v) => v === 0)).toBe(true);
    expect(y.slice(67 * 10).every((v) => Number.isFinite(v) && v !== 0)).toBe(true);
    expect(Object.values(gradients).flat().every(Number.isFinite)).toBe(true);
  });

  it.each(FORMS)('is every query of a cache without a key, in form %s on %s', (form, backend) => {
    const q = draw([1, 3, 2, 4]);
    for (const [rows, options] of [
      [2, { keys: 0 }],
      [2, { keys: 0, causal: false }],
      [0, {}],
    ] as const) {
      const p = { q, k: draw([1, rows, 1, 4]), v: draw([1, rows, 1, 5]) };
      const { y, lse, gradients } = run(p, { ...options, form }, backend);
      expect(y).toEqual(new Array(30).fill(0));
      expect(lse).toEqual(new Array(6).fill(lse[0]));
      expect(lse[0] / -1e30).toBeCloseTo(1, 6);
      expect(
        Object.values(gradients)
          .flat()
          .every((v) => v === 0),
      ).toBe(true);
    }
  });

  it('takes the logit of a sink as its log-sum-exp', () => {
    const p = { q: draw([1, 2, 1, 4]), k: draw([1, 1, 1, 4]), v: draw([1, 1, 1, 4]), sink: draw([1]) };
    const { y, lse } = run(p);
    expect(y.slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(lse[0]).toBeCloseTo(read(p.sink)[0], 6);
  });
});

describe('options', () => {
  const sizes = () => ({ q: draw([2, 70, 4, 8]), k: draw([2, 90, 2, 8]), v: draw([2, 90, 2, 12]) });

  it('that hide nothing leave every bit as it is', () => {
    const p = sizes();
    const plain = run(p);
    expect(run(p, { window: [200, -1] })).toEqual(plain);
    expect(run(p, { prefix: ints([0, 0]) })).toEqual(plain);
    expect(run(p, { keys: ints([90, 90]) })).toEqual(plain);
    expect(run(p, { blockMask: ints(new Array<number>(30).fill(1), [5, 6]), blockSize: 16 })).toEqual(plain);
  });

  it('reduce to each other: a prefix of all keys is no causality, a window of 0 is the value itself', () => {
    const p = sizes();
    expect(run(p, { prefix: ints([90, 90]) })).toEqual(run(p, { causal: false }));
    const v = draw([1, 9, 2, 3]);
    const own = withBackend('wasm', () =>
      softmaxAttention(draw([1, 9, 2, 4]), draw([1, 9, 2, 4]), v, { window: [0, 0] }),
    );
    expect(read(own)).toEqual(read(v));
  });

  it('sink 0 is softmax-plus-one, and a sink below everything changes nothing', () => {
    const p = sizes();
    const form = 'chunk';
    const { y, lse } = run(p);
    const plus = withBackend('wasm', () => softmaxAttentionWithLse(p.q, p.k, p.v, { sink: 0, form }));
    const [ys, ls] = [read(plus.y), read(plus.lse)];
    ls.forEach((l, i) => expect(l).toBeCloseTo(Math.log1p(Math.exp(lse[i])), 4));
    const at = (b: number, t: number, h: number) => ((b * 70 + t) * 4 + h) * 12;
    for (const [b, t, h] of [
      [0, 0, 0],
      [1, 69, 3],
    ]) {
      const keep = 1 / (1 + Math.exp(-lse[(b * 4 + h) * 70 + t]));
      near(
        ys.slice(at(b, t, h), at(b, t, h) + 12),
        y.slice(at(b, t, h), at(b, t, h) + 12).map((x) => x * keep),
      );
    }
    near(read(withBackend('wasm', () => softmaxAttention(p.q, p.k, p.v, { sink: -80 }))), y);
  });

  it('a softcap far above the scores changes little, a small one bounds them', () => {
    const p = sizes();
    near(run(p, { softcap: 1e4 }).y, run(p).y, 4);
    const { lse } = run(p, { softcap: 1e-3, causal: false });
    lse.forEach((l) => expect(Math.abs(l - Math.log(90))).toBeLessThan(1.1e-3));
  });

  it('key counts of a batch are as short caches one by one, to the bit', () => {
    const p = sizes();
    for (const [form, q] of [
      ['chunk', p.q],
      ['step', slice(p.q, 1, 0, 1)],
    ] as const) {
      const both = withBackend('wasm', () => softmaxAttention(q, p.k, p.v, { keys: ints([90, 77]), form }));
      const one = (b: number, keys: number) =>
        withBackend('wasm', () =>
          softmaxAttention(slice(q, 0, b, b + 1), slice(p.k, 0, b, b + 1), slice(p.v, 0, b, b + 1), {
            keys: ints([keys]),
            form,
          }),
        );
      expect(read(both)).toEqual([...read(one(0, 90)), ...read(one(1, 77))]);
    }
  });

  it('packed sequences are as each by itself, to the bit, with gradients', () => {
    const [cq, ck] = [
      [0, 65, 66, 66, 70],
      [0, 3, 70, 88, 90],
    ];
    const shapes = { q: [1, 70, 4, 8], k: [1, 90, 2, 8], v: [1, 90, 2, 12] };
    const p = { q: draw(shapes.q), k: draw(shapes.k), v: draw(shapes.v), slopes: draw([4]) };
    const outputs = (given: Record<string, Tensor>, options: AttentionOptions) =>
      withBackend('wasm', () => {
        const made = vjp(
          (x: Record<string, Tensor>) => ({
            y: softmaxAttention(x.q, x.k, x.v, { ...options, alibiSlopes: x.slopes, window: [40, -1] }),
          }),
          given,
        );
        return { y: made.outputs.y, grads: made.pull({ y: given.dy }) };
      });
    const dy = draw([1, 70, 4, 12]);
    const packed = outputs({ ...p, dy }, { cuSeqlensQ: ints(cq), cuSeqlensK: ints(ck) });
    for (let s = 0; s < 4; s++) {
      const part = (t: Tensor, c: number[]) => slice(t, 1, c[s], c[s + 1]);
      if (cq[s + 1] === cq[s]) continue;
      const own = {
        q: part(p.q, cq),
        k: part(p.k, ck),
        v: part(p.v, ck),
        slopes: p.slopes,
        dy: part(dy, cq),
      };
      const alone = outputs(own, {});
      expect(read(alone.y)).toEqual(read(part(packed.y, cq)));
      expect(read(alone.grads.q)).toEqual(read(part(packed.grads.q, cq)));
      expect(read(alone.grads.k)).toEqual(read(part(packed.grads.k, ck)));
      expect(read(alone.grads.v)).toEqual(read(part(packed.grads.v, ck)));
    }
    expect(read(slice(packed.grads.k, 1, 70, 88)).every((x) => x === 0)).toBe(true);
  });

  it('one cuSeqlens serves queries and keys', () => {
    const p = { q: draw([1, 9, 1, 4]), k: draw([1, 9, 1, 4]), v: draw([1, 9, 1, 4]) };
    const c = ints([0, 4, 9]);
    expect(run(p, { cuSeqlens: c })).toEqual(run(p, { cuSeqlensQ: c, cuSeqlensK: c }));
  });

  it('all together have the gradients of finite differences', () => {
    const f64 = (shape: number[]) => draw(shape, 'f64');
    const inputs = [f64([2, 5, 4, 3]), f64([2, 7, 2, 3]), f64([2, 7, 2, 2]), f64([4]), f64([4])];
    const [wy, wl] = [f64([2, 5, 4, 2]), f64([2, 4, 5])];
    const options = {
      ...{ softcap: 1.5, window: [3, -1] as const, keys: ints([7, 4]), prefix: ints([2, 1]) },
      blockMask: ints([1, 0, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1], [3, 4]),
      blockSize: 2,
    };
    for (const form of ['reference', 'parallel'] as const) {
      const fn = (...[q, k, v, sink, slopes]: Tensor[]) => {
        const { y, lse } = softmaxAttentionWithLse(q, k, v, { ...options, sink, alibiSlopes: slopes, form });
        return add(sum(mul(y, wy)), sum(mul(lse, wl)));
      };
      const report = withBackend('cpu', () => gradcheck(fn, inputs));
      expect(report.ok, JSON.stringify(report)).toBe(true);
    }
  });
});

describe('alibiSlopes', () => {
  it('are powers of 2^(-8/H), and for other numbers of heads those of the authors', () => {
    near(
      alibiSlopes(8),
      [1, 2, 3, 4, 5, 6, 7, 8].map((n) => 2 ** -n),
      12,
    );
    near(alibiSlopes(12), [...alibiSlopes(8), 2 ** -0.5, 2 ** -1.5, 2 ** -2.5, 2 ** -3.5], 12);
    near(alibiSlopes(1), [2 ** -8], 12);
    expect(() => alibiSlopes(0)).toThrow('alibiSlopes: heads must be a positive integer, got 0');
  });
});

describe('what does not fit is refused', () => {
  const x = (...shape: number[]) => draw(shape);
  const call =
    (options: AttentionOptions, B = 1) =>
    () =>
      withBackend('wasm', () => softmaxAttention(x(B, 4, 2, 3), x(B, 6, 1, 3), x(B, 6, 1, 3), options));
  it.each([
    [{ window: [-2, 0] as const }, /windowLeft must be >= 0, or -1 for no bound, got -2/],
    [{ window: [1] as never }, /window must be \[left, right\], got \[1\]/],
    [{ softcap: -1 }, /softcap must be >= 0, got -1/],
    [{ keys: 7 }, /keys must lie in \[0, 6\], got 7/],
    [{ keys: ints([7]) }, /keyCounts must lie in \[0, 6\], got \[7\]/],
    [{ keys: ints([3, 3]) }, /keyCounts must have one value a sequence \(1\), got 2/],
    [{ prefix: ints([1, 2]) }, /prefix must have one value a sequence \(1\), got 2/],
    [{ sink: draw([3]) }, /sink must have shape \[H\] with H = 2, got \[3\]/],
    [{ blockMask: ints([1]) }, /blockSize must be given with blockMask/],
    [{ blockMask: ints([1]), blockSize: 2 }, /blockMask must have shape \[2,3\]/],
    [{ cuSeqlensQ: ints([0, 4]) }, /cuSeqlensQ and cuSeqlensK must be given together/],
    [{ cuSeqlens: ints([0, 4]) }, /cuSeqlensK must start at 0, never fall and end at Tk = 6, got \[0, 4\]/],
    [{ form: 'step' as const }, /q must hold one token in form step, got Tq = 4/],
  ])('%o', (options, message) => {
    expect(call(options)).toThrow(message);
  });

  it('packed sequences of a batch', () => {
    expect(call({ cuSeqlensQ: ints([0, 4]), cuSeqlensK: ints([0, 6]) }, 2)).toThrow(/q must have B = 1/);
  });
});
