// Discrete Fourier transforms of four channels at once, and causal convolution by them. A transform of N points is
// interleaved quads: N x (real parts of four lanes, imaginary parts), 32 bytes a point. Forward passes split by
// frequency and leave bit-reversed order; inverse passes split by time and take that order, so nothing is reordered.
// One transform carries eight real channels: four as real parts, four as imaginary parts.
import { common, endless, largest, power, powerOf, reciprocal, share, unscaled } from './fft-powers';
import { loadUpTo, splat, storeUpTo } from './math';

const POINT: usize = 32;

/** Forward transform in place, N = 2^bits; `twiddles` f32 [N][2]: cos and sin of 2 pi j / N. */
function transform(x: usize, N: i32, twiddles: usize): void {
  let n = N;
  for (; n >= 4; n >>= 2) {
    const q = <usize>(n >> 2);
    const step = <usize>(N / n) << 3;
    for (let base: usize = 0; base < <usize>N; base += <usize>n)
      for (let j: usize = 0; j < q; j++) {
        const p0 = x + (base + j) * POINT;
        const p1 = p0 + q * POINT;
        const p2 = p1 + q * POINT;
        const p3 = p2 + q * POINT;
        const w1 = twiddles + j * step;
        const w2 = twiddles + 2 * j * step;
        const w3 = twiddles + 3 * j * step;
        const r0 = v128.load(p0), i0 = v128.load(p0, 16);
        const r1 = v128.load(p1), i1 = v128.load(p1, 16);
        const r2 = v128.load(p2), i2 = v128.load(p2, 16);
        const r3 = v128.load(p3), i3 = v128.load(p3, 16);
        const ar = f32x4.add(r0, r2), ai = f32x4.add(i0, i2);
        const br = f32x4.add(r1, r3), bi = f32x4.add(i1, i3);
        const cr = f32x4.sub(r0, r2), ci = f32x4.sub(i0, i2);
        const dr = f32x4.sub(r1, r3), di = f32x4.sub(i1, i3);
        v128.store(p0, f32x4.add(ar, br));
        v128.store(p0, f32x4.add(ai, bi), 16);
        // Times e^(-i angle): (r, i) -> (r c + i s, i c - r s).
        turnBack(p1, f32x4.sub(ar, br), f32x4.sub(ai, bi), w2);
        turnBack(p2, f32x4.add(cr, di), f32x4.sub(ci, dr), w1);
        turnBack(p3, f32x4.sub(cr, di), f32x4.add(ci, dr), w3);
      }
  }
  if (n == 2) pairs(x, N);
}

// @ts-ignore: decorator
@inline function turnBack(p: usize, r: v128, i: v128, w: usize): void {
  const c = v128.load32_splat(w);
  const s = v128.load32_splat(w, 4);
  v128.store(p, f32x4.add(f32x4.mul(r, c), f32x4.mul(i, s)));
  v128.store(p, f32x4.sub(f32x4.mul(i, c), f32x4.mul(r, s)), 16);
}

/** The pass of neighbours, its own inverse up to a factor of 2. */
function pairs(x: usize, N: i32): void {
  for (let j: usize = 0; j < <usize>N; j += 2) {
    const p = x + j * POINT;
    const r0 = v128.load(p), i0 = v128.load(p, 16);
    const r1 = v128.load(p, 32), i1 = v128.load(p, 48);
    v128.store(p, f32x4.add(r0, r1));
    v128.store(p, f32x4.add(i0, i1), 16);
    v128.store(p, f32x4.sub(r0, r1), 32);
    v128.store(p, f32x4.sub(i0, i1), 48);
  }
}

