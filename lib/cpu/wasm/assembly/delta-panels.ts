// Small matrices in panels of 8, for products whose operands all fit into a thread's cache. A panel is [k][8]: eight
// columns of a matrix, or eight rows turned, k running over the other axis. Either may be the left or the right
// operand of `product`, which writes panels again, so that nothing is packed between products. Axes are padded with
// zeros to multiples of 8.
import { loadUpTo, splat, storeUpTo } from './math';

/** Bytes of one line of a panel. */
const LINE: usize = 32;

// @ts-ignore: decorator
@inline export function padded(n: i32): i32 {
  return (n + 7) & ~7;
}

/** c[4][8] = (c +) sum over k of a[k][0..4] b[k][8]; lines of all three are 32 bytes apart. */
function tile(a: usize, b: usize, count: i32, c: usize, add: bool): void {
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
  const end = a + <usize>count * LINE;
  while (a < end) {
    b0 = v128.load(b);
    b1 = v128.load(b, 16);
    b += LINE;
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
    a += LINE;
  }
  if (add) {
    c00 = f32x4.add(v128.load(c), c00);
    c01 = f32x4.add(v128.load(c, 16), c01);
    c10 = f32x4.add(v128.load(c, 32), c10);
    c11 = f32x4.add(v128.load(c, 48), c11);
    c20 = f32x4.add(v128.load(c, 64), c20);
    c21 = f32x4.add(v128.load(c, 80), c21);
    c30 = f32x4.add(v128.load(c, 96), c30);
    c31 = f32x4.add(v128.load(c, 112), c31);
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(c, c10, 32);
  v128.store(c, c11, 48);
  v128.store(c, c20, 64);
  v128.store(c, c21, 80);
  v128.store(c, c30, 96);
  v128.store(c, c31, 112);
}

/** All of the inner axis. */
export const FULL: i32 = 0;
/** The left operand is lower triangular: row block i needs k < 8 (i + 1). */
export const LOWER: i32 = 1;
/** The left operand is upper triangular: row block i needs k >= 8 i. */
export const UPPER: i32 = 2;
/** Only row blocks up to the column block are wanted. */
export const ABOVE: i32 = 3;
/** Only row blocks from the column block on are wanted. */
export const BELOW: i32 = 4;

/**
 * C = (C +) A B: A in panels over its rows, B in panels over its columns, both with `inner` lines; C in panels over
 * its columns with `cLines` lines of which the first `rows` are written.
 */
export function product(
  a: usize, b: usize, c: usize, rows: i32, columns: i32, inner: i32, cLines: i32, shape: i32, add: bool,
): void {
  const panel = <usize>inner * LINE;
  const blocks = rows >> 3;
  for (let j = 0; j < columns >> 3; j++) {
    const bj = b + <usize>j * panel;
    const cj = c + <usize>j * <usize>cLines * LINE;
    const first = shape == BELOW ? j : 0;
    const last = shape == ABOVE ? min(blocks, j + 1) : blocks;
    for (let i = first; i < last; i++) {
      const from: i32 = shape == UPPER ? i << 3 : 0;
      const count = (shape == LOWER ? min(inner, (i + 1) << 3) : inner) - from;
      const ai = a + <usize>i * panel + <usize>from * LINE;
      const bi = bj + <usize>from * LINE;
      const at = cj + ((<usize>i << 3) * LINE);
      tile(ai, bi, count, at, add);
      tile(ai + 16, bi, count, at + 4 * LINE, add);
    }
  }
}

// @ts-ignore: decorator
@inline function addLine(to: usize, from: usize, factor: usize): void {
  const s = v128.load32_splat(factor);
  v128.store(to, f32x4.add(v128.load(to), f32x4.mul(s, v128.load(from))));
  v128.store(to, f32x4.add(v128.load(to, 16), f32x4.mul(s, v128.load(from, 16))), 16);
}

/**
 * Solves (I - L) X = X in place, L strictly lower [n, n] in panels over its rows; X has `columns` columns. Four rows
 * at a time: what lies before them is a product, the triangle in them a substitution.
 */
export function solveLower(l: usize, x: usize, n: i32, columns: i32): void {
  const panel = <usize>n * LINE;
  for (let j = 0; j < columns >> 3; j++) {
    const xj = x + <usize>j * panel;
    for (let i = 0; i < n; i += 4) {
      const li = l + <usize>(i >> 3) * panel + (<usize>(i & 4) << 2);
      const xi = xj + <usize>i * LINE;
      if (i > 0) tile(li, xj, i, xi, true);
      const d = li + <usize>i * LINE;
      addLine(xi + LINE, xi, d + 4);
      addLine(xi + 2 * LINE, xi, d + 8);
      addLine(xi + 2 * LINE, xi + LINE, d + LINE + 8);
      addLine(xi + 3 * LINE, xi, d + 12);
      addLine(xi + 3 * LINE, xi + LINE, d + LINE + 12);
      addLine(xi + 3 * LINE, xi + 2 * LINE, d + 2 * LINE + 12);
    }
  }
}

/** Solves (I - U) X = X in place, U strictly upper [n, n] in panels over its rows. */
export function solveUpper(u: usize, x: usize, n: i32, columns: i32): void {
  const panel = <usize>n * LINE;
  for (let j = 0; j < columns >> 3; j++) {
    const xj = x + <usize>j * panel;
    for (let i = n - 4; i >= 0; i -= 4) {
      const ui = u + <usize>(i >> 3) * panel + (<usize>(i & 4) << 2);
      const xi = xj + <usize>i * LINE;
      const after = <usize>(i + 4) * LINE;
      if (i + 4 < n) tile(ui + after, xj + after, n - i - 4, xi, true);
      const d = ui + <usize>i * LINE;
      addLine(xi + 2 * LINE, xi + 3 * LINE, d + 3 * LINE + 8);
      addLine(xi + LINE, xi + 2 * LINE, d + 2 * LINE + 4);
      addLine(xi + LINE, xi + 3 * LINE, d + 3 * LINE + 4);
      addLine(xi, xi + LINE, d + LINE);
      addLine(xi, xi + 2 * LINE, d + 2 * LINE);
      addLine(xi, xi + 3 * LINE, d + 3 * LINE);
    }
  }
}

/** Turns four lines into four columns: lines of `from` are `step` bytes apart, those of `out` 32. */
// @ts-ignore: decorator
@inline function turn4(r0: v128, r1: v128, r2: v128, r3: v128, out: usize): void {
  const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const t1 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const t2 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<f32>(t0, t1, 0, 1, 4, 5));
  v128.store(out, v128.shuffle<f32>(t0, t1, 2, 3, 6, 7), 32);
  v128.store(out, v128.shuffle<f32>(t2, t3, 0, 1, 4, 5), 64);
  v128.store(out, v128.shuffle<f32>(t2, t3, 2, 3, 6, 7), 96);
}

