/** The diagonal-plus-low-rank recurrence from its definition, in the precision of its inputs; states and sums in f64. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { gradientSums, gradientTensors, type GradientSums } from '../../tensor/gradient-sums.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { sequencesOf, type Sequence } from '../sequence/index.js';

/** Arrays of one call. Offsets: token p and head h at (p H + h) K or V, state row r and head h at (r H + h) K V. */
export interface DplrView {
  q: FloatArray;
  k: FloatArray;
  v: FloatArray;
  a: FloatArray;
  b: FloatArray;
  decay: FloatArray;
  initial: FloatArray | undefined;
  scale: number;
  sequences: Sequence[];
}

export function dplrView(call: Call): DplrView {
  const get = (name: string) => call.in[name]?.floats(call.op.id);
  return {
    q: get('q')!,
    k: get('k')!,
    v: get('v')!,
    a: get('a')!,
    b: get('b')!,
    decay: get('decay')!,
    initial: get('initialState'),
    scale: call.params.scale as number,
    sequences: sequencesOf(call),
  };
}

/** The state before the first token of a sequence, or the gradient of the one after its last; zeros when absent. */
export function edgeState(given: FloatArray | undefined, call: Call, row: number, h: number): Float64Array {
  const { H, K, V } = call.dims;
  const at = (row * H + h) * K * V;
  return given ? Float64Array.from(given.subarray(at, at + K * V)) : new Float64Array(K * V);
}

/** One token on S [K, V] in place; `read` gets a_t^T S_{t-1}. */
export function stepState(
  s: DplrView,
  S: Float64Array,
  read: Float64Array,
  K: number,
  V: number,
  keyAt: number,
  valueAt: number,
): void {
  read.fill(0);
  for (let i = 0; i < K; i++) for (let j = 0; j < V; j++) read[j] += s.a[keyAt + i] * S[i * V + j];
  for (let i = 0; i < K; i++) {
    const keep = math.exp(s.decay[keyAt + i]);
    for (let j = 0; j < V; j++)
      S[i * V + j] = keep * S[i * V + j] + s.b[keyAt + i] * read[j] + s.k[keyAt + i] * s.v[valueAt + j];
  }
}

const forward: Implementation['forward'] = (call) => {
  const { H, K, V } = call.dims;
  const s = dplrView(call);
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [s.sequences.length, H, K, V]);
  const [to, last] = [y.floats(call.op.id), finalState.floats(call.op.id)];
  const read = new Float64Array(V);
  for (const [row, first, length] of s.sequences)
    for (let h = 0; h < H; h++) {
      const S = edgeState(s.initial, call, row, h);
      for (let p = first; p < first + length; p++) {
        const [keyAt, valueAt] = [(p * H + h) * K, (p * H + h) * V];
        stepState(s, S, read, K, V, keyAt, valueAt);
        for (let j = 0; j < V; j++) {
          let sum = 0;
          for (let i = 0; i < K; i++) sum += s.q[keyAt + i] * S[i * V + j];
          to[valueAt + j] = s.scale * sum;
        }
      }
      last.set(S, (row * H + h) * K * V);
    }
  return { y, finalState };
};

/**
 * The chain rule token by token, backwards: with G the gradient of S_t from everything after it,
 * G += scale q dy^T; dq = scale S_t dy; dk = G v; dv = G^T k; db = G (S_{t-1}^T a); da = S_{t-1} (G^T b);
 * dg = e^g rowsum(G * S_{t-1}); G <- Diag(e^g) G + a (G^T b)^T.
 */
const backward: Implementation['forward'] = (call) => {
  const { H } = call.dims;
  const s = dplrView(call);
  const sums = gradientSums(call);
  for (const sequence of s.sequences) for (let h = 0; h < H; h++) headBackward(s, call, sums, sequence, h);
  return gradientTensors(call, sums);
};

function headBackward(
  s: DplrView,
  call: Call,
  sums: GradientSums,
  [row, first, length]: Sequence,
  h: number,
): void {
  const { H, K, V } = call.dims;
  const G = edgeState(call.grad.finalState?.floats(call.op.id), call, row, h);
  spanBackward(s, call, sums, [first, length], h, edgeState(s.initial, call, row, h), G);
  sums.initialState?.set(G, (row * H + h) * K * V);
}

/** Adds the gradients of a span of time from the state before it; G enters at its end and leaves at its start. */
export function spanBackward(
  s: DplrView,
  call: Call,
  sums: GradientSums,
  [first, length]: readonly [number, number],
  h: number,
  start: Float64Array,
  G: Float64Array,
): void {
  const { H, K, V } = call.dims;
  const dy = call.grad.y?.floats(call.op.id);
  const states = [start];
  const read = new Float64Array(V);
  for (let p = first; p < first + length; p++) {
    const S = Float64Array.from(states[p - first]);
    stepState(s, S, read, K, V, (p * H + h) * K, (p * H + h) * V);
    states.push(S);
  }
  const none = new Float64Array(V);
  for (let p = first + length - 1; p >= first; p--) {
    const at = (p * H + h) * V;
    const out = dy ? dy.subarray(at, at + V) : none;
    tokenBackward(s, call, sums, p * H + h, out, states[p - first], states[p - first + 1], G);
  }
}

function tokenBackward(
  s: DplrView,
  call: Call,
  sums: GradientSums,
  token: number,
  dy: FloatArray,
  before: Float64Array,
  after: Float64Array,
  G: Float64Array,
): void {
  const { K, V } = call.dims;
  const [keyAt, valueAt] = [token * K, token * V];
  const read = new Float64Array(V); // S_{t-1}^T a
  const given = new Float64Array(V); // G^T b
  for (let i = 0; i < K; i++)
    for (let j = 0; j < V; j++) {
      G[i * V + j] += s.scale * s.q[keyAt + i] * dy[j];
      read[j] += s.a[keyAt + i] * before[i * V + j];
      given[j] += s.b[keyAt + i] * G[i * V + j];
    }
  for (let i = 0; i < K; i++) {
    const keep = math.exp(s.decay[keyAt + i]);
    for (let j = 0; j < V; j++) {
      const g = G[i * V + j];
      sums.q[keyAt + i] += s.scale * after[i * V + j] * dy[j];
      sums.k[keyAt + i] += g * s.v[valueAt + j];
      sums.v[valueAt + j] += g * s.k[keyAt + i];
      sums.a[keyAt + i] += before[i * V + j] * given[j];
      sums.b[keyAt + i] += g * read[j];
      sums.decay[keyAt + i] += keep * g * before[i * V + j];
      G[i * V + j] = keep * g + s.a[keyAt + i] * given[j];
    }
  }
}

export const dplrReference: Implementation = { forward, backward };
