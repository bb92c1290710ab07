/** Top-k on the host and on the GPU: insertion or rounds for few, a radix select and sort for many. */
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { order } from './reference.js';

/** Up to here the chosen ones are kept sorted while a row passes by. */
const FEW = 64;
/** Positions that fit beside a 32-bit key into the 53 exact bits of an f64. */
const POSITIONS = 2 ** 21;

/** The same elements as the reference, from one pass over a row for few and from sorted numbers for many. */
export const topKHost: Kernel = (call) => {
  const x = call.in.x!;
  const k = call.params.k as number;
  const n = call.dims.D;
  const values = allocate(call, [...call.lead, k], x.dtype);
  const indices = allocate(call, [...call.lead, k], 'i32');
  const from = x.floats(call.op.id);
  const [v, ix] = [values.dataSync(), indices.dataSync() as Int32Array];
  const choose = k <= FEW ? insertion(k) : x.dtype === 'f32' && n <= POSITIONS ? packed(n, k) : sorted(k);
  for (let r = 0; r * n < from.length; r++) {
    const row = from.subarray(r * n, (r + 1) * n);
    const to = ix.subarray(r * k, (r + 1) * k);
    choose(row, to);
    for (let j = 0; j < k; j++) v[r * k + j] = row[to[j]];
  }
  return { values, indices };
};

type Row = Float32Array | Float64Array;
/** Writes the positions of the k largest elements of a row. */
type Choose = (row: Row, to: Int32Array) => void;

function insertion(k: number): Choose {
  const best = new Float64Array(k);
  return (row, to) => {
    let held = 0;
    for (let i = 0; i < row.length; i++) {
      const key = row[i] !== row[i] ? Infinity : row[i];
      // An equal one that came before stays ahead.
      if (held === k && !(key > best[k - 1])) continue;
      let j = held < k ? held++ : k - 1;
      for (; j > 0 && best[j - 1] < key; j--) {
        best[j] = best[j - 1];
        to[j] = to[j - 1];
      }
      best[j] = key;
      to[j] = i;
    }
  };
}

/** Key and position in one number, sorted as numbers: small ones are large elements at low positions. */
function packed(n: number, k: number): Choose {
  const numbers = new Float64Array(n);
  const float = new Float32Array(1);
  const bits = new Uint32Array(float.buffer);
  return (row, to) => {
    for (let i = 0; i < n; i++) {
      // Adding 0 makes one of the two zeros.
      float[0] = row[i] !== row[i] ? Infinity : row[i] + 0;
      const falling = bits[0] >= 0x80000000 ? bits[0] : 0x7fffffff - bits[0];
      numbers[i] = falling * POSITIONS + i;
    }
    numbers.sort();
    for (let j = 0; j < k; j++) to[j] = numbers[j] % POSITIONS;
  };
}

function sorted(k: number): Choose {
  return (row, to) => to.set(order(row, true).slice(0, k));
}

const WIDE = 8;
const LONG = 65536;
const PIECE = 4096;
const SORT_PIECE = 256;
const SHIFTS = [24, 16, 8, 0];

export const topKGpu: Implementation = {
  forward: (call) => {
    const n = call.dims.D;
    const k = call.params.k as number;
    const shape = [...call.in.x!.shape.slice(0, -1), k];
    const values = allocate(call, shape);
    const indices = allocate(call, shape, 'i32');
    if (k > FEW || (k > WIDE && n >= LONG)) manyOf(call, values, indices);
    else fewOf(call, values, indices);
    return { values, indices };
  },
};

/** One round of the maximum for each of the k: reads a row k times. */
function fewOf(call: Call, values: Tensor, indices: Tensor): void {
  const x = call.in.x!;
  const n = call.dims.D;
  const rows = x.size / n;
  dispatch({
    where: call.op.id,
    kernel: 'ops/index/top-k',
    defs: { F: floatType(call.op.id, x) },
    tensors: { x, values, indices },
    params: { rows, n, k: call.params.k as number },
    rows,
    work: values.size * n * 2,
  });
}

