/**
 * A column more for the values of a linear mixer, and the division of the others by it: how sums of weights are carried
 * as one more value. On the host in one pass; on a GPU by operators.
 */
import type { FloatArray } from '../../core/dtype.js';
import { customOp } from '../../tensor/tape.js';
import { ones, Tensor } from '../../tensor/tensor.js';
import { affine, div } from '../map/index.js';
import { cast, concat, slice } from '../structure/index.js';

const WHERE = 'ops/sequence';

/** An uninitialised tensor [.., width] on the host with the leading axes of another. */
function rowsLike(t: Tensor, width: number): { made: Tensor; values: FloatArray } {
  const made = Tensor.empty([...t.shape.slice(0, -1), width], t.dtype, 'host', WHERE);
  return { made, values: made.floats(WHERE) };
}

/** Copies the first columns of rows of one width into rows of another; what is left over becomes `fill`. */
function copyRows(from: FloatArray, width: number, to: FloatArray, wide: number, fill: number): void {
  const both = Math.min(width, wide);
  for (let at = 0, start = 0; start < to.length; at += width, start += wide) {
    for (let c = 0; c < both; c++) to[start + c] = from[at + c];
    for (let c = both; c < wide; c++) to[start + c] = fill;
  }
}

const appended = customOp({
  name: 'ops/sequence/with-ones',
  forward: ([v]) => {
    const V = v.shape[3];
    const { made, values } = rowsLike(v, V + 1);
    copyRows(v.floats(WHERE), V, values, V + 1, 1);
    return made;
  },
  backward: (dy, [v]) => {
    const V = v.shape[3];
    const { made, values } = rowsLike(v, V);
    copyRows(dy.floats(WHERE), V + 1, values, V, 0);
    return [made];
  },
});

/** [v, 1]: [B,T,H,V] to [B,T,H,V+1], f16 widened to f32, which sums of weights need. */
export function withOnes(v: Tensor): Tensor {
  if (v.device === 'host') return appended(v);
  const wide = v.dtype === 'f16' ? cast(v, 'f32') : v;
  return concat([wide, ones([...v.shape.slice(0, 3), 1], { dtype: wide.dtype, device: v.device })], 3);
}

/** y = n / (den + eps): dn = dy / (den + eps), dden = -(dn . y). */
const byOwnColumn = (eps: number) =>
  customOp({
    name: 'ops/sequence/normalize',
    forward: ([n]) => {
      const wide = n.shape[3];
      const { made, values } = rowsLike(n, wide - 1);
      const from = n.floats(WHERE);
      for (let at = 0, to = 0; at < from.length; at += wide, to += wide - 1) {
        const den = from[at + wide - 1] + eps;
        for (let c = 0; c < wide - 1; c++) values[to + c] = from[at + c] / den;
      }
      return made;
    },
    backward: (dy, [n], y) => {
      const wide = n.shape[3];
      const { made, values } = rowsLike(n, wide);
      const [from, g, out] = [n.floats(WHERE), dy.floats(WHERE), y.floats(WHERE)];
      for (let at = 0, to = 0; at < from.length; at += wide, to += wide - 1) {
        const den = from[at + wide - 1] + eps;
        let sum = 0;
        for (let c = 0; c < wide - 1; c++) {
          const dn = g[to + c] / den;
          values[at + c] = dn;
          sum -= dn * out[to + c];
        }
        values[at + wide - 1] = sum;
      }
      return [made];
    },
  });

/** The first columns of n [..,V+1] divided by the last one plus eps: [..,V]. */
export function divideByColumn(n: Tensor, eps: number): Tensor {
  if (n.device === 'host') return byOwnColumn(eps)(n);
  const V = n.shape[3] - 1;
  return div(slice(n, 3, 0, V), affine(slice(n, 3, V, V + 1), 1, eps));
}

/** rows / divisor, where n has a column more than the result: its gradient is 0. */
const byConstant = (divisor: Tensor) => {
  const by = divisor.floats(WHERE);
  return customOp({
    name: 'ops/sequence/divide',
    forward: ([n]) => {
      const wide = n.shape[3];
      const { made, values } = rowsLike(n, wide - 1);
      const from = n.floats(WHERE);
      for (let r = 0, at = 0, to = 0; at < from.length; r++, at += wide, to += wide - 1)
        for (let c = 0; c < wide - 1; c++) values[to + c] = from[at + c] / by[r];
      return made;
    },
    backward: (dy, [n]) => {
      const wide = n.shape[3];
      const { made, values } = rowsLike(n, wide);
      const g = dy.floats(WHERE);
      for (let r = 0, at = 0, to = 0; at < values.length; r++, at += wide, to += wide - 1) {
        for (let c = 0; c < wide - 1; c++) values[at + c] = g[to + c] / by[r];
        values[at + wide - 1] = 0;
      }
      return [made];
    },
  });
};

/** The first columns of n [..,V+1] divided by a constant of each row, [..,1]: [..,V]. */
export function divideRows(n: Tensor, divisor: Tensor): Tensor {
  if (n.device === 'host') return byConstant(divisor)(n);
  return div(slice(n, 3, 0, n.shape[3] - 1), divisor);
}
