// Causal or full softmax attention in tiles of 64 queries x 64 keys: online softmax forward, recomputation
// backward (dq over query tiles, dk and dv over key tiles, so no two units write the same place).
// q, o [B, Tq, H, K|V]; k, v [B, rows, Hkv, K|V] of which Tk rows are used; lse, delta [B, H, Tq].
import { expV, hmax, hsum, loadPart, loadUpTo, logV, splat, storeUpTo } from './math';
import { GEMM_SCRATCH, tileProduct } from './gemm';
import { scratch } from './scratch';

const TILE: i32 = 64;

/** Units of attention and attentionBackwardQ. */
export function attentionUnits(B: i32, Tq: i32, H: i32): i32 {
  return B * H * ((Tq + TILE - 1) / TILE);
}

/** Units of attentionBackwardKV. */
export function attentionUnitsKV(B: i32, Tk: i32, Hkv: i32): i32 {
  return B * Hkv * ((Tk + TILE - 1) / TILE);
}

/** x[0..n) *= factor. */
function scaleRow(x: usize, n: i32, factor: f32): void {
  for (let i = 0; i < n; i += 4) {
    const at = x + (<usize>i << 2);
    storeUpTo(at, f32x4.mul(loadUpTo(at, n - i), splat(factor)), n - i);
  }
}

/** Keys of the tile that a row may see: all when not causal, else up to i + Tk - Tq. */
// @ts-ignore: decorator
@inline function visible(i: i32, j0: i32, width: i32, offset: i32, causal: i32): i32 {
  if (!causal) return width;
  return max(0, min(width, i + offset - j0 + 1));
}

/** Replaces scores by exp(scale s - top) on the first n of width entries, 0 on the rest; returns their sum. */
// @ts-ignore: decorator
@inline function probabilities(s: usize, n: i32, width: i32, scale: v128, top: v128): f32 {
  let sum = splat(0);
  let i: i32 = 0;
  for (; i < n; i += 4) {
    const at = s + (<usize>i << 2);
    let x = f32x4.sub(f32x4.mul(v128.load(at), scale), top);
    if (n - i < 4) x = keep(x, n - i);
    const p = expV(x);
    v128.store(at, p);
    sum = f32x4.add(sum, p);
  }
  for (; i < width; i += 4) v128.store(s + (<usize>i << 2), splat(0));
  return hsum(sum);
}

/** The first `count` lanes, -infinity in the others. */
// @ts-ignore: decorator
@inline function keep(x: v128, count: i32): v128 {
  const mask = i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count));
  return v128.bitselect(x, splat(-Infinity), mask);
}

// @ts-ignore: decorator
@inline function maxOf(s: usize, n: i32): f32 {
  let m = splat(-Infinity);
  for (let i = 0; i < n; i += 4) {
    const at = s + (<usize>i << 2);
    m = f32x4.max(m, n - i >= 4 ? v128.load(at) : loadPart(at, n - i, splat(-Infinity)));
  }
  return hmax(m);
}

