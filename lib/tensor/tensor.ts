/** Tensor: immutable, contiguous, row-major numbers on the host or on a GPU. */
import { getFloat16Bits, float16FromBits } from '../core/float16.js';
import { DTYPES, dtypeBytes, isFloat, type Dtype, type FloatArray, type HostArray } from '../core/dtype.js';
import { ArgumentError, DeviceError, DtypeError, ShapeError, show } from '../core/errors.js';
import { checkShape, sizeOf, type Shape } from '../core/shape.js';
import { currentDevice } from './backend.js';
import { adoptIntoScope, leaveScope } from './scope.js';
import { requireGpuMemory, Storage, type DeviceName } from './storage.js';

const BRAND = Symbol.for('assay.tensor');

// Safety net only: scopes and dispose() are the mechanism, because V8 does not see these bytes.
const abandoned = new FinalizationRegistry<{ storage: Storage; reference: WeakRef<Tensor> }>(
  ({ storage, reference }) => {
    live.delete(reference);
    storage.release();
  },
);
const live = new Set<WeakRef<Tensor>>();
let nextId = 1;

export class Tensor {
  readonly [BRAND] = true;
  readonly id = nextId++;
  readonly size: number;
  private storage: Storage | undefined;
  private readonly reference = new WeakRef(this);
  /** Name of the operator that made it, for messages and the memory table. */
  origin: string;

  private constructor(
    storage: Storage,
    readonly shape: Shape,
    readonly dtype: Dtype,
    private readonly offset: number,
    origin: string,
  ) {
    this.storage = storage;
    this.size = sizeOf(shape);
    this.origin = origin;
    abandoned.register(this, { storage, reference: this.reference }, this);
    live.add(this.reference);
    adoptIntoScope(this);
  }

  /** Fresh memory with undefined contents. Kernels must write every element. */
  static empty(
    shape: Shape,
    dtype: Dtype = 'f32',
    device: DeviceName = currentDevice(),
    origin = 'empty',
  ): Tensor {
    checkShape(origin, 'shape', shape);
    if (!DTYPES.includes(dtype))
      throw new DtypeError(`${origin}: dtype must be one of ${DTYPES.join(', ')}, got ${show(dtype)}`);
    if (dtype === 'f64' && device === 'gpu')
      throw new DtypeError(`${origin}: dtype must be f32 or narrower on the GPU, got "f64"`);
    const bytes = Math.max(1, sizeOf(shape)) * dtypeBytes(dtype);
    return new Tensor(new Storage(device, bytes, dtype === 'f64'), [...shape], dtype, 0, origin);
  }

  /** Wraps storage that is already counted for the new handle. */
  static wrap(storage: Storage, shape: Shape, dtype: Dtype, offset = 0, origin = 'wrap'): Tensor {
    return new Tensor(storage, [...shape], dtype, offset, origin);
  }

  get device(): DeviceName {
    return this.alive('device').device;
  }

  get rank(): number {
    return this.shape.length;
  }

  get disposed(): boolean {
    return this.storage === undefined;
  }

  /**
   * Another handle on the same elements, optionally under another shape; nothing is copied and nothing is recorded:
   * gradients do not pass. Use reshape() for that.
   */
  view(shape: Shape = this.shape, offset = 0, origin = this.origin): Tensor {
    const storage = this.alive('view');
    checkShape('view', 'shape', shape);
    if (!Number.isInteger(offset) || offset < 0 || offset + sizeOf(shape) > this.size)
      throw new ShapeError(
        `view: shape and offset must fit into ${this.size} elements, got ${show([...shape])} at ${show(offset)}`,
      );
    return new Tensor(storage.retain(), [...shape], this.dtype, this.offset + offset, origin);
  }

  /** Elements of a host tensor as a typed array on the tensor's own memory: read it, do not keep it. */
  dataSync(): HostArray {
    const storage = this.alive('dataSync');
    if (storage.device === 'gpu')
      throw new DeviceError(
        'dataSync: tensor must live on the host, got one on the GPU; use "await t.data()"',
      );
    return storage.view(this.dtype, this.offset, this.size);
  }

  /** As dataSync for kernels that compute on floats; f16 and integers are refused. */
  floats(where: string): FloatArray {
    if (this.dtype !== 'f32' && this.dtype !== 'f64')
      throw new DtypeError(`${where}: dtype must be f32 or f64 on the host, got ${this.dtype}; cast first`);
    return this.dataSync() as FloatArray;
  }

  /** A copy of the elements, f16 widened to Float32Array. */
  async data(): Promise<Float32Array | Float64Array | Int32Array | Uint32Array> {
    const storage = this.alive('data');
    let raw: HostArray;
    if (storage.device === 'host') raw = this.dataSync();
    else {
      const bytes = this.size * dtypeBytes(this.dtype);
      const start = this.offset * dtypeBytes(this.dtype);
      const read = await requireGpuMemory('data').read(storage.handle, start, bytes);
      raw = typedView(this.dtype, read);
    }
    if (raw instanceof Uint16Array) return Float32Array.from(raw, float16FromBits);
    // slice() of a view on shared memory would stay shared; a plain copy is safe to post, hash and keep.
    const Plain = raw.constructor as new (n: number) => Float32Array;
    const copy = new Plain(raw.length);
    copy.set(raw);
    return copy;
  }

