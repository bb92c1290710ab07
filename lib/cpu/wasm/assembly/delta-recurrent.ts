// The delta rule forward token by token; keeps what delta-forward keeps, for the same backward pass.
import { expV, loadUpTo, splat, storeUpTo } from './math';
import { scratch } from './scratch';
import { loadRows, padded } from './delta-panels';
import { CHUNK, firstChunk, firstRow, keptErrors, keptState } from './delta-common';

/** Columns of a state in scratch: a multiple of 16, that four sums are under way at once. */
// @ts-ignore: decorator
@inline function columnsOf(V: i32): i32 {
  return (V + 15) & ~15;
}

/** S *= decay, then error = v - S^T k; S [K][W]. */
function predict(state: usize, k: usize, v: usize, K: i32, V: i32, decay: v128, error: usize): void {
  const step = <usize>columnsOf(V) << 2;
  for (let c = 0; c < V; c += 16) {
    let sum0 = splat(0);
    let sum1 = splat(0);
    let sum2 = splat(0);
    let sum3 = splat(0);
    let at = state + (<usize>c << 2);
    const end = k + (<usize>K << 2);
    for (let key = k; key < end; key += 4) {
      const x = v128.load32_splat(key);
      const s0 = f32x4.mul(v128.load(at), decay);
      const s1 = f32x4.mul(v128.load(at, 16), decay);
      const s2 = f32x4.mul(v128.load(at, 32), decay);
      const s3 = f32x4.mul(v128.load(at, 48), decay);
      v128.store(at, s0);
      v128.store(at, s1, 16);
      v128.store(at, s2, 32);
      v128.store(at, s3, 48);
      sum0 = f32x4.add(sum0, f32x4.mul(x, s0));
      sum1 = f32x4.add(sum1, f32x4.mul(x, s1));
      sum2 = f32x4.add(sum2, f32x4.mul(x, s2));
      sum3 = f32x4.add(sum3, f32x4.mul(x, s3));
      at += step;
    }
    const to = error + (<usize>c << 2);
    v128.store(to, f32x4.sub(part(v, c, V), sum0));
    v128.store(to, f32x4.sub(part(v, c + 4, V), sum1), 16);
    v128.store(to, f32x4.sub(part(v, c + 8, V), sum2), 32);
    v128.store(to, f32x4.sub(part(v, c + 12, V), sum3), 48);
  }
}

/** Elements c to c + 3 of V, 0 past the end. */
// @ts-ignore: decorator
@inline function part(v: usize, c: i32, V: i32): v128 {
  return c < V ? loadUpTo(v + (<usize>c << 2), V - c) : splat(0);
}

// @ts-ignore: decorator
@inline function put(y: usize, c: i32, V: i32, value: v128): void {
  if (c < V) storeUpTo(y + (<usize>c << 2), value, V - c);
}

/** S += k (beta error)^T; y = scale S^T q. */
function writeAndRead(
  state: usize, q: usize, k: usize, K: i32, V: i32, beta: v128, scale: v128, error: usize, y: usize,
): void {
  const step = <usize>columnsOf(V) << 2;
  for (let c = 0; c < V; c += 16) {
    const from = error + (<usize>c << 2);
    const u0 = f32x4.mul(beta, v128.load(from));
    const u1 = f32x4.mul(beta, v128.load(from, 16));
    const u2 = f32x4.mul(beta, v128.load(from, 32));
    const u3 = f32x4.mul(beta, v128.load(from, 48));
    let sum0 = splat(0);
    let sum1 = splat(0);
    let sum2 = splat(0);
    let sum3 = splat(0);
    let at = state + (<usize>c << 2);
    for (let r: usize = 0; r < <usize>K << 2; r += 4) {
      const key = v128.load32_splat(k + r);
      const query = v128.load32_splat(q + r);
      const s0 = f32x4.add(v128.load(at), f32x4.mul(key, u0));
      const s1 = f32x4.add(v128.load(at, 16), f32x4.mul(key, u1));
      const s2 = f32x4.add(v128.load(at, 32), f32x4.mul(key, u2));
      const s3 = f32x4.add(v128.load(at, 48), f32x4.mul(key, u3));
      v128.store(at, s0);
      v128.store(at, s1, 16);
      v128.store(at, s2, 32);
      v128.store(at, s3, 48);
      sum0 = f32x4.add(sum0, f32x4.mul(query, s0));
      sum1 = f32x4.add(sum1, f32x4.mul(query, s1));
      sum2 = f32x4.add(sum2, f32x4.mul(query, s2));
      sum3 = f32x4.add(sum3, f32x4.mul(query, s3));
      at += step;
    }
    put(y, c, V, f32x4.mul(sum0, scale));
    put(y, c + 4, V, f32x4.mul(sum1, scale));
    put(y, c + 8, V, f32x4.mul(sum2, scale));
    put(y, c + 12, V, f32x4.mul(sum3, scale));
  }
}

/** Rows of a state between memory and scratch. */
function copyState(to: usize, toStep: usize, from: usize, fromStep: usize, K: i32, V: i32): void {
  for (let r: usize = 0; r < <usize>K; r++) memory.copy(to + r * toStep, from + r * fromStep, <usize>V << 2);
}

/** y, final and, where given, what is kept. Absent addresses are 0. Units: sequences x H. */
export function deltaRuleRecurrent(
  start: i32, end: i32, q: usize, k: usize, v: usize, beta: usize, decay: usize, initial: usize, y: usize,
  final: usize, states: usize, errors: usize, T: i32, G: i32, H: i32, K: i32, V: i32, cu: usize, scale: f32,
): void {
  const step = <usize>columnsOf(V) << 2;
  const line = <usize>V << 2;
  const state = scratch();
  const error = state + <usize>K * step;
  for (let unit = start; unit < end; unit++) {
    const s = unit / H;
    const h = unit - s * H;
    const first = firstRow(cu, s, T);
    const length = firstRow(cu, s + 1, T) - first;
    const chunk = firstChunk(cu, s, T);
    const own = (<usize>unit * <usize>(K * V)) << 2;
    memory.fill(state, 0, <usize>K * step);
    if (initial) copyState(state, step, initial + own, line, K, V);
    for (let t = 0; t < length; t++) {
      const row = first + t;
      const gate = (<usize>row * <usize>H + <usize>h) << 2;
      const kAt = (<usize>(row * G + (h * G) / H) * <usize>K) << 2;
      const vAt = (<usize>(row * H + h) * <usize>V) << 2;
      if (states && t % CHUNK == 0) {
        loadRows(state, step, K, padded(K), V, keptState(states, chunk + t / CHUNK, H, h, K, V));
      }
      const e = decay ? expV(v128.load32_splat(decay + gate)) : splat(1);
      predict(state, k + kAt, v + vAt, K, V, e, error);
      if (states) keepError(error, V, t, keptErrors(errors, chunk + t / CHUNK, H, h, V));
      writeAndRead(state, q + kAt, k + kAt, K, V, v128.load32_splat(beta + gate), splat(scale), error, y + vAt);
    }
    copyState(final + own, line, state, step, K, V);
  }
}

/** One line of each of the panels [V/8][CHUNK][8]; the first token of a chunk clears the others. */
function keepError(error: usize, V: i32, t: i32, to: usize): void {
  const panel = <usize>CHUNK << 5;
  const panels = <usize>padded(V) >> 3;
  const i = t % CHUNK;
  if (i == 0) memory.fill(to, 0, panels * panel);
  for (let p: usize = 0; p < panels; p++) memory.copy(to + p * panel + (<usize>i << 5), error + (p << 5), 32);
}
