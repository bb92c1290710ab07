/** Linear attention from its parallel definition, forward and backward, f64 sums. */
import type { FloatArray } from '../../core/dtype.js';
import { doubleSum, doubleSumBackward, type DoubleSum } from '../../ops/sequence/double-sum.js';
import { sequencesOf } from '../../ops/sequence/index.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

const WHERE = 'linear-attention';

/** The call as a double sum; with `normalize` values have a last column of ones, which sums the weights. */
function sumOf(call: Call): DoubleSum {
  const { G, H, K, V } = call.dims;
  const v = call.in.v!.floats(WHERE);
  const normalize = Boolean(call.params.normalize);
  return {
    G,
    H,
    K,
    V: normalize ? V + 1 : V,
    scale: call.params.scale as number,
    q: call.in.q!.floats(WHERE),
    k: call.in.k!.floats(WHERE),
    v: normalize ? widened(v, V, () => 1) : v,
    initial: call.in.initialState?.floats(WHERE),
    log: () => 0,
    sequences: sequencesOf(call),
  };
}

/** Rows of V numbers as rows of V + 1 in f64; the last one by row. */
function widened(rows: FloatArray, V: number, last: (row: number) => number): Float64Array {
  const made = new Float64Array((rows.length / V) * (V + 1));
  for (let r = 0; r * V < rows.length; r++) {
    for (let c = 0; c < V; c++) made[r * (V + 1) + c] = rows[r * V + c];
    made[r * (V + 1) + V] = last(r);
  }
  return made;
}

const forward: Implementation['forward'] = (call) => {
  const { V } = call.dims;
  const s = sumOf(call);
  const found = doubleSum(s);
  const y = allocate(call, call.in.v!.shape);
  const to = y.floats(WHERE);
  const eps = call.params.eps as number;
  for (let i = 0; i < to.length; i++) {
    const at = Math.floor(i / V) * s.V;
    to[i] = found.y[at + (i % V)] / (s.V > V ? found.y[at + V] + eps : 1);
  }
  const finalState = allocate(call, [s.sequences.length, s.H, s.K, s.V]);
  (finalState.floats(WHERE) as Float64Array).set(found.final);
  return { y, finalState };
};

/** With y = n / (den + eps): dn = dy / (den + eps), dden = -(dn . y). */
function numeratorGradient(call: Call, s: DoubleSum): FloatArray | undefined {
  const { V } = call.dims;
  const dy = call.grad.y?.floats(WHERE);
  if (!dy || s.V === V) return dy;
  const eps = call.params.eps as number;
  const n = doubleSum(s).y;
  const den = (row: number) => n[row * s.V + V] + eps;
  const scaled = Float64Array.from(dy, (g, i) => g / den(Math.floor(i / V)));
  return widened(scaled, V, (row) => {
    let sum = 0;
    for (let c = 0; c < V; c++) sum -= (scaled[row * V + c] * n[row * s.V + c]) / den(row);
    return sum;
  });
}

const backward: Implementation['forward'] = (call) => {
  const { V } = call.dims;
  const s = sumOf(call);
  const sums = doubleSumBackward(s, numeratorGradient(call, s), call.grad.finalState?.floats(WHERE));
  const values = sums.v.filter((_, i) => i % s.V < V);
  const made = (like: Tensor | undefined, from: Float64Array) => {
    if (!like) return undefined;
    const t = allocate(call, like.shape);
    (t.floats(WHERE) as Float64Array).set(from);
    return t;
  };
  const { q, k, v, initialState } = call.in;
  return {
    q: made(q, sums.q),
    k: made(k, sums.k),
    v: made(v, values),
    initialState: made(initialState, sums.initial),
  };
};

export const linearAttentionReference: Implementation = { forward, backward };
