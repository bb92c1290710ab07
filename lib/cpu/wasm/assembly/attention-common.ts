// What the attention kernels share: tiles of queries and keys, which keys a row sees, sums that leave hidden rows out.
// Tables and addresses beyond the plain causal case come in an `Extra`; 0 stands for an absent one.
import { tileProduct } from './gemm';
import { hmax, hsum, expV, loadPart, loadUpTo, splat, storeUpTo, tanhV } from './math';

export const TILE: i32 = 64;
/** Log-sum-exp of a row that sees nothing. */
export const NOTHING: f32 = -1e30;
/** Scratch bytes of a Tile. */
export const TILE_BYTES: usize = 48;

/** A tile of queries or of keys of one sequence; 12 words, filled by the caller's table or from the sizes. */
@unmanaged
export class Tile {
  /** First row of the tile within its sequence. */
  start: i32;
  /** The sequence's rows of q: first in the flattened axis, how many. */
  q0: i32;
  tq: i32;
  /** The sequence's rows of k: first in the flattened axis, in use, held. */
  k0: i32;
  tk: i32;
  room: i32;
  prefix: i32;
  batch: i32;
  /** First rows within the row of the batch. */
  qBase: i32;
  kBase: i32;
  row: i32;
  head: i32;
}

@unmanaged
export class Extra {
  /** Tiles. Units are tiles x heads, heads running fastest. */
  table: usize;
  /** Keys to either side that a query sees. */
  left: i32;
  right: i32;
  /** 0: none. */
  softcap: f32;
  /** f32 [H] */
  alibi: usize;
  sink: usize;
  /** i32 block mask, its strides, rows of a block. */
  mask: usize;
  maskBatch: i32;
  maskHead: i32;
  maskRow: i32;
  block: i32;
  /** f32 [B, H, Tq]: sum over keys of ds |distance|. */
  slopes: usize;
}

/** The tile of a unit: from the table, or of B * heads equal sequences cut into tiles over T. */
export function tileOf(
  unit: i32, own: usize, extra: usize, T: i32, heads: i32, Tq: i32, Tk: i32, rows: i32,
): Tile {
  const t = changetype<Tile>(own);
  if (extra) {
    const at = unit / heads;
    memory.copy(own, changetype<Extra>(extra).table + <usize>at * TILE_BYTES, TILE_BYTES);
    t.head = unit - at * heads;
    return t;
  }
  const tiles = (T + TILE - 1) / TILE;
  const group = unit / tiles;
  const b = group / heads;
  t.start = (unit - group * tiles) * TILE;
  t.q0 = b * Tq;
  t.tq = Tq;
  t.k0 = b * rows;
  t.tk = Tk;
  t.room = rows;
  t.prefix = 0;
  t.batch = b;
  t.qBase = 0;
  t.kBase = 0;
  t.row = b;
  t.head = group - b * heads;
  return t;
}

/** Keys [low, high) that query i of the tile's sequence sees. */
// @ts-ignore: decorator
@inline export function lowOf(e: Extra, t: Tile, i: i32): i32 {
  return max(0, i + t.tk - t.tq - e.left);
}

// @ts-ignore: decorator
@inline export function highOf(e: Extra, t: Tile, i: i32): i32 {
  return min(t.tk, max(t.prefix, i + t.tk - t.tq + e.right + 1));
}

/** Is the block of query i and key j open? */
// @ts-ignore: decorator
@inline function open(e: Extra, t: Tile, h: i32, i: i32, j: i32): bool {
  const at = t.batch * e.maskBatch + h * e.maskHead + ((t.qBase + i) / e.block) * e.maskRow + (t.kBase + j) / e.block;
  return load<i32>(e.mask + (<usize>at << 2)) != 0;
}

/** Of rows [i0, i0 + m) x keys [j0, j0 + n): 0 no pair is seen, 1 some may be, 2 all are. */
export function seenOf(e: Extra, t: Tile, h: i32, i0: i32, m: i32, j0: i32, n: i32): i32 {
  if (highOf(e, t, i0 + m - 1) <= j0 || lowOf(e, t, i0) >= j0 + n) return 0;
  const inside = highOf(e, t, i0) >= j0 + n && lowOf(e, t, i0 + m - 1) <= j0;
  if (!e.mask) return inside ? 2 : 1;
  let any = false;
  let all = true;
  let i = i0;
  while (i < i0 + m) {
    let j = j0;
    while (j < j0 + n) {
      if (open(e, t, h, i, j)) any = true;
      else all = false;
      j = ((t.kBase + j) / e.block + 1) * e.block - t.kBase;
    }
    i = ((t.qBase + i) / e.block + 1) * e.block - t.qBase;
  }
  return any ? (all && inside ? 2 : 1) : 0;
}

