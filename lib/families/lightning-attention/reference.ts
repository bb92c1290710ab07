/** Lightning attention from its recurrence, forward and backward, f64 states and sums. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { sequencesOf } from '../../ops/sequence/index.js';
import { allocate, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';

const WHERE = 'lightning-attention';

interface View {
  q: FloatArray;
  k: FloatArray;
  v: FloatArray;
  scale: number;
  /** lambda of a head. */
  kept(h: number): number;
  /** State of a head before the first token. */
  start(row: number, h: number): Float64Array;
}

function viewOf(call: Call): View {
  const { H, K, V } = call.dims;
  const slopes = call.in.slopes!.floats(WHERE);
  const initial = call.in.initialState?.floats(WHERE);
  return {
    q: call.in.q!.floats(WHERE),
    k: call.in.k!.floats(WHERE),
    v: call.in.v!.floats(WHERE),
    scale: call.params.scale as number,
    kept: (h) => math.exp(-slopes[h]),
    start: (row, h) => {
      const at = (row * H + h) * K * V;
      return initial ? Float64Array.from(initial.subarray(at, at + K * V)) : new Float64Array(K * V);
    },
  };
}

/** S_t = lambda S_{t-1} + k_t v_t^T of one token of one head. */
function next(call: Call, s: View, before: Float64Array, p: number, h: number): Float64Array {
  const { H, K, V } = call.dims;
  const [key, value] = [(p * H + h) * K, (p * H + h) * V];
  const kept = s.kept(h);
  return before.map((old, i) => kept * old + s.k[key + Math.floor(i / V)] * s.v[value + (i % V)]);
}

const forward: Implementation['forward'] = (call) => {
  const { H, K, V } = call.dims;
  const s = viewOf(call);
  const sequences = sequencesOf(call);
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [sequences.length, H, K, V]);
  const [to, last] = [y.floats(WHERE), finalState.floats(WHERE)];
  for (const [row, first, length] of sequences)
    for (let h = 0; h < H; h++) {
      let S = s.start(row, h);
      for (let p = first; p < first + length; p++) {
        S = next(call, s, S, p, h);
        for (let c = 0; c < V; c++) {
          let sum = 0;
          for (let a = 0; a < K; a++) sum += s.q[(p * H + h) * K + a] * S[a * V + c];
          to[(p * H + h) * V + c] = s.scale * sum;
        }
      }
      last.set(S, (row * H + h) * K * V);
    }
  return { y, finalState };
};

/** G_t = lambda G_{t+1} + scale q_t dy_t^T backwards from the gradient of the final state. */
const backward: Implementation['forward'] = (call) => {
  const { H, K, V } = call.dims;
  const s = viewOf(call);
  const dy = call.grad.y?.floats(WHERE);
  const dfinal = call.grad.finalState?.floats(WHERE);
  const sums: Record<string, Float64Array> = {};
  for (const [name, t] of Object.entries(call.in))
    if (t && t.dtype !== 'i32') sums[name] = new Float64Array(t.size);
  for (const [row, first, length] of sequencesOf(call))
    for (let h = 0; h < H; h++) {
      const states = [s.start(row, h)];
      for (let t = 0; t < length; t++) states.push(next(call, s, states[t], first + t, h));
      const kept = s.kept(h);
      const G = new Float64Array(K * V);
      if (dfinal) G.set(dfinal.subarray((row * H + h) * K * V, (row * H + h + 1) * K * V));
      for (let t = length - 1; t >= 0; t--) {
        const [key, value] = [((first + t) * H + h) * K, ((first + t) * H + h) * V];
        for (let i = 0; i < K * V; i++) {
          const [a, c] = [key + Math.floor(i / V), value + (i % V)];
          const out = dy ? s.scale * dy[c] : 0;
          sums.q[a] += states[t + 1][i] * out;
          G[i] += s.q[a] * out;
          sums.k[a] += G[i] * s.v[c];
          sums.v[c] += G[i] * s.k[a];
          G[i] *= kept;
          sums.slopes[h] -= G[i] * states[t][i];
        }
      }
      sums.initialState?.set(G, (row * H + h) * K * V);
    }
  const made: OptionalTensors = {};
  for (const [name, values] of Object.entries(sums)) {
    made[name] = allocate(call, call.in[name]!.shape);
    (made[name].floats(WHERE) as Float64Array).set(values);
  }
  return made;
};

export const lightningAttentionReference: Implementation = { forward, backward };
