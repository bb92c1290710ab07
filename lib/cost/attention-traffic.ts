/**
 * Words that attention moves between main memory and a small fast memory, counted by walking the loops of the
 * algorithms: the naive one, which writes its scores, and the tiled ones, which never do.
 */
import { ArgumentError, show } from '../core/errors.js';

/** `flash` is the loop order of flash-attention (keys outside), `flash-2` that of its successor (queries outside). */
export type AttentionAlgorithm = 'naive' | 'flash' | 'flash-2';

export interface AttentionTask {
  /** Queries and keys. */
  tokens: number;
  /** Width of a head. */
  width: number;
  /** Words of fast memory; the naive algorithm does not use them. */
  onChip: number;
  causal?: boolean;
}

/** Rows of queries and of keys in a tile. */
export interface TileShape {
  queries: number;
  keys: number;
}

/** One tile as the loops reach it. */
export interface TileVisit {
  /** First query and key. */
  query: number;
  key: number;
  shape: TileShape;
  /** Words moved so far. */
  words: number;
}

function check(task: AttentionTask): void {
  for (const name of ['tokens', 'width', 'onChip'] as const)
    if (!(Number.isInteger(task[name]) && task[name] > 0))
      throw new ArgumentError(
        `attentionTraffic: ${name} must be a positive integer, got ${show(task[name])}`,
      );
  if (task.onChip < 4 * task.width)
    throw new ArgumentError(
      `attentionTraffic: onChip must hold four rows of ${task.width} words, got ${task.onChip}`,
    );
}

/**
 * Tile of flash-attention, arXiv 2205.14135v2, algorithm 1, line 1: Bc = ceil(M / 4d) keys, Br = min(Bc, d) queries;
 * never more than there are.
 */
export function tileShape({ tokens, width, onChip }: AttentionTask): TileShape {
  const keys = Math.max(1, Math.ceil(onChip / (4 * width)));
  return { queries: Math.min(keys, width, tokens), keys: Math.min(keys, tokens) };
}

/**
 * Words read and written by a forward pass of one head. `visit` sees every tile that is computed, in order.
 * Naive (algorithm 0): 4 N d + 4 N^2. Flash: keys and values once, and for each block of keys Q, O twice and the two
 * statistics twice. Flash-2: Q, O and the log-sum-exp once, and keys and values for each block of queries.
 */
export function attentionTraffic(
  algorithm: AttentionAlgorithm,
  task: AttentionTask,
  visit: (tile: TileVisit) => void = () => undefined,
): number {
  check(task);
  const { tokens: n, width: d, causal = false } = task;
  if (algorithm === 'naive') {
    visit({ query: 0, key: 0, shape: { queries: n, keys: n }, words: 4 * n * d + 4 * n * n });
    return 4 * n * d + 4 * n * n;
  }
  const tile = tileShape(task);
  const keysOutside = algorithm === 'flash';
  const [outer, inner] = keysOutside ? [tile.keys, tile.queries] : [tile.queries, tile.keys];
  let words = 0;
  for (let i = 0; i < n; i += outer) {
    const outerRows = Math.min(outer, n - i);
    // K and V, or Q read and O and the log-sum-exp written.
    words += keysOutside ? 2 * outerRows * d : 2 * outerRows * d + outerRows;
    for (let j = 0; j < n; j += inner) {
      const innerRows = Math.min(inner, n - j);
      const [query, queries, key, keys] = keysOutside
        ? [j, innerRows, i, outerRows]
        : [i, outerRows, j, innerRows];
      if (causal && key > query + queries - 1) continue;
      words += keysOutside ? innerRows * (3 * d + 4) : 2 * innerRows * d;
      visit({ query, key, shape: { queries, keys }, words });
    }
  }
  return words;
}
