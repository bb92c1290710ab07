// RMSNorm and LayerNorm on rows of n elements; weight gradients over columns in blocks of 64 rows.
import { hsum, loadUpTo, splat, storeUpTo } from './math';

/** Sum over a row of (x - mean)^2. */
// @ts-ignore: decorator
@inline function squares(x: usize, n: i32, mean: v128): f32 {
  let a = splat(0);
  let b = splat(0);
  let i: i32 = 0;
  for (; i + 8 <= n; i += 8) {
    const at = x + (<usize>i << 2);
    const p = f32x4.sub(v128.load(at), mean);
    const q = f32x4.sub(v128.load(at, 16), mean);
    a = f32x4.add(a, f32x4.mul(p, p));
    b = f32x4.add(b, f32x4.mul(q, q));
  }
  let total = hsum(f32x4.add(a, b));
  for (; i < n; i++) {
    const p = load<f32>(x + (<usize>i << 2)) - f32x4.extract_lane(mean, 0);
    total += p * p;
  }
  return total;
}

// @ts-ignore: decorator
@inline function rowTotal(x: usize, n: i32): f32 {
  let a = splat(0);
  let b = splat(0);
  let i: i32 = 0;
  for (; i + 8 <= n; i += 8) {
    const at = x + (<usize>i << 2);
    a = f32x4.add(a, v128.load(at));
    b = f32x4.add(b, v128.load(at, 16));
  }
  let total = hsum(f32x4.add(a, b));
  for (; i < n; i++) total += load<f32>(x + (<usize>i << 2));
  return total;
}

/** y = (x - mean) rstd w + b; absent w and b are 1 and 0. */
// @ts-ignore: decorator
@inline function affine(x: usize, w: usize, b: usize, y: usize, n: i32, mean: v128, rstd: v128): void {
  for (let i = 0; i < n; i += 4) {
    const at = <usize>i << 2;
    const count = n - i;
    let v = f32x4.mul(f32x4.sub(loadUpTo(x + at, count), mean), rstd);
    if (w) v = f32x4.mul(v, loadUpTo(w + at, count));
    if (b) v = f32x4.add(v, loadUpTo(b + at, count));
    storeUpTo(y + at, v, count);
  }
}

export function rmsNorm(start: i32, end: i32, x: usize, w: usize, y: usize, rstd: usize, n: i32, eps: f32): void {
  for (let r = start; r < end; r++) {
    const row = (<usize>r * n) << 2;
    const scale: f32 = 1 / sqrt<f32>(squares(x + row, n, splat(0)) / <f32>n + eps);
    store<f32>(rstd + (<usize>r << 2), scale);
    affine(x + row, w, 0, y + row, n, splat(0), splat(scale));
  }
}

/** With g = dy w and h = (x - mean) rstd: dx = rstd (g - mean(g) [centred] - h mean(g h)). */
// @ts-ignore: decorator
@inline function normBackward(
  x: usize, w: usize, dy: usize, dx: usize, n: i32, mean: f32, rstd: f32, centred: bool,
): void {
  let sg = splat(0);
  let sh = splat(0);
  for (let i = 0; i < n; i += 4) {
    const at = <usize>i << 2;
    const count = n - i;
    let g = loadUpTo(dy + at, count);
    if (w) g = f32x4.mul(g, loadUpTo(w + at, count));
    if (centred) sg = f32x4.add(sg, g);
    const h = f32x4.mul(f32x4.sub(loadUpTo(x + at, count), splat(mean)), splat(rstd));
    sh = f32x4.add(sh, f32x4.mul(g, h));
  }
  const mg = splat(centred ? hsum(sg) / <f32>n : 0);
  const mh = splat(hsum(sh) / <f32>n);
  for (let i = 0; i < n; i += 4) {
    const at = <usize>i << 2;
    const count = n - i;
    let g = loadUpTo(dy + at, count);
    if (w) g = f32x4.mul(g, loadUpTo(w + at, count));
    const h = f32x4.mul(f32x4.sub(loadUpTo(x + at, count), splat(mean)), splat(rstd));
    const v = f32x4.mul(splat(rstd), f32x4.sub(f32x4.sub(g, mg), f32x4.mul(h, mh)));
    storeUpTo(dx + at, v, count);
  }
}

export function rmsNormBackward(
  start: i32, end: i32, x: usize, w: usize, rstd: usize, dy: usize, dx: usize, n: i32,
): void {
  for (let r = start; r < end; r++) {
    const row = (<usize>r * n) << 2;
    normBackward(x + row, w, dy + row, dx + row, n, 0, load<f32>(rstd + (<usize>r << 2)), false);
  }
}

/** dw = sum over rows of dy (x - mean) rstd, db = sum over rows of dy. Units are columns. */
// @ts-ignore: decorator
@inline function weightBackward(
  start: i32, end: i32, x: usize, mean: usize, rstd: usize, dy: usize, dw: usize, db: usize, rows: i32, n: i32,
): void {
  for (let i = start; i < end; i += 4) {
    const count = end - i;
    let w = splat(0);
    let b = splat(0);
    for (let from = 0; from < rows; from += 64) {
      const to = min(rows, from + 64);
      let wBlock = splat(0);
      let bBlock = splat(0);
      for (let r = from; r < to; r++) {
        const at = (<usize>r * n + i) << 2;
        const g = loadUpTo(dy + at, count);
        let h = loadUpTo(x + at, count);
        if (mean) h = f32x4.sub(h, v128.load32_splat(mean + (<usize>r << 2)));
        wBlock = f32x4.add(wBlock, f32x4.mul(g, f32x4.mul(h, v128.load32_splat(rstd + (<usize>r << 2)))));
        bBlock = f32x4.add(bBlock, g);
      }
      w = f32x4.add(w, wBlock);
      b = f32x4.add(b, bBlock);
    }
    if (dw) storeUpTo(dw + (<usize>i << 2), w, count);
    if (db) storeUpTo(db + (<usize>i << 2), b, count);
  }
}

export function rmsNormWeightBackward(
  start: i32, end: i32, x: usize, rstd: usize, dy: usize, dw: usize, rows: i32, n: i32,
): void {
  weightBackward(start, end, x, 0, rstd, dy, dw, 0, rows, n);
}

export function layerNorm(
  start: i32, end: i32, x: usize, w: usize, b: usize, y: usize, mean: usize, rstd: usize, n: i32, eps: f32,
): void {
  for (let r = start; r < end; r++) {
    const row = (<usize>r * n) << 2;
    const middle: f32 = rowTotal(x + row, n) / <f32>n;
    const scale: f32 = 1 / sqrt<f32>(squares(x + row, n, splat(middle)) / <f32>n + eps);
    store<f32>(mean + (<usize>r << 2), middle);
    store<f32>(rstd + (<usize>r << 2), scale);
    affine(x + row, w, b, y + row, n, splat(middle), splat(scale));
  }
}

export function layerNormBackward(
  start: i32, end: i32, x: usize, w: usize, mean: usize, rstd: usize, dy: usize, dx: usize, n: i32,
): void {
  for (let r = start; r < end; r++) {
    const row = (<usize>r * n) << 2;
    const m = load<f32>(mean + (<usize>r << 2));
    normBackward(x + row, w, dy + row, dx + row, n, m, load<f32>(rstd + (<usize>r << 2)), true);
  }
}

export function layerNormWeightBackward(
  start: i32, end: i32, x: usize, mean: usize, rstd: usize, dy: usize, dw: usize, db: usize, rows: i32, n: i32,
): void {
  weightBackward(start, end, x, mean, rstd, dy, dw, db, rows, n);
}
