// Selective scan, backward. Chunks of 16 steps from the last to the first: states are recomputed from the stored
// one, then G_t = gy_t C_t + a_{t+1} G_{t+1} runs back. Sums over channels (dB, dC) are kept in four lanes for the
// block and written as one partial per block; sums over time (dA, dD, dbias) as one partial per part of time.
import { exp2V, hsum, madd, sigmoidV, softplusV, splat, storeUpTo } from './math';
import { scratch } from './scratch';
import {
  blocksOf, CHUNK, FIXED_B, FIXED_C, gatherQuad, LN2, loadQuad, LOG2E, optional, partEnd, partSequence, partStart,
  quadBytes, scatterQuad, sequenceStart, slotOf, SOFTPLUS, WIDTH,
} from './scan-common';

// Per-step vectors of a quad, 16 bytes each, CHUNK of each.
const DT: usize = 0;
const U: usize = 1 << 8;
const GY: usize = 2 << 8;
const SLOPE: usize = 3 << 8;
const STEP_BYTES: usize = 4 << 8;

// What a chunk of a quad keeps, interleaved so that a loop over n moves few addresses:
// line [step][n] of { h_{t-1}, e^(dt A) }, sums [step][n] of { dB, dC } and, over all chunks, carry [n] of { G, dA }.

/**
 * One step of one quad again: the decay goes to line, h_t to the line after it (`hop` bytes on). Returns sum_n C h_t
 * if `gated`.
 */
// @ts-ignore: decorator
@inline function recompute(
  dt: v128, du: v128, a: usize, b: usize, c: usize, line: usize, hop: usize, N: i32, fixedB: bool, fixedC: bool,
  gated: bool,
): v128 {
  let y = splat(0);
  const end = a + (<usize>N << 4);
  while (a < end) {
    const decay = exp2V(f32x4.mul(dt, v128.load(a)));
    const bv = fixedB ? v128.load(b) : v128.load32_splat(b);
    const next = madd(decay, v128.load(line), f32x4.mul(du, bv));
    v128.store(line, decay, 16);
    v128.store(line + hop, next);
    if (gated) {
      y = madd(fixedC ? v128.load(c) : v128.load32_splat(c), next, y);
      c += fixedC ? 16 : 4;
    }
    a += 16;
    b += fixedB ? 16 : 4;
    line += 32;
  }
  return y;
}

let sumB: v128 = splat(0);
let sumA: v128 = splat(0);

/** One step back for one quad. Leaves sum_n G B in sumB and sum_n G a h_{t-1} A log2(e) in sumA. */
// @ts-ignore: decorator
@inline function retreat(
  dt: v128, du: v128, gy: v128, a: usize, b: usize, c: usize, line: usize, hop: usize, sums: usize, carry: usize,
  dBf: usize, dCf: usize, N: i32, fixedB: bool, fixedC: bool,
): void {
  let sb = splat(0);
  let sa = splat(0);
  const end = a + (<usize>N << 4);
  while (a < end) {
    const bv = fixedB ? v128.load(b) : v128.load32_splat(b);
    const cv = fixedC ? v128.load(c) : v128.load32_splat(c);
    const G = madd(gy, cv, v128.load(carry));
    const dB = fixedB ? dBf : sums;
    const dC = fixedC ? dCf : sums + 16;
    v128.store(dC, madd(gy, v128.load(line + hop), v128.load(dC)));
    v128.store(dB, madd(G, du, v128.load(dB)));
    sb = madd(G, bv, sb);
    const back = f32x4.mul(G, v128.load(line, 16));
    v128.store(carry, back);
    const w = f32x4.mul(back, v128.load(line));
    sa = madd(w, v128.load(a), sa);
    v128.store(carry, madd(w, dt, v128.load(carry, 16)), 16);
    a += 16;
    b += fixedB ? 16 : 4;
    c += fixedC ? 16 : 4;
    line += 32;
    sums += 32;
    carry += 32;
    if (fixedB) dBf += 16;
    if (fixedC) dCf += 16;
  }
  sumB = sb;
  sumA = sa;
}

/** Copies [n][4] with a distance of `fromHop` to one of `toHop` bytes. */
function spread(from: usize, fromHop: usize, to: usize, toHop: usize, N: i32): void {
  for (let n = 0; n < N; n++) {
    v128.store(to, v128.load(from));
    from += fromHop;
    to += toHop;
  }
}

