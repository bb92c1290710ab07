/** WKV of RWKV-4 on TypeScript, in one pass or in chunks of time. */
import * as math from '../../core/math.js';
import { allocate, type Implementation, type Kernel } from '../../tensor/operator.js';
import {
  EMPTY_EXPONENT,
  finalAdjoint,
  initialGradient,
  merge,
  spanBackward,
  spanForward,
  stateBefore,
  sumsOf,
  tensorsOf,
  viewOf,
  wkv4Reference,
  writeState,
  advance,
  type Adjoint,
  type Pair,
  type Span,
  type View,
} from './wkv4-reference.js';

const WHERE = 'rwkv/wkv4';

/** Tokens of a chunk, counted from the start of a sequence, so that packed equals separate to the bit. */
const CHUNK = 16;

/** One pass, time outermost, the states of all channels in three small arrays. */
const recurrentForward: Kernel = (call) => {
  const x = viewOf(call);
  const { D, k, v, w, u } = x;
  const y = allocate(call, call.in.k!.shape);
  const finalState = allocate(call, [x.sequences.length, 3, D]);
  const [to, last] = [y.floats(WHERE), finalState.floats(WHERE)];
  const h = new Float64Array(3 * D);
  for (const [row, first, length] of x.sequences) {
    h.fill(0, 0, 2 * D).fill(EMPTY_EXPONENT, 2 * D);
    if (x.initial) h.set(x.initial.subarray(row * 3 * D, (row + 1) * 3 * D));
    for (let t = first; t < first + length; t++)
      for (let d = 0; d < D; d++) {
        const at = t * D + d;
        const [a, b, p] = [h[d], h[D + d], h[2 * D + d]];
        const own = u[d] + k[at];
        const [e1, e2] = [math.exp(p - Math.max(p, own)), math.exp(own - Math.max(p, own))];
        to[at] = (e1 * a + e2 * v[at]) / (e1 * b + e2);
        const decayed = p + w[d];
        const top = Math.max(decayed, k[at]);
        const [f1, f2] = [math.exp(decayed - top), math.exp(k[at] - top)];
        h[d] = f1 * a + f2 * v[at];
        h[D + d] = f1 * b + f2;
        h[2 * D + d] = top;
      }
    last.set(h, row * 3 * D);
  }
  return { y, finalState };
};

/** The TypeScript recurrent form; its backward pass is the reference's, which keeps one channel's states at a time. */
export const wkv4Recurrent: Implementation = { forward: recurrentForward, backward: wkv4Reference.backward };

function spansOf(first: number, length: number): Span[] {
  const count = Math.max(1, Math.ceil(length / CHUNK));
  return Array.from({ length: count }, (_, i) => [first + i * CHUNK, Math.min(CHUNK, length - i * CHUNK)]);
}

const nothing = (): Pair => ({ a: 0, b: 0, p: EMPTY_EXPONENT });

/** (n, p, a, b) of the left stretch and then the right one: the left exponent falls by n w, then both are added. */
const compose = (left: Pair, right: Pair, n: number, w: number): Pair =>
  merge({ ...left, p: left.p + n * w }, right);

/** The state before every span: each span's own element from nothing, then their exclusive scan. */
function statesBefore(x: View, spans: Span[], d: number, start: Pair): Pair[] {
  const states = [start];
  for (const [first, length] of spans) {
    let own = nothing();
    for (let t = first; t < first + length; t++) own = advance(x, own, t * x.D + d, d);
    states.push(compose(states[states.length - 1], own, length, x.w[d]));
  }
  return states;
}

const chunkForward: Kernel = (call) => {
  const x = viewOf(call);
  const y = allocate(call, call.in.k!.shape);
  const finalState = allocate(call, [x.sequences.length, 3, x.D]);
  const [to, last] = [y.floats(WHERE), finalState.floats(WHERE)];
  for (const [row, first, length] of x.sequences) {
    const spans = spansOf(first, length);
    for (let d = 0; d < x.D; d++) {
      const states = statesBefore(x, spans, d, stateBefore(x, row, d));
      spans.forEach((span, i) => spanForward(x, span, d, states[i], to));
      writeState(last, x, row, d, states[spans.length]);
    }
  }
  return { y, finalState };
};

/** The reverse scan has the same elements: what a span adds to the adjoint from nothing, shifted by n w. */
const chunkBackward: Kernel = (call) => {
  const x = viewOf(call);
  const sums = sumsOf(call);
  const unused = sumsOf(call);
  for (const [row, first, length] of x.sequences) {
    const spans = spansOf(first, length);
    for (let d = 0; d < x.D; d++) {
      const states = statesBefore(x, spans, d, stateBefore(x, row, d));
      const after = finalAdjoint(call, row, d, states[spans.length]);
      let g: Pair = after;
      let top = after.top;
      for (let i = spans.length - 1; i >= 0; i--) {
        const own = spanBackward(x, call, unused, spans[i], d, states[i], { ...nothing(), top: 0 });
        const entering: Adjoint = { ...g, top };
        ({ top } = spanBackward(x, call, sums, spans[i], d, states[i], entering));
        g = compose(g, own, spans[i][1], x.w[d]);
      }
      const start = stateBefore(x, row, d);
      writeState(sums.initialState, x, row, d, initialGradient(start, { ...g, top }));
    }
  }
  return tensorsOf(call, sums);
};

/** Chunks of time as an associative scan of (n, p, a, b), in f64: for reading, and as a second opinion. */
export const wkv4Chunk: Implementation = { forward: chunkForward, backward: chunkBackward };
