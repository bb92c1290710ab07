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
  sigmoid,
  values,
} from './wasm-support.js';

const k = wasmKernels();

/** [first row, end row] of each sequence. */
const spans = (B: number, T: number, cu?: number[]) =>
  cu ? cu.slice(1).map((end, s) => [cu[s], end]) : Array.from({ length: B }, (_, b) => [b * T, (b + 1) * T]);

const cases = [
  { B: 2, T: 9, D: 5, W: 4 },
  { B: 1, T: 1, D: 8, W: 4 },
  { B: 2, T: 2, D: 3, W: 4 },
  { B: 1, T: 70, D: 17, W: 2 },
  { B: 1, T: 12, D: 6, W: 8, cu: [0, 1, 1, 9, 12] },
];

describe('causal depthwise convolution', () => {
  for (const silu of [false, true]) {
    test(`forward and all gradients agree with f64 ${silu ? 'with' : 'without'} SiLU, states and packed sequences included`, () => {
      for (const { B, T, D, W, cu } of cases) {
        const list = spans(B, T, cu);
        const S = list.length;
        const rows = B * T;
        const [x, w, bias, state] = [values(rows * D), values(D * W), values(D), values(S * D * (W - 1))];
        const [dy, dfinal] = [values(rows * D), values(S * D * (W - 1))];
        const want = {
          y: new Float64Array(rows * D),
          final: new Float64Array(state.length),
          dx: new Float64Array(rows * D),
          dw: new Float64Array(D * W),
          db: new Float64Array(D),
          ds: new Float64Array(state.length),
        };
        list.forEach(([t0, t1], s) => {
          for (let d = 0; d < D; d++) {
            const line = (s * D + d) * (W - 1);
            // Reads and adds to the input at relative time tau, in the state when negative.
            const read = (tau: number) => (tau >= 0 ? x[(t0 + tau) * D + d] : state[line + tau + W - 1]);
            const give = (tau: number, v: number) => {
              if (tau >= 0) want.dx[(t0 + tau) * D + d] += v;
              else want.ds[line + tau + W - 1] += v;
            };
            for (let t = 0; t < t1 - t0; t++) {
              const at = (t0 + t) * D + d;
              let p = bias[d];
              for (let j = 0; j < W; j++) p += w[d * W + j] * read(t - W + 1 + j);
              want.y[at] = silu ? p * sigmoid(p) : p;
              const g = dy[at] * (silu ? sigmoid(p) * (1 + p * (1 - sigmoid(p))) : 1);
              want.db[d] += g;
              for (let j = 0; j < W; j++) {
                want.dw[d * W + j] += g * read(t - W + 1 + j);
                give(t - W + 1 + j, g * w[d * W + j]);
              }
            }
            for (let f = 0; f < W - 1; f++) {
              want.final[line + f] = read(t1 - t0 - (W - 1) + f);
              give(t1 - t0 - (W - 1) + f, dfinal[line + f]);
            }
          }
        });
        const dims = { B, T, D, W, cu: cu ? putIntegers(cu) : 0, S };
        const inputs = { x: put(x), w: put(w), bias: put(bias), state: put(state) };
        const out = { y: room(rows * D), final: room(state.length) };
        calls.conv1d(dims, { ...inputs, ...out }, silu);
        const label = JSON.stringify({ B, T, D, W, cu });
        expectClose(get(out.y, rows * D), want.y, FORWARD, `y ${label}`);
        expectClose(get(out.final, state.length), want.final, FORWARD, `final ${label}`);
        const grads = { dx: room(rows * D), dw: room(D * W), dbias: room(D), dstate: room(state.length) };
        calls.conv1dBackward(dims, { ...inputs, dy: put(dy), dfinal: put(dfinal), ...grads }, silu);
        expectClose(get(grads.dx, rows * D), want.dx, BACKWARD, `dx ${label}`);
        expectClose(get(grads.dw, D * W), want.dw, BACKWARD, `dw ${label}`);
        expectClose(get(grads.dbias, D), want.db, BACKWARD, `db ${label}`);
        expectClose(get(grads.dstate, state.length), want.ds, BACKWARD, `dstate ${label}`);
        calls.conv1d(dims, { ...inputs, y: out.y, final: inputs.state }, silu);
        expect(get(inputs.state, state.length)).toEqual(get(out.final, state.length));
      }
    });
  }

  test('results are the same bits on one thread and two', async () => {
    const [B, T, D, W] = [2, 300, 33, 4];
    const at = { x: put(values(B * T * D)), w: put(values(D * W)), dy: put(values(B * T * D)) };
    await expectSameBits('conv', () => {
      const out = { y: room(B * T * D), dx: room(B * T * D), dw: room(D * W), dbias: room(D) };
      calls.conv1d({ B, T, D, W }, { ...at, y: out.y }, true);
      calls.conv1dBackward({ B, T, D, W }, { ...at, ...out }, true);
      return [get(out.y, B * T * D), get(out.dx, B * T * D), get(out.dw, D * W), get(out.dbias, D)];
    });
  });
});