/** Inverse transform in place, without the factor 1/N. */
function inverse(x: usize, N: i32, bits: i32, twiddles: usize): void {
  let n = 4;
  if (bits & 1) {
    pairs(x, N);
    n = 8;
  }
  for (; n <= N; n <<= 2) {
    const q = <usize>(n >> 2);
    const step = <usize>(N / n) << 3;
    for (let base: usize = 0; base < <usize>N; base += <usize>n)
      for (let j: usize = 0; j < q; j++) {
        const p0 = x + (base + j) * POINT;
        const p1 = p0 + q * POINT;
        const p2 = p1 + q * POINT;
        const p3 = p2 + q * POINT;
        const w1 = twiddles + j * step;
        const w2 = twiddles + 2 * j * step;
        const w3 = twiddles + 3 * j * step;
        const r0 = v128.load(p0), i0 = v128.load(p0, 16);
        const r1 = turnedReal(p1, w2), i1 = turnedImaginary(p1, w2);
        const r2 = turnedReal(p2, w1), i2 = turnedImaginary(p2, w1);
        const r3 = turnedReal(p3, w3), i3 = turnedImaginary(p3, w3);
        const ar = f32x4.add(r0, r1), ai = f32x4.add(i0, i1);
        const br = f32x4.sub(r0, r1), bi = f32x4.sub(i0, i1);
        const cr = f32x4.add(r2, r3), ci = f32x4.add(i2, i3);
        const dr = f32x4.sub(r2, r3), di = f32x4.sub(i2, i3);
        v128.store(p0, f32x4.add(ar, cr));
        v128.store(p0, f32x4.add(ai, ci), 16);
        v128.store(p2, f32x4.sub(ar, cr));
        v128.store(p2, f32x4.sub(ai, ci), 16);
        // b + i d and b - i d.
        v128.store(p1, f32x4.sub(br, di));
        v128.store(p1, f32x4.add(bi, dr), 16);
        v128.store(p3, f32x4.add(br, di));
        v128.store(p3, f32x4.sub(bi, dr), 16);
      }
  }
}

// Times e^(+i angle): (r, i) -> (r c - i s, i c + r s).
// @ts-ignore: decorator
@inline function turnedReal(p: usize, w: usize): v128 {
  return f32x4.sub(
    f32x4.mul(v128.load(p), v128.load32_splat(w)), f32x4.mul(v128.load(p, 16), v128.load32_splat(w, 4)),
  );
}

// @ts-ignore: decorator
@inline function turnedImaginary(p: usize, w: usize): v128 {
  return f32x4.add(
    f32x4.mul(v128.load(p, 16), v128.load32_splat(w)), f32x4.mul(v128.load(p), v128.load32_splat(w, 4)),
  );
}

// @ts-ignore: decorator
@inline function over(x: v128, factor: v128): v128 {
  return f32x4.mul(v128.andnot(x, endless(x)), factor);
}

/** Writes rows of eight channels over their powers into points first..first+rows; `rows` may be 0. */
function fill(
  x: usize, first: i32, from: usize, rows: i32, step: usize, lanes: i32, low: v128, high: v128,
): void {
  const a = reciprocal(low);
  const b = reciprocal(high);
  for (let t: i32 = 0; t < rows; t++) {
    const p = x + <usize>(first + t) * POINT;
    const at = from + <usize>t * step;
    v128.store(p, over(loadUpTo(at, lanes), a));
    v128.store(p, lanes > 4 ? over(loadUpTo(at + 16, lanes - 4), b) : splat(0), 16);
  }
}

/** Rows of eight channels from points first..first+rows, times a factor for each. */
function take(
  x: usize, first: i32, to: usize, rows: i32, step: usize, lanes: i32, low: v128, high: v128,
): void {
  for (let t: i32 = 0; t < rows; t++) {
    const p = x + <usize>(first + t) * POINT;
    const at = to + <usize>t * step;
    storeUpTo(at, f32x4.mul(v128.load(p), low), lanes);
    if (lanes > 4) storeUpTo(at + 16, f32x4.mul(v128.load(p, 16), high), lanes - 4);
  }
}

function clear(x: usize, first: i32, end: i32): void {
  if (end > first) memory.fill(x + <usize>first * POINT, 0, <usize>(end - first) * POINT);
}

/**
 * Place of the opposite frequency in bit-reversed order: p with all bits below its highest one turned over.
 */
// @ts-ignore: decorator
@inline function opposite(p: i32): i32 {
  return p == 0 ? 0 : p ^ ((1 << (31 - clz<i32>(p))) - 1);
}

/**
 * to = x h (CONJUGATE: x times the conjugate of h; ADD: to += that) as spectra of eight real channels each, times a
 * factor for each, `low` and `high`. A transform Z of a + i b holds A = (Z_k + conj Z_-k) / 2 and B = (Z_k - conj Z_-k) / 2i, hence pairs of opposite frequencies.
 */
