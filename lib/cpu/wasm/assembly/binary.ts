// Binary kernels on equal shapes and with a broadcast row, column or scalar: (start, end, ...) over elements.
import { madd, splat } from './math';

const ADD: i32 = 0;
const SUB: i32 = 1;
const MUL: i32 = 2;
const DIV: i32 = 3;
const MAX: i32 = 4;
const MIN: i32 = 5;
const RSUB: i32 = 6;
const RDIV: i32 = 7;

// @ts-ignore: decorator
@inline function combine(op: i32, a: v128, b: v128): v128 {
  if (op == ADD) return f32x4.add(a, b);
  if (op == SUB) return f32x4.sub(a, b);
  if (op == MUL) return f32x4.mul(a, b);
  if (op == DIV) return f32x4.div(a, b);
  if (op == MAX) return f32x4.max(a, b);
  if (op == MIN) return f32x4.min(a, b);
  if (op == RSUB) return f32x4.sub(b, a);
  return f32x4.div(b, a);
}

// @ts-ignore: decorator
@inline function span(op: i32, count: i32, a: usize, b: usize, y: usize): void {
  let at: usize = 0;
  const vectors = <usize>(count & ~3) << 2;
  const all = <usize>count << 2;
  for (; at < vectors; at += 16) v128.store(y + at, combine(op, v128.load(a + at), v128.load(b + at)));
  for (; at < all; at += 4) {
    v128.store32_lane(y + at, combine(op, v128.load32_splat(a + at), v128.load32_splat(b + at)), 0);
  }
}

// @ts-ignore: decorator
@inline function spanScalar(op: i32, count: i32, a: usize, b: v128, y: usize): void {
  let at: usize = 0;
  const vectors = <usize>(count & ~3) << 2;
  const all = <usize>count << 2;
  for (; at < vectors; at += 16) v128.store(y + at, combine(op, v128.load(a + at), b));
  for (; at < all; at += 4) v128.store32_lane(y + at, combine(op, v128.load32_splat(a + at), b), 0);
}

// @ts-ignore: decorator
@inline function spanRow(op: i32, start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  let i = start;
  while (i < end) {
    const from = i % n;
    const count = n - from < end - i ? n - from : end - i;
    const at = <usize>i << 2;
    span(op, count, a + at, b + (<usize>from << 2), y + at);
    i += count;
  }
}

// @ts-ignore: decorator
@inline function spanCol(op: i32, start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  let i = start;
  while (i < end) {
    const row = i / n;
    const last = (row + 1) * n;
    const count = (last < end ? last : end) - i;
    const at = <usize>i << 2;
    spanScalar(op, count, a + at, v128.load32_splat(b + (<usize>row << 2)), y + at);
    i += count;
  }
}

export function add(start: i32, end: i32, a: usize, b: usize, y: usize): void {
  const at = <usize>start << 2;
  span(ADD, end - start, a + at, b + at, y + at);
}
export function addRow(start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  spanRow(ADD, start, end, a, b, y, n);
}
export function addCol(start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  spanCol(ADD, start, end, a, b, y, n);
}
export function sub(start: i32, end: i32, a: usize, b: usize, y: usize): void {
  const at = <usize>start << 2;
  span(SUB, end - start, a + at, b + at, y + at);
}
export function subRow(start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  spanRow(SUB, start, end, a, b, y, n);
}
export function subCol(start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  spanCol(SUB, start, end, a, b, y, n);
}
export function mul(start: i32, end: i32, a: usize, b: usize, y: usize): void {
  const at = <usize>start << 2;
  span(MUL, end - start, a + at, b + at, y + at);
}
export function mulRow(start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  spanRow(MUL, start, end, a, b, y, n);
}
export function mulCol(start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  spanCol(MUL, start, end, a, b, y, n);
}
export function div(start: i32, end: i32, a: usize, b: usize, y: usize): void {
  const at = <usize>start << 2;
  span(DIV, end - start, a + at, b + at, y + at);
}
export function divRow(start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  spanRow(DIV, start, end, a, b, y, n);
}
export function divCol(start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  spanCol(DIV, start, end, a, b, y, n);
}
export function max(start: i32, end: i32, a: usize, b: usize, y: usize): void {
  const at = <usize>start << 2;
  span(MAX, end - start, a + at, b + at, y + at);
}
export function maxRow(start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  spanRow(MAX, start, end, a, b, y, n);
}
export function maxCol(start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  spanCol(MAX, start, end, a, b, y, n);
}
export function min(start: i32, end: i32, a: usize, b: usize, y: usize): void {
  const at = <usize>start << 2;
  span(MIN, end - start, a + at, b + at, y + at);
}
export function minRow(start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  spanRow(MIN, start, end, a, b, y, n);
}
export function minCol(start: i32, end: i32, a: usize, b: usize, y: usize, n: i32): void {
  spanCol(MIN, start, end, a, b, y, n);
}
export function addScalar(start: i32, end: i32, a: usize, scalar: f32, y: usize): void {
  const at = <usize>start << 2;
  spanScalar(ADD, end - start, a + at, splat(scalar), y + at);
}
export function subScalar(start: i32, end: i32, a: usize, scalar: f32, y: usize): void {
  const at = <usize>start << 2;
  spanScalar(SUB, end - start, a + at, splat(scalar), y + at);
}
export function mulScalar(start: i32, end: i32, a: usize, scalar: f32, y: usize): void {
  const at = <usize>start << 2;
  spanScalar(MUL, end - start, a + at, splat(scalar), y + at);
}
export function divScalar(start: i32, end: i32, a: usize, scalar: f32, y: usize): void {
  const at = <usize>start << 2;
  spanScalar(DIV, end - start, a + at, splat(scalar), y + at);
}
export function maxScalar(start: i32, end: i32, a: usize, scalar: f32, y: usize): void {
  const at = <usize>start << 2;
  spanScalar(MAX, end - start, a + at, splat(scalar), y + at);
}
export function minScalar(start: i32, end: i32, a: usize, scalar: f32, y: usize): void {
  const at = <usize>start << 2;
  spanScalar(MIN, end - start, a + at, splat(scalar), y + at);
}
export function rsubScalar(start: i32, end: i32, a: usize, scalar: f32, y: usize): void {
  const at = <usize>start << 2;
  spanScalar(RSUB, end - start, a + at, splat(scalar), y + at);
}
export function rdivScalar(start: i32, end: i32, a: usize, scalar: f32, y: usize): void {
  const at = <usize>start << 2;
  spanScalar(RDIV, end - start, a + at, splat(scalar), y + at);
}

