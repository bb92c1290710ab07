/**
 * DeltaNet and Gated DeltaNet from their definition with transition matrices, one token after the other, in f64:
 * S_t = M_t S_{t-1} + beta_t k_t v_t^T with M_t = e^{g_t} (I - beta_t k_t k_t^T), y_t = scale S_t^T q_t.
 */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { sequencesOf } from '../../ops/sequence/index.js';
import { allocate, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';

/** Arrays of one call; q and k are normalised where the call says so. */
interface View {
  q: Normalised;
  k: Normalised;
  v: FloatArray;
  beta: FloatArray;
  decay: FloatArray | undefined;
  initial: FloatArray | undefined;
  scale: number;
  K: number;
  V: number;
  H: number;
  /** Row of q and k that value head h reads at position p. */
  keyRow(p: number, h: number): number;
}

/** Rows of width K, divided by sqrt(|x|^2 + eps) or not, and what they were divided by. */
interface Normalised {
  values: Float64Array;
  sizes: Float64Array;
}

function normalised(x: FloatArray, K: number, eps: number | undefined): Normalised {
  const values = Float64Array.from(x);
  const sizes = new Float64Array(x.length / K).fill(1);
  if (eps === undefined) return { values, sizes };
  for (let r = 0; r < sizes.length; r++) {
    let sum = eps;
    for (let i = 0; i < K; i++) sum += x[r * K + i] ** 2;
    sizes[r] = Math.sqrt(sum);
    for (let i = 0; i < K; i++) values[r * K + i] /= sizes[r];
  }
  return { values, sizes };
}

/** dx = (dn - n (n . dn)) / size, n the normalised row. */
function normalisedBackward(n: Normalised, dn: Float64Array, K: number, normalize: boolean): Float64Array {
  if (!normalize) return dn;
  const dx = new Float64Array(dn.length);
  for (let r = 0; r < n.sizes.length; r++) {
    let dot = 0;
    for (let i = 0; i < K; i++) dot += n.values[r * K + i] * dn[r * K + i];
    for (let i = 0; i < K; i++) dx[r * K + i] = (dn[r * K + i] - n.values[r * K + i] * dot) / n.sizes[r];
  }
  return dx;
}

function viewOf(call: Call): View {
  const { G, H, K, V } = call.dims;
  const get = (name: string) => call.in[name]?.floats(call.op.id);
  const eps = call.params.normalize ? (call.params.eps as number) : undefined;
  return {
    q: normalised(get('q')!, K, eps),
    k: normalised(get('k')!, K, eps),
    v: get('v')!,
    beta: get('beta')!,
    decay: get('decay'),
    initial: get('initialState'),
    scale: (call.params.scale as number | undefined) ?? 1 / Math.sqrt(K),
    K,
    V,
    H,
    keyRow: (p, h) => p * G + Math.floor((h * G) / H),
  };
}

/** M_t as a dense K x K matrix. */
function transition(x: View, p: number, h: number): Float64Array {
  const { K } = x;
  const at = p * x.H + h;
  const decay = x.decay ? math.exp(x.decay[at]) : 1;
  const k = x.k.values.subarray(x.keyRow(p, h) * K, (x.keyRow(p, h) + 1) * K);
  return Float64Array.from({ length: K * K }, (_, i) => {
    const [r, c] = [Math.floor(i / K), i % K];
    return decay * (Number(r === c) - x.beta[at] * k[r] * k[c]);
  });
}

/** A B with A [m, n] and B [n, w]; A turned where `turn`, then stored [n, m]. */
function times(A: Float64Array, B: Float64Array, m: number, n: number, w: number, turn = false) {
  const C = new Float64Array(m * w);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      const a = turn ? A[j * m + i] : A[i * n + j];
      for (let c = 0; c < w; c++) C[i * w + c] += a * B[j * w + c];
    }
  return C;
}

function stateOf(x: View, from: FloatArray | undefined, row: number, h: number): Float64Array {
  const size = x.K * x.V;
  const at = (row * x.H + h) * size;
  return from ? Float64Array.from(from.subarray(at, at + size)) : new Float64Array(size);
}

/** S_0, S_1, ... of one head of one sequence. */
function states(x: View, row: number, first: number, length: number, h: number): Float64Array[] {
  const { K, V } = x;
  const all = [stateOf(x, x.initial, row, h)];
  for (let p = first; p < first + length; p++) {
    const S = times(transition(x, p, h), all[all.length - 1], K, K, V);
    const [k, v] = [x.keyRow(p, h) * K, (p * x.H + h) * V];
    for (let r = 0; r < K; r++)
      for (let c = 0; c < V; c++) S[r * V + c] += x.beta[p * x.H + h] * x.k.values[k + r] * x.v[v + c];
    all.push(S);
  }
  return all;
}

