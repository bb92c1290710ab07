/** Discrete Fourier transforms of powers of two in f64, and causal convolution by them. */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import { addFinalGradient, finalState } from './reference.js';

const WHERE = 'long-convolution';

/** Real and imaginary parts of N = 2^bits numbers. */
interface Spectrum {
  re: Float64Array;
  im: Float64Array;
}

/** cos and sin of 2 pi j / N, interleaved, for all j below N. */
export function twiddles(N: number): Float64Array {
  const table = new Float64Array(2 * N);
  for (let j = 0; j < N; j++) {
    table[2 * j] = math.cos((2 * Math.PI * j) / N);
    table[2 * j + 1] = math.sin((2 * Math.PI * j) / N);
  }
  return table;
}

/** log2 of the shortest transform, at least 4 points, in which `length` inputs do not wrap into the outputs. */
export function transformBits(length: number): number {
  return Math.max(2, Math.ceil(Math.log2(Math.max(1, length))));
}

/** In place, natural to bit-reversed order (split by frequency); turned round with `inverse`, times N. */
function transform({ re, im }: Spectrum, w: Float64Array, inverse: boolean): void {
  const N = re.length;
  for (let step = 1; step < N; step *= 2) {
    const half = inverse ? step : N / 2 / step;
    const stride = N / 2 / half;
    for (let base = 0; base < N; base += 2 * half)
      for (let j = 0; j < half; j++) {
        const [p, q] = [base + j, base + j + half];
        const [c, s] = [w[2 * j * stride], w[2 * j * stride + 1]];
        if (inverse) {
          const [r, i] = [re[q] * c - im[q] * s, im[q] * c + re[q] * s];
          [re[q], im[q]] = [re[p] - r, im[p] - i];
          [re[p], im[p]] = [re[p] + r, im[p] + i];
        } else {
          const [r, i] = [re[p] - re[q], im[p] - im[q]];
          [re[p], im[p]] = [re[p] + re[q], im[p] + im[q]];
          [re[q], im[q]] = [r * c + i * s, i * c - r * s];
        }
      }
  }
}

/** Spectrum of channel d of rows [rows, D] that start at `from`, put at points first and on. */
function spectrumOf(
  parts: { from: FloatArray; row: number; rows: number; first: number }[],
  d: number,
  D: number,
  w: Float64Array,
): Spectrum {
  const N = w.length / 2;
  const made = { re: new Float64Array(N), im: new Float64Array(N) };
  for (const { from, row, rows, first } of parts)
    for (let t = 0; t < rows; t++) made.re[first + t] = from[(row + t) * D + d];
  transform(made, w, false);
  return made;
}

/** x h, or x times the conjugate of h, added to `to`. */
function multiply(x: Spectrum, h: Spectrum, to: Spectrum, conjugate: boolean): void {
  const sign = conjugate ? -1 : 1;
  for (let k = 0; k < x.re.length; k++) {
    const [a, b, c, d] = [x.re[k], x.im[k], h.re[k], sign * h.im[k]];
    to.re[k] += a * c - b * d;
    to.im[k] += a * d + b * c;
  }
}

const zeros = (N: number): Spectrum => ({ re: new Float64Array(N), im: new Float64Array(N) });

/** Taps that meet an input: all of them with a past, else at most T. */
export function tapsOf(call: Call): number {
  return call.in.initialState ? call.dims.W : Math.max(1, Math.min(call.dims.W, call.dims.T));
}

/** Spectra of the filter, and of past and present inputs of a sequence. */
function sources(call: Call, w: Float64Array) {
  const { T, D, W } = call.dims;
  const taps = tapsOf(call);
  const [u, h] = [call.in.u!.floats(WHERE), call.in.filter!.floats(WHERE)];
  const past = call.in.initialState?.floats(WHERE);
  return {
    filter: (d: number) => spectrumOf([{ from: h, row: 0, rows: taps, first: 0 }], d, D, w),
    input: (b: number, d: number) =>
      spectrumOf(
        [
          ...(past ? [{ from: past, row: b * (W - 1), rows: W - 1, first: 0 }] : []),
          { from: u, row: b * T, rows: T, first: taps - 1 },
        ],
        d,
        D,
        w,
      ),
  };
}

const forward: Kernel = (call) => {
  const { B, T, D } = call.dims;
  const y = allocate(call, call.in.u!.shape);
  const to = y.floats(WHERE);
  const taps = tapsOf(call);
  const N = 2 ** transformBits(taps - 1 + T);
  const w = twiddles(N);
  const { filter, input } = sources(call, w);
  for (let d = 0; d < D && T > 0; d++) {
    const h = filter(d);
    for (let b = 0; b < B; b++) {
      const made = zeros(N);
      multiply(input(b, d), h, made, false);
      transform(made, w, true);
      for (let t = 0; t < T; t++) to[(b * T + t) * D + d] = made.re[taps - 1 + t] / N;
    }
  }
  return { y, finalState: finalState(call) };
};

const backward: Kernel = (call) => {
  const { B, T, D, W } = call.dims;
  const taps = tapsOf(call);
  const N = 2 ** transformBits(taps - 1 + T);
  const w = twiddles(N);
  const { filter, input } = sources(call, w);
  const dy = call.grad.y?.floats(WHERE);
  const du = new Float64Array(B * T * D);
  const dfilter = new Float64Array(W * D);
  const dpast = new Float64Array(B * (W - 1) * D);
  for (let d = 0; d < D && dy && T > 0; d++) {
    const h = filter(d);
    const dh = zeros(N);
    for (let b = 0; b < B; b++) {
      const g = spectrumOf([{ from: dy, row: b * T, rows: T, first: taps - 1 }], d, D, w);
      multiply(g, input(b, d), dh, true);
      const dx = zeros(N);
      multiply(g, h, dx, true);
      transform(dx, w, true);
      for (let t = 0; t < T; t++) du[(b * T + t) * D + d] = dx.re[taps - 1 + t] / N;
      if (call.in.initialState)
        for (let t = 0; t < W - 1; t++) dpast[(b * (W - 1) + t) * D + d] = dx.re[t] / N;
    }
    transform(dh, w, true);
    for (let s = 0; s < taps; s++) dfilter[s * D + d] = dh.re[s] / N;
  }
  addFinalGradient(call, du, dpast);
  const made = { u: du, filter: dfilter, ...(call.in.initialState ? { initialState: dpast } : {}) };
  return Object.fromEntries(
    Object.entries(made).map(([name, values]) => {
      const t = allocate(call, call.in[name]!.shape);
      t.floats(WHERE).set(values);
      return [name, t];
    }),
  );
};

/** One transform over the whole sequence, padded with zeros, channel by channel; f64 inside. */
export const parallelCpu: Implementation = { forward, backward };
