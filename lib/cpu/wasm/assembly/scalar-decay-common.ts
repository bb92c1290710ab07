// What the chunked scalar-decay kernels share. A unit is one sequence x one head x one tile of value columns; it walks
// over chunks of CHUNK tokens. All products run through the 4 x 8 micro-kernel of gemm: left operands as panels
// [depth][4], right operands as panels [depth][8], padded with zeros.
//
// L_ij = e^{g_{j+1} + ... + g_i} for j <= i is built by products of the tokens' own decays, row by row: no difference
// of cumulative sums, hence no digits lost after a huge decay. What passes on to other chunks is e to a sum instead: e^g
// is rounded by up to 2^-25 of it, and over thousands of tokens that hardly fade a product of such would show it.
import { expV, splat } from './math';
import { micro } from './gemm';

/** Tokens of a chunk and rows between stored states. */
export const CHUNK: i32 = 64;

/** Smallest normal number: products below it become 0, as denormals cost hundreds of cycles. */
const TINY: f32 = 1.1754943508222875e-38;

// @ts-ignore: decorator
@inline export function up8(n: i32): i32 {
  return (n + 7) & ~7;
}

/** First row of sequence s: cu[s], or s T. */
// @ts-ignore: decorator
@inline export function sequenceBegin(cu: usize, s: i32, T: i32): i32 {
  return cu ? load<i32>(cu + (<usize>s << 2)) : s * T;
}

/** Stored state of the first chunk of sequence s; packed sequences never meet whatever their lengths. */
// @ts-ignore: decorator
@inline export function firstSlot(cu: usize, s: i32, T: i32): i32 {
  return cu ? load<i32>(cu + (<usize>s << 2)) / CHUNK + s : s * ((T + CHUNK - 1) / CHUNK);
}

// Decays of a chunk, in this thread's scratch; filled by `prepareDecays`.
/** e^{g_i} [CHUNK] */
let one: usize = 0;
/** e^{g_0 + ... + g_i} [CHUNK] */
export let head: usize = 0;
/** e^{g_{j+1} + ... + g_{n-1}} [CHUNK] */
export let tail: usize = 0;
/** Rows of CHUNK numbers, zero above the diagonal. */
export let L: usize = 0;

/** Bytes that `placeDecays` takes. */
export const DECAY_BYTES: usize = (3 * CHUNK + CHUNK * CHUNK) * 4;

export function placeDecays(at: usize): void {
  one = at;
  head = at + CHUNK * 4;
  tail = at + 2 * CHUNK * 4;
  L = at + 3 * CHUNK * 4;
}

/** x, or 0 where x is a denormal; NaN stays NaN. x >= 0. */
// @ts-ignore: decorator
@inline export function flush(x: v128): v128 {
  return v128.andnot(x, f32x4.lt(x, splat(TINY)));
}

/** Fills head, tail and L for n tokens whose log-decays lie `step` bytes apart; all ones when g is 0. */
export function prepareDecays(g: usize, step: usize, n: i32): void {
  for (let i = 0; i < n; i++) store<f32>(one + (<usize>i << 2), g ? load<f32>(g + <usize>i * step) : 0);
  for (let i = n; i < up8(n); i++) store<f32>(one + (<usize>i << 2), 0);
  const width = <usize>up8(n) << 2;
  let sum: f64 = 0;
  for (let i: usize = 0; i < width; i += 4) {
    sum += load<f32>(one + i);
    store<f32>(head + i, <f32>sum);
  }
  sum = 0;
  for (let i = width; i > 0; i -= 4) {
    store<f32>(tail + i - 4, <f32>sum);
    sum += load<f32>(one + i - 4);
  }
  for (let i: usize = 0; i < width; i += 16) {
    v128.store(one + i, expV(v128.load(one + i)));
    v128.store(head + i, flush(expV(v128.load(head + i))));
    v128.store(tail + i, flush(expV(v128.load(tail + i))));
  }
  for (let i = 0; i < n; i++) {
    const a = load<f32>(one + (<usize>i << 2));
    const row = L + <usize>i * (CHUNK * 4);
    if (i == 0) memory.fill(row, 0, width);
    else {
      const s = splat(a);
      for (let j: usize = 0; j < width; j += 16) {
        v128.store(row + j, flush(f32x4.mul(v128.load(row + j - CHUNK * 4), s)));
      }
    }
    store<f32>(row + (<usize>i << 2), 1);
  }
}

/** Zeros rows [from, to) of a panel [depth][4]. */
// @ts-ignore: decorator
@inline export function clearRows4(panel: usize, from: i32, to: i32): void {
  memory.fill(panel + (<usize>from << 4), 0, <usize>(to - from) << 4);
}

/** to[r] = panel[r] * by for panels [depth][4]. */
export function scalePanel(panel: usize, by: v128, depth: i32, to: usize): void {
  const end = panel + (<usize>depth << 4);
  while (panel < end) {
    v128.store(to, f32x4.mul(v128.load(panel), by));
    panel += 16;
    to += 16;
  }
}

/** x *= by over `bytes`, a multiple of 16. */
export function scaleBlock(x: usize, by: f32, bytes: usize): void {
  const s = splat(by);
  const end = x + bytes;
  while (x < end) {
    v128.store(x, f32x4.mul(v128.load(x), s));
    x += 16;
  }
}

