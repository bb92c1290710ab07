// Reductions with a fixed order: blocks of 4096 elements in 16 f32 lanes, block sums in f64.
import { hmax, hsum, loadPart, splat } from './math';

const BLOCK: i32 = 4096;

/** Sum of up to 4096 elements (their squares when `squared`). */
// @ts-ignore: decorator
@inline function blockSum(x: usize, n: i32, squared: bool): f64 {
  let a = splat(0);
  let b = splat(0);
  let c = splat(0);
  let d = splat(0);
  let i: i32 = 0;
  for (; i + 16 <= n; i += 16) {
    const at = x + (<usize>i << 2);
    const p = v128.load(at);
    const q = v128.load(at, 16);
    const r = v128.load(at, 32);
    const s = v128.load(at, 48);
    a = f32x4.add(a, squared ? f32x4.mul(p, p) : p);
    b = f32x4.add(b, squared ? f32x4.mul(q, q) : q);
    c = f32x4.add(c, squared ? f32x4.mul(r, r) : r);
    d = f32x4.add(d, squared ? f32x4.mul(s, s) : s);
  }
  for (; i < n; i += 4) {
    const at = x + (<usize>i << 2);
    const p = n - i >= 4 ? v128.load(at) : loadPart(at, n - i, splat(0));
    a = f32x4.add(a, squared ? f32x4.mul(p, p) : p);
  }
  return <f64>hsum(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
}

/** Sum of n elements. */
export function rangeSum(x: usize, n: i32): f64 {
  let total: f64 = 0;
  for (let i = 0; i < n; i += BLOCK) total += blockSum(x + (<usize>i << 2), min(BLOCK, n - i), false);
  return total;
}

/** One f64 per block of 4096 elements of x[0..n). */
export function sumPartials(start: i32, end: i32, x: usize, n: i32, partials: usize): void {
  for (let k = start; k < end; k++) {
    const from = k * BLOCK;
    store<f64>(partials + (<usize>k << 3), blockSum(x + (<usize>from << 2), min(BLOCK, n - from), false));
  }
}

export function squaredNormPartials(start: i32, end: i32, x: usize, n: i32, partials: usize): void {
  for (let k = start; k < end; k++) {
    const from = k * BLOCK;
    store<f64>(partials + (<usize>k << 3), blockSum(x + (<usize>from << 2), min(BLOCK, n - from), true));
  }
}

/** Sum of the partials in their order. */
export function sumFinish(partials: usize, count: i32): f64 {
  let total: f64 = 0;
  for (let i = 0; i < count; i++) total += load<f64>(partials + (<usize>i << 3));
  return total;
}

export function sumRows(start: i32, end: i32, x: usize, y: usize, n: i32): void {
  for (let r = start; r < end; r++) {
    store<f32>(y + (<usize>r << 2), <f32>rangeSum(x + ((<usize>r * n) << 2), n));
  }
}

/** Largest of n >= 1 elements; NaN if any is NaN. */
export function rangeMax(x: usize, n: i32): f32 {
  let m = splat(-Infinity);
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) m = f32x4.max(m, v128.load(x + (<usize>i << 2)));
  if (i < n) m = f32x4.max(m, loadPart(x + (<usize>i << 2), n - i, splat(-Infinity)));
  return hmax(m);
}

export function maxRows(start: i32, end: i32, x: usize, y: usize, n: i32): void {
  for (let r = start; r < end; r++) store<f32>(y + (<usize>r << 2), rangeMax(x + ((<usize>r * n) << 2), n));
}

/** Index of the first maximum of each row; of the first NaN if there is one. */
export function argmaxRows(start: i32, end: i32, x: usize, index: usize, n: i32): void {
  for (let r = start; r < end; r++) {
    const row = x + ((<usize>r * n) << 2);
    const best = rangeMax(row, n);
    let i: i32 = 0;
    for (; i < n - 1; i++) {
      const v = load<f32>(row + (<usize>i << 2));
      if (v == best || v != v) break;
    }
    store<i32>(index + (<usize>r << 2), i);
  }
}

/** Per lane group: sum over `count` rows `stride` bytes apart, 64 rows to a block. */
// @ts-ignore: decorator
@inline function strideSum(x: usize, count: i32, stride: usize, lanes: i32): v128 {
  let total = splat(0);
  let at = x;
  for (let from = 0; from < count; from += 64) {
    const to = min(count, from + 64);
    let block = splat(0);
    for (let r = from; r < to; r++) {
      block = f32x4.add(block, lanes >= 4 ? v128.load(at) : v128.load32_splat(at));
      at += stride;
    }
    total = f32x4.add(total, block);
  }
  return total;
}

/** Sum over the leading axis of [rows, n]. */
export function sumColumns(start: i32, end: i32, x: usize, y: usize, rows: i32, n: i32): void {
  sumMiddle(start, end, x, y, rows, n);
}

/** Sum over the middle axis of [outer, n, inner]; units are the outer * inner results. */
export function sumMiddle(start: i32, end: i32, x: usize, y: usize, n: i32, inner: i32): void {
  const stride = <usize>inner << 2;
  let i = start;
  while (i < end) {
    const outer = i / inner;
    const column = i - outer * inner;
    const from = x + (((<usize>outer * n) * inner + column) << 2);
    if (column + 4 <= inner && i + 4 <= end) {
      v128.store(y + (<usize>i << 2), strideSum(from, n, stride, 4));
      i += 4;
    } else {
      v128.store32_lane(y + (<usize>i << 2), strideSum(from, n, stride, 1), 0);
      i += 1;
    }
  }
}

/** Running sum along the middle axis of [outer, n, inner]; units are lanes (outer * inner). */
export function cumsum(start: i32, end: i32, x: usize, y: usize, n: i32, inner: i32, reverse: i32): void {
  const stride = <usize>inner << 2;
  let i = start;
  while (i < end) {
    const outer = i / inner;
    const column = i - outer * inner;
    const wide = column + 4 <= inner && i + 4 <= end;
    let at: usize = (((<usize>outer * n) * inner + column) << 2) + (reverse ? stride * <usize>(n - 1) : 0);
    const step: usize = reverse ? 0 - stride : stride;
    let sum = splat(0);
    for (let t = 0; t < n; t++) {
      if (wide) {
        sum = f32x4.add(sum, v128.load(x + at));
        v128.store(y + at, sum);
      } else {
        sum = f32x4.add(sum, v128.load32_splat(x + at));
        v128.store32_lane(y + at, sum, 0);
      }
      at += step;
    }
    i += wide ? 4 : 1;
  }
}
