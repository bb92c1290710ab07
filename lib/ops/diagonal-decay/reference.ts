/** Linear attention with a decay of every key lane, from its definition; states and sums in f64. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { gradientSums, gradientTensors, type GradientSums } from '../../tensor/gradient-sums.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { sequencesOf, stateRows, type Sequence } from '../sequence/index.js';

/** Arrays and index functions of one call. */
export interface DecayView {
  q: FloatArray;
  k: FloatArray;
  v: FloatArray;
  decay: FloatArray;
  bonus: FloatArray | undefined;
  initial: FloatArray | undefined;
  scale: number;
  sequences: Sequence[];
  /** Offset of the K log-decays of flat position p and head h. */
  atDecay(p: number, h: number): number;
}

export function decayView(call: Call): DecayView {
  const { H, K } = call.dims;
  const get = (name: string) => call.in[name]?.floats(call.op.id);
  const varies = call.in.decay!.rank === 4;
  return {
    q: get('q')!,
    k: get('k')!,
    v: get('v')!,
    decay: get('decay')!,
    bonus: get('bonus'),
    initial: get('initialState'),
    scale: call.params.scale as number,
    sequences: sequencesOf(call),
    atDecay: (p, h) => (varies ? p * H + h : h) * K,
  };
}

/** All states S_t [K V] of one head of one sequence, that before the first token in front. */
function states(view: DecayView, call: Call, [row, first, length]: Sequence, h: number): Float64Array {
  const { H, K, V } = call.dims;
  const size = K * V;
  const all = new Float64Array((length + 1) * size);
  if (view.initial) all.set(view.initial.subarray((row * H + h) * size, (row * H + h + 1) * size));
  for (let t = 0; t < length; t++) {
    const head = (first + t) * H + h;
    const g = view.atDecay(first + t, h);
    for (let c = 0; c < K; c++) {
      const a = math.exp(view.decay[g + c]);
      const k = view.k[head * K + c];
      const from = t * size + c * V;
      // S_t = e^{g_t} S_{t-1} + k_t v_t^T
      for (let e = 0; e < V; e++) all[from + size + e] = a * all[from + e] + k * view.v[head * V + e];
    }
  }
  return all;
}

/** Entry [c, e] of what y_t reads: S_t, or with a bonus S_{t-1} + u k_t v_t^T. */
function readState(view: DecayView, call: Call, all: Float64Array, t: number, head: number, h: number) {
  const { K, V } = call.dims;
  const size = K * V;
  const u = view.bonus;
  if (!u) return (c: number, e: number) => all[(t + 1) * size + c * V + e];
  return (c: number, e: number) =>
    all[t * size + c * V + e] + u[h * K + c] * view.k[head * K + c] * view.v[head * V + e];
}

const forward: Implementation['forward'] = (call) => {
  const { H, K, V } = call.dims;
  const view = decayView(call);
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [stateRows(call), H, K, V]);
  const [to, last] = [y.floats(call.op.id), finalState.floats(call.op.id)];
  for (const sequence of view.sequences)
    for (let h = 0; h < H; h++) {
      const [row, first, length] = sequence;
      const all = states(view, call, sequence, h);
      for (let t = 0; t < length; t++) {
        const head = (first + t) * H + h;
        const read = readState(view, call, all, t, head, h);
        for (let e = 0; e < V; e++) {
          let sum = 0;
          for (let c = 0; c < K; c++) sum += view.q[head * K + c] * read(c, e);
          to[head * V + e] = view.scale * sum;
        }
      }
      for (let i = 0; i < K * V; i++) last[(row * H + h) * K * V + i] = all[length * K * V + i];
    }
  return { y, finalState };
};

/** The reverse recurrence of the adjoint G_t of S_t (design: algorithms, families 0.2 and 3.2). */
const backward: Implementation['forward'] = (call) => {
  const view = decayView(call);
  const sums = gradientSums(call);
  for (const sequence of view.sequences)
    for (let h = 0; h < call.dims.H; h++) headBackward(view, call, sums, sequence, h);
  return gradientTensors(call, sums);
};

function headBackward(view: DecayView, call: Call, sums: GradientSums, sequence: Sequence, h: number): void {
  const { H, K, V } = call.dims;
  const [row, first, length] = sequence;
  const size = K * V;
  const all = states(view, call, sequence, h);
  const dy = call.grad.y?.floats(call.op.id);
  const G = new Float64Array(size);
  const given = call.grad.finalState?.floats(call.op.id);
  if (given) G.set(given.subarray((row * H + h) * size, (row * H + h + 1) * size));
  for (let t = length - 1; t >= 0; t--) {
    const head = (first + t) * H + h;
    const g = view.atDecay(first + t, h);
    const read = readState(view, call, all, t, head, h);
    const dOut = (e: number) => (dy ? view.scale * dy[head * V + e] : 0);
    let along = 0;
    for (let e = 0; e < V; e++) along += view.v[head * V + e] * dOut(e);
    for (let c = 0; c < K; c++) {
      const q = view.q[head * K + c];
      const k = view.k[head * K + c];
      const a = math.exp(view.decay[g + c]);
      const u = view.bonus?.[h * K + c];
      for (let e = 0; e < V; e++) {
        const i = c * V + e;
        const v = view.v[head * V + e];
        sums.q[head * K + c] += read(c, e) * dOut(e);
        if (u === undefined) G[i] += q * dOut(e);
        else sums.v[head * V + e] += u * q * k * dOut(e);
        sums.k[head * K + c] += G[i] * v;
        sums.v[head * V + e] += G[i] * k;
        sums.decay[g + c] += G[i] * a * all[t * size + i];
        G[i] *= a;
        if (u !== undefined) G[i] += q * dOut(e);
      }
      if (u === undefined) continue;
      sums.k[head * K + c] += u * q * along;
      sums.bonus[h * K + c] += q * k * along;
    }
  }
  sums.initialState?.set(G, (row * H + h) * size);
}

export const diagonalDecayReference: Implementation = { forward, backward };
