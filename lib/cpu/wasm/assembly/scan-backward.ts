// Selective scan, backward. Chunks of 16 steps from the last to the first: states are recomputed from the stored
// one, then G_t = gy_t C_t + a_{t+1} G_{t+1} runs back. Sums over channels (dB, dC) are kept in four lanes for the
// block and written as one partial per block; sums over time (dA, dD, dbias) as one partial per sequence.
import { exp2V, hsum, madd, sigmoidV, softplusV, splat, storeUpTo } from './math';
import { scratch } from './scratch';
import {
  blocksOf, CHUNK, FIXED_B, FIXED_C, gatherQuad, LN2, loadQuad, LOG2E, optional, quadBytes, scatterQuad,
  sequenceStart, slotOf, SOFTPLUS, WIDTH,
} from './scan-common';

// Per-step vectors of a quad, 16 bytes each, CHUNK of each.
const DT: usize = 0;
const U: usize = 1 << 8;
const GY: usize = 2 << 8;
const SLOPE: usize = 3 << 8;
const STEP_BYTES: usize = 4 << 8;

/** Recomputes a chunk of one quad: h_{t-1} to p, e^(dt A) to e; returns nothing, leaves the last state in h. */
// @ts-ignore: decorator
@inline function recompute(
  dt: v128, du: v128, a: usize, h: usize, b: usize, c: usize, p: usize, e: usize, N: i32, flags: i32, gated: bool,
): v128 {
  let y = splat(0);
  for (let n = 0; n < N; n++) {
    const at = <usize>n << 4;
    const bv = flags & FIXED_B ? v128.load(b + at) : v128.load32_splat(b + (<usize>n << 2));
    const decay = exp2V(f32x4.mul(dt, v128.load(a + at)));
    const before = v128.load(h + at);
    v128.store(p + at, before);
    v128.store(e + at, decay);
    const next = madd(decay, before, f32x4.mul(du, bv));
    v128.store(h + at, next);
    if (gated) {
      const cv = flags & FIXED_C ? v128.load(c + at) : v128.load32_splat(c + (<usize>n << 2));
      y = madd(cv, next, y);
    }
  }
  return y;
}

let sumB: v128 = splat(0);
let sumA: v128 = splat(0);

/**
 * One step back for one quad. p: h_{t-1}, hNow: h_t, e: decays, g: carried adjoint, dB, dC, dA: accumulators.
 * Leaves sum_n G B in sumB and sum_n G a h_{t-1} A log2(e) in sumA.
 */
// @ts-ignore: decorator
@inline function retreat(
  dt: v128, du: v128, gy: v128, a: usize, b: usize, c: usize, p: usize, hNow: usize, e: usize, g: usize,
  dB: usize, dC: usize, dA: usize, N: i32, flags: i32,
): void {
  let sb = splat(0);
  let sa = splat(0);
  for (let n = 0; n < N; n++) {
    const at = <usize>n << 4;
    const bv = flags & FIXED_B ? v128.load(b + at) : v128.load32_splat(b + (<usize>n << 2));
    const cv = flags & FIXED_C ? v128.load(c + at) : v128.load32_splat(c + (<usize>n << 2));
    const G = madd(gy, cv, v128.load(g + at));
    v128.store(dC + at, madd(gy, v128.load(hNow + at), v128.load(dC + at)));
    v128.store(dB + at, madd(G, du, v128.load(dB + at)));
    sb = madd(G, bv, sb);
    const back = f32x4.mul(G, v128.load(e + at));
    v128.store(g + at, back);
    const w = f32x4.mul(back, v128.load(p + at));
    sa = madd(w, v128.load(a + at), sa);
    v128.store(dA + at, madd(w, dt, v128.load(dA + at)));
  }
  sumB = sb;
  sumA = sa;
}

/** Lane sums of count accumulators to f32. */
function flush(from: usize, count: i32, to: usize): void {
  for (let i = 0; i < count; i++) store<f32>(to + (<usize>i << 2), hsum(v128.load(from + (<usize>i << 4))));
}

/**
 * Layouts as in selectiveScan. dy [rows, D], dfinal [S, D, N]. Written per unit: du, ddelta, dz [rows, D]; dh0
 * [S, D, N]; dA, and dB, dC if fixed, as [S, D, N] and dD, dbias as [S, D] (one partial per sequence); dB, dC if
 * varying as [blocks, rows, G, N] (`rows` rows in all), one partial per block of 64 channels.
 */
