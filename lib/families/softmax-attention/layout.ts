/** Which keys a query sees: sequences of a call, the interval of keys of a row, blocks. Shared by all host forms. */
import type { Call } from '../../tensor/operator.js';

/** Stands for minus infinity: the log-sum-exp of a row that sees no key and has no sink. Finite, as WGSL needs. */
export const NOTHING = -1e30;

/** One sequence: rows of the batch, or packed ones. */
export interface AttentionSequence {
  /** Its number: row of keyCounts and prefix. */
  row: number;
  /** First row in the flattened [B Tq] axis, and how many. */
  q0: number;
  tq: number;
  /** First row in the flattened [B Tk] axis, keys in use, and rows that k and v hold for it. */
  k0: number;
  tk: number;
  room: number;
  /** The first `prefix` keys are seen by every query. */
  prefix: number;
  /** Row of the batch (0 when packed), and the first rows within it. */
  batch: number;
  qBase: number;
  kBase: number;
}

/** Sequences of a call whose tensors are on the host. */
export function attentionSequences(call: Call): AttentionSequence[] {
  const { B, Tq, Tk } = call.dims;
  const [cuQ, cuK, counts, prefix] = ['cuSeqlensQ', 'cuSeqlensK', 'keyCounts', 'prefix'].map((name) =>
    call.in[name]?.dataSync(),
  );
  const limit = (call.params.keys as number | undefined) ?? Infinity;
  return Array.from({ length: cuQ ? cuQ.length - 1 : B }, (_, row) => {
    const room = cuK ? cuK[row + 1] - cuK[row] : Tk;
    return {
      row,
      q0: cuQ ? cuQ[row] : row * Tq,
      tq: cuQ ? cuQ[row + 1] - cuQ[row] : Tq,
      k0: cuK ? cuK[row] : row * Tk,
      tk: Math.max(0, Math.min(room, limit, counts ? counts[row] : room)),
      room,
      prefix: prefix ? prefix[row] : 0,
      batch: cuQ ? 0 : row,
      qBase: cuQ ? cuQ[row] : 0,
      kBase: cuK ? cuK[row] : 0,
    };
  });
}

/** Keys to the left and right of a query's own place that it may see; Infinity when not bounded. */
export function reachOf(params: Call['params']): { left: number; right: number } {
  const bound = (name: string) => {
    const value = params[name] as number | undefined;
    return value === undefined || value < 0 ? Infinity : value;
  };
  return { left: bound('windowLeft'), right: params.causal ? 0 : bound('windowRight') };
}

/** Keys [low, high) that query i of a sequence may see, before block masks. Both ends never fall with i. */
export function rangeOf(
  reach: { left: number; right: number },
  s: Pick<AttentionSequence, 'tq' | 'tk' | 'prefix'>,
  i: number,
): [low: number, high: number] {
  const place = i + s.tk - s.tq;
  const low = Math.max(0, place - reach.left);
  return [low, Math.max(low, Math.min(s.tk, Math.max(s.prefix, place + reach.right + 1)))];
}

/** The block mask of a call: element (batch, head, row block, column block). */
export interface Blocks {
  size: number;
  batchStride: number;
  headStride: number;
  rowStride: number;
}

/** Strides of the block mask, whose leading axes stretch over batch and heads. */
export function blocksOf(call: Call): Blocks | undefined {
  const shape = call.in.blockMask?.shape;
  if (!shape) return undefined;
  const [batch, heads, rows, columns] = [1, 1, ...shape].slice(-4);
  return {
    size: call.params.blockSize as number,
    batchStride: batch > 1 ? heads * rows * columns : 0,
    headStride: heads > 1 ? rows * columns : 0,
    rowStride: columns,
  };
}

/** Whether a call needs more than causality and one number of keys. */
export function isPlain(call: Call): boolean {
  const { left, right } = reachOf(call.params);
  const bounded = left !== Infinity || (!call.params.causal && right !== Infinity);
  const inputs = ['sink', 'alibiSlopes', 'keyCounts', 'prefix', 'blockMask', 'cuSeqlensQ'];
  return !bounded && !call.params.softcap && !inputs.some((name) => call.in[name]);
}
