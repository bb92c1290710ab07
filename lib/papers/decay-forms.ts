/**
 * Attention with weights gamma^(i-j) in three ways, in plain f64 loops that count what they do: for claims that they are
 * one function and how their work grows.
 *
 *   y_i = sum_{j<=i} gamma^(i-j) (q_i . k_j) v_j
 */
import * as math from '../core/math.js';
import type { Random } from '../core/random.js';
import type { Measurement } from './ledger/types.js';

export type Rows = readonly Float64Array[];

/** Queries and keys of K columns, values of V columns, one row a token. */
export interface DecayHead {
  q: Rows;
  k: Rows;
  v: Rows;
}

/** Multiplications and additions, and words read from and written to the large memory. */
export interface Work {
  flops: number;
  words: number;
}

export const noWork = (): Work => ({ flops: 0, words: 0 });

export function drawRows(random: Random, tokens: number, columns: number): Rows {
  const row = () => Float64Array.from({ length: columns }, () => random.normal());
  return Array.from({ length: tokens }, row);
}

export function drawHead(random: Random, tokens: number, keys: number, values: number): DecayHead {
  return {
    q: drawRows(random, tokens, keys),
    k: drawRows(random, tokens, keys),
    v: drawRows(random, tokens, values),
  };
}

export const zeroRows = (tokens: number, columns: number): Float64Array[] =>
  Array.from({ length: tokens }, () => new Float64Array(columns));

function dot(a: Float64Array, b: Float64Array, work: Work): number {
  let sum = 0;
  for (let c = 0; c < a.length; c++) sum += a[c] * b[c];
  work.flops += 2 * a.length;
  return sum;
}

/** to += factor * from */
function addTo(to: Float64Array, factor: number, from: Float64Array, work: Work): void {
  for (let c = 0; c < to.length; c++) to[c] += factor * from[c];
  work.flops += 2 * to.length;
}

const power = (gamma: number, n: number): number => math.pow(gamma, n);

/** All pairs of tokens, scores never kept: the definition. */
export function parallelForm({ q, k, v }: DecayHead, gamma: number, work: Work = noWork()): Rows {
  const y = zeroRows(v.length, v[0].length);
  q.forEach((query, i) => {
    for (let j = 0; j <= i; j++) addTo(y[i], power(gamma, i - j) * dot(query, k[j], work), v[j], work);
  });
  return y;
}

/** S <- decay S + k v^T. */
function write(state: Float64Array[], decay: number, k: Float64Array, v: Float64Array, work: Work): void {
  state.forEach((row, c) => {
    for (let d = 0; d < row.length; d++) row[d] = decay * row[d] + k[c] * v[d];
    work.flops += 3 * row.length;
  });
}

/** y += factor S^T q. */
function read(y: Float64Array, factor: number, state: Rows, q: Float64Array, work: Work): void {
  state.forEach((row, c) => addTo(y, factor * q[c], row, work));
}

/** One token after the other from a state [K,V]. */
export function recurrentForm({ q, k, v }: DecayHead, gamma: number, work: Work = noWork()): Rows {
  const y = zeroRows(v.length, v[0].length);
  const state = zeroRows(k[0].length, v[0].length);
  y.forEach((row, i) => {
    write(state, gamma, k[i], v[i], work);
    read(row, 1, state, q[i], work);
  });
  return y;
}

/**
 * Blocks of `chunk` tokens: all pairs inside a block, and a state between blocks, which stays in fast memory. `fade`
 * false leaves out the decay of what comes before a block: a mistake, for comparison.
 */
export function chunkForm(
  head: DecayHead,
  gamma: number,
  chunk: number,
  { work = noWork(), fade = true }: { work?: Work; fade?: boolean } = {},
): Rows {
  const { q, k, v } = head;
  const [K, V] = [k[0].length, v[0].length];
  const state = zeroRows(K, V);
  const y: Float64Array[] = [];
  for (let first = 0; first < v.length; first += chunk) {
    const rows = (of: Rows): Rows => of.slice(first, first + chunk);
    const block = { q: rows(q), k: rows(k), v: rows(v) };
    const size = block.v.length;
    work.words += size * (2 * K + 2 * V);
    const inside = parallelForm(block, gamma, work) as Float64Array[];
    inside.forEach((row, i) => {
      read(row, fade ? power(gamma, i + 1) : 1, state, block.q[i], work);
    });
    y.push(...inside);
    for (const row of state) {
      for (let d = 0; d < V; d++) row[d] *= fade ? power(gamma, size) : 1;
      work.flops += V;
    }
    block.k.forEach((key, j) => {
      const factor = power(gamma, size - 1 - j);
      state.forEach((row, c) => addTo(row, factor * key[c], block.v[j], work));
    });
  }
  return y;
}

/** Largest absolute difference of any entry. */
export function farthest(a: Rows, b: Rows): number {
  return Math.max(...a.map((row, i) => Math.max(...row.map((value, c) => Math.abs(value - b[i][c])))));
}

/** An arm's smallest value as a measurement of its own: `<arm>: smallest`. */
export function smallestOf(measurements: readonly Measurement[], arm: string): Measurement {
  const values = measurements.filter((m) => m.arm === arm).map(({ value }) => value);
  return { arm: `${arm}: smallest`, value: Math.min(...values) };
}
