/** Typed calls of the kernels of the diagonal-plus-low-rank recurrence: units and kept states. */
import { wasmKernels } from './module.js';
import { parallelFor } from './threads.js';

type Optional = number | undefined;

/** Sizes of a call; packed when `cu` is the address of i32 [S + 1], then B = 1. */
export interface DplrDims {
  B: number;
  T: number;
  H: number;
  K: number;
  V: number;
  S: number;
  cu: Optional;
  scale: number;
}

/** Addresses of the inputs; h0 may be absent. */
export interface DplrInputs {
  q: number;
  k: number;
  v: number;
  a: number;
  b: number;
  decay: number;
}

/** Most keys the kernels' scratch memory holds. */
export const DPLR_MAX_KEYS = 256;

export type DplrForm = 'recurrent' | 'chunk';

/** Tokens between kept states, as in assembly/dplr-common.ts. */
const KEPT = 64;
/** State elements times tokens below which threads do not pay. */
const SMALL = 1 << 17;

/** Rows of kept states [., H, K, V]: one every 64 tokens of every sequence. */
export function dplrKeptRows({ B, T, S }: DplrDims): number {
  return Math.floor((B * T) / KEPT) + S + 1;
}

const grainOf = ({ B, T, H, K, V }: DplrDims, units: number) => (B * T * H * K * V < SMALL ? units : 1);

/** y and the final state; `kept` is needed for the backward pass. */
export function dplr(
  form: DplrForm,
  dims: DplrDims,
  at: DplrInputs & { h0: Optional; y: number; final: number; kept: Optional },
): void {
  const { T, H, K, V, S, cu = 0, scale } = dims;
  const units = wasmKernels().dplrUnits(S, H, V);
  const kernel = form === 'chunk' ? 'dplrChunk' : 'dplrRecurrent';
  const inputs = [at.q, at.k, at.v, at.a, at.b, at.decay, at.h0 ?? 0];
  const rest = [at.y, at.final, at.kept ?? 0, T, H, K, V, scale, cu];
  parallelFor(kernel, units, grainOf(dims, units), ...inputs, ...rest);
}

/** Gradients of all inputs; those of the outputs and of h0 may be absent. */
export function dplrBackward(
  form: DplrForm,
  dims: DplrDims,
  at: DplrInputs & { kept: number; dy: Optional; dfinal: Optional; dh0: Optional },
  to: DplrInputs,
): void {
  const { T, H, K, V, S, cu = 0, scale } = dims;
  const kernel = form === 'chunk' ? 'dplrBackward' : 'dplrRecurrentBackward';
  const inputs = [at.q, at.k, at.v, at.a, at.b, at.decay, at.kept, at.dy ?? 0, at.dfinal ?? 0];
  const outputs = [to.q, to.k, to.v, to.a, to.b, to.decay, at.dh0 ?? 0];
  parallelFor(kernel, S * H, grainOf(dims, S * H), ...inputs, ...outputs, T, H, K, V, scale, cu);
}
