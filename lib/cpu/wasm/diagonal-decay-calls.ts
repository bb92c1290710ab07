/** Typed calls of linear attention with diagonal decay: units, kept states, sums over sequences. */
import { SCRATCH_BYTES, wasmKernels } from './module.js';
import { withTemporary } from './temporary.js';
import { parallelFor } from './threads.js';

type Optional = number | undefined;

/** Sizes; packed when `cu` is the address of i32 [S + 1], then B = 1. */
export interface DiagonalDecayDims {
  B: number;
  T: number;
  H: number;
  K: number;
  V: number;
  S: number;
  cu: number;
  /** The decay is [B, T, H, K], not [H, K]. */
  varies: boolean;
  scale: number;
}

/** Addresses of the inputs: q, k [B,T,H,K], v [B,T,H,V], decay, bonus [H,K]; 0 where absent. */
export interface DiagonalDecayInputs {
  q: number;
  k: number;
  v: number;
  decay: number;
  bonus: number;
}

export interface DiagonalDecayBackward extends DiagonalDecayInputs {
  kept: number;
  dy: number;
  dfinal: Optional;
  dq: number;
  dk: number;
  dv: number;
  /** [B,T,H,K], or [H,K] where the decay is fixed. */
  ddecay: number;
  dbonus: Optional;
  /** Holds the adjoint of the state on the way: [S,H,K,V]. */
  dh0: number;
}

/** Tokens of a block, and between kept states; lanes of K that the blocked kernels' scratch memory holds. */
const BLOCK = 16;
const CHUNK = 64;
const WIDEST = 512;

/** Do the kernels in blocks of 16 tokens take these sizes? */
export function diagonalDecayFits(dims: { K: number }): boolean {
  return dims.K <= WIDEST;
}

/** Do the passes token by token take these sizes? The forward one holds the decays of a token, K numbers. */
export function diagonalDecayRecurrentFits(dims: { K: number; V: number }): boolean {
  return dims.K <= SCRATCH_BYTES / 4 && wasmKernels().diagonalDecayWidth(dims.K, dims.V) > 0;
}

/** f32 elements of `kept`: the state before every 64 tokens of every sequence. */
export function diagonalDecayKeptFloats({ B, T, H, K, V, S }: DiagonalDecayDims): number {
  return (Math.floor((B * T) / CHUNK) + S + 1) * H * K * V;
}

/** f32 elements of `scores`: 16 a token and head. */
export function diagonalDecayScoreFloats({ B, T, H }: DiagonalDecayDims): number {
  return B * T * H * BLOCK;
}

/** Threads pay off from about 65,000 operations a unit on; a unit is one head of one sequence. */
function grainOf({ B, T, H, K, V, S }: DiagonalDecayDims): number {
  const work = (5 * B * T * H * K * V) / Math.max(1, S * H);
  return Math.max(1, Math.ceil(65536 / (work + 1)));
}

/** y [B,T,H,V] and final [S,H,K,V]; `kept`, and with `scores` the form in blocks, serve the backward pass. */
export function diagonalDecay(
  dims: DiagonalDecayDims,
  at: DiagonalDecayInputs & { h0: Optional; y: number; final: number; kept: Optional; scores: Optional },
  blocked: boolean,
): void {
  const { T, H, K, V, S, cu, varies, scale } = dims;
  const { q, k, v, decay, bonus, h0 = 0, y, final, kept = 0, scores = 0 } = at;
  const inputs = [q, k, v, decay, bonus, h0, y, final, kept];
  const sizes = [T, H, K, V, cu, varies ? H * K : 0, scale];
  if (blocked) parallelFor('diagonalDecay', S * H, grainOf(dims), ...inputs, scores, ...sizes);
  else parallelFor('diagonalDecayRecurrent', S * H, grainOf(dims), ...inputs, ...sizes);
}

/** Gradients of every input from kept states; in blocks where `scores` were saved. */
export function diagonalDecayBackward(
  dims: DiagonalDecayDims,
  at: DiagonalDecayBackward & { scores: Optional },
): void {
  const { T, H, K, V, S, cu, varies, scale } = dims;
  const { q, k, v, decay, bonus, kept, scores, dy, dfinal = 0, dq, dk, dv, ddecay, dbonus = 0, dh0 } = at;
  const perSequence = 4 * S * H * K;
  const states = scores ? 4 * 3 * S * H * K * V : 0;
  withTemporary([varies ? 0 : perSequence, dbonus ? perSequence : 0, states], (dg, du, work) => {
    const gradients = [dq, dk, dv, varies ? ddecay : dg, du, dh0];
    const sizes = [T, H, K, V, cu, Number(varies), scale];
    const inputs = [q, k, v, decay, bonus, kept];
    const rest = [dy, dfinal, ...gradients];
    const grain = grainOf(dims);
    if (scores)
      parallelFor('diagonalDecayBackward', S * H, grain, ...inputs, scores, ...rest, work, ...sizes);
    else parallelFor('diagonalDecayRecurrentBackward', S * H, grain, ...inputs, ...rest, ...sizes);
    if (!varies) parallelFor('sumColumns', H * K, 4096, dg, ddecay, S, H * K);
    if (dbonus) parallelFor('sumColumns', H * K, 4096, du, dbonus, S, H * K);
  });
}
