/** Retention from its parallel definition, forward and backward, f64 sums. */
import * as math from '../../core/math.js';
import { doubleSum, doubleSumBackward, type DoubleSum } from '../../ops/sequence/double-sum.js';
import { sequencesOf } from '../../ops/sequence/index.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { retentionLogGammas } from './gammas.js';

const WHERE = 'retention';

const isRetnet = (call: Call) => call.params.normalize === 'retnet';

/** With RetNet's normalisation values have a column of ones; states have it too, and one row more for the count. */
function sumOf(call: Call): DoubleSum {
  const { H, K, V } = call.dims;
  const W = isRetnet(call) ? V + 1 : V;
  const values = call.in.v!.floats(WHERE);
  const decay = call.in.decay?.floats(WHERE) ?? retentionLogGammas(H);
  const rows = values.length / V;
  return {
    G: H,
    H,
    K,
    V: W,
    scale: call.params.scale as number,
    q: call.in.q!.floats(WHERE),
    k: call.in.k!.floats(WHERE),
    v: Float64Array.from({ length: rows * W }, (_, i) =>
      i % W < V ? values[Math.floor(i / W) * V + (i % W)] : 1,
    ),
    initial: call.in.initialState && inner(call, call.in.initialState),
    log: (h) => decay[h],
    sequences: sequencesOf(call),
  };
}

/** States [S,H,K,W] without the row of the count. */
function inner(call: Call, t: Tensor): Float64Array {
  const { K, V } = call.dims;
  const all = Float64Array.from(t.floats(WHERE));
  if (!isRetnet(call)) return all;
  return all.filter((_, i) => i % ((K + 1) * (V + 1)) < K * (V + 1));
}

/** The same with the row of the count, empty but for its corner. */
function outer(call: Call, states: Float64Array, corner: (state: number) => number): Float64Array {
  const { K, V } = call.dims;
  if (!isRetnet(call)) return states;
  const [from, to] = [K * (V + 1), (K + 1) * (V + 1)];
  const made = new Float64Array((states.length / from) * to);
  for (let s = 0; s * from < states.length; s++) {
    made.set(states.subarray(s * from, (s + 1) * from), s * to);
    made[(s + 1) * to - 1] = corner(s);
  }
  return made;
}

/** n of head h after `seen` tokens of a sequence: what earlier ones left, and 1 + gamma + gamma^2 + ... */
function count(call: Call, s: DoubleSum, row: number, h: number, seen: number): number {
  const { H, K, V } = call.dims;
  const given = call.in.initialState?.floats(WHERE);
  const log = s.log(h);
  let n = given ? math.exp(seen * log) * given[(row * H + h + 1) * (K + 1) * (V + 1) - 1] : 0;
  for (let m = 0; m < seen; m++) n += math.exp(m * log);
  return n;
}

/** What each row [B,T,H] is divided by: max(sqrt(n), |sum of its weights|), or 1. A constant of the backward pass. */
function divisors(call: Call, s: DoubleSum, sums: Float64Array): Float64Array {
  const made = new Float64Array(sums.length / s.V).fill(1);
  if (!isRetnet(call)) return made;
  for (const [row, first, length] of s.sequences)
    for (let i = 0; i < length; i++)
      for (let h = 0; h < s.H; h++) {
        const at = (first + i) * s.H + h;
        const weights = Math.abs(sums[at * s.V + s.V - 1]);
        made[at] = Math.max(Math.sqrt(count(call, s, row, h, i + 1)), weights);
      }
  return made;
}

const forward: Implementation['forward'] = (call) => {
  const { H, V } = call.dims;
  const s = sumOf(call);
  const found = doubleSum(s);
  const by = divisors(call, s, found.y);
  const y = allocate(call, call.in.v!.shape);
  const to = y.floats(WHERE);
  for (let i = 0; i < to.length; i++) {
    const r = Math.floor(i / V);
    to[i] = found.y[r * s.V + (i % V)] / by[r];
  }
  const corner = (state: number) => {
    const row = Math.floor(state / H);
    return count(call, s, row, state % H, s.sequences[row][2]);
  };
  const extra = s.V - V;
  const finalState = allocate(call, [s.sequences.length, H, s.K + extra, s.V]);
  (finalState.floats(WHERE) as Float64Array).set(outer(call, found.final, corner));
  return { y, finalState };
};

const backward: Implementation['forward'] = (call) => {
  const { V } = call.dims;
  const s = sumOf(call);
  const by = isRetnet(call) ? divisors(call, s, doubleSum(s).y) : undefined;
  const given = call.grad.y?.floats(WHERE);
  const dy =
    given &&
    Float64Array.from({ length: s.v.length }, (_, i) => {
      const r = Math.floor(i / s.V);
      return i % s.V < V ? given[r * V + (i % s.V)] / (by ? by[r] : 1) : 0;
    });
  const sums = doubleSumBackward(s, dy, call.grad.finalState && inner(call, call.grad.finalState));
  const made = (name: string, values: Float64Array) => {
    const like = call.in[name];
    if (!like) return undefined;
    const t = allocate(call, like.shape);
    (t.floats(WHERE) as Float64Array).set(values);
    return t;
  };
  return {
    q: made('q', sums.q),
    k: made('k', sums.k),
    v: made(
      'v',
      sums.v.filter((_, i) => i % s.V < V),
    ),
    decay: made('decay', sums.decay),
    initialState: made(
      'initialState',
      outer(call, sums.initial, () => 0),
    ),
  };
};

export const retentionReference: Implementation = { forward, backward };