/** The k-th largest key digit by digit, the elements above it in order of position, and a radix sort of those. */
function manyOf(call: Call, values: Tensor, indices: Tensor): void {
  const where = call.op.id;
  const x = call.in.x!;
  const n = call.dims.D;
  const k = call.params.k as number;
  const rows = x.size / n;
  if (rows === 0) return;
  const made = { keys: gpuEmpty(where, [rows, k], 'u32'), places: gpuEmpty(where, [rows, k], 'i32') };
  const spare = { keys: gpuEmpty(where, [rows, k], 'u32'), places: gpuEmpty(where, [rows, k], 'i32') };
  select(where, x, made, { rows, n, k });
  sort(where, made, spare, { rows, n: k }, indices);
  const defs = { T: x.dtype === 'f16' ? 'f16' : 'u32' } as const;
  const params = { count: values.size, n, k };
  const tensors = { x, indices, y: values };
  dispatch({ where, kernel: 'ops/index/pick', defs, tensors, params, threads: values.size });
  for (const t of [made.keys, made.places, spare.keys, spare.places]) t.dispose();
}

/** Sort keys and positions of elements, [rows, k] each. */
interface Chosen {
  keys: Tensor;
  places: Tensor;
}

function select(
  where: string,
  x: Tensor,
  to: Chosen,
  { rows, n, k }: { rows: number; n: number; k: number },
): void {
  const tiles = Math.ceil(n / PIECE);
  const counts = gpuEmpty(where, [rows, tiles, 256], 'u32');
  const found = gpuEmpty(where, [rows, 2], 'u32');
  const marks = gpuEmpty(where, [rows, 2, tiles], 'u32');
  const defs = { F: floatType(where, x) };
  const pieces = { where, defs, rows: rows * tiles, work: 2 * x.size };
  const pick = (shift: number, first: number) =>
    dispatch({
      where,
      kernel: 'ops/index/select-pick',
      overrides: { FIRST: first },
      tensors: { counts, found },
      params: { rows, tiles, k, shift },
      rows,
    });
  pick(0, 1);
  // All of a row lie above key 0, which no element has.
  for (const shift of k === n ? [] : SHIFTS) {
    const params = { rows, n, tiles, shift };
    dispatch({
      ...pieces,
      ...{ kernel: 'ops/index/select-count', tensors: { x, found, counts }, params, work: 256 * x.size },
    });
    pick(shift, 0);
  }
  dispatch({
    ...pieces,
    kernel: 'ops/index/select-mark',
    tensors: { x, found, marks },
    params: { rows, n, tiles },
  });
  scanCounts(where, marks, 2 * rows, tiles);
  const tensors = { x, found, marks, ...to };
  dispatch({ ...pieces, kernel: 'ops/index/select-take', tensors, params: { rows, n, tiles, k } });
  for (const t of [counts, found, marks]) t.dispose();
}

function scanCounts(where: string, counts: Tensor, rows: number, n: number): void {
  dispatch({
    ...{ where, kernel: 'ops/index/count-scan', tensors: { counts }, params: { rows, n } },
    ...{ rows, work: 4 * rows * n },
  });
}

/** Falling keys; equal ones keep their order. The last pass writes positions into `indices`. */
function sort(
  where: string,
  given: Chosen,
  spare: Chosen,
  { rows, n }: { rows: number; n: number },
  indices: Tensor,
): void {
  const tiles = Math.ceil(n / SORT_PIECE);
  const counts = gpuEmpty(where, [rows, 256, tiles], 'u32');
  let [from, to] = [given, spare];
  for (const shift of [...SHIFTS].reverse()) {
    const last = shift === SHIFTS[0];
    const common = { where, params: { rows, n, tiles, shift }, rows: rows * tiles };
    const work = rows * n;
    dispatch({
      ...common,
      kernel: 'ops/index/sort-count',
      tensors: { keys: from.keys, counts },
      work: work * SORT_PIECE,
    });
    scanCounts(where, counts, rows, 256 * tiles);
    dispatch({
      ...common,
      kernel: 'ops/index/sort-move',
      tensors: {
        ...{ counts, ...from, moved_keys: to.keys },
        moved_places: last ? indices : to.places,
      },
      work: work * SORT_PIECE,
    });
    [from, to] = [to, from];
  }
  counts.dispose();
}