/**
 * Rows of memory, `step` bytes apart, as panels over rows: [rows/8][padded width][8]. Of `rows`, a multiple of 8, the
 * first `count` are there, the others 0.
 */
export function loadRows(from: usize, step: usize, count: i32, rows: i32, width: i32, out: usize): void {
  const lines = padded(width);
  for (let i = 0; i < rows; i += 4) {
    const there = count - i;
    const row = from + <usize>i * step;
    const to = out + <usize>(i >> 3) * <usize>lines * LINE + (<usize>(i & 4) << 2);
    for (let x = 0; x < lines; x += 4) {
      const left = width - x;
      const at = row + (<usize>x << 2);
      let r0 = splat(0);
      let r1 = splat(0);
      let r2 = splat(0);
      let r3 = splat(0);
      if (left > 0) {
        if (there > 0) r0 = loadUpTo(at, left);
        if (there > 1) r1 = loadUpTo(at + step, left);
        if (there > 2) r2 = loadUpTo(at + 2 * step, left);
        if (there > 3) r3 = loadUpTo(at + 3 * step, left);
      }
      turn4(r0, r1, r2, r3, to + <usize>x * LINE);
    }
  }
}

/**
 * Rows of memory as panels over columns, times `factors` (f32 [rows]) where given: [padded width/8][rows][8]; rows
 * from `count` on are 0.
 */
