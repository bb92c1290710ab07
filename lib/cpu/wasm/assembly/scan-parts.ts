// Selective scan over parts of time that run at once. A part maps the state h before it to E h + b, where E is its
// decay and b its last state from zero: first the pairs (E, b) of all parts (reduce), then the state before every
// part (carry), then the ordinary scan within the parts. The adjoint takes the same way back.
import { exp2V, loadUpTo, madd, sigmoidV, splat, storeUpTo } from './math';
import { scratch } from './scratch';
import { stage } from './scan-forward';
import {
  blocksOf, CHUNK, FIXED_B, FIXED_C, gatherQuad, loadQuad, LOG2E, partEnd, partSequence, partStart, PRODUCT,
  quadBytes, REVERSE, scatterQuad, sequenceStart, WIDTH,
} from './scan-common';

/** One step of one quad, h = e h + x v, or back, h = e (h + x v); product (if any) gets multiplied by e. */
// @ts-ignore: decorator
@inline function fold(
  dt: v128, x: v128, a: usize, h: usize, v: usize, product: usize, N: i32, fixed: bool, reverse: bool, multiply: bool,
): void {
  for (let n = 0; n < N; n++) {
    const at = <usize>n << 4;
    const e = exp2V(f32x4.mul(dt, v128.load(a + at)));
    const drive = f32x4.mul(x, fixed ? v128.load(v + at) : v128.load32_splat(v + (<usize>n << 2)));
    const before = v128.load(h + at);
    v128.store(h + at, reverse ? f32x4.mul(e, f32x4.add(before, drive)) : madd(e, before, drive));
    if (multiply) v128.store(product + at, f32x4.mul(v128.load(product + at), e));
  }
}

/** d_t and gy_t = dy_t silu(z_t) of a chunk, [step][quad][2], as the backward pass computes them. */
function stageBack(
  delta: usize, dy: usize, z: usize, bias: usize, length: i32, width: i32, D: i32, flags: i32, steps: usize,
): void {
  stage(dy, delta, bias, length, width, D, flags, steps);
  for (let i = 0; i < length; i++) {
    for (let q = 0; q < width; q += 4) {
      const at = (<usize>i * D + q) << 2;
      const count = width - q;
      let gy = loadQuad(dy + at, count);
      if (z) {
        const zv = loadQuad(z + at, count);
        gy = f32x4.mul(gy, f32x4.mul(zv, sigmoidV(zv)));
      }
      v128.store(steps + (<usize>(i * WIDTH + q) << 3), gy, 16);
    }
  }
}

/**
 * The pairs of all parts but the last of each sequence. x, V: u and B. ends [parts, D, N]: row p + 1 gets the last
 * state of part p from zero. decays: the sums of its steps [parts, D], or with flag 8 the products of its decays
 * [parts, D, N]. With flag 16 the same of the adjoint: x, V are dy and C, z the gate, all parts but the first of each
 * sequence, and row p - 1 gets what part p hands to the part before it.
 */