describe('linear recurrence', () => {
  test('forward and gradients agree with f64, initial and final states and packed sequences included', () => {
    for (const { B, T, D, cu } of cases) {
      const list = spans(B, T, cu);
      const S = list.length;
      const n = B * T * D;
      const [a, b, h0, dh, df] = [values(n, 0, 1), values(n), values(S * D), values(n), values(S * D)];
      const want = ['h', 'final', 'da', 'db', 'dh0'].map(
        (_, i) => new Float64Array(i === 1 || i === 4 ? S * D : n),
      );
      const [h, final, da, db, dh0] = want;
      list.forEach(([t0, t1], s) => {
        for (let d = 0; d < D; d++) {
          let v = h0[s * D + d];
          for (let t = t0; t < t1; t++) h[t * D + d] = v = a[t * D + d] * v + b[t * D + d];
          final[s * D + d] = v;
          let carry = df[s * D + d];
          for (let t = t1 - 1; t >= t0; t--) {
            const g = dh[t * D + d] + carry;
            db[t * D + d] = g;
            da[t * D + d] = g * (t > t0 ? h[(t - 1) * D + d] : h0[s * D + d]);
            carry = g * a[t * D + d];
          }
          dh0[s * D + d] = carry;
        }
      });
      const cuAt = cu ? putIntegers(cu) : 0;
      const [aAt, h0At, hAt, finalAt] = [put(a), put(h0), room(n), room(S * D)];
      k.linearRecurrence(0, S * Math.ceil(D / 16), aAt, put(b), h0At, hAt, finalAt, T, D, cuAt, 0, 0);
      expectClose(get(hAt, n), h, FORWARD, 'h');
      expectClose(get(finalAt, S * D), final, FORWARD, 'final');
      const outs = [room(n), room(n), room(S * D)];
      k.linearRecurrenceBackward(
        0,
        S * Math.ceil(D / 16),
        aAt,
        0,
        hAt,
        h0At,
        put(dh),
        put(df),
        outs[0],
        outs[1],
        outs[2],
        T,
        D,
        cuAt,
        0,
        0,
      );
      expectClose(get(outs[0], n), da, BACKWARD, 'da');
      expectClose(get(outs[1], n), db, BACKWARD, 'db');
      expectClose(get(outs[2], S * D), dh0, BACKWARD, 'dh0');
    }
  });
});

