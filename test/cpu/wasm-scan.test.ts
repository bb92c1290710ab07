import { describe, expect, test } from 'vitest';
import * as calls from '../../lib/cpu/wasm/calls.js';
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
  softplus,
  values,
} from './wasm-support.js';

interface Case {
  B: number;
  T: number;
  D: number;
  N: number;
  G: number;
  cu?: number[];
  invariantB?: boolean;
  invariantC?: boolean;
  softplus?: boolean;
  plain?: boolean;
}

type Arrays = Record<string, Float64Array>;

function inputsOf(c: Case): Arrays {
  const rows = c.B * c.T;
  const S = c.cu ? c.cu.length - 1 : c.B;
  return {
    u: values(rows * c.D),
    delta: values(rows * c.D, c.softplus ? -4 : 0.001, c.softplus ? 1 : 0.4),
    A: values(c.D * c.N, -8, -0.05),
    B: values(c.invariantB ? c.D * c.N : rows * c.G * c.N),
    C: values(c.invariantC ? c.D * c.N : rows * c.G * c.N),
    D: values(c.D),
    z: values(rows * c.D, -3, 3),
    bias: values(c.D, -0.5, 0.5),
    h0: values(S * c.D * c.N),
    dy: values(rows * c.D),
    dfinal: values(S * c.D * c.N),
  };
}

/** The definition in f64, forward and backward, one sequence and channel at a time with all states kept. */
function reference(c: Case, x: Arrays): Arrays {
  const { D, N, G } = c;
  const lists = c.cu
    ? c.cu.slice(1).map((end, s) => [c.cu![s], end])
    : Array.from({ length: c.B }, (_, b) => [b * c.T, (b + 1) * c.T]);
  const out: Arrays = { y: new Float64Array(x.u.length), final: new Float64Array(x.h0.length) };
  for (const name of Object.keys(x))
    if (!name.startsWith('dy') && name !== 'dfinal') out[`d${name}`] = new Float64Array(x[name].length);
  lists.forEach(([t0, t1], s) => {
    for (let d = 0; d < D; d++) {
      const g = Math.floor((d * G) / D);
      const bAt = (t: number) => (c.invariantB ? d * N : (t * G + g) * N);
      const cAt = (t: number) => (c.invariantC ? d * N : (t * G + g) * N);
      const state = (s * D + d) * N;
      let h = c.plain ? new Float64Array(N) : x.h0.slice(state, state + N);
      const kept: Float64Array[] = [h];
      const raw = (t: number) => x.delta[t * D + d] + (c.plain ? 0 : x.bias[d]);
      const dt = (t: number) => (c.softplus ? softplus(raw(t)) : raw(t));
      const skip = c.plain ? 0 : x.D[d];
      const pre: number[] = [];
      for (let t = t0; t < t1; t++) {
        h = h.map((v, n) => Math.exp(dt(t) * x.A[d * N + n]) * v + dt(t) * x.u[t * D + d] * x.B[bAt(t) + n]);
        kept.push(h);
        const sum = h.reduce((acc, v, n) => acc + x.C[cAt(t) + n] * v, 0) + skip * x.u[t * D + d];
        pre.push(sum);
        const z = x.z[t * D + d];
        out.y[t * D + d] = c.plain ? sum : sum * z * sigmoid(z);
      }
      out.final.set(h, state);
      const carry = x.dfinal.slice(state, state + N);
      for (let t = t1 - 1; t >= t0; t--) {
        const at = t * D + d;
        const [step, u, z] = [dt(t), x.u[at], x.z[at]];
        const sig = sigmoid(z);
        const gy = c.plain ? x.dy[at] : x.dy[at] * z * sig;
        out.dz[at] = x.dy[at] * pre[t - t0] * sig * (1 + z * (1 - sig));
        out.dD[d] += gy * u;
        let [sb, sa] = [0, 0];
        for (let n = 0; n < N; n++) {
          const G1 = gy * x.C[cAt(t) + n] + carry[n];
          out.dC[cAt(t) + n] += gy * kept[t - t0 + 1][n];
          out.dB[bAt(t) + n] += G1 * step * u;
          sb += G1 * x.B[bAt(t) + n];
          carry[n] = G1 * Math.exp(step * x.A[d * N + n]);
          const w = carry[n] * kept[t - t0][n];
          sa += w * x.A[d * N + n];
          out.dA[d * N + n] += w * step;
        }
        out.du[at] = skip * gy + step * sb;
        const dd = (u * sb + sa) * (c.softplus ? (raw(t) > 20 ? 1 : sigmoid(raw(t))) : 1);
        out.ddelta[at] = dd;
        out.dbias[d] += dd;
      }
      out.dh0.set(carry, state);
    }
  });
  return out;
}

