import { describe, expect, test } from 'vitest';
import * as calls from '../../lib/cpu/wasm/calls.js';
import { wasmKernels } from '../../lib/cpu/wasm/module.js';
import { parallelFor } from '../../lib/cpu/wasm/threads.js';
import {
  BACKWARD,
  expectClose,
  expectSameBits,
  FORWARD,
  get,
  put,
  putIntegers,
  room,
  values,
} from './wasm-support.js';

const k = wasmKernels();
const WIDTHS = [1, 2, 5, 8, 17, 130];
const row = (x: Float64Array, r: number, n: number) => x.subarray(r * n, (r + 1) * n);
const total = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);
const dot = (a: Float64Array, b: Float64Array) => total(a.map((v, i) => v * b[i]));

function softmaxOf(x: Float64Array): Float64Array {
  const top = Math.max(...x);
  const e = x.map((v) => Math.exp(v - top));
  const s = total(e);
  return e.map((v) => v / s);
}

describe('reductions', () => {
  test('sum and squaredNorm agree with f64 for lengths around block sizes', () => {
    for (const n of [1, 5, 16, 4095, 4096, 4097, 100003]) {
      const x = values(n, -0.5, 1);
      const at = put(x);
      expectClose([calls.sum(at, n)], [total(x)], FORWARD, `sum ${n}`);
      expectClose([calls.squaredNorm(at, n)], [dot(x, x)], FORWARD, `squaredNorm ${n}`);
    }
    expect(calls.sum(put([1]), 0)).toBe(0);
    expect(calls.sum(put([1, NaN, 2]), 3)).toBeNaN();
  });

  test('row, column and middle sums, maxima, argmax and cumsum agree with f64', () => {
    for (const [outer, n, inner] of [
      [3, 5, 7],
      [1, 130, 6],
      [4, 1, 1],
      [2, 67, 1],
      [1, 3, 9],
    ]) {
      const x = values(outer * n * inner);
      const at = put(x);
      const middle = new Float64Array(outer * inner);
      const running = new Float64Array(x.length);
      const back = new Float64Array(x.length);
      for (let o = 0; o < outer; o++)
        for (let i = 0; i < inner; i++) {
          let s = 0;
          for (let t = 0; t < n; t++) running[(o * n + t) * inner + i] = s += x[(o * n + t) * inner + i];
          middle[o * inner + i] = s;
          let r = 0;
          for (let t = n - 1; t >= 0; t--) back[(o * n + t) * inner + i] = r += x[(o * n + t) * inner + i];
        }
      const [y, z, w] = [room(outer * inner), room(x.length), room(x.length)];
      k.sumMiddle(0, outer * inner, at, y, n, inner);
      expectClose(get(y, outer * inner), middle, FORWARD, 'sumMiddle');
      k.cumsum(0, outer * inner, at, z, n, inner, 0);
      expectClose(get(z, x.length), running, FORWARD, 'cumsum');
      k.cumsum(0, outer * inner, at, w, n, inner, 1);
      expectClose(get(w, x.length), back, FORWARD, 'cumsum reverse');
      const rows = outer * inner;
      const [s, m, a] = [room(rows), room(rows), putIntegers(new Int32Array(rows))];
      k.sumRows(0, rows, at, s, n);
      k.maxRows(0, rows, at, m, n);
      k.argmaxRows(0, rows, at, a, n);
      const lines = Array.from({ length: rows }, (_, r) => row(x, r, n));
      expectClose(get(s, rows), lines.map(total), FORWARD, 'sumRows');
      expectClose(
        get(m, rows),
        lines.map((line) => Math.max(...line)),
        0,
        'maxRows',
      );
      const index = new Int32Array(get(a, rows).buffer);
      expect([...index]).toEqual(lines.map((line) => line.indexOf(Math.max(...line))));
    }
  });

  test('sums give the same bits on one thread and two', async () => {
    const n = 300001;
    const x = put(values(n));
    const y = room(1000);
    await expectSameBits('sum', () => {
      parallelFor('sumColumns', 1000, 1, x, y, 300, 1000);
      return [Float32Array.of(calls.sum(x, n), calls.squaredNorm(x, n)), get(y, 1000)];
    });
  });
});

