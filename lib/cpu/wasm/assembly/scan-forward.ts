// Selective scan, forward: h_t = e^(d_t A) h_{t-1} + d_t u_t B_t, y_t = (C_t h_t + D u_t) silu(z_t),
// d_t = softplus(delta_t + bias) or delta_t + bias. Time outside, quads of channels, then n inside: B_t and C_t
// stay in cache for the whole block and the state never leaves L1.
import { exp2V, expV, madd, softplusV, splat, storeUpTo } from './math';
import { scratch } from './scratch';
import {
  blocksOf, CHUNK, FIXED_B, FIXED_C, gatherQuad, loadQuad, LOG2E, optional, partEnd, partSequence, partStart,
  quadBytes, scatterQuad, sequenceStart, slotOf, SOFTPLUS, WIDTH,
} from './scan-common';

/** Units of the backward pass and of the reduction: parts of time (sequences, when nothing splits them) by blocks. */
export function scanUnits(parts: i32, D: i32, G: i32): i32 {
  return parts * G * blocksOf(D, G);
}

/** One step of one quad; returns sum over n of C h. */
// @ts-ignore: decorator
@inline function advance(
  dt: v128, du: v128, a: usize, h: usize, b: usize, c: usize, N: i32, flags: i32,
): v128 {
  let y = splat(0);
  if (flags & (FIXED_B | FIXED_C)) {
    for (let n = 0; n < N; n++) {
      const at = <usize>n << 4;
      const bv = flags & FIXED_B ? v128.load(b + at) : v128.load32_splat(b + (<usize>n << 2));
      const cv = flags & FIXED_C ? v128.load(c + at) : v128.load32_splat(c + (<usize>n << 2));
      const next = madd(exp2V(f32x4.mul(dt, v128.load(a + at))), v128.load(h + at), f32x4.mul(du, bv));
      v128.store(h + at, next);
      y = madd(cv, next, y);
    }
    return y;
  }
  const end = a + (<usize>N << 4);
  while (a < end) {
    const e = exp2V(f32x4.mul(dt, v128.load(a)));
    const next = f32x4.add(f32x4.mul(e, v128.load(h)), f32x4.mul(du, v128.load32_splat(b)));
    v128.store(h, next);
    y = f32x4.add(y, f32x4.mul(v128.load32_splat(c), next));
    a += 16;
    h += 16;
    b += 4;
    c += 4;
  }
  return y;
}

/** d_t and d_t u_t of a chunk, [step][quad][2]: outside the loop over n, where registers are scarce. */
export function stage(
  u: usize, delta: usize, bias: usize, length: i32, width: i32, D: i32, flags: i32, steps: usize,
): void {
  for (let i = 0; i < length; i++) {
    for (let q = 0; q < width; q += 4) {
      const at = (<usize>i * D + q) << 2;
      const count = width - q;
      let dt = f32x4.add(loadQuad(delta + at, count), optional(bias, q, count));
      if (flags & SOFTPLUS) dt = softplusV(dt);
      const step = steps + (<usize>(i * WIDTH + q) << 3);
      v128.store(step, dt);
      v128.store(step, f32x4.mul(dt, loadQuad(u + at, count)), 16);
    }
  }
}

/** y += D u on a chunk. */
function addSkip(y: usize, u: usize, skip: usize, length: i32, width: i32, D: i32): void {
  for (let i = 0; i < length; i++) {
    for (let q = 0; q < width; q += 4) {
      const at = (<usize>i * D + q) << 2;
      const count = width - q;
      storeUpTo(y + at, madd(optional(skip, q, count), loadQuad(u + at, count), loadQuad(y + at, count)), count);
    }
  }
}

/** y *= silu(z) on a chunk. */
function gate(y: usize, z: usize, length: i32, width: i32, D: i32): void {
  for (let i = 0; i < length; i++) {
    for (let q = 0; q < width; q += 4) {
      const at = (<usize>i * D + q) << 2;
      const count = width - q;
      const zv = loadQuad(z + at, count);
      const factor = f32x4.div(zv, f32x4.add(splat(1), expV(f32x4.neg(zv))));
      storeUpTo(y + at, f32x4.mul(loadQuad(y + at, count), factor), count);
    }
  }
}