const forward: Implementation['forward'] = (call) => {
  const x = viewOf(call);
  const { K, V, H } = x;
  const sequences = sequencesOf(call);
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [sequences.length, H, K, V]);
  const [to, last] = [y.floats(call.op.id), finalState.floats(call.op.id)];
  for (const [row, first, length] of sequences)
    for (let h = 0; h < H; h++) {
      const all = states(x, row, first, length, h);
      for (let t = 0; t < length; t++) {
        const q = x.q.values.subarray(x.keyRow(first + t, h) * K, (x.keyRow(first + t, h) + 1) * K);
        const read = times(q, all[t + 1], 1, K, V);
        for (let c = 0; c < V; c++) to[((first + t) * H + h) * V + c] = x.scale * read[c];
      }
      (last as Float64Array).set(all[length], (row * H + h) * K * V);
    }
  return { y, finalState };
};

/** Gradients in f64; those of q and k are still of the normalised rows. */
type Sums = Record<'q' | 'k' | 'v' | 'beta' | 'decay' | 'initialState', Float64Array>;

const backward: Implementation['forward'] = (call) => {
  const x = viewOf(call);
  const { K, H } = x;
  const sizeOf = (name: string) => new Float64Array(call.in[name]?.size ?? 0);
  const sums: Sums = {
    ...{ q: sizeOf('q'), k: sizeOf('k'), v: sizeOf('v'), beta: sizeOf('beta') },
    ...{ decay: new Float64Array(call.in.beta!.size), initialState: sizeOf('initialState') },
  };
  const dy = call.grad.y?.floats(call.op.id) ?? sizeOf('v');
  for (const [row, first, length] of sequencesOf(call))
    for (let h = 0; h < H; h++) {
      const all = states(x, row, first, length, h);
      let G = stateOf(x, call.grad.finalState?.floats(call.op.id), row, h);
      for (let t = length - 1; t >= 0; t--)
        G = stepBackward(x, sums, first + t, h, all[t], all[t + 1], dy, G);
      if (call.in.initialState) sums.initialState.set(G, (row * H + h) * K * x.V);
    }
  const normalize = Boolean(call.params.normalize);
  sums.q = normalisedBackward(x.q, sums.q, K, normalize);
  sums.k = normalisedBackward(x.k, sums.k, K, normalize);
  const made: OptionalTensors = {};
  for (const [name, values] of Object.entries(sums)) {
    const like = call.in[name];
    if (!like) continue;
    made[name] = allocate(call, like.shape);
    (made[name].floats(call.op.id) as Float64Array).set(values);
  }
  return made;
};

/**
 * Adds the gradients of a token; G is the adjoint of S_t from what comes later, that of S_{t-1} is returned. With
 * dM = G S_{t-1}^T the matrix's parts follow by the product rule.
 */
function stepBackward(
  x: View,
  sums: Sums,
  p: number,
  h: number,
  before: Float64Array,
  after: Float64Array,
  dy: FloatArray,
  G: Float64Array,
): Float64Array {
  const { K, V } = x;
  const at = p * x.H + h;
  const [kAt, vAt] = [x.keyRow(p, h) * K, at * V];
  const k = x.k.values.subarray(kAt, kAt + K);
  const [beta, decay] = [x.beta[at], x.decay ? math.exp(x.decay[at]) : 1];
  for (let r = 0; r < K; r++)
    for (let c = 0; c < V; c++) {
      const out = x.scale * dy[vAt + c];
      sums.q[kAt + r] += after[r * V + c] * out;
      G[r * V + c] += x.q.values[kAt + r] * out;
    }
  for (let r = 0; r < K; r++)
    for (let c = 0; c < V; c++) {
      const write = G[r * V + c];
      sums.beta[at] += write * k[r] * x.v[vAt + c];
      sums.k[kAt + r] += beta * write * x.v[vAt + c];
      sums.v[vAt + c] += beta * write * k[r];
    }
  const M = transition(x, p, h);
  for (let r = 0; r < K; r++)
    for (let c = 0; c < K; c++) {
      let dM = 0;
      for (let i = 0; i < V; i++) dM += G[r * V + i] * before[c * V + i];
      sums.decay[at] += dM * M[r * K + c];
      sums.beta[at] -= decay * dM * k[r] * k[c];
      sums.k[kAt + r] -= decay * beta * dM * k[c];
      sums.k[kAt + c] -= decay * beta * dM * k[r];
    }
  return times(M, G, K, K, V, true);
}

export const deltaNetReference: Implementation = { forward, backward };