/** y += a b. */
export function mulAdd(start: i32, end: i32, a: usize, b: usize, y: usize): void {
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const at = <usize>i << 2;
    v128.store(y + at, madd(v128.load(a + at), v128.load(b + at), v128.load(y + at)));
  }
  for (; i < end; i++) {
    const at = <usize>i << 2;
    store<f32>(y + at, load<f32>(a + at) * load<f32>(b + at) + load<f32>(y + at));
  }
}

/** y += alpha x. */
export function axpy(start: i32, end: i32, alpha: f32, x: usize, y: usize): void {
  const scale = splat(alpha);
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const at = <usize>i << 2;
    v128.store(y + at, madd(scale, v128.load(x + at), v128.load(y + at)));
  }
  for (; i < end; i++) {
    const at = <usize>i << 2;
    store<f32>(y + at, alpha * load<f32>(x + at) + load<f32>(y + at));
  }
}

export function fill(start: i32, end: i32, y: usize, value: f32): void {
  const v = splat(value);
  let i = start;
  for (; i + 4 <= end; i += 4) v128.store(y + (<usize>i << 2), v);
  for (; i < end; i++) store<f32>(y + (<usize>i << 2), value);
}

export function copy(start: i32, end: i32, x: usize, y: usize): void {
  const at = <usize>start << 2;
  memory.copy(y + at, x + at, <usize>(end - start) << 2);
}

/** min(max(x, low), high); NaN stays NaN. */
export function clamp(start: i32, end: i32, x: usize, y: usize, low: f32, high: f32): void {
  const l = splat(low);
  const h = splat(high);
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const at = <usize>i << 2;
    v128.store(y + at, f32x4.min(f32x4.max(v128.load(x + at), l), h));
  }
  for (; i < end; i++) {
    const at = <usize>i << 2;
    v128.store32_lane(y + at, f32x4.min(f32x4.max(v128.load32_splat(x + at), l), h), 0);
  }
}

/**
 * AdamW on a flat buffer. c1 = 1/(1 - beta1^t), c2 = 1/(1 - beta2^t); the decay is decoupled; the gradient is
 * multiplied by gradScale first.
 */
export function adamW(
  start: i32, end: i32, p: usize, g: usize, m: usize, v: usize, mask: usize, lr: f32, beta1: f32, beta2: f32,
  eps: f32, decay: f32, c1: f32, c2: f32, gradScale: f32,
): void {
  const one = splat(1);
  const rate = splat(lr * decay);
  let i = start;
  while (i < end) {
    const at = <usize>i << 2;
    const whole = i + 4 <= end;
    const masked = mask == 0 ? one : whole ? v128.load(mask + at) : v128.load32_splat(mask + at);
    const keep = f32x4.sub(one, f32x4.mul(rate, masked));
    const grad = f32x4.mul(whole ? v128.load(g + at) : v128.load32_splat(g + at), splat(gradScale));
    const m0 = whole ? v128.load(m + at) : v128.load32_splat(m + at);
    const v0 = whole ? v128.load(v + at) : v128.load32_splat(v + at);
    const p0 = whole ? v128.load(p + at) : v128.load32_splat(p + at);
    const m1 = madd(splat(beta1), m0, f32x4.mul(splat(1 - beta1), grad));
    const v1 = madd(splat(beta2), v0, f32x4.mul(splat(1 - beta2), f32x4.mul(grad, grad)));
    const root = f32x4.add(f32x4.sqrt(f32x4.mul(v1, splat(c2))), splat(eps));
    const step = f32x4.div(f32x4.mul(f32x4.mul(m1, splat(c1)), splat(lr)), root);
    const p1 = f32x4.sub(f32x4.mul(p0, keep), step);
    if (whole) {
      v128.store(m + at, m1);
      v128.store(v + at, v1);
      v128.store(p + at, p1);
      i += 4;
    } else {
      v128.store32_lane(m + at, m1, 0);
      v128.store32_lane(v + at, v1, 0);
      v128.store32_lane(p + at, p1, 0);
      i += 1;
    }
  }
}

/** g' = gradScale g + decay p; m = momentum m + g'; p -= lr m. Without m: p -= lr g'. */
export function sgd(
  start: i32, end: i32, p: usize, g: usize, m: usize, lr: f32, momentum: f32, decay: f32, gradScale: f32,
): void {
  for (let i = start; i < end; i++) {
    const at = <usize>i << 2;
    const value = load<f32>(p + at);
    let step = gradScale * load<f32>(g + at) + decay * value;
    if (m) {
      step = momentum * load<f32>(m + at) + step;
      store<f32>(m + at, step);
    }
    store<f32>(p + at, value - lr * step);
  }
}