/**
 * Layouts: u, delta, z, y [rows, D]; A [D, N]; B, C [rows, G, N] or [D, N] (flags 2, 4); h0, final [S, D, N];
 * checkpoints, when not 0: the state before every 16th step. h0 and final may be the same. With a table of parts
 * h0 is [parts, D, N], the state before each part. Units: parts x groups x blocks of `wide` channels (a multiple of 4,
 * at most 64): channels do not meet, so the bits do not depend on it.
 */
export function selectiveScan(
  start: i32, end: i32, u: usize, delta: usize, A: usize, B: usize, C: usize, skip: usize, z: usize, bias: usize,
  h0: usize, y: usize, final: usize, checkpoints: usize, T: i32, D: i32, N: i32, G: i32, cu: usize, flags: i32,
  table: usize, wide: i32,
): void {
  const perGroup = D / G;
  const blocks = (perGroup + wide - 1) / wide;
  const quad = quadBytes(N);
  const block = quad * (WIDTH / 4);
  const aT = scratch();
  const hT = aT + block;
  const bT = hT + block;
  const cT = bT + block;
  const steps = cT + block;
  const quadsAll = G * ((perGroup + 3) / 4);
  for (let unit = start; unit < end; unit++) {
    const part = unit / (G * blocks);
    const s = partSequence(table, part);
    const g = (unit / blocks) % G;
    const inGroup = (unit % blocks) * wide;
    const d0 = g * perGroup + inGroup;
    const width = min(wide, perGroup - inGroup);
    const first = sequenceStart(cu, s, T);
    const t0 = partStart(table, cu, part, T);
    const t1 = partEnd(table, cu, part, T);
    const firstQuad = g * ((perGroup + 3) / 4) + inGroup / 4;
    for (let q = 0; q < width; q += 4) {
      const at = <usize>(q >> 2) * quad;
      const channel = (<usize>(d0 + q) * N) << 2;
      const count = width - q;
      gatherQuad(A + channel, N, count, LOG2E, aT + at);
      gatherQuad(h0 ? h0 + (((<usize>part * D + d0 + q) * N) << 2) : 0, N, count, 1, hT + at);
      if (flags & FIXED_B) gatherQuad(B + channel, N, count, 1, bT + at);
      if (flags & FIXED_C) gatherQuad(C + channel, N, count, 1, cT + at);
    }
    for (let from = t0; from < t1; from += CHUNK) {
      const length = min(CHUNK, t1 - from);
      if (checkpoints) {
        const slot = slotOf(first, s, (from - first) / CHUNK);
        const to = checkpoints + (<usize>slot * quadsAll + firstQuad) * quad;
        memory.copy(to, hT, <usize>((width + 3) >> 2) * quad);
      }
      const row = (<usize>from * D + d0) << 2;
      stage(u + row, delta + row, bias ? bias + (<usize>d0 << 2) : 0, length, width, D, flags, steps);
      for (let i = 0; i < length; i++) {
        const bc = (<usize>((from + i) * G + g) * N) << 2;
        const line = row + ((<usize>i * D) << 2);
        for (let q = 0; q < width; q += 4) {
          const at = <usize>(q >> 2) * quad;
          const step = steps + (<usize>(i * WIDTH + q) << 3);
          const bAt = flags & FIXED_B ? bT + at : B + bc;
          const cAt = flags & FIXED_C ? cT + at : C + bc;
          const yv = advance(v128.load(step), v128.load(step, 16), aT + at, hT + at, bAt, cAt, N, flags);
          storeUpTo(y + line + (<usize>q << 2), yv, width - q);
        }
      }
      if (skip) addSkip(y + row, u + row, skip + (<usize>d0 << 2), length, width, D);
      if (z) gate(y + row, z + row, length, width, D);
    }
    if (final && t1 == sequenceStart(cu, s + 1, T)) {
      for (let q = 0; q < width; q += 4) {
        scatterQuad(hT + <usize>(q >> 2) * quad, N, width - q, final + (((<usize>s * D + d0 + q) * N) << 2));
      }
    }
  }
}