  /** The only element of a one-element tensor. */
  async item(): Promise<number> {
    if (this.size !== 1)
      throw new ShapeError(`item: tensor must have one element, got ${show([...this.shape])}`);
    return (await this.data())[0];
  }

  /** Byte address in host memory, for WASM kernels. */
  pointer(where: string): number {
    const p = this.alive(where).pointer;
    if (p === undefined)
      throw new DeviceError(
        `${where}: tensor must be f32, i32 or f16 on the host, got ${this.dtype} on ${this.device}`,
      );
    return p + this.offset * dtypeBytes(this.dtype);
  }

  /** GPU handle with the byte range of this tensor, for WGSL kernels. */
  gpuBinding(where: string): { handle: unknown; offset: number; size: number } {
    const storage = this.alive(where);
    if (storage.device !== 'gpu')
      throw new DeviceError(`${where}: tensor must live on the GPU, got one on the host; use t.to('gpu')`);
    const width = dtypeBytes(this.dtype);
    return { handle: storage.handle, offset: this.offset * width, size: Math.max(4, this.size * width) };
  }

  /**
   * Copies to the other device; a second handle when already there. Host to GPU is immediate.
   * @throws ArgumentError inside grad() for a tensor that needs a gradient: none would flow through the copy
   */
  to(device: 'gpu'): Tensor {
    if (isRecorded(this))
      throw new ArgumentError(
        `to: tensor must not need a gradient here, got ${this.toString()}; copy it before grad(), or inside noGrad()`,
      );
    if (this.device === device) return this.view();
    const bytes = this.dataSync();
    const made = Tensor.empty(this.shape, this.dtype, 'gpu', 'to');
    requireGpuMemory('to').write(
      made.gpuBinding('to').handle,
      0,
      new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    );
    return made;
  }

  /** Copies to the host. */
  async toHost(): Promise<Tensor> {
    if (this.device === 'host') return this.view();
    const read = await requireGpuMemory('toHost').read(
      this.alive('toHost').handle,
      this.offset * dtypeBytes(this.dtype),
      this.size * dtypeBytes(this.dtype),
    );
    const made = Tensor.empty(this.shape, this.dtype, 'host', 'toHost');
    (made.dataSync() as Float32Array).set(typedView(this.dtype, read));
    return made;
  }

  /** Returns the memory to its pool. Safe to call twice; any later use throws. */
  dispose(): void {
    if (!this.storage) return;
    abandoned.unregister(this);
    live.delete(this.reference);
    leaveScope(this);
    this.storage.release();
    this.storage = undefined;
  }

  /** The storage, or an error that names the operator which made a disposed tensor. */
  alive(where: string): Storage {
    if (!this.storage || this.storage.released)
      throw new DeviceError(
        `${where}: tensor must not be disposed, got ${this.origin} ${show([...this.shape])} after dispose`,
      );
    return this.storage;
  }

  toString(): string {
    const state = this.disposed ? 'disposed' : this.device;
    return `Tensor ${this.dtype}[${this.shape.join(',')}] on ${state} from ${this.origin}`;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    if (this.disposed || this.device === 'gpu') return this.toString();
    const shown = Array.from(this.dataSync().subarray(0, 8), (v) =>
      this.dtype === 'f16' ? float16FromBits(v) : Number(v.toPrecision(6)),
    );
    return `${this.toString()} [${shown.join(', ')}${this.size > 8 ? ', ...' : ''}]`;
  }
}

function typedView(dtype: Dtype, bytes: Uint8Array): HostArray {
  const { buffer, byteOffset, byteLength } = bytes;
  if (dtype === 'f32') return new Float32Array(buffer, byteOffset, byteLength / 4);
  if (dtype === 'i32') return new Int32Array(buffer, byteOffset, byteLength / 4);
  if (dtype === 'u32') return new Uint32Array(buffer, byteOffset, byteLength / 4);
  return new Uint16Array(buffer, byteOffset, byteLength / 2);
}

let isRecorded: (t: Tensor) => boolean = () => false;

/** The tape registers here whether a tensor needs a gradient; it lies above the tensors. */
export function setRecorded(test: (t: Tensor) => boolean): void {
  isRecorded = test;
}

/** Throws ArgumentError unless `value` is a tensor. */
export function requireTensor(where: string, name: string, value: unknown): asserts value is Tensor {
  if (!isTensor(value))
    throw new ArgumentError(
      `${where}: ${name} must be a tensor, got ${show(value)}; wrap numbers with tensor()`,
    );
}

/** True for tensors of this or another copy of the library. */
export function isTensor(value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[BRAND] === true;
}

