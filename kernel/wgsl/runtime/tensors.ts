/** Tensors while a call is planned: a shape, an element type and a place. Nothing is computed here. */
import { dtypeBytes, type Dtype } from '../../../lib/core/dtype.js';
import { ArgumentError, DeviceError, ShapeError, show } from '../../../lib/core/errors.js';
import { checkShape, sizeOf, type Shape } from '../../../lib/core/shape.js';

/** A buffer of a plan: the caller's, or one that the plan makes. */
export interface Slot {
  bytes: number;
  /** The caller binds it, or may. */
  bound: boolean;
  /** Shares its memory with no other; such a buffer starts with zeros. */
  own?: boolean;
  /** Numbers that the host computes, uploaded once; made when a plan gets its buffers. */
  data?: () => Uint8Array;
}

/** As in the library; whatever is said, tensors of a plan are on the GPU. */
export type DeviceName = 'host' | 'gpu';

let nextId = 1;

export class Tensor {
  readonly id = nextId++;
  readonly shape: Shape;
  readonly size: number;
  readonly dtype: Dtype;
  readonly slot: Slot;
  /** In elements. */
  readonly offset: number;
  readonly device: DeviceName = 'gpu';
  origin: string;

  constructor(slot: Slot, shape: Shape, dtype: Dtype, offset: number, origin: string) {
    this.slot = slot;
    this.shape = [...shape];
    this.size = sizeOf(shape);
    this.dtype = dtype;
    this.offset = offset;
    this.origin = origin;
  }

  static empty(
    shape: Shape,
    dtype: Dtype = 'f32',
    _device?: DeviceName,
    origin = 'empty',
    bound = false,
  ): Tensor {
    checkShape(origin, 'shape', shape);
    const bytes = Math.max(1, sizeOf(shape)) * dtypeBytes(dtype);
    return new Tensor({ bytes: Math.ceil(bytes / 4) * 4, bound }, shape, dtype, 0, origin);
  }

  get rank(): number {
    return this.shape.length;
  }

  /** The same elements under another shape. */
  view(shape: Shape = this.shape, offset = 0, origin = this.origin): Tensor {
    checkShape('view', 'shape', shape);
    if (offset + sizeOf(shape) > this.size)
      throw new ShapeError(
        `view: shape and offset must fit into ${this.size} elements, got ${show([...shape])} at ${offset}`,
      );
    return new Tensor(this.slot, shape, this.dtype, this.offset + offset, origin);
  }

  /** Lifetimes follow from the recorded steps, so there is nothing to do. */
  dispose(): void {}

  alive(_where: string): void {}

  /** Values are on the GPU; operators that could check them on a host do not ask here. */
  dataSync(): Int32Array {
    throw new ArgumentError(`dataSync: ${this.toString()} must live on the host, got one on the GPU`);
  }

  toString(): string {
    return `${this.dtype}[${this.shape.join(',')}] from ${this.origin}`;
  }
}

/** What one binding of any device can hold. */
const MOST_BYTES = 2 ** 27;

/**
 * A tensor of numbers that the host knows, e.g. a table of angles; the plan uploads it once.
 * @throws DeviceError when it cannot be bound
 */
export function tensor(
  values: ArrayLike<number>,
  options: { shape?: Shape; dtype?: Dtype; device?: DeviceName } = {},
): Tensor {
  const { shape = [values.length], dtype = usualDtype(values) } = options;
  const made = Tensor.empty(shape, dtype, 'gpu', 'tensor');
  const { slot } = made;
  if (slot.bytes > MOST_BYTES)
    throw new DeviceError(
      `tensor: a table must take at most ${MOST_BYTES} bytes, got shape ${show([...shape])}`,
    );
  slot.own = true;
  slot.data = () => bytesOf(values, dtype, slot.bytes);
  return made;
}

function bytesOf(values: ArrayLike<number>, dtype: Dtype, bytes: number): Uint8Array {
  const data = new DataView(new ArrayBuffer(bytes));
  for (let i = 0; i < values.length; i++) {
    if (dtype === 'f16') data.setUint16(2 * i, halfBits(values[i]), true);
    else if (dtype === 'f32') data.setFloat32(4 * i, values[i], true);
    else if (dtype === 'i32') data.setInt32(4 * i, values[i], true);
    else data.setUint32(4 * i, values[i], true);
  }
  return new Uint8Array(data.buffer);
}

function usualDtype(values: ArrayLike<number>): Dtype {
  return values instanceof Int32Array ? 'i32' : values instanceof Uint32Array ? 'u32' : 'f32';
}

/** The f16 pattern nearest to a number; ties to even. */
function halfBits(value: number): number {
  const size = Math.abs(value);
  const sign = value < 0 ? 0x8000 : 0;
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | roundEven(size * 2 ** 24);
  let exponent = Math.floor(Math.log2(size));
  if (2 ** exponent > size) exponent--;
  if (2 ** (exponent + 1) <= size) exponent++;
  return sign | (((exponent + 15) << 10) + roundEven(size * 2 ** (10 - exponent)) - 1024);
}

function roundEven(x: number): number {
  const r = Math.round(x);
  return Math.abs(x % 1) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** A tensor whose elements all are `value`. */
export function full(
  shape: Shape,
  value: number,
  options: { dtype?: Dtype; device?: DeviceName } = {},
): Tensor {
  if (value !== 0) return tensor(new Float64Array(sizeOf(shape)).fill(value), { ...options, shape });
  const made = Tensor.empty(shape, options.dtype, 'gpu', 'full');
  made.slot.own = true;
  return made;
}

export function isTensor(value: unknown): value is Tensor {
  return value instanceof Tensor;
}

export function requireTensor(where: string, name: string, value: unknown): asserts value is Tensor {
  if (!isTensor(value)) throw new ArgumentError(`${where}: ${name} must be a tensor, got ${show(value)}`);
}

/** A plan knows which buffers are used when, so scopes have nothing to free. */
export function scope<T>(run: () => T): T {
  return run();
}

export function keep(t: Tensor): Tensor {
  return t;
}

/** What a scope would free is not asked for. */
export function collect<T>(run: () => T): { result: T; made: Tensor[] } {
  return { result: run(), made: [] };
}
