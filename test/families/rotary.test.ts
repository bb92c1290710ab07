/** Rotary embeddings against transformers (test/golden/make/rotary.py), and their identities. */
import { describe, expect, it } from 'vitest';
import { relativeRms } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import {
  gather,
  matmul,
  pairingOrder,
  rope,
  rotary,
  rotaryFrequencies,
  rotaryTable,
  rotateCachedKeys,
} from '../../lib/index.js';
import { permute, reshape, slice } from '../../lib/ops/index.js';
import type { Shape } from '../../lib/core/shape.js';
import { setThreads } from '../../lib/cpu/index.js';
import { withBackend } from '../../lib/tensor/backend.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { formula, goldenJson } from '../nn/support.js';
const golden = goldenJson('rotary.json');

const host = (
  values: number[] | Float64Array | Int32Array,
  shape: Shape,
  dtype: 'f32' | 'f64' | 'i32' = 'f64',
) => tensor(values, { shape, dtype, device: 'host' });
const positions = host((golden.positions as number[][]).flat(), [2, 8], 'i32');

describe.each([
  ['f64', 'cpu', 1e-11],
  ['f32', 'wasm', 5e-6],
] as const)('rotations in %s on %s', (dtype, backend, limit) => {
  const table = (dims: number) =>
    rotaryTable(rotaryFrequencies(dims), { length: 4002, dtype, device: 'host' });
  const draw = (name: string, shape: number[]) => host(formula(name, shape, 2), shape, dtype);
  const close = (got: Tensor, want: number[]) =>
    expect(relativeRms(got.dataSync(), want)).toBeLessThan(limit);

  it('of halves are those of Llama, with gradients, at positions that restart and jump', () => {
    const want = golden.llama as Record<string, number[]>;
    const leaves = { q: draw('llama/q', [2, 8, 3, 16]), k: draw('llama/k', [2, 8, 1, 16]) };
    withBackend(backend, () => {
      const { outputs, pull } = vjp(
        (p: typeof leaves) => ({
          q: rotary(p.q, table(16), { positions }),
          k: rotary(p.k, table(16), { positions }),
        }),
        leaves,
      );
      close(outputs.q, want.q);
      close(outputs.k, want.k);
      const grads = pull({ q: draw('llama/dq', [2, 8, 3, 16]), k: draw('llama/dk', [2, 8, 1, 16]) });
      close(grads.q, want.dq);
      close(grads.k, want.dk);
    });
  });

  it('of neighbours in part of the features are those of GPT-J, with gradients', () => {
    const want = golden.gptj as Record<string, number[]>;
    withBackend(backend, () => {
      const { outputs, pull } = vjp(
        (p: { x: Tensor }) => ({ y: rotary(p.x, table(8), { positions, pairing: 'interleaved' }) }),
        { x: draw('gptj/x', [2, 8, 3, 12]) },
      );
      close(outputs.y, want.x);
      close(pull({ y: draw('gptj/dx', [2, 8, 3, 12]) }).x, want.dx);
    });
  });
});

const random = new Random(11);
const normal = (shape: number[], dtype: 'f32' | 'f64' = 'f64') =>
  host(
    Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.normal()),
    shape,
    dtype,
  );
const dot = (a: Tensor, b: Tensor) => {
  const [x, y] = [a.dataSync(), b.dataSync()];
  let s = 0;
  for (let i = 0; i < x.length; i++) s += x[i] * y[i];
  return s;
};
const size = (a: Tensor) => Math.sqrt(dot(a, a));
const at = (p: number) => host([p], [1, 1], 'i32');

