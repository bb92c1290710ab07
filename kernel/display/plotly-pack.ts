/** Plotly figures in few bytes: long runs of numbers as base64 (`{dtype, bdata}`, known to plotly.js since 2.35). */
import { typedArrayDtype } from './array-view.js';
import { jsonable } from './json.js';
import { peek } from './safe.js';

/** Runs shorter than this stay lists: they are readable and no larger. */
const LONG = 64;

/** Smallest first; a run takes the first type that holds each of its numbers exactly. */
const PACKED = [
  ['u1', Uint8Array],
  ['i1', Int8Array],
  ['u2', Uint16Array],
  ['i2', Int16Array],
  ['u4', Uint32Array],
  ['i4', Int32Array],
  ['f4', Float32Array],
  ['f8', Float64Array],
] as const;

type Packed = { dtype: string; bdata: string; shape?: string };

function base64(array: ArrayBufferView): string {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString('base64');
}

/** The numbers packed without loss. */
function pack(numbers: readonly number[] | Float64Array): Packed {
  for (const [dtype, Made] of PACKED) {
    const made = Made.from(numbers as number[]);
    // Object.is keeps -0 and NaN apart from 0.
    let i = 0;
    while (i < made.length && Object.is(made[i], numbers[i])) i++;
    if (i === made.length) return { dtype, bdata: base64(made) };
  }
  throw new TypeError('pack: numbers must be numbers, got something else');
}

function isNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((v) => typeof v === 'number');
}

/** A matrix as one run with its shape, when it is long and rectangular. */
function packMatrix(rows: readonly unknown[]): Packed | undefined {
  const plain = rows.map((row) => (typedArrayDtype(row) ? toNumbers(row) : row));
  if (!plain.every(isNumbers)) return undefined;
  const [{ length }] = plain;
  if (plain.length * length < LONG || plain.some((row) => row.length !== length)) return undefined;
  return { ...pack(plain.flat()), shape: `${plain.length}, ${length}` };
}

function toNumbers(array: unknown): number[] {
  return Array.from(array as ArrayLike<number | bigint>, Number);
}

/** Attributes whose values are runs of numbers. */
const RUNS = new Set(['x', 'y', 'z', 'a', 'b', 'c', 'r', 'theta', 'open', 'high', 'low', 'close', 'values']);
const DEEPEST = 12;

/** One attribute of a trace in its shortest form. */
function packed(key: string, value: unknown, depth: number): unknown {
  if (typeof value === 'function') return undefined;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  if (depth > DEEPEST) throw new TypeError('plotly figure: traces must not be nested deeper than 12 levels');
  if (typedArrayDtype(value)) {
    const numbers = toNumbers(value);
    return numbers.length >= LONG ? pack(numbers) : numbers;
  }
  if (Array.isArray(value)) {
    if (RUNS.has(key) && value.length >= LONG && isNumbers(value)) return pack(value);
    const isMatrix =
      RUNS.has(key) && value.length > 0 && (Array.isArray(value[0]) || typedArrayDtype(value[0]));
    const matrix = isMatrix ? packMatrix(value) : undefined;
    return matrix ?? value.map((inner) => packed('', inner, depth + 1));
  }
  if (typeof peek(value, 'toJSON') === 'function') return jsonable(value);
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, packed(name, inner, depth + 1)]),
  );
}

/** A plotly figure as the plain data of its MIME type. */
export function packFigure(figure: { data: readonly object[]; layout?: unknown; config?: unknown }): object {
  const { data, layout, config } = figure;
  const frames = peek(figure, 'frames');
  return jsonable({
    data: data.map((trace) => packed('', trace, 0)),
    layout: packed('', layout ?? {}, 0),
    ...(config === undefined ? {} : { config }),
    ...(Array.isArray(frames) ? { frames: frames.map((frame) => packed('', frame, 0)) } : {}),
  }) as object;
}
