/** Softmax attention from its definition, forward and backward, f64 sums. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';

/** Sizes, strides and visibility of one call. */
export interface AttentionView {
  q: FloatArray;
  k: FloatArray;
  v: FloatArray;
  scale: number;
  group: number;
  /** Keys in use; the rest of a cache's capacity is ignored. */
  keys: number;
  /** Number of keys that query i sees. */
  visible(i: number): number;
}

export function attentionView(call: Call): AttentionView {
  const { Tq, Tk, H, Hkv, K } = call.dims;
  const id = call.op.id;
  const keys = (call.params.keys as number | undefined) ?? Tk;
  return {
    q: call.in.q!.floats(id),
    k: call.in.k!.floats(id),
    v: call.in.v!.floats(id),
    scale: (call.params.scale as number | undefined) ?? 1 / Math.sqrt(K),
    group: H / Hkv,
    keys,
    visible: (i) => (call.params.causal ? i + 1 + keys - Tq : keys),
  };
}

/** Probabilities of query i of one head over its visible keys. */
function probabilities(a: AttentionView, call: Call, b: number, i: number, h: number): Float64Array {
  const { Tq, Tk, H, Hkv, K } = call.dims;
  const n = a.visible(i);
  const p = new Float64Array(n);
  const at = ((b * Tq + i) * H + h) * K;
  let max = -Infinity;
  for (let j = 0; j < n; j++) {
    const from = ((b * Tk + j) * Hkv + Math.floor(h / a.group)) * K;
    let s = 0;
    for (let c = 0; c < K; c++) s += a.q[at + c] * a.k[from + c];
    p[j] = s * a.scale;
    if (p[j] > max || p[j] !== p[j]) max = p[j];
  }
  let sum = 0;
  for (let j = 0; j < n; j++) sum += p[j] = math.exp(p[j] - max);
  for (let j = 0; j < n; j++) p[j] /= sum;
  return p;
}

function eachQuery(call: Call, visit: (b: number, i: number, h: number) => void): void {
  const { B, Tq, H } = call.dims;
  for (let b = 0; b < B; b++) for (let i = 0; i < Tq; i++) for (let h = 0; h < H; h++) visit(b, i, h);
}

/** y_i = sum_j p_ij v_j with p = softmax(scale q k^T). */
const forward: Implementation['forward'] = (call) => {
  const { B, Tq, Tk, H, Hkv, V } = call.dims;
  const a = attentionView(call);
  const y = allocate(call, [B, Tq, H, V]);
  const to = y.floats(call.op.id);
  const line = new Float64Array(V);
  eachQuery(call, (b, i, h) => {
    const p = probabilities(a, call, b, i, h);
    line.fill(0);
    p.forEach((weight, j) => {
      const from = ((b * Tk + j) * Hkv + Math.floor(h / a.group)) * V;
      for (let c = 0; c < V; c++) line[c] += weight * a.v[from + c];
    });
    for (let c = 0; c < V; c++) to[((b * Tq + i) * H + h) * V + c] = line[c];
  });
  return { y };
};

/** dv_j += p_ij dy_i; ds_ij = p_ij (dy_i.v_j - dy_i.y_i); dq_i += scale ds k_j; dk_j += scale ds q_i. */
const backward: Implementation['forward'] = (call) => {
  const { Tq, Tk, H, Hkv, K, V } = call.dims;
  const a = attentionView(call);
  const dy = call.grad.y!.floats(call.op.id);
  const sums = {
    q: new Float64Array(a.q.length),
    k: new Float64Array(a.k.length),
    v: new Float64Array(a.v.length),
  };
  eachQuery(call, (b, i, h) => {
    const p = probabilities(a, call, b, i, h);
    const [qAt, yAt] = [((b * Tq + i) * H + h) * K, ((b * Tq + i) * H + h) * V];
    const rows = (j: number) => (b * Tk + j) * Hkv + Math.floor(h / a.group);
    const dp = p.map((_, j) => {
      let s = 0;
      for (let c = 0; c < V; c++) s += dy[yAt + c] * a.v[rows(j) * V + c];
      return s;
    });
    const mean = p.reduce((s, weight, j) => s + weight * dp[j], 0);
    p.forEach((weight, j) => {
      const ds = weight * (dp[j] - mean) * a.scale;
      const [kAt, vAt] = [rows(j) * K, rows(j) * V];
      for (let c = 0; c < V; c++) sums.v[vAt + c] += weight * dy[yAt + c];
      for (let c = 0; c < K; c++) {
        sums.q[qAt + c] += ds * a.k[kAt + c];
        sums.k[kAt + c] += ds * a.q[qAt + c];
      }
    });
  });
  const made = (name: 'q' | 'k' | 'v') => {
    const t = allocate(call, call.in[name]!.shape);
    (t.floats(call.op.id) as Float64Array).set(sums[name]);
    return t;
  };
  return { q: made('q'), k: made('k'), v: made('v') };
};

export const attentionReference: Implementation = { forward, backward };
