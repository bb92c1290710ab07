/** Softmax attention from its definition, forward and backward, f64 sums. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { attentionSequences, blocksOf, NOTHING, rangeOf, reachOf, type AttentionSequence } from './layout.js';

/** One query of one head: the keys that it sees, with what its probabilities are made of. */
interface Row {
  sequence: AttentionSequence;
  h: number;
  /** Rows of q and y, and element of lse. */
  at: number;
  lseAt: number;
  /** Rows of k and v that it sees. */
  keys: number[];
  /** |distance| of each, in tokens. */
  distances: number[];
  /** Derivative of a score after the cap by the one before it. */
  slopes: number[];
  p: Float64Array;
  lse: number;
  /** Probability of the sink. */
  sink: number;
}

const floats = (call: Call, name: string): FloatArray | undefined => call.in[name]?.floats(call.op.id);

function visit(call: Call, see: (row: Row) => void): void {
  const { Tq, H, Hkv } = call.dims;
  const reach = reachOf(call.params);
  const blocks = blocksOf(call);
  const mask = call.in.blockMask?.dataSync();
  for (const sequence of attentionSequences(call))
    for (let i = 0; i < sequence.tq; i++)
      for (let h = 0; h < H; h++) {
        const [low, high] = rangeOf(reach, sequence, i);
        const keys: number[] = [];
        const distances: number[] = [];
        for (let j = low; j < high; j++) {
          if (blocks && mask) {
            const row = Math.floor((sequence.qBase + i) / blocks.size);
            const column = Math.floor((sequence.kBase + j) / blocks.size);
            const lead = sequence.batch * blocks.batchStride + h * blocks.headStride;
            if (mask[lead + row * blocks.rowStride + column] === 0) continue;
          }
          keys.push((sequence.k0 + j) * Hkv + Math.floor((h * Hkv) / H));
          distances.push(Math.abs(i + sequence.tk - sequence.tq - j));
        }
        const at = (sequence.q0 + i) * H + h;
        const lseAt = (sequence.batch * H + h) * Tq + sequence.qBase + i;
        see(scored(call, { sequence, h, at, lseAt, keys, distances }));
      }
}

/** Scores, cap, distances; then the softmax over keys and sink. */
function scored(call: Call, row: Omit<Row, 'slopes' | 'p' | 'lse' | 'sink'>): Row {
  const { K } = call.dims;
  const [q, k] = [floats(call, 'q')!, floats(call, 'k')!];
  const scale = (call.params.scale as number | undefined) ?? 1 / Math.sqrt(K);
  const cap = (call.params.softcap as number | undefined) ?? 0;
  const slope = floats(call, 'alibiSlopes')?.[row.h] ?? 0;
  const sinkLogit = floats(call, 'sink')?.[row.h] ?? -Infinity;
  const slopes: number[] = [];
  const p = Float64Array.from(row.keys, (key, n) => {
    let s = 0;
    for (let c = 0; c < K; c++) s += q[row.at * K + c] * k[key * K + c];
    s *= scale;
    const t = cap > 0 ? math.tanh(s / cap) : 0;
    slopes.push(cap > 0 ? 1 - t * t : 1);
    return (cap > 0 ? cap * t : s) - slope * row.distances[n];
  });
  let max = sinkLogit;
  for (const s of p) if (s > max || s !== s) max = s;
  let sum = max === -Infinity ? 0 : math.exp(sinkLogit - max);
  const sink = sum;
  for (let n = 0; n < p.length; n++) sum += p[n] = math.exp(p[n] - max);
  for (let n = 0; n < p.length; n++) p[n] /= sum;
  const lse = sum === 0 ? NOTHING : max + math.log(sum);
  return { ...row, slopes, p, lse, sink: sum === 0 ? 0 : sink / sum };
}

/** y_i = sum_j p_ij v_j, lse_i = log sum_j e^s_ij; 0 and NOTHING for rows that see no key and have no sink. */
const forward: Implementation['forward'] = (call) => {
  const { B, Tq, H, V } = call.dims;
  const y = allocate(call, [B, Tq, H, V]);
  const lse = allocate(call, [B, H, Tq]);
  const [to, toLse, v] = [y.floats(call.op.id), lse.floats(call.op.id), floats(call, 'v')!];
  visit(call, (row) => {
    const line = new Float64Array(V);
    row.p.forEach((weight, n) => {
      for (let c = 0; c < V; c++) line[c] += weight * v[row.keys[n] * V + c];
    });
    for (let c = 0; c < V; c++) to[row.at * V + c] = line[c];
    toLse[row.lseAt] = row.lse;
  });
  return { y, lse };
};

/**
 * ds_ij = p_ij (dy_i.v_j - dy_i.y_i + dlse_i); dv_j += p_ij dy_i; dq_i and dk_j through the cap; the sink and the
 * slopes take what their scores get: dsink += p_sink (dlse_i - dy_i.y_i), dslope -= ds_ij |distance|.
 */
const backward: Implementation['forward'] = (call) => {
  const { K, V } = call.dims;
  const scale = (call.params.scale as number | undefined) ?? 1 / Math.sqrt(K);
  const [q, k, v] = ['q', 'k', 'v'].map((name) => floats(call, name)!);
  const dy = call.grad.y?.floats(call.op.id);
  const dlse = call.grad.lse?.floats(call.op.id);
  const names = ['q', 'k', 'v', 'sink', 'alibiSlopes'].filter((name) => call.in[name]);
  const sums: Record<string, Float64Array> = {};
  for (const name of ['q', 'k', 'v', 'sink', 'alibiSlopes'])
    sums[name] = new Float64Array(call.in[name]?.size ?? call.dims.H);
  visit(call, (row) => {
    const dp = row.keys.map((key) => {
      let s = 0;
      if (dy) for (let c = 0; c < V; c++) s += dy[row.at * V + c] * v[key * V + c];
      return s;
    });
    const mean = row.p.reduce((s, weight, n) => s + weight * dp[n], 0) - (dlse?.[row.lseAt] ?? 0);
    sums.sink[row.h] -= row.sink * mean;
    row.p.forEach((weight, n) => {
      const ds = weight * (dp[n] - mean);
      sums.alibiSlopes[row.h] -= ds * row.distances[n];
      const dot = ds * row.slopes[n] * scale;
      const [qAt, kAt, vAt] = [row.at * K, row.keys[n] * K, row.keys[n] * V];
      if (dy) for (let c = 0; c < V; c++) sums.v[vAt + c] += weight * dy[row.at * V + c];
      for (let c = 0; c < K; c++) {
        sums.q[qAt + c] += dot * k[kAt + c];
        sums.k[kAt + c] += dot * q[qAt + c];
      }
    });
  });
  const made: Record<string, Tensor> = {};
  for (const name of names) {
    made[name] = allocate(call, call.in[name]!.shape);
    (made[name].floats(call.op.id) as Float64Array).set(sums[name]);
  }
  return made;
};

export const attentionReference: Implementation = { forward, backward };
