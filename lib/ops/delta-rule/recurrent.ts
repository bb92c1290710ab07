/** The delta rule token by token in TypeScript: one state in place, kept states every 32 tokens for the gradient. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { gradientSums, gradientTensors, type GradientSums } from '../../tensor/gradient-sums.js';
import { allocate, type Implementation, type Kernel } from '../../tensor/operator.js';
import { deltaView, stateOf, type DeltaView } from './reference.js';

/** Tokens whose states are held at once in the backward pass. */
const SPAN = 32;

/**
 * One token on the state S in place. `error` receives v - S'^T k.
 * S <- e^g S; error = v - S^T k; S <- S + k (beta error)^T.
 */
function advance(d: DeltaView, S: Float64Array, p: number, h: number, error: Float64Array): void {
  const { K, V, k, v } = d;
  const [kAt, vAt, at] = [d.atKey(p, h), d.atValue(p, h), p * d.H + h];
  const decay = d.decay ? math.exp(d.decay[at]) : 1;
  for (let c = 0; c < V; c++) error[c] = v[vAt + c];
  for (let r = 0, i = 0; r < K; r++) {
    const key = k[kAt + r];
    for (let c = 0; c < V; c++, i++) {
      S[i] *= decay;
      error[c] -= key * S[i];
    }
  }
  const beta = d.beta[at];
  for (let r = 0, i = 0; r < K; r++) {
    const write = beta * k[kAt + r];
    for (let c = 0; c < V; c++, i++) S[i] += write * error[c];
  }
}

/** y_t = scale S_t^T q_t. */
function read(d: DeltaView, S: Float64Array, p: number, h: number, y: FloatArray, sum: Float64Array): void {
  const { K, V, q } = d;
  const [qAt, vAt] = [d.atKey(p, h), d.atValue(p, h)];
  sum.fill(0);
  for (let r = 0, i = 0; r < K; r++) {
    const query = q[qAt + r];
    for (let c = 0; c < V; c++, i++) sum[c] += query * S[i];
  }
  for (let c = 0; c < V; c++) y[vAt + c] = d.scale * sum[c];
}

const forward: Kernel = (call) => {
  const d = deltaView(call);
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [d.sequences.length, d.H, d.K, d.V]);
  const [to, last] = [y.floats(call.op.id), finalState.floats(call.op.id) as Float64Array];
  const [error, sum] = [new Float64Array(d.V), new Float64Array(d.V)];
  for (const [row, first, length] of d.sequences)
    for (let h = 0; h < d.H; h++) {
      const S = stateOf(d, d.initial, row, h);
      for (let p = first; p < first + length; p++) {
        advance(d, S, p, h, error);
        read(d, S, p, h, to, sum);
      }
      last.set(S, (row * d.H + h) * S.length);
    }
  return { y, finalState };
};

const backward: Kernel = (call) => {
  const d = deltaView(call);
  const sums = gradientSums(call);
  const dy = call.grad.y?.floats(call.op.id);
  const dFinal = call.grad.finalState?.floats(call.op.id);
  const error = new Float64Array(d.V);
  const states = Array.from({ length: SPAN + 1 }, () => new Float64Array(d.K * d.V));
  for (const [row, first, length] of d.sequences)
    for (let h = 0; h < d.H; h++) {
      const S = stateOf(d, d.initial, row, h);
      const kept: Float64Array[] = [];
      for (let t = 0; t < length; t++) {
        if (t % SPAN === 0) kept.push(S.slice());
        advance(d, S, first + t, h, error);
      }
      const G = stateOf(d, dFinal, row, h);
      for (let s = kept.length - 1; s >= 0; s--) {
        const from = first + s * SPAN;
        const size = Math.min(SPAN, first + length - from);
        states[0].set(kept[s]);
        for (let t = 0; t < size; t++) {
          states[t + 1].set(states[t]);
          advance(d, states[t + 1], from + t, h, error);
        }
        for (let t = size - 1; t >= 0; t--)
          retreat(d, sums, states[t], states[t + 1], from + t, h, dy, G, error);
      }
      sums.initialState?.set(G, (row * d.H + h) * G.length);
    }
  return gradientTensors(call, sums);
};

/**
 * Adds the gradients of one token. G + scale q dy^T is the adjoint of S_t; du = G^T k, dv = beta du, dbeta = du.error,
 * dk = beta (G error - S' du), G' = G - beta k du^T, dg = <G', S'>; e^g G' is left in G.
 */
function retreat(
  d: DeltaView,
  sums: GradientSums,
  before: Float64Array,
  after: Float64Array,
  p: number,
  h: number,
  dy: FloatArray | undefined,
  G: Float64Array,
  error: Float64Array,
): void {
  const { K, V, k, q, v, scale } = d;
  const [kAt, vAt, at] = [d.atKey(p, h), d.atValue(p, h), p * d.H + h];
  const decay = d.decay ? math.exp(d.decay[at]) : 1;
  const beta = d.beta[at];
  const du = new Float64Array(V);
  for (let c = 0; c < V; c++) error[c] = v[vAt + c];
  for (let r = 0, i = 0; r < K; r++) {
    let dq = 0;
    for (let c = 0; c < V; c++, i++) {
      const out = dy ? scale * dy[vAt + c] : 0;
      dq += after[i] * out;
      G[i] += q[kAt + r] * out;
      du[c] += G[i] * k[kAt + r];
      error[c] -= k[kAt + r] * decay * before[i];
    }
    sums.q[kAt + r] += dq;
  }
  let dBeta = 0;
  for (let c = 0; c < V; c++) {
    sums.v[vAt + c] += beta * du[c];
    dBeta += du[c] * error[c];
  }
  sums.beta[at] += dBeta;
  let dDecay = 0;
  for (let r = 0, i = 0; r < K; r++) {
    let dk = 0;
    for (let c = 0; c < V; c++, i++) {
      dk += G[i] * error[c] - decay * before[i] * du[c];
      G[i] -= beta * k[kAt + r] * du[c];
      dDecay += G[i] * decay * before[i];
      G[i] *= decay;
    }
    sums.k[kAt + r] += beta * dk;
  }
  if (sums.decay) sums.decay[at] += dDecay;
}

/** Form `recurrent` in TypeScript; states and sums in f64. */
export const recurrentCpu: Implementation = { forward, backward };