function run(c: Case, x: Arrays, split?: calls.ScanSplit): Arrays {
  const S = c.cu ? c.cu.length - 1 : c.B;
  const dims = { ...c, cu: c.cu ? putIntegers(c.cu) : 0, S };
  const all = Object.fromEntries(Object.entries(x).map(([name, v]) => [name, put(v)]));
  const optional = c.plain
    ? { D: 0, z: 0, bias: 0, h0: 0 }
    : { D: all.D, z: all.z, bias: all.bias, h0: all.h0 };
  const inputs = { u: all.u, delta: all.delta, A: all.A, B: all.B, C: all.C, ...optional };
  const checkpoints = room(calls.scanCheckpointFloats(dims));
  const out: Record<string, number> = { y: room(x.u.length), final: room(x.h0.length) };
  const options = { softplus: Boolean(c.softplus), split };
  calls.selectiveScan(dims, { ...inputs, y: out.y, final: out.final, checkpoints }, options);
  const names = c.plain
    ? ['u', 'delta', 'A', 'B', 'C']
    : ['u', 'delta', 'A', 'B', 'C', 'D', 'z', 'bias', 'h0'];
  for (const name of names) out[`d${name}`] = room(x[name].length);
  const grads = Object.fromEntries(names.map((name) => [`d${name}`, out[`d${name}`]])) as {
    du: number;
    ddelta: number;
    dA: number;
    dB: number;
    dC: number;
  };
  calls.selectiveScanBackward(
    dims,
    { ...inputs, checkpoints, dy: all.dy, dfinal: all.dfinal, ...grads },
    options,
  );
  get(checkpoints, calls.scanCheckpointFloats(dims));
  const sizeOf = (name: string) =>
    name === 'y' ? x.u.length : name === 'final' ? x.h0.length : x[name.slice(1)].length;
  return Object.fromEntries(
    Object.entries(out).map(([name, ptr]) => [name, get(ptr, sizeOf(name)) as unknown as Float64Array]),
  );
}

const cases: Case[] = [
  { B: 1, T: 1, D: 4, N: 4, G: 1 },
  { B: 2, T: 15, D: 5, N: 3, G: 1, softplus: true },
  { B: 2, T: 16, D: 8, N: 16, G: 2, softplus: true },
  { B: 1, T: 17, D: 6, N: 5, G: 3 },
  { B: 1, T: 37, D: 67, N: 16, G: 1, softplus: true },
  { B: 1, T: 33, D: 140, N: 4, G: 2, softplus: true },
  { B: 2, T: 19, D: 7, N: 9, G: 1, softplus: true, invariantB: true, invariantC: true },
  { B: 1, T: 18, D: 4, N: 8, G: 1, invariantB: true },
  { B: 1, T: 18, D: 4, N: 8, G: 4, invariantC: true },
  { B: 1, T: 40, D: 10, N: 6, G: 2, softplus: true, cu: [0, 1, 1, 17, 33, 40] },
  { B: 2, T: 21, D: 9, N: 16, G: 1, plain: true },
  { B: 1, T: 3, D: 65, N: 256, G: 1, softplus: true },
];

/** Sequences of several parts in form chunk (256 steps) or scan (64), and some of one. */
const longCases: Case[] = [
  { B: 1, T: 521, D: 7, N: 5, G: 1, softplus: true },
  { B: 2, T: 300, D: 10, N: 3, G: 2, softplus: true },
  { B: 1, T: 600, D: 70, N: 4, G: 1, softplus: true, cu: [0, 1, 1, 257, 269, 600] },
  { B: 1, T: 270, D: 6, N: 9, G: 1, softplus: true, invariantB: true, invariantC: true },
  { B: 1, T: 513, D: 5, N: 4, G: 1, plain: true },
];