export function loadColumns(
  from: usize, step: usize, count: i32, rows: i32, width: i32, factors: usize, out: usize,
): void {
  for (let x = 0; x < padded(width); x += 8) {
    const at = from + (<usize>x << 2);
    for (let i = 0; i < rows; i++) {
      let low = splat(0);
      let high = splat(0);
      if (i < count) {
        const row = at + <usize>i * step;
        if (width - x > 0) low = loadUpTo(row, width - x);
        if (width - x > 4) high = loadUpTo(row + 16, width - x - 4);
        if (factors) {
          const s = v128.load32_splat(factors + (<usize>i << 2));
          low = f32x4.mul(low, s);
          high = f32x4.mul(high, s);
        }
      }
      v128.store(out, low);
      v128.store(out, high, 16);
      out += LINE;
    }
  }
}

/** The first `count` rows of panels over columns (`lines` rows each) to memory, times `factor`. */
export function storeColumns(
  from: usize, lines: i32, count: i32, width: i32, factor: f32, to: usize, step: usize,
): void {
  const s = splat(factor);
  for (let x = 0; x < width; x += 8) {
    for (let i = 0; i < count; i++) {
      const line = from + <usize>i * LINE;
      const at = to + <usize>i * step + (<usize>x << 2);
      storeUpTo(at, f32x4.mul(v128.load(line), s), width - x);
      if (width - x > 4) storeUpTo(at + 16, f32x4.mul(v128.load(line, 16), s), width - x - 4);
    }
    from += <usize>lines * LINE;
  }
}

/** Panels [columns/8][rows][8] turned into [rows/8][columns][8]; both multiples of 8. */
export function turnPanels(from: usize, rows: i32, columns: i32, out: usize): void {
  for (let p = 0; p < columns >> 3; p++) {
    for (let i = 0; i < rows; i += 4) {
      const at = from + (<usize>p * <usize>rows + <usize>i) * LINE;
      const to = out + (<usize>(i >> 3) * <usize>columns + (<usize>p << 3)) * LINE + (<usize>(i & 4) << 2);
      turn4(v128.load(at), v128.load(at, 32), v128.load(at, 64), v128.load(at, 96), to);
      turn4(v128.load(at, 16), v128.load(at, 48), v128.load(at, 80), v128.load(at, 112), to + 4 * LINE);
    }
  }
}

/** x *= factor over n floats, n a multiple of 8. */
export function scaleAll(x: usize, n: i32, factor: f32): void {
  const s = splat(factor);
  const end = x + (<usize>n << 2);
  for (; x < end; x += LINE) {
    v128.store(x, f32x4.mul(v128.load(x), s));
    v128.store(x, f32x4.mul(v128.load(x, 16), s), 16);
  }
}

/** Rows of panels over columns times `factors` (f32 [rows]); panels lie `lines` rows apart. */
export function scaleRows(x: usize, rows: i32, columns: i32, lines: i32, factors: usize): void {
  for (let p = 0; p < columns >> 3; p++) {
    let at = x + <usize>p * <usize>lines * LINE;
    for (let i = 0; i < rows; i++, at += LINE) {
      const s = v128.load32_splat(factors + (<usize>i << 2));
      v128.store(at, f32x4.mul(v128.load(at), s));
      v128.store(at, f32x4.mul(v128.load(at, 16), s), 16);
    }
  }
}