/** scale > 0. lse may be 0. Rows that see no key give 0 and logsumexp -infinity. Scratch rows are 64 wide. */
export function attention(
  start: i32, end: i32, q: usize, k: usize, v: usize, o: usize, lse: usize, Tq: i32, Tk: i32, rows: i32, H: i32,
  Hkv: i32, K: i32, V: i32, scale: f32, causal: i32,
): void {
  const tiles = (Tq + TILE - 1) / TILE;
  const s = scratch() + GEMM_SCRATCH;
  const tops = s + TILE * TILE * 4;
  const sums = tops + TILE * 4;
  const offset = Tk - Tq;
  for (let unit = start; unit < end; unit++) {
    const bh = unit / tiles;
    const i0 = (unit - bh * tiles) * TILE;
    const b = bh / H;
    const h = bh - b * H;
    const m = min(TILE, Tq - i0);
    const kvHead = h / (H / Hkv);
    const qAt = q + ((<usize>((b * Tq + i0) * H + h) * K) << 2);
    const oAt = o + ((<usize>((b * Tq + i0) * H + h) * V) << 2);
    const oRow = H * V;
    for (let i = 0; i < m; i++) {
      store<f32>(tops + (<usize>i << 2), -Infinity);
      store<f32>(sums + (<usize>i << 2), 0);
      memory.fill(oAt + ((<usize>i * oRow) << 2), 0, <usize>V << 2);
    }
    const last = causal ? min(Tk, i0 + m + offset) : Tk;
    for (let j0 = 0; j0 < last; j0 += TILE) {
      const n = min(TILE, Tk - j0);
      const row = <usize>((b * rows + j0) * Hkv + kvHead);
      tileProduct(qAt, H * K, 1, k + ((row * K) << 2), 1, Hkv * K, s, TILE, m, n, K, 0);
      for (let i = 0; i < m; i++) {
        const line = s + (<usize>i << 8);
        const seen = visible(i0 + i, j0, n, offset, causal);
        const before = load<f32>(tops + (<usize>i << 2));
        const top = max<f32>(before, maxOf(line, seen) * scale);
        if (top == -Infinity) {
          memory.fill(line, 0, TILE * 4);
          continue;
        }
        const decay = f32x4.extract_lane(expV(splat(before - top)), 0);
        const sum = probabilities(line, seen, n, splat(scale), splat(top));
        store<f32>(tops + (<usize>i << 2), top);
        const at = sums + (<usize>i << 2);
        store<f32>(at, load<f32>(at) * decay + sum);
        if (decay != 1) scaleRow(oAt + ((<usize>i * oRow) << 2), V, decay);
      }
      tileProduct(s, TILE, 1, v + ((row * V) << 2), Hkv * V, 1, oAt, oRow, m, V, n, 1);
    }
    for (let i = 0; i < m; i++) {
      const sum = load<f32>(sums + (<usize>i << 2));
      const top = load<f32>(tops + (<usize>i << 2));
      if (sum != 0) scaleRow(oAt + ((<usize>i * oRow) << 2), V, 1 / sum);
      if (lse) {
        const value = top + f32x4.extract_lane(logV(splat(sum)), 0);
        store<f32>(lse + (<usize>(bh * Tq + i0 + i) << 2), value);
      }
    }
  }
}

/** delta[b, h, t] = sum over V of dO O. Units are rows B * Tq. */
export function attentionDelta(start: i32, end: i32, o: usize, dO: usize, delta: usize, Tq: i32, H: i32, V: i32): void {
  for (let row = start; row < end; row++) {
    const b = row / Tq;
    const t = row - b * Tq;
    for (let h = 0; h < H; h++) {
      const at = (<usize>(row * H + h) * V) << 2;
      let sum = splat(0);
      for (let i = 0; i < V; i += 4) {
        const x = at + (<usize>i << 2);
        sum = f32x4.add(sum, f32x4.mul(loadUpTo(o + x, V - i), loadUpTo(dO + x, V - i)));
      }
      store<f32>(delta + (<usize>((b * H + h) * Tq + t) << 2), hsum(sum));
    }
  }
}

/** s = exp(scale s - lse) where seen, else 0; p = s (p - delta) scale. Rows are 64 wide. */
function scoreGradients(
  s: usize, p: usize, m: i32, n: i32, lse: usize, delta: usize, i0: i32, j0: i32, offset: i32, scale: f32,
  causal: i32,
): void {
  for (let i = 0; i < m; i++) {
    const line = s + (<usize>i << 8);
    const dLine = p + (<usize>i << 8);
    const seen = visible(i0 + i, j0, n, offset, causal);
    probabilities(line, seen, n, splat(scale), v128.load32_splat(lse + (<usize>i << 2)));
    const d = v128.load32_splat(delta + (<usize>i << 2));
    for (let j = 0; j < n; j += 4) {
      const at = <usize>j << 2;
      let value = f32x4.mul(f32x4.mul(v128.load(line + at), f32x4.sub(v128.load(dLine + at), d)), splat(scale));
      // Unseen entries may hold anything; their gradient is 0.
      if (seen - j < 4) value = v128.and(value, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(seen - j)));
      v128.store(dLine + at, value);
    }
  }
}

