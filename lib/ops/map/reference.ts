/** Element-wise functions as plain loops over the table. */
import { pow } from '../../core/math.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { RELATIONS, type BinaryRow, type UnaryRow } from './table.js';

function mapOne(call: Call, x: Tensor, fn: (v: number, i: number) => number): Tensor {
  const y = allocate(call, x.shape, x.dtype);
  const from = x.floats(call.op.id);
  const to = y.floats(call.op.id);
  for (let i = 0; i < to.length; i++) to[i] = fn(from[i], i);
  return y;
}

/** y = f(x), dx = f'(x, y) dy. */
export function unary(row: UnaryRow): Implementation {
  return {
    forward: (call) => ({ y: mapOne(call, call.in.x!, row.value) }),
    backward: (call) => {
      const y = call.out.y.floats(call.op.id);
      const dy = call.grad.y!.floats(call.op.id);
      return { x: mapOne(call, call.in.x!, (v, i) => row.slope(v, y[i]) * dy[i]) };
    },
  };
}

/** y = f(a, b) on equal shapes. */
export function binary(row: BinaryRow): Implementation {
  return {
    forward: (call) => {
      const b = call.in.b!.floats(call.op.id);
      return { y: mapOne(call, call.in.a!, (v, i) => row.value(v, b[i])) };
    },
    backward: (call) => {
      const a = call.in.a!.floats(call.op.id);
      const b = call.in.b!.floats(call.op.id);
      const y = call.out.y.floats(call.op.id);
      const side = (which: 0 | 1) =>
        mapOne(call, call.grad.y!, (dy, i) => row.slopes(a[i], b[i], y[i])[which] * dy);
      return { a: call.needs('a') ? side(0) : undefined, b: call.needs('b') ? side(1) : undefined };
    },
  };
}

export const affine: Implementation = {
  forward: (call) => {
    const { scale, shift } = call.params as Record<string, number>;
    return { y: mapOne(call, call.in.x!, (v) => scale * v + shift) };
  },
};

export const power: Implementation = {
  forward: (call) => ({ y: mapOne(call, call.in.x!, (v) => pow(v, call.params.exponent as number)) }),
  backward: (call) => {
    const p = call.params.exponent as number;
    const x = call.in.x!.floats('ops/power');
    return { x: mapOne(call, call.grad.y!, (dy, i) => (p === 0 ? 0 : p * pow(x[i], p - 1) * dy)) };
  },
};

export const clamp: Implementation = {
  forward: (call) => {
    const { minimum, maximum } = call.params as Record<string, number>;
    return { y: mapOne(call, call.in.x!, (v) => (v < minimum ? minimum : v > maximum ? maximum : v)) };
  },
  backward: (call) => {
    const { minimum, maximum } = call.params as Record<string, number>;
    const x = call.in.x!.floats('ops/clamp');
    return { x: mapOne(call, call.grad.y!, (dy, i) => (x[i] < minimum || x[i] > maximum ? 0 : dy)) };
  },
};

export const compare: Kernel = (call) => {
  const holds = RELATIONS[call.params.relation as string];
  const b = call.in.b!.dataSync();
  const a = call.in.a!;
  const y = allocate(call, a.shape, a.dtype);
  const from = a.dataSync();
  const to = y.dataSync();
  for (let i = 0; i < to.length; i++) to[i] = Number(holds(from[i], b[i]));
  return { y };
};

export const where: Kernel = (call) => {
  const condition = call.in.condition!.dataSync();
  const b = call.in.b!.floats('ops/where');
  return { y: mapOne(call, call.in.a!, (v, i) => (condition[i] !== 0 ? v : b[i])) };
};
