/** Softmax attention: what is hidden stays out even where it is NaN; one query against a long cache. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  alibiSlopes,
  setThreads,
  softmaxAttention,
  softmaxAttentionWithLse,
  type AttentionOptions,
} from '../../lib/index.js';
import { concat, slice } from '../../lib/ops/structure/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { draw, ints, near, read, run } from './softmax-attention-support.js';

afterAll(() => setThreads(1));

describe('NaN of keys that are hidden', () => {
  const poisoned = (t: Tensor, rows: number[]) => {
    const values = Float32Array.from(t.dataSync());
    const width = t.size / t.shape[1];
    for (const row of rows) values.fill(NaN, row * width, (row + 1) * width);
    return tensor(values, { shape: t.shape, device: 'host' });
  };
  const q = draw([1, 70, 2, 8]);
  const k = draw([1, 70, 1, 8]);
  const v = draw([1, 70, 1, 8]);

  it.each([
    ['causality', {}, [50], [0, 50]],
    ['a window', { window: [5, -1] as const }, [20], [26, 70]],
    ['key counts', { keys: ints([60]) }, [60, 65], [10, 70]],
    ['blocks', { blockMask: ints([1, 0, 1, 1], [2, 2]), blockSize: 35, causal: false }, [40], [0, 35]],
  ] as const)(
    'stays out of rows that do not see them, gradients of queries too: %s',
    (_, options, rows, [from, to]) => {
      const clean = run({ q, k, v }, options);
      const dirty = run({ q, k: poisoned(k, [...rows]), v: poisoned(v, [...rows]) }, options);
      expect(dirty.y.slice(from * 16, to * 16)).toEqual(clean.y.slice(from * 16, to * 16));
      expect(dirty.gradients.q.slice(from * 16, to * 16).every(Number.isFinite)).toBe(true);
      expect(dirty.lse.slice(from, to)).toEqual(clean.lse.slice(from, to));
    },
  );

  it('reaches the rows that see them', () => {
    const { y } = run({ q, k, v: poisoned(v, [50]) });
    expect(y.slice(50 * 16).every(Number.isNaN)).toBe(true);
  });

  it('of queries stays out of keys that they do not see', () => {
    const { gradients } = run({ q: poisoned(q, [10]), k, v });
    expect(gradients.k.slice(11 * 8).every(Number.isFinite)).toBe(true);
    expect(gradients.v.slice(11 * 8).every(Number.isFinite)).toBe(true);
    expect(gradients.v.slice(0, 8).every(Number.isNaN)).toBe(true);
  });

  it('stays out of a decode', () => {
    const one = draw([1, 1, 2, 8]);
    const decode = (keys: Tensor, values: Tensor, options: AttentionOptions) =>
      read(withBackend('wasm', () => softmaxAttention(one, keys, values, { form: 'step', ...options })));
    for (const options of [
      { keys: 40 },
      { keys: ints([40]) },
      { blockMask: ints([1, 0], [1, 2]), blockSize: 35 },
    ]) {
      const bad = 'blockMask' in options ? [40, 69] : [41, 60];
      expect(decode(poisoned(k, bad), poisoned(v, bad), options)).toEqual(decode(k, v, options));
    }
  });
});

describe('one query against a long cache', () => {
  const p = { q: draw([2, 1, 6, 20]), k: draw([2, 1500, 2, 20]), v: draw([2, 1500, 2, 18]) };
  const step = (options: AttentionOptions) =>
    withBackend('wasm', () => softmaxAttentionWithLse(p.q, p.k, p.v, { form: 'step', ...options }));

  it('is the same in parts of any size, but for rounding', () => {
    const whole = withBackend('wasm', () => softmaxAttentionWithLse(p.q, p.k, p.v, { form: 'chunk' }));
    for (const splitSize of [32, 100, 512, 4096]) {
      const parts = step({ splitSize });
      near(read(parts.y), read(whole.y));
      near(read(parts.lse), read(whole.lse));
    }
  });

  it('of more heads than a decode has room for is that of tiles', () => {
    const many = { q: draw([1, 1, 9000, 1]), k: draw([1, 3, 9000, 1]), v: draw([1, 3, 9000, 1]) };
    const of = (form: 'step' | 'chunk') =>
      read(withBackend('wasm', () => softmaxAttention(many.q, many.k, many.v, { form })));
    expect(of('step')).toEqual(of('chunk'));
  });

  it('has the same bits on one thread, two and three, as have tiles with every option', () => {
    const long = { q: draw([1, 200, 4, 16]), k: draw([1, 230, 2, 16]), v: draw([1, 230, 2, 16]) };
    const extra = { sink: draw([4]), slopes: draw([4]) };
    const results = [1, 2, 3].map((threads) => {
      setThreads(threads);
      const { y, lse } = step({ window: [1200, -1] });
      return [read(y), read(lse), run({ ...long, ...extra }, { softcap: 2, keys: ints([220]) })];
    });
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });

  it('decodes token by token what the whole sequence gives', () => {
    const [q, k, v] = [draw([1, 20, 4, 8]), draw([1, 20, 2, 8]), draw([1, 20, 2, 8])];
    const options = { window: [6, 0] as const, softcap: 3, alibiSlopes: alibiSlopes(4), sink: 0.5 };
    const whole = withBackend('wasm', () => softmaxAttention(q, k, v, options));
    const rows = Array.from({ length: 20 }, (_, t) =>
      withBackend('wasm', () =>
        softmaxAttention(slice(q, 1, t, t + 1), k, v, { ...options, keys: t + 1, form: 'step' }),
      ),
    );
    near(read(withBackend('wasm', () => concat(rows, 1))), read(whole));
  });
});