describe('softmax attention', () => {
  const shapes = [
    { B: 2, Tq: 5, Tk: 5, H: 4, Hkv: 2, K: 7, V: 6, causal: true },
    { B: 1, Tq: 1, Tk: 130, H: 2, Hkv: 1, K: 16, V: 16, causal: true, capacity: 140 },
    { B: 1, Tq: 67, Tk: 131, H: 1, Hkv: 1, K: 9, V: 5, causal: true },
    { B: 1, Tq: 70, Tk: 66, H: 2, Hkv: 2, K: 8, V: 12, causal: true },
    { B: 2, Tq: 3, Tk: 65, H: 2, Hkv: 1, K: 4, V: 4, causal: false, capacity: 66 },
    { B: 1, Tq: 2, Tk: 9, H: 3, Hkv: 3, K: 5, V: 3, causal: true },
  ];

  test('output, logsumexp and gradients agree with f64, bottom-right causal, grouped heads and long caches included', () => {
    for (const shape of shapes) {
      const { B, Tq, Tk, H, Hkv, K, V, causal } = shape;
      const rows = shape.capacity ?? Tk;
      const scale = 1 / Math.sqrt(K);
      const [q, key, v, g] = [
        values(B * Tq * H * K, -2, 2),
        values(B * rows * Hkv * K, -2, 2),
        values(B * rows * Hkv * V),
        values(B * Tq * H * V),
      ];
      const [o, lse] = [new Float64Array(g.length), new Float64Array(B * H * Tq)];
      const [dq, dk, dv] = [
        new Float64Array(q.length),
        new Float64Array(key.length),
        new Float64Array(v.length),
      ];
      for (let b = 0; b < B; b++)
        for (let h = 0; h < H; h++)
          for (let i = 0; i < Tq; i++) {
            const kv = Math.floor(h / (H / Hkv));
            const qa = ((b * Tq + i) * H + h) * K;
            const oa = ((b * Tq + i) * H + h) * V;
            const seen = Math.max(0, causal ? Math.min(Tk, i + Tk - Tq + 1) : Tk);
            const ka = (j: number) => ((b * rows + j) * Hkv + kv) * K;
            const va = (j: number) => ((b * rows + j) * Hkv + kv) * V;
            const s = Array.from({ length: seen }, (_, j) => {
              let dot = 0;
              for (let c = 0; c < K; c++) dot += q[qa + c] * key[ka(j) + c];
              return dot * scale;
            });
            const top = Math.max(...s);
            const sum = s.reduce((acc, x) => acc + Math.exp(x - top), 0);
            lse[(b * H + h) * Tq + i] = seen ? top + Math.log(sum) : -1e30;
            const p = s.map((x) => Math.exp(x - top) / sum);
            p.forEach((w, j) => {
              for (let c = 0; c < V; c++) o[oa + c] += w * v[va(j) + c];
            });
            const dp = p.map((_, j) => {
              let dot = 0;
              for (let c = 0; c < V; c++) dot += g[oa + c] * v[va(j) + c];
              return dot;
            });
            const delta = p.reduce((acc, w, j) => acc + w * dp[j], 0);
            p.forEach((w, j) => {
              const ds = w * (dp[j] - delta) * scale;
              for (let c = 0; c < V; c++) dv[va(j) + c] += w * g[oa + c];
              for (let c = 0; c < K; c++) {
                dq[qa + c] += ds * key[ka(j) + c];
                dk[ka(j) + c] += ds * q[qa + c];
              }
            });
          }
      const dims = { ...shape, scale };
      const at = { q: put(q), k: put(key), v: put(v), o: room(o.length), lse: room(lse.length) };
      calls.attention(dims, at);
      const label = JSON.stringify(shape);
      expectClose(get(at.o, o.length), o, FORWARD, `o ${label}`);
      expectClose(get(at.lse, lse.length), lse, FORWARD, `lse ${label}`);
      const grads = { dq: room(q.length), dk: room(key.length), dv: room(v.length) };
      const [dO, delta] = [put(g), room(lse.length)];
      calls.attentionDelta(dims, { o: at.o, dO, delta });
      calls.attentionBackward(dims, { ...at, dO, delta, ...grads });
      expectClose(get(grads.dq, q.length), dq, BACKWARD, `dq ${label}`);
      expectClose(get(grads.dk, key.length), dk, BACKWARD, `dk ${label}`);
      expectClose(get(grads.dv, v.length), dv, BACKWARD, `dv ${label}`);
    }
  });

  test('later keys do not change earlier queries, and a NaN key makes later ones NaN', () => {
    const dims = { B: 1, Tq: 80, Tk: 80, H: 1, Hkv: 1, K: 4, V: 4, scale: 0.5, causal: true };
    const [q, key, v] = [values(320), values(320), values(320)];
    const [o, p] = [room(320), room(320)];
    calls.attention(dims, { q: put(q), k: put(key), v: put(v), o });
    key[70 * 4] = NaN;
    calls.attention(dims, { q: put(q), k: put(key), v: put(v), o: p });
    expect(get(p, 320).subarray(0, 280)).toEqual(get(o, 320).subarray(0, 280));
    expect(get(p, 320).subarray(280).every(Number.isNaN)).toBe(true);
  });

  test('results are the same bits on one thread and two', async () => {
    const dims = { B: 2, Tq: 130, Tk: 130, H: 4, Hkv: 2, K: 16, V: 16, scale: 0.25, causal: true };
    const n = 2 * 130 * 4 * 16;
    const at = { q: put(values(n)), k: put(values(n / 2)), v: put(values(n / 2)), dO: put(values(n)) };
    await expectSameBits('attention', () => {
      const rows = { lse: room(2 * 4 * 130), delta: room(2 * 4 * 130) };
      const out = { ...rows, o: room(n), dq: room(n), dk: room(n / 2), dv: room(n / 2) };
      calls.attention(dims, { ...at, ...out });
      calls.attentionDelta(dims, { ...at, ...out });
      calls.attentionBackward(dims, { ...at, ...out });
      return [get(out.o, n), get(out.dq, n), get(out.dk, n / 2), get(out.dv, n / 2)];
    });
  });

  test('recurrence units may be cut anywhere', async () => {
    const [B, T, D] = [3, 40, 7];
    const n = B * T * D;
    const [a, b] = [put(values(n, 0, 1)), put(values(n))];
    await expectSameBits('recurrence', () => {
      const h = room(n);
      parallelFor('linearRecurrence', B, 1, a, b, 0, h, 0, T, D, 0, 0, 0);
      return [get(h, n)];
    });
  });
});
