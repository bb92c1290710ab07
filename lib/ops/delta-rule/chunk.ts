/** Form `chunk` of the delta rule in TypeScript: chunk-parts says how; matrices and sums in f64. */
import type { FloatArray } from '../../core/dtype.js';
import { gradientSums, gradientTensors, type GradientSums } from '../../tensor/gradient-sums.js';
import { allocate, type Implementation, type Kernel } from '../../tensor/operator.js';
import {
  addProduct,
  carry,
  CHUNK,
  chunkOf,
  errorsOf,
  keysOf,
  rows,
  scaleRows,
  scores,
  times,
  transposed,
  type Chunk,
  type Keys,
} from './chunk-parts.js';
import { deltaView, stateOf, type DeltaView } from './reference.js';

const forward: Kernel = (call) => {
  const d = deltaView(call);
  const { K, V } = d;
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [d.sequences.length, d.H, K, V]);
  const [to, last] = [y.floats(call.op.id), finalState.floats(call.op.id) as Float64Array];
  for (const [row, first, length] of d.sequences)
    for (let h = 0; h < d.H; h++) {
      const S = stateOf(d, d.initial, row, h);
      for (let t = 0; t < length; t += CHUNK) {
        const c = chunkOf(d, first + t, Math.min(CHUNK, length - t), h);
        const keys = keysOf(d, c);
        const U = scaleRows(errorsOf(d, c, keys, S), c.beta, V);
        const out = new Float64Array(c.size * V);
        addProduct(out, keys.q, [K, 1], S, [c.size, K, V]);
        scaleRows(out, c.fromStart, V);
        addProduct(out, keys.A, [c.size, 1], U, [c.size, c.size, V]);
        for (let i = 0; i < c.size; i++)
          for (let x = 0; x < V; x++) to[d.atValue(c.p + i, h) + x] = d.scale * out[i * V + x];
        carry(d, c, keys.k, U, S);
      }
      last.set(S, (row * d.H + h) * K * V);
    }
  return { y, finalState };
};

const backward: Kernel = (call) => {
  const d = deltaView(call);
  const sums = gradientSums(call);
  const dy = call.grad.y?.floats(call.op.id) ?? new Float64Array(call.in.v!.size);
  const dFinal = call.grad.finalState?.floats(call.op.id);
  for (const [row, first, length] of d.sequences)
    for (let h = 0; h < d.H; h++) {
      const S = stateOf(d, d.initial, row, h);
      const kept: { c: Chunk; keys: Keys; E: Float64Array; S: Float64Array }[] = [];
      for (let t = 0; t < length; t += CHUNK) {
        const c = chunkOf(d, first + t, Math.min(CHUNK, length - t), h);
        const keys = keysOf(d, c);
        const E = errorsOf(d, c, keys, S);
        kept.push({ c, keys, E, S: S.slice() });
        carry(d, c, keys.k, scaleRows(E.slice(), c.beta, d.V), S);
      }
      const dS = stateOf(d, dFinal, row, h);
      for (const { c, keys, E, S: start } of kept.reverse())
        chunkBackward(d, sums, c, keys, E, start, dy, dS);
      sums.initialState?.set(dS, (row * d.H + h) * d.K * d.V);
    }
  return gradientTensors(call, sums);
};

/** du of every token: (I + N^T diag(beta)) du = A^T dO + (K e^{b_C-b}) dS, by backward substitution. */
function adjointsOf(
  d: DeltaView,
  c: Chunk,
  { k, N, A }: Keys,
  dO: Float64Array,
  dS: Float64Array,
): Float64Array {
  const { size } = c;
  const { K, V } = d;
  const du = new Float64Array(size * V);
  addProduct(du, k, [K, 1], dS, [size, K, V]);
  scaleRows(du, c.toEnd, V);
  addProduct(du, A, [1, size], dO, [size, size, V]);
  for (let j = size - 1; j >= 0; j--)
    for (let i = j + 1; i < size; i++) {
      const weight = N[i * size + j] * c.beta[i];
      for (let x = 0; x < V; x++) du[j * V + x] -= weight * du[i * V + x];
    }
  return du;
}

/** What a chunk's tokens add to the gradients of queries and keys by reading S, writing into what follows, and pairs. */
interface Through {
  dQ: Float64Array;
  dK: Float64Array;
  written: Float64Array;
  /** Below the diagonal: what a change of e^{b_i - b_j} is worth, times itself. */
  pairs: Float64Array;
}