describe('softmax and cross-entropy', () => {
  test('softmax, log-softmax and their backwards agree with f64 for every width', () => {
    for (const n of WIDTHS) {
      const rows = 3;
      const [x, dy] = [values(rows * n, -20, 20), values(rows * n)];
      const [xAt, dyAt, y, dx, z, dz] = [
        put(x),
        put(dy),
        room(rows * n),
        room(rows * n),
        room(rows * n),
        room(rows * n),
      ];
      k.softmax(0, rows, xAt, y, n);
      k.softmaxBackward(0, rows, y, dyAt, dx, n);
      k.logSoftmax(0, rows, xAt, z, n);
      k.logSoftmaxBackward(0, rows, z, dyAt, dz, n);
      const want = { y: [] as number[], dx: [] as number[], z: [] as number[], dz: [] as number[] };
      for (let r = 0; r < rows; r++) {
        const p = softmaxOf(row(x, r, n));
        const g = row(dy, r, n);
        const s = dot(p, g);
        const top = Math.max(...row(x, r, n));
        const log = Math.log(total(row(x, r, n).map((v) => Math.exp(v - top))));
        want.y.push(...p);
        want.dx.push(...p.map((v, i) => v * (g[i] - s)));
        want.z.push(...row(x, r, n).map((v) => v - top - log));
        want.dz.push(...g.map((v, i) => v - p[i] * total(g)));
      }
      expectClose(get(y, rows * n), want.y, FORWARD, `softmax ${n}`);
      expectClose(get(z, rows * n), want.z, FORWARD, `logSoftmax ${n}`);
      if (n > 1) {
        expectClose(get(dx, rows * n), want.dx, BACKWARD, `softmaxBackward ${n}`);
        expectClose(get(dz, rows * n), want.dz, BACKWARD, `logSoftmaxBackward ${n}`);
      }
    }
  });

  test('cross-entropy and its gradient agree with f64 and skip negative targets', () => {
    for (const n of [2, 7, 256]) {
      const rows = 5;
      const x = values(rows * n, -8, 8);
      const dloss = values(rows);
      const targets = [0, n - 1, -1, 1, n >> 1];
      const [xAt, tAt, loss, lse, gAt, dx] = [
        put(x),
        putIntegers(targets),
        room(rows),
        room(rows),
        put(dloss),
        room(rows * n),
      ];
      k.crossEntropy(0, rows, xAt, tAt, loss, lse, n);
      k.crossEntropyBackward(0, rows, xAt, tAt, lse, gAt, dx, n);
      const wantLoss = new Float64Array(rows);
      const wantDx = new Float64Array(rows * n);
      for (let r = 0; r < rows; r++) {
        if (targets[r] < 0) continue;
        const p = softmaxOf(row(x, r, n));
        wantLoss[r] = -Math.log(p[targets[r]]);
        p.forEach((v, i) => (wantDx[r * n + i] = dloss[r] * (v - (i === targets[r] ? 1 : 0))));
      }
      expectClose(get(loss, rows), wantLoss, FORWARD, `loss ${n}`);
      expectClose(get(dx, rows * n), wantDx, BACKWARD, `dlogits ${n}`);
    }
  });

  test('a NaN makes its own row NaN and no other', () => {
    const n = 9;
    const x = values(2 * n);
    x[3] = NaN;
    const [xAt, y, loss, lse] = [put(x), room(2 * n), room(2), room(2)];
    k.softmax(0, 2, xAt, y, n);
    expect(
      get(y, 2 * n)
        .subarray(0, n)
        .every(Number.isNaN),
    ).toBe(true);
    expect(
      get(y, 2 * n)
        .subarray(n)
        .some(Number.isNaN),
    ).toBe(false);
    k.crossEntropy(0, 2, xAt, putIntegers([0, 0]), loss, lse, n);
    expect(get(loss, 2)[0]).toBeNaN();
    expect(get(loss, 2)[1]).not.toBeNaN();
  });
});

