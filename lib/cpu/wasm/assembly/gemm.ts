// Matrix product C = A B (+ bias row) (+ C) on strided operands. A tile is 64 x 256 outputs; K runs in blocks of
// 256, packed into panels of 4 rows of A and 8 columns of B. Each output is a sum over ascending k inside a block,
// blocks added in order, so its bits do not depend on the partition of the tiles.
import { hsum, splat } from './math';
import { scratch } from './scratch';

const MB: i32 = 64;
const NB: i32 = 256;
const KC: i32 = 256;
/** Scratch: B panels, then A panels, then one 4 x 8 tile. */
const A_AT: usize = 256 * 256 * 4;
const TILE_AT: usize = A_AT + 64 * 256 * 4;

/** Units of `gemm` for a batch of M x N products. */
export function gemmTiles(batch: i32, M: i32, N: i32): i32 {
  return batch * ((M + MB - 1) / MB) * ((N + NB - 1) / NB);
}

/** Packs `count` columns from b (element strides) as panels [k][8], zero-padded. */
export function packB(b: usize, bRow: i32, bCol: i32, count: i32, kc: i32, out: usize): void {
  const row = <usize>bRow << 2;
  const col = <usize>bCol << 2;
  for (let j = 0; j < count; j += 8) {
    const from = b + <usize>j * col;
    const width = count - j;
    if (width >= 8 && bCol == 1) {
      let at = from;
      for (let k = 0; k < kc; k++) {
        v128.store(out, v128.load(at));
        v128.store(out, v128.load(at, 16), 16);
        at += row;
        out += 32;
      }
    } else if (width >= 8 && bRow == 1) {
      pack4(from, col, kc, out, 32);
      pack4(from + 4 * col, col, kc, out + 16, 32);
      out += <usize>kc * 32;
    } else {
      for (let k = 0; k < kc; k++) {
        for (let lane = 0; lane < 8; lane++) {
          const value: f32 = lane < width ? load<f32>(from + <usize>k * row + <usize>lane * col) : 0;
          store<f32>(out + (<usize>lane << 2), value);
        }
        out += 32;
      }
    }
  }
}

/** Packs `count` rows from a as panels [k][4], zero-padded. */
export function packA(a: usize, aRow: i32, aCol: i32, count: i32, kc: i32, out: usize): void {
  const row = <usize>aRow << 2;
  const col = <usize>aCol << 2;
  for (let i = 0; i < count; i += 4) {
    const from = a + <usize>i * row;
    const height = count - i;
    if (height >= 4 && aCol == 1) pack4(from, row, kc, out, 16);
    else if (height >= 4 && aRow == 1) {
      for (let k = 0; k < kc; k++) v128.store(out + (<usize>k << 4), v128.load(from + <usize>k * col));
    } else {
      for (let k = 0; k < kc; k++) {
        for (let lane = 0; lane < 4; lane++) {
          const value: f32 = lane < height ? load<f32>(from + <usize>k * col + <usize>lane * row) : 0;
          store<f32>(out + (<usize>k << 4) + (<usize>lane << 2), value);
        }
      }
    }
    out += <usize>kc << 4;
  }
}

/** Transposes four lines `line` bytes apart, each contiguous in k, into [k][4] with `step` bytes between. */
function pack4(from: usize, line: usize, kc: i32, out: usize, step: usize): void {
  let k: i32 = 0;
  for (; k + 4 <= kc; k += 4) {
    const at = from + (<usize>k << 2);
    const r0 = v128.load(at);
    const r1 = v128.load(at + line);
    const r2 = v128.load(at + 2 * line);
    const r3 = v128.load(at + 3 * line);
    const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
    const t1 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
    const t2 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
    const t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
    v128.store(out, v128.shuffle<f32>(t0, t1, 0, 1, 4, 5));
    v128.store(out + step, v128.shuffle<f32>(t0, t1, 2, 3, 6, 7));
    v128.store(out + 2 * step, v128.shuffle<f32>(t2, t3, 0, 1, 4, 5));
    v128.store(out + 3 * step, v128.shuffle<f32>(t2, t3, 2, 3, 6, 7));
    out += 4 * step;
  }
  for (; k < kc; k++) {
    const at = from + (<usize>k << 2);
    for (let lane = 0; lane < 4; lane++) {
      store<f32>(out + (<usize>lane << 2), load<f32>(at + <usize>lane * line));
    }
    out += step;
  }
}