describe('selective scan', () => {
  test('forward and all gradients agree with f64 for groups, tails, fixed B and C, states and packed sequences', () => {
    for (const c of [...cases, ...longCases]) {
      const x = inputsOf(c);
      const want = reference(c, x);
      for (const split of [undefined, 'chunk', 'scan'] as const)
        for (const [name, array] of Object.entries(run(c, x, split))) {
          const limit = name === 'y' || name === 'final' ? FORWARD : BACKWARD;
          expectClose(array, want[name], limit, `${name} ${split} ${JSON.stringify(c)}`);
        }
    }
  });

  test('a sequence of one part gives the bits of the recurrence, whatever it is split by', () => {
    for (const c of cases.filter(({ T }) => T <= 64)) {
      const x = inputsOf(c);
      const whole = run(c, x);
      expect(run(c, x, 'chunk')).toEqual(whole);
      expect(run(c, x, 'scan')).toEqual(whole);
    }
  });

  test('a packed batch gives the bits of its sequences run alone', () => {
    const c: Case = { B: 1, T: 40, D: 12, N: 8, G: 1, softplus: true, cu: [0, 1, 18, 40] };
    const x = inputsOf(c);
    const whole = run(c, x);
    c.cu!.slice(1).forEach((end, s) => {
      const start = c.cu![s];
      const cut = (name: string, width: number) => x[name].slice(start * width, end * width);
      const part: Arrays = {
        ...x,
        h0: x.h0.slice(s * 96, s * 96 + 96),
        dfinal: x.dfinal.slice(s * 96, s * 96 + 96),
      };
      for (const name of ['u', 'delta', 'z', 'dy']) part[name] = cut(name, 12);
      for (const name of ['B', 'C']) part[name] = cut(name, 8);
      const alone = run({ ...c, T: end - start, cu: undefined }, part);
      expect(alone.y).toEqual(whole.y.slice(start * 12, end * 12));
      expect(alone.du).toEqual(whole.du.slice(start * 12, end * 12));
      expect(alone.dB).toEqual(whole.dB.slice(start * 8, end * 8));
      expect(alone.final).toEqual(whole.final.slice(s * 96, s * 96 + 96));
    });
  });

  test('single steps that carry the state in place give the bits of the whole run', () => {
    const c: Case = { B: 2, T: 9, D: 6, N: 5, G: 1, softplus: true };
    const x = inputsOf(c);
    const whole = run(c, x);
    const h = put(x.h0);
    const at = { A: put(x.A), D: put(x.D), bias: put(x.bias) };
    for (let t = 0; t < c.T; t++) {
      const cut = (name: string, width: number) =>
        put([0, 1].flatMap((b) => [...x[name].subarray((b * 9 + t) * width, (b * 9 + t + 1) * width)]));
      const step = { u: cut('u', 6), delta: cut('delta', 6), z: cut('z', 6), B: cut('B', 5), C: cut('C', 5) };
      const y = room(12);
      calls.selectiveScan(
        { B: 2, T: 1, D: 6, N: 5, G: 1 },
        { ...at, ...step, h0: h, final: h, y },
        { softplus: true },
      );
      for (const b of [0, 1])
        expect([...get(y, 12).subarray(b * 6, b * 6 + 6)]).toEqual([
          ...whole.y.subarray((b * 9 + t) * 6, (b * 9 + t + 1) * 6),
        ]);
    }
    expect([...get(h, 60)]).toEqual([...whole.final]);
  });

  test('decays that underflow, positive A and huge steps give no NaN; NaN inputs stay NaN', () => {
    const c: Case = { B: 1, T: 20, D: 4, N: 4, G: 1, plain: true };
    const x = inputsOf(c);
    x.A.fill(-300);
    x.delta.fill(30);
    const got = run(c, x);
    for (const [name, array] of Object.entries(got)) expect(array.some(Number.isNaN), name).toBe(false);
    x.A.fill(0.5);
    x.delta.fill(0.1);
    expectClose(run(c, x).y, reference(c, x).y, FORWARD, 'growing');
    x.u[5 * 4 + 2] = NaN;
    const y = run(c, x).y;
    y.forEach((v, i) => expect(Number.isNaN(v)).toBe(i % 4 === 2 && i >= 20));
  });

  test('forward and gradients are the same bits on one thread and two', async () => {
    const c: Case = { B: 2, T: 50, D: 200, N: 16, G: 1, softplus: true };
    const x = inputsOf(c);
    await expectSameBits('scan', () => Object.values(run(c, x)) as unknown as Float32Array[]);
  });

  test('parts of time give the same bits on one thread and two, packed or not', async () => {
    const large: Case[] = [
      { B: 1, T: 700, D: 40, N: 8, G: 1, softplus: true },
      { B: 1, T: 600, D: 70, N: 4, G: 1, softplus: true, cu: [0, 1, 1, 257, 269, 600] },
    ];
    for (const c of large)
      for (const split of ['chunk', 'scan'] as const) {
        const x = inputsOf(c);
        await expectSameBits(split, () => Object.values(run(c, x, split)) as unknown as Float32Array[]);
      }
  });

  test('narrower units, taken where threads would idle, give the same bits', async () => {
    // 100 channels are two units of 64, enough for one thread and too few for two.
    const c: Case = { B: 1, T: 200, D: 100, N: 8, G: 1, softplus: true };
    const x = inputsOf(c);
    await expectSameBits('narrow', () => Object.values(run(c, x)) as unknown as Float32Array[]);
  });
});
