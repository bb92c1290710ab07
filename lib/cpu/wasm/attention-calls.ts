/** Typed calls of the attention kernels: tables of tiles, the passes of the gradient, the parts of a decode. */
import { hostMemory } from '../../tensor/host-memory.js';
import { wasmKernels } from './module.js';
import { withTemporary } from './temporary.js';
import { parallelFor } from './threads.js';

/** Address of an optional array. */
type Optional = number | undefined;

/** Sizes of softmax attention. `capacity`: rows a batch of k and v holds, of which the first Tk are used. */
export interface AttentionDims {
  B: number;
  Tq: number;
  Tk: number;
  H: number;
  Hkv: number;
  K: number;
  V: number;
  scale: number;
  causal: boolean;
  capacity?: number;
}

/** One sequence; see `AttentionSequence` of the family. */
export interface AttentionRows {
  row: number;
  q0: number;
  tq: number;
  k0: number;
  tk: number;
  room: number;
  prefix: number;
  batch: number;
  qBase: number;
  kBase: number;
}

/** What goes beyond causality and one number of keys. Reaches of Infinity do not bound. */
export interface AttentionExtra {
  sequences: readonly AttentionRows[];
  left: number;
  right: number;
  softcap: number;
  alibi?: Optional;
  sink?: Optional;
  mask?: { at: number; size: number; batchStride: number; headStride: number; rowStride: number };
}

/** Addresses of what the gradient reads and writes. `slopes` [B, H, Tq] gets the sums of ds |distance|. */
export interface AttentionGradients {
  q: number;
  k: number;
  v: number;
  lse: number;
  /** [B, H, Tq]: dy . y - dlse. */
  delta: number;
  dO: number;
  dq: number;
  dk: number;
  dv: number;
  slopes?: Optional;
}

const TILE = 64;
/** Words of a tile and of the record before the table (class Tile and class Extra of the kernels). */
const TILE_WORDS = 12;
const EXTRA_WORDS = 16;
const FAR = 2 ** 30;

/** Writes the record and the table of its tiles, calls, frees. `tiles` are [sequence, first row] pairs. */
function withExtra<R>(
  e: AttentionExtra,
  tiles: readonly (readonly [AttentionRows, number])[],
  slopes: number,
  use: (extra: number) => R,
): R {
  const words = EXTRA_WORDS + TILE_WORDS * tiles.length;
  return withTemporary([4 * words], (address) => {
    const u32 = new Uint32Array(hostMemory.memory().buffer, address, words);
    const f32 = new Float32Array(hostMemory.memory().buffer, address, words);
    const mask = e.mask ?? { at: 0, size: 1, batchStride: 0, headStride: 0, rowStride: 0 };
    const reach = (x: number) => Math.min(x, FAR);
    u32.set([address + 4 * EXTRA_WORDS, reach(e.left), reach(e.right)]);
    f32[3] = e.softcap;
    const { at, batchStride, headStride, rowStride, size } = mask;
    u32.set([e.alibi ?? 0, e.sink ?? 0, at, batchStride, headStride, rowStride, size, slopes], 4);
    tiles.forEach(([s, start], i) => {
      const line = [start, s.q0, s.tq, s.k0, s.tk, s.room, s.prefix, s.batch, s.qBase, s.kBase, s.row, 0];
      u32.set(line, EXTRA_WORDS + TILE_WORDS * i);
    });
    return use(address);
  });
}

/** Tiles of 64 rows over an axis of every sequence. */
function cut(e: AttentionExtra, axis: 'tq' | 'room'): [AttentionRows, number][] {
  return e.sequences.flatMap((s) =>
    Array.from({ length: Math.ceil(s[axis] / TILE) }, (_, i): [AttentionRows, number] => [s, i * TILE]),
  );
}

