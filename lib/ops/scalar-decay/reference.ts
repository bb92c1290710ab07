/** The scalar-decay recurrence from its definition, in whatever precision its inputs have; states and sums in f64. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { gradientSums, gradientTensors, type GradientSums } from '../../tensor/gradient-sums.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { sequencesOf, type Sequence } from '../sequence/index.js';

const WHERE = 'ops/scalar-decay';

/** Arrays and index functions of one call. */
export interface DecayView {
  q: FloatArray;
  k: FloatArray;
  v: FloatArray;
  initial: FloatArray | undefined;
  sequences: Sequence[];
  scale: number;
  /** Log-decay of flat position p and value head h; 0 without decay. */
  decay(p: number, h: number): number;
  /** Offset of the K entries of q and k, and of the V entries of v and y. */
  atKey(p: number, h: number): number;
  atValue(p: number, h: number): number;
  /** Offset of the decay, or of its gradient. */
  atDecay(p: number, h: number): number;
}

export function decayView(call: Call): DecayView {
  const { G, H, K, V } = call.dims;
  const get = (name: string) => call.in[name]?.floats(WHERE);
  const decay = get('decay');
  const fixed = call.in.decay?.rank === 1;
  const atDecay = (p: number, h: number) => (fixed ? h : p * H + h);
  return {
    q: get('q')!,
    k: get('k')!,
    v: get('v')!,
    initial: get('initialState'),
    sequences: sequencesOf(call),
    scale: call.params.scale as number,
    decay: (p, h) => (decay ? decay[atDecay(p, h)] : 0),
    atKey: (p, h) => (p * G + Math.floor((h * G) / H)) * K,
    atValue: (p, h) => (p * H + h) * V,
    atDecay,
  };
}

/** State of head h before the first token of a sequence. */
export function initialState(s: DecayView, call: Call, row: number, h: number): Float64Array {
  const { H, K, V } = call.dims;
  const at = (row * H + h) * K * V;
  return s.initial ? Float64Array.from(s.initial.subarray(at, at + K * V)) : new Float64Array(K * V);
}

/** Gradient of the final state of head h; zeros when there is none. */
export function finalAdjoint(call: Call, row: number, h: number): Float64Array {
  const { H, K, V } = call.dims;
  const at = (row * H + h) * K * V;
  const given = call.grad.finalState?.floats(WHERE);
  return given ? Float64Array.from(given.subarray(at, at + K * V)) : new Float64Array(K * V);
}

/** S = e^g S + k v^T in place. */
export function advance(s: DecayView, call: Call, S: Float64Array, p: number, h: number): void {
  const { K, V } = call.dims;
  const [atKey, atValue] = [s.atKey(p, h), s.atValue(p, h)];
  const kept = math.exp(s.decay(p, h));
  for (let i = 0; i < K; i++)
    for (let j = 0; j < V; j++) S[i * V + j] = kept * S[i * V + j] + s.k[atKey + i] * s.v[atValue + j];
}

/** y = scale S^T q of one token. */
export function read(s: DecayView, call: Call, S: Float64Array, p: number, h: number, y: FloatArray): void {
  const { K, V } = call.dims;
  const [atKey, atValue] = [s.atKey(p, h), s.atValue(p, h)];
  for (let j = 0; j < V; j++) {
    let sum = 0;
    for (let i = 0; i < K; i++) sum += s.q[atKey + i] * S[i * V + j];
    y[atValue + j] = s.scale * sum;
  }
}

const forward: Implementation['forward'] = (call) => {
  const { H, K, V } = call.dims;
  const s = decayView(call);
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [s.sequences.length, H, K, V]);
  const [to, last] = [y.floats(WHERE), finalState.floats(WHERE)];
  for (const [row, first, length] of s.sequences)
    for (let h = 0; h < H; h++) {
      const S = initialState(s, call, row, h);
      for (let p = first; p < first + length; p++) {
        advance(s, call, S, p, h);
        read(s, call, S, p, h, to);
      }
      last.set(S, (row * H + h) * K * V);
    }
  return { y, finalState };
};

/**
 * Adds the gradients of one token. On entry A is e^{g_{t+1}} G_{t+1} (the gradient of the final state for the last
 * token); it becomes G_t = A + scale q_t dy_t^T and leaves as e^{g_t} G_t. S is S_t, before is S_{t-1}:
 * dq_t = scale S_t dy_t, dk_t = G_t v_t, dv_t = G_t^T k_t, dg_t = e^{g_t} <G_t, S_{t-1}>.
 */
export function tokenBackward(
  s: DecayView,
  call: Call,
  sums: GradientSums,
  [before, S, A]: readonly [Float64Array, Float64Array, Float64Array],
  p: number,
  h: number,
): void {
  const { K, V } = call.dims;
  const dy = call.grad.y?.floats(WHERE);
  const [atKey, atValue] = [s.atKey(p, h), s.atValue(p, h)];
  const kept = math.exp(s.decay(p, h));
  let carried = 0;
  for (let i = 0; i < K; i++) {
    let [dq, dk] = [0, 0];
    for (let j = 0; j < V; j++) {
      const at = i * V + j;
      const out = dy ? s.scale * dy[atValue + j] : 0;
      dq += S[at] * out;
      A[at] += s.q[atKey + i] * out;
      dk += A[at] * s.v[atValue + j];
      sums.v[atValue + j] += A[at] * s.k[atKey + i];
      A[at] *= kept;
      carried += A[at] * before[at];
    }
    sums.q[atKey + i] += dq;
    sums.k[atKey + i] += dk;
  }
  if (sums.decay) sums.decay[s.atDecay(p, h)] += carried;
}

/** The reverse recurrence over stored states (design: universal backward identities). */
const backward: Implementation['forward'] = (call) => {
  const { H, K, V } = call.dims;
  const s = decayView(call);
  const sums = gradientSums(call);
  for (const [row, first, length] of s.sequences)
    for (let h = 0; h < H; h++) {
      const states = [initialState(s, call, row, h)];
      for (let t = 0; t < length; t++) {
        const S = states[t].slice();
        advance(s, call, S, first + t, h);
        states.push(S);
      }
      const A = finalAdjoint(call, row, h);
      for (let t = length - 1; t >= 0; t--)
        tokenBackward(s, call, sums, [states[t], states[t + 1], A], first + t, h);
      sums.initialState?.set(A, (row * H + h) * K * V);
    }
  return gradientTensors(call, sums);
};

export const scalarDecayReference: Implementation = { forward, backward };