// @ts-ignore: decorator
@inline function put(c: usize, v: v128, add: bool, bias: usize): void {
  let out = v;
  if (add) out = f32x4.add(v128.load(c), out);
  if (bias) out = f32x4.add(out, v128.load(bias));
  v128.store(c, out);
}

/** A 4 x 8 tile over kc steps: packed a [k][4], b with bStep bytes between its rows of 8. */
export function micro(a: usize, b: usize, bStep: usize, kc: i32, c: usize, cRow: usize, add: bool, bias: usize): void {
  let c00 = splat(0);
  let c01 = splat(0);
  let c10 = splat(0);
  let c11 = splat(0);
  let c20 = splat(0);
  let c21 = splat(0);
  let c30 = splat(0);
  let c31 = splat(0);
  let s: v128;
  let b0: v128;
  let b1: v128;
  const end = a + (<usize>kc << 4);
  while (a < end) {
    b0 = v128.load(b);
    b1 = v128.load(b, 16);
    b += bStep;
    s = v128.load32_splat(a, 0);
    c00 = f32x4.add(c00, f32x4.mul(s, b0));
    c01 = f32x4.add(c01, f32x4.mul(s, b1));
    s = v128.load32_splat(a, 4);
    c10 = f32x4.add(c10, f32x4.mul(s, b0));
    c11 = f32x4.add(c11, f32x4.mul(s, b1));
    s = v128.load32_splat(a, 8);
    c20 = f32x4.add(c20, f32x4.mul(s, b0));
    c21 = f32x4.add(c21, f32x4.mul(s, b1));
    s = v128.load32_splat(a, 12);
    c30 = f32x4.add(c30, f32x4.mul(s, b0));
    c31 = f32x4.add(c31, f32x4.mul(s, b1));
    a += 16;
  }
  put(c, c00, add, bias);
  put(c + 16, c01, add, bias ? bias + 16 : 0);
  put(c + cRow, c10, add, bias);
  put(c + cRow + 16, c11, add, bias ? bias + 16 : 0);
  put(c + 2 * cRow, c20, add, bias);
  put(c + 2 * cRow + 16, c21, add, bias ? bias + 16 : 0);
  put(c + 3 * cRow, c30, add, bias);
  put(c + 3 * cRow + 16, c31, add, bias ? bias + 16 : 0);
}

/** A tile at the edge: rows x columns of it are kept. */
function microEdge(
  a: usize, b: usize, bStep: usize, kc: i32, c: usize, cRow: usize, add: bool, bias: usize, rows: i32, columns: i32,
): void {
  const tile = scratch() + TILE_AT;
  micro(a, b, bStep, kc, tile, 32, false, 0);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const at = c + <usize>i * cRow + (<usize>j << 2);
      let value = load<f32>(tile + (<usize>i << 5) + (<usize>j << 2));
      if (add) value = load<f32>(at) + value;
      if (bias) value = value + load<f32>(bias + (<usize>j << 2));
      store<f32>(at, value);
    }
  }
}

