/** Typed calls of the long convolution: transforms of eight channels a unit, in waves that share temporary memory. */
import { withTemporary } from './temporary.js';
import { parallelFor } from './threads.js';

/** Sizes of a call; `bits` is log2 of the points of a transform, at least W - 1 + T. */
export interface LongConvolutionDims {
  B: number;
  T: number;
  D: number;
  W: number;
  bits: number;
}

const POINT = 32;
const CHANNELS = 8;
/** Temporary memory of a wave, unless one unit needs more. */
const BUDGET = 64 << 20;

/** Runs a kernel over all blocks of channels; `transforms` of N points each belong to a unit. */
function waves(
  dims: LongConvolutionDims,
  transforms: number,
  run: (units: number, work: number, first: number) => void,
): void {
  const bytes = transforms * POINT * 2 ** dims.bits;
  const total = Math.ceil(dims.D / CHANNELS);
  const wave = Math.max(1, Math.min(total, Math.floor(BUDGET / bytes)));
  withTemporary([wave * bytes], (work) => {
    for (let first = 0; first < total; first += wave) run(Math.min(wave, total - first), work, first);
  });
}

/** y [B,T,D] of inputs u, filter [W,D] and past inputs [B,W-1,D] (0: none). `twiddles` f32 [N][2]. */
export function longConvolution(
  dims: LongConvolutionDims,
  at: { u: number; past: number; filter: number; y: number; twiddles: number },
): void {
  const { B, T, D, W, bits } = dims;
  waves(dims, 2, (units, work, first) => {
    const inputs = [at.u, at.past, at.filter, at.y, at.twiddles, work, first];
    parallelFor('longConvolution', units, 1, ...inputs, B, T, D, W, bits);
  });
}

/** Gradients du [B,T,D], dpast [B,W-1,D] (0: not wanted) and dfilter [W,D] from dy. */
export function longConvolutionBackward(
  dims: LongConvolutionDims,
  at: {
    u: number;
    past: number;
    filter: number;
    dy: number;
    du: number;
    dpast: number;
    dfilter: number;
    twiddles: number;
  },
): void {
  const { B, T, D, W, bits } = dims;
  waves(dims, 4, (units, work, first) => {
    const inputs = [at.u, at.past, at.filter, at.dy, at.du, at.dpast, at.dfilter, at.twiddles, work, first];
    parallelFor('longConvolutionBackward', units, 1, ...inputs, B, T, D, W, bits);
  });
}
