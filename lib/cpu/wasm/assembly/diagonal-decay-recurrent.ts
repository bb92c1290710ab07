// Linear attention with diagonal decay token by token, forward and backward: sizes of any kind, and one token at a time.
import { hsum, loadUpTo, splat, storeUpTo } from './math';
import { scratch } from './scratch';
import { CHUNK, decayLanes, firstRow, inner, keptRow } from './diagonal-decay-common';

/** Floats of the states of 64 tokens in scratch, and most lanes of K that are worked on at once. */
const ROOM: i32 = 160000;
const WIDEST: i32 = 64;

/** One token of one head: S_c = a_c S_c + k_c v; y = sum_c q_c S_c (with u: q_c of the state before, plus `direct` v). */
// @ts-ignore: decorator
@inline function token(
  S: usize, a: usize, q: usize, k: usize, v: usize, y: usize, K: i32, V: i32, scale: f32, exclusive: i32,
  direct: f32,
): void {
  const row = <usize>V << 2;
  for (let e = 0; e < V; e += 4) {
    const at = <usize>e << 2;
    const x = loadUpTo(v + at, V - e);
    let sum = splat(0);
    let s = S + at;
    const whole = V - e >= 4;
    for (let c = 0; c < K; c++) {
      const lane = <usize>c << 2;
      const before = whole ? v128.load(s) : loadUpTo(s, V - e);
      const kx = f32x4.mul(v128.load32_splat(k + lane), x);
      const after = f32x4.add(f32x4.mul(v128.load32_splat(a + lane), before), kx);
      sum = f32x4.add(sum, f32x4.mul(v128.load32_splat(q + lane), exclusive ? before : after));
      if (whole) v128.store(s, after);
      else storeUpTo(s, after, V - e);
      s += row;
    }
    if (exclusive) sum = f32x4.add(sum, f32x4.mul(splat(direct), x));
    storeUpTo(y + at, f32x4.mul(sum, splat(scale)), V - e);
  }
}

/** The same token by token: any sizes. kept as in diagonalDecay. */
export function diagonalDecayRecurrent(
  start: i32, end: i32, q: usize, k: usize, v: usize, g: usize, u: usize, h0: usize, y: usize, final: usize,
  kept: usize, T: i32, H: i32, K: i32, V: i32, cu: usize, decayRow: i32, scale: f32,
): void {
  const a = scratch();
  const stateBytes = (<usize>K * <usize>V) << 2;
  for (let unit = start; unit < end; unit++) {
    const s = unit / H;
    const h = unit - s * H;
    const first = firstRow(cu, s, T);
    const last = firstRow(cu, s + 1, T);
    const S = final + <usize>unit * stateBytes;
    const ownLanes = (<usize>h * K) << 2;
    if (h0) memory.copy(S, h0 + <usize>unit * stateBytes, stateBytes);
    else memory.fill(S, 0, stateBytes);
    if (!decayRow) decayLanes(g + ownLanes, a, K);
    for (let t = first; t < last; t++) {
      const n = t - first;
      if (kept != 0 && n % CHUNK == 0) {
        memory.copy(kept + (<usize>keptRow(first, s, n / CHUNK) * H + h) * stateBytes, S, stateBytes);
      }
      const head = <usize>(t * H + h);
      const at = (head * K) << 2;
      if (decayRow) decayLanes(g + at, a, K);
      let direct = splat(0);
      for (let c = 0; c < K && u != 0; c += 4) {
        const lane = <usize>c << 2;
        const qk = f32x4.mul(loadUpTo(q + at + lane, K - c), loadUpTo(k + at + lane, K - c));
        direct = f32x4.add(direct, f32x4.mul(qk, loadUpTo(u + ownLanes + lane, K - c)));
      }
      const values = (head * V) << 2;
      if (u) token(S, a, q + at, k + at, v + values, y + values, K, V, scale, 1, hsum(direct));
      else token(S, a, q + at, k + at, v + values, y + values, K, V, scale, 0, 0);
    }
  }
}

