// One query a sequence against a cache of keys, in parts of the key axis: each part leaves, for every head, its largest
// score, the sum of its exponentials and the sum of values weighted by them; the merge makes outputs of them. Four rows
// of the cache at a time go through all heads, so that it is read as it lies in memory, and two heads of a group share
// what they load.
import {
  allFinite, Extra, highOf, lowOf, maxOf, NOTHING, probabilities, scaleRow, shapeScores, sparseProduct, tileOf,
  TILE_BYTES, Tile,
} from './attention-common';
import { expV, loadUpTo, logV, splat, storeUpTo } from './math';
import { scratch } from './scratch';

const BLOCK: i32 = 32;

/** Sums over the lanes of four vectors. */
// @ts-ignore: decorator
@inline function across(s0: v128, s1: v128, s2: v128, s3: v128): v128 {
  const a = f32x4.add(v128.shuffle<f32>(s0, s1, 0, 4, 1, 5), v128.shuffle<f32>(s0, s1, 2, 6, 3, 7));
  const b = f32x4.add(v128.shuffle<f32>(s2, s3, 0, 4, 1, 5), v128.shuffle<f32>(s2, s3, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(a, b, 0, 1, 4, 5), v128.shuffle<f32>(a, b, 2, 3, 6, 7));
}

/** out[0..4) = q . k for four rows of K elements. */
function scoresOne(q: usize, k0: usize, k1: usize, k2: usize, k3: usize, K: i32, out: usize): void {
  let s0 = splat(0);
  let s1 = splat(0);
  let s2 = splat(0);
  let s3 = splat(0);
  const whole = <usize>(K & ~3) << 2;
  for (let at: usize = 0; at < whole; at += 16) {
    const x = v128.load(q + at);
    s0 = f32x4.add(s0, f32x4.mul(x, v128.load(k0 + at)));
    s1 = f32x4.add(s1, f32x4.mul(x, v128.load(k1 + at)));
    s2 = f32x4.add(s2, f32x4.mul(x, v128.load(k2 + at)));
    s3 = f32x4.add(s3, f32x4.mul(x, v128.load(k3 + at)));
  }
  const rest = K & 3;
  if (rest) {
    const x = loadUpTo(q + whole, rest);
    s0 = f32x4.add(s0, f32x4.mul(x, loadUpTo(k0 + whole, rest)));
    s1 = f32x4.add(s1, f32x4.mul(x, loadUpTo(k1 + whole, rest)));
    s2 = f32x4.add(s2, f32x4.mul(x, loadUpTo(k2 + whole, rest)));
    s3 = f32x4.add(s3, f32x4.mul(x, loadUpTo(k3 + whole, rest)));
  }
  v128.store(out, across(s0, s1, s2, s3));
}

/** scoresOne of two queries at once: the same bits. K is a multiple of 4. */
function scoresTwo(
  q: usize, p: usize, k0: usize, k1: usize, k2: usize, k3: usize, K: i32, out: usize, next: usize,
): void {
  let s0 = splat(0);
  let s1 = splat(0);
  let s2 = splat(0);
  let s3 = splat(0);
  let t0 = splat(0);
  let t1 = splat(0);
  let t2 = splat(0);
  let t3 = splat(0);
  const whole = <usize>K << 2;
  for (let at: usize = 0; at < whole; at += 16) {
    const x = v128.load(q + at);
    const y = v128.load(p + at);
    let k = v128.load(k0 + at);
    s0 = f32x4.add(s0, f32x4.mul(x, k));
    t0 = f32x4.add(t0, f32x4.mul(y, k));
    k = v128.load(k1 + at);
    s1 = f32x4.add(s1, f32x4.mul(x, k));
    t1 = f32x4.add(t1, f32x4.mul(y, k));
    k = v128.load(k2 + at);
    s2 = f32x4.add(s2, f32x4.mul(x, k));
    t2 = f32x4.add(t2, f32x4.mul(y, k));
    k = v128.load(k3 + at);
    s3 = f32x4.add(s3, f32x4.mul(x, k));
    t3 = f32x4.add(t3, f32x4.mul(y, k));
  }
  v128.store(out, across(s0, s1, s2, s3));
  v128.store(next, across(t0, t1, t2, t3));
}

/** a + w0 v0 + w1 v1 + w2 v2 + w3 v3, in order. */
// @ts-ignore: decorator
@inline function addFour(a: v128, w: v128, v0: v128, v1: v128, v2: v128, v3: v128): v128 {
  a = f32x4.add(a, f32x4.mul(v128.shuffle<f32>(w, w, 0, 0, 0, 0), v0));
  a = f32x4.add(a, f32x4.mul(v128.shuffle<f32>(w, w, 1, 1, 1, 1), v1));
  a = f32x4.add(a, f32x4.mul(v128.shuffle<f32>(w, w, 2, 2, 2, 2), v2));
  return f32x4.add(a, f32x4.mul(v128.shuffle<f32>(w, w, 3, 3, 3, 3), v3));
}

/** acc[0..V) += p . v for four rows. */
function weighOne(acc: usize, p: usize, v0: usize, v1: usize, v2: usize, v3: usize, V: i32): void {
  const w = v128.load(p);
  const whole = <usize>(V & ~3) << 2;
  for (let at: usize = 0; at < whole; at += 16) {
    const a = addFour(
      v128.load(acc + at), w, v128.load(v0 + at), v128.load(v1 + at), v128.load(v2 + at), v128.load(v3 + at),
    );
    v128.store(acc + at, a);
  }
  const rest = V & 3;
  if (rest) {
    const a = addFour(
      loadUpTo(acc + whole, rest), w, loadUpTo(v0 + whole, rest), loadUpTo(v1 + whole, rest),
      loadUpTo(v2 + whole, rest), loadUpTo(v3 + whole, rest),
    );
    storeUpTo(acc + whole, a, rest);
  }
}

/** weighOne of two heads at once: the same bits. V is a multiple of 4. */
function weighTwo(
  acc: usize, next: usize, p: usize, r: usize, v0: usize, v1: usize, v2: usize, v3: usize, V: i32,
): void {
  const w = v128.load(p);
  const x = v128.load(r);
  const whole = <usize>V << 2;
  for (let at: usize = 0; at < whole; at += 16) {
    const a = v128.load(v0 + at);
    const b = v128.load(v1 + at);
    const c = v128.load(v2 + at);
    const d = v128.load(v3 + at);
    v128.store(acc + at, addFour(v128.load(acc + at), w, a, b, c, d));
    v128.store(next + at, addFour(v128.load(next + at), x, a, b, c, d));
  }
}

/** Bytes of keys and values beyond which they come from memory rather than from a processor's cache. */
const LARGE: i64 = 4 << 20;

/** Reads one word of each line in order, so that what comes from memory streams; writes what it read to `to`. */
function touch(from: usize, bytes: usize, to: usize): void {
  let sum: i32 = 0;
  const end = from + bytes;
  for (let at = from; at < end; at += 64) sum |= load<i32>(at);
  store<i32>(to, sum);
}

/** Scores of n keys from row `first` of k, for all heads: lines [H][32]. */
function allScores(
  q: usize, k: usize, first: i32, n: i32, H: i32, Hkv: i32, K: i32, lines: usize,
): void {
  const group = H / Hkv;
  const step = <usize>(Hkv * K) << 2;
  for (let j = 0; j < n; j += 4) {
    const k0 = k + <usize>(first + j) * step;
    const k1 = k + <usize>(first + min(j + 1, n - 1)) * step;
    const k2 = k + <usize>(first + min(j + 2, n - 1)) * step;
    const k3 = k + <usize>(first + min(j + 3, n - 1)) * step;
    let h = 0;
    while (h < H) {
      const at = <usize>((h / group) * K) << 2;
      const own = q + (<usize>(h * K) << 2);
      const out = lines + (<usize>(h * BLOCK + j) << 2);
      if (h % group + 1 < group && !(K & 3)) {
        scoresTwo(own, own + (<usize>K << 2), k0 + at, k1 + at, k2 + at, k3 + at, K, out, out + BLOCK * 4);
        h += 2;
      } else {
        scoresOne(own, k0 + at, k1 + at, k2 + at, k3 + at, K, out);
        h++;
      }
    }
  }
}

/** Values of n keys from row `first` of v, weighted by the lines [H][32], to the states of all heads. */
function allValues(
  v: usize, first: i32, n: i32, H: i32, Hkv: i32, V: i32, lines: usize, to: usize, width: usize,
): void {
  const group = H / Hkv;
  const step = <usize>(Hkv * V) << 2;
  for (let j = 0; j < n; j += 4) {
    const v0 = v + <usize>(first + j) * step;
    const v1 = v + <usize>(first + min(j + 1, n - 1)) * step;
    const v2 = v + <usize>(first + min(j + 2, n - 1)) * step;
    const v3 = v + <usize>(first + min(j + 3, n - 1)) * step;
    let h = 0;
    while (h < H) {
      const at = <usize>((h / group) * V) << 2;
      const p = lines + (<usize>(h * BLOCK + j) << 2);
      const acc = to + <usize>h * width + 8;
      if (h % group + 1 < group && !(V & 3)) {
        weighTwo(acc, acc + width, p, p + BLOCK * 4, v0 + at, v1 + at, v2 + at, v3 + at, V);
        h += 2;
      } else {
        weighOne(acc, p, v0 + at, v1 + at, v2 + at, v3 + at, V);
        h++;
      }
    }
  }
}

/** Units: rows of the Extra's table x parts of `size` keys. state [rows, parts, H, V + 2]: top, sum, values. */
export function attentionDecode(
  start: i32, end: i32, q: usize, k: usize, v: usize, state: usize, parts: i32, size: i32, H: i32, Hkv: i32, K: i32,
  V: i32, scale: f32, extra: usize,
): void {
  const own = scratch();
  const spare = own + TILE_BYTES;
  const lines = spare + 16;
  const e = changetype<Extra>(extra);
  const width = <usize>(V + 2) << 2;
  for (let unit = start; unit < end; unit++) {
    const t = tileOf(unit, own, extra, 1, parts, 1, 1, 1);
    const to = state + <usize>unit * H * width;
    for (let h = 0; h < H; h++) {
      store<f32>(to + <usize>h * width, -Infinity);
      memory.fill(to + <usize>h * width + 4, 0, width - 4);
    }
    if (t.tq == 0) continue;
    const large = <i64>t.tk * Hkv * (K + V) * 4 > LARGE;
    const last = min(highOf(e, t, 0), (t.head + 1) * size);
    for (let j0 = max(lowOf(e, t, 0), t.head * size); j0 < last; j0 += BLOCK) {
      const n = min(BLOCK, last - j0);
      const row = <usize>(t.k0 + j0) * Hkv;
      if (large) touch(k + ((row * K) << 2), <usize>(n * Hkv * K) << 2, spare);
      allScores(q + ((<usize>(t.q0 * H) * K) << 2), k, t.k0 + j0, n, H, Hkv, K, lines);
      for (let h = 0; h < H; h++) {
        const line = lines + (<usize>(h * BLOCK) << 2);
        shapeScores(e, t, h, line, 0, j0, n, scale);
        const at = to + <usize>h * width;
        const before = load<f32>(at);
        const top = max<f32>(before, maxOf(line, n));
        if (top == -Infinity) {
          memory.fill(line, 0, BLOCK * 4);
          continue;
        }
        const decay = f32x4.extract_lane(expV(splat(before - top)), 0);
        const sum = probabilities(line, n, BLOCK, splat(1), splat(top));
        store<f32>(at, top);
        store<f32>(at + 4, load<f32>(at + 4) * decay + sum);
        if (decay != 1) scaleRow(at + 8, V, decay);
      }
      if (large) touch(v + ((row * V) << 2), <usize>(n * Hkv * V) << 2, spare);
      if (!e.mask || allFinite(v + ((row * V) << 2), Hkv * V, n, Hkv * V)) {
        allValues(v, t.k0 + j0, n, H, Hkv, V, lines, to, width);
      } else {
        for (let h = 0; h < H; h++) {
          const from = v + (((row + <usize>(h / (H / Hkv))) * V) << 2);
          sparseProduct(lines + (<usize>(h * BLOCK) << 2), BLOCK, 1, from, Hkv * V, to + <usize>h * width + 8, V, 1, V, n);
        }
      }
    }
  }
}

/** o [rows, H, V] and lse [rows, H] (1 query a row) from the parts. Units: rows of the table x H. */
export function attentionDecodeMerge(
  start: i32, end: i32, state: usize, o: usize, lse: usize, parts: i32, H: i32, V: i32, extra: usize,
): void {
  const own = scratch();
  const e = changetype<Extra>(extra);
  const width = <usize>(V + 2) << 2;
  for (let unit = start; unit < end; unit++) {
    const t = tileOf(unit, own, extra, 1, H, 1, 1, 1);
    if (t.tq == 0) continue;
    const h = t.head;
    const from = state + (<usize>(unit / H) * parts * H + h) * width;
    const next = <usize>H * width;
    let top: f32 = e.sink ? load<f32>(e.sink + (<usize>h << 2)) : -Infinity;
    let sum: f32 = top == -Infinity ? 0 : 1;
    const to = o + ((<usize>(t.q0 * H + h) * V) << 2);
    memory.fill(to, 0, <usize>V << 2);
    for (let part = 0; part < parts; part++) {
      const at = from + <usize>part * next;
      const other = load<f32>(at);
      if (other == -Infinity) continue;
      const both = max<f32>(top, other);
      const decay = f32x4.extract_lane(expV(splat(top - both)), 0);
      const weight = expV(splat(other - both));
      sum = sum * decay + load<f32>(at + 4) * f32x4.extract_lane(weight, 0);
      for (let c = 0; c < V; c += 4) {
        const x = <usize>c << 2;
        const value = f32x4.add(
          f32x4.mul(loadUpTo(to + x, V - c), splat(decay)), f32x4.mul(loadUpTo(at + 8 + x, V - c), weight),
        );
        storeUpTo(to + x, value, V - c);
      }
      top = both;
    }
    if (sum != 0) scaleRow(to, V, 1 / sum);
    const value = sum != 0 ? top + f32x4.extract_lane(logV(splat(sum)), 0) : NOTHING;
    store<f32>(lse + (<usize>(t.q0 * H + h) << 2), value);
  }
}
