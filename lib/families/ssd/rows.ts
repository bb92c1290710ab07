/** Products with one number a head and token, or a head: on the host in one pass, on a GPU by operators. */
import type { FloatArray } from '../../core/dtype.js';
import { add, mul } from '../../ops/map/index.js';
import { reshape } from '../../ops/structure/index.js';
import { customOp } from '../../tensor/tape.js';
import { Tensor } from '../../tensor/tensor.js';

const WHERE = 'ssd';

function like(t: Tensor): { made: Tensor; values: FloatArray } {
  const made = Tensor.empty(t.shape, t.dtype, 'host', WHERE);
  return { made, values: made.floats(WHERE) };
}

const scaled = customOp({
  name: 'ssd/scale-rows',
  forward: ([x, weight]) => {
    const P = x.shape[3];
    const { made, values } = like(x);
    const [from, by] = [x.floats(WHERE), weight.floats(WHERE)];
    for (let r = 0, at = 0; r < by.length; r++)
      for (const end = at + P; at < end; at++) values[at] = from[at] * by[r];
    return made;
  },
  backward: (dy, [x, weight]) => {
    const P = x.shape[3];
    const [dx, dw] = [like(x), like(weight)];
    const [g, from, by] = [dy.floats(WHERE), x.floats(WHERE), weight.floats(WHERE)];
    for (let r = 0, at = 0; r < by.length; r++) {
      let sum = 0;
      for (const end = at + P; at < end; at++) {
        dx.values[at] = g[at] * by[r];
        sum += g[at] * from[at];
      }
      dw.values[r] = sum;
    }
    return [dx.made, dw.made];
  },
});

/** x [B,T,H,P] times weight [B,T,H]. */
export function scaleRows(x: Tensor, weight: Tensor): Tensor {
  return x.device === 'host' ? scaled(x, weight) : mul(x, reshape(weight, [...weight.shape, 1]));
}

/** Calls `visit` with every element, its head and the place of its skip weight. */
function eachSkip(x: Tensor, D: Tensor, visit: (at: number, weight: number) => void): void {
  const [B, T, H, P] = x.shape;
  const each = D.rank === 2 ? P : 1;
  for (let token = 0, at = 0; token < B * T; token++)
    for (let h = 0; h < H; h++) for (let c = 0; c < P; c++, at++) visit(at, each === 1 ? h : h * P + c);
}

const skipped = customOp({
  name: 'ssd/skip',
  forward: ([y, x, D]) => {
    const { made, values } = like(y);
    const [to, from, by] = [y.floats(WHERE), x.floats(WHERE), D.floats(WHERE)];
    eachSkip(x, D, (at, weight) => {
      values[at] = to[at] + by[weight] * from[at];
    });
    return made;
  },
  backward: (dy, [, x, D]) => {
    const dx = like(x);
    const dD = like(D);
    const sums = new Float64Array(D.size);
    const [g, from, by] = [dy.floats(WHERE), x.floats(WHERE), D.floats(WHERE)];
    eachSkip(x, D, (at, weight) => {
      dx.values[at] = g[at] * by[weight];
      sums[weight] += g[at] * from[at];
    });
    (dD.values as Float64Array).set(sums);
    return [dy.view(), dx.made, dD.made];
  },
});

/** y + D x for D [H] or [H,P]. */
export function addSkip(y: Tensor, x: Tensor, D: Tensor): Tensor {
  if (x.device === 'host') return skipped(y, x, D);
  return add(y, mul(x, D.rank === 1 ? reshape(D, [D.shape[0], 1]) : D));
}
