/** Typed calls of the scalar-decay kernels: tiles of value columns, stored states, sums over heads of a group. */
import { SCRATCH_BYTES, wasmKernels } from './module.js';
import { withTemporary } from './temporary.js';
import { parallelFor } from './threads.js';

type Optional = number | undefined;

/** Sizes of a scalar-decay recurrence; packed when `cu` is the address of i32 [S + 1], then B = 1. */
export interface DecayDims {
  B: number;
  T: number;
  G: number;
  H: number;
  K: number;
  V: number;
  scale: number;
  cu?: Optional;
  S?: number;
  /** The decay is [H] instead of [B, T, H]. */
  fixed?: boolean;
}

/** Addresses of the inputs. q, k [B,T,G,K]; v [B,T,H,V]; decay [B,T,H], [H] or absent. */
export interface DecayInputs {
  q: number;
  k: number;
  v: number;
  decay?: Optional;
}

/** Tokens of a chunk: as CHUNK of assembly/scalar-decay-common. */
const CHUNK = 64;
/** Value columns of a unit: wide enough to share scores, narrow enough for the cache. */
const WIDEST = 128;
const WIDTHS = [WIDEST, 64, 32, 16, 8];

const up8 = (n: number) => Math.ceil(n / 8) * 8;

/** Value columns of a unit, a multiple of 8, or undefined where K is too large for a thread's scratch memory. */
export function decayWidth({ K, V }: { K: number; V: number }): number | undefined {
  const kernels = wasmKernels();
  const fits = (wide: number) =>
    Math.max(kernels.scalarDecayBackwardBytes(K, wide), kernels.scalarDecayChunkBytes(K, wide)) <=
    SCRATCH_BYTES;
  const most = WIDTHS.find((wide) => fits(Math.min(wide, up8(V))));
  return most && up8(Math.ceil(V / Math.ceil(V / most)));
}

interface Plan {
  wide: number;
  tiles: number;
  units: number;
  grain: number;
  sequences: number;
}

function planOf(dims: DecayDims): Plan {
  const { B, T, H, K, V, S = B } = dims;
  const wide = decayWidth(dims) ?? up8(V);
  const tiles = Math.ceil(V / wide);
  const work = ((B * T) / Math.max(1, S)) * K * Math.min(wide, V);
  return {
    wide,
    tiles,
    units: S * H * tiles,
    grain: Math.max(1, Math.ceil(65536 / (work + 1))),
    sequences: S,
  };
}

/** Floats of the states that a forward pass keeps for the backward pass. */
export function decayKeptFloats(dims: DecayDims): number {
  const { B, T, H, K, V, cu } = dims;
  const { wide, tiles, sequences } = planOf(dims);
  const slots = cu ? Math.floor((B * T) / CHUNK) + sequences : sequences * Math.ceil(T / CHUNK);
  return slots * H * tiles * up8(K) * Math.min(wide, up8(V));
}

function restOf(dims: DecayDims, wide: number): number[] {
  const { T, G, H, K, V, cu = 0, scale, fixed } = dims;
  return [T, G, H, K, V, cu, scale, Number(fixed ?? false), wide];
}

/** y [B,T,H,V] and final [S,H,K,V]; kept (`decayKeptFloats`) is needed for the backward pass. */
export function scalarDecay(
  kernel: 'scalarDecayChunk' | 'scalarDecayRecurrent',
  dims: DecayDims,
  at: DecayInputs & { initial?: Optional; y: number; final: number; kept?: Optional },
): void {
  const { wide, units, grain } = planOf(dims);
  const { q, k, v, decay = 0, initial = 0, y, final, kept = 0 } = at;
  parallelFor(kernel, units, grain, q, k, v, decay, initial, y, final, kept, ...restOf(dims, wide));
}

/** Addresses of the backward pass: dg and dinitial are written where given; an absent dfinal is zero. */
export interface DecayBackward extends DecayInputs {
  kept: number;
  dy: number;
  dfinal?: Optional;
  dq: number;
  dk: number;
  dv: number;
  dg?: Optional;
  dinitial?: Optional;
}

/** Gradients of all inputs of `scalarDecay` from dy and the gradient of the final state. */
export function scalarDecayBackward(dims: DecayDims, at: DecayBackward): void {
  const { B, T, G, H, K, fixed = false } = dims;
  const { wide, tiles, units, grain } = planOf(dims);
  const parts = (H / G) * tiles;
  const keys = parts > 1 ? 4 * B * T * G * parts * K : 0;
  const gates = at.dg && (tiles > 1 || fixed) ? 4 * B * T * H * tiles : 0;
  const rows = at.dg && tiles > 1 && fixed ? 4 * B * T * H : 0;
  withTemporary([keys, keys, gates, rows], (dqParts, dkParts, dgParts, dgRows) => {
    const [dq, dk, dg] = [dqParts || at.dq, dkParts || at.dk, dgParts || (at.dg ?? 0)];
    const inputs = [at.q, at.k, at.v, at.decay ?? 0, at.kept, at.dy, at.dfinal ?? 0];
    const outputs = [dq, dk, at.dv, dg, at.dinitial ?? 0];
    parallelFor('scalarDecayBackward', units, grain, ...inputs, ...outputs, ...restOf(dims, wide));
    if (keys) {
      parallelFor('sumMiddle', B * T * G * K, 16384, dq, at.dq, parts, K);
      parallelFor('sumMiddle', B * T * G * K, 16384, dk, at.dk, parts, K);
    }
    // A fixed decay of no tokens still has a gradient to write: zeros.
    if (!gates && !(fixed && at.dg)) return;
    const perToken = dgRows || (fixed ? dg : at.dg!);
    if (tiles > 1) parallelFor('sumRows', B * T * H, 4096, dg, perToken, tiles);
    if (fixed) parallelFor('sumColumns', H, 16, perToken, at.dg!, B * T, H);
  });
}