export function selectiveScanReduce(
  start: i32, end: i32, x: usize, delta: usize, A: usize, V: usize, z: usize, bias: usize, ends: usize,
  decays: usize, T: i32, D: i32, N: i32, G: i32, cu: usize, flags: i32, table: usize,
): void {
  const blocks = blocksOf(D, G);
  const perGroup = D / G;
  const quad = quadBytes(N);
  const block = quad * (WIDTH / 4);
  const aT = scratch();
  const hT = aT + block;
  const vT = hT + block;
  const pT = vT + block;
  const sums = pT + block;
  const steps = sums + WIDTH * 4;
  const reverse = (flags & REVERSE) != 0;
  const product = (flags & PRODUCT) != 0;
  const fixed = (flags & (reverse ? FIXED_C : FIXED_B)) != 0;
  for (let unit = start; unit < end; unit++) {
    const part = unit / (G * blocks);
    const s = partSequence(table, part);
    const t0 = partStart(table, cu, part, T);
    const t1 = partEnd(table, cu, part, T);
    if (reverse ? t0 == sequenceStart(cu, s, T) : t1 == sequenceStart(cu, s + 1, T)) continue;
    const g = (unit / blocks) % G;
    const inGroup = (unit % blocks) * WIDTH;
    const d0 = g * perGroup + inGroup;
    const width = min(WIDTH, perGroup - inGroup);
    for (let q = 0; q < width; q += 4) {
      const channel = (<usize>(d0 + q) * N) << 2;
      gatherQuad(A + channel, N, width - q, LOG2E, aT + <usize>(q >> 2) * quad);
      if (fixed) gatherQuad(V + channel, N, width - q, 1, vT + <usize>(q >> 2) * quad);
    }
    memory.fill(hT, 0, block);
    memory.fill(sums, 0, WIDTH * 4);
    for (let at = pT; at < pT + block; at += 16) v128.store(at, splat(1));
    const chunks = (t1 - t0 + CHUNK - 1) / CHUNK;
    for (let k = 0; k < chunks; k++) {
      const from = t0 + (reverse ? chunks - 1 - k : k) * CHUNK;
      const length = min(CHUNK, t1 - from);
      const row = (<usize>from * D + d0) << 2;
      const biasAt = bias ? bias + (<usize>d0 << 2) : 0;
      if (reverse) stageBack(delta + row, x + row, z ? z + row : 0, biasAt, length, width, D, flags, steps);
      else stage(x + row, delta + row, biasAt, length, width, D, flags, steps);
      for (let j = 0; j < length; j++) {
        const i = reverse ? length - 1 - j : j;
        const vt = V + ((<usize>((from + i) * G + g) * N) << 2);
        for (let q = 0; q < width; q += 4) {
          const at = <usize>(q >> 2) * quad;
          const step = steps + (<usize>(i * WIDTH + q) << 3);
          const dt = v128.load(step);
          const xv = v128.load(step, 16);
          const sum = sums + (<usize>q << 2);
          if (product || fixed) fold(dt, xv, aT + at, hT + at, fixed ? vT + at : vt, pT + at, N, fixed, reverse, product);
          else if (reverse) fold(dt, xv, aT + at, hT + at, vt, 0, N, false, true, false);
          else fold(dt, xv, aT + at, hT + at, vt, 0, N, false, false, false);
          v128.store(sum, f32x4.add(v128.load(sum), dt));
        }
      }
    }
    for (let q = 0; q < width; q += 4) {
      const at = <usize>(q >> 2) * quad;
      const channel = <usize>part * D + d0 + q;
      const to = <usize>(reverse ? part - 1 : part + 1) * D + d0 + q;
      scatterQuad(hT + at, N, width - q, ends + ((to * N) << 2));
      if (product) scatterQuad(pT + at, N, width - q, decays + ((channel * N) << 2));
      else storeUpTo(decays + (channel << 2), v128.load(sums + (<usize>q << 2)), width - q);
    }
  }
}

/**
 * ends [parts, D, N] becomes the state before each part: the initial state [S, D, N] (or zero) in the first row of a
 * sequence, then row p + 1 += decay of part p times row p; with flag 16 from the last row down. Units: S * D channels;
 * firsts i32 [S + 1]: the first part of each sequence.
 */
export function selectiveScanCarry(
  start: i32, end: i32, initial: usize, A: usize, ends: usize, decays: usize, D: i32, N: i32, firsts: usize, flags: i32,
): void {
  const reverse = (flags & REVERSE) != 0;
  for (let unit = start; unit < end; unit++) {
    const s = unit / D;
    const d = unit % D;
    const first = load<i32>(firsts + (<usize>s << 2));
    const parts = load<i32>(firsts + (<usize>s << 2), 4) - first;
    const hop = <usize>D * N << 2;
    for (let n = 0; n < N; n += 4) {
      const count = N - n;
      const rate = f32x4.mul(loadUpTo(A + ((<usize>d * N + n) << 2), count), splat(LOG2E));
      let h = initial ? loadUpTo(initial + ((<usize>unit * N + n) << 2), count) : splat(0);
      for (let k = 0; k < parts; k++) {
        const part = reverse ? first + parts - 1 - k : first + k;
        const channel = <usize>part * D + d;
        const at = ends + ((channel * N + n) << 2);
        const next = reverse ? at - hop : at + hop;
        storeUpTo(at, h, count);
        if (k + 1 == parts) break;
        const e = flags & PRODUCT
          ? loadUpTo(decays + ((channel * N + n) << 2), count)
          : exp2V(f32x4.mul(v128.load32_splat(decays + (channel << 2)), rate));
        // Growing decays overflow over a long part; a zero state stays zero.
        h = madd(v128.andnot(e, f32x4.eq(h, splat(0))), h, loadUpTo(next, count));
      }
    }
  }
}
