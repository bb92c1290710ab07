/**
 * The safetensors format: 8 bytes of header length, a JSON header, raw little-endian data. Pure functions on bytes.
 * Source: Hugging Face safetensors format 0.4 (README, section "Format"). Checked here: everything its own reader
 * checks (sizes, order, gaps, overlaps) and duplicate names.
 * Deviation: BF16 is widened to f32; I64, U64 and the small integers and BOOL become i32, with a range check.
 */
import type { Dtype, HostArray } from '../core/dtype.js';
import { ArgumentError, DataError, show } from '../core/errors.js';
import { float16FromBits } from '../core/float16.js';
import { sizeOf, type Shape } from '../core/shape.js';
import { readHeader, type HeaderEntry } from './safetensors-header.js';

/** One tensor of a file. f16 data are the 16-bit patterns. */
export interface StoredTensor {
  readonly dtype: Dtype;
  readonly shape: Shape;
  readonly data: HostArray;
}

/** A decoded file. */
export interface TensorFile {
  readonly tensors: Record<string, StoredTensor>;
  readonly metadata: Record<string, string>;
}

const WRITTEN: Record<Dtype, string> = { f64: 'F64', f32: 'F32', i32: 'I32', u32: 'U32', f16: 'F16' };
const WIDTH: Record<Dtype, number> = { f64: 8, f32: 4, i32: 4, u32: 4, f16: 2 };

/**
 * Bytes of a file with these tensors. Names are ordered by element size, then alphabetically; the header is padded so
 * that the data start at a multiple of 8.
 * @throws ArgumentError when data do not fill their shape or a name is not usable
 */
export function encodeSafetensors(
  tensors: Record<string, StoredTensor>,
  metadata: Record<string, string> = {},
): Uint8Array {
  const names = Object.keys(tensors).sort(
    (a, b) => WIDTH[tensors[b].dtype] - WIDTH[tensors[a].dtype] || (a < b ? -1 : 1),
  );
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length > 0) header.__metadata__ = sorted(metadata);
  let end = 0;
  for (const name of names) {
    const { dtype, shape, data } = tensors[name];
    if (name === '__metadata__' || name === '__proto__' || !(dtype in WRITTEN))
      throw new ArgumentError(
        `encodeSafetensors: ${show(name)} must be a tensor name with a known dtype, got ${show(dtype)}`,
      );
    if (data.length !== sizeOf(shape) || data.BYTES_PER_ELEMENT !== WIDTH[dtype])
      throw new ArgumentError(
        `encodeSafetensors: data of ${show(name)} must be ${sizeOf(shape)} elements of ${dtype}, got ${show(data)}`,
      );
    header[name] = {
      dtype: WRITTEN[dtype],
      shape: [...shape],
      data_offsets: [end, (end += data.byteLength)],
    };
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const length = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + length + end);
  new DataView(bytes.buffer).setUint32(0, length, true);
  bytes.fill(0x20, 8, 8 + length).set(json, 8);
  let at = 8 + length;
  for (const name of names) {
    const { data } = tensors[name];
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

function sorted(metadata: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Reads a file. With `f16: 'widen'` (default) half floats become f32, with 'keep' they stay bit patterns.
 * @throws DataError that names the tensor, for anything truncated, overlapping, out of range or malformed
 */
export function decodeSafetensors(bytes: Uint8Array, options: { f16?: 'widen' | 'keep' } = {}): TensorFile {
  const { entries, metadata, dataStart } = readHeader(bytes);
  const tensors: Record<string, StoredTensor> = {};
  for (const entry of entries) {
    // A copy: data in the file need not be aligned for typed arrays. Not slice(): that of Node's Buffer copies nothing.
    const raw = new Uint8Array(bytes.subarray(dataStart + entry.begin, dataStart + entry.end)).buffer;
    Object.defineProperty(tensors, entry.name, {
      value: decodeTensor(entry, raw, options.f16 ?? 'widen'),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return { tensors, metadata };
}

function decodeTensor(entry: HeaderEntry, raw: ArrayBuffer, f16: 'widen' | 'keep'): StoredTensor {
  const { shape } = entry;
  switch (entry.dtype) {
    case 'F64':
      return { dtype: 'f64', shape, data: new Float64Array(raw) };
    case 'F32':
      return { dtype: 'f32', shape, data: new Float32Array(raw) };
    case 'I32':
      return { dtype: 'i32', shape, data: new Int32Array(raw) };
    case 'U32':
      return { dtype: 'u32', shape, data: new Uint32Array(raw) };
    case 'F16':
      return f16 === 'keep'
        ? { dtype: 'f16', shape, data: new Uint16Array(raw) }
        : { dtype: 'f32', shape, data: Float32Array.from(new Uint16Array(raw), float16FromBits) };
    case 'BF16':
      return {
        dtype: 'f32',
        shape,
        data: new Float32Array(Uint32Array.from(new Uint16Array(raw), (v) => v << 16).buffer),
      };
    default:
      return { dtype: 'i32', shape, data: narrow(entry, raw) };
  }
}

function narrow(entry: HeaderEntry, raw: ArrayBuffer): Int32Array<ArrayBuffer> {
  if (entry.dtype === 'I64' || entry.dtype === 'U64') return narrowWide(entry, raw);
  const from = {
    I16: () => new Int16Array(raw),
    U16: () => new Uint16Array(raw),
    I8: () => new Int8Array(raw),
    U8: () => new Uint8Array(raw),
    BOOL: () => new Uint8Array(raw),
  }[entry.dtype as 'U8']();
  const out = Int32Array.from(from);
  const bad = entry.dtype === 'BOOL' ? out.findIndex((v) => v > 1) : -1;
  if (bad >= 0) throw outOfRange(entry, bad, out[bad], 'be 0 or 1');
  return out;
}

function narrowWide(entry: HeaderEntry, raw: ArrayBuffer): Int32Array<ArrayBuffer> {
  const from = entry.dtype === 'I64' ? new BigInt64Array(raw) : new BigUint64Array(raw);
  const out = new Int32Array(from.length);
  for (let i = 0; i < from.length; i++) {
    out[i] = Number(from[i]);
    if (BigInt(out[i]) !== from[i]) throw outOfRange(entry, i, from[i], 'fit into 32 bits');
  }
  return out;
}

function outOfRange(entry: HeaderEntry, index: number, value: number | bigint, condition: string): DataError {
  return new DataError(
    `decodeSafetensors: values of ${show(entry.name)} (${entry.dtype}) must ${condition}, got ${value} at ${index}`,
  );
}
