import { describe, expect, test } from 'vitest';
import * as calls from '../../lib/cpu/wasm/calls.js';
import { expectClose, expectSameBits, FORWARD, get, put, room, values } from './wasm-support.js';

type Mode = 'nn' | 'nt' | 'tn';

function product(
  mode: Mode,
  a: Float64Array,
  b: Float64Array,
  m: number,
  n: number,
  k: number,
): Float64Array {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      for (let l = 0; l < k; l++) {
        c[i * n + j] +=
          (mode === 'tn' ? a[l * m + i] : a[i * k + l]) * (mode === 'nt' ? b[j * k + l] : b[l * n + j]);
      }
  return c;
}

const shapes = [
  [1, 1, 1],
  [1, 37, 19],
  [1, 16, 300],
  [2, 9, 33],
  [3, 8, 5],
  [5, 5, 1],
  [4, 8, 256],
  [7, 17, 257],
  [13, 31, 63],
  [65, 40, 7],
  [66, 270, 20],
  [130, 9, 520],
];

describe('gemm', () => {
  for (const mode of ['nn', 'nt', 'tn'] as const) {
    test(`${mode} agrees with f64 for every tail, with bias and with beta`, () => {
      for (const [m, n, k] of shapes) {
        const [a, b, bias, c0] = [values(m * k), values(k * n), values(n), values(m * n)];
        const want = product(mode, a, b, m, n, k);
        const [aAt, bAt, biasAt] = [put(a), put(b), put(bias)];
        const c = room(m * n);
        const label = `${mode} ${m}x${n}x${k}`;
        calls.gemm({ mode, m, n, k, a: aAt, b: bAt, c });
        expectClose(get(c, m * n), want, FORWARD, label);
        calls.gemm({ mode, m, n, k, a: aAt, b: bAt, c, bias: biasAt });
        expectClose(
          get(c, m * n),
          want.map((v, i) => v + bias[i % n]),
          FORWARD,
          `${label} bias`,
        );
        const d = put(c0);
        calls.gemm({ mode, m, n, k, a: aAt, b: bAt, c: d, bias: biasAt, beta: 1 });
        expectClose(
          get(d, m * n),
          want.map((v, i) => v + bias[i % n] + c0[i]),
          FORWARD,
          `${label} beta`,
        );
      }
    });
  }

  test('batches use their strides, a zero stride shares an operand', () => {
    const [batch, m, n, k] = [3, 5, 6, 7];
    const [a, b] = [values(batch * m * k), values(k * n)];
    const c = room(batch * m * n);
    calls.gemm({ batch, m, n, k, a: put(a), b: put(b), c, strideB: 0 });
    const want = Array.from({ length: batch }, (_, i) => [
      ...product('nn', a.subarray(i * m * k, (i + 1) * m * k), b, m, n, k),
    ]);
    expectClose(get(c, batch * m * n), want.flat(), FORWARD, 'batch');
  });

  test('arbitrary strides read a head out of [T, H, K]', () => {
    const [T, H, K] = [9, 3, 5];
    const [q, k] = [values(T * H * K), values(T * H * K)];
    const c = room(T * T);
    const at = { a: put(q) + 4 * K, b: put(k) + 8 * K };
    calls.gemm({ m: T, n: T, k: K, ...at, c, aRow: H * K, aCol: 1, bRow: 1, bCol: H * K });
    const want = Array.from({ length: T * T }, (_, i) => {
      let s = 0;
      for (let l = 0; l < K; l++) s += q[(Math.floor(i / T) * H + 1) * K + l] * k[((i % T) * H + 2) * K + l];
      return s;
    });
    expectClose(get(c, T * T), want, FORWARD, 'heads');
  });

  test('an empty inner dimension gives the bias', () => {
    const c = room(6);
    const bias = values(3);
    calls.gemm({ m: 2, n: 3, k: 0, a: put([0]), b: put([0]), c, bias: put(bias) });
    expect([...get(c, 6)]).toEqual([...bias, ...bias]);
  });

  test('NaN reaches exactly the outputs that read it', () => {
    const [m, n, k] = [6, 10, 9];
    const a = values(m * k);
    a[2 * k + 4] = NaN;
    const c = room(m * n);
    calls.gemm({ m, n, k, a: put(a), b: put(values(k * n)), c });
    get(c, m * n).forEach((v, i) => expect(Number.isNaN(v)).toBe(Math.floor(i / n) === 2));
  });

  test('products give the same bits on one thread and two', async () => {
    for (const [m, n, k] of [
      [300, 130, 270],
      [20, 600, 300],
      [1, 1200, 400],
    ]) {
      const [a, b] = [put(values(m * k)), put(values(k * n))];
      const c = room(m * n);
      await expectSameBits('gemm', () => {
        calls.gemm({ m, n, k, a, b, c });
        return [get(c, m * n)];
      });
    }
  });
});
