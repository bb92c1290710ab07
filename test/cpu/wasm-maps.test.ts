import { describe, expect, test } from 'vitest';
import { wasmKernels, type WasmExports } from '../../lib/cpu/wasm/module.js';
import { parallelFor } from '../../lib/cpu/wasm/threads.js';
import {
  BACKWARD,
  expectClose,
  expectSameBits,
  FORWARD,
  get,
  put,
  room,
  sigmoid,
  silu,
  softplus,
  values,
} from './wasm-support.js';

/** erf by its Taylor series (|x| < 3) or continued fraction of erfc, in f64. */
function erf(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let term = a;
    let sum = a;
    for (let n = 1; n < 200; n++) {
      term *= -(a * a) / n;
      sum += term / (2 * n + 1);
    }
    return Math.sign(x) * ((2 / Math.sqrt(Math.PI)) * sum);
  }
  return Math.sign(x) * (1 - erfcTail(a));
}
function erfcTail(a: number): number {
  let fraction = 0;
  for (let k = 120; k > 0; k--) fraction = k / 2 / (a + fraction);
  return Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction);
}
/** Normal distribution function without cancellation in the lower tail. */
const cdf = (x: number) => (x < -4 ? erfcTail(-x / Math.SQRT2) / 2 : (1 + erf(x / Math.SQRT2)) / 2);
const inner = (x: number) => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);

type Pair = [(x: number) => number, (x: number, y: number) => number, number, number];
const maps: Record<string, Pair> = {
  exp: [Math.exp, (_, y) => y, -80, 80],
  log: [Math.log, (x) => 1 / x, 1e-6, 50],
  sqrt: [Math.sqrt, (_, y) => 0.5 / y, 0.01, 9],
  rsqrt: [(x) => 1 / Math.sqrt(x), (x) => -0.5 * x ** -1.5, 0.01, 9],
  abs: [Math.abs, (x) => Math.sign(x), -3, 3],
  neg: [(x) => -x, () => -1, -3, 3],
  square: [(x) => x * x, (x) => 2 * x, -3, 3],
  sigmoid: [sigmoid, (x) => sigmoid(x) * (1 - sigmoid(x)), -12, 12],
  tanh: [Math.tanh, (x) => 1 - Math.tanh(x) ** 2, -4, 4],
  relu: [(x) => Math.max(x, 0), (x) => (x > 0 ? 1 : 0), -3, 3],
  silu: [silu, (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))), -15, 15],
  gelu: [(x) => x * cdf(x), (x) => cdf(x) + (x * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI), -6, 6],
  geluTanh: [
    (x) => 0.5 * x * (1 + Math.tanh(inner(x))),
    (x) => {
      const t = Math.tanh(inner(x));
      return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);
    },
    -6,
    6,
  ],
  softplus: [softplus, (x) => (x > 20 ? 1 : sigmoid(x)), -30, 30],
};

const call = (name: string, ...args: number[]) => {
  const kernels = wasmKernels() as unknown as Record<string, (...values: number[]) => void>;
  kernels[name](...args);
};

