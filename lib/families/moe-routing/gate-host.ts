/** The gate of the host in one pass a token: choice by insertion into a list of k, no memory made on the way. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';

interface Gate {
  T: number;
  E: number;
  k: number;
  scale: number;
  sigmoid: boolean;
  chosen: boolean;
  logits: FloatArray;
  /** Weights of the chosen of one token before scale. */
  v: Float64Array;
}

function gateOf(call: Call): Gate {
  const { T, E } = call.dims;
  const { k, scale, score, normalize } = call.params as { k: number; scale: number } & Record<string, string>;
  const logits = call.in.logits!.floats(call.op.id);
  const [sigmoid, chosen] = [score === 'sigmoid', normalize === 'chosen'];
  return { T, E, k, scale, sigmoid, chosen, logits, v: new Float64Array(k) };
}

/** softmax or sigmoid of the logits from `at` on. */
function scoreRow({ E, logits, sigmoid }: Gate, at: number, p: Float64Array): void {
  if (sigmoid) {
    for (let e = 0; e < E; e++) p[e] = math.sigmoid(logits[at + e]);
    return;
  }
  let highest = -Infinity;
  for (let e = 0; e < E; e++) if (logits[at + e] > highest) highest = logits[at + e];
  let total = 0;
  for (let e = 0; e < E; e++) total += p[e] = math.exp(logits[at + e] - highest);
  for (let e = 0; e < E; e++) p[e] /= total;
}

/** The k largest of E keys into `places`, largest first, the lower index first among equals. */
function selectRow(keys: Float64Array, best: Float64Array, places: Int32Array, k: number): void {
  let filled = 0;
  for (let e = 0; e < keys.length; e++) {
    const key = keys[e];
    if (filled === k && !(key > best[k - 1])) continue;
    let i = filled < k ? filled++ : k - 1;
    for (; i > 0 && best[i - 1] < key; i--) {
      best[i] = best[i - 1];
      places[i] = places[i - 1];
    }
    best[i] = key;
    places[i] = e;
  }
}

/** v = scores of the chosen divided by their sum, from exponents that cannot overflow and never give 0 / 0. */
function normaliseRow({ k, logits, sigmoid, v }: Gate, at: number, chosen: Int32Array, from: number): void {
  let highest = -Infinity;
  for (let j = 0; j < k; j++) {
    const l = logits[at + chosen[from + j]];
    highest = Math.max(highest, sigmoid ? Math.min(l, 0) : l);
  }
  let total = 0;
  for (let j = 0; j < k; j++) {
    const l = logits[at + chosen[from + j]];
    if (sigmoid) v[j] = math.exp(Math.min(l, 0) - highest) / (1 + math.exp(-Math.abs(l)));
    else v[j] = math.exp(l - highest);
    total += v[j];
  }
  for (let j = 0; j < k; j++) v[j] /= total;
}

const forward: Kernel = (call) => {
  const gate = gateOf(call);
  const { T, E, k, scale, v } = gate;
  const mask = call.in.mask?.dataSync();
  const bias = call.in.bias?.dataSync();
  const weights = allocate(call, [T, k]);
  const experts = allocate(call, [T, k], 'i32');
  const probabilities = allocate(call, [T, E]);
  const [w, p] = [weights.floats(call.op.id), probabilities.floats(call.op.id)];
  const x = experts.dataSync() as Int32Array;
  const [row, keys, best] = [new Float64Array(E), new Float64Array(E), new Float64Array(k)];
  const places = new Int32Array(k);
  for (let t = 0; t < T; t++) {
    const [at, to] = [t * E, t * k];
    if (mask && mask[t] === 0) {
      w.fill(0, to, to + k);
      x.fill(-1, to, to + k);
      p.fill(0, at, at + E);
      continue;
    }
    scoreRow(gate, at, row);
    for (let e = 0; e < E; e++) {
      p[at + e] = row[e];
      keys[e] = bias ? row[e] + bias[e] : gate.logits[at + e];
    }
    selectRow(keys, best, places, k);
    for (let j = 0; j < k; j++) x[to + j] = places[j];
    if (gate.chosen) normaliseRow(gate, at, places, 0);
    else for (let j = 0; j < k; j++) v[j] = row[places[j]];
    for (let j = 0; j < k; j++) w[to + j] = scale * v[j];
  }
  return { weights, experts, probabilities };
};

/** Adds what comes through normalised weights: v (dv - sum v dv) at the chosen, times 1 - sigmoid(l) for the sigmoid. */
function addNormalised(gate: Gate, t: number, experts: Int32Array, dw: FloatArray, dl: Float64Array): void {
  const { E, k, scale, sigmoid, logits, v } = gate;
  const at = t * E;
  normaliseRow(gate, at, experts, t * k);
  let inner = 0;
  for (let j = 0; j < k; j++) inner += v[j] * scale * dw[t * k + j];
  for (let j = 0; j < k; j++) {
    const e = experts[t * k + j];
    dl[e] += v[j] * (scale * dw[t * k + j] - inner) * (sigmoid ? math.sigmoid(-logits[at + e]) : 1);
  }
}

const backward: Kernel = (call) => {
  const gate = gateOf(call);
  const { T, E, k, scale, sigmoid, chosen } = gate;
  const id = call.op.id;
  const dw = call.grad.weights?.floats(id);
  const dp = call.grad.probabilities?.floats(id);
  const p = call.out.probabilities.floats(id);
  const experts = call.out.experts.dataSync() as Int32Array;
  const logits = allocate(call, [T, E]);
  const to = logits.floats(id);
  const g = new Float64Array(E);
  for (let t = 0; t < T; t++) {
    const at = t * E;
    if (experts[t * k] < 0) {
      to.fill(0, at, at + E);
      continue;
    }
    for (let e = 0; e < E; e++) g[e] = dp ? dp[at + e] : 0;
    if (dw && !chosen) for (let j = 0; j < k; j++) g[experts[t * k + j]] += scale * dw[t * k + j];
    let mean = 0;
    if (!sigmoid) for (let e = 0; e < E; e++) mean += p[at + e] * g[e];
    if (sigmoid) for (let e = 0; e < E; e++) g[e] *= p[at + e] * math.sigmoid(-gate.logits[at + e]);
    else for (let e = 0; e < E; e++) g[e] = p[at + e] * (g[e] - mean);
    if (dw && chosen) addNormalised(gate, t, experts, dw, g);
    for (let e = 0; e < E; e++) to[at + e] = g[e];
  }
  return { logits };
};

export const gateHost: Implementation = { forward, backward };