describe('identities in f64', () => {
  const q = normal([1, 1, 1, 32]);
  const k = normal([1, 1, 1, 32]);
  const unit = size(q) * size(k);

  it.each(['half', 'interleaved'] as const)('scores depend on distance only, pairing %s', (pairing) => {
    const table = rotaryTable(rotaryFrequencies(32), { length: 2000, dtype: 'f64', device: 'host' });
    const score = (n: number, m: number) =>
      dot(rotary(q, table, { positions: at(n), pairing }), rotary(k, table, { positions: at(m), pairing }));
    for (const shift of [1, 37, 1900])
      expect(Math.abs(score(57 + shift, 20 + shift) - score(57, 20)) / unit).toBeLessThan(1e-13);
  });

  it('those of xPos too, and they fade by zeta^(distance / 512)', () => {
    const make = (side: 'query' | 'key') =>
      rotaryTable(rotaryFrequencies(32), { length: 2000, xpos: { side }, dtype: 'f64', device: 'host' });
    const [tq, tk] = [make('query'), make('key')];
    const score = (n: number, m: number, a = q, b = k) =>
      dot(rotary(a, tq, { positions: at(n) }), rotary(b, tk, { positions: at(m) }));
    for (const shift of [1, 37, 1900])
      expect(Math.abs(score(57 + shift, 20 + shift) - score(57, 20)) / unit).toBeLessThan(1e-13);
    const first = host(
      Float64Array.from({ length: 32 }, (_, i) => Number(i === 0)),
      [1, 1, 1, 32],
    );
    const zeta = 0.4 / 1.4;
    expect(score(90, 20, first, first)).toBeCloseTo(Math.cos(70) * zeta ** (70 / 512), 13);
  });

  it('a key turned anew is the key turned at the new place, to 5e-16 of its size', () => {
    const frequencies = rotaryFrequencies(32);
    const table = rotaryTable(frequencies, { length: 600, dtype: 'f64', device: 'host' });
    const keys = normal([2, 5, 3, 32]);
    for (const pairing of ['half', 'interleaved'] as const) {
      const [from, to] = [
        [0, 3, 5, 250, 599, 7, 8, 9, 10, 11],
        [0, 1, 2, 3, 4],
      ];
      const old = rotary(keys, table, { positions: host(from, [2, 5], 'i32'), pairing });
      const got = rotateCachedKeys(old, { from, to, frequencies, pairing });
      const want = rotary(keys, table, { positions: host([...to, ...to], [2, 5], 'i32'), pairing });
      const reach = (p: number) => Math.max(1, p) * 2 ** -53;
      // Angles are rounded once at each place: the error grows with the position itself.
      expect(relativeRms(got.dataSync(), want.dataSync())).toBeLessThan(4e-16 + reach(599));
      const near = rotateCachedKeys(want, { from: to, to: to.map((p) => p + 1), frequencies, pairing });
      const next = rotary(keys, table, {
        positions: host(
          [...to, ...to].map((p) => p + 1),
          [2, 5],
          'i32',
        ),
        pairing,
      });
      expect(relativeRms(near.dataSync(), next.dataSync())).toBeLessThan(5e-16);
    }
  });

  it('keys of one scaling turn into keys of another, and keys of xPos keep their decay', () => {
    const scaling = (length: number) =>
      rotaryFrequencies(16, { scaling: { type: 'dynamic-ntk', factor: 2, originalLength: 64, length } });
    const [short, long] = [scaling(64), scaling(256)];
    const keys = normal([1, 4, 2, 16]);
    const turned = (f: typeof short, xpos?: { side: 'key'; centre: number }) =>
      rotary(keys, rotaryTable(f, { length: 9, xpos, dtype: 'f64', device: 'host' }), { offset: 5 });
    const from = [5, 6, 7, 8];
    const got = rotateCachedKeys(turned(short), { from, to: from, frequencies: short, newFrequencies: long });
    expect(relativeRms(got.dataSync(), turned(long).dataSync())).toBeLessThan(2e-15);
    const xpos = { side: 'key', centre: 0 } as const;
    const moved = rotateCachedKeys(turned(short, xpos), {
      from,
      to: [0, 1, 2, 3],
      frequencies: short,
      xposScaleBase: 512,
    });
    const fresh = rotaryTable(short, { length: 4, xpos, dtype: 'f64', device: 'host' });
    expect(relativeRms(moved.dataSync(), rotary(keys, fresh).dataSync())).toBeLessThan(2e-15);
  });

  it('an inverse table undoes rotation, attention factor and decay', () => {
    const frequencies = rotaryFrequencies(16, { scaling: { type: 'yarn', factor: 8, originalLength: 32 } });
    const options = { length: 40, xpos: { side: 'key' }, dtype: 'f64', device: 'host' } as const;
    const x = normal([2, 40, 2, 20]);
    const there = rotary(x, rotaryTable(frequencies, options));
    const back = rotary(there, rotaryTable(frequencies, { ...options, inverse: true }));
    expect(relativeRms(back.dataSync(), x.dataSync())).toBeLessThan(5e-16);
  });

  it('the pairings are one another reordered', () => {
    const table = rotaryTable(rotaryFrequencies(6), { length: 7, dtype: 'f64', device: 'host' });
    const x = normal([1, 7, 2, 9]);
    const order = (to: 'half' | 'interleaved') => host(pairingOrder(to, { dims: 6, size: 9 }), [9], 'i32');
    // gather takes rows: features go first and back.
    const reorder = (t: Tensor, to: 'half' | 'interleaved') =>
      reshape(permute(gather(permute(reshape(t, [14, 9]), [1, 0]), order(to)), [1, 0]), [1, 7, 2, 9]);
    const direct = rotary(x, table, { pairing: 'interleaved' });
    const detour = reorder(rotary(reorder(x, 'half'), table), 'interleaved');
    expect(Array.from(detour.dataSync())).toEqual(Array.from(direct.dataSync()));
    const weight = normal([18, 4]);
    const rows = host(pairingOrder('half', { dims: 6, size: 9, heads: 2 }), [18], 'i32');
    const u = normal([3, 4]);
    const heads = matmul(u, gather(weight, rows), { transposeB: true }).dataSync();
    const plain = matmul(u, weight, { transposeB: true }).dataSync();
    const back = pairingOrder('half', { dims: 6, size: 9 });
    expect(heads[0 * 18 + 9 + 1]).toBe(plain[9 + back[1]]);
    expect(() => pairingOrder('half', { dims: 5 })).toThrow('pairingOrder: dims must be even');
  });
});

