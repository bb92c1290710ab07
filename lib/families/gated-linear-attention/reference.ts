/** Gated linear attention from its definition as a double sum over tokens, with gradients; in f64. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { sequencesOf, stateRows, type Sequence } from '../../ops/sequence/index.js';
import { allocate, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';

/** Queries, keys and log-decays [B T, H, K] and values [B T, H, V] as the sum sees them, whatever the operator takes. */
export interface Mixture {
  q: FloatArray;
  k: FloatArray;
  v: FloatArray;
  g: FloatArray;
  scale: number;
}

/** Gradients of a mixture and of the initial state. */
export interface MixtureGradients {
  q: Float64Array;
  k: Float64Array;
  v: Float64Array;
  g: Float64Array;
  initialState: Float64Array;
}

/** How an operator's inputs become a mixture, and how gradients come back. */
export interface Reading {
  mixture(call: Call): Mixture;
  /** Gradients by input name; that of the initial state is added by the reference. */
  gradients(call: Call, d: MixtureGradients): Record<string, ArrayLike<number>>;
}

/** e^(g_{j+1} + ... + g_i) of one lane for all j < i, by its running sums; j = -1 stands for the initial state. */
function decaysOf(m: Mixture, call: Call, [, first, length]: Sequence, h: number, c: number) {
  const { H, K } = call.dims;
  const sums = new Float64Array(length + 1);
  for (let t = 0; t < length; t++) sums[t + 1] = sums[t] + m.g[((first + t) * H + h) * K + c];
  return (i: number, j: number) => math.exp(sums[i + 1] - sums[j + 1]);
}

/** y_i = scale sum_{j<=i} sum_c q_ic e^(...) k_jc v_j, and the final state sum_j e^(...) k_j v_j^T. */
function headForward(
  m: Mixture,
  call: Call,
  sequence: Sequence,
  h: number,
  y: Float64Array,
  final: Float64Array,
): void {
  const { H, K, V } = call.dims;
  const [row, first, length] = sequence;
  const edge = (row * H + h) * K * V;
  const initial = call.in.initialState?.floats(call.op.id);
  for (let c = 0; c < K; c++) {
    const decay = decaysOf(m, call, sequence, h, c);
    const start = (e: number) => (initial ? initial[edge + c * V + e] : 0);
    for (let i = 0; i < length; i++) {
      const head = (first + i) * H + h;
      const query = m.scale * m.q[head * K + c];
      for (let j = -1; j <= i; j++) {
        const weight = query * decay(i, j);
        const from = (first + j) * H + h;
        for (let e = 0; e < V; e++)
          y[head * V + e] += weight * (j < 0 ? start(e) : m.k[from * K + c] * m.v[from * V + e]);
      }
    }
    for (let j = -1; j < length; j++) {
      const weight = decay(length - 1, j);
      const from = (first + j) * H + h;
      for (let e = 0; e < V; e++)
        final[edge + c * V + e] += weight * (j < 0 ? start(e) : m.k[from * K + c] * m.v[from * V + e]);
    }
  }
}

/**
 * One lane c of one head: every term (reader i or the final state, writer j or the initial state) is a product of what
 * reads, what was written and the decays between; the gradient of g_t is the sum of the terms with j < t <= i.
 */
function laneBackward(
  m: Mixture,
  call: Call,
  d: MixtureGradients,
  sequence: Sequence,
  h: number,
  c: number,
): void {
  const { H, K, V } = call.dims;
  const [row, first, length] = sequence;
  const edge = ((row * H + h) * K + c) * V;
  const initial = call.in.initialState?.floats(call.op.id);
  const dy = call.grad.y?.floats(call.op.id);
  const dfinal = call.grad.finalState?.floats(call.op.id);
  const decay = decaysOf(m, call, sequence, h, c);
  const at = (t: number) => (first + t) * H + h;
  for (let i = 0; i <= length; i++) {
    const end = i === length;
    const query = end ? 1 : m.scale * m.q[at(i) * K + c];
    const out = (e: number) => (end ? (dfinal?.[edge + e] ?? 0) : (dy?.[at(i) * V + e] ?? 0));
    let crossing = 0;
    for (let j = -1; j < Math.min(i + 1, length); j++) {
      if (j >= 0) d.g[at(j) * K + c] += crossing;
      const weight = decay(Math.min(i, length - 1), j);
      let along = 0;
      for (let e = 0; e < V; e++) {
        along += out(e) * (j < 0 ? (initial?.[edge + e] ?? 0) : m.v[at(j) * V + e]);
        if (j < 0) d.initialState[edge + e] += query * weight * out(e);
        else d.v[at(j) * V + e] += query * weight * m.k[at(j) * K + c] * out(e);
      }
      const key = j < 0 ? 1 : m.k[at(j) * K + c];
      if (j >= 0) d.k[at(j) * K + c] += query * weight * along;
      if (!end) d.q[at(i) * K + c] += m.scale * weight * key * along;
      crossing += query * weight * key * along;
    }
  }
}

function each(call: Call, visit: (sequence: Sequence, h: number) => void): void {
  for (const sequence of sequencesOf(call)) for (let h = 0; h < call.dims.H; h++) visit(sequence, h);
}