/** Half a tile. */
const HALF: i32 = 32;

/**
 * Do the first 32 rows of a tile see none of its keys from the 32nd on? Then a corner of it is neither computed nor
 * multiplied: the terms left out are zeros, so that no bit changes. `high` is where the keys of row i0 + 31 end. Halves
 * of one or two rows would be multiplied in another order.
 */
// @ts-ignore: decorator
@inline export function hasCorner(high: i32, j0: i32, m: i32, n: i32): bool {
  return high <= j0 + HALF && m > HALF + 2 && n > HALF + 2;
}

/** s = A B^T for a tile, rows of A and B contiguous; not the corner. */
export function scoreProduct(
  a: usize, aRow: i32, b: usize, bRow: i32, s: usize, m: i32, n: i32, K: i32, corner: bool,
): void {
  if (!corner) return tileProduct(a, aRow, 1, b, 1, bRow, s, TILE, m, n, K, 0);
  tileProduct(a, aRow, 1, b, 1, bRow, s, TILE, HALF, HALF, K, 0);
  const from = a + ((<usize>HALF * aRow) << 2);
  tileProduct(from, aRow, 1, b, 1, bRow, s + HALF * TILE * 4, TILE, m - HALF, n, K, 0);
}

/** c = (c +) s B for a tile s that is 0 in its corner. */
export function rowsProduct(
  s: usize, b: usize, bRow: i32, c: usize, cRow: i32, m: i32, V: i32, n: i32, beta: i32, corner: bool,
): void {
  if (!corner) return tileProduct(s, TILE, 1, b, bRow, 1, c, cRow, m, V, n, beta);
  tileProduct(s, TILE, 1, b, bRow, 1, c, cRow, HALF, V, HALF, beta);
  const to = c + ((<usize>HALF * cRow) << 2);
  tileProduct(s + HALF * TILE * 4, TILE, 1, b, bRow, 1, to, cRow, m - HALF, V, n, beta);
}

/** c += s^T B for a tile s that is 0 in its corner. */
export function columnsProduct(
  s: usize, b: usize, bRow: i32, c: usize, cRow: i32, n: i32, V: i32, m: i32, corner: bool,
): void {
  if (!corner) return tileProduct(s, 1, TILE, b, bRow, 1, c, cRow, n, V, m, 1);
  tileProduct(s, 1, TILE, b, bRow, 1, c, cRow, HALF, V, m, 1);
  const to = c + ((<usize>HALF * cRow) << 2);
  const from = b + ((<usize>HALF * bRow) << 2);
  tileProduct(s + (HALF * TILE + HALF) * 4, 1, TILE, from, bRow, 1, to, cRow, n - HALF, V, m - HALF, 1);
}

/** Lanes j .. j + 3 that query i sees. */
// @ts-ignore: decorator
@inline export function lanesOf(e: Extra, t: Tile, h: i32, i: i32, j: i32, low: i32, high: i32): v128 {
  const index = i32x4.add(i32x4.splat(j), i32x4(0, 1, 2, 3));
  let seen = v128.and(i32x4.ge_s(index, i32x4.splat(low)), i32x4.lt_s(index, i32x4.splat(high)));
  if (e.mask) {
    const last = t.tk - 1;
    const blocks = i32x4(
      open(e, t, h, i, min(j, last)) ? -1 : 0, open(e, t, h, i, min(j + 1, last)) ? -1 : 0,
      open(e, t, h, i, min(j + 2, last)) ? -1 : 0, open(e, t, h, i, min(j + 3, last)) ? -1 : 0,
    );
    seen = v128.and(seen, blocks);
  }
  return seen;
}

/** |place of query i - key| of lanes j .. j + 3. */
// @ts-ignore: decorator
@inline export function distances(t: Tile, i: i32, j: i32): v128 {
  const index = i32x4.add(i32x4.splat(j), i32x4(0, 1, 2, 3));
  return f32x4.convert_i32x4_s(i32x4.abs(i32x4.sub(i32x4.splat(i + t.tk - t.tq), index)));
}