function multiply(
  x: usize, h: usize, to: usize, N: i32, conjugate: bool, add: bool, low: v128, high: v128,
): void {
  const half = splat(0.5);
  const halfLow = f32x4.mul(half, low);
  const halfHigh = f32x4.mul(half, high);
  const sign = splat(conjugate ? -1 : 1);
  for (let p: i32 = 0; p < N; p++) {
    const o = opposite(p);
    if (o < p) continue;
    const at = <usize>p * POINT;
    const ot = <usize>o * POINT;
    const xr = v128.load(x + at), xi = v128.load(x + at, 16), yr = v128.load(x + ot), yi = v128.load(x + ot, 16);
    const hr = v128.load(h + at), hi = v128.load(h + at, 16), gr = v128.load(h + ot), gi = v128.load(h + ot, 16);
    // Twice A and B of both.
    const xar = f32x4.add(xr, yr), xai = f32x4.sub(xi, yi), xbr = f32x4.add(xi, yi), xbi = f32x4.sub(yr, xr);
    const har = f32x4.mul(half, f32x4.add(hr, gr)), hai = f32x4.mul(sign, f32x4.mul(half, f32x4.sub(hi, gi)));
    const hbr = f32x4.mul(half, f32x4.add(hi, gi)), hbi = f32x4.mul(sign, f32x4.mul(half, f32x4.sub(gr, hr)));
    const ar = f32x4.mul(halfLow, f32x4.sub(f32x4.mul(xar, har), f32x4.mul(xai, hai)));
    const ai = f32x4.mul(halfLow, f32x4.add(f32x4.mul(xar, hai), f32x4.mul(xai, har)));
    const br = f32x4.mul(halfHigh, f32x4.sub(f32x4.mul(xbr, hbr), f32x4.mul(xbi, hbi)));
    const bi = f32x4.mul(halfHigh, f32x4.add(f32x4.mul(xbr, hbi), f32x4.mul(xbi, hbr)));
    // A + i B at p, conj A + i conj B at -p; the same where both are one place.
    put(to + at, f32x4.sub(ar, bi), f32x4.add(ai, br), add);
    if (o != p) put(to + ot, f32x4.add(ar, bi), f32x4.sub(br, ai), add);
  }
}

// @ts-ignore: decorator
@inline function put(at: usize, r: v128, i: v128, add: bool): void {
  v128.store(at, add ? f32x4.add(v128.load(at), r) : r);
  v128.store(at, add ? f32x4.add(v128.load(at, 16), i) : i, 16);
}

/** Past and present of one sequence over powers as points 0..W-1+T, and zeros after. */
function load(
  x: usize, past: usize, u: usize, b: i32, d: i32, T: i32, D: i32, W: i32, N: i32, lanes: i32, low: v128, high: v128,
): void {
  const step = <usize>D << 2;
  if (past) fill(x, 0, past + ((<usize>b * (W - 1) * D + d) << 2), W - 1, step, lanes, low, high);
  else clear(x, 0, W - 1);
  fill(x, W - 1, u + ((<usize>b * T * D + d) << 2), T, step, lanes, low, high);
  clear(x, W - 1 + T, N);
}

/**
 * y_t = sum_s h_s u_(t-s), u before 0 from past. u, y [B, T, D], past [B, W-1, D] (0 = zeros), filter [W, D]. A unit is
 * eight channels, the first of them channel 8 (unit + first); `work` holds 2 transforms a unit.
 */
export function longConvolution(
  start: i32, end: i32, u: usize, past: usize, filter: usize, y: usize, twiddles: usize, work: usize, first: i32,
  B: i32, T: i32, D: i32, W: i32, bits: i32,
): void {
  const N: i32 = 1 << bits;
  const step = <usize>D << 2;
  for (let unit = start; unit < end; unit++) {
    const d = (unit + first) << 3;
    const lanes = min(8, D - d);
    const h = work + <usize>unit * 2 * <usize>N * POINT;
    const x = h + <usize>N * POINT;
    const taps = filter + (<usize>d << 2);
    const h0 = power(largest(taps, W, step, lanes, splat(0)));
    const h1 = power(largest(taps + 16, W, step, lanes - 4, splat(0)));
    fill(h, 0, taps, W, step, lanes, h0, h1);
    clear(h, W, N);
    transform(h, N, twiddles);
    for (let b = 0; b < B; b++) {
      const u0 = powerOf(past, u, b, d, T, D, W, lanes);
      const u1 = powerOf(past, u, b, d + 4, T, D, W, lanes - 4);
      load(x, past, u, b, d, T, D, W, N, lanes, u0, u1);
      transform(x, N, twiddles);
      multiply(x, h, x, N, false, false, splat(1), splat(1));
      inverse(x, N, bits, twiddles);
      const to = y + ((<usize>b * T * D + d) << 2);
      take(x, W - 1, to, T, step, lanes, unscaled(u0, h0, N), unscaled(u1, h1, N));
    }
  }
}

