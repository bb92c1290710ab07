// Matrix products of row groups, each with a matrix of its own. Group e holds rows offsets[e] .. offsets[e + 1] - 1.
// Units are the tiles of the groups' products, so that threads share large and small groups alike; every group is
// computed by `gemm`, in the form its size chooses, and its bits do not depend on the partition of the units.
import { gemm } from './gemm';

// @ts-ignore: decorator
@inline function at(array: usize, i: i32): i32 {
  return load<i32>(array + (<usize>i << 2));
}

/**
 * c[rows of e] = a[rows of e] B_e. a [rows, K], B_e at b + e bBatch with strides bRow and bCol, c [rows, N].
 * first [E + 1]: number of the first unit of each group.
 */
export function groupedGemm(
  start: i32, end: i32, first: usize, offsets: usize, a: usize, b: usize, bRow: i32, bCol: i32, bBatch: i32,
  c: usize, N: i32, K: i32,
): void {
  let e: i32 = 0;
  let t = start;
  while (t < end) {
    while (at(first, e + 1) <= t) e++;
    const begin = at(first, e);
    const stop = min(end, at(first, e + 1));
    const row = at(offsets, e);
    const count = at(offsets, e + 1) - row;
    const from = a + ((<usize>row * K) << 2);
    const matrix = b + ((<usize>e * bBatch) << 2);
    const to = c + ((<usize>row * N) << 2);
    gemm(t - begin, stop - begin, from, K, 1, 0, matrix, bRow, bCol, 0, to, N, 0, 0, count, N, K, 0);
    t = stop;
  }
}

/** c_e = a[rows of e]^T b[rows of e]. a [rows, D], b [rows, F], c [E, D, F]; c_e of an empty group is left as it is. */
export function groupedOuter(
  start: i32, end: i32, tiles: i32, offsets: usize, a: usize, b: usize, c: usize, D: i32, F: i32,
): void {
  let t = start;
  while (t < end) {
    const e = t / tiles;
    const begin = e * tiles;
    const stop = min(end, begin + tiles);
    const row = at(offsets, e);
    const count = at(offsets, e + 1) - row;
    const left = a + ((<usize>row * D) << 2);
    const right = b + ((<usize>row * F) << 2);
    const to = c + ((<usize>e * D * F) << 2);
    if (count > 0) gemm(t - begin, stop - begin, left, 1, D, 0, right, F, 1, 0, to, F, 0, 0, D, F, count, 0);
    t = stop;
  }
}
