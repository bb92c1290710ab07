/** Reductions along one axis as plain loops; sums in f64. */
import * as math from '../../core/math.js';
import { splitAt } from '../../core/shape.js';
import { allocate, type Call, type Kernel } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

/** Shape after reducing `axis`. */
export function reducedShape(call: Call): number[] {
  const { axis, keepDims } = call.params as { axis: number; keepDims: boolean };
  return call.in.x!.shape.flatMap((d, i) => (i === axis ? (keepDims ? [1] : []) : [d]));
}

/** Calls `reduce(start, stride, n)` for every line along the axis. */
function lines(
  call: Call,
  to: ArrayLike<number> & { [i: number]: number },
  reduce: (start: number, stride: number, n: number) => number,
): void {
  const [outer, n, inner] = splitAt(call.in.x!.shape, call.params.axis as number);
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < inner; i++) to[o * inner + i] = reduce(o * n * inner + i, inner, n);
}

function floatReduction(
  make: (x: ArrayLike<number>) => (start: number, stride: number, n: number) => number,
): Kernel {
  return (call) => {
    const y: Tensor = allocate(call, reducedShape(call));
    lines(call, y.floats(call.op.id), make(call.in.x!.floats(call.op.id)));
    return { y };
  };
}

const total = (x: ArrayLike<number>) => (start: number, stride: number, n: number) => {
  let s = 0;
  for (let j = 0; j < n; j++) s += x[start + j * stride];
  return s;
};

const largest = (x: ArrayLike<number>) => (start: number, stride: number, n: number) => {
  let m = x[start];
  for (let j = 1; j < n; j++) {
    const v = x[start + j * stride];
    if (v > m || v !== v) m = v;
  }
  return m;
};

export const sum = floatReduction(total);
export const mean = floatReduction((x) => {
  const add = total(x);
  return (start, stride, n) => add(start, stride, n) / n;
});
export const amax = floatReduction(largest);

/** m + log sum e^{x-m}: never overflows. */
export const logsumexp = floatReduction((x) => {
  const max = largest(x);
  return (start, stride, n) => {
    const m = max(start, stride, n);
    if (m === Infinity || m === -Infinity) return m;
    let s = 0;
    for (let j = 0; j < n; j++) s += math.exp(x[start + j * stride] - m);
    return m + math.log(s);
  };
});

/** Index of the largest element, the lowest index winning ties; NaN counts as the largest. */
export const argmax: Kernel = (call) => {
  const x = call.in.x!.floats('ops/argmax');
  const y = allocate(call, reducedShape(call), 'i32');
  lines(call, y.dataSync(), (start, stride, n) => {
    const key = (j: number) =>
      x[start + j * stride] !== x[start + j * stride] ? Infinity : x[start + j * stride];
    let best = 0;
    for (let j = 1; j < n; j++) if (key(j) > key(best)) best = j;
    return best;
  });
  return { y };
};

export const sumSquares: Kernel = (call) => {
  const x = call.in.x!.floats('ops/sum-squares');
  let s = 0;
  for (const v of x) s += v * v;
  const y = allocate(call, []);
  y.dataSync()[0] = s;
  return { y };
};