/** Rows [0, m) x columns [0, n) of one column block. Pointers at the first row and column. */
function block(
  a: usize, aRow: i32, aCol: i32, b: usize, bRow: i32, bCol: i32, c: usize, cRow: i32, bias: usize,
  m: i32, n: i32, K: i32, beta: i32, direct: bool,
): void {
  const bPack = scratch();
  const aPack = bPack + A_AT;
  const cStep = <usize>cRow << 2;
  const whole = direct ? n & ~7 : 0;
  for (let k0 = 0; k0 < K; k0 += KC) {
    const kc = min(KC, K - k0);
    const bFrom = b + ((<usize>k0 * bRow) << 2);
    if (whole < n) packB(bFrom + ((<usize>whole * bCol) << 2), bRow, bCol, n - whole, kc, bPack);
    const add = beta != 0 || k0 > 0;
    const biasNow: usize = k0 == 0 ? bias : 0;
    for (let m0 = 0; m0 < m; m0 += MB) {
      const mc = min(MB, m - m0);
      packA(a + ((<usize>m0 * aRow + <usize>k0 * aCol) << 2), aRow, aCol, mc, kc, aPack);
      for (let j = 0; j < n; j += 8) {
        const inPlace = j < whole;
        const bp = inPlace ? bFrom + (<usize>j << 2) : bPack + <usize>((j - whole) >> 3) * <usize>kc * 32;
        const bStep: usize = inPlace ? <usize>bRow << 2 : 32;
        const biasAt: usize = biasNow ? biasNow + (<usize>j << 2) : 0;
        for (let i = 0; i < mc; i += 4) {
          const ap = aPack + <usize>(i >> 2) * (<usize>kc << 4);
          const at = c + <usize>(m0 + i) * cStep + (<usize>j << 2);
          if (mc - i >= 4 && n - j >= 8) micro(ap, bp, bStep, kc, at, cStep, add, biasAt);
          else microEdge(ap, bp, bStep, kc, at, cStep, add, biasAt, min(4, mc - i), min(8, n - j));
        }
      }
    }
  }
}

/** One row times B with contiguous rows: 16 columns at a time, then one by one, k in blocks of 256. */
function rowTimes(
  a: usize, aCol: i32, b: usize, bRow: i32, c: usize, bias: usize, n: i32, K: i32, beta: i32,
): void {
  const aStep = <usize>aCol << 2;
  const bStep = <usize>bRow << 2;
  for (let k0 = 0; k0 < K; k0 += KC) {
    const kc = min(KC, K - k0);
    const add = beta != 0 || k0 > 0;
    const biasNow: usize = k0 == 0 ? bias : 0;
    const aFrom = a + <usize>k0 * aStep;
    const bFrom = b + <usize>k0 * bStep;
    let j: i32 = 0;
    for (; j + 16 <= n; j += 16) {
      let c0 = splat(0);
      let c1 = splat(0);
      let c2 = splat(0);
      let c3 = splat(0);
      let ap = aFrom;
      let bp = bFrom + (<usize>j << 2);
      for (let k = 0; k < kc; k++) {
        const s = v128.load32_splat(ap);
        c0 = f32x4.add(c0, f32x4.mul(s, v128.load(bp)));
        c1 = f32x4.add(c1, f32x4.mul(s, v128.load(bp, 16)));
        c2 = f32x4.add(c2, f32x4.mul(s, v128.load(bp, 32)));
        c3 = f32x4.add(c3, f32x4.mul(s, v128.load(bp, 48)));
        ap += aStep;
        bp += bStep;
      }
      const at = c + (<usize>j << 2);
      const biasAt: usize = biasNow ? biasNow + (<usize>j << 2) : 0;
      put(at, c0, add, biasAt);
      put(at + 16, c1, add, biasAt ? biasAt + 16 : 0);
      put(at + 32, c2, add, biasAt ? biasAt + 32 : 0);
      put(at + 48, c3, add, biasAt ? biasAt + 48 : 0);
    }
    for (; j < n; j++) {
      let sum: f32 = 0;
      let ap = aFrom;
      let bp = bFrom + (<usize>j << 2);
      for (let k = 0; k < kc; k++) {
        sum += load<f32>(ap) * load<f32>(bp);
        ap += aStep;
        bp += bStep;
      }
      const at = c + (<usize>j << 2);
      if (add) sum = load<f32>(at) + sum;
      if (biasNow) sum += load<f32>(biasNow + (<usize>j << 2));
      store<f32>(at, sum);
    }
  }
}