/** Four weights from address `at`, with 0 from number `count` on. */
// @ts-ignore: decorator
@inline export function weights(at: usize, count: i32): v128 {
  const lanes = i32x4(0, 1, 2, 3);
  return v128.and(v128.load(at), i32x4.lt_s(lanes, i32x4.splat(count)));
}

/**
 * n tokens, `step` bytes apart, as panels [token][8] for `width` columns; panel p begins at out + p * panel, with zeros
 * in the columns that pad the last. Values times `scale`.
 */
export function packTokens(from: usize, step: usize, n: i32, width: i32, scale: f32, out: usize, panel: usize): void {
  const s = splat(scale);
  for (let c = 0; c < width; c += 8) {
    let at = from + (<usize>c << 2);
    let to = out;
    if (width - c >= 8) {
      for (let j = 0; j < n; j++) {
        v128.store(to, f32x4.mul(v128.load(at), s));
        v128.store(to, f32x4.mul(v128.load(at, 16), s), 16);
        at += step;
        to += 32;
      }
    } else {
      for (let j = 0; j < n; j++) {
        for (let lane = 0; lane < 8; lane++) {
          const value: f32 = c + lane < width ? load<f32>(at + (<usize>lane << 2)) * scale : 0;
          store<f32>(to + (<usize>lane << 2), value);
        }
        at += step;
        to += 32;
      }
    }
    out += panel;
  }
}

/** Columns c .. c + 3 of n tokens times the tokens' weights, as a panel [token][4]; 0 from column `width` on. */
export function packColumns(from: usize, step: usize, n: i32, c: i32, width: i32, w: usize, out: usize): void {
  let at = from + (<usize>c << 2);
  if (width - c >= 4) {
    for (let j = 0; j < n; j++) {
      v128.store(out, f32x4.mul(v128.load(at), v128.load32_splat(w)));
      at += step;
      out += 16;
      w += 4;
    }
  } else {
    for (let j = 0; j < n; j++) {
      for (let lane = 0; lane < 4; lane++) {
        const value: f32 = c + lane < width ? load<f32>(at + (<usize>lane << 2)) * load<f32>(w) : 0;
        store<f32>(out + (<usize>lane << 2), value);
      }
      at += step;
      out += 16;
      w += 4;
    }
  }
}

/** One 4 x 8 product straight to c, or at an edge through `tile`: rows x columns of it are kept. */
export function product(
  a: usize, b: usize, depth: i32, c: usize, cRow: usize, rows: i32, columns: i32, tile: usize,
): void {
  if (rows >= 4 && columns >= 8) {
    micro(a, b, 32, depth, c, cRow, false, 0);
    return;
  }
  micro(a, b, 32, depth, tile, 32, false, 0);
  for (let i = 0; i < min(4, rows); i++) {
    for (let j = 0; j < min(8, columns); j++) {
      store<f32>(c + <usize>i * cRow + (<usize>j << 2), load<f32>(tile + (<usize>i << 5) + (<usize>j << 2)));
    }
  }
}

/** Four vectors transposed: out[j] gets lane j of each, `step` bytes apart. */
// @ts-ignore: decorator
@inline export function transpose4(r0: v128, r1: v128, r2: v128, r3: v128, out: usize, step: usize): void {
  const t0 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5);
  const t1 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5);
  const t2 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7);
  const t3 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7);
  v128.store(out, v128.shuffle<f32>(t0, t1, 0, 1, 4, 5));
  v128.store(out + step, v128.shuffle<f32>(t0, t1, 2, 3, 6, 7));
  v128.store(out + 2 * step, v128.shuffle<f32>(t2, t3, 0, 1, 4, 5));
  v128.store(out + 3 * step, v128.shuffle<f32>(t2, t3, 2, 3, 6, 7));
}

/** Rows x columns at `from` (`step` bytes apart, contiguous columns) as panels [row][8], zero-padded to `height` rows. */
export function toPanels(from: usize, step: usize, rows: i32, columns: i32, height: i32, out: usize): void {
  const panel = <usize>height << 5;
  packTokens(from, step, rows, columns, 1, out, panel);
  for (let c = 0; c < columns; c += 8) {
    memory.fill(out + (<usize>rows << 5), 0, <usize>(height - rows) << 5);
    out += panel;
  }
}

/** The other way: panels `panel` bytes apart to rows x columns at `to`. */
export function fromPanels(panels: usize, panel: usize, rows: i32, columns: i32, to: usize, step: usize): void {
  for (let c = 0; c < columns; c += 8) {
    let at = panels;
    let out = to + (<usize>c << 2);
    const width = min(8, columns - c);
    for (let r = 0; r < rows; r++) {
      if (width == 8) {
        v128.store(out, v128.load(at));
        v128.store(out, v128.load(at, 16), 16);
      } else {
        for (let lane = 0; lane < width; lane++) {
          store<f32>(out + (<usize>lane << 2), load<f32>(at + (<usize>lane << 2)));
        }
      }
      at += 32;
      out += step;
    }
    panels += panel;
  }
}
