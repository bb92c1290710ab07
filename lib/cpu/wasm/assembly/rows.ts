// Kernels on rows of n elements: softmax, log-softmax, cross-entropy. Units are rows.
import { expV, hsum, loadPart, logV, splat, storePart } from './math';
import { rangeMax } from './reduce';

/** Sum of exp(x - shift) over a row; writes the exponentials to y unless y is 0. */
// @ts-ignore: decorator
@inline function expSum(x: usize, y: usize, n: i32, shift: v128): f32 {
  let a = splat(0);
  let b = splat(0);
  let i: i32 = 0;
  for (; i + 8 <= n; i += 8) {
    const at = <usize>i << 2;
    const p = expV(f32x4.sub(v128.load(x + at), shift));
    const q = expV(f32x4.sub(v128.load(x + at, 16), shift));
    if (y) {
      v128.store(y + at, p);
      v128.store(y + at, q, 16);
    }
    a = f32x4.add(a, p);
    b = f32x4.add(b, q);
  }
  if (i + 4 <= n) {
    const at = <usize>i << 2;
    const p = expV(f32x4.sub(v128.load(x + at), shift));
    if (y) v128.store(y + at, p);
    a = f32x4.add(a, p);
    i += 4;
  }
  if (i < n) {
    const at = <usize>i << 2;
    const p = expV(f32x4.sub(loadPart(x + at, n - i, splat(-Infinity)), shift));
    if (y) storePart(y + at, p, n - i);
    b = f32x4.add(b, p);
  }
  return hsum(f32x4.add(a, b));
}

/** sum a b of a row. */
// @ts-ignore: decorator
@inline function dot(x: usize, y: usize, n: i32): f32 {
  let a = splat(0);
  let b = splat(0);
  let i: i32 = 0;
  for (; i + 8 <= n; i += 8) {
    const at = <usize>i << 2;
    a = f32x4.add(a, f32x4.mul(v128.load(x + at), v128.load(y + at)));
    b = f32x4.add(b, f32x4.mul(v128.load(x + at, 16), v128.load(y + at, 16)));
  }
  for (; i < n; i += 4) {
    const at = <usize>i << 2;
    if (i + 4 <= n) a = f32x4.add(a, f32x4.mul(v128.load(x + at), v128.load(y + at)));
    else {
      const count = n - i;
      b = f32x4.add(b, f32x4.mul(loadPart(x + at, count, splat(0)), loadPart(y + at, count, splat(0))));
    }
  }
  return hsum(f32x4.add(a, b));
}

// @ts-ignore: decorator
@inline function logScalar(x: f32): f32 {
  return f32x4.extract_lane(logV(splat(x)), 0);
}

export function softmax(start: i32, end: i32, x: usize, y: usize, n: i32): void {
  for (let r = start; r < end; r++) {
    const row = (<usize>r * n) << 2;
    const sum = expSum(x + row, y + row, n, splat(rangeMax(x + row, n)));
    const scale = splat(1 / sum);
    let i: i32 = 0;
    for (; i + 4 <= n; i += 4) {
      const at = y + row + (<usize>i << 2);
      v128.store(at, f32x4.mul(v128.load(at), scale));
    }
    for (; i < n; i++) {
      const at = y + row + (<usize>i << 2);
      store<f32>(at, load<f32>(at) * (1 / sum));
    }
  }
}

/** dx = y (dy - sum(y dy)). */
export function softmaxBackward(start: i32, end: i32, y: usize, dy: usize, dx: usize, n: i32): void {
  for (let r = start; r < end; r++) {
    const row = (<usize>r * n) << 2;
    const s = dot(y + row, dy + row, n);
    let i: i32 = 0;
    for (; i + 4 <= n; i += 4) {
      const at = row + (<usize>i << 2);
      v128.store(dx + at, f32x4.mul(v128.load(y + at), f32x4.sub(v128.load(dy + at), splat(s))));
    }
    for (; i < n; i++) {
      const at = row + (<usize>i << 2);
      store<f32>(dx + at, load<f32>(y + at) * (load<f32>(dy + at) - s));
    }
  }
}