export function selectiveScanBackward(
  start: i32, end: i32, u: usize, delta: usize, A: usize, B: usize, C: usize, skip: usize, z: usize, bias: usize,
  checkpoints: usize, dy: usize, dfinal: usize, du: usize, ddelta: usize, dA: usize, dB: usize, dC: usize,
  dskip: usize, dz: usize, dbias: usize, dh0: usize, T: i32, D: i32, N: i32, G: i32, cu: usize, flags: i32,
  rows: i32,
): void {
  const blocks = blocksOf(D, G);
  const perGroup = D / G;
  const quad = quadBytes(N);
  const block = quad * (WIDTH / 4);
  const chunkBytes = quad * CHUNK;
  const steps = scratch();
  const pT = steps + STEP_BYTES;
  const eT = pT + chunkBytes + quad;
  const dBt = eT + chunkBytes;
  const dCt = dBt + chunkBytes;
  const aT = dCt + chunkBytes;
  const gT = aT + block;
  const dAt = gT + block;
  const bT = dAt + block;
  const cT = bT + block;
  const dBf = cT + block;
  const dCf = dBf + block;
  const sums = dCf + block;
  const quadsAll = G * ((perGroup + 3) / 4);
  for (let unit = start; unit < end; unit++) {
    const s = unit / (G * blocks);
    const g = (unit / blocks) % G;
    const blk = unit % blocks;
    const inGroup = blk * WIDTH;
    const d0 = g * perGroup + inGroup;
    const width = min(WIDTH, perGroup - inGroup);
    const t0 = sequenceStart(cu, s, T);
    const t1 = sequenceStart(cu, s + 1, T);
    const firstQuad = g * ((perGroup + 3) / 4) + inGroup / 4;
    for (let q = 0; q < width; q += 4) {
      const at = <usize>(q >> 2) * quad;
      const channel = (<usize>(d0 + q) * N) << 2;
      const count = width - q;
      gatherQuad(A + channel, N, count, LOG2E, aT + at);
      gatherQuad(dfinal ? dfinal + (((<usize>s * D + d0 + q) * N) << 2) : 0, N, count, 1, gT + at);
      if (flags & FIXED_B) gatherQuad(B + channel, N, count, 1, bT + at);
      if (flags & FIXED_C) gatherQuad(C + channel, N, count, 1, cT + at);
    }
    memory.fill(dAt, 0, block);
    memory.fill(dBf, 0, 2 * block);
    memory.fill(sums, 0, 2 * WIDTH * 4);
    const chunks = (t1 - t0 + CHUNK - 1) / CHUNK;
    for (let c = chunks - 1; c >= 0; c--) {
      const from = t0 + c * CHUNK;
      const length = min(CHUNK, t1 - from);
      const saved = checkpoints + (<usize>slotOf(t0, s, c) * quadsAll + firstQuad) * quad;
      memory.fill(dBt, 0, 2 * chunkBytes);
      for (let q = 0; q < width; q += 4) {
        const count = width - q;
        const at = <usize>(q >> 2) * quad;
        const hT = pT + <usize>length * quad;
        const biasV = optional(bias, d0 + q, count);
        const skipV = optional(skip, d0 + q, count);
        const sumAt = sums + (<usize>q << 3);
        let dSkip = v128.load(sumAt);
        let dBias = v128.load(sumAt, 16);
        // The running state sits in the last slot of p until the chunk ends there.
        memory.copy(hT, saved + at, quad);
        for (let i = 0; i < length; i++) {
          const t = from + i;
          const x = (<usize>t * D + d0 + q) << 2;
          const bc = (<usize>(t * G + g) * N) << 2;
          const uv = loadQuad(u + x, count);
          const raw = f32x4.add(loadQuad(delta + x, count), biasV);
          const softplus = (flags & SOFTPLUS) != 0;
          const dt = softplus ? softplusV(raw) : raw;
          const step = steps + (<usize>i << 4);
          const bAt = flags & FIXED_B ? bT + at : B + bc;
          const cAt = flags & FIXED_C ? cT + at : C + bc;
          const p = pT + <usize>i * quad;
          const e = eT + <usize>i * quad;
          let yv = recompute(dt, f32x4.mul(dt, uv), aT + at, hT, bAt, cAt, p, e, N, flags, z != 0);
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
          const bAt = flags & FIXED_B ? bT + at : B + bc;
          const cAt = flags & FIXED_C ? cT + at : C + bc;
          const line = <usize>i * quad;
          const dBat = flags & FIXED_B ? dBf + at : dBt + line;
          const dCat = flags & FIXED_C ? dCf + at : dCt + line;
          retreat(
            dt, f32x4.mul(dt, uv), gy, aT + at, bAt, cAt, pT + line, pT + line + quad, eT + line, gT + at, dBat,
            dCat, dAt + at, N, flags,
          );
          const duv = madd(dt, sumB, f32x4.mul(skipV, gy));
          const dd = f32x4.mul(madd(uv, sumB, f32x4.mul(sumA, splat(LN2))), v128.load(step + SLOPE));
          storeUpTo(du + x, duv, count);
          storeUpTo(ddelta + x, dd, count);
          dSkip = madd(gy, uv, dSkip);
          dBias = f32x4.add(dBias, dd);
        }
        v128.store(sumAt, dSkip);
        v128.store(sumAt, dBias, 16);
      }
      for (let i = 0; i < length; i++) {
        const to = (<usize>(blk * rows + from + i) * G + g) * N;
        const line = <usize>i * quad;
        if (!(flags & FIXED_B)) flush(dBt + line, N, dB + (to << 2));
        if (!(flags & FIXED_C)) flush(dCt + line, N, dC + (to << 2));
      }
    }
    for (let q = 0; q < width; q += 4) {
      const at = <usize>(q >> 2) * quad;
      const count = width - q;
      const channel = <usize>s * D + d0 + q;
      const state = (channel * N) << 2;
      scatterQuad(dAt + at, N, count, dA + state);
      if (flags & FIXED_B) scatterQuad(dBf + at, N, count, dB + state);
      if (flags & FIXED_C) scatterQuad(dCf + at, N, count, dC + state);
      if (dh0) scatterQuad(gT + at, N, count, dh0 + state);
      const sumAt = sums + (<usize>q << 3);
      if (dskip) storeUpTo(dskip + (channel << 2), v128.load(sumAt), count);
      if (dbias) storeUpTo(dbias + (channel << 2), v128.load(sumAt, 16), count);
    }
  }
}
