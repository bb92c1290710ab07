// What the kernels of the diagonal-plus-low-rank recurrence share:
// S_t = Diag(e^g) S_{t-1} + b (a^T S_{t-1}) + k v^T, y = scale S_t^T q.
// q, k, a, b, g [rows, H, K]; v, y [rows, H, V]; states [., H, K, V]. Tokens are taken in chunks of 16.
import { expV, hsum, loadUpTo, splat, storeUpTo } from './math';

/** Tokens of a chunk. */
export const CHUNK: i32 = 16;
/** Most columns of the values that are worked on together. */
export const WIDTH: i32 = 64;
/** Tokens between kept states. */
export const KEPT: i32 = 64;

// Parts of the rows of a chunk, each [CHUNK][lanes].
export const Q: i32 = 0;
export const KEY: i32 = 1;
export const A: i32 = 2;
export const B: i32 = 3;
export const KEEP: i32 = 4;

// @ts-ignore: decorator
@inline export function lanesOf(K: i32): i32 {
  return (K + 3) & ~3;
}

/** Units of the forward kernels: sequences x heads x tiles of the values. */
export function dplrUnits(S: i32, H: i32, V: i32): i32 {
  return S * H * ((V + WIDTH - 1) / WIDTH);
}

/** Chunks of a kept state whose areas fit into the scratch memory together; K is at most 256. */
// @ts-ignore: decorator
@inline export function groupOf(K: i32): i32 {
  return K <= 128 ? KEPT / CHUNK : 2;
}

/** First kept state of the sequence that starts at row `start`. */
// @ts-ignore: decorator
@inline export function keptSlot(start: i32, s: i32): i32 {
  return start / KEPT + s;
}

/** Rows [n][count] from `row` bytes apart to rows of `lanes`, times `scale`, zero-padded. */
export function takeRows(from: usize, row: usize, n: i32, count: i32, lanes: i32, scale: f32, to: usize): void {
  for (let t = 0; t < n; t++) {
    for (let l = 0; l < lanes; l += 4) {
      const x = l < count ? loadUpTo(from + (<usize>l << 2), count - l) : splat(0);
      v128.store(to + (<usize>l << 2), f32x4.mul(x, splat(scale)));
    }
    from += row;
    to += <usize>lanes << 2;
  }
}

/** Rows of e^g, zero-padded. */
export function takeDecays(from: usize, row: usize, n: i32, count: i32, lanes: i32, to: usize): void {
  for (let t = 0; t < n; t++) {
    for (let l = 0; l < lanes; l += 4) {
      const at = <usize>l << 2;
      v128.store(to + at, expV(loadUpTo(from + at, count - l)));
    }
    from += row;
    to += <usize>lanes << 2;
  }
}

/** Rows of the chunk of n tokens from token row p of head h: [5][CHUNK][lanes]. */
export function takeChunk(
  rows: usize, q: usize, k: usize, a: usize, b: usize, g: usize, p: i32, n: i32, H: i32, h: i32, K: i32, scale: f32,
): void {
  const lanes = lanesOf(K);
  const part = (<usize>(CHUNK * lanes)) << 2;
  const at = ((<usize>p * H + h) * K) << 2;
  const row = (<usize>H * K) << 2;
  takeRows(q + at, row, n, K, lanes, scale, rows + <usize>Q * part);
  takeRows(k + at, row, n, K, lanes, 1, rows + <usize>KEY * part);
  takeRows(a + at, row, n, K, lanes, 1, rows + <usize>A * part);
  takeRows(b + at, row, n, K, lanes, 1, rows + <usize>B * part);
  takeDecays(g + at, row, n, K, lanes, rows + <usize>KEEP * part);
}

