/** Typed calls of the selective scan's kernels: units, checkpoints and the partial sums of the backward pass. */
import { wasmKernels } from './module.js';
import { withTemporary } from './temporary.js';
import { parallelFor } from './threads.js';

type Optional = number | undefined;

/** Sizes of a selective scan; packed when `cu` is the address of i32 [S + 1], then B = 1. */
export interface ScanDims {
  B: number;
  T: number;
  D: number;
  N: number;
  G: number;
  cu?: Optional;
  S?: number;
  /** B is [D, N] for all steps instead of [B, T, G, N]. */
  invariantB?: boolean;
  invariantC?: boolean;
}

/** Addresses of the inputs. A [D, N]; h0 [S, D, N]; D, bias [D]; the others per step. */
export interface ScanInputs {
  u: number;
  delta: number;
  A: number;
  B: number;
  C: number;
  D?: Optional;
  z?: Optional;
  bias?: Optional;
  h0?: Optional;
}

/** Largest N the kernels' scratch memory holds. */
export const SCAN_MAX_STATES = 256;

/** Steps between stored states and channels of a unit, as in assembly/scan-common.ts. */
const CHUNK = 16;
const WIDTH = 64;

/** f32 elements of `checkpoints`: one state of all channels (in quads) every 16 steps of every sequence. */
export function scanCheckpointFloats(dims: ScanDims): number {
  const { B, T, D, N, G, S = B } = dims;
  const quads = G * Math.ceil(D / G / 4);
  return (Math.floor((B * T) / CHUNK) + S + 1) * quads * N * 4;
}

function flagsOf(dims: ScanDims, softplus: boolean): number {
  return (softplus ? 1 : 0) | (dims.invariantB ? 2 : 0) | (dims.invariantC ? 4 : 0);
}

/** Threads pay off from about a quarter of a million state updates a unit set. */
function grainOf(dims: ScanDims, units: number): number {
  const updates = dims.B * dims.T * dims.D * dims.N;
  return updates < 1 << 17 ? units : 1;
}

/**
 * y [B, T, D], final [S, D, N] of h_t = e^(d_t A) h_{t-1} + d_t u_t B_t, y_t = (C_t h_t + D u_t) silu(z_t),
 * d_t = softplus(delta_t + bias) (or without softplus). checkpoints are needed for the backward pass.
 */
export function selectiveScan(
  dims: ScanDims,
  at: ScanInputs & { y: number; final?: Optional; checkpoints?: Optional },
  options: { softplus: boolean },
): void {
  const { B, T, D, N, G, cu = 0, S = B } = dims;
  const units = wasmKernels().scanUnits(S, D, G);
  const inputs = [at.u, at.delta, at.A, at.B, at.C, at.D ?? 0, at.z ?? 0, at.bias ?? 0, at.h0 ?? 0];
  const outputs = [at.y, at.final ?? 0, at.checkpoints ?? 0];
  const rest = [T, D, N, G, cu, flagsOf(dims, options.softplus)];
  parallelFor('selectiveScan', units, grainOf(dims, units), ...inputs, ...outputs, ...rest);
}

/** Where the backward pass writes: a result itself when it has one partial, else temporary memory summed after. */
interface Target {
  parts: number;
  elements: number;
  to: number;
}

/** Gradients of all inputs of `selectiveScan` from dy and the gradient of the final state. */
export function selectiveScanBackward(
  dims: ScanDims,
  at: ScanInputs & {
    checkpoints: number;
    dy: number;
    dfinal?: Optional;
    du: number;
    ddelta: number;
    dA: number;
    dB: number;
    dC: number;
    dD?: Optional;
    dz?: Optional;
    dbias?: Optional;
    dh0?: Optional;
  },
  options: { softplus: boolean },
): void {
  const { B, T, D, N, G, cu = 0, S = B } = dims;
  const rows = B * T;
  const blocks = Math.ceil(D / G / WIDTH);
  const varying = (to: number): Target => ({ parts: blocks, elements: rows * G * N, to });
  const fixed = (to: Optional, elements: number): Target => ({ parts: S, elements, to: to ?? 0 });
  const targets = [
    fixed(at.dA, D * N),
    dims.invariantB ? fixed(at.dB, D * N) : varying(at.dB),
    dims.invariantC ? fixed(at.dC, D * N) : varying(at.dC),
    fixed(at.dD, D),
    fixed(at.dbias, D),
  ];
  const partial = (target: Target) => target.to !== 0 && target.parts !== 1;
  const sizes = targets.map((target) => (partial(target) ? 4 * target.parts * target.elements : 0));
  withTemporary(sizes, (...temporary) => {
    const [dA, dB, dC, dD, dbias] = targets.map((target, i) => (partial(target) ? temporary[i] : target.to));
    const units = wasmKernels().scanUnits(S, D, G);
    const inputs = [at.u, at.delta, at.A, at.B, at.C, at.D ?? 0, at.z ?? 0, at.bias ?? 0, at.checkpoints];
    const outputs = [at.du, at.ddelta, dA, dB, dC, dD, at.dz ?? 0, dbias, at.dh0 ?? 0];
    const rest = [T, D, N, G, cu, flagsOf(dims, options.softplus), rows];
    const grain = grainOf(dims, units);
    parallelFor('selectiveScanBackward', units, grain, ...inputs, at.dy, at.dfinal ?? 0, ...outputs, ...rest);
    targets.forEach((target, i) => {
      if (!partial(target)) return;
      parallelFor(
        'sumColumns',
        target.elements,
        4096,
        temporary[i],
        target.to,
        target.parts,
        target.elements,
      );
    });
  });
}