describe('rotary', () => {
  it('with plain frequencies has the bits of rope on wasm, from an offset, on one thread and two', () => {
    const x = normal([2, 50, 4, 16], 'f32');
    const table = rotaryTable(rotaryFrequencies(16), { length: 80, device: 'host' });
    withBackend('wasm', () => {
      for (const threads of [1, 2, 3]) {
        setThreads(threads);
        expect(rotary(x, table, { offset: 30 }).dataSync()).toEqual(rope(x, { offset: 30 }).dataSync());
      }
    });
    setThreads(2);
  });

  it('token by token is the whole', () => {
    const x = normal([1, 6, 2, 8], 'f32');
    const table = rotaryTable(rotaryFrequencies(8), { length: 6, device: 'host' });
    const whole = rotary(x, table);
    for (let t = 0; t < 6; t++)
      expect(rotary(slice(x, 1, t, t + 1), table, { offset: t }).dataSync()).toEqual(
        slice(whole, 1, t, t + 1).dataSync(),
      );
  });

  it.each<[string, object, string]>([
    ['an unknown option', { theta: 5e5 }, 'options must hold none but base, spacing, scaling, got "theta"'],
    ['an unknown spacing', { spacing: 'even' }, 'spacing must be rope or retnet, got "even"'],
    ['an unknown scaling', { scaling: { type: 'abf', factor: 2 } }, 'scaling must be one of linear, ntk'],
    ['a missing factor', { scaling: { type: 'linear' } }, 'factor must be a positive number, got undefined'],
    [
      'a missing length',
      { scaling: { type: 'yarn', factor: 2 } },
      'originalLength must be a positive number, got undefined',
    ],
    [
      'a length of now that is missing',
      { scaling: { type: 'dynamic-ntk', factor: 2, originalLength: 8 } },
      'length must be a positive number, got undefined',
    ],
    [
      'a name of other code',
      { scaling: { type: 'yarn', factor: 2, originalLength: 8, beta_fast: 32 } },
      'scaling yarn must hold none but type, factor, originalLength',
    ],
    [
      'a factor of one frequency that is zero',
      { scaling: { type: 'longrope', factor: 2, originalLength: 8, factors: [1, 0] } },
      'factors[1] must be a positive number, got 0',
    ],
  ])('frequencies name %s', (_, options, message) => {
    expect(() => rotaryFrequencies(4, options)).toThrow(`rotaryFrequencies: ${message}`);
  });

  it.each<[string, () => unknown, string]>([
    [
      'a side of xPos that is none',
      () => rotaryTable(rotaryFrequencies(4), { length: 2, xpos: { side: 'keys' as never } }),
      'side of xpos must be query or key, got "keys"',
    ],
    [
      'a scale base of zero',
      () => rotaryTable(rotaryFrequencies(4), { length: 2, xpos: { side: 'key', scaleBase: 0 } }),
      'scaleBase of xpos must be a positive number, got 0',
    ],
    [
      'places that are no numbers',
      () =>
        rotateCachedKeys(normal([1, 2, 1, 4]), {
          from: [0, NaN],
          to: [0, 1],
          frequencies: rotaryFrequencies(4),
        }),
      'from must hold numbers, got NaN at 1',
    ],
    [
      'a pairing that is none',
      () => pairingOrder('gptj' as never, { dims: 4 }),
      'to must be half or interleaved, got "gptj"',
    ],
    [
      'a short table',
      () => rotary(normal([1, 9, 1, 8]), rows(8)),
      'table must have offset + T = 9 rows, got 8',
    ],
    [
      'a wide table',
      () => rotary(normal([1, 2, 1, 6]), rows(8)),
      'table must turn at most K = 6 features, got 8',
    ],
    [
      'positions outside',
      () => rotary(normal([1, 1, 1, 8]), rows(8), { positions: at(8) }),
      'positions must lie in [0, 8), the rows of table, got 8',
    ],
    [
      'two origins',
      () => rotary(normal([1, 1, 1, 8]), rows(8), { positions: at(1), offset: 3 }),
      'offset must be 0 with positions, got 3',
    ],
    [
      'too few places',
      () =>
        rotateCachedKeys(normal([2, 3, 1, 8]), {
          from: [1, 2],
          to: [0, 1, 2],
          frequencies: rotaryFrequencies(8),
        }),
      'from must hold T = 3 or B T = 6 positions, got 2',
    ],
    [
      'empty tables',
      () => rotaryTable(rotaryFrequencies(8), { length: 0 }),
      'length must be a positive integer',
    ],
  ])('refuses %s', (_, run, message) => {
    expect(run).toThrow(message);
  });
});

function rows(length: number): Tensor {
  return rotaryTable(rotaryFrequencies(8), { length, dtype: 'f64', device: 'host' });
}