/** Columns [first, first + width) of a matrix [K][V] as [K][stride]; zeros when absent. */
export function takeState(from: usize, K: i32, V: i32, width: i32, stride: i32, to: usize): void {
  for (let i = 0; i < K; i++) {
    for (let j = 0; j < stride; j += 4) {
      const x = from && j < width ? loadUpTo(from + ((<usize>i * V + j) << 2), width - j) : splat(0);
      v128.store(to + ((<usize>i * stride + j) << 2), x);
    }
  }
}

/** The other way round. */
export function giveState(from: usize, K: i32, V: i32, width: i32, stride: i32, to: usize): void {
  for (let i = 0; i < K; i++) {
    for (let j = 0; j < width; j += 4) {
      storeUpTo(to + ((<usize>i * V + j) << 2), v128.load(from + ((<usize>i * stride + j) << 2)), width - j);
    }
  }
}

/** Rows [n][stride] to rows of `count` numbers `row` bytes apart, added when `add`. */
export function giveRows(from: usize, n: i32, count: i32, stride: i32, to: usize, row: usize, add: bool): void {
  for (let t = 0; t < n; t++) {
    for (let l = 0; l < count; l += 4) {
      const at = to + (<usize>l << 2);
      let x = v128.load(from + (<usize>l << 2));
      if (add) x = f32x4.add(loadUpTo(at, count - l), x);
      storeUpTo(at, x, count - l);
    }
    from += <usize>stride << 2;
    to += row;
  }
}

/** Row i of x [.][stride] times factors[i]. */
export function scaleRows(x: usize, K: i32, stride: i32, factors: usize): void {
  for (let i = 0; i < K; i++) {
    const f = v128.load32_splat(factors + (<usize>i << 2));
    for (let j = 0; j < stride; j += 4) {
      const at = x + ((<usize>i * stride + j) << 2);
      v128.store(at, f32x4.mul(v128.load(at), f));
    }
  }
}

/**
 * Decayed rows of a chunk: aq = [a e^(decays before i from the start); q e^(decays up to i)], each n rows;
 * kb = [k; b] e^(decays after i to the end).
 */
export function decayRows(rows: usize, n: i32, lanes: i32, aq: usize, kb: usize): void {
  const row = <usize>lanes << 2;
  const part = <usize>CHUNK * row;
  const second = <usize>n * row;
  for (let l = 0; l < lanes; l += 4) {
    const lane = <usize>l << 2;
    let head = splat(1);
    let tail = splat(1);
    for (let i = 0; i < n; i++) {
      const at = <usize>i * row + lane;
      v128.store(aq + at, f32x4.mul(v128.load(rows + <usize>A * part + at), head));
      head = f32x4.mul(head, v128.load(rows + <usize>KEEP * part + at));
      v128.store(aq + second + at, f32x4.mul(v128.load(rows + <usize>Q * part + at), head));
      const back = <usize>(n - 1 - i) * row + lane;
      v128.store(kb + back, f32x4.mul(v128.load(rows + <usize>KEY * part + back), tail));
      v128.store(kb + second + back, f32x4.mul(v128.load(rows + <usize>B * part + back), tail));
      tail = f32x4.mul(tail, v128.load(rows + <usize>KEEP * part + back));
    }
  }
}

/** Row length of the matrices of pairs, [2n][32]: rows a then q, columns k (or v) then b (or r) from n on. */
export const PAIR_ROW: usize = 128;

// @ts-ignore: decorator
@inline function put(m: usize, i: i32, j: i32, value: f32): void {
  store<f32>(m + <usize>i * PAIR_ROW + (<usize>j << 2), value);
}

/** Four sums at once: lane by lane (x0 + x1) + (x2 + x3) of each. */
// @ts-ignore: decorator
@inline export function hsum4(a: v128, b: v128, c: v128, d: v128): v128 {
  const t0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const t1 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const t2 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const t3 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  return f32x4.add(
    f32x4.add(v128.shuffle<f32>(t0, t1, 0, 1, 4, 5), v128.shuffle<f32>(t0, t1, 2, 3, 6, 7)),
    f32x4.add(v128.shuffle<f32>(t2, t3, 0, 1, 4, 5), v128.shuffle<f32>(t2, t3, 2, 3, 6, 7)),
  );
}

