/** Causal depthwise convolution with carried state, from its definition. */
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';

/** The value d channels saw `t` steps after the start; negative times reach into the state (oldest first). */
function reader(call: Call): (b: number, t: number, d: number) => number {
  const { T, D, W } = call.dims;
  const x = call.in.x!.floats('causalConv1d');
  const state = call.in.state?.floats('causalConv1d');
  return (b, t, d) =>
    t >= 0 ? x[(b * T + t) * D + d] : state ? state[(b * D + d) * (W - 1) + (W - 1 + t)] : 0;
}

/** y_t = bias + sum_j w_j x_{t-W+1+j}. */
const forward: Kernel = (call) => {
  const { B, T, D, W } = call.dims;
  const at = reader(call);
  const w = call.in.weight!.floats('causalConv1d');
  const bias = call.in.bias?.floats('causalConv1d');
  const y = allocate(call, [B, T, D]);
  const finalState = allocate(call, [B, D, W - 1]);
  const [to, last] = [y.floats('causalConv1d'), finalState.floats('causalConv1d')];
  for (let b = 0; b < B; b++)
    for (let d = 0; d < D; d++) {
      for (let t = 0; t < T; t++) {
        let s = bias ? bias[d] : 0;
        for (let j = 0; j < W; j++) s += w[d * W + j] * at(b, t - W + 1 + j, d);
        to[(b * T + t) * D + d] = s;
      }
      for (let j = 0; j < W - 1; j++) last[(b * D + d) * (W - 1) + j] = at(b, T - W + 1 + j, d);
    }
  return { y, finalState };
};

/** The transpose: every product w_j x_{t-W+1+j} sends w_j dy to its x (or state) and x dy to its w. */
const backward: Kernel = (call) => {
  const { B, T, D, W } = call.dims;
  const at = reader(call);
  const w = call.in.weight!.floats('causalConv1d');
  const dy = call.grad.y?.floats('causalConv1d');
  const dLast = call.grad.finalState?.floats('causalConv1d');
  const dx = new Float64Array(B * T * D);
  const dw = new Float64Array(D * W);
  const dBias = new Float64Array(D);
  const dState = new Float64Array(B * D * (W - 1));
  const give = (b: number, t: number, d: number, v: number) => {
    if (t >= 0) dx[(b * T + t) * D + d] += v;
    else dState[(b * D + d) * (W - 1) + (W - 1 + t)] += v;
  };
  for (let b = 0; b < B; b++)
    for (let d = 0; d < D; d++) {
      for (let t = 0; dy && t < T; t++) {
        const g = dy[(b * T + t) * D + d];
        dBias[d] += g;
        for (let j = 0; j < W; j++) {
          dw[d * W + j] += g * at(b, t - W + 1 + j, d);
          give(b, t - W + 1 + j, d, g * w[d * W + j]);
        }
      }
      for (let j = 0; dLast && j < W - 1; j++) give(b, T - W + 1 + j, d, dLast[(b * D + d) * (W - 1) + j]);
    }
  const made = (name: string, shape: number[], values: Float64Array) => {
    if (!call.in[name]) return undefined;
    const t = allocate(call, shape);
    (t.floats('causalConv1d') as Float64Array).set(values);
    return t;
  };
  return {
    x: made('x', [B, T, D], dx),
    weight: made('weight', [D, W], dw),
    bias: made('bias', [D], dBias),
    state: made('state', [B, D, W - 1], dState),
  };
};

export const causalConv1d: Implementation = { forward, backward };
