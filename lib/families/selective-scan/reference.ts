/** The selective scan (S6) from its definition, in whatever precision its inputs have; states and sums in f64. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { sequencesOf, type Sequence } from '../../ops/sequence/index.js';
import { allocate, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';

/** Arrays and index functions of one call. */
export interface ScanView {
  u: FloatArray;
  delta: FloatArray;
  A: FloatArray;
  B: FloatArray;
  C: FloatArray;
  D: FloatArray | undefined;
  z: FloatArray | undefined;
  bias: FloatArray | undefined;
  initial: FloatArray | undefined;
  sequences: Sequence[];
  /** Offset of B's (or C's) N entries for flat position p and channel d. */
  atB(p: number, d: number): number;
  atC(p: number, d: number): number;
  /** Step size after bias and softplus, and its derivative with respect to delta. */
  step(p: number, d: number): [number, number];
}

export function scanView(call: Call): ScanView {
  const { D, N } = call.dims;
  const get = (name: string) => call.in[name]?.floats('selective-scan');
  const groupsOf = (name: string) => (call.in[name]!.rank === 4 ? call.in[name]!.shape[2] : 0);
  const offset = (groups: number) => (p: number, d: number) =>
    groups === 0 ? d * N : (p * groups + Math.floor((d * groups) / D)) * N;
  const delta = get('delta')!;
  const bias = get('deltaBias');
  return {
    u: get('u')!,
    delta,
    A: get('A')!,
    B: get('B')!,
    C: get('C')!,
    D: get('D'),
    z: get('z'),
    bias,
    initial: get('initialState'),
    sequences: sequencesOf(call),
    atB: offset(groupsOf('B')),
    atC: offset(groupsOf('C')),
    step: (p, d) => {
      const raw = delta[p * D + d] + (bias ? bias[d] : 0);
      if (!call.params.softplus) return [raw, 1];
      return raw > 20 ? [raw, 1] : [math.softplus(raw), math.sigmoid(raw)];
    },
  };
}

/** State of channel d before the first token of a sequence. */
export function initialState(s: ScanView, call: Call, row: number, d: number): Float64Array {
  const { D, N } = call.dims;
  const at = (row * D + d) * N;
  return s.initial ? Float64Array.from(s.initial.subarray(at, at + N)) : new Float64Array(N);
}

/** All states h_t[n] of one channel over a span of time, the given one first. */
function states(
  s: ScanView,
  call: Call,
  start: Float64Array,
  [first, length]: readonly [number, number],
  d: number,
): Float64Array {
  const { D, N } = call.dims;
  const h = new Float64Array((length + 1) * N);
  h.set(start);
  for (let t = 0; t < length; t++) {
    const p = first + t;
    const [step] = s.step(p, d);
    for (let n = 0; n < N; n++)
      // h_t = e^{step A} h_{t-1} + step u_t B_t
      h[(t + 1) * N + n] =
        math.exp(step * s.A[d * N + n]) * h[t * N + n] + step * s.u[p * D + d] * s.B[s.atB(p, d) + n];
  }
  return h;
}

/** y before the gate: C_t . h_t + D u_t. */
function readOut(s: ScanView, call: Call, h: Float64Array, t: number, p: number, d: number): number {
  const { D, N } = call.dims;
  let y = s.D ? s.D[d] * s.u[p * D + d] : 0;
  for (let n = 0; n < N; n++) y += s.C[s.atC(p, d) + n] * h[(t + 1) * N + n];
  return y;
}

const forward: Implementation['forward'] = (call) => {
  const { D, N } = call.dims;
  const s = scanView(call);
  const y = allocate(call, call.in.u!.shape);
  const finalState = allocate(call, [s.sequences.length, D, N]);
  const [to, last] = [y.floats('selective-scan'), finalState.floats('selective-scan')];
  for (const sequence of s.sequences)
    for (let d = 0; d < D; d++) {
      const [row, first, length] = sequence;
      const h = states(s, call, initialState(s, call, row, d), [first, length], d);
      for (let t = 0; t < length; t++) {
        const at = (first + t) * D + d;
        const z = s.z ? s.z[at] * math.sigmoid(s.z[at]) : 1;
        to[at] = readOut(s, call, h, t, first + t, d) * z;
      }
      for (let n = 0; n < N; n++) last[(row * D + d) * N + n] = h[length * N + n];
    }
  return { y, finalState };
};

