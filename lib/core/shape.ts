/** Shapes as plain arrays of sizes, and the little language in which operator records describe them. */
import { ArgumentError, ShapeError, show } from './errors.js';

export type Shape = readonly number[];

/** Number of elements of a shape; the empty shape is a scalar with one element. */
export function sizeOf(shape: Shape): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** Throws ShapeError unless `shape` is an array of non-negative integers. */
export function checkShape(where: string, name: string, shape: unknown): asserts shape is number[] {
  if (!Array.isArray(shape) || !shape.every((d) => Number.isInteger(d) && d >= 0))
    throw new ShapeError(`${where}: ${name} must be an array of non-negative integers, got ${show(shape)}`);
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let s = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = s;
    s *= shape[i];
  }
  return strides;
}

/** Turns a possibly negative axis into 0..rank-1. */
export function normalAxis(where: string, axis: number, rank: number): number {
  if (rank === 0)
    throw new ShapeError(`${where}: tensor must have at least one axis, got a scalar and axis ${show(axis)}`);
  const a = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || a < 0 || a >= rank)
    throw new ArgumentError(`${where}: axis must be an integer in [-${rank}, ${rank}), got ${show(axis)}`);
  return a;
}

/** [product before axis, size of axis, product after axis]: how every axis-wise kernel sees a tensor. */
export function splitAt(shape: Shape, axis: number): [number, number, number] {
  return [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))];
}

/** The shape two shapes broadcast to (trailing axes aligned, 1 stretches). */
export function broadcastShapes(where: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1)
      throw new ShapeError(`${where}: shapes must broadcast, got ${show([...a])} and ${show([...b])}`);
    return x === 1 ? y : x;
  });
}

/** Sizes bound to the letters of the dims alphabet (B, T, D, N, ...). */
export type Dims = Record<string, number>;

/**
 * Binds one actual shape to a pattern such as `B T D`, `... D`, `B D W-1` or alternatives `B T G N | D N`.
 * A letter seen before must have the same size; `X-1` and `X+1` are checked against X; `*` matches any shape.
 */
export function bindShape(where: string, name: string, pattern: string, shape: Shape, dims: Dims): void {
  const alternatives = pattern.split('|').map((p) => p.trim());
  const fitting = alternatives.filter((p) => rankFits(p, shape.length));
  for (const [i, p] of fitting.entries()) {
    const trial = { ...dims };
    const clash = tryBind(p, shape, trial);
    if (clash === undefined) {
      Object.assign(dims, trial);
      return;
    }
    if (i === fitting.length - 1)
      throw new ShapeError(
        `${where}: ${name} must have shape [${p.replace(/ /g, ',')}] with ${clash}, got ${show([...shape])}`,
      );
  }
  throw new ShapeError(
    `${where}: ${name} must have shape ${alternatives.map((p) => `[${p.replace(/ /g, ',')}]`).join(' or ')}, got ${show([...shape])}`,
  );
}

function rankFits(pattern: string, rank: number): boolean {
  if (pattern === '*') return true;
  const tokens = pattern === '' ? [] : pattern.split(' ');
  return tokens[0] === '...' ? rank >= tokens.length - 1 : tokens.length === rank;
}

function tryBind(pattern: string, shape: Shape, dims: Dims): string | undefined {
  if (pattern === '*' || pattern === '') return undefined;
  const tokens = pattern.split(' ');
  let offset = 0;
  if (tokens[0] === '...') {
    tokens.shift();
    offset = shape.length - tokens.length;
    const lead = sizeOf(shape.slice(0, offset));
    if ('...' in dims && dims['...'] !== lead) return `${dims['...']} leading elements`;
    dims['...'] = lead;
  }
  for (const [i, token] of tokens.entries()) {
    const actual = shape[offset + i];
    const match = /^([A-Za-z]+)?([+-]?\d+)?$/.exec(token);
    const letter = match?.[1];
    const shift = match?.[2] ? Number(match[2]) : 0;
    if (!letter) {
      if (actual !== shift) return `size ${shift}`;
    } else if (letter in dims) {
      if (actual !== dims[letter] + shift) return `${token} = ${dims[letter] + shift}`;
    } else dims[letter] = actual - shift;
  }
  return undefined;
}

/** The concrete shape of an output pattern under bound dims; `...` is replaced by `lead`. */
export function patternShape(pattern: string, dims: Dims, lead: Shape = []): number[] {
  if (pattern === '') return [];
  return pattern.split(' ').flatMap((token) => {
    if (token === '...') return [...lead];
    const match = /^([A-Za-z]+)?([+-]?\d+)?$/.exec(token);
    return [(match?.[1] ? dims[match[1]] : 0) + (match?.[2] ? Number(match[2]) : 0)];
  });
}
