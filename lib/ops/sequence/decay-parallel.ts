/**
 * The naive form of every mixer with one decay a token and head: all T x T scores in memory, by matrix products. What
 * the literature calls the parallel (or attention) form; quadratic, for small T, for reading and as a second opinion.
 *
 *   P_ij = scale (q_i . k_j) e^{g_{j+1} + ... + g_i} [j <= i, same sequence],   y = P v + scale e^{b_i} S_0^T q_i
 *
 * Sums of decays are sums of the entries between two tokens, never differences of cumulative sums, so that a huge
 * decay does not cost the digits of later small ones. They are masked before the exponential. Masks are factors of 0, so
 * a NaN or infinity of one token reaches every token of its head in the row of the batch, other packed sequences too; the
 * other forms keep it within its sequence.
 */
import { affine, compare, exp, mul, add } from '../map/index.js';
import { matmul } from '../matmul/index.js';
import { cumsum } from '../scan/index.js';
import { broadcastTo, cast, permute, reshape, slice } from '../structure/index.js';
import { tensor, zeros, type Tensor } from '../../tensor/tensor.js';

/** q, k [B,T,G,K], v [B,T,H,V] (f16 is widened), decay [B,T,H] or [H], initialState [B,H,K,V] or packed [S,H,K,V]. */
export interface ParallelInputs {
  q: Tensor;
  k: Tensor;
  v: Tensor;
  decay?: Tensor;
  initialState?: Tensor;
  cuSeqlens?: Tensor;
}

/** Constants [..] of a call on the device of its inputs. */
interface Layout {
  T: number;
  /** Rows of the state that one row of the batch has. */
  S: number;
  like: { dtype: Tensor['dtype']; device: Tensor['device'] };
  /** [T,T]: 1 where j <= i in one sequence. */
  causal: Tensor;
  /** [T,S]: 1 where token t belongs to sequence s. */
  member: Tensor;
}

const wideType = (t: Tensor) => (t.dtype === 'f16' ? 'f32' : t.dtype);
const widened = (t: Tensor) => (t.dtype === 'f16' ? cast(t, 'f32') : t);

function layoutOf({ q, cuSeqlens }: ParallelInputs): Layout {
  const T = q.shape[1];
  const like = { dtype: wideType(q), device: q.device };
  const triangle = new Float64Array(T * T);
  for (let i = 0; i < T; i++) triangle.fill(1, i * T, i * T + i + 1);
  const lower = tensor(triangle, { shape: [T, T], ...like });
  if (!cuSeqlens) {
    const member = tensor(new Float64Array(T).fill(1), { shape: [T, 1], ...like });
    return { T, S: 1, like, causal: lower, member };
  }
  const S = cuSeqlens.size - 1;
  const time = tensor(
    Int32Array.from({ length: T }, (_, t) => t),
    { shape: [T, 1], dtype: 'i32', device: q.device },
  );
  const bound = (from: number) => reshape(slice(cuSeqlens, 0, from, from + S), [1, S]);
  const flag = (t: Tensor) => cast(t, like.dtype);
  const member = mul(flag(compare(time, 'ge', bound(0))), flag(compare(time, 'lt', bound(1))));
  return { T, S, like, causal: mul(lower, matmul(member, member, { transposeB: true })), member };
}

/** [B,T,G,d] as [B,H,T,d]; a head of G serves H / G heads in a row. */
function headsFirst(t: Tensor, H: number): Tensor {
  const [B, T, G, d] = t.shape;
  const spread =
    G === H ? t : reshape(broadcastTo(reshape(t, [B, T, G, 1, d]), [B, T, G, H / G, d]), [B, T, H, d]);
  return permute(spread, [0, 2, 1, 3]);
}

/** Sums of log-decays [B,H,..]: between two tokens, from the start, to the end and over whole sequences. */
interface Sums {
  between: Tensor;
  before: Tensor;
  after: Tensor;
  whole: Tensor;
}