/** Numbers, nested arrays of numbers, or a typed array. */
export type TensorData =
  number | readonly number[] | readonly (readonly number[])[] | HostArray | readonly unknown[];

/**
 * Makes a tensor from numbers, nested arrays or a typed array.
 * @param shape inferred from nested arrays when absent
 * @throws ShapeError when the data do not fill the shape; DtypeError for an unknown dtype
 */
export function tensor(
  data: TensorData,
  options: { shape?: Shape; dtype?: Dtype; device?: DeviceName } = {},
): Tensor {
  const flat = ArrayBuffer.isView(data) ? numbers(data) : flatten(data);
  const shape = options.shape ?? (ArrayBuffer.isView(data) ? [flat.length] : nestedShape(data));
  checkShape('tensor', 'shape', shape);
  if (sizeOf(shape) !== flat.length)
    throw new ShapeError(
      `tensor: data must have ${sizeOf(shape)} elements for shape ${show([...shape])}, got ${flat.length}`,
    );
  const dtype = options.dtype ?? dtypeOf(data);
  const made = Tensor.empty(shape, dtype, 'host', 'tensor');
  const target = made.dataSync();
  if (dtype === 'f16') for (let i = 0; i < flat.length; i++) target[i] = getFloat16Bits(flat[i]);
  else if (isFloat(dtype)) (target as Float32Array).set(flat);
  else copyIntegers(target as Int32Array, flat, dtype);
  return onDevice(made, options.device);
}

/** A fresh host tensor, moved to the device asked for. */
function onDevice(made: Tensor, device: DeviceName = currentDevice()): Tensor {
  if (device === 'host') return made;
  const uploaded = made.to('gpu');
  made.dispose();
  return uploaded;
}

function numbers(data: ArrayBufferView): HostArray {
  if (data instanceof DataView || data instanceof BigInt64Array || data instanceof BigUint64Array)
    throw new ArgumentError(`tensor: data must be a typed array of numbers, got ${show(data)}`);
  return data as HostArray;
}

/** A tensor with every element set to `value`. */
export function full(
  shape: Shape,
  value: number,
  options: { dtype?: Dtype; device?: DeviceName } = {},
): Tensor {
  checkShape('full', 'shape', shape);
  const dtype = options.dtype ?? 'f32';
  const made = Tensor.empty(shape, dtype, 'host', 'full');
  const target = made.dataSync() as Float32Array;
  if (!isFloat(dtype)) copyIntegers(target.subarray(0, 1), [value].slice(0, made.size), dtype);
  target.fill(dtype === 'f16' ? getFloat16Bits(value) : value);
  return onDevice(made, options.device);
}

export function zeros(shape: Shape, options: { dtype?: Dtype; device?: DeviceName } = {}): Tensor {
  return full(shape, 0, options);
}

export function ones(shape: Shape, options: { dtype?: Dtype; device?: DeviceName } = {}): Tensor {
  return full(shape, 1, options);
}

function copyIntegers(target: Int32Array | Float32Array, source: ArrayLike<number>, dtype: Dtype): void {
  const [low, high] = dtype === 'i32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  for (let i = 0; i < source.length; i++) {
    const v = source[i];
    if (!Number.isInteger(v) || v < low || v > high)
      throw new DtypeError(
        `tensor: data must be integers in [${low}, ${high}] for ${dtype}, got ${v} at ${i}`,
      );
    target[i] = v;
  }
}

function dtypeOf(data: TensorData): Dtype {
  if (data instanceof Float64Array) return 'f64';
  if (data instanceof Int32Array) return 'i32';
  if (data instanceof Uint32Array) return 'u32';
  if (data instanceof Uint16Array)
    throw new ArgumentError(
      'tensor: dtype must be given for a Uint16Array, got none; widen f16 bits to Float32Array first',
    );
  return 'f32';
}

function nestedShape(data: unknown): number[] {
  const shape: number[] = [];
  for (let level = data; Array.isArray(level); level = level[0]) shape.push(level.length);
  return shape;
}

function flatten(data: unknown): number[] {
  const shape = nestedShape(data);
  const flat: number[] = [];
  const visit = (value: unknown, depth: number): void => {
    if (Array.isArray(value)) {
      if (value.length !== shape[depth])
        throw new ShapeError(
          `tensor: data must be rectangular, got rows of different lengths or depths where ${show(shape)} is expected`,
        );
      for (const inner of value) visit(inner, depth + 1);
    } else if (typeof value !== 'number')
      throw new ArgumentError(`tensor: data must be numbers or arrays of numbers, got ${show(value)}`);
    else if (depth !== shape.length)
      throw new ShapeError(`tensor: data must be rectangular, got the number ${value} instead of a row`);
    else flat.push(value);
  };
  visit(data, 0);
  return flat;
}

/** Tensors alive in this process, for the memory table. */
export function liveTensors(): Tensor[] {
  const found: Tensor[] = [];
  for (const reference of live) {
    const t = reference.deref();
    if (t && !t.disposed) found.push(t);
    else live.delete(reference);
  }
  return found;
}
