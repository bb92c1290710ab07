/**
 * WKV of RWKV-4 from its definition, one channel at a time, in whatever precision the inputs have; sums in f64.
 * A channel's state is (aa, bb, pp): numerator aa e^pp and denominator bb e^pp. Nothing is exponentiated but differences
 * to the largest exponent so far.
 */
import type { FloatArray } from '../../core/dtype.js';
import * as math from '../../core/math.js';
import { sequencesOf, type Sequence } from '../../ops/sequence/index.js';
import { allocate, type Call, type Implementation, type OptionalTensors } from '../../tensor/operator.js';

const WHERE = 'rwkv/wkv4';

/** Exponent of a state that has seen nothing: finite, so that kernels may subtract it from itself. */
export const EMPTY_EXPONENT = Math.fround(-1e38);

/** A numerator and a denominator under one exponent; also their gradients. */
export interface Pair {
  a: number;
  b: number;
  p: number;
}

/** What flows back through a state: gradients of numerator and denominator, and that of the exponent itself. */
export interface Adjoint extends Pair {
  /** Gradient that belongs to whichever exponent is the largest. */
  top: number;
}

/** Arrays of one call; rows of k, v, y are positions in the flattened [B T] axis. */
export interface View {
  D: number;
  k: FloatArray;
  v: FloatArray;
  w: FloatArray;
  u: FloatArray;
  initial: FloatArray | undefined;
  sequences: Sequence[];
}

/** Positions of a stretch of one sequence: first, and how many. */
export type Span = readonly [first: number, length: number];

export function viewOf(call: Call): View {
  const get = (name: string) => call.in[name]!.floats(WHERE);
  return {
    D: call.dims.D,
    k: get('k'),
    v: get('v'),
    w: get('decay'),
    u: get('bonus'),
    initial: call.in.initialState?.floats(WHERE),
    sequences: sequencesOf(call),
  };
}

/** The state of channel d before the first token of a sequence. */
export function stateBefore({ initial, D }: View, row: number, d: number): Pair {
  if (!initial) return { a: 0, b: 0, p: EMPTY_EXPONENT };
  const at = row * 3 * D + d;
  return { a: initial[at], b: initial[at + D], p: initial[at + 2 * D] };
}

/** One under the other's exponent: the sum of two pairs. */
export function merge(one: Pair, two: Pair): Pair {
  const p = Math.max(one.p, two.p);
  const [x, y] = [math.exp(one.p - p), math.exp(two.p - p)];
  return { a: x * one.a + y * two.a, b: x * one.b + y * two.b, p };
}

/** What token `at` reads: the state before it and itself with the bonus. */
const read = ({ k, v, u }: View, s: Pair, at: number, d: number) =>
  merge(s, { a: v[at], b: 1, p: u[d] + k[at] });

/** The state after token `at`. */
export const advance = ({ k, v, w }: View, s: Pair, at: number, d: number) =>
  merge({ ...s, p: s.p + w[d] }, { a: v[at], b: 1, p: k[at] });

/** Writes y of a span from the state before it; returns the state after it. */
export function spanForward(x: View, [first, length]: Span, d: number, state: Pair, y: FloatArray): Pair {
  let s = state;
  for (let t = first; t < first + length; t++) {
    const at = t * x.D + d;
    const sum = read(x, s, at, d);
    y[at] = sum.a / sum.b;
    s = advance(x, s, at, d);
  }
  return s;
}

const forward: Implementation['forward'] = (call) => {
  const x = viewOf(call);
  const y = allocate(call, call.in.k!.shape);
  const finalState = allocate(call, [x.sequences.length, 3, x.D]);
  const [to, last] = [y.floats(WHERE), finalState.floats(WHERE)];
  for (const [row, first, length] of x.sequences)
    for (let d = 0; d < x.D; d++)
      writeState(last, x, row, d, spanForward(x, [first, length], d, stateBefore(x, row, d), to));
  return { y, finalState };
};

export function writeState(to: FloatArray | undefined, { D }: View, row: number, d: number, s: Pair): void {
  if (!to) return;
  const at = row * 3 * D + d;
  to[at] = s.a;
  to[at + D] = s.b;
  to[at + 2 * D] = s.p;
}