/** Few rows times B with contiguous columns (the nt form): dot products in four lanes. */
function dots(
  a: usize, aRow: i32, b: usize, bCol: i32, c: usize, cRow: i32, bias: usize, m: i32, n: i32, K: i32, beta: i32,
): void {
  const vectors = K & ~7;
  for (let i = 0; i < m; i++) {
    const ap = a + ((<usize>i * aRow) << 2);
    for (let j = 0; j < n; j++) {
      const bp = b + ((<usize>j * bCol) << 2);
      let p = splat(0);
      let q = splat(0);
      for (let k = 0; k < vectors; k += 8) {
        const at = <usize>k << 2;
        p = f32x4.add(p, f32x4.mul(v128.load(ap + at), v128.load(bp + at)));
        q = f32x4.add(q, f32x4.mul(v128.load(ap + at, 16), v128.load(bp + at, 16)));
      }
      let sum = hsum(f32x4.add(p, q));
      for (let k = vectors; k < K; k++) {
        sum += load<f32>(ap + (<usize>k << 2)) * load<f32>(bp + (<usize>k << 2));
      }
      const at = c + ((<usize>i * cRow + j) << 2);
      if (beta) sum = load<f32>(at) + sum;
      if (bias) sum += load<f32>(bias + (<usize>j << 2));
      store<f32>(at, sum);
    }
  }
}

/** K = 0: C = 0 (+ C) (+ bias). */
function empty(c: usize, cRow: i32, bias: usize, m: i32, n: i32, beta: i32): void {
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      const at = c + ((<usize>i * cRow + j) << 2);
      const before: f32 = beta ? load<f32>(at) : 0;
      store<f32>(at, bias ? before + load<f32>(bias + (<usize>j << 2)) : before);
    }
  }
}

/** Strides in elements; batch strides may be 0. Units are tiles (gemmTiles), row blocks running fastest. */
export function gemm(
  start: i32, end: i32, a: usize, aRow: i32, aCol: i32, aBatch: i32, b: usize, bRow: i32, bCol: i32, bBatch: i32,
  c: usize, cRow: i32, cBatch: i32, bias: usize, M: i32, N: i32, K: i32, beta: i32,
): void {
  const rowBlocks = (M + MB - 1) / MB;
  const columnBlocks = (N + NB - 1) / NB;
  let t = start;
  while (t < end) {
    const group = t / rowBlocks;
    const rb = t - group * rowBlocks;
    const last = min(rowBlocks, rb + end - t);
    const batch = group / columnBlocks;
    const n0 = (group - batch * columnBlocks) * NB;
    const m0 = rb * MB;
    const m = min(M, last * MB) - m0;
    const n = min(N - n0, NB);
    const at = a + ((<usize>batch * aBatch + <usize>m0 * aRow) << 2);
    const bt = b + ((<usize>batch * bBatch + <usize>n0 * bCol) << 2);
    const ct = c + ((<usize>batch * cBatch + <usize>m0 * cRow + n0) << 2);
    const biasAt: usize = bias ? bias + (<usize>n0 << 2) : 0;
    if (K == 0) empty(ct, cRow, biasAt, m, n, beta);
    else if (M == 1 && bCol == 1) rowTimes(at, aCol, bt, bRow, ct, biasAt, n, K, beta);
    else if (M <= 2 && aCol == 1 && bRow == 1) dots(at, aRow, bt, bCol, ct, cRow, biasAt, m, n, K, beta);
    else block(at, aRow, aCol, bt, bRow, bCol, ct, cRow, biasAt, m, n, K, beta, M <= 16 && bCol == 1);
    t += last - rb;
  }
}

/** Scratch bytes that `tileProduct` uses; callers put their own scratch behind them. */
export const GEMM_SCRATCH: usize = TILE_AT + 256;

/** C = A B (+ C) on the calling thread, the form chosen by the shapes alone. */
export function tileProduct(
  a: usize, aRow: i32, aCol: i32, b: usize, bRow: i32, bCol: i32, c: usize, cRow: i32, m: i32, n: i32, K: i32,
  beta: i32,
): void {
  if (m == 1 && bCol == 1) rowTimes(a, aCol, b, bRow, c, 0, n, K, beta);
  else if (m <= 2 && aCol == 1 && bRow == 1) dots(a, aRow, b, bCol, c, cRow, 0, m, n, K, beta);
  else {
    for (let j = 0; j < n; j += NB) {
      const bt = b + ((<usize>j * bCol) << 2);
      block(a, aRow, aCol, bt, bRow, bCol, c + (<usize>j << 2), cRow, 0, m, min(NB, n - j), K, beta, false);
    }
  }
}
