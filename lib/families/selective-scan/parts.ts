/**
 * Forms that cut time into parts, in TypeScript. A part maps the state h before it to E h + b. The two forms differ in
 * how they find E and in the length of a part: `scan` composes the pairs (e^(d_t A), d_t u_t B_t) of the associative
 * scan, so that E is a product of decays; `chunk` adds the steps and takes E = e^(A sum d_t).
 */
import * as math from '../../core/math.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import {
  finalAdjoint,
  gradientSums,
  initialState,
  scanView,
  spanBackward,
  tensorsOf,
  type ScanView,
} from './reference.js';

/** Steps of a part: short, so that small cases have several. A constant, so that packed equals separate to the bit. */
const LENGTH = { chunk: 32, scan: 8 } as const;

type Split = keyof typeof LENGTH;

/** First position and length of a part. */
type Span = readonly [number, number];

/** An affine map of a channel's state, h to E h + b. */
interface Pair {
  E: Float64Array;
  b: Float64Array;
}

function spansOf(first: number, length: number, split: Split): Span[] {
  const size = LENGTH[split];
  const count = Math.max(1, Math.ceil(length / size));
  return Array.from(
    { length: count },
    (_, i) => [first + i * size, Math.min(size, length - i * size)] as const,
  );
}

/** (E1, b1) and then (E2, b2): (E2 E1, E2 b1 + b2). Overwrites the first. */
function compose(one: Pair, two: Pair): void {
  for (let n = 0; n < one.E.length; n++) {
    one.b[n] = two.E[n] * one.b[n] + two.b[n];
    one.E[n] *= two.E[n];
  }
}

/**
 * Phase 1, the pair of one part. `element(p, pair)` writes the pair of one position; positions come in the order of
 * the recurrence, which the adjoint turns round.
 */
function reduce(N: number, positions: number[], element: (p: number, pair: Pair) => void): Pair {
  const total = { E: new Float64Array(N).fill(1), b: new Float64Array(N) };
  const pair = { E: new Float64Array(N), b: new Float64Array(N) };
  for (const p of positions) {
    element(p, pair);
    compose(total, pair);
  }
  return total;
}

/** Phase 2, the exclusive scan: what enters each part, from what enters the first. */
function enter(first: Float64Array, pairs: Pair[]): Float64Array[] {
  const entering = [first];
  for (const { E, b } of pairs) {
    const before = entering[entering.length - 1];
    // A zero state stays zero, also where a growing decay overflows.
    entering.push(before.map((h, n) => (h === 0 ? h : E[n] * h) + b[n]));
  }
  return entering;
}

/** E of a part in form chunk: one exponential of the sum of its steps. */
function decayOfSum(s: ScanView, N: number, positions: number[], d: number): Float64Array {
  const sum = positions.reduce((total, p) => total + s.step(p, d)[0], 0);
  return Float64Array.from({ length: N }, (_, n) => math.exp(sum * s.A[d * N + n]));
}

const range = ([first, length]: Span) => Array.from({ length }, (_, i) => first + i);

/** The states before every span of channel d. */
function statesBefore(s: ScanView, call: Call, row: number, spans: Span[], d: number, split: Split) {
  const { D, N } = call.dims;
  const pairs = spans.slice(0, -1).map((span) => {
    const positions = range(span);
    const pair = reduce(N, positions, (p, { E, b }) => {
      const [step] = s.step(p, d);
      for (let n = 0; n < N; n++) {
        E[n] = math.exp(step * s.A[d * N + n]);
        b[n] = step * s.u[p * D + d] * s.B[s.atB(p, d) + n];
      }
    });
    return split === 'chunk' ? { E: decayOfSum(s, N, positions, d), b: pair.b } : pair;
  });
  return enter(initialState(s, call, row, d), pairs);
}

/** The adjoints that enter every span of channel d at its end: the same scan over reversed time. */
function adjointsAfter(s: ScanView, call: Call, row: number, spans: Span[], d: number, split: Split) {
  const { D, N } = call.dims;
  const dy = call.grad.y?.floats('selective-scan');
  const pairs = spans
    .slice(1)
    .reverse()
    .map((span) => {
      const positions = range(span).reverse();
      const pair = reduce(N, positions, (p, { E, b }) => {
        const [step] = s.step(p, d);
        const at = p * D + d;
        const gate = s.z ? s.z[at] * math.sigmoid(s.z[at]) : 1;
        for (let n = 0; n < N; n++) {
          // What leaves position p is e^(d_p A) (G + g_p C_p).
          E[n] = math.exp(step * s.A[d * N + n]);
          b[n] = E[n] * (dy ? dy[at] * gate : 0) * s.C[s.atC(p, d) + n];
        }
      });
      return split === 'chunk' ? { E: decayOfSum(s, N, positions, d), b: pair.b } : pair;
    });
  return enter(finalAdjoint(call, row, d), pairs).reverse();
}

/** Phase 3: the recurrence within a span from its true state, which it leaves in h. */
function applySpan(s: ScanView, call: Call, span: Span, d: number, h: Float64Array, y: Float64Array): void {
  const { D, N } = call.dims;
  for (const p of range(span)) {
    const at = p * D + d;
    const [step] = s.step(p, d);
    let sum = s.D ? s.D[d] * s.u[at] : 0;
    for (let n = 0; n < N; n++) {
      h[n] = math.exp(step * s.A[d * N + n]) * h[n] + step * s.u[at] * s.B[s.atB(p, d) + n];
      sum += s.C[s.atC(p, d) + n] * h[n];
    }
    y[at] = s.z ? sum * s.z[at] * math.sigmoid(s.z[at]) : sum;
  }
}

const forwardOf =
  (split: Split): Kernel =>
  (call) => {
    const { D, N } = call.dims;
    const s = scanView(call);
    const y = allocate(call, call.in.u!.shape);
    const finalState = allocate(call, [s.sequences.length, D, N]);
    const [to, last] = [y.floats('selective-scan'), finalState.floats('selective-scan')];
    for (const [row, first, length] of s.sequences) {
      const spans = spansOf(first, length, split);
      for (let d = 0; d < D; d++) {
        const entering = statesBefore(s, call, row, spans, d, split);
        spans.forEach((span, i) => applySpan(s, call, span, d, entering[i], to as Float64Array));
        last.set(entering[spans.length - 1], (row * D + d) * N);
      }
    }
    return { y, finalState };
  };

const backwardOf =
  (split: Split): Kernel =>
  (call) => {
    const { D, N } = call.dims;
    const s = scanView(call);
    const sums = gradientSums(call);
    for (const [row, first, length] of s.sequences) {
      const spans = spansOf(first, length, split);
      for (let d = 0; d < D; d++) {
        const before = statesBefore(s, call, row, spans, d, split);
        const after = adjointsAfter(s, call, row, spans, d, split);
        spans.forEach((span, i) => spanBackward(s, call, sums, span, d, before[i], after[i]));
        sums.initialState?.set(after[0], (row * D + d) * N);
      }
    }
    return tensorsOf(call, sums);
  };

/** Form `chunk` or `scan` in TypeScript; states and sums in f64. */
export function partsCpu(split: Split): Implementation {
  return { forward: forwardOf(split), backward: backwardOf(split) };
}
