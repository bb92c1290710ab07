/** SSD from its recurrence, forward and backward, f64 states and sums: S6 with one rate a head. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { sequencesOf } from '../../ops/sequence/index.js';
import { allocate, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';

const WHERE = 'ssd';

interface View {
  x: FloatArray;
  A: FloatArray;
  B: FloatArray;
  C: FloatArray;
  D: FloatArray | undefined;
  /** Step of flat position p and head h, and its derivative with respect to dt. */
  step(p: number, h: number): [number, number];
  /** Offsets of the N entries of B and C, of the P entries of x and y, and of the skip weight of one channel. */
  group(p: number, h: number): number;
  channel(p: number, h: number): number;
  atSkip(h: number, c: number): number;
  start(row: number, h: number): Float64Array;
}

function viewOf(call: Call): View {
  const { H, P, N, G } = call.dims;
  const get = (name: string) => call.in[name]?.floats(WHERE);
  const [dt, bias, initial] = [get('dt')!, get('dtBias'), get('initialState')];
  const { softplus, dtMinimum, dtMaximum } = call.params;
  const perChannel = call.in.D?.rank === 2;
  return {
    x: get('x')!,
    A: get('A')!,
    B: get('B')!,
    C: get('C')!,
    D: get('D'),
    step: (p, h) => {
      const raw = dt[p * H + h] + (bias ? bias[h] : 0);
      const soft = softplus && raw <= 20;
      const step = soft ? math.softplus(raw) : raw;
      const slope = soft ? math.sigmoid(raw) : 1;
      if (step < (dtMinimum as number)) return [dtMinimum as number, 0];
      return step > (dtMaximum as number) ? [dtMaximum as number, 0] : [step, slope];
    },
    group: (p, h) => (p * G + Math.floor((h * G) / H)) * N,
    channel: (p, h) => (p * H + h) * P,
    atSkip: (h, c) => (perChannel ? h * P + c : h),
    start: (row, h) => {
      const at = (row * H + h) * N * P;
      return initial ? Float64Array.from(initial.subarray(at, at + N * P)) : new Float64Array(N * P);
    },
  };
}

/** S_t = e^{A step} S_{t-1} + step B_t x_t^T, as [N,P]. */
function next(call: Call, s: View, before: Float64Array, p: number, h: number): Float64Array {
  const { P } = call.dims;
  const [group, channel] = [s.group(p, h), s.channel(p, h)];
  const [step] = s.step(p, h);
  const kept = math.exp(s.A[h] * step);
  return before.map((old, i) => kept * old + step * s.B[group + Math.floor(i / P)] * s.x[channel + (i % P)]);
}

const forward: Implementation['forward'] = (call) => {
  const { H, P, N } = call.dims;
  const s = viewOf(call);
  const sequences = sequencesOf(call);
  const y = allocate(call, call.in.x!.shape);
  const finalState = allocate(call, [sequences.length, H, N, P]);
  const [to, last] = [y.floats(WHERE), finalState.floats(WHERE)];
  for (const [row, first, length] of sequences)
    for (let h = 0; h < H; h++) {
      let S = s.start(row, h);
      for (let p = first; p < first + length; p++) {
        S = next(call, s, S, p, h);
        const [group, channel] = [s.group(p, h), s.channel(p, h)];
        for (let c = 0; c < P; c++) {
          let sum = s.D ? s.D[s.atSkip(h, c)] * s.x[channel + c] : 0;
          for (let n = 0; n < N; n++) sum += s.C[group + n] * S[n * P + c];
          to[channel + c] = sum;
        }
      }
      last.set(S, (row * H + h) * N * P);
    }
  return { y, finalState };
};

/** G_t = C_t dy_t^T + a_{t+1} G_{t+1} backwards from the gradient of the final state (design: algorithms 1.2). */
const backward: Implementation['forward'] = (call) => {
  const { H, P, N } = call.dims;
  const s = viewOf(call);
  const dfinal = call.grad.finalState?.floats(WHERE);
  const sums: Record<string, Float64Array> = {};
  for (const [name, t] of Object.entries(call.in))
    if (t && t.dtype !== 'i32') sums[name] = new Float64Array(t.size);
  for (const [row, first, length] of sequencesOf(call))
    for (let h = 0; h < H; h++) {
      const states = [s.start(row, h)];
      for (let t = 0; t < length; t++) states.push(next(call, s, states[t], first + t, h));
      const G = new Float64Array(N * P);
      if (dfinal) G.set(dfinal.subarray((row * H + h) * N * P, (row * H + h + 1) * N * P));
      for (let t = length - 1; t >= 0; t--)
        tokenBackward(call, s, sums, [states[t], states[t + 1], G], first + t, h);
      sums.initialState?.set(G, (row * H + h) * N * P);
    }
  const made: OptionalTensors = {};
  for (const [name, values] of Object.entries(sums)) {
    made[name] = allocate(call, call.in[name]!.shape);
    (made[name].floats(WHERE) as Float64Array).set(values);
  }
  return made;
};

/** On entry G is a_{t+1} G_{t+1}; it leaves as a_t G_t. */
function tokenBackward(
  call: Call,
  s: View,
  sums: Record<string, Float64Array>,
  [before, after, G]: readonly [Float64Array, Float64Array, Float64Array],
  p: number,
  h: number,
): void {
  const { H, P } = call.dims;
  const dy = call.grad.y?.floats(WHERE);
  const [group, channel] = [s.group(p, h), s.channel(p, h)];
  const [step, slope] = s.step(p, h);
  const kept = math.exp(s.A[h] * step);
  let dStep = 0;
  for (let i = 0; i < G.length; i++) {
    const [n, c] = [group + Math.floor(i / P), channel + (i % P)];
    const out = dy ? dy[c] : 0;
    sums.C[n] += after[i] * out;
    G[i] += s.C[n] * out;
    sums.B[n] += step * G[i] * s.x[c];
    sums.x[c] += step * G[i] * s.B[n];
    const carried = kept * G[i] * before[i];
    dStep += G[i] * s.B[n] * s.x[c] + s.A[h] * carried;
    sums.A[h] += step * carried;
    G[i] *= kept;
  }
  for (let c = 0; dy && s.D && c < P; c++) {
    sums.x[channel + c] += s.D[s.atSkip(h, c)] * dy[channel + c];
    sums.D[s.atSkip(h, c)] += s.x[channel + c] * dy[channel + c];
  }
  sums.dt[p * H + h] += dStep * slope;
  if (sums.dtBias) sums.dtBias[h] += dStep * slope;
}

export const ssdReference: Implementation = { forward, backward };
