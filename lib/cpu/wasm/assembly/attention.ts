// Softmax attention in tiles of 64 queries x 64 keys, forward: online softmax. Plain calls (causal or full) need no
// tables; everything else comes in an Extra. The arithmetic of a plain call is the same either way.
// q, o [B, Tq, H, K|V]; k, v [B, rows, Hkv, K|V] of which Tk rows are used; lse [B, H, Tq].
import {
  allFinite, Extra, hasCorner, highOf, lowOf, maxOf, NOTHING, probabilities, rowsProduct, scaleRow, scoreProduct,
  seenOf, shapeScores, sparseProduct, TILE, tileOf, Tile,
} from './attention-common';
import { expV, hsum, loadUpTo, logV, splat } from './math';
import { GEMM_SCRATCH } from './gemm';
import { scratch } from './scratch';

/** Units of a plain attention and attentionBackwardQ. */
export function attentionUnits(B: i32, Tq: i32, H: i32): i32 {
  return B * H * ((Tq + TILE - 1) / TILE);
}

/** Units of a plain attentionBackwardKV. */
export function attentionUnitsKV(B: i32, Tk: i32, Hkv: i32): i32 {
  return B * Hkv * ((Tk + TILE - 1) / TILE);
}

/** Keys of the tile that a row of a plain call sees: all when not causal, else up to i + Tk - Tq. */
// @ts-ignore: decorator
@inline export function visible(i: i32, j0: i32, width: i32, offset: i32, causal: i32): i32 {
  if (!causal) return width;
  return max(0, min(width, i + offset - j0 + 1));
}

/** Of a tile of a plain call: 1 some pairs may be seen, 2 all. */
// @ts-ignore: decorator
@inline export function plainSeen(i0: i32, j0: i32, n: i32, offset: i32, causal: i32): i32 {
  return causal && i0 + offset < j0 + n - 1 ? 1 : 2;
}

/** Where the keys of query i of a plain call end. */
// @ts-ignore: decorator
@inline export function plainHigh(i: i32, tk: i32, offset: i32, causal: i32): i32 {
  return causal ? i + offset + 1 : tk;
}

/**
 * Scores of rows x keys become shaped ones; `next` gets the largest so far of each row, and `tops`, what it was before,
 * becomes exp(before - next), by which sums shrink. In passes of their own, whose rows a processor can overlap.
 */
function largest(
  e: Extra, shaped: bool, t: Tile, h: i32, s: usize, i0: i32, m: i32, j0: i32, n: i32, offset: i32, causal: i32,
  scale: f32, tops: usize, next: usize,
): void {
  for (let i = 0; i < m; i++) {
    const line = s + (<usize>i << 8);
    let top: f32;
    if (shaped) {
      shapeScores(e, t, h, line, i0 + i, j0, n, scale);
      top = maxOf(line, n);
    } else top = maxOf(line, visible(i0 + i, j0, n, offset, causal)) * scale;
    store<f32>(next + (<usize>i << 2), max<f32>(load<f32>(tops + (<usize>i << 2)), top));
  }
  for (let i = 0; i < m; i += 4) {
    const at = tops + (<usize>i << 2);
    v128.store(at, expV(f32x4.sub(v128.load(at), v128.load(next + (<usize>i << 2)))));
  }
}

/** scale > 0. lse may be 0. Rows that see no key give 0 and NOTHING. Scratch rows are 64 wide. */
export function attention(
  start: i32, end: i32, q: usize, k: usize, v: usize, o: usize, lse: usize, Tq: i32, Tk: i32, rows: i32, H: i32,
  Hkv: i32, K: i32, V: i32, scale: f32, causal: i32, extra: usize,
): void {
  const s = scratch() + GEMM_SCRATCH;
  const tops = s + TILE * TILE * 4;
  const sums = tops + TILE * 4;
  const next = sums + TILE * 4;
  const e = changetype<Extra>(extra);
  const oRow = H * V;
  for (let unit = start; unit < end; unit++) {
    const t = tileOf(unit, next + TILE * 4, extra, Tq, H, Tq, Tk, rows);
    const h = t.head;
    const i0 = t.start;
    const m = min(TILE, t.tq - i0);
    const offset = t.tk - t.tq;
    const kvHead = h / (H / Hkv);
    const head = <usize>((t.q0 + i0) * H + h);
    const qAt = q + ((head * K) << 2);
    const oAt = o + ((head * V) << 2);
    const sink: f32 = extra && e.sink ? load<f32>(e.sink + (<usize>h << 2)) : -Infinity;
    for (let i = 0; i < m; i++) {
      store<f32>(tops + (<usize>i << 2), sink);
      store<f32>(sums + (<usize>i << 2), sink == -Infinity ? 0 : 1);
      memory.fill(oAt + ((<usize>i * oRow) << 2), 0, <usize>V << 2);
    }
    const first = extra ? lowOf(e, t, i0) & ~(TILE - 1) : 0;
    const last = extra ? highOf(e, t, i0 + m - 1) : causal ? min(t.tk, i0 + m + offset) : t.tk;
    for (let j0 = first; j0 < last; j0 += TILE) {
      const n = min(TILE, t.tk - j0);
      const some = extra ? seenOf(e, t, h, i0, m, j0, n) : plainSeen(i0, j0, n, offset, causal);
      if (some == 0) continue;
      const row = <usize>((t.k0 + j0) * Hkv + kvHead);
      const corner = hasCorner(extra ? highOf(e, t, i0 + 31) : plainHigh(i0 + 31, t.tk, offset, causal), j0, m, n);
      scoreProduct(qAt, H * K, k + ((row * K) << 2), Hkv * K, s, m, n, K, corner);
      largest(e, extra != 0, t, h, s, i0, m, j0, n, offset, causal, scale, tops, next);
      const plain = extra == 0;
      for (let i = 0; i < m; i++) {
        const line = s + (<usize>i << 8);
        const top = load<f32>(next + (<usize>i << 2));
        if (top == -Infinity) {
          memory.fill(line, 0, TILE * 4);
          continue;
        }
        const decay = load<f32>(tops + (<usize>i << 2));
        const seen = plain ? visible(i0 + i, j0, n, offset, causal) : n;
        const sum = probabilities(line, seen, n, splat(plain ? scale : 1), splat(top));
        const at = sums + (<usize>i << 2);
        store<f32>(at, load<f32>(at) * decay + sum);
        if (decay != 1) scaleRow(oAt + ((<usize>i * oRow) << 2), V, decay);
      }
      memory.copy(tops, next, TILE * 4);
      const vAt = v + ((row * V) << 2);
      if (some == 2 || allFinite(vAt, Hkv * V, n, V)) rowsProduct(s, vAt, Hkv * V, oAt, oRow, m, V, n, 1, corner);
      else sparseProduct(s, TILE, 1, vAt, Hkv * V, oAt, oRow, m, V, n);
    }
    for (let i = 0; i < m; i++) {
      const sum = load<f32>(sums + (<usize>i << 2));
      const top = load<f32>(tops + (<usize>i << 2));
      if (sum != 0) scaleRow(oAt + ((<usize>i * oRow) << 2), V, 1 / sum);
      if (lse) {
        const value = sum != 0 ? top + f32x4.extract_lane(logV(splat(sum)), 0) : NOTHING;
        store<f32>(lse + (<usize>((t.batch * H + h) * Tq + t.qBase + i0 + i) << 2), value);
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