describe('element-wise maps', () => {
  for (const [name, [f, slope, low, high]] of Object.entries(maps)) {
    test(`${name} and its backward agree with f64 on odd lengths`, () => {
      for (const n of [1, 3, 4, 7, 1021]) {
        const x = values(n, low, high);
        const dy = values(n);
        const [xAt, dyAt, yAt, dxAt] = [put(x), put(dy), room(n), room(n)];
        call(name, 0, n, xAt, yAt);
        const y = get(yAt, n);
        const wanted = x.map(f);
        expectClose(y, wanted, FORWARD, `${name} n=${n}`);
        call(`${name}Backward`, 0, n, xAt, yAt, dyAt, dxAt);
        expectClose(
          get(dxAt, n),
          dy.map((g, i) => g * slope(x[i], wanted[i])),
          BACKWARD,
          `${name}Backward n=${n}`,
        );
      }
    });

    test(`${name} passes NaN through and gives the same bits wherever a range starts`, () => {
      const n = 37;
      const x = values(n, low, high);
      x[5] = NaN;
      const [xAt, yAt, zAt] = [put(x), room(n), room(n)];
      call(name, 0, n, xAt, yAt);
      for (let i = 0; i < n; i += 5) call(name, i, Math.min(n, i + 5), xAt, zAt);
      expect(get(yAt, n)[5]).toBeNaN();
      expect(get(zAt, n)).toEqual(get(yAt, n));
    });
  }

  test('exp and log are within 2 ulp and right at their ends', () => {
    const ulp = (v: number) => 2 ** (Math.floor(Math.log2(Math.abs(v))) - 23);
    const n = 20000;
    for (const [name, f, low, high] of [
      ['exp', Math.exp, -86, 88],
      ['log', Math.log, 1e-4, 100],
      ['exp', Math.exp, -1, 1],
      ['log', Math.log, 0.6, 1.6],
    ] as const) {
      const x = values(n, low, high);
      const [xAt, yAt] = [put(x), room(n)];
      call(name, 0, n, xAt, yAt);
      const y = get(yAt, n);
      let worst = 0;
      x.forEach((v, i) => (worst = Math.max(worst, f(v) === 0 ? 0 : Math.abs(y[i] - f(v)) / ulp(f(v)))));
      expect(worst, `${name} on [${low}, ${high}]`).toBeLessThanOrEqual(2);
    }
    const ends = put([-Infinity, -1e30, -104, 89, 1e30, Infinity, NaN, 0]);
    const out = room(8);
    call('exp', 0, 8, ends, out);
    expect([...get(out, 8)]).toEqual([0, 0, 0, Infinity, Infinity, Infinity, NaN, 1]);
    const logs = put([0, -1, Infinity, NaN, 1, 1e-40]);
    const logOut = room(6);
    call('log', 0, 6, logs, logOut);
    const got = get(logOut, 6);
    expect([...got.subarray(0, 5)]).toEqual([-Infinity, NaN, Infinity, NaN, 0]);
    expect(got[5]).toBeCloseTo(Math.log(Math.fround(1e-40)), 3);
  });

  test('saturating maps stay finite for huge arguments', () => {
    const x = put([-1e4, 1e4, -Infinity, Infinity]);
    const expected: Record<string, number[]> = {
      sigmoid: [0, 1, 0, 1],
      tanh: [-1, 1, -1, 1],
      softplus: [0, 1e4, 0, Infinity],
      relu: [0, 1e4, 0, Infinity],
    };
    for (const [name, wanted] of Object.entries(expected)) {
      const y = room(4);
      call(name, 0, 4, x, y);
      expect(
        [...get(y, 4)].map((v) => v + 0),
        name,
      ).toEqual(wanted);
    }
    const y = room(2);
    for (const name of ['gelu', 'geluTanh', 'silu']) {
      call(name, 0, 2, x, y);
      expect(
        [...get(y, 2)].map((v) => v + 0),
        name,
      ).toEqual([0, 1e4]);
    }
  });

  test('maps give the same bits on one thread and two', async () => {
    const n = 50001;
    const x = put(values(n, 0.1, 3));
    await expectSameBits('maps', () =>
      ['exp', 'log', 'silu', 'gelu'].map((name) => {
        const y = room(n);
        parallelFor(name as keyof WasmExports as 'exp', n, 1000, x, y);
        return get(y, n);
      }),
    );
  });
});

