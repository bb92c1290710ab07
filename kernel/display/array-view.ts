/** Tensors, typed arrays and other runs of numbers under one description. */
import { types } from 'node:util';
import type { DisplayLimits } from './limits.js';
import { bytesText } from './numbers.js';
import { className, peek, text } from './safe.js';

/** Numbers to show. */
export interface ArrayView {
  /** `Tensor`, `Float32Array`. */
  title: string;
  dtype: string;
  shape: readonly number[];
  /** Device, bytes, origin. */
  facts: readonly string[];
  /** The elements, or the first of them. */
  values: ArrayLike<number> | ArrayLike<bigint>;
  /** All elements, when `values` holds only the first. */
  size: number;
}

/** Something that has no elements to show, and why. */
export interface Absent {
  title: string;
  facts: readonly string[];
  why: string;
}

const DTYPE_NAMES: Record<string, string> = {
  Float16Array: 'f16',
  Float32Array: 'f32',
  Float64Array: 'f64',
  Int8Array: 'i8',
  Uint8Array: 'u8',
  Uint8ClampedArray: 'u8 clamped',
  Int16Array: 'i16',
  Uint16Array: 'u16',
  Int32Array: 'i32',
  Uint32Array: 'u32',
  BigInt64Array: 'i64',
  BigUint64Array: 'u64',
};

// Reads the name of the type from the object itself, whatever realm made it and whatever its class says.
const tagGetter: unknown = Reflect.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)?.['get'];

function tagOf(value: ArrayBufferView): string {
  return text(Reflect.apply(tagGetter as () => unknown, value, []));
}

/** Dtype of a typed array of any realm; undefined for everything else. */
export function typedArrayDtype(value: unknown): string | undefined {
  if (!ArrayBuffer.isView(value) || value instanceof DataView) return undefined;
  return DTYPE_NAMES[tagOf(value)];
}

/** A typed array as a view on itself. */
export function typedArrayView(value: object, limits: DisplayLimits): ArrayView | Absent | undefined {
  const dtype = typedArrayDtype(value);
  if (!dtype) return undefined;
  const array = value as Float32Array;
  const buffer = array.buffer as ArrayBuffer;
  const title = className(value) || tagOf(array);
  if (isDetached(buffer)) return { title, facts: [dtype], why: 'its memory was transferred away (detached)' };
  const facts = [bytesText(array.byteLength)];
  if (types.isSharedArrayBuffer(buffer)) facts.push('shared memory');
  const values = array.length > limits.statistics ? array.subarray(0, limits.statistics) : array;
  return { title, dtype, shape: [array.length], facts, values, size: array.length };
}

/** Was the memory handed to another thread? Node 20 has no `detached` property: a view cannot be made then. */
export function isDetached(buffer: ArrayBufferLike): boolean {
  if (types.isSharedArrayBuffer(buffer) || buffer.byteLength > 0) return false;
  try {
    return new Uint8Array(buffer).length < 0;
  } catch {
    return true;
  }
}

/** What the display needs of the library's tensors; recognised by their brand, so the library need not be loaded. */
interface TensorLike {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly size: number;
  readonly disposed: boolean;
  readonly device: string;
  readonly origin: string;
  data(): Promise<ArrayLike<number>>;
  dataSync(): ArrayLike<number>;
  view(shape: readonly number[], offset?: number): TensorLike;
  dispose(): void;
  alive(where: string): unknown;
}

const TENSOR = Symbol.for('assay.tensor');
const BYTES: Record<string, number> = { f16: 2, f32: 4, f64: 8, i32: 4, u32: 4 };

export function isTensorLike(value: unknown): value is TensorLike {
  return peek(value, TENSOR) === true && Array.isArray(peek(value, 'shape'));
}

/** The elements of a tensor; those on a GPU are read back before this returns, at most as many as are looked at. */
export async function tensorView(tensor: TensorLike, limits: DisplayLimits): Promise<ArrayView | Absent> {
  const { shape, dtype, size, origin } = tensor;
  const title = 'Tensor';
  if (!isAlive(tensor))
    return { title, facts: [`${dtype} [${shape.join(', ')}]`, `from ${origin}`], why: 'disposed' };
  const facts = [
    `on ${tensor.device}`,
    bytesText(size * (BYTES[dtype] ?? 4)),
    ...(origin ? [`from ${text(origin)}`] : []),
  ];
  return { title, dtype, shape, facts, size, values: await elements(tensor, limits.statistics) };
}

function isAlive(tensor: TensorLike): boolean {
  try {
    tensor.alive('display');
    return !tensor.disposed;
  } catch {
    return false;
  }
}

async function elements(tensor: TensorLike, most: number): Promise<ArrayLike<number>> {
  if (tensor.size === 0) return [];
  if (tensor.device === 'host' && tensor.dtype !== 'f16') return tensor.dataSync();
  if (tensor.size <= most) return tensor.data();
  const first = tensor.view([most]);
  try {
    return await first.data();
  } finally {
    first.dispose();
  }
}