/** Adds the gradients of a chunk; dS comes in as the adjoint of the state after it and leaves as that before it. */
function chunkBackward(
  d: DeltaView,
  sums: GradientSums,
  c: Chunk,
  keys: Keys,
  E: Float64Array,
  S: Float64Array,
  dy: FloatArray,
  dS: Float64Array,
): void {
  const { size } = c;
  const { K, V } = d;
  const { q, k, N, A } = keys;
  const dO = rows(dy, size, V, (i) => d.atValue(c.p + i, c.h)).map((x) => x * d.scale);
  const du = adjointsOf(d, c, keys, dO, dS);
  const U = scaleRows(E.slice(), c.beta, V);
  for (let i = 0; i < size; i++)
    for (let x = 0; x < V; x++) sums.beta[(c.p + i) * d.H + c.h] += du[i * V + x] * E[i * V + x];
  // A key's read of the state has the adjoint -beta du.
  const dP = scaleRows(du, c.beta, V).map((x) => -x);
  for (let i = 0; i < size; i++)
    for (let x = 0; x < V; x++) sums.v[d.atValue(c.p + i, c.h) + x] -= dP[i * V + x];
  const [dA, dN] = [scores(dO, U, size, V, true), scores(dP, U, size, V, false)];
  const [dQ, dK] = [reads(d, c, dO, S), reads(d, c, dP, S)];
  const written = new Float64Array(size * K);
  addProduct(written, U, [V, 1], transposed(dS, K, V), [size, V, K]);
  scaleRows(written, c.toEnd, K);
  if (sums.decay) {
    const pairs = dA.map((x, i) => x * A[i] + dN[i] * N[i]);
    decayBackward(d, c, sums.decay, keys, { dQ, dK, written, pairs }, S, dS);
  }
  times(dA, c.D);
  times(dN, c.D);
  addProduct(dQ, dA, [size, 1], k, [size, size, K]);
  addProduct(dK, dN, [size, 1], k, [size, size, K]);
  addProduct(dK, dA, [1, size], q, [size, size, K]);
  addProduct(dK, dN, [1, size], k, [size, size, K]);
  for (let i = 0; i < size; i++)
    for (let r = 0; r < K; r++) {
      sums.q[d.atKey(c.p + i, c.h) + r] += dQ[i * K + r];
      sums.k[d.atKey(c.p + i, c.h) + r] += dK[i * K + r] + written[i * K + r];
    }
  for (let i = 0; i < dS.length; i++) dS[i] *= c.whole;
  addProduct(dS, scaleRows(q.slice(), c.fromStart, K), [1, K], dO, [K, size, V]);
  addProduct(dS, scaleRows(k.slice(), c.fromStart, K), [1, K], dP, [K, size, V]);
}

/** e^b dR S^T: the gradient of what reads S, from the adjoint of what it read. */
function reads(d: DeltaView, c: Chunk, dR: Float64Array, S: Float64Array): Float64Array {
  const out = new Float64Array(c.size * d.K);
  addProduct(out, dR, [d.V, 1], transposed(S, d.K, d.V), [c.size, d.V, d.K]);
  return scaleRows(out, c.fromStart, d.K);
}

/**
 * dg_t is the sum of what crosses from before t to t or later: pairs, reads of S, writes into what follows, and S
 * itself. Terms are only added, so that a strong decay's tiny gradient keeps its digits.
 */
function decayBackward(
  d: DeltaView,
  c: Chunk,
  to: Float64Array,
  { q, k }: Keys,
  { dQ, dK, written, pairs }: Through,
  S: Float64Array,
  dS: Float64Array,
): void {
  const { size } = c;
  const { K } = d;
  let through = 0;
  for (let i = 0; i < S.length; i++) through += c.whole * S[i] * dS[i];
  let read = 0;
  const crossing = new Float64Array(size);
  const reading = new Float64Array(size);
  for (let i = size - 1; i >= 0; i--) {
    for (let j = 0, sum = 0; j < i; j++) crossing[j + 1] += sum += pairs[i * size + j];
    for (let r = 0; r < K; r++) read += q[i * K + r] * dQ[i * K + r] + k[i * K + r] * dK[i * K + r];
    reading[i] = read;
  }
  let write = 0;
  for (let t = 0; t < size; t++) {
    to[(c.p + t) * d.H + c.h] += through + reading[t] + write + crossing[t];
    for (let r = 0; r < K; r++) write += k[t * K + r] * written[t * K + r];
  }
}

/** Form `chunk` in TypeScript. */
export const chunkCpu: Implementation = { forward, backward };
