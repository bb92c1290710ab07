/** Cumulative sum and the first-order linear recurrence, from their definitions. */
import * as math from '../../core/math.js';
import { splitAt } from '../../core/shape.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import { sequencesOf } from '../sequence/index.js';

/** y_t = sum_{s<=t} x_s, or over s >= t when reversed. */
export const cumsum: Kernel = (call) => {
  const x = call.in.x!;
  const [outer, n, inner] = splitAt(x.shape, call.params.axis as number);
  const y = allocate(call, x.shape);
  const [from, to] = [x.floats('cumsum'), y.floats('cumsum')];
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) {
      let s = 0;
      for (let j = 0; j < n; j++) {
        const at = (o * n + (call.params.reverse ? n - 1 - j : j)) * inner + i;
        s += from[at];
        to[at] = s;
      }
    }
  return { y };
};

/** The decays of a call, themselves or from their logarithms. */
function decaysOf(call: Call): (at: number) => number {
  const a = call.in.a!.floats('associativeScan');
  return call.params.log ? (at) => math.exp(a[at]) : (at) => a[at];
}

/**
 * h_t = a_t h_{t-1} + b_t; backward: g_t = dy_t + a_{t+1} g_{t+1}, da_t = g_t h_{t-1} (of a logarithm: times a_t),
 * db_t = g_t, dh_0 = a_1 g_1.
 */
export const associativeScan: Implementation = {
  forward: (call) => {
    const { D } = call.dims;
    const a = decaysOf(call);
    const b = call.in.b!.floats('associativeScan');
    const initial = call.in.initial?.floats('associativeScan');
    const sequences = sequencesOf(call);
    const y = allocate(call, call.in.b!.shape);
    const final = allocate(call, [sequences.length, D]);
    const [to, last] = [y.floats('associativeScan'), final.floats('associativeScan')];
    for (const [row, first, length] of sequences)
      for (let d = 0; d < D; d++) {
        let h = initial ? initial[row * D + d] : 0;
        for (let t = first; t < first + length; t++) {
          const at = t * D + d;
          h = a(at) * h + b[at];
          to[at] = h;
        }
        last[row * D + d] = h;
      }
    return { y, final };
  },
  backward: (call) => {
    const { D } = call.dims;
    const a = decaysOf(call);
    const h = call.out.y.floats('associativeScan');
    const initial = call.in.initial?.floats('associativeScan');
    const dy = call.grad.y?.floats('associativeScan');
    const dLast = call.grad.final?.floats('associativeScan');
    const sequences = sequencesOf(call);
    const shape = call.in.b!.shape;
    const made = {
      a: allocate(call, shape),
      b: allocate(call, shape),
      initial: allocate(call, [sequences.length, D]),
    };
    const [da, db, dh] = [made.a, made.b, made.initial].map((t) => t.floats('associativeScan'));
    for (const [row, first, length] of sequences)
      for (let d = 0; d < D; d++) {
        let g = dLast ? dLast[row * D + d] : 0;
        for (let t = first + length - 1; t >= first; t--) {
          const at = t * D + d;
          g += dy ? dy[at] : 0;
          const before = t > first ? h[at - D] : initial ? initial[row * D + d] : 0;
          const carried = g * a(at);
          da[at] = (call.params.log ? carried : g) * before;
          db[at] = g;
          g = carried;
        }
        dh[row * D + d] = g;
      }
    return made;
  },
};
