/** The gated recurrence of HGRN from its definition; states and sums in f64. */
import * as math from '../../core/math.js';
import { sequencesOf } from '../../ops/sequence/index.js';
import { allocate, type Implementation } from '../../tensor/operator.js';

const WHERE = 'hgrn';

/**
 * h_t = f_t h_{t-1} + (1 - f_t) i_t with f_t = e^{g_t}. Backward: G_t = dy_t + f_{t+1} G_{t+1}, di_t = (1 - f_t) G_t,
 * dg_t = f_t (h_{t-1} - i_t) G_t, dh_0 = f_1 G_1.
 */
export const hgrnReference: Implementation = {
  forward: (call) => {
    const { D } = call.dims;
    const [i, g] = [call.in.i!.floats(WHERE), call.in.g!.floats(WHERE)];
    const initial = call.in.initialState?.floats(WHERE);
    const sequences = sequencesOf(call);
    const y = allocate(call, call.in.i!.shape);
    const finalState = allocate(call, [sequences.length, D]);
    const [to, last] = [y.floats(WHERE), finalState.floats(WHERE)];
    for (const [row, first, length] of sequences)
      for (let d = 0; d < D; d++) {
        let h = initial ? initial[row * D + d] : 0;
        for (let t = first; t < first + length; t++) {
          const at = t * D + d;
          h = math.exp(g[at]) * h - math.expm1(g[at]) * i[at];
          to[at] = h;
        }
        last[row * D + d] = h;
      }
    return { y, finalState };
  },
  backward: (call) => {
    const { D } = call.dims;
    const [i, g, h] = [call.in.i!.floats(WHERE), call.in.g!.floats(WHERE), call.out.y.floats(WHERE)];
    const initial = call.in.initialState?.floats(WHERE);
    const dy = call.grad.y?.floats(WHERE);
    const dLast = call.grad.finalState?.floats(WHERE);
    const sequences = sequencesOf(call);
    const made = {
      i: allocate(call, call.in.i!.shape),
      g: allocate(call, call.in.i!.shape),
      initialState: allocate(call, [sequences.length, D]),
    };
    const [di, dg, dh] = [made.i, made.g, made.initialState].map((t) => t.floats(WHERE));
    for (const [row, first, length] of sequences)
      for (let d = 0; d < D; d++) {
        let G = dLast ? dLast[row * D + d] : 0;
        for (let t = first + length - 1; t >= first; t--) {
          const at = t * D + d;
          G += dy ? dy[at] : 0;
          const before = t > first ? h[at - D] : initial ? initial[row * D + d] : 0;
          di[at] = -math.expm1(g[at]) * G;
          const carried = math.exp(g[at]) * G;
          dg[at] = carried * (before - i[at]);
          G = carried;
        }
        dh[row * D + d] = G;
      }
    return made;
  },
};
