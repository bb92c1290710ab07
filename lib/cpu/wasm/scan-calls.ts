/** Typed calls of the selective scan's kernels: units, checkpoints and the partial sums of the backward pass. */
import { hostMemory } from '../../tensor/host-memory.js';
import { wasmKernels } from './module.js';
import { withTemporary } from './temporary.js';
import { timeParts, type Parts } from './time-parts.js';
import { parallelFor, threads } from './threads.js';

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

/** Time is split into parts that run at once: `chunk` adds the steps of a part, `scan` multiplies its decays. */
export type ScanSplit = 'chunk' | 'scan';

export interface ScanOptions {
  softplus: boolean;
  /** Absent: every sequence is one part. */
  split?: ScanSplit;
}

/**
 * Steps of a part, a multiple of the distance of stored states. A constant, so that a sequence has the same parts,
 * and hence the same bits, wherever and beside whatever it runs.
 */
export const SCAN_PART: Readonly<Record<ScanSplit, number>> = { chunk: 256, scan: 64 };

/** Steps between stored states and channels of a unit, as in assembly/scan-common.ts. */
const CHUNK = 16;
const WIDTH = 64;
/** Channels of a unit of the forward pass where wide ones would leave threads idle; its bits do not depend on it. */
const NARROW = 16;

/** f32 elements of `checkpoints`: one state of all channels (in quads) every 16 steps of every sequence. */
export function scanCheckpointFloats(dims: ScanDims): number {
  const { B, T, D, N, G, S = B } = dims;
  const quads = G * Math.ceil(D / G / 4);
  return (Math.floor((B * T) / CHUNK) + S + 1) * quads * N * 4;
}

const FLAG = { softplus: 1, fixedB: 2, fixedC: 4, product: 8, reverse: 16 } as const;

function flagsOf(dims: ScanDims, { softplus, split }: ScanOptions): number {
  return (
    (softplus ? FLAG.softplus : 0) |
    (dims.invariantB ? FLAG.fixedB : 0) |
    (dims.invariantC ? FLAG.fixedC : 0) |
    (split === 'scan' ? FLAG.product : 0)
  );
}

/** Threads pay off from about a quarter of a million state updates a unit set. */
function grainOf(dims: ScanDims, units: number): number {
  const updates = dims.B * dims.T * dims.D * dims.N;
  return updates < 1 << 17 ? units : 1;
}

const partsOf = (dims: ScanDims, split: ScanSplit | undefined) => split && timeParts(dims, SCAN_PART[split]);

/** Inputs of a reduction in one direction: u, B and the initial state, or dy, C and the gradient of the final one. */
interface Direction {
  x: number;
  V: number;
  z: Optional;
  edge: Optional;
  reverse: boolean;
}

/** Runs `use` with the address of the table of parts and of the state (or adjoint) that enters each part. */
function withParts(
  dims: ScanDims,
  parts: Parts,
  at: ScanInputs,
  options: ScanOptions,
  direction: Direction,
  use: (table: number, entering: number) => void,
): void {
  const { B, T, D, N, G, cu = 0, S = B } = dims;
  const { count, words } = parts;
  const { x, V, z = 0, edge = 0, reverse } = direction;
  const states = 4 * count * D * N;
  const decays = options.split === 'scan' ? states : 4 * count * D;
  withTemporary([4 * words.length, states], (table, entering) => {
    hostMemory.i32(table, words.length).set(words);
    withTemporary([decays], (made) => {
      const flags = flagsOf(dims, options) | (reverse ? FLAG.reverse : 0);
      const units = wasmKernels().scanUnits(count, D, G);
      const reduced = [x, at.delta, at.A, V, z, at.bias ?? 0, entering, made, T, D, N, G, cu, flags, table];
      parallelFor('selectiveScanReduce', units, grainOf(dims, units), ...reduced);
      const carried = [edge, at.A, entering, made, D, N, table + 12 * count, flags];
      parallelFor('selectiveScanCarry', S * D, Math.ceil(65536 / (N * Math.ceil(count / S))), ...carried);
    });
    use(table, entering);
  });
}

/**
 * y [B, T, D], final [S, D, N] of h_t = e^(d_t A) h_{t-1} + d_t u_t B_t, y_t = (C_t h_t + D u_t) silu(z_t),
 * d_t = softplus(delta_t + bias) (or without softplus). checkpoints are needed for the backward pass.
 */