/** dq [B, Tq, H, K] from saved lse and delta. Units: attentionUnits. */
export function attentionBackwardQ(
  start: i32, end: i32, q: usize, k: usize, v: usize, lse: usize, delta: usize, dO: usize, dq: usize, Tq: i32,
  Tk: i32, rows: i32, H: i32, Hkv: i32, K: i32, V: i32, scale: f32, causal: i32,
): void {
  const tiles = (Tq + TILE - 1) / TILE;
  const s = scratch() + GEMM_SCRATCH;
  const p = s + TILE * TILE * 4;
  const offset = Tk - Tq;
  for (let unit = start; unit < end; unit++) {
    const bh = unit / tiles;
    const i0 = (unit - bh * tiles) * TILE;
    const b = bh / H;
    const h = bh - b * H;
    const m = min(TILE, Tq - i0);
    const head = <usize>((b * Tq + i0) * H + h);
    const saved = <usize>(bh * Tq + i0) << 2;
    const last = causal ? min(Tk, i0 + m + offset) : Tk;
    const dqAt = dq + ((head * K) << 2);
    if (last <= 0) {
      for (let i = 0; i < m; i++) memory.fill(dqAt + ((<usize>i * H * K) << 2), 0, <usize>K << 2);
    }
    for (let j0 = 0; j0 < last; j0 += TILE) {
      const n = min(TILE, Tk - j0);
      const row = <usize>((b * rows + j0) * Hkv + h / (H / Hkv));
      const kAt = k + ((row * K) << 2);
      tileProduct(q + ((head * K) << 2), H * K, 1, kAt, 1, Hkv * K, s, TILE, m, n, K, 0);
      tileProduct(dO + ((head * V) << 2), H * V, 1, v + ((row * V) << 2), 1, Hkv * V, p, TILE, m, n, V, 0);
      scoreGradients(s, p, m, n, lse + saved, delta + saved, i0, j0, offset, scale, causal);
      tileProduct(p, TILE, 1, kAt, Hkv * K, 1, dqAt, H * K, m, K, n, j0 > 0 ? 1 : 0);
    }
  }
}

/** dk, dv [B, Tk, Hkv, K|V], summed over the query heads of the group in order. Units: attentionUnitsKV. */
export function attentionBackwardKV(
  start: i32, end: i32, q: usize, k: usize, v: usize, lse: usize, delta: usize, dO: usize, dk: usize, dv: usize,
  Tq: i32, Tk: i32, rows: i32, H: i32, Hkv: i32, K: i32, V: i32, scale: f32, causal: i32,
): void {
  const tiles = (Tk + TILE - 1) / TILE;
  const s = scratch() + GEMM_SCRATCH;
  const p = s + TILE * TILE * 4;
  const group = H / Hkv;
  const offset = Tk - Tq;
  for (let unit = start; unit < end; unit++) {
    const bh = unit / tiles;
    const j0 = (unit - bh * tiles) * TILE;
    const b = bh / Hkv;
    const kv = bh - b * Hkv;
    const n = min(TILE, Tk - j0);
    const row = <usize>((b * rows + j0) * Hkv + kv);
    const dkAt = dk + ((row * K) << 2);
    const dvAt = dv + ((row * V) << 2);
    for (let j = 0; j < n; j++) {
      memory.fill(dkAt + ((<usize>j * Hkv * K) << 2), 0, <usize>K << 2);
      memory.fill(dvAt + ((<usize>j * Hkv * V) << 2), 0, <usize>V << 2);
    }
    const first = causal ? (max(0, j0 - offset) / TILE) * TILE : 0;
    for (let h = kv * group; h < (kv + 1) * group; h++) {
      for (let i0 = first; i0 < Tq; i0 += TILE) {
        const m = min(TILE, Tq - i0);
        const head = <usize>((b * Tq + i0) * H + h);
        const qAt = q + ((head * K) << 2);
        const dOAt = dO + ((head * V) << 2);
        const saved = <usize>((b * H + h) * Tq + i0) << 2;
        tileProduct(qAt, H * K, 1, k + ((row * K) << 2), 1, Hkv * K, s, TILE, m, n, K, 0);
        tileProduct(dOAt, H * V, 1, v + ((row * V) << 2), 1, Hkv * V, p, TILE, m, n, V, 0);
        scoreGradients(s, p, m, n, lse + saved, delta + saved, i0, j0, offset, scale, causal);
        tileProduct(s, 1, TILE, dOAt, H * V, 1, dvAt, Hkv * V, n, V, m, 1);
        tileProduct(p, 1, TILE, qAt, H * K, 1, dkAt, Hkv * K, n, K, m, 1);
      }
    }
  }
}
