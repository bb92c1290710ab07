/** Gate, plan, dispatch and combine from their definitions: plain loops, f64 sums. */
import type { HostArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import { Tensor } from '../../tensor/tensor.js';
import { combineBy, dispatchBy, type Movement } from './movement.js';
import { planSizes } from './sizes.js';

/** Score that enters the normalisation, without its common factor: e^l, or e^min(l,0) / (1 + e^-|l|). */
function relativeScore(logit: number, highest: number, sigmoid: boolean): number {
  if (!sigmoid) return math.exp(logit - highest);
  return math.exp(Math.min(logit, 0) - highest) / (1 + math.exp(-Math.abs(logit)));
}

/** softmax or sigmoid of one row. */
function scores(row: ArrayLike<number>, sigmoid: boolean): Float64Array {
  const p = Float64Array.from(row);
  if (sigmoid) return p.map((l) => math.sigmoid(l));
  const highest = p.reduce((a, b) => (b > a ? b : a), -Infinity);
  let total = 0;
  for (let e = 0; e < p.length; e++) total += p[e] = math.exp(p[e] - highest);
  return p.map((v) => v / total);
}

/** The k largest keys, largest first; ties: lower index first. */
function choose(keys: ArrayLike<number>, k: number): number[] {
  const order = Array.from({ length: keys.length }, (_, e) => e);
  return order.sort((a, b) => (keys[a] === keys[b] ? a - b : keys[a] > keys[b] ? -1 : 1)).slice(0, k);
}

/** Normalised weights of the chosen logits, without scale; never 0 / 0. */
function normalised(row: ArrayLike<number>, chosen: readonly number[], sigmoid: boolean): Float64Array {
  let highest = -Infinity;
  for (const e of chosen) highest = Math.max(highest, sigmoid ? Math.min(row[e], 0) : row[e]);
  const w = Float64Array.from(chosen, (e) => relativeScore(row[e], highest, sigmoid));
  const total = w.reduce((a, b) => a + b, 0);
  return w.map((v) => v / total);
}

/** Visits the tokens that count, with the logits of each. */
function eachToken(call: Call, visit: (t: number, row: HostArray) => void): void {
  const { T, E } = call.dims;
  const logits = call.in.logits!.floats(call.op.id);
  const mask = call.in.mask?.dataSync();
  for (let t = 0; t < T; t++) if (!mask || mask[t] !== 0) visit(t, logits.subarray(t * E, (t + 1) * E));
}

const gateForward: Kernel = (call) => {
  const { T, E } = call.dims;
  const { k, scale, score, normalize } = call.params as { k: number; scale: number } & Record<string, string>;
  const sigmoid = score === 'sigmoid';
  const bias = call.in.bias?.dataSync();
  const weights = allocate(call, [T, k]);
  const experts = allocate(call, [T, k], 'i32');
  const probabilities = allocate(call, [T, E]);
  const [w, x, p] = [weights.floats(call.op.id), experts.dataSync(), probabilities.floats(call.op.id)];
  w.fill(0);
  x.fill(-1);
  p.fill(0);
  eachToken(call, (t, row) => {
    const all = scores(row, sigmoid);
    const chosen = choose(bias ? all.map((v, e) => v + bias[e]) : row, k);
    const relative = normalize === 'chosen' ? normalised(row, chosen, sigmoid) : chosen.map((e) => all[e]);
    for (let e = 0; e < E; e++) p[t * E + e] = all[e];
    chosen.forEach((e, j) => {
      x[t * k + j] = e;
      w[t * k + j] = scale * relative[j];
    });
  });
  return { weights, experts, probabilities };
};

/** Through the normalised weights: dl = v (dv - sum v dv), times 1 - sigmoid(l) for the sigmoid; else dp += scale dw. */
const gateBackward: Kernel = (call) => {
  const { T, E } = call.dims;
  const { k, scale, score, normalize } = call.params as { k: number; scale: number } & Record<string, string>;
  const sigmoid = score === 'sigmoid';
  const id = call.op.id;
  const dw = call.grad.weights?.floats(id);
  const dp = call.grad.probabilities?.floats(id);
  const experts = call.out.experts.dataSync();
  const logits = allocate(call, [T, E]);
  const to = logits.floats(id);
  to.fill(0);
  eachToken(call, (t, row) => {
    const p = scores(row, sigmoid);
    const g = new Float64Array(E);
    if (dp) for (let e = 0; e < E; e++) g[e] = dp[t * E + e];
    const chosen = Array.from(experts.subarray(t * k, (t + 1) * k));
    if (dw && normalize === 'none') chosen.forEach((e, j) => (g[e] += scale * dw[t * k + j]));
    const mean = sigmoid ? 0 : p.reduce((s, v, e) => s + v * g[e], 0);
    const dl = p.map((v, e) => (sigmoid ? v * math.sigmoid(-row[e]) * g[e] : v * (g[e] - mean)));
    if (dw && normalize === 'chosen') {
      const v = normalised(row, chosen, sigmoid);
      const inner = v.reduce((s, u, j) => s + u * scale * dw[t * k + j], 0);
      chosen.forEach((e, j) => {
        dl[e] += v[j] * (scale * dw[t * k + j] - inner) * (sigmoid ? math.sigmoid(-row[e]) : 1);
      });
    }
    for (let e = 0; e < E; e++) to[t * E + e] = dl[e];
  });
  return { logits };
};

export const gateReference: Implementation = { forward: gateForward, backward: gateBackward };

/** Tokens in the order in which they compete: falling priority, ties in order of position. */
function tokenOrder(T: number, priority: HostArray | undefined): Uint32Array {
  const order = Uint32Array.from({ length: T }, (_, t) => t);
  return priority ? order.sort((a, b) => priority[b] - priority[a] || a - b) : order;
}

/** Calls `visit` with every choice t * k + j in the order in which choices compete. */
function eachChoice(call: Call, visit: (c: number) => void): void {
  const { T, k } = call.dims;
  const order = tokenOrder(T, call.in.priority?.dataSync());
  if (call.params.order === 'token-major')
    for (const t of order) for (let j = 0; j < k; j++) visit(t * k + j);
  else for (let j = 0; j < k; j++) for (const t of order) visit(t * k + j);
}

/** slot = offsets[e] + number of choices of e before it, while that number is below the capacity. */
export const planReference: Kernel = (call) => {
  const { T, k } = call.dims;
  const { E, capacity, block, rows } = planSizes(call.dims, call.params);
  const made = (shape: number[]) => Tensor.empty(shape, 'i32', 'host', call.op.id);
  const out = {
    slots: made([T, k]),
    offsets: made([E + 1]),
    counts: made([E]),
    load: made([E]),
    source: made([rows]),
  };
  const experts = call.in.experts!.dataSync();
  const [slots, source] = [out.slots.dataSync(), out.source.dataSync()];
  const [offsets, counts, load] = [out.offsets.dataSync(), out.counts.dataSync(), out.load.dataSync()];
  slots.fill(-1);
  source.fill(-1);
  load.fill(0);
  for (let c = 0; c < experts.length; c++) if (experts[c] >= 0) load[experts[c]]++;
  offsets[0] = 0;
  for (let e = 0; e < E; e++) {
    counts[e] = Math.min(load[e], capacity ?? load[e]);
    offsets[e + 1] = offsets[e] + (capacity ?? Math.ceil(load[e] / block) * block);
  }
  const next = new Int32Array(E);
  eachChoice(call, (c) => {
    const e = experts[c];
    if (e < 0) return;
    const position = next[e]++;
    if (position >= counts[e]) return;
    slots[c] = offsets[e] + position;
    source[slots[c]] = c;
  });
  return out;
};

/** blocks[b] = the expert whose region holds row b * block, -1 behind the last region. */
export const blockExpertsReference: Kernel = (call) => {
  const { block, blocks } = call.params as { block: number; blocks: number };
  const offsets = call.in.offsets!.dataSync();
  const experts = Tensor.empty([blocks], 'i32', 'host', call.op.id);
  const to = experts.dataSync();
  to.fill(-1);
  for (let e = 0; e + 1 < offsets.length; e++)
    for (let row = offsets[e]; row < offsets[e + 1]; row += block) to[row / block] = e;
  return { experts };
};

const plain: Movement = {
  spread: (call, x, source, weights, k) => {
    const [N, D] = [source.size, x.shape[1]];
    const rows = allocate(call, [N, D], x.dtype);
    const [from, to] = [x.floats(call.op.id), rows.floats(call.op.id)];
    const [origin, w] = [source.dataSync(), weights?.floats(call.op.id)];
    to.fill(0);
    for (let r = 0; r < N; r++) {
      const c = origin[r];
      if (c < 0) continue;
      const at = Math.floor(c / k) * D;
      for (let i = 0; i < D; i++) to[r * D + i] = w ? w[c] * from[at + i] : from[at + i];
    }
    return rows;
  },
  collect: (call, rows, slots, weights) => {
    const [T, k] = slots.shape;
    const D = rows.shape[1];
    const y = allocate(call, [T, D], rows.dtype);
    const [from, to] = [rows.floats(call.op.id), y.floats(call.op.id)];
    const [slot, w] = [slots.dataSync(), weights?.floats(call.op.id)];
    const line = new Float64Array(D);
    for (let t = 0; t < T; t++) {
      line.fill(0);
      for (let c = t * k; c < (t + 1) * k; c++)
        if (slot[c] >= 0) for (let i = 0; i < D; i++) line[i] += (w ? w[c] : 1) * from[slot[c] * D + i];
      for (let i = 0; i < D; i++) to[t * D + i] = line[i];
    }
    return y;
  },
  dots: (call, x, rows, slots) => {
    const k = slots.shape[1];
    const D = x.shape[1];
    const y = allocate(call, slots.shape, x.dtype);
    const [a, b, to] = [x.floats(call.op.id), rows.floats(call.op.id), y.floats(call.op.id)];
    slots.dataSync().forEach((slot, c) => {
      const at = Math.floor(c / k) * D;
      let total = 0;
      if (slot >= 0) for (let i = 0; i < D; i++) total += a[at + i] * b[slot * D + i];
      to[c] = total;
    });
    return y;
  },
};

export const dispatchReference = dispatchBy(plain);
export const combineReference = combineBy(plain);