export function selectiveScan(
  dims: ScanDims,
  at: ScanInputs & { y: number; final?: Optional; checkpoints?: Optional },
  options: ScanOptions,
): void {
  const { B, T, D, N, G, cu = 0, S = B } = dims;
  const parts = partsOf(dims, options.split);
  const run = (table: number, entering: number) => {
    const unitsOf = (wide: number) => (parts?.count ?? S) * G * Math.ceil(D / G / wide);
    const wide = unitsOf(WIDTH) < 2 * threads() ? NARROW : WIDTH;
    const units = unitsOf(wide);
    const inputs = [at.u, at.delta, at.A, at.B, at.C, at.D ?? 0, at.z ?? 0, at.bias ?? 0, entering];
    const outputs = [at.y, at.final ?? 0, at.checkpoints ?? 0];
    const rest = [T, D, N, G, cu, flagsOf(dims, options), table, wide];
    parallelFor('selectiveScan', units, grainOf(dims, units), ...inputs, ...outputs, ...rest);
  };
  const direction = { x: at.u, V: at.B, z: 0, edge: at.h0, reverse: false };
  if (parts) withParts(dims, parts, at, options, direction, run);
  else run(0, at.h0 ?? 0);
}

/** Where the backward pass writes: a result itself when it has one partial, else temporary memory summed after. */
interface Target {
  parts: number;
  elements: number;
  to: number;
}

/** Addresses of the backward pass: gradients are written where an address is given. */
export interface ScanBackward extends ScanInputs {
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
}

/** Sums that several units add to: dA, dB, dC, dD, dbias. One partial a part of time, or a block of channels. */
function targetsOf(dims: ScanDims, at: ScanBackward, parts: number): Target[] {
  const { B, T, D, N, G } = dims;
  const blocks = Math.ceil(D / G / WIDTH);
  const varying = (to: number): Target => ({ parts: blocks, elements: B * T * G * N, to });
  const fixed = (to: Optional, elements: number): Target => ({ parts, elements, to: to ?? 0 });
  return [
    fixed(at.dA, D * N),
    dims.invariantB ? fixed(at.dB, D * N) : varying(at.dB),
    dims.invariantC ? fixed(at.dC, D * N) : varying(at.dC),
    fixed(at.dD, D),
    fixed(at.dbias, D),
  ];
}

/** Gradients of all inputs of `selectiveScan` from dy and the gradient of the final state. */
export function selectiveScanBackward(dims: ScanDims, at: ScanBackward, options: ScanOptions): void {
  const parts = partsOf(dims, options.split);
  const run = (table: number, entering: number) =>
    backwardOfParts(dims, at, options, parts?.count ?? dims.S ?? dims.B, table, entering);
  const direction = { x: at.dy, V: at.C, z: at.z, edge: at.dfinal, reverse: true };
  if (parts) withParts(dims, parts, at, options, direction, run);
  else run(0, at.dfinal ?? 0);
}

function backwardOfParts(
  dims: ScanDims,
  at: ScanBackward,
  options: ScanOptions,
  parts: number,
  table: number,
  entering: number,
): void {
  const { B, T, D, N, G, cu = 0 } = dims;
  const targets = targetsOf(dims, at, parts);
  const partial = (target: Target) => target.to !== 0 && target.parts !== 1;
  const sizes = targets.map((target) => (partial(target) ? 4 * target.parts * target.elements : 0));
  withTemporary(sizes, (...temporary) => {
    const [dA, dB, dC, dD, dbias] = targets.map((target, i) => (partial(target) ? temporary[i] : target.to));
    const units = wasmKernels().scanUnits(parts, D, G);
    const inputs = [at.u, at.delta, at.A, at.B, at.C, at.D ?? 0, at.z ?? 0, at.bias ?? 0, at.checkpoints];
    const outputs = [at.du, at.ddelta, dA, dB, dC, dD, at.dz ?? 0, dbias, at.dh0 ?? 0];
    const rest = [T, D, N, G, cu, flagsOf(dims, options), B * T, table];
    const grain = grainOf(dims, units);
    parallelFor('selectiveScanBackward', units, grain, ...inputs, at.dy, entering, ...outputs, ...rest);
    targets.forEach(({ parts: count, elements, to }, i) => {
      if (partial(targets[i])) parallelFor('sumColumns', elements, 4096, temporary[i], to, count, elements);
    });
  });
}