/** Reverse recurrence G_t = dy_t silu(z_t) C_t + e^{step_{t+1} A} G_{t+1} (design: algorithms, family 1.1). */
const backward: Implementation['forward'] = (call) => {
  const s = scanView(call);
  const sums = gradientSums(call);
  for (const sequence of s.sequences)
    for (let d = 0; d < call.dims.D; d++) sequenceBackward(s, call, sums, sequence, d);
  return tensorsOf(call, sums);
};

/** Float64 sums for the gradient of every float input. */
export function gradientSums(call: Call): Record<string, Float64Array> {
  const sums: Record<string, Float64Array> = {};
  for (const [name, t] of Object.entries(call.in))
    if (t && t.dtype !== 'i32') sums[name] = new Float64Array(t.size);
  return sums;
}

/** The sums as tensors of their inputs' shapes. */
export function tensorsOf(call: Call, sums: Record<string, Float64Array>): OptionalTensors {
  const made: OptionalTensors = {};
  for (const [name, values] of Object.entries(sums)) {
    made[name] = allocate(call, call.in[name]!.shape);
    (made[name].floats('selective-scan') as Float64Array).set(values);
  }
  return made;
}

function sequenceBackward(
  s: ScanView,
  call: Call,
  sums: Record<string, Float64Array>,
  [row, first, length]: Sequence,
  d: number,
): void {
  const G = finalAdjoint(call, row, d);
  spanBackward(s, call, sums, [first, length], d, initialState(s, call, row, d), G);
  sums.initialState?.set(G, (row * call.dims.D + d) * call.dims.N);
}

/** Gradient of the final state of channel d; zeros when there is none. */
export function finalAdjoint(call: Call, row: number, d: number): Float64Array {
  const { D, N } = call.dims;
  const at = (row * D + d) * N;
  const given = call.grad.finalState?.floats('selective-scan');
  return given ? Float64Array.from(given.subarray(at, at + N)) : new Float64Array(N);
}

/**
 * Adds the gradients of one channel over a span of time from the state before it and the adjoint G that enters at its
 * end; leaves in G the adjoint that leaves at its start.
 */
export function spanBackward(
  s: ScanView,
  call: Call,
  sums: Record<string, Float64Array>,
  [first, length]: readonly [number, number],
  d: number,
  start: Float64Array,
  G: Float64Array,
): void {
  const { D, N } = call.dims;
  const dy = call.grad.y?.floats('selective-scan');
  const h = states(s, call, start, [first, length], d);
  for (let t = length - 1; t >= 0; t--) {
    const p = first + t;
    const at = p * D + d;
    const [step, slope] = s.step(p, d);
    const g = gateBackward(s, call, sums, h, t, p, d, dy ? dy[at] : 0);
    let sumGB = 0;
    let dStep = 0;
    for (let n = 0; n < N; n++) {
      sums.C[s.atC(p, d) + n] += g * h[(t + 1) * N + n];
      G[n] += g * s.C[s.atC(p, d) + n];
      const decay = math.exp(step * s.A[d * N + n]);
      const carried = G[n] * decay * h[t * N + n];
      sumGB += G[n] * s.B[s.atB(p, d) + n];
      dStep += s.A[d * N + n] * carried;
      sums.A[d * N + n] += step * carried;
      sums.B[s.atB(p, d) + n] += G[n] * step * s.u[at];
      G[n] *= decay;
    }
    sums.u[at] += step * sumGB + (s.D ? s.D[d] * g : 0);
    if (sums.D) sums.D[d] += g * s.u[at];
    const dDelta = (dStep + s.u[at] * sumGB) * slope;
    sums.delta[at] += dDelta;
    if (sums.deltaBias) sums.deltaBias[d] += dDelta;
  }
}

/** Gradient before the gate; adds dz = dout y sig(z) (1 + z (1 - sig z)). */
function gateBackward(
  s: ScanView,
  call: Call,
  sums: Record<string, Float64Array>,
  h: Float64Array,
  t: number,
  p: number,
  d: number,
  dout: number,
): number {
  if (!s.z) return dout;
  const at = p * call.dims.D + d;
  const z = s.z[at];
  const sig = math.sigmoid(z);
  sums.z[at] += dout * readOut(s, call, h, t, p, d) * sig * (1 + z * (1 - sig));
  return dout * z * sig;
}

export const selectiveScanReference: Implementation = { forward, backward };
