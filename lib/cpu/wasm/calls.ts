/**
 * Typed calls of the kernels that need a division into units, several passes or temporary memory. Addresses are
 * bytes in host memory; an absent one is 0 or left out. Nothing is checked here: the operators' records do that.
 */
import { wasmKernels } from './module.js';
import { withTemporary } from './temporary.js';
import { parallelFor } from './threads.js';

/** Address of an optional array. */
type Optional = number | undefined;

const REDUCE_BLOCK = 4096;

function reduceBy(kernel: 'sumPartials' | 'squaredNormPartials', x: number, n: number): number {
  const count = Math.ceil(n / REDUCE_BLOCK);
  if (count === 0) return 0;
  return withTemporary([8 * count], (partials) => {
    parallelFor(kernel, count, 16, x, n, partials);
    return wasmKernels().sumFinish(partials, count);
  });
}

/** Sum of n f32 values, as f64: blocks of 4096 in f32 lanes, block sums in f64. */
export function sum(x: number, n: number): number {
  return reduceBy('sumPartials', x, n);
}

/** Sum of squares of n f32 values, as f64, in the same order as `sum`. */
export function squaredNorm(x: number, n: number): number {
  return reduceBy('squaredNormPartials', x, n);
}

/** A batched matrix product; strides in elements. `mode` gives the strides of a contiguous nn, nt or tn product. */
export interface GemmCall {
  m: number;
  n: number;
  k: number;
  a: number;
  b: number;
  c: number;
  bias?: Optional;
  batch?: number;
  /** 1 adds to C. */
  beta?: number;
  mode?: 'nn' | 'nt' | 'tn';
  aRow?: number;
  aCol?: number;
  bRow?: number;
  bCol?: number;
  cRow?: number;
  /** Batch strides; 0 shares one operand. Default: contiguous. */
  strideA?: number;
  strideB?: number;
  strideC?: number;
}

/** C = A B (+ bias) (+ C). A [m, k], B [k, n], C [m, n], bias [n]. */
export function gemm(call: GemmCall): void {
  const { m, n, k, a, b, c, bias = 0, batch = 1, beta = 0, mode = 'nn' } = call;
  const { aRow = mode === 'tn' ? 1 : k, aCol = mode === 'tn' ? m : 1 } = call;
  const { bRow = mode === 'nt' ? 1 : n, bCol = mode === 'nt' ? k : 1, cRow = n } = call;
  const { strideA = m * k, strideB = k * n, strideC = m * n } = call;
  const tiles = wasmKernels().gemmTiles(batch, m, n);
  const work = m * n * k * batch;
  const grain = work < 1 << 17 ? tiles : Math.max(1, Math.ceil(tiles / 16));
  parallelFor(
    ...(['gemm', tiles, grain] as const),
    ...[a, aRow, aCol, strideA, b, bRow, bCol, strideB, c, cRow, strideC, bias, m, n, k, beta],
  );
}

/** Sizes of a causal depthwise convolution; packed when `cu` is the address of i32 [S + 1]. */
export interface ConvDims {
  B: number;
  T: number;
  D: number;
  W: number;
  cu?: Optional;
  S?: number;
}

const CONV_ROWS = 64;

/** y = causal depthwise convolution of x (+ SiLU); final = the last W - 1 inputs. */
export function conv1d(
  dims: ConvDims,
  at: { x: number; w: number; y: number; bias?: Optional; state?: Optional; final?: Optional },
  silu: boolean,
): void {
  const { B, T, D, W, cu = 0, S = B } = dims;
  const { x, w, y, bias = 0, state = 0, final = 0 } = at;
  parallelFor('conv1d', B * T, CONV_ROWS, x, w, bias, state, y, T, D, W, cu, S, Number(silu));
  if (final && W > 1) parallelFor('conv1dFinal', S * D, 4096, x, state, final, T, D, W, cu);
}

/** Gradients of `conv1d`; dw, dx are always written, the others where an address is given. */
export function conv1dBackward(
  dims: ConvDims,
  at: {
    x: number;
    w: number;
    dy: number;
    dx: number;
    dw: number;
    bias?: Optional;
    state?: Optional;
    dfinal?: Optional;
    dbias?: Optional;
    dstate?: Optional;
  },
  silu: boolean,
): void {
  const { B, T, D, W, cu = 0, S = B } = dims;
  const { x, w, dy, dx, dw, bias = 0, state = 0, dfinal = 0, dbias = 0, dstate = 0 } = at;
  withTemporary([silu ? 4 * B * T * D : 0], (gated) => {
    const dp = silu ? gated : dy;
    if (silu) parallelFor('conv1dGate', B * T, CONV_ROWS, x, w, bias, state, dy, dp, T, D, W, cu, S);
    parallelFor('conv1dBackwardInput', B * T, CONV_ROWS, dp, w, dfinal, dx, T, D, W, cu, S);
    parallelFor('conv1dBackwardWeight', D, 16, x, state, dp, dw, dbias, T, D, W, cu, S);
    if (dstate && W > 1) parallelFor('conv1dBackwardState', S * D, 4096, dp, w, dfinal, dstate, T, D, W, cu);
  });
}

export * from './attention-calls.js';
export * from './scan-calls.js';