/** Float64 sums for the gradient of every float input. */
export type Sums = Record<string, Float64Array>;

export function sumsOf(call: Call): Sums {
  const sums: Sums = {};
  for (const [name, t] of Object.entries(call.in))
    if (t && t.dtype !== 'i32') sums[name] = new Float64Array(t.size);
  return sums;
}

/** The sums as tensors of their inputs' shapes. */
export function tensorsOf(call: Call, sums: Sums): OptionalTensors {
  const made: OptionalTensors = {};
  for (const [name, values] of Object.entries(sums)) {
    made[name] = allocate(call, call.in[name]!.shape);
    (made[name].floats(WHERE) as Float64Array).set(values);
  }
  return made;
}

/** The adjoint of the final state of channel d, from that state and the gradient of what was returned. */
export function finalAdjoint(call: Call, row: number, d: number, last: Pair): Adjoint {
  const given = call.grad.finalState?.floats(WHERE);
  if (!given) return { a: 0, b: 0, p: EMPTY_EXPONENT, top: 0 };
  const { D } = call.dims;
  const at = row * 3 * D + d;
  const [a, b] = [given[at], given[at + D]];
  // The returned aa is (numerator) e^-pp: what pp does beyond that belongs to the largest exponent.
  return { a, b, p: -last.p, top: given[at + 2 * D] - a * last.a - b * last.b };
}

/**
 * Adds the gradients of a span of channel d, from the state before it and the adjoint of the state after it; returns the
 * adjoint of the state before it. With G_t the adjoint of the numerator e^-p a and H_t that of the denominator,
 *   G_{t-1} = e^w G_t + gy_t / den_t,   H_{t-1} = e^w H_t - gy_t y_t / den_t.
 */
export function spanBackward(
  x: View,
  call: Call,
  sums: Sums,
  [first, length]: Span,
  d: number,
  start: Pair,
  after: Adjoint,
): Adjoint {
  const gy = call.grad.y?.floats(WHERE);
  const states = [start];
  for (let t = 0; t < length - 1; t++) states.push(advance(x, states[t], (first + t) * x.D + d, d));
  let { top } = after;
  let g: Pair = after;
  for (let t = length - 1; t >= 0; t--) {
    const at = (first + t) * x.D + d;
    const s = states[t];
    const own = math.exp(x.k[at] + g.p);
    sums.k[at] += own * (g.a * x.v[at] + g.b);
    sums.v[at] += own * g.a;
    sums.decay[d] += math.exp(s.p + x.w[d] + g.p) * (g.a * s.a + g.b * s.b);
    if (x.k[at] > s.p + x.w[d]) {
      sums.k[at] += top;
      top = 0;
    } else sums.decay[d] += top;
    const sum = read(x, s, at, d);
    const y = sum.a / sum.b;
    const scaled = (gy ? gy[at] : 0) / sum.b;
    const bonus = scaled * math.exp(x.u[d] + x.k[at] - sum.p);
    sums.k[at] += bonus * (x.v[at] - y);
    sums.bonus[d] += bonus * (x.v[at] - y);
    sums.v[at] += bonus;
    g = merge({ ...g, p: g.p + x.w[d] }, { a: scaled, b: -scaled * y, p: -sum.p });
  }
  return { ...g, top };
}

/** The gradient of an initial state from the adjoint that reaches it. */
export function initialGradient(s: Pair, g: Adjoint): Pair {
  const scale = math.exp(s.p + g.p);
  const [a, b] = [scale * g.a, scale * g.b];
  return { a, b, p: a * s.a + b * s.b + g.top };
}

const backward: Implementation['forward'] = (call) => {
  const x = viewOf(call);
  const sums = sumsOf(call);
  const last = call.out.finalState.floats(WHERE);
  for (const [row, first, length] of x.sequences)
    for (let d = 0; d < x.D; d++) {
      const after = finalAdjoint(call, row, d, stateBefore({ ...x, initial: last }, row, d));
      const start = stateBefore(x, row, d);
      const g = spanBackward(x, call, sums, [first, length], d, start, after);
      writeState(sums.initialState, x, row, d, initialGradient(start, g));
    }
  return tensorsOf(call, sums);
};

export const wkv4Reference: Implementation = { forward, backward };
