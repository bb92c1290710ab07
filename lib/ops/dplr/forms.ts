/** The recurrence on TypeScript with states kept every few tokens. */
import { gradientSums, gradientTensors, type GradientSums } from '../../tensor/gradient-sums.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { Tensor } from '../../tensor/tensor.js';
import type { Sequence } from '../sequence/index.js';
import { dplrView, edgeState, spanBackward, stepState, type DplrView } from './reference.js';

/** Tokens between kept states. */
export const CHUNK = 16;

/** Advances S over the tokens of a span and writes what they read to `y`. */
export type Advance = (
  s: DplrView,
  call: Call,
  span: readonly [first: number, length: number],
  h: number,
  S: Float64Array,
  y: (token: number) => { [i: number]: number },
) => void;

/** Adds the gradients of a span; G enters at its end and leaves at its start. */
export type Retreat = (
  s: DplrView,
  call: Call,
  sums: GradientSums,
  span: readonly [first: number, length: number],
  h: number,
  start: Float64Array,
  G: Float64Array,
) => void;

/** Where the state before a chunk of a sequence is kept: chunks never cross sequences. */
const slot = ([row, first]: Sequence, chunk: number) => Math.floor(first / CHUNK) + row + chunk;

/**
 * A form on TypeScript: chunks in order, the state before each kept for the backward pass, which computes the states
 * within a chunk again.
 */
export function chunksCpu(advance: Advance, retreat: Retreat): Implementation {
  return {
    forward: (call) => {
      const { B, T, H, K, V } = call.dims;
      const s = dplrView(call);
      const size = K * V;
      const y = allocate(call, call.in.v!.shape);
      const finalState = allocate(call, [s.sequences.length, H, K, V]);
      const [to, last] = [y.floats(call.op.id), finalState.floats(call.op.id)];
      const slots = Math.floor((B * T) / CHUNK) + s.sequences.length + 1;
      if (call.training) call.saved.states = Tensor.empty([slots, H, K, V], 'f64', 'host', call.op.id);
      const kept = call.saved.states?.floats(call.op.id);
      for (const sequence of s.sequences)
        for (let h = 0; h < H; h++) {
          const [row, first, length] = sequence;
          const S = edgeState(s.initial, call, row, h);
          for (let t = 0; t < length; t += CHUNK) {
            kept?.set(S, (slot(sequence, t / CHUNK) * H + h) * size);
            advance(s, call, [first + t, Math.min(CHUNK, length - t)], h, S, (token) =>
              to.subarray(token * V, token * V + V),
            );
          }
          last.set(S, (row * H + h) * size);
        }
      return { y, finalState };
    },
    backward: (call) => {
      const { H, K, V } = call.dims;
      const s = dplrView(call);
      const sums = gradientSums(call);
      const kept = call.saved.states.floats(call.op.id);
      for (const sequence of s.sequences)
        for (let h = 0; h < H; h++) {
          const [row, first, length] = sequence;
          const G = edgeState(call.grad.finalState?.floats(call.op.id), call, row, h);
          for (let chunk = Math.ceil(length / CHUNK) - 1; chunk >= 0; chunk--) {
            const at = (slot(sequence, chunk) * H + h) * K * V;
            const start = Float64Array.from(kept.subarray(at, at + K * V));
            const span = [first + chunk * CHUNK, Math.min(CHUNK, length - chunk * CHUNK)] as const;
            retreat(s, call, sums, span, h, start, G);
          }
          sums.initialState?.set(G, (row * H + h) * K * V);
        }
      return gradientTensors(call, sums);
    },
  };
}

const advanceTokens: Advance = (s, call, [first, length], h, S, y) => {
  const { H, K, V } = call.dims;
  const read = new Float64Array(V);
  const sum = new Float64Array(V);
  for (let p = first; p < first + length; p++) {
    const token = p * H + h;
    stepState(s, S, read, K, V, token * K, token * V);
    sum.fill(0);
    for (let i = 0; i < K; i++) for (let j = 0; j < V; j++) sum[j] += s.q[token * K + i] * S[i * V + j];
    const to = y(token);
    for (let j = 0; j < V; j++) to[j] = s.scale * sum[j];
  }
};

/** Token by token. */
export const recurrentCpu: Implementation = chunksCpu(advanceTokens, spanBackward);
