/** What a structure record asks of its inputs and parameters, whoever calls it. */
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import { broadcastShapes, checkShape, normalAxis, sameShape, sizeOf, type Shape } from '../../core/shape.js';
import type { Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

/** The parameter `shape` of a call, which must be a shape. */
export function shapeOf(call: Call): number[] {
  const { shape } = call.params;
  checkShape(call.op.id, 'shape', shape);
  return shape;
}

export function checkAxis(call: Call): void {
  normalAxis(call.op.id, call.params.axis as number, call.in[call.op.inputs[0].name]!.rank);
}

export function checkSize(x: Tensor, shape: Shape): void {
  if (sizeOf(shape) !== x.size)
    throw new ShapeError(
      `reshape: shape must hold ${x.size} elements like ${show([...x.shape])}, got ${show([...shape])}`,
    );
}

export function checkAxes(x: Tensor, axes: readonly number[]): void {
  const known = axes.every((a) => a >= 0 && a < x.rank);
  if (!known || axes.length !== x.rank || new Set(axes).size !== x.rank)
    throw new ArgumentError(
      `permute: axes must be a permutation of 0..${x.rank - 1}, got ${show([...axes])}`,
    );
}

export function checkRange(n: number, start: number, end: number): void {
  if (!Number.isInteger(start) || !Number.isInteger(end) || start < 0 || end > n || start > end)
    throw new ArgumentError(
      `slice: start and end must satisfy 0 <= start <= end <= ${n}, got ${show(start)} and ${show(end)}`,
    );
}

export function checkParts(parts: readonly Tensor[], axis: number): void {
  const others = (t: Tensor) => t.shape.filter((_, i) => i !== axis);
  for (const t of parts)
    if (t.rank !== parts[0].rank || !sameShape(others(t), others(parts[0])) || t.dtype !== parts[0].dtype)
      throw new ShapeError(
        `concat: parts must agree in dtype and in every axis but ${axis}, got ${parts.map((p) => p.toString()).join('; ')}`,
      );
}

/** Broadcasting must lead from one shape to the other; the message names the shape of the tensor. */
export function checkStretch(where: string, from: Shape, to: Shape, own: Shape): void {
  if (!sameShape(broadcastShapes(where, from, to), to))
    throw new ShapeError(
      `${where}: shape must ${own === from ? 'be reachable from' : 'broadcast to'} ${show([...own])}, got ${show([...(own === from ? to : from)])}`,
    );
}