describe('binary kernels', () => {
  const ops: Record<string, (a: number, b: number) => number> = {
    add: (a, b) => a + b,
    sub: (a, b) => a - b,
    mul: (a, b) => a * b,
    div: (a, b) => a / b,
    max: Math.max,
    min: Math.min,
  };
  for (const [name, f] of Object.entries(ops)) {
    test(`${name} equals f32 arithmetic for equal shapes, rows, columns and scalars from any start`, () => {
      const [rows, n] = [7, 13];
      const count = rows * n;
      const a = values(count, -2, 2);
      const b = values(count, 0.5, 2);
      const [aAt, bAt] = [put(a), put(b)];
      const run = (kernel: string, wanted: (i: number) => number, ...rest: number[]) => {
        const y = room(count);
        for (let i = 0; i < count; i += 10)
          call(kernel, i, Math.min(count, i + 10), aAt, ...rest.slice(0, 1), y, ...rest.slice(1));
        expect(get(y, count), kernel).toEqual(Float32Array.from(a, (_, i) => wanted(i)));
      };
      run(name, (i) => f(a[i], b[i]), bAt);
      run(`${name}Row`, (i) => f(a[i], b[i % n]), bAt, n);
      run(`${name}Col`, (i) => f(a[i], b[Math.floor(i / n)]), bAt, n);
      run(`${name}Scalar`, (i) => f(a[i], 0.75), 0.75);
      if (name === 'sub' || name === 'div') run(`r${name}Scalar`, (i) => f(0.75, a[i]), 0.75);
    });
  }

  test('max, min and clamp give NaN when an operand is NaN', () => {
    const [a, b, y] = [put([NaN, 1, 2, 3, NaN]), put([1, NaN, 1, 5, 1]), room(5)];
    call('max', 0, 5, a, b, y);
    expect([...get(y, 5)]).toEqual([NaN, NaN, 2, 5, NaN]);
    call('min', 0, 5, a, b, y);
    expect([...get(y, 5)]).toEqual([NaN, NaN, 1, 3, NaN]);
    call('clamp', 0, 5, a, y, 1.5, 2.5);
    expect([...get(y, 5)]).toEqual([NaN, 1.5, 2, 2.5, NaN]);
  });

  test('mulAdd, axpy, fill and copy write what they say on odd lengths', () => {
    const n = 11;
    const [a, b] = [values(n), values(n)];
    const [aAt, bAt, y] = [put(a), put(b), room(n)];
    call('fill', 0, n, y, 2);
    call('mulAdd', 0, n, aAt, bAt, y);
    expectClose(
      get(y, n),
      a.map((v, i) => v * b[i] + 2),
      FORWARD,
      'mulAdd',
    );
    call('axpy', 0, n, -0.5, aAt, y);
    expectClose(
      get(y, n),
      a.map((v, i) => v * b[i] + 2 - 0.5 * v),
      FORWARD,
      'axpy',
    );
    call('copy', 2, n, aAt, y);
    expect(get(y, n).subarray(2)).toEqual(Float32Array.from(a).subarray(2));
  });
});

describe('optimiser steps', () => {
  test('adamW follows its formula over several steps, ranges and a decay mask', () => {
    const n = 19;
    const [p, g] = [values(n), values(n)];
    const [m, v] = [new Float64Array(n), new Float64Array(n)];
    const mask = Float64Array.from(p, (_, i) => i % 3);
    const [pAt, gAt, mAt, vAt, maskAt] = [put(p), put(g), put(m), put(v), put(mask)];
    const [lr, b1, b2, eps, decay, scale] = [0.01, 0.9, 0.95, 1e-8, 0.1, 0.5];
    for (let t = 1; t <= 4; t++) {
      const [c1, c2] = [1 / (1 - b1 ** t), 1 / (1 - b2 ** t)];
      for (const [s, e] of [
        [0, 5],
        [5, n],
      ])
        call('adamW', s, e, pAt, gAt, mAt, vAt, maskAt, lr, b1, b2, eps, decay, c1, c2, scale);
      for (let i = 0; i < n; i++) {
        const grad = g[i] * scale;
        m[i] = b1 * m[i] + (1 - b1) * grad;
        v[i] = b2 * v[i] + (1 - b2) * grad * grad;
        p[i] = p[i] * (1 - lr * decay * mask[i]) - (lr * m[i] * c1) / (Math.sqrt(v[i] * c2) + eps);
      }
    }
    expectClose(get(pAt, n), p, FORWARD, 'p');
    expectClose(get(mAt, n), m, FORWARD, 'm');
    expectClose(get(vAt, n), v, FORWARD, 'v');
  });

  test('sgd follows its formula with and without momentum', () => {
    const n = 6;
    const [p, g, m] = [values(n), values(n), values(n)];
    const [pAt, gAt, mAt, qAt] = [put(p), put(g), put(m), put(p)];
    call('sgd', 0, n, pAt, gAt, mAt, 0.1, 0.9, 0.01, 2);
    call('sgd', 0, n, qAt, gAt, 0, 0.1, 0.9, 0.01, 2);
    const step = p.map((v, i) => 2 * g[i] + 0.01 * v);
    expectClose(
      get(pAt, n),
      p.map((v, i) => v - 0.1 * (0.9 * m[i] + step[i])),
      FORWARD,
      'momentum',
    );
    expectClose(
      get(qAt, n),
      p.map((v, i) => v - 0.1 * step[i]),
      FORWARD,
      'plain',
    );
  });
});
