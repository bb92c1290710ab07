/** Typed calls of the delta rule's kernels: what is kept for the backward pass, and heads that share keys. */
import { withTemporary } from './temporary.js';
import { parallelFor } from './threads.js';

type Optional = number | undefined;

/** Sizes; packed when `cu` is the address of i32 [S + 1], then B = 1. Value head h reads key head floor(h G / H). */
export interface DeltaDims {
  B: number;
  T: number;
  G: number;
  H: number;
  K: number;
  V: number;
  scale: number;
  cu?: Optional;
  S?: number;
}

/** Addresses: q, k [B,T,G,K]; v [B,T,H,V]; beta, decay [B,T,H]; initial [S,H,K,V]. */
export interface DeltaInputs {
  q: number;
  k: number;
  v: number;
  beta: number;
  decay?: Optional;
  initial?: Optional;
}

/** What the forward pass keeps where it is given: the state before each chunk, and the errors v - S'^T k. */
export interface DeltaKept {
  states?: Optional;
  errors?: Optional;
}

/** Largest K and V the kernels' scratch memory holds. */
export const DELTA_WIDEST = 256;

/** Tokens of a chunk, as in assembly/delta-common.ts. */
const CHUNK = 32;
const padded = (n: number) => 8 * Math.ceil(n / 8);

/** f32 elements of `states` and `errors`. */
export function deltaKeptFloats(dims: DeltaDims): { states: number; errors: number } {
  const { T, H, K, V, cu, S = dims.B } = dims;
  const chunks = cu ? Math.floor(T / CHUNK) + S : S * Math.ceil(T / CHUNK);
  return { states: chunks * H * padded(K) * padded(V), errors: chunks * H * CHUNK * padded(V) };
}

/** Threads pay off from about 65,000 updates of a state's elements. */
function grainOf({ B, T, H, K, V }: DeltaDims, units: number): number {
  return B * T * H * K * V < 1 << 16 ? units : 1;
}

/** y [B,T,H,V] and final [S,H,K,V], token by token or by chunks. */
export function deltaRule(
  form: 'recurrent' | 'chunk',
  dims: DeltaDims,
  at: DeltaInputs & DeltaKept & { y: number; final: number },
): void {
  const { B, T, G, H, K, V, scale, cu = 0, S = B } = dims;
  const kernel = form === 'chunk' ? 'deltaRuleChunk' : 'deltaRuleRecurrent';
  const inputs = [at.q, at.k, at.v, at.beta, at.decay ?? 0, at.initial ?? 0];
  const outputs = [at.y, at.final, at.states ?? 0, at.errors ?? 0];
  parallelFor(kernel, S * H, grainOf(dims, S * H), ...inputs, ...outputs, T, G, H, K, V, cu, scale);
}

/** Gradients of all inputs from what either form kept; those of decay and of the first states where given. */
export function deltaRuleBackward(
  dims: DeltaDims,
  at: Omit<DeltaInputs, 'v' | 'initial'> & { states: number; errors: number } & {
    dy?: Optional;
    dFinal?: Optional;
    dq: number;
    dk: number;
    dv: number;
    dBeta: number;
    dDecay?: Optional;
    dInitial?: Optional;
  },
): void {
  const { B, T, G, H, K, V, scale, cu = 0, S = B } = dims;
  const shared = H / G;
  const bytes = shared > 1 ? 4 * B * T * H * K : 0;
  withTemporary([bytes, bytes], (dqHeads, dkHeads) => {
    const [dq, dk] = shared > 1 ? [dqHeads, dkHeads] : [at.dq, at.dk];
    const inputs = [at.q, at.k, at.beta, at.decay ?? 0, at.states, at.errors, at.dy ?? 0, at.dFinal ?? 0];
    const outputs = [dq, dk, at.dv, at.dBeta, at.dDecay ?? 0, at.dInitial ?? 0];
    const units = S * H;
    const rest = [T, G, H, K, V, cu, scale];
    parallelFor('deltaRuleBackward', units, grainOf(dims, units), ...inputs, ...outputs, ...rest);
    if (shared === 1) return;
    parallelFor('sumMiddle', B * T * G * K, 16384, dq, at.dq, shared, K);
    parallelFor('sumMiddle', B * T * G * K, 16384, dk, at.dk, shared, K);
  });
}
