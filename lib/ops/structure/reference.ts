/** Copies that change where elements stand: plain loops, for every dtype of the host. */
import { float16FromBits, getFloat16Bits } from '../../core/float16.js';
import { isFloat, type Dtype } from '../../core/dtype.js';
import { sizeOf, splitAt, stridesOf, type Shape } from '../../core/shape.js';
import { allocate, type Call, type Kernel } from '../../tensor/operator.js';

/** Visits the elements of `shape` in row-major order with an offset made of other strides. */
export function forEachStrided(
  shape: Shape,
  strides: readonly number[],
  visit: (linear: number, offset: number) => void,
): void {
  const index = new Array<number>(shape.length).fill(0);
  const total = sizeOf(shape);
  let offset = 0;
  for (let linear = 0; linear < total; linear++) {
    visit(linear, offset);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += strides[axis];
      if (++index[axis] < shape[axis]) break;
      offset -= strides[axis] * shape[axis];
      index[axis] = 0;
    }
  }
}

/** y[i_0..] = x[i permuted]: axis j of y is axis axes[j] of x. */
export const permute: Kernel = (call) => {
  const x = call.in.x!;
  const axes = call.params.axes as readonly number[];
  const strides = stridesOf(x.shape);
  const shape = axes.map((a) => x.shape[a]);
  const y = allocate(call, shape, x.dtype);
  const from = x.dataSync();
  const to = y.dataSync();
  forEachStrided(
    shape,
    axes.map((a) => strides[a]),
    (i, o) => (to[i] = from[o]),
  );
  return { y };
};

/** y = x[..., start:end, ...] along one axis. */
export const slice: Kernel = (call) => {
  const x = call.in.x!;
  const { axis, start, end } = call.params as Record<string, number>;
  const [outer, n, inner] = splitAt(x.shape, axis);
  const width = (end - start) * inner;
  const y = allocate(
    call,
    x.shape.map((d, i) => (i === axis ? end - start : d)),
    x.dtype,
  );
  const from = x.dataSync();
  const to = y.dataSync();
  for (let o = 0; o < outer; o++) {
    const at = (o * n + start) * inner;
    to.set(from.subarray(at, at + width), o * width);
  }
  return { y };
};

/** y = a then b along one axis. */
export const concat: Kernel = (call) => {
  const a = call.in.a!;
  const b = call.in.b!;
  const axis = call.params.axis as number;
  const [outer, n, inner] = splitAt(a.shape, axis);
  const m = b.shape[axis];
  const y = allocate(
    call,
    a.shape.map((d, i) => (i === axis ? n + m : d)),
    a.dtype,
  );
  const to = y.dataSync();
  const fromA = a.dataSync();
  const fromB = b.dataSync();
  for (let o = 0; o < outer; o++) {
    to.set(fromA.subarray(o * n * inner, (o + 1) * n * inner), o * (n + m) * inner);
    to.set(fromB.subarray(o * m * inner, (o + 1) * m * inner), (o * (n + m) + n) * inner);
  }
  return { y };
};

/** Strides of `from` seen under `to`: 0 on stretched axes. */
export function stretchedStrides(from: Shape, to: Shape): number[] {
  const strides = stridesOf(from);
  return to.map((_, i) => {
    const j = i - (to.length - from.length);
    return j < 0 || from[j] === 1 ? 0 : strides[j];
  });
}

/** Repeats axes of size 1 (and new leading axes) up to `shape`. */
export const broadcastTo: Kernel = (call) => {
  const x = call.in.x!;
  const shape = call.params.shape as number[];
  const y = allocate(call, shape, x.dtype);
  const from = x.dataSync();
  const to = y.dataSync();
  forEachStrided(shape, stretchedStrides(x.shape, shape), (i, o) => (to[i] = from[o]));
  return { y };
};

/** Sums over the axes that broadcastTo(shape -> x.shape) would stretch; sums in f64. */
export const sumTo: Kernel = (call) => {
  const x = call.in.x!;
  const shape = call.params.shape as number[];
  const sums = new Float64Array(sizeOf(shape));
  const from = x.floats('sumTo');
  forEachStrided(x.shape, stretchedStrides(shape, x.shape), (i, o) => (sums[o] += from[i]));
  const y = allocate(call, shape, x.dtype);
  (y.dataSync() as Float64Array).set(sums);
  return { y };
};

/** Truncates towards zero and stays inside the type; NaN gives 0. */
function toInteger(dtype: 'i32' | 'u32'): (v: number) => number {
  const [low, high] = dtype === 'i32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  return (v) => (v !== v ? 0 : Math.min(high, Math.max(low, Math.trunc(v))));
}

/** Converts the element type. */
export const cast: Kernel = (call: Call) => {
  const x = call.in.x!;
  const dtype = call.params.dtype as Dtype;
  const y = allocate(call, x.shape, dtype);
  const from = x.dataSync();
  const to = y.dataSync();
  const read = x.dtype === 'f16' ? (i: number) => float16FromBits(from[i]) : (i: number) => from[i];
  const write =
    dtype === 'f16'
      ? getFloat16Bits
      : isFloat(x.dtype) && (dtype === 'i32' || dtype === 'u32')
        ? toInteger(dtype)
        : (v: number) => v;
  for (let i = 0; i < to.length; i++) to[i] = write(read(i));
  return { y };
};