/** Scores of query i and keys [j0, j0 + n): scale, cap, distances; -infinity where hidden. */
export function shapeScores(e: Extra, t: Tile, h: i32, line: usize, i: i32, j0: i32, n: i32, scale: f32): void {
  const low = lowOf(e, t, i);
  const high = highOf(e, t, i);
  const slope = e.alibi ? load<f32>(e.alibi + (<usize>h << 2)) : 0;
  for (let j = 0; j < n; j += 4) {
    const at = line + (<usize>j << 2);
    let x = f32x4.mul(v128.load(at), splat(scale));
    if (e.softcap > 0) x = f32x4.mul(tanhV(f32x4.div(x, splat(e.softcap))), splat(e.softcap));
    if (e.alibi) x = f32x4.sub(x, f32x4.mul(splat(slope), distances(t, i, j0 + j)));
    v128.store(at, v128.bitselect(x, splat(-Infinity), lanesOf(e, t, h, i, j0 + j, low, high)));
  }
}

/** Replaces scores by exp(scale s - top) on the first n of width entries, 0 on the rest; returns their sum. */
// @ts-ignore: decorator
@inline export function probabilities(s: usize, n: i32, width: i32, scale: v128, top: v128): f32 {
  let sum = splat(0);
  let i: i32 = 0;
  // Two at a time share the constants of the exponential.
  for (; i + 8 <= n; i += 8) {
    const at = s + (<usize>i << 2);
    const x = f32x4.sub(f32x4.mul(v128.load(at), scale), top);
    const y = f32x4.sub(f32x4.mul(v128.load(at, 16), scale), top);
    const p = expV(x);
    const r = expV(y);
    v128.store(at, p);
    v128.store(at, r, 16);
    sum = f32x4.add(f32x4.add(sum, p), r);
  }
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

/** Largest of n entries, NaN if one is. Two chains, and no `f32x4.max`, which is several instructions in a row. */
export function maxOf(s: usize, n: i32): f32 {
  let a = splat(-Infinity);
  let b = a;
  let odd = splat(0);
  let i: i32 = 0;
  for (; i + 8 <= n; i += 8) {
    const at = s + (<usize>i << 2);
    const x = v128.load(at);
    const y = v128.load(at, 16);
    a = f32x4.pmax(a, x);
    b = f32x4.pmax(b, y);
    odd = v128.or(odd, v128.or(f32x4.ne(x, x), f32x4.ne(y, y)));
  }
  for (; i < n; i += 4) {
    const at = s + (<usize>i << 2);
    const x = n - i >= 4 ? v128.load(at) : loadPart(at, n - i, splat(-Infinity));
    a = f32x4.pmax(a, x);
    odd = v128.or(odd, f32x4.ne(x, x));
  }
  return v128.any_true(odd) ? NaN : hmax(f32x4.pmax(a, b));
}

/** x[0..n) *= factor. */
export function scaleRow(x: usize, n: i32, factor: f32): void {
  for (let i = 0; i < n; i += 4) {
    const at = x + (<usize>i << 2);
    storeUpTo(at, f32x4.mul(loadUpTo(at, n - i), splat(factor)), n - i);
  }
}

/** Are all entries of rows x columns finite? Row stride in elements. */
export function allFinite(x: usize, row: i32, rows: i32, columns: i32): bool {
  let zero = splat(0);
  for (let i = 0; i < rows; i++) {
    const line = x + ((<usize>i * row) << 2);
    for (let j = 0; j < columns; j += 4) {
      zero = f32x4.add(zero, f32x4.mul(loadUpTo(line + (<usize>j << 2), columns - j), splat(0)));
    }
  }
  return hsum(zero) == 0;
}

/** C += A B without the terms whose factor in A is 0, so that what is hidden stays out even where it is NaN. */
export function sparseProduct(
  a: usize, aRow: i32, aCol: i32, b: usize, bRow: i32, c: usize, cRow: i32, m: i32, n: i32, K: i32,
): void {
  for (let i = 0; i < m; i++) {
    const to = c + ((<usize>i * cRow) << 2);
    for (let k = 0; k < K; k++) {
      const factor = load<f32>(a + ((<usize>i * aRow + <usize>k * aCol) << 2));
      if (factor == 0) continue;
      const from = b + ((<usize>k * bRow) << 2);
      for (let j = 0; j < n; j += 4) {
        const at = <usize>j << 2;
        const sum = f32x4.add(loadUpTo(to + at, n - j), f32x4.mul(splat(factor), loadUpTo(from + at, n - j)));
        storeUpTo(to + at, sum, n - j);
      }
    }
  }
}