/** Lanes [c0, c0 + n) of a chunk of m tokens, from S before it; G is the adjoint after it, then before it. */
function lanesBackward(
  q: usize, k: usize, v: usize, g: usize, u: usize, S: usize, dy: usize, G: usize, dq: usize, dk: usize, dv: usize,
  dg: usize, du: usize, m: i32, c0: i32, n: i32, H: i32, K: i32, V: i32, varies: i32, scale: f32,
): void {
  const lanes = <usize>n << 2;
  const line = <usize>V << 2;
  const size = <usize>n * line;
  const keyStep = (<usize>H * K) << 2;
  const valueStep = (<usize>H * V) << 2;
  const a = scratch();
  const states = a + <usize>CHUNK * (WIDEST * 4);
  memory.copy(states, S, size);
  for (let t = 0; t < m; t++) {
    const from = states + <usize>t * size;
    const decays = a + <usize>t * (WIDEST * 4);
    decayLanes(g + (varies ? <usize>t * keyStep : 0), decays, n);
    for (let c: usize = 0; c < lanes; c += 4) {
      const factor = v128.load32_splat(decays + c);
      const key = v128.load32_splat(k + <usize>t * keyStep + c);
      const at = from + (c >> 2) * line;
      for (let e = 0; e < V; e += 4) {
        const p = at + (<usize>e << 2);
        const x = loadUpTo(v + <usize>t * valueStep + (<usize>e << 2), V - e);
        const next = f32x4.add(f32x4.mul(factor, loadUpTo(p, V - e)), f32x4.mul(key, x));
        storeUpTo(p + size, next, V - e);
      }
    }
  }
  for (let t = m - 1; t >= 0; t--) {
    const dyAt = dy + <usize>t * valueStep;
    const vAt = v + <usize>t * valueStep;
    const dvAt = dv + <usize>t * valueStep;
    const keys = <usize>t * keyStep;
    const along = u ? scale * inner(vAt, dyAt, V) : 0;
    if (c0 == 0) memory.fill(dvAt, 0, line);
    for (let c: usize = 0; c < lanes; c += 4) {
      const before = states + <usize>t * size + (c >> 2) * line;
      const read = u ? before : before + size;
      const decay = load<f32>(a + <usize>t * (WIDEST * 4) + c);
      const qc = load<f32>(q + keys + c);
      const kc = load<f32>(k + keys + c);
      const uc: f32 = u ? load<f32>(u + c) : 0;
      const query = splat(scale * qc);
      const direct = splat(scale * qc * kc * uc);
      let sumQ = splat(0);
      let sumK = splat(0);
      let sumG = splat(0);
      for (let e = 0; e < V; e += 4) {
        const at = <usize>e << 2;
        const rest = V - e;
        const row = G + (c >> 2) * line + at;
        const out = loadUpTo(dyAt + at, rest);
        let x = loadUpTo(row, rest);
        const push = f32x4.mul(query, out);
        if (!u) x = f32x4.add(x, push);
        sumQ = f32x4.add(sumQ, f32x4.mul(loadUpTo(read + at, rest), out));
        sumK = f32x4.add(sumK, f32x4.mul(x, loadUpTo(vAt + at, rest)));
        sumG = f32x4.add(sumG, f32x4.mul(x, loadUpTo(before + at, rest)));
        let value = f32x4.add(loadUpTo(dvAt + at, rest), f32x4.mul(x, splat(kc)));
        if (u) value = f32x4.add(value, f32x4.mul(direct, out));
        storeUpTo(dvAt + at, value, rest);
        x = f32x4.mul(x, splat(decay));
        storeUpTo(row, u ? f32x4.add(x, push) : x, rest);
      }
      store<f32>(dq + keys + c, scale * hsum(sumQ) + uc * kc * along);
      store<f32>(dk + keys + c, hsum(sumK) + uc * qc * along);
      const slope = decay * hsum(sumG);
      if (varies) store<f32>(dg + keys + c, slope);
      else store<f32>(dg + c, load<f32>(dg + c) + slope);
      if (du) store<f32>(du + c, load<f32>(du + c) + qc * kc * along);
    }
  }
}

/** Lanes of K that lanesBackward can take at once; 0: V is too large. */
export function diagonalDecayWidth(K: i32, V: i32): i32 {
  return min(min(K, WIDEST), ROOM / ((CHUNK + 1) * V));
}

/** Arguments as those of diagonalDecayBackward, without saved scores and temporary states. */
export function diagonalDecayRecurrentBackward(
  start: i32, end: i32, q: usize, k: usize, v: usize, g: usize, u: usize, kept: usize, dy: usize, dfinal: usize,
  dq: usize, dk: usize, dv: usize, dg: usize, du: usize, dh0: usize, T: i32, H: i32, K: i32, V: i32, cu: usize,
  varies: i32, scale: f32,
): void {
  const bytes = (<usize>K * <usize>V) << 2;
  const width = diagonalDecayWidth(K, V);
  for (let unit = start; unit < end; unit++) {
    const s = unit / H;
    const h = unit - s * H;
    const first = firstRow(cu, s, T);
    const last = firstRow(cu, s + 1, T);
    const G = dh0 + <usize>unit * bytes;
    const own = (<usize>h * K) << 2;
    const sums = (<usize>unit * K) << 2;
    if (dfinal) memory.copy(G, dfinal + <usize>unit * bytes, bytes);
    else memory.fill(G, 0, bytes);
    if (!varies) memory.fill(dg + sums, 0, <usize>K << 2);
    if (du) memory.fill(du + sums, 0, <usize>K << 2);
    for (let n = (last - first + CHUNK - 1) / CHUNK - 1; n >= 0; n--) {
      const t0 = first + n * CHUNK;
      const S = kept + (<usize>keptRow(first, s, n) * H + h) * bytes;
      const keys = (<usize>(t0 * H + h) * K) << 2;
      const values = (<usize>(t0 * H + h) * V) << 2;
      for (let c0 = 0; c0 < K; c0 += width) {
        const lane = <usize>c0 << 2;
        const rows = lane * V;
        const at = keys + lane;
        lanesBackward(
          q + at, k + at, v + values, g + (varies ? at : own + lane), u ? u + own + lane : 0, S + rows, dy + values,
          G + rows, dq + at, dk + at, dv + values, dg + (varies ? at : sums + lane), du ? du + sums + lane : 0,
          min(CHUNK, last - t0), c0, min(width, K - c0), H, K, V, varies, scale,
        );
      }
    }
  }
}