/** The reference of an operator that reads its inputs as a mixture. */
export function gatedReference(reading: Reading): Implementation {
  return {
    forward: (call) => {
      const { H, K, V } = call.dims;
      const m = reading.mixture(call);
      const y = new Float64Array(m.v.length);
      const final = new Float64Array(stateRows(call) * H * K * V);
      each(call, (sequence, h) => headForward(m, call, sequence, h, y, final));
      const shape = [...call.in.q!.shape.slice(0, 2), H, V];
      return { y: made(call, shape, y), finalState: made(call, [stateRows(call), H, K, V], final) };
    },
    backward: (call) => {
      const { K } = call.dims;
      const m = reading.mixture(call);
      const zeros = (length: number) => new Float64Array(length);
      const d: MixtureGradients = {
        q: zeros(m.q.length),
        k: zeros(m.k.length),
        v: zeros(m.v.length),
        g: zeros(m.g.length),
        initialState: zeros(call.out.finalState.size),
      };
      each(call, (sequence, h) => {
        for (let c = 0; c < K; c++) laneBackward(m, call, d, sequence, h, c);
      });
      const grads: OptionalTensors = {};
      for (const [name, values] of Object.entries(reading.gradients(call, d)))
        grads[name] = made(call, call.in[name]!.shape, values);
      if (call.in.initialState) grads.initialState = made(call, call.in.initialState.shape, d.initialState);
      return grads;
    },
  };
}

function made(call: Call, shape: readonly number[], values: ArrayLike<number>) {
  const t = allocate(call, shape);
  (t.floats(call.op.id) as Float64Array).set(values);
  return t;
}

/** The factor of a call: K^-1/2 unless given. */
export const scaleOf = (call: Call) =>
  (call.params.scale as number | undefined) ?? 1 / Math.sqrt(call.dims.K);

const floatsOf = (call: Call, name: string) => call.in[name]!.floats(call.op.id);

/** Gated linear attention: inputs as they are. */
export const gatedLinearAttentionReference = gatedReference({
  mixture: (call) => ({
    q: floatsOf(call, 'q'),
    k: floatsOf(call, 'k'),
    v: floatsOf(call, 'v'),
    g: floatsOf(call, 'gk'),
    scale: scaleOf(call),
  }),
  gradients: (_, d) => ({ q: d.q, k: d.k, v: d.v, gk: d.g }),
});

/** One gate a head and token, spread over the lanes. */
export const simpleReference = gatedReference({
  mixture: (call) => {
    const { K } = call.dims;
    const g = floatsOf(call, 'g');
    return {
      q: floatsOf(call, 'q'),
      k: floatsOf(call, 'k'),
      v: floatsOf(call, 'v'),
      g: Float64Array.from({ length: g.length * K }, (_, i) => g[Math.floor(i / K)]),
      scale: scaleOf(call),
    };
  },
  gradients: (call, d) => {
    const { K } = call.dims;
    const g = new Float64Array(call.in.g!.size);
    d.g.forEach((value, i) => (g[Math.floor(i / K)] += value));
    return { q: d.q, k: d.k, v: d.v, g };
  },
});

/** sigmoid(f) below the bound: f' = b + (1 - b) sigmoid(f), its logarithm and 1 - f' without cancellation. */
function gateOf(call: Call) {
  const { H, K } = call.dims;
  const bounds = call.in.lowerBound?.floats(call.op.id);
  const f = floatsOf(call, 'f');
  const bound = (i: number) => (bounds ? bounds[i % (H * K)] : 0);
  return {
    bound,
    open: (i: number) => bound(i) + (1 - bound(i)) * math.sigmoid(f[i]),
    closed: (i: number) => (1 - bound(i)) * math.sigmoid(-f[i]),
    /** log(b + (1 - b) s) = log s - log(s / (b + (1 - b) s)); without a bound -softplus(-f). */
    logarithm: (i: number) =>
      bound(i) === 0 ? -math.softplus(-f[i]) : math.log(bound(i) + (1 - bound(i)) * math.sigmoid(f[i])),
    slope: (i: number) => math.sigmoid(f[i]) * math.sigmoid(-f[i]),
    shut: (i: number) => math.sigmoid(-f[i]),
  };
}

/** HGRN-2: q = silu(q), g = log f', k = 1 - f', v = i. */
export const hgrn2Reference = gatedReference({
  mixture: (call) => {
    const q = floatsOf(call, 'q');
    const gate = gateOf(call);
    const fill = (f: (i: number) => number) => Float64Array.from({ length: q.length }, (_, i) => f(i));
    return {
      q: fill((i) => q[i] * math.sigmoid(q[i])),
      k: fill(gate.closed),
      v: floatsOf(call, 'i'),
      g: fill(gate.logarithm),
      scale: call.params.scale as number,
    };
  },
  gradients: (call, d) => {
    const { H, K } = call.dims;
    const q = floatsOf(call, 'q');
    const gate = gateOf(call);
    const raw = { q: new Float64Array(q.length), f: new Float64Array(q.length) };
    const lowerBound = new Float64Array(H * K);
    for (let i = 0; i < q.length; i++) {
      const s = math.sigmoid(q[i]);
      raw.q[i] = d.q[i] * s * (1 + q[i] * (1 - s));
      const dOpen = d.g[i] / gate.open(i) - d.k[i];
      raw.f[i] = dOpen * (1 - gate.bound(i)) * gate.slope(i);
      lowerBound[i % (H * K)] += dOpen * gate.shut(i);
    }
    return { ...raw, i: d.v, ...(call.in.lowerBound ? { lowerBound } : {}) };
  },
});