function decaySums(decay: Tensor, { T, S, causal, member }: Layout, [B, H]: readonly [number, number]): Sums {
  const all = decay.rank === 1 ? broadcastTo(decay, [B, T, H]) : decay;
  const g = reshape(permute(all, [0, 2, 1]), [B * H, T, 1]);
  const each = (matrix: Tensor) => broadcastTo(matrix, [B * H, ...matrix.shape]);
  // Column j of `kept` holds g_i for i > j of the same sequence, else 0; its running sum is what lies between.
  const strict = mul(causal, affine(identity(causal), -1, 1));
  const kept = mul(broadcastTo(g, [B * H, T, T]), strict);
  return {
    between: reshape(cumsum(kept, 1), [B, H, T, T]),
    before: reshape(matmul(each(causal), g), [B, H, T, 1]),
    after: reshape(matmul(each(strict), g, { transposeA: true }), [B, H, T, 1]),
    whole: reshape(matmul(each(member), g, { transposeA: true }), [B, H, S, 1]),
  };
}

function identity(like: Tensor): Tensor {
  const n = like.shape[0];
  const values = new Float64Array(n * n);
  for (let i = 0; i < n; i++) values[i * n + i] = 1;
  return tensor(values, { shape: [n, n], dtype: like.dtype, device: like.device });
}

/** [B,H,T,d] times membership: [B,H,T,S d], the row of its own sequence filled, the others 0. */
function perSequence(t: Tensor, { T, S, member }: Layout): Tensor {
  const [B, H, , d] = t.shape;
  if (S === 1) return t;
  return reshape(mul(reshape(t, [B, H, T, 1, d]), reshape(member, [T, S, 1])), [B, H, T, S * d]);
}

/**
 * y [B,T,H,V] and finalState [B,H,K,V] or [S,H,K,V]; gradients by the tape.
 * @param scale factor on the scores
 */
export function decayParallel(inputs: ParallelInputs, scale = 1): { y: Tensor; finalState: Tensor } {
  const [B, T, , K] = inputs.q.shape;
  const [H, V] = inputs.v.shape.slice(2);
  const rows = inputs.cuSeqlens ? inputs.cuSeqlens.size - 1 : B;
  const like = { dtype: wideType(inputs.q), device: inputs.q.device };
  if (T === 0)
    return {
      y: reshape(inputs.v, [B, 0, H, V]),
      finalState: inputs.initialState
        ? reshape(inputs.initialState, [rows, H, K, V])
        : zeros([rows, H, K, V], like),
    };
  const layout = layoutOf(inputs);
  const { S } = layout;
  const sums = inputs.decay && decaySums(inputs.decay, layout, [B, H]);
  const fade = (t: Tensor, sum: Tensor | undefined) => (sum ? mul(t, exp(sum)) : t);
  const heads = (t: Tensor) => headsFirst(widened(t), H);
  const [q, k, v] = [affine(heads(inputs.q), scale, 0), heads(inputs.k), heads(inputs.v)];
  const scores = mul(fade(matmul(q, k, { transposeB: true }), sums?.between), layout.causal);
  const inner = matmul(scores, v);
  // States of one batch row as [H, S K, V]: one product for all its sequences.
  const stacked = (t: Tensor) =>
    reshape(permute(reshape(t, [B, S, H, K, V]), [0, 2, 1, 3, 4]), [B, H, S * K, V]);
  const start = inputs.initialState && stacked(inputs.initialState);
  const y = start ? add(inner, matmul(perSequence(fade(q, sums?.before), layout), start)) : inner;
  const written = reshape(matmul(perSequence(fade(k, sums?.after), layout), v, { transposeA: true }), [
    B,
    H,
    S,
    K,
    V,
  ]);
  const left = start && fade(reshape(start, [B, H, S, K, V]), sums && reshape(sums.whole, [B, H, S, 1, 1]));
  const final = permute(left ? add(written, left) : written, [0, 2, 1, 3, 4]);
  return { y: cast(permute(y, [0, 2, 1, 3]), inputs.v.dtype), finalState: reshape(final, [rows, H, K, V]) };
}
