/** Causal convolution with a filter of any length from its definition: sums over inputs, in f64. */
import type { FloatArray } from '../../core/dtype.js';
import { allocate, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

const WHERE = 'long-convolution';

/** The W - 1 inputs before the call's end: what the next call needs. */
export function finalState(call: Call): Tensor {
  const { B, T, D, W } = call.dims;
  const state = allocate(call, [B, W - 1, D]);
  const [u, to] = [call.in.u!.floats(WHERE), state.floats(WHERE)];
  const past = call.in.initialState?.floats(WHERE);
  const kept = Math.max(0, W - 1 - T);
  for (let b = 0; b < B; b++) {
    const at = b * (W - 1) * D;
    if (past) to.set(past.subarray(at + T * D, at + (T + kept) * D), at);
    else to.fill(0, at, at + kept * D);
    to.set(u.subarray((b * T + Math.max(0, T - W + 1)) * D, (b + 1) * T * D), at + kept * D);
  }
  return state;
}

/** Adds the gradient of the final state to those of the inputs and the past it is a copy of. */
export function addFinalGradient(call: Call, du: FloatArray, dpast: FloatArray | undefined): void {
  const { B, T, D, W } = call.dims;
  const given = call.grad.finalState?.floats(WHERE);
  if (!given) return;
  for (let b = 0; b < B; b++)
    for (let row = 0; row < W - 1; row++) {
      const at = T + row;
      const [to, start] = at < W - 1 ? [dpast, (b * (W - 1) + at) * D] : [du, (b * T + at - W + 1) * D];
      if (to) for (let d = 0; d < D; d++) to[start + d] += given[(b * (W - 1) + row) * D + d];
    }
}

/** Calls `each` with every pair of an input (or a past input) and a later or equal output, and their distance. */
function pairs(call: Call, each: (output: number, input: number, past: boolean, tap: number) => void): void {
  const { B, T, D, W } = call.dims;
  for (let b = 0; b < B; b++)
    for (let t = 0; t < T; t++)
      for (let s = 0; s < W; s++) {
        const past = s > t;
        const row = past ? b * (W - 1) + W - 1 + t - s : b * T + t - s;
        if (past && !call.in.initialState) break;
        for (let d = 0; d < D; d++) each((b * T + t) * D + d, row * D + d, past, s * D + d);
      }
}

/** y_t = sum_s h_s u_{t-s}; du_t = sum_s h_s dy_{t+s}, dh_s = sum_t dy_t u_{t-s}. */
export const longConvolutionReference: Implementation = {
  forward: (call) => {
    const [u, h] = [call.in.u!.floats(WHERE), call.in.filter!.floats(WHERE)];
    const past = call.in.initialState?.floats(WHERE);
    const sums = new Float64Array(u.length);
    pairs(call, (to, from, before, tap) => (sums[to] += h[tap] * (before ? past! : u)[from]));
    const y = allocate(call, call.in.u!.shape);
    y.floats(WHERE).set(sums);
    return { y, finalState: finalState(call) };
  },
  backward: (call) => {
    const [u, h] = [call.in.u!.floats(WHERE), call.in.filter!.floats(WHERE)];
    const past = call.in.initialState?.floats(WHERE);
    const dy = call.grad.y?.floats(WHERE);
    const sums = {
      u: new Float64Array(u.length),
      filter: new Float64Array(h.length),
      initialState: past && new Float64Array(past.length),
    };
    if (dy)
      pairs(call, (to, from, before, tap) => {
        (before ? sums.initialState! : sums.u)[from] += h[tap] * dy[to];
        sums.filter[tap] += dy[to] * (before ? past! : u)[from];
      });
    addFinalGradient(call, sums.u, sums.initialState);
    const made: OptionalTensors = {};
    for (const [name, values] of Object.entries(sums)) {
      if (!values) continue;
      made[name] = allocate(call, call.in[name]!.shape);
      made[name].floats(WHERE).set(values);
    }
    return made;
  },
};
