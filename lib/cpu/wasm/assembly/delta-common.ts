// What the delta rule's passes share: units, chunks of time and their decays.
// q, k [rows, G, K]; v [rows, H, V]; beta, decay [rows, H]; states [S, H, K, V]. A unit is one sequence x one head.
import { expV, splat } from './math';
import { padded } from './delta-panels';

/** Tokens of a chunk. */
export const CHUNK: i32 = 32;

/** First row of sequence s: cu[s], or s T. */
// @ts-ignore: decorator
@inline export function firstRow(cu: usize, s: i32, T: i32): i32 {
  return cu ? load<i32>(cu + (<usize>s << 2)) : s * T;
}

/** Number of the first chunk of sequence s: chunks of sequences never meet, whatever their lengths. */
// @ts-ignore: decorator
@inline export function firstChunk(cu: usize, s: i32, T: i32): i32 {
  return cu ? load<i32>(cu + (<usize>s << 2)) / CHUNK + s : s * ((T + CHUNK - 1) / CHUNK);
}

/** Address of the state kept before a chunk: panels over the rows of S, [K/8][padded V][8]. */
// @ts-ignore: decorator
@inline export function keptState(states: usize, chunk: i32, H: i32, h: i32, K: i32, V: i32): usize {
  return states + ((<usize>(chunk * H + h) * <usize>(padded(K) * padded(V))) << 2);
}

/** Address of the errors kept of a chunk: panels over columns, [V/8][CHUNK][8]. */
// @ts-ignore: decorator
@inline export function keptErrors(errors: usize, chunk: i32, H: i32, h: i32, V: i32): usize {
  return errors + ((<usize>(chunk * H + h) * <usize>(padded(V) * CHUNK)) << 2);
}

// The gates of a chunk lie one behind the other: beta, e^{b_i} from the start through token i, e^{b_C-b_j} from j to
// the end, and the decays e^{b_i-b_j} (0 for i < j) as panels over i, [CHUNK/8][j][8]. Tokens past the end of a
// sequence are neutral: beta 0, decay 1.
const VECTOR: usize = <usize>CHUNK * 4;
/** Floats of the gates. */
export const GATES: i32 = 4 * CHUNK + CHUNK * CHUNK;

// @ts-ignore: decorator
@inline export function betas(gates: usize): usize {
  return gates;
}

// @ts-ignore: decorator
@inline export function fromStart(gates: usize): usize {
  return gates + VECTOR;
}

// @ts-ignore: decorator
@inline export function toEnd(gates: usize): usize {
  return gates + 2 * VECTOR;
}

// @ts-ignore: decorator
@inline export function decays(gates: usize): usize {
  return gates + 4 * VECTOR;
}

/** e^{b_C}. */
// @ts-ignore: decorator
@inline export function wholeDecay(gates: usize): f32 {
  return load<f32>(fromStart(gates) + VECTOR - 4);
}

/** Gates of `count` tokens; `row` is the first one's, `decay` may be 0. */
export function loadGates(beta: usize, decay: usize, row: i32, count: i32, H: i32, h: i32, gates: usize): void {
  const logs = gates + 3 * VECTOR;
  const step = <usize>H << 2;
  let at = (<usize>row * <usize>H + <usize>h) << 2;
  let sum: f32 = 0;
  for (let i = 0; i < CHUNK; i++) {
    const there = i < count;
    const x = <usize>i << 2;
    const g: f32 = there && decay ? load<f32>(decay + at) : 0;
    sum += g;
    store<f32>(betas(gates) + x, there ? load<f32>(beta + at) : 0);
    store<f32>(fromStart(gates) + x, sum);
    store<f32>(logs + x, g);
    at += step;
  }
  for (let i: usize = 0; i < VECTOR; i += 16) {
    const p = fromStart(gates) + i;
    v128.store(p, decay ? expV(v128.load(p)) : splat(1));
  }
  for (let p = 0; p < CHUNK; p += 8) panelDecays(logs, p, decay != 0, decays(gates) + ((<usize>p * CHUNK) << 2));
  const last = decays(gates) + ((<usize>(CHUNK - 8) * CHUNK) << 2) + 28;
  for (let j = 0; j < CHUNK; j++) {
    store<f32>(toEnd(gates) + (<usize>j << 2), load<f32>(last + (<usize>j << 5)));
  }
}

/** Decays of tokens p to p + 7: each the sum of the logs between, not a difference of long sums. */
function panelDecays(logs: usize, p: i32, varies: bool, out: usize): void {
  let low = splat(0);
  let high = splat(0);
  const lanes = i32x4(0, 1, 2, 3);
  for (let j = CHUNK - 1; j >= 0; j--) {
    const at = out + (<usize>j << 5);
    if (j >= p + 8) {
      v128.store(at, splat(0));
      v128.store(at, splat(0), 16);
      continue;
    }
    // Token j + 1 lies between j and every later token.
    if (j < p + 7) {
      const g = v128.load32_splat(logs + (<usize>(j + 1) << 2));
      low = f32x4.add(low, v128.and(g, i32x4.gt_s(lanes, i32x4.splat(j - p))));
      high = f32x4.add(high, v128.and(g, i32x4.gt_s(lanes, i32x4.splat(j - p - 4))));
    }
    const seenLow = i32x4.ge_s(lanes, i32x4.splat(j - p));
    const seenHigh = i32x4.ge_s(lanes, i32x4.splat(j - p - 4));
    v128.store(at, v128.and(varies ? expV(low) : splat(1), seenLow));
    v128.store(at, v128.and(varies ? expV(high) : splat(1), seenHigh), 16);
  }
}

/**
 * Panels over rows of a lower triangle, times the decays; row j of a panel also times -beta_j where `writes`, and
 * then without the diagonal.
 */
export function decayScores(x: usize, gates: usize, writes: bool): void {
  const lanes = i32x4(0, 1, 2, 3);
  const d = decays(gates);
  for (let p = 0; p < CHUNK; p += 8) {
    for (let j = 0; j < p + 8; j++) {
      const at = ((<usize>p * CHUNK) << 2) + (<usize>j << 5);
      let low = f32x4.mul(v128.load(x + at), v128.load(d + at));
      let high = f32x4.mul(v128.load(x + at, 16), v128.load(d + at, 16));
      if (writes) {
        const s = f32x4.neg(v128.load32_splat(betas(gates) + (<usize>j << 2)));
        low = v128.and(f32x4.mul(low, s), i32x4.gt_s(lanes, i32x4.splat(j - p)));
        high = v128.and(f32x4.mul(high, s), i32x4.gt_s(lanes, i32x4.splat(j - p - 4)));
      }
      v128.store(x + at, low);
      v128.store(x + at, high, 16);
    }
  }
}
