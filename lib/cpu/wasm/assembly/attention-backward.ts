// Softmax attention, backward: probabilities are made again from the log-sum-exp. dq over query tiles, dk and dv over
// key tiles, so no two units write the same place.
import { plainHigh, plainSeen, visible } from './attention';
import {
  allFinite, columnsProduct, distances, Extra, hasCorner, highOf, lanesOf, lowOf, probabilities, rowsProduct,
  scoreProduct, seenOf, sparseProduct, TILE, tileOf, Tile,
} from './attention-common';
import { expV, hsum, splat, tanhV } from './math';
import { GEMM_SCRATCH } from './gemm';
import { scratch } from './scratch';

/** s = exp(scale s - lse) where seen, else 0; p = s (p - delta) scale. Rows are 64 wide. */
function plainGradients(
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

/** The same with cap, distances, windows and blocks; adds ds |distance| to the rows of `slopes` unless that is 0. */
function shapedGradients(
  e: Extra, t: Tile, h: i32, s: usize, p: usize, i0: i32, m: i32, j0: i32, n: i32, lse: usize, delta: usize,
  scale: f32, slopes: usize,
): void {
  const slope = e.alibi ? splat(load<f32>(e.alibi + (<usize>h << 2))) : splat(0);
  for (let i = 0; i < m; i++) {
    const low = lowOf(e, t, i0 + i);
    const high = highOf(e, t, i0 + i);
    const top = v128.load32_splat(lse + (<usize>i << 2));
    const d = v128.load32_splat(delta + (<usize>i << 2));
    let far = splat(0);
    for (let j = 0; j < n; j += 4) {
      const at = s + (<usize>i << 8) + (<usize>j << 2);
      const dAt = p + (<usize>i << 8) + (<usize>j << 2);
      const seen = lanesOf(e, t, h, i0 + i, j0 + j, low, high);
      let x = f32x4.mul(v128.load(at), splat(scale));
      let turn = splat(scale);
      if (e.softcap > 0) {
        const y = tanhV(f32x4.div(x, splat(e.softcap)));
        x = f32x4.mul(y, splat(e.softcap));
        turn = f32x4.mul(turn, f32x4.sub(splat(1), f32x4.mul(y, y)));
      }
      const distance = distances(t, i0 + i, j0 + j);
      if (e.alibi) x = f32x4.sub(x, f32x4.mul(slope, distance));
      const chance = v128.and(expV(f32x4.sub(x, top)), seen);
      const ds = v128.and(f32x4.mul(chance, f32x4.sub(v128.load(dAt), d)), seen);
      v128.store(at, chance);
      v128.store(dAt, v128.and(f32x4.mul(ds, turn), seen));
      far = f32x4.add(far, f32x4.mul(ds, distance));
    }
    if (slopes) {
      const to = slopes + (<usize>i << 2);
      store<f32>(to, load<f32>(to) + hsum(far));
    }
  }
}

/** dq [B, Tq, H, K] from saved lse and delta. Units as of `attention`. */
export function attentionBackwardQ(
  start: i32, end: i32, q: usize, k: usize, v: usize, lse: usize, delta: usize, dO: usize, dq: usize, Tq: i32,
  Tk: i32, rows: i32, H: i32, Hkv: i32, K: i32, V: i32, scale: f32, causal: i32, extra: usize,
): void {
  const s = scratch() + GEMM_SCRATCH;
  const p = s + TILE * TILE * 4;
  const e = changetype<Extra>(extra);
  for (let unit = start; unit < end; unit++) {
    const t = tileOf(unit, p + TILE * TILE * 4, extra, Tq, H, Tq, Tk, rows);
    const h = t.head;
    const i0 = t.start;
    const offset = t.tk - t.tq;
    const m = min(TILE, t.tq - i0);
    const head = <usize>((t.q0 + i0) * H + h);
    const saved = <usize>((t.batch * H + h) * Tq + t.qBase + i0) << 2;
    const slopes: usize = extra && e.slopes ? e.slopes + saved : 0;
    if (slopes) memory.fill(slopes, 0, <usize>m << 2);
    const first = extra ? lowOf(e, t, i0) & ~(TILE - 1) : 0;
    const last = extra ? highOf(e, t, i0 + m - 1) : causal ? min(t.tk, i0 + m + offset) : t.tk;
    const dqAt = dq + ((head * K) << 2);
    let begun = 0;
    for (let j0 = first; j0 < last; j0 += TILE) {
      const n = min(TILE, t.tk - j0);
      const some = extra ? seenOf(e, t, h, i0, m, j0, n) : plainSeen(i0, j0, n, offset, causal);
      if (some == 0) continue;
      const row = <usize>((t.k0 + j0) * Hkv + h / (H / Hkv));
      const kAt = k + ((row * K) << 2);
      const corner = hasCorner(extra ? highOf(e, t, i0 + 31) : plainHigh(i0 + 31, t.tk, offset, causal), j0, m, n);
      scoreProduct(q + ((head * K) << 2), H * K, kAt, Hkv * K, s, m, n, K, corner);
      scoreProduct(dO + ((head * V) << 2), H * V, v + ((row * V) << 2), Hkv * V, p, m, n, V, corner);
      if (extra) shapedGradients(e, t, h, s, p, i0, m, j0, n, lse + saved, delta + saved, scale, slopes);
      else plainGradients(s, p, m, n, lse + saved, delta + saved, i0, j0, offset, scale, causal);
      if (some == 2 || allFinite(kAt, Hkv * K, n, K)) rowsProduct(p, kAt, Hkv * K, dqAt, H * K, m, K, n, begun, corner);
      else {
        if (!begun) clear(dqAt, H * K, m, K);
        sparseProduct(p, TILE, 1, kAt, Hkv * K, dqAt, H * K, m, K, n);
      }
      begun = 1;
    }
    if (!begun) clear(dqAt, H * K, m, K);
  }
}

/** Rows of n elements become 0. */
function clear(x: usize, row: i32, m: i32, n: i32): void {
  for (let i = 0; i < m; i++) memory.fill(x + ((<usize>i * row) << 2), 0, <usize>n << 2);
}

/**
 * dk, dv [B, Tk, Hkv, K|V], summed over the query heads of the group in order. Units: attentionUnitsKV, or key tiles of
 * the Extra x Hkv; those cover all rows held, and rows not in use become 0.
 */
export function attentionBackwardKV(
  start: i32, end: i32, q: usize, k: usize, v: usize, lse: usize, delta: usize, dO: usize, dk: usize, dv: usize,
  Tq: i32, Tk: i32, rows: i32, H: i32, Hkv: i32, K: i32, V: i32, scale: f32, causal: i32, extra: usize,
): void {
  const s = scratch() + GEMM_SCRATCH;
  const p = s + TILE * TILE * 4;
  const e = changetype<Extra>(extra);
  const group = H / Hkv;
  for (let unit = start; unit < end; unit++) {
    const t = tileOf(unit, p + TILE * TILE * 4, extra, Tk, Hkv, Tq, Tk, rows);
    const kv = t.head;
    const j0 = t.start;
    const offset = t.tk - t.tq;
    const n = min(TILE, t.tk - j0);
    const row = <usize>((t.k0 + j0) * Hkv + kv);
    const dkAt = dk + ((row * K) << 2);
    const dvAt = dv + ((row * V) << 2);
    const held = extra ? min(TILE, t.room - j0) : n;
    clear(dkAt, Hkv * K, held, K);
    clear(dvAt, Hkv * V, held, V);
    if (n <= 0) continue;
    const first = !extra && causal ? (max(0, j0 - offset) / TILE) * TILE : 0;
    for (let h = kv * group; h < (kv + 1) * group; h++) {
      for (let i0 = first; i0 < t.tq; i0 += TILE) {
        const m = min(TILE, t.tq - i0);
        const some = extra ? seenOf(e, t, h, i0, m, j0, n) : plainSeen(i0, j0, n, offset, causal);
        if (some == 0) continue;
        const head = <usize>((t.q0 + i0) * H + h);
        const qAt = q + ((head * K) << 2);
        const dOAt = dO + ((head * V) << 2);
        const saved = <usize>((t.batch * H + h) * Tq + t.qBase + i0) << 2;
        const corner = hasCorner(extra ? highOf(e, t, i0 + 31) : plainHigh(i0 + 31, t.tk, offset, causal), j0, m, n);
        scoreProduct(qAt, H * K, k + ((row * K) << 2), Hkv * K, s, m, n, K, corner);
        scoreProduct(dOAt, H * V, v + ((row * V) << 2), Hkv * V, p, m, n, V, corner);
        if (extra) shapedGradients(e, t, h, s, p, i0, m, j0, n, lse + saved, delta + saved, scale, 0);
        else plainGradients(s, p, m, n, lse + saved, delta + saved, i0, j0, offset, scale, causal);
        if (some == 2 || (allFinite(dOAt, H * V, m, V) && allFinite(qAt, H * K, m, K))) {
          columnsProduct(s, dOAt, H * V, dvAt, Hkv * V, n, V, m, corner);
          columnsProduct(p, qAt, H * K, dkAt, Hkv * K, n, K, m, corner);
        } else {
          sparseProduct(s, 1, TILE, dOAt, H * V, dvAt, Hkv * V, n, V, m);
          sparseProduct(p, 1, TILE, qAt, H * K, dkAt, Hkv * K, n, K, m);
        }
      }
    }
  }
}