export function logSoftmax(start: i32, end: i32, x: usize, y: usize, n: i32): void {
  for (let r = start; r < end; r++) {
    const row = (<usize>r * n) << 2;
    const top = rangeMax(x + row, n);
    const log = logScalar(expSum(x + row, 0, n, splat(top)));
    for (let i = 0; i < n; i++) {
      const at = row + (<usize>i << 2);
      store<f32>(y + at, load<f32>(x + at) - top - log);
    }
  }
}

/** dx = dy - e^y sum(dy). */
export function logSoftmaxBackward(start: i32, end: i32, y: usize, dy: usize, dx: usize, n: i32): void {
  for (let r = start; r < end; r++) {
    const row = (<usize>r * n) << 2;
    let a = splat(0);
    let i: i32 = 0;
    for (; i + 4 <= n; i += 4) a = f32x4.add(a, v128.load(dy + row + (<usize>i << 2)));
    if (i < n) a = f32x4.add(a, loadPart(dy + row + (<usize>i << 2), n - i, splat(0)));
    const s = splat(hsum(a));
    for (i = 0; i + 4 <= n; i += 4) {
      const at = row + (<usize>i << 2);
      v128.store(dx + at, f32x4.sub(v128.load(dy + at), f32x4.mul(expV(v128.load(y + at)), s)));
    }
    for (; i < n; i++) {
      const at = row + (<usize>i << 2);
      const e = expV(v128.load32_splat(y + at));
      v128.store32_lane(dx + at, f32x4.sub(v128.load32_splat(dy + at), f32x4.mul(e, s)), 0);
    }
  }
}

/** loss = logsumexp(row) - row[target]; 0 for a negative target. */
export function crossEntropy(
  start: i32, end: i32, logits: usize, targets: usize, loss: usize, logsumexp: usize, n: i32,
): void {
  for (let r = start; r < end; r++) {
    const x = logits + ((<usize>r * n) << 2);
    const top = rangeMax(x, n);
    const log = logScalar(expSum(x, 0, n, splat(top)));
    const target = load<i32>(targets + (<usize>r << 2));
    store<f32>(logsumexp + (<usize>r << 2), top + log);
    const value: f32 = target < 0 ? 0 : top - load<f32>(x + (<usize>target << 2)) + log;
    store<f32>(loss + (<usize>r << 2), value);
  }
}

/** dlogits = dloss (softmax - onehot). */
export function crossEntropyBackward(
  start: i32, end: i32, logits: usize, targets: usize, logsumexp: usize, dloss: usize, dlogits: usize, n: i32,
): void {
  for (let r = start; r < end; r++) {
    const row = (<usize>r * n) << 2;
    const target = load<i32>(targets + (<usize>r << 2));
    if (target < 0) {
      memory.fill(dlogits + row, 0, <usize>n << 2);
      continue;
    }
    const shift = splat(load<f32>(logsumexp + (<usize>r << 2)));
    const scale = splat(load<f32>(dloss + (<usize>r << 2)));
    let i: i32 = 0;
    for (; i + 4 <= n; i += 4) {
      const at = row + (<usize>i << 2);
      v128.store(dlogits + at, f32x4.mul(scale, expV(f32x4.sub(v128.load(logits + at), shift))));
    }
    for (; i < n; i++) {
      const at = row + (<usize>i << 2);
      const e = expV(f32x4.sub(v128.load32_splat(logits + at), shift));
      v128.store32_lane(dlogits + at, f32x4.mul(scale, e), 0);
    }
    const at = dlogits + row + (<usize>target << 2);
    store<f32>(at, load<f32>(at) - load<f32>(dloss + (<usize>r << 2)));
  }
}