/** o = softmax(scores) v; lse [B, H, Tq]. Causal bottom right unless `extra` says what is seen. */
export function attention(
  dims: AttentionDims,
  at: { q: number; k: number; v: number; o: number; lse?: Optional },
  extra?: AttentionExtra,
): void {
  const { B, Tq, Tk, H, Hkv, K, V, scale, causal, capacity = Tk } = dims;
  const rest = [Tq, Tk, capacity, H, Hkv, K, V, scale, Number(causal)];
  const grain = Math.max(1, Math.ceil(65536 / (Math.min(64, Tq) * Math.max(1, Tk) * K)));
  const run = (units: number, address: number) =>
    parallelFor('attention', units, grain, at.q, at.k, at.v, at.o, at.lse ?? 0, ...rest, address);
  if (!extra) return run(wasmKernels().attentionUnits(B, Tq, H), 0);
  const tiles = cut(extra, 'tq');
  withExtra(extra, tiles, 0, (address) => run(tiles.length * H, address));
}

/** delta [B, H, Tq] = dO . o. */
export function attentionDelta(dims: AttentionDims, at: { o: number; dO: number; delta: number }): void {
  const { B, Tq, H, V } = dims;
  parallelFor('attentionDelta', B * Tq, 256, at.o, at.dO, at.delta, Tq, H, V);
}

/** dq, dk, dv from the saved lse; rows of dk and dv that are not in use become 0. */
export function attentionBackward(dims: AttentionDims, at: AttentionGradients, extra?: AttentionExtra): void {
  const { B, Tq, Tk, H, Hkv, K, V, scale, causal, capacity = Tk } = dims;
  const rest = [Tq, Tk, capacity, H, Hkv, K, V, scale, Number(causal)];
  const shared = [at.q, at.k, at.v, at.lse, at.delta, at.dO];
  const queries = (units: number, address: number) =>
    parallelFor('attentionBackwardQ', units, 1, ...shared, at.dq, ...rest, address);
  const keys = (units: number, address: number) =>
    parallelFor('attentionBackwardKV', units, 1, ...shared, at.dk, at.dv, ...rest, address);
  if (extra) {
    const [queryTiles, keyTiles] = [cut(extra, 'tq'), cut(extra, 'room')];
    withExtra(extra, queryTiles, at.slopes ?? 0, (address) => queries(queryTiles.length * H, address));
    withExtra(extra, keyTiles, 0, (address) => keys(keyTiles.length * Hkv, address));
    return;
  }
  if (capacity > Tk) {
    parallelFor('fill', B * capacity * Hkv * K, 65536, at.dk, 0);
    parallelFor('fill', B * capacity * Hkv * V, 65536, at.dv, 0);
  }
  queries(wasmKernels().attentionUnits(B, Tq, H), 0);
  keys(wasmKernels().attentionUnitsKV(B, Tk, Hkv), 0);
}

/** One query a sequence, the keys in parts of `size`: o and lse as of `attention` with Tq = 1. */
export function attentionDecode(
  dims: AttentionDims,
  at: { q: number; k: number; v: number; o: number; lse: number },
  extra: AttentionExtra,
  size: number,
): void {
  const { H, Hkv, K, V, scale } = dims;
  const { sequences } = extra;
  const longest = sequences.reduce((most, s) => Math.max(most, s.tk), 0);
  const parts = Math.max(1, Math.ceil(longest / size));
  const units = sequences.length * parts;
  withTemporary([4 * units * H * (V + 2)], (state) =>
    withExtra(
      extra,
      sequences.map((s) => [s, 0] as const),
      0,
      (address) => {
        const grain = Math.max(1, Math.ceil(65536 / (size * H * (K + V))));
        const sizes = [parts, size, H, Hkv, K, V, scale, address];
        parallelFor('attentionDecode', units, grain, at.q, at.k, at.v, state, ...sizes);
        const merged = Math.ceil(65536 / (parts * V));
        const rows = sequences.length * H;
        parallelFor('attentionDecodeMerge', rows, merged, state, at.o, at.lse, parts, H, V, address);
      },
    ),
  );
}
