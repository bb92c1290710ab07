// Element-wise kernels: (start, end, ...) over elements. The last elements go through the same lanes one by one,
// so a value never depends on where its range starts.
import {
  expV, gaussian, geluInner, logV, madd, normalCdf, sigmoidV, softplusV, splat, tanhV,
} from './math';

// @ts-ignore: decorator
@inline function geluForward(x: v128): v128 {
  return f32x4.mul(x, normalCdf(x, gaussian(x)));
}
// @ts-ignore: decorator
@inline function geluTanhForward(x: v128): v128 {
  const z = geluInner(x);
  return f32x4.mul(x, sigmoidV(f32x4.add(z, z)));
}
/** -1, 0 or 1; NaN stays NaN. */
// @ts-ignore: decorator
@inline function signV(x: v128): v128 {
  return v128.bitselect(x, v128.or(splat(1), v128.and(x, i32x4.splat(0x80000000))), v128.or(f32x4.eq(x, splat(0)), f32x4.ne(x, x)));
}
// @ts-ignore: decorator
@inline function siluBackwardV(x: v128, g: v128): v128 {
  const s = sigmoidV(x);
  return f32x4.mul(g, f32x4.mul(s, madd(x, f32x4.sub(splat(1), s), splat(1))));
}
// @ts-ignore: decorator
@inline function geluBackwardV(x: v128, g: v128): v128 {
  const e = gaussian(x);
  return f32x4.mul(g, madd(f32x4.mul(x, e), splat(0.3989422804014327), normalCdf(x, e)));
}
// @ts-ignore: decorator
@inline function geluTanhBackwardV(x: v128, g: v128): v128 {
  const z = geluInner(x);
  const s = sigmoidV(f32x4.add(z, z));
  const slope = f32x4.mul(splat(1.5957691216057308), madd(splat(0.134145), f32x4.mul(x, x), splat(1)));
  const bend = f32x4.mul(f32x4.mul(x, slope), f32x4.mul(s, f32x4.sub(splat(1), s)));
  return f32x4.mul(g, f32x4.add(s, bend));
}
/** Slope of the logistic function, e / (1 + e)^2 with e = e^-|x|: no cancellation in the tails. */
// @ts-ignore: decorator
@inline function sigmoidSlope(x: v128): v128 {
  const e = expV(f32x4.neg(f32x4.abs(x)));
  const d = f32x4.add(e, splat(1));
  return f32x4.div(e, f32x4.mul(d, d));
}

/** One bit per operation: does its backward read x, or y? */
const READS_X: i32 = 16346;
const READS_Y: i32 = 13;

const EXP: i32 = 0;
const LOG: i32 = 1;
const SQRT: i32 = 2;
const RSQRT: i32 = 3;
const ABS: i32 = 4;
const NEG: i32 = 5;
const SQUARE: i32 = 6;
const SIGMOID: i32 = 7;
const TANH: i32 = 8;
const RELU: i32 = 9;
const SILU: i32 = 10;
const GELU: i32 = 11;
const GELUTANH: i32 = 12;
const SOFTPLUS: i32 = 13;

// @ts-ignore: decorator
@inline function forward(op: i32, x: v128): v128 {
  if (op == EXP) return expV(x);
  if (op == LOG) return logV(x);
  if (op == SQRT) return f32x4.sqrt(x);
  if (op == RSQRT) return f32x4.div(splat(1), f32x4.sqrt(x));
  if (op == ABS) return f32x4.abs(x);
  if (op == NEG) return f32x4.neg(x);
  if (op == SQUARE) return f32x4.mul(x, x);
  if (op == SIGMOID) return sigmoidV(x);
  if (op == TANH) return tanhV(x);
  if (op == RELU) return f32x4.max(x, splat(0));
  if (op == SILU) return f32x4.div(x, f32x4.add(splat(1), expV(f32x4.neg(x))));
  if (op == GELU) return geluForward(x);
  if (op == GELUTANH) return geluTanhForward(x);
  return softplusV(x);
}

// @ts-ignore: decorator
@inline function backward(op: i32, x: v128, y: v128, g: v128): v128 {
  if (op == EXP) return f32x4.mul(g, y);
  if (op == LOG) return f32x4.div(g, x);
  if (op == SQRT) return f32x4.div(f32x4.mul(g, splat(0.5)), y);
  if (op == RSQRT) return f32x4.mul(f32x4.mul(g, splat(-0.5)), f32x4.div(y, x));
  if (op == ABS) return f32x4.mul(g, signV(x));
  if (op == NEG) return f32x4.neg(g);
  if (op == SQUARE) return f32x4.mul(g, f32x4.add(x, x));
  // sigmoid(-x), not 1 - y: near y = 1 the difference has no digits left.
  if (op == SIGMOID) return f32x4.mul(g, f32x4.mul(sigmoidV(x), sigmoidV(f32x4.neg(x))));
  if (op == TANH) return f32x4.mul(g, f32x4.mul(splat(4), sigmoidSlope(f32x4.add(x, x))));
  if (op == RELU) return f32x4.mul(g, v128.bitselect(splat(0), splat(1), f32x4.le(x, splat(0))));
  if (op == SILU) return siluBackwardV(x, g);
  if (op == GELU) return geluBackwardV(x, g);
  if (op == GELUTANH) return geluTanhBackwardV(x, g);
  return f32x4.mul(g, sigmoidV(x));
}