/** Gradients from dy: du, dpast (0 = not wanted), dfilter. `work` holds 4 transforms a unit. */
export function longConvolutionBackward(
  start: i32, end: i32, u: usize, past: usize, filter: usize, dy: usize, du: usize, dpast: usize, dfilter: usize,
  twiddles: usize, work: usize, first: i32, B: i32, T: i32, D: i32, W: i32, bits: i32,
): void {
  const N: i32 = 1 << bits;
  const step = <usize>D << 2;
  const size = <usize>N * POINT;
  const one = splat(1);
  for (let unit = start; unit < end; unit++) {
    const d = (unit + first) << 3;
    const lanes = min(8, D - d);
    const h = work + <usize>unit * 4 * size;
    const x = h + size;
    const g = x + size;
    const dh = g + size;
    const taps = filter + (<usize>d << 2);
    const h0 = power(largest(taps, W, step, lanes, splat(0)));
    const h1 = power(largest(taps + 16, W, step, lanes - 4, splat(0)));
    let all0 = splat(0);
    let all1 = splat(0);
    if (B > 1) {
      all0 = common(past, u, dy, B, d, T, D, W, lanes);
      all1 = common(past, u, dy, B, d + 4, T, D, W, lanes - 4);
    }
    fill(h, 0, taps, W, step, lanes, h0, h1);
    clear(h, W, N);
    transform(h, N, twiddles);
    clear(dh, 0, N);
    for (let b = 0; b < B; b++) {
      const row = (<usize>b * T * D + d) << 2;
      const u0 = powerOf(past, u, b, d, T, D, W, lanes);
      const u1 = powerOf(past, u, b, d + 4, T, D, W, lanes - 4);
      const g0 = powerOf(0, dy, b, d, T, D, W, lanes);
      const g1 = powerOf(0, dy, b, d + 4, T, D, W, lanes - 4);
      if (B == 1) {
        all0 = f32x4.mul(u0, g0);
        all1 = f32x4.mul(u1, g1);
      }
      load(x, past, u, b, d, T, D, W, N, lanes, u0, u1);
      transform(x, N, twiddles);
      clear(g, 0, W - 1);
      fill(g, W - 1, dy + row, T, step, lanes, g0, g1);
      clear(g, W - 1 + T, N);
      transform(g, N, twiddles);
      multiply(g, x, dh, N, true, true, share(u0, g0, all0), share(u1, g1, all1));
      multiply(g, h, g, N, true, false, one, one);
      inverse(g, N, bits, twiddles);
      const low = unscaled(g0, h0, N);
      const high = unscaled(g1, h1, N);
      take(g, W - 1, du + row, T, step, lanes, low, high);
      if (dpast) take(g, 0, dpast + ((<usize>b * (W - 1) * D + d) << 2), W - 1, step, lanes, low, high);
    }
    inverse(dh, N, bits, twiddles);
    take(dh, 0, dfilter + (<usize>d << 2), W, step, lanes, unscaled(all0, one, N), unscaled(all1, one, N));
  }
}

/**
 * The same as a direct sum, for few tokens: units are sequences x quads of channels. y_t = sum_s h_s u_(t-s), from the
 * farthest input to the nearest.
 */
export function longConvolutionDirect(
  start: i32, end: i32, u: usize, past: usize, filter: usize, y: usize, T: i32, D: i32, W: i32,
): void {
  const quads = (D + 3) >> 2;
  const step = <usize>D << 2;
  for (let unit = start; unit < end; unit++) {
    const b = unit / quads;
    const d = (unit - b * quads) << 2;
    const lanes = min(4, D - d);
    const h = filter + (<usize>d << 2);
    const before = past + ((<usize>b * (W - 1) * D + d) << 2);
    const now = u + ((<usize>b * T * D + d) << 2);
    for (let t = 0; t < T; t++) {
      let sum = splat(0);
      if (past)
        for (let s = W - 1; s > t; s--)
          sum = f32x4.add(
            sum, f32x4.mul(loadUpTo(h + <usize>s * step, lanes), loadUpTo(before + <usize>(W - 1 + t - s) * step, lanes)),
          );
      for (let s = min(t, W - 1); s >= 0; s--)
        sum = f32x4.add(
          sum, f32x4.mul(loadUpTo(h + <usize>s * step, lanes), loadUpTo(now + <usize>(t - s) * step, lanes)),
        );
      storeUpTo(y + ((<usize>(b * T + t) * D + d) << 2), sum, lanes);
    }
  }
}
