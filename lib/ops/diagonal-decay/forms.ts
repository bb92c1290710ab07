/** Linear attention with diagonal decay in TypeScript, token by token. */
import * as math from '../../core/math.js';
import { allocate, type Implementation, type Kernel } from '../../tensor/operator.js';
import { stateRows } from '../sequence/index.js';
import { decayView, diagonalDecayReference } from './reference.js';

/** One state a head, updated in place. */
const recurrentForward: Kernel = (call) => {
  const { H, K, V } = call.dims;
  const view = decayView(call);
  const { q, k, v, bonus, decay, scale } = view;
  const y = allocate(call, call.in.v!.shape);
  const finalState = allocate(call, [stateRows(call), H, K, V]);
  const [to, last] = [y.floats(call.op.id), finalState.floats(call.op.id)];
  const S = new Float64Array(K * V);
  const line = new Float64Array(V);
  for (const [row, first, length] of view.sequences)
    for (let h = 0; h < H; h++) {
      const edge = (row * H + h) * K * V;
      if (view.initial) S.set(view.initial.subarray(edge, edge + K * V));
      else S.fill(0);
      for (let p = first; p < first + length; p++) {
        const head = p * H + h;
        const g = view.atDecay(p, h);
        line.fill(0);
        for (let c = 0; c < K; c++) {
          const a = math.exp(decay[g + c]);
          const key = k[head * K + c];
          const query = q[head * K + c];
          const u = bonus?.[h * K + c];
          for (let e = 0, i = c * V; e < V; e++, i++) {
            const kv = key * v[head * V + e];
            const next = a * S[i] + kv;
            line[e] += query * (u === undefined ? next : S[i] + u * kv);
            S[i] = next;
          }
        }
        for (let e = 0; e < V; e++) to[head * V + e] = scale * line[e];
      }
      last.set(S, edge);
    }
  return { y, finalState };
};

/** Its backward pass is the reference's, which keeps the states of one head at a time. */
export const recurrentCpu: Implementation = {
  forward: recurrentForward,
  backward: diagonalDecayReference.backward,
};