// @ts-ignore: decorator
@inline function map(op: i32, start: i32, end: i32, x: usize, y: usize): void {
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const at = <usize>i << 2;
    v128.store(y + at, forward(op, v128.load(x + at)));
  }
  for (; i < end; i++) {
    const at = <usize>i << 2;
    v128.store32_lane(y + at, forward(op, v128.load32_splat(x + at)), 0);
  }
}

// @ts-ignore: decorator
@inline function mapBackward(op: i32, start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  const readsX = READS_X;
  const readsY = READS_Y;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    const at = <usize>i << 2;
    const xv = (readsX >> op) & 1 ? v128.load(x + at) : splat(0);
    const yv = (readsY >> op) & 1 ? v128.load(y + at) : splat(0);
    v128.store(dx + at, backward(op, xv, yv, v128.load(dy + at)));
  }
  for (; i < end; i++) {
    const at = <usize>i << 2;
    const xv = (readsX >> op) & 1 ? v128.load32_splat(x + at) : splat(0);
    const yv = (readsY >> op) & 1 ? v128.load32_splat(y + at) : splat(0);
    v128.store32_lane(dx + at, backward(op, xv, yv, v128.load32_splat(dy + at)), 0);
  }
}

export function exp(start: i32, end: i32, x: usize, y: usize): void {
  map(EXP, start, end, x, y);
}
export function log(start: i32, end: i32, x: usize, y: usize): void {
  map(LOG, start, end, x, y);
}
export function sqrt(start: i32, end: i32, x: usize, y: usize): void {
  map(SQRT, start, end, x, y);
}
export function rsqrt(start: i32, end: i32, x: usize, y: usize): void {
  map(RSQRT, start, end, x, y);
}
export function abs(start: i32, end: i32, x: usize, y: usize): void {
  map(ABS, start, end, x, y);
}
export function neg(start: i32, end: i32, x: usize, y: usize): void {
  map(NEG, start, end, x, y);
}
export function square(start: i32, end: i32, x: usize, y: usize): void {
  map(SQUARE, start, end, x, y);
}
export function sigmoid(start: i32, end: i32, x: usize, y: usize): void {
  map(SIGMOID, start, end, x, y);
}
export function tanh(start: i32, end: i32, x: usize, y: usize): void {
  map(TANH, start, end, x, y);
}
export function relu(start: i32, end: i32, x: usize, y: usize): void {
  map(RELU, start, end, x, y);
}
export function silu(start: i32, end: i32, x: usize, y: usize): void {
  map(SILU, start, end, x, y);
}
export function gelu(start: i32, end: i32, x: usize, y: usize): void {
  map(GELU, start, end, x, y);
}
export function geluTanh(start: i32, end: i32, x: usize, y: usize): void {
  map(GELUTANH, start, end, x, y);
}
export function softplus(start: i32, end: i32, x: usize, y: usize): void {
  map(SOFTPLUS, start, end, x, y);
}
export function expBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(EXP, start, end, x, y, dy, dx);
}
export function logBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(LOG, start, end, x, y, dy, dx);
}
export function sqrtBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(SQRT, start, end, x, y, dy, dx);
}
export function rsqrtBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(RSQRT, start, end, x, y, dy, dx);
}
export function absBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(ABS, start, end, x, y, dy, dx);
}
export function negBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(NEG, start, end, x, y, dy, dx);
}
export function squareBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(SQUARE, start, end, x, y, dy, dx);
}
export function sigmoidBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(SIGMOID, start, end, x, y, dy, dx);
}
export function tanhBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(TANH, start, end, x, y, dy, dx);
}
export function reluBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(RELU, start, end, x, y, dy, dx);
}
export function siluBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(SILU, start, end, x, y, dy, dx);
}
export function geluBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(GELU, start, end, x, y, dy, dx);
}
export function geluTanhBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(GELUTANH, start, end, x, y, dy, dx);
}
export function softplusBackward(start: i32, end: i32, x: usize, y: usize, dy: usize, dx: usize): void {
  mapBackward(SOFTPLUS, start, end, x, y, dy, dx);
}
