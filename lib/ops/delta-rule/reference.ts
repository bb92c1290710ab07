/** The delta rule from its definition, forward and backward, by plain loops over tokens; sums and states in f64. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { gradientSums, gradientTensors, type GradientSums } from '../../tensor/gradient-sums.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { sequencesOf, type Sequence } from '../sequence/index.js';

/** Arrays and offsets of one call. `p` is a position in the flattened [B T] axis. */
export interface DeltaView {
  q: FloatArray;
  k: FloatArray;
  v: FloatArray;
  beta: FloatArray;
  decay: FloatArray | undefined;
  initial: FloatArray | undefined;
  sequences: Sequence[];
  scale: number;
  H: number;
  K: number;
  V: number;
  /** Offset of the query and key that value head h reads. */
  atKey(p: number, h: number): number;
  /** Offset of the value of head h. */
  atValue(p: number, h: number): number;
}

export function deltaView(call: Call): DeltaView {
  const { G, H, K, V } = call.dims;
  const get = (name: string) => call.in[name]?.floats(call.op.id);
  return {
    q: get('q')!,
    k: get('k')!,
    v: get('v')!,
    beta: get('beta')!,
    decay: get('decay'),
    initial: get('initialState'),
    sequences: sequencesOf(call),
    scale: call.params.scale as number,
    H,
    K,
    V,
    atKey: (p, h) => (p * G + Math.floor((h * G) / H)) * K,
    atValue: (p, h) => (p * H + h) * V,
  };
}

/** One row of an array of states [S,H,K,V] as f64; zeros when there is no array. */
export function stateOf(d: DeltaView, from: FloatArray | undefined, row: number, h: number): Float64Array {
  const size = d.K * d.V;
  const at = (row * d.H + h) * size;
  return from ? Float64Array.from(from.subarray(at, at + size)) : new Float64Array(size);
}

/** What one token leaves behind: its decay, S' = e^g S_{t-1}, the error v - S'^T k, and S_t. */
interface Step {
  decay: number;
  decayed: Float64Array;
  error: Float64Array;
  state: Float64Array;
}

/** S' = e^g S; u = beta (v - S'^T k); S_t = S' + k u^T. */
function stepOf(d: DeltaView, before: Float64Array, p: number, h: number): Step {
  const { K, V } = d;
  const decay = d.decay ? math.exp(d.decay[p * d.H + h]) : 1;
  const beta = d.beta[p * d.H + h];
  const [kAt, vAt] = [d.atKey(p, h), d.atValue(p, h)];
  const decayed = before.map((s) => decay * s);
  const error = new Float64Array(V);
  for (let c = 0; c < V; c++) {
    error[c] = d.v[vAt + c];
    for (let r = 0; r < K; r++) error[c] -= decayed[r * V + c] * d.k[kAt + r];
  }
  const state = decayed.map((s, i) => s + d.k[kAt + Math.floor(i / V)] * beta * error[i % V]);
  return { decay, decayed, error, state };
}

const forward: Implementation['forward'] = (call) => {
  const d = deltaView(call);
  const { H, K, V } = d;
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [d.sequences.length, H, K, V]);
  const [to, last] = [y.floats(call.op.id), finalState.floats(call.op.id)];
  for (const [row, first, length] of d.sequences)
    for (let h = 0; h < H; h++) {
      let state = stateOf(d, d.initial, row, h);
      for (let p = first; p < first + length; p++) {
        state = stepOf(d, state, p, h).state;
        // y_t = scale S_t^T q_t
        for (let c = 0; c < V; c++) {
          let sum = 0;
          for (let r = 0; r < K; r++) sum += d.q[d.atKey(p, h) + r] * state[r * V + c];
          to[d.atValue(p, h) + c] = d.scale * sum;
        }
      }
      (last as Float64Array).set(state, (row * H + h) * K * V);
    }
  return { y, finalState };
};

/** The reverse recurrence of the adjoint G of the state, token by token. */
const backward: Implementation['forward'] = (call) => {
  const d = deltaView(call);
  const sums = gradientSums(call);
  const dy = call.grad.y?.floats(call.op.id);
  const dFinal = call.grad.finalState?.floats(call.op.id);
  for (const [row, first, length] of d.sequences)
    for (let h = 0; h < d.H; h++) {
      const steps: Step[] = [];
      let state = stateOf(d, d.initial, row, h);
      for (let p = first; p < first + length; p++) {
        steps.push(stepOf(d, state, p, h));
        state = steps[steps.length - 1].state;
      }
      const G = stateOf(d, dFinal, row, h);
      for (let t = length - 1; t >= 0; t--) stepBackward(d, sums, steps[t], first + t, h, dy, G);
      sums.initialState?.set(G, (row * d.H + h) * d.K * d.V);
    }
  return gradientTensors(call, sums);
};

/** G comes in as the adjoint of S_t without the read at t and leaves as that of S_{t-1}. */
function stepBackward(
  d: DeltaView,
  sums: GradientSums,
  { decay, decayed, error, state }: Step,
  p: number,
  h: number,
  dy: FloatArray | undefined,
  G: Float64Array,
): void {
  const { K, V, k, q, scale } = d;
  const [kAt, vAt, at] = [d.atKey(p, h), d.atValue(p, h), p * d.H + h];
  const beta = d.beta[at];
  const read = Float64Array.from({ length: V }, (_, c) => scale * (dy ? dy[vAt + c] : 0));
  const du = new Float64Array(V);
  for (let r = 0; r < K; r++)
    for (let c = 0; c < V; c++) {
      sums.q[kAt + r] += state[r * V + c] * read[c];
      G[r * V + c] += q[kAt + r] * read[c];
      du[c] += G[r * V + c] * k[kAt + r];
    }
  for (let c = 0; c < V; c++) {
    sums.v[vAt + c] += beta * du[c];
    sums.beta[at] += du[c] * error[c];
  }
  for (let r = 0; r < K; r++)
    for (let c = 0; c < V; c++) {
      const i = r * V + c;
      sums.k[kAt + r] += beta * (G[i] * error[c] - decayed[i] * du[c]);
      G[i] -= beta * k[kAt + r] * du[c];
      if (sums.decay) sums.decay[at] += G[i] * decayed[i];
      G[i] *= decay;
    }
}

export const deltaRuleReference: Implementation = { forward, backward };