/** Lane sums of count accumulators, 32 bytes apart, to f32. */
function flush(from: usize, count: i32, to: usize): void {
  for (let i = 0; i < count; i++) store<f32>(to + (<usize>i << 2), hsum(v128.load(from + (<usize>i << 5))));
}

/**
 * Layouts as in selectiveScan. dy [rows, D]; dfinal [parts, D, N]: the adjoint that enters each part at its end, which
 * without a table of parts is the gradient of the final state. Written per unit: du, ddelta, dz [rows, D]; dh0
 * [S, D, N]; dA, and dB, dC if fixed, as [parts, D, N] and dD, dbias as [parts, D] (one partial per part); dB, dC if
 * varying as [blocks, rows, G, N] (`rows` rows in all), one partial per block of 64 channels.
 */
export function selectiveScanBackward(
  start: i32, end: i32, u: usize, delta: usize, A: usize, B: usize, C: usize, skip: usize, z: usize, bias: usize,
  checkpoints: usize, dy: usize, dfinal: usize, dU: usize, ddelta: usize, dA: usize, dB: usize, dC: usize,
  dskip: usize, dz: usize, dbias: usize, dh0: usize, T: i32, D: i32, N: i32, G: i32, cu: usize, flags: i32,
  rows: i32, table: usize,
): void {
  const blocks = blocksOf(D, G);
  const perGroup = D / G;
  const quad = quadBytes(N);
  const block = quad * (WIDTH / 4);
  const hop = 2 * quad;
  const steps = scratch();
  const lines = steps + STEP_BYTES;
  const sums = lines + (CHUNK + 1) * hop;
  const carries = sums + CHUNK * hop;
  const aT = carries + 2 * block;
  const bT = aT + block;
  const cT = bT + block;
  const dBf = cT + block;
  const dCf = dBf + block;
  const totals = dCf + block;
  const one = totals + 2 * WIDTH * 4;
  const fixedB = (flags & FIXED_B) != 0;
  const fixedC = (flags & FIXED_C) != 0;
  const softplus = (flags & SOFTPLUS) != 0;
  const quadsAll = G * ((perGroup + 3) / 4);
  for (let unit = start; unit < end; unit++) {
    const part = unit / (G * blocks);
    const s = partSequence(table, part);
    const g = (unit / blocks) % G;
    const blk = unit % blocks;
    const inGroup = blk * WIDTH;
    const d0 = g * perGroup + inGroup;
    const width = min(WIDTH, perGroup - inGroup);
    const first = sequenceStart(cu, s, T);
    const t0 = partStart(table, cu, part, T);
    const t1 = partEnd(table, cu, part, T);
    const firstQuad = g * ((perGroup + 3) / 4) + inGroup / 4;
    memory.fill(carries, 0, 2 * block);
    for (let q = 0; q < width; q += 4) {
      const at = <usize>(q >> 2) * quad;
      const channel = (<usize>(d0 + q) * N) << 2;
      const count = width - q;
      gatherQuad(A + channel, N, count, LOG2E, aT + at);
      gatherQuad(dfinal ? dfinal + (((<usize>part * D + d0 + q) * N) << 2) : 0, N, count, 1, one);
      spread(one, 16, carries + 2 * at, 32, N);
      if (fixedB) gatherQuad(B + channel, N, count, 1, bT + at);
      if (fixedC) gatherQuad(C + channel, N, count, 1, cT + at);
    }
    memory.fill(dBf, 0, 2 * block);
    memory.fill(totals, 0, 2 * WIDTH * 4);
    const chunks = (t1 - t0 + CHUNK - 1) / CHUNK;
    for (let c = chunks - 1; c >= 0; c--) {
      const from = t0 + c * CHUNK;
      const length = min(CHUNK, t1 - from);
      const saved = checkpoints + (<usize>slotOf(first, s, (from - first) / CHUNK) * quadsAll + firstQuad) * quad;
      memory.fill(sums, 0, CHUNK * hop);
      for (let q = 0; q < width; q += 4) {
        const count = width - q;
        const at = <usize>(q >> 2) * quad;
        const biasV = optional(bias, d0 + q, count);
        const skipV = optional(skip, d0 + q, count);
        const sumAt = totals + (<usize>q << 3);
        let dSkip = v128.load(sumAt);
        let dBias = v128.load(sumAt, 16);
        spread(saved + at, 16, lines, 32, N);
        for (let i = 0; i < length; i++) {
          const t = from + i;
          const x = (<usize>t * D + d0 + q) << 2;
          const bc = (<usize>(t * G + g) * N) << 2;
          const uv = loadQuad(u + x, count);
          const raw = f32x4.add(loadQuad(delta + x, count), biasV);
          const dt = softplus ? softplusV(raw) : raw;
          const step = steps + (<usize>i << 4);
          const du = f32x4.mul(dt, uv);
          const bAt = fixedB ? bT + at : B + bc;
          const cAt = fixedC ? cT + at : C + bc;
          const line = lines + <usize>i * hop;
          let yv = splat(0);
          if (fixedB || fixedC) yv = recompute(dt, du, aT + at, bAt, cAt, line, hop, N, fixedB, fixedC, true);
          else if (z) yv = recompute(dt, du, aT + at, bAt, cAt, line, hop, N, false, false, true);
          else recompute(dt, du, aT + at, bAt, cAt, line, hop, N, false, false, false);
          let gy = loadQuad(dy + x, count);
          if (z) {
            const zv = loadQuad(z + x, count);
            const sig = sigmoidV(zv);
            yv = madd(skipV, uv, yv);
            const slope = f32x4.mul(sig, madd(zv, f32x4.sub(splat(1), sig), splat(1)));
            storeUpTo(dz + x, f32x4.mul(f32x4.mul(gy, yv), slope), count);
            gy = f32x4.mul(gy, f32x4.mul(zv, sig));
          }
          v128.store(step + DT, dt);
          v128.store(step + U, uv);
          v128.store(step + GY, gy);
          v128.store(step + SLOPE, softplus ? sigmoidV(raw) : splat(1));
        }
        for (let i = length - 1; i >= 0; i--) {
          const t = from + i;
          const x = (<usize>t * D + d0 + q) << 2;
          const bc = (<usize>(t * G + g) * N) << 2;
          const step = steps + (<usize>i << 4);
          const dt = v128.load(step + DT);
          const uv = v128.load(step + U);
          const gy = v128.load(step + GY);
          const du = f32x4.mul(dt, uv);
          const bAt = fixedB ? bT + at : B + bc;
          const cAt = fixedC ? cT + at : C + bc;
          const line = lines + <usize>i * hop;
          const sum = sums + <usize>i * hop;
          const carry = carries + 2 * at;
          if (fixedB || fixedC)
            retreat(dt, du, gy, aT + at, bAt, cAt, line, hop, sum, carry, dBf + at, dCf + at, N, fixedB, fixedC);
          else retreat(dt, du, gy, aT + at, bAt, cAt, line, hop, sum, carry, 0, 0, N, false, false);
          const duv = madd(dt, sumB, f32x4.mul(skipV, gy));
          const dd = f32x4.mul(madd(uv, sumB, f32x4.mul(sumA, splat(LN2))), v128.load(step + SLOPE));
          storeUpTo(dU + x, duv, count);
          storeUpTo(ddelta + x, dd, count);
          dSkip = madd(gy, uv, dSkip);
          dBias = f32x4.add(dBias, dd);
        }
        v128.store(sumAt, dSkip);
        v128.store(sumAt, dBias, 16);
      }
      for (let i = 0; i < length; i++) {
        const to = (<usize>(blk * rows + from + i) * G + g) * N;
        const sum = sums + <usize>i * hop;
        if (!fixedB) flush(sum, N, dB + (to << 2));
        if (!fixedC) flush(sum + 16, N, dC + (to << 2));
      }
    }
    for (let q = 0; q < width; q += 4) {
      const at = <usize>(q >> 2) * quad;
      const count = width - q;
      const channel = <usize>part * D + d0 + q;
      const state = (channel * N) << 2;
      spread(carries + 2 * at + 16, 32, one, 16, N);
      scatterQuad(one, N, count, dA + state);
      if (fixedB) scatterQuad(dBf + at, N, count, dB + state);
      if (fixedC) scatterQuad(dCf + at, N, count, dC + state);
      if (dh0 && t0 == first) {
        spread(carries + 2 * at, 32, one, 16, N);
        scatterQuad(one, N, count, dh0 + (((<usize>s * D + d0 + q) * N) << 2));
      }
      const sumAt = totals + (<usize>q << 3);
      if (dskip) storeUpTo(dskip + (channel << 2), v128.load(sumAt), count);
      if (dbias) storeUpTo(dbias + (channel << 2), v128.load(sumAt, 16), count);
    }
  }
}