describe('norms', () => {
  test('RMSNorm and its gradients agree with f64, with and without weights', () => {
    for (const n of [1, 3, 8, 33, 128]) {
      const rows = 70;
      const eps = 1e-5;
      const [x, w, dy] = [values(rows * n), values(n), values(rows * n)];
      for (const weighted of [true, false]) {
        const [xAt, wAt, dyAt] = [put(x), weighted ? put(w) : 0, put(dy)];
        const [y, rstd, dx, dw] = [room(rows * n), room(rows), room(rows * n), room(n)];
        k.rmsNorm(0, rows, xAt, wAt, y, rstd, n, eps);
        k.rmsNormBackward(0, rows, xAt, wAt, rstd, dyAt, dx, n);
        k.rmsNormWeightBackward(0, n, xAt, rstd, dyAt, dw, rows, n);
        const want = { y: [] as number[], dx: [] as number[], dw: new Float64Array(n) };
        for (let r = 0; r < rows; r++) {
          const line = row(x, r, n);
          const s = 1 / Math.sqrt(dot(line, line) / n + eps);
          const h = line.map((v) => v * s);
          const g = row(dy, r, n).map((v, i) => v * (weighted ? w[i] : 1));
          want.y.push(...h.map((v, i) => v * (weighted ? w[i] : 1)));
          want.dx.push(...g.map((v, i) => s * (v - (h[i] * dot(g, h)) / n)));
          row(dy, r, n).forEach((v, i) => (want.dw[i] += v * h[i]));
        }
        expectClose(get(y, rows * n), want.y, FORWARD, `rmsNorm ${n}`);
        // One element: the gradient is eps-sized cancellation, nothing relative to compare with.
        if (n > 1) expectClose(get(dx, rows * n), want.dx, BACKWARD, `dx ${n}`);
        expectClose(get(dw, n), want.dw, BACKWARD, `dw ${n}`);
      }
    }
  });

  test('LayerNorm and its gradients agree with f64', () => {
    for (const n of [2, 5, 8, 33, 128]) {
      const rows = 9;
      const eps = 1e-5;
      const [x, w, b, dy] = [values(rows * n, 0, 2), values(n), values(n), values(rows * n)];
      const [xAt, wAt, bAt, dyAt] = [put(x), put(w), put(b), put(dy)];
      const [y, mean, rstd, dx, dw, db] = [
        room(rows * n),
        room(rows),
        room(rows),
        room(rows * n),
        room(n),
        room(n),
      ];
      k.layerNorm(0, rows, xAt, wAt, bAt, y, mean, rstd, n, eps);
      k.layerNormBackward(0, rows, xAt, wAt, mean, rstd, dyAt, dx, n);
      k.layerNormWeightBackward(0, n, xAt, mean, rstd, dyAt, dw, db, rows, n);
      const want = {
        y: [] as number[],
        dx: [] as number[],
        dw: new Float64Array(n),
        db: new Float64Array(n),
      };
      for (let r = 0; r < rows; r++) {
        const line = row(x, r, n);
        const m = total(line) / n;
        const c = line.map((v) => v - m);
        const s = 1 / Math.sqrt(dot(c, c) / n + eps);
        const h = c.map((v) => v * s);
        const g = row(dy, r, n).map((v, i) => v * w[i]);
        want.y.push(...h.map((v, i) => v * w[i] + b[i]));
        want.dx.push(...g.map((v, i) => s * (v - total(g) / n - (h[i] * dot(g, h)) / n)));
        row(dy, r, n).forEach((v, i) => ((want.dw[i] += v * h[i]), (want.db[i] += v)));
      }
      expectClose(get(y, rows * n), want.y, FORWARD, `layerNorm ${n}`);
      if (n > 2) expectClose(get(dx, rows * n), want.dx, BACKWARD, `dx ${n}`);
      expectClose(get(dw, n), want.dw, BACKWARD, `dw ${n}`);
      expectClose(get(db, n), want.db, BACKWARD, `db ${n}`);
    }
  });

  test('rows and weight gradients give the same bits on one thread and two', async () => {
    const [rows, n] = [301, 37];
    const [x, w, dy] = [put(values(rows * n)), put(values(n)), put(values(rows * n))];
    await expectSameBits('norm', () => {
      const [y, rstd, dw] = [room(rows * n), room(rows), room(n)];
      parallelFor('rmsNorm', rows, 1, x, w, y, rstd, n, 1e-5);
      parallelFor('rmsNormWeightBackward', n, 1, x, rstd, dy, dw, rows, n);
      return [get(y, rows * n), get(dw, n)];
    });
  });
});

