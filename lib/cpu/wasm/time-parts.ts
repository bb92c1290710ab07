/** Sequences cut into parts of equal length: what kernels that split time take as their units. */
import { hostMemory } from '../../tensor/host-memory.js';

/** Sequences of a batch, or packed ones when `cu` is the address of i32 [S + 1]. */
export interface TimeDims {
  B: number;
  T: number;
  cu?: number | undefined;
  S?: number;
}

/** The parts of all sequences: `words` holds [parts][3] (sequence, first row, end row), then each one's first part. */
export interface Parts {
  count: number;
  words: Int32Array;
}

/**
 * Parts of at most `size` rows, counted from the start of every sequence, so that a sequence has the same parts, and
 * hence the same bits, wherever and beside whatever it runs. undefined where no sequence has more than one.
 */
export function timeParts(dims: TimeDims, size: number): Parts | undefined {
  const { B, T, cu = 0, S = B } = dims;
  const starts = cu ? hostMemory.i32(cu, S + 1) : Int32Array.from({ length: S + 1 }, (_, s) => s * T);
  const rows: number[] = [];
  const firsts = [0];
  for (let s = 0; s < S; s++) {
    let from = starts[s];
    do {
      const to = Math.min(from + size, starts[s + 1]);
      rows.push(s, from, to);
      from = to;
    } while (from < starts[s + 1]);
    firsts.push(rows.length / 3);
  }
  const count = firsts[S];
  return count === S ? undefined : { count, words: Int32Array.from([...rows, ...firsts]) };
}
