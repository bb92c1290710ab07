/** Cumulative sum and the first-order linear recurrence, from their definitions. */
import { splitAt } from '../../core/shape.js';
import { allocate, type Implementation, type Kernel } from '../../tensor/operator.js';

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

/** h_t = a_t h_{t-1} + b_t; backward: g_t = dy_t + a_{t+1} g_{t+1}, da_t = g_t h_{t-1}, db_t = g_t, dh_0 = a_1 g_1. */
export const associativeScan: Implementation = {
  forward: (call) => {
    const { B, T, D } = call.dims;
    const [a, b] = [call.in.a!.floats('associativeScan'), call.in.b!.floats('associativeScan')];
    const initial = call.in.initial?.floats('associativeScan');
    const y = allocate(call, [B, T, D]);
    const final = allocate(call, [B, D]);
    const [to, last] = [y.floats('associativeScan'), final.floats('associativeScan')];
    for (let n = 0; n < B; n++)
      for (let d = 0; d < D; d++) {
        let h = initial ? initial[n * D + d] : 0;
        for (let t = 0; t < T; t++) {
          const at = (n * T + t) * D + d;
          h = a[at] * h + b[at];
          to[at] = h;
        }
        last[n * D + d] = h;
      }
    return { y, final };
  },
  backward: (call) => {
    const { B, T, D } = call.dims;
    const a = call.in.a!.floats('associativeScan');
    const h = call.out.y.floats('associativeScan');
    const initial = call.in.initial?.floats('associativeScan');
    const dy = call.grad.y?.floats('associativeScan');
    const dLast = call.grad.final?.floats('associativeScan');
    const made = {
      a: allocate(call, [B, T, D]),
      b: allocate(call, [B, T, D]),
      initial: allocate(call, [B, D]),
    };
    const [da, db, dh] = [made.a, made.b, made.initial].map((t) => t.floats('associativeScan'));
    for (let n = 0; n < B; n++)
      for (let d = 0; d < D; d++) {
        let g = dLast ? dLast[n * D + d] : 0;
        for (let t = T - 1; t >= 0; t--) {
          const at = (n * T + t) * D + d;
          g += dy ? dy[at] : 0;
          const before = t > 0 ? h[at - D] : initial ? initial[n * D + d] : 0;
          da[at] = g * before;
          db[at] = g;
          g *= a[at];
        }
        dh[n * D + d] = g;
      }
    return made;
  },
};