describe('moving data', () => {
  test('permute reads any strided view, broadcast axes included', () => {
    const x = values(2 * 3 * 5);
    const at = put(x);
    const y = room(60);
    // [2,3,5] -> [5,2,2(broadcast),3]
    const meta = putIntegers([5, 2, 2, 3, 1, 15, 0, 5]);
    for (let i = 0; i < 60; i += 7) k.permute(i, Math.min(60, i + 7), at, y, 4, meta);
    const want: number[] = [];
    for (let c = 0; c < 5; c++)
      for (let a = 0; a < 2; a++)
        for (let z = 0; z < 2; z++) for (let b = 0; b < 3; b++) want.push(x[a * 15 + b * 5 + c]);
    expect([...get(y, 60)]).toEqual(want);
    const one = room(1);
    k.permute(0, 1, at, one, 0, 0);
    expect(get(one, 1)[0]).toBe(x[0]);
  });

  test('gather and scatter-add are each other’s transpose and add in order', () => {
    const [rows, n] = [5, 6];
    const index = [2, 0, 2, 2, 1];
    const [table, x] = [values(3 * n), values(rows * n)];
    const [y, z] = [room(rows * n), put(new Float64Array(3 * n))];
    k.gatherRows(0, rows, put(table), putIntegers(index), y, n);
    expect([...get(y, rows * n)]).toEqual(index.flatMap((r) => [...row(table, r, n)]));
    k.scatterAddRows(0, 4, put(x), putIntegers(index), z, rows, n);
    k.scatterAddRows(4, n, put(x), putIntegers(index), z, rows, n);
    const want = new Float32Array(3 * n);
    index.forEach((r, i) =>
      row(x, i, n).forEach((v, c) => (want[r * n + c] = Math.fround(want[r * n + c] + v))),
    );
    expect(get(z, 3 * n)).toEqual(want);
  });

  test('rope turns pairs in both pairings and turns back with sign -1', () => {
    const [B, T, H, K, R] = [2, 3, 2, 14, 12];
    const half = R / 2;
    const x = values(B * T * H * K);
    const angle = values((T + 2) * half, 0, 3);
    const [cos, sin] = [put(angle.map(Math.cos)), put(angle.map(Math.sin))];
    for (const interleaved of [0, 1]) {
      const [xAt, y, z] = [put(x), room(x.length), room(x.length)];
      k.rope(0, B * T, xAt, y, cos, sin, 0, T, 2, H, K, R, interleaved, 1);
      const want = x.slice();
      for (let r = 0; r < B * T; r++)
        for (let h = 0; h < H; h++)
          for (let j = 0; j < half; j++) {
            const [p, q] = interleaved ? [2 * j, 2 * j + 1] : [j, j + half];
            const base = (r * H + h) * K;
            const a = angle[(2 + (r % T)) * half + j];
            want[base + p] = x[base + p] * Math.cos(a) - x[base + q] * Math.sin(a);
            want[base + q] = x[base + p] * Math.sin(a) + x[base + q] * Math.cos(a);
          }
      expectClose(get(y, x.length), want, FORWARD, 'rope');
      k.rope(0, B * T, y, z, cos, sin, 0, T, 2, H, K, R, interleaved, -1);
      expectClose(get(z, x.length), x, FORWARD, 'rope back');
    }
  });
});
