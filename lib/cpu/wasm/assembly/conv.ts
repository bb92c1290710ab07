// Causal depthwise convolution on [rows, D]: y_t = bias + sum_j w[j] x[t - W + 1 + j], inputs before a sequence
// taken from state [S, D, W - 1], oldest first. Weights [D, W] are transposed into scratch (W D <= 262144).
import { expV, loadUpTo, madd, sigmoidV, splat, storeUpTo } from './math';
import { scratch } from './scratch';
import { sequenceStart } from './scan-common';

/** Largest s with cu[s] <= row among S sequences (so that row lies in s); row / T without cu. */
function sequenceOf(row: i32, T: i32, cu: usize, S: i32): i32 {
  if (!cu) return row / T;
  let low: i32 = 0;
  let high = S - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (load<i32>(cu + (<usize>middle << 2)) <= row) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** w [D, W] as [W, D] in scratch. */
function transposeWeights(w: usize, D: i32, W: i32): usize {
  const to = scratch();
  for (let d = 0; d < D; d++) {
    for (let j = 0; j < W; j++) {
      store<f32>(to + (<usize>(j * D + d) << 2), load<f32>(w + (<usize>(d * W + j) << 2)));
    }
  }
  return to;
}

/** Four channels of the state's entry i; 0 without a state. */
// @ts-ignore: decorator
@inline function stateQuad(state: usize, s: i32, D: i32, d: i32, W: i32, i: i32, count: i32): v128 {
  if (!state) return splat(0);
  const step = <usize>(W - 1) << 2;
  const at = state + (<usize>s * D + d) * step + (<usize>i << 2);
  let v = v128.load32_lane(at, splat(0), 0);
  if (count > 1) v = v128.load32_lane(at + step, v, 1);
  if (count > 2) v = v128.load32_lane(at + 2 * step, v, 2);
  if (count > 3) v = v128.load32_lane(at + 3 * step, v, 3);
  return v;
}

/** The convolution's value for four channels at row t of the sequence s that starts at t0. */
// @ts-ignore: decorator
@inline function valueAt(
  x: usize, wT: usize, bias: usize, state: usize, s: i32, t: i32, t0: i32, d: i32, D: i32, W: i32, count: i32,
): v128 {
  let sum = bias ? loadUpTo(bias + (<usize>d << 2), count) : splat(0);
  for (let j = 0; j < W; j++) {
    const source = t - W + 1 + j;
    const wv = loadUpTo(wT + (<usize>(j * D + d) << 2), count);
    const xv =
      source >= t0
        ? loadUpTo(x + ((<usize>source * D + d) << 2), count)
        : stateQuad(state, s, D, d, W, t - t0 + j, count);
    sum = madd(wv, xv, sum);
  }
  return sum;
}

/** Units are rows. silu 1 applies SiLU to the result. */
export function conv1d(
  start: i32, end: i32, x: usize, w: usize, bias: usize, state: usize, y: usize, T: i32, D: i32, W: i32, cu: usize,
  S: i32, silu: i32,
): void {
  const wT = transposeWeights(w, D, W);
  for (let t = start; t < end; t++) {
    const s = sequenceOf(t, T, cu, S);
    const t0 = sequenceStart(cu, s, T);
    for (let d = 0; d < D; d += 4) {
      let v = valueAt(x, wT, bias, state, s, t, t0, d, D, W, D - d);
      if (silu) v = f32x4.div(v, f32x4.add(splat(1), expV(f32x4.neg(v))));
      storeUpTo(y + ((<usize>t * D + d) << 2), v, D - d);
    }
  }
}

/** Gradient before SiLU: dp = dy silu'(convolution). Units are rows. */
export function conv1dGate(
  start: i32, end: i32, x: usize, w: usize, bias: usize, state: usize, dy: usize, dp: usize, T: i32, D: i32, W: i32,
  cu: usize, S: i32,
): void {
  const wT = transposeWeights(w, D, W);
  for (let t = start; t < end; t++) {
    const s = sequenceOf(t, T, cu, S);
    const t0 = sequenceStart(cu, s, T);
    for (let d = 0; d < D; d += 4) {
      const v = valueAt(x, wT, bias, state, s, t, t0, d, D, W, D - d);
      const sig = sigmoidV(v);
      const slope = f32x4.mul(sig, madd(v, f32x4.sub(splat(1), sig), splat(1)));
      const at = (<usize>t * D + d) << 2;
      storeUpTo(dp + at, f32x4.mul(loadUpTo(dy + at, D - d), slope), D - d);
    }
  }
}

/** Last W - 1 inputs of each sequence; may overwrite state. Units are S * D. */
export function conv1dFinal(
  start: i32, end: i32, x: usize, state: usize, final: usize, T: i32, D: i32, W: i32, cu: usize,
): void {
  for (let unit = start; unit < end; unit++) {
    const s = unit / D;
    const d = unit - s * D;
    const t0 = sequenceStart(cu, s, T);
    const length = sequenceStart(cu, s + 1, T) - t0;
    const line = (<usize>unit * (W - 1)) << 2;
    for (let f = 0; f < W - 1; f++) {
      const time = length - (W - 1) + f;
      let value: f32 = 0;
      if (time >= 0) value = load<f32>(x + ((<usize>(t0 + time) * D + d) << 2));
      else if (state) value = load<f32>(state + line + (<usize>(length + f) << 2));
      store<f32>(final + line + (<usize>f << 2), value);
    }
  }
}

/** dx_t = sum_j w[j] dp[t + W - 1 - j] (+ dfinal of the last inputs). Units are rows. */
export function conv1dBackwardInput(
  start: i32, end: i32, dp: usize, w: usize, dfinal: usize, dx: usize, T: i32, D: i32, W: i32, cu: usize, S: i32,
): void {
  const wT = transposeWeights(w, D, W);
  for (let t = start; t < end; t++) {
    const s = sequenceOf(t, T, cu, S);
    const t1 = sequenceStart(cu, s + 1, T);
    const kept = t - (t1 - (W - 1));
    for (let d = 0; d < D; d += 4) {
      const count = D - d;
      let sum = splat(0);
      for (let j = W - 1; j >= 0; j--) {
        const target = t + W - 1 - j;
        if (target >= t1) break;
        const wv = loadUpTo(wT + (<usize>(j * D + d) << 2), count);
        sum = madd(wv, loadUpTo(dp + ((<usize>target * D + d) << 2), count), sum);
      }
      if (dfinal && kept >= 0) sum = f32x4.add(sum, stateQuad(dfinal, s, D, d, W, kept, count));
      storeUpTo(dx + ((<usize>t * D + d) << 2), sum, count);
    }
  }
}

/** dw[d, j] = sum over rows of dp_t x[t - W + 1 + j], db = sum of dp; blocks of 64 rows. Units are channels. */
export function conv1dBackwardWeight(
  start: i32, end: i32, x: usize, state: usize, dp: usize, dw: usize, db: usize, T: i32, D: i32, W: i32, cu: usize,
  S: i32,
): void {
  const sums = scratch();
  const blockSums = sums + (<usize>(W + 1) << 4);
  const bytes = <usize>(W + 1) << 4;
  for (let d = start; d < end; d += 4) {
    const count = end - d;
    memory.fill(sums, 0, bytes);
    for (let s = 0; s < S; s++) {
      const t0 = sequenceStart(cu, s, T);
      const t1 = sequenceStart(cu, s + 1, T);
      for (let from = t0; from < t1; from += 64) {
        memory.fill(blockSums, 0, bytes);
        const to = min(t1, from + 64);
        for (let t = from; t < to; t++) {
          const g = loadUpTo(dp + ((<usize>t * D + d) << 2), count);
          for (let j = 0; j < W; j++) {
            const source = t - W + 1 + j;
            const xv =
              source >= t0
                ? loadUpTo(x + ((<usize>source * D + d) << 2), count)
                : stateQuad(state, s, D, d, W, t - t0 + j, count);
            const at = blockSums + (<usize>j << 4);
            v128.store(at, madd(g, xv, v128.load(at)));
          }
          const at = blockSums + (<usize>W << 4);
          v128.store(at, f32x4.add(g, v128.load(at)));
        }
        for (let j = 0; j <= W; j++) {
          const at = <usize>j << 4;
          v128.store(sums + at, f32x4.add(v128.load(sums + at), v128.load(blockSums + at)));
        }
      }
    }
    for (let lane = 0; lane < min(4, count); lane++) {
      const from = sums + (<usize>lane << 2);
      for (let j = 0; j < W; j++) {
        store<f32>(dw + (<usize>((d + lane) * W + j) << 2), load<f32>(from + (<usize>j << 4)));
      }
      if (db) store<f32>(db + (<usize>(d + lane) << 2), load<f32>(from + (<usize>W << 4)));
    }
  }
}

/** dstate[s, d, i] = sum over t - t0 <= i of w[d, i - (t - t0)] dp_t (+ dfinal of entries that stay). Units S * D. */
export function conv1dBackwardState(
  start: i32, end: i32, dp: usize, w: usize, dfinal: usize, dstate: usize, T: i32, D: i32, W: i32, cu: usize,
): void {
  for (let unit = start; unit < end; unit++) {
    const s = unit / D;
    const d = unit - s * D;
    const t0 = sequenceStart(cu, s, T);
    const length = sequenceStart(cu, s + 1, T) - t0;
    const line = (<usize>unit * (W - 1)) << 2;
    for (let i = 0; i < W - 1; i++) {
      let sum: f32 = 0;
      for (let time = 0; time <= i && time < length; time++) {
        const g = load<f32>(dp + ((<usize>(t0 + time) * D + d) << 2));
        sum += g * load<f32>(w + (<usize>(d * W + i - time) << 2));
      }
      if (dfinal && i >= length) sum += load<f32>(dfinal + line + (<usize>(i - length) << 2));
      store<f32>(dstate + line + (<usize>i << 2), sum);
    }
  }
}