/** The triangular matrices of a chunk; `z` holds two rows. Upper triangles become 0. */
export function dplrPairs(rows: usize, n: i32, lanes: i32, m: usize, z: usize): void {
  const row = <usize>lanes << 2;
  const part = <usize>CHUNK * row;
  const qs = rows + <usize>Q * part;
  const as = rows + <usize>A * part;
  const keeps = rows + <usize>KEEP * part;
  memory.fill(m, 0, 2 * <usize>n * PAIR_ROW);
  for (let j = 0; j < n; j++) {
    const from = <usize>j * row;
    const ks = rows + <usize>KEY * part + from;
    const bs = rows + <usize>B * part + from;
    let qk = splat(0);
    let qb = splat(0);
    for (let at: usize = 0; at < row; at += 16) {
      const k = v128.load(ks + at);
      const b = v128.load(bs + at);
      const q = v128.load(qs + from + at);
      qk = f32x4.add(qk, f32x4.mul(q, k));
      qb = f32x4.add(qb, f32x4.mul(q, b));
      v128.store(z + at, k);
      v128.store(z + row + at, b);
    }
    put(m, n + j, j, hsum(qk));
    put(m, n + j, n + j, hsum(qb));
    for (let i = j + 1; i < n; i++) {
      const line = <usize>i * row;
      let ak = splat(0);
      let ab = splat(0);
      qk = splat(0);
      qb = splat(0);
      for (let at: usize = 0; at < row; at += 16) {
        let k = v128.load(z + at);
        let b = v128.load(z + row + at);
        const a = v128.load(as + line + at);
        ak = f32x4.add(ak, f32x4.mul(a, k));
        ab = f32x4.add(ab, f32x4.mul(a, b));
        const keep = v128.load(keeps + line + at);
        k = f32x4.mul(k, keep);
        b = f32x4.mul(b, keep);
        v128.store(z + at, k);
        v128.store(z + row + at, b);
        const q = v128.load(qs + line + at);
        qk = f32x4.add(qk, f32x4.mul(q, k));
        qb = f32x4.add(qb, f32x4.mul(q, b));
      }
      const sums = hsum4(ak, ab, qk, qb);
      put(m, i, j, f32x4.extract_lane(sums, 0));
      put(m, i, n + j, f32x4.extract_lane(sums, 1));
      put(m, n + i, j, f32x4.extract_lane(sums, 2));
      put(m, n + i, n + j, f32x4.extract_lane(sums, 3));
    }
  }
}

/** r_i = entering_i + sum over j < i of ak v_j + ab r_j; vr holds v in its first n rows and gets r in the others. */
export function dplrSolve(m: usize, n: i32, entering: usize, vr: usize, stride: i32): void {
  const row = <usize>stride << 2;
  const second = <usize>n * row;
  for (let i = 0; i < n; i++) {
    const line = m + <usize>i * PAIR_ROW;
    for (let at: usize = 0; at < row; at += 32) {
      let x0 = v128.load(entering + <usize>i * row + at);
      let x1 = v128.load(entering + <usize>i * row + at, 16);
      let v = vr + at;
      for (let j = 0; j < i; j++) {
        const k = v128.load32_splat(line + (<usize>j << 2));
        const b = v128.load32_splat(line + (<usize>(n + j) << 2));
        x0 = f32x4.add(x0, f32x4.mul(k, v128.load(v)));
        x1 = f32x4.add(x1, f32x4.mul(k, v128.load(v, 16)));
        x0 = f32x4.add(x0, f32x4.mul(b, v128.load(v + second)));
        x1 = f32x4.add(x1, f32x4.mul(b, v128.load(v + second, 16)));
        v += row;
      }
      v128.store(vr + second + <usize>i * row + at, x0);
      v128.store(vr + second + <usize>i * row + at, x1, 16);
    }
  }
}
