/** The linear recurrence in TypeScript: one pass with time outermost, and time in parts with a carry over them. */
import * as math from '../../core/math.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import { sequencesOf } from '../sequence/index.js';
import { associativeScan as reference } from './reference.js';

const WHERE = 'associativeScan';
/** Steps of a part: short, so that small cases have several. A constant, so that packed equals separate to the bit. */
const PART = 32;

/** Arrays of a call. */
function viewOf(call: Call) {
  const a = call.in.a!.floats(WHERE);
  return {
    D: call.dims.D,
    decay: call.params.log ? (at: number) => math.exp(a[at]) : (at: number) => a[at],
    initial: call.in.initial?.floats(WHERE),
    sequences: sequencesOf(call),
  };
}

/** State of all channels of a sequence, from a row of a tensor or from zero. */
function edgeOf(values: ArrayLike<number> | undefined, row: number, D: number): Float64Array {
  return Float64Array.from({ length: D }, (_, d) => (values ? values[row * D + d] : 0));
}

/** h -> a h + b for rows first..first+length, from `h`, which is left at the end. */
function pass(
  [first, length]: readonly [number, number],
  decay: (at: number) => number,
  b: ArrayLike<number>,
  h: Float64Array,
  write?: { [at: number]: number },
): void {
  const D = h.length;
  for (let t = first; t < first + length; t++)
    for (let d = 0; d < D; d++) {
      h[d] = decay(t * D + d) * h[d] + b[t * D + d];
      if (write) write[t * D + d] = h[d];
    }
}

const recurrentForward: Kernel = (call) => {
  const { D, decay, initial, sequences } = viewOf(call);
  const b = call.in.b!.floats(WHERE);
  const y = allocate(call, call.in.b!.shape);
  const final = allocate(call, [sequences.length, D]);
  for (const [row, first, length] of sequences) {
    const h = edgeOf(initial, row, D);
    pass([first, length], decay, b, h, y.floats(WHERE));
    final.floats(WHERE).set(h, row * D);
  }
  return { y, final };
};

/** States in f64, in the order of time; the backward pass is the reference's. */
export const recurrentCpu: Implementation = { forward: recurrentForward, backward: reference.backward };

function partsOf(first: number, length: number): (readonly [number, number])[] {
  const count = Math.ceil(length / PART);
  return Array.from(
    { length: count },
    (_, i) => [first + i * PART, Math.min(PART, length - i * PART)] as const,
  );
}

/** Product of the decays of a part, channel by channel. */
function productOf([first, length]: readonly [number, number], decay: (at: number) => number, D: number) {
  const product = new Float64Array(D).fill(1);
  for (let t = first; t < first + length; t++) for (let d = 0; d < D; d++) product[d] *= decay(t * D + d);
  return product;
}

/** A zero state stays zero, also where a growing decay overflows. */
const carry = (factor: number, state: number, made: number) => (state === 0 ? 0 : factor * state) + made;

const chunkForward: Kernel = (call) => {
  const { D, decay, initial, sequences } = viewOf(call);
  const b = call.in.b!.floats(WHERE);
  const y = allocate(call, call.in.b!.shape);
  const final = allocate(call, [sequences.length, D]);
  for (const [row, first, length] of sequences) {
    let entering = edgeOf(initial, row, D);
    for (const part of partsOf(first, length)) {
      const made = new Float64Array(D);
      pass(part, decay, b, made);
      const factor = productOf(part, decay, D);
      pass(part, decay, b, entering.slice(), y.floats(WHERE));
      entering = entering.map((h, d) => carry(factor[d], h, made[d]));
    }
    final.floats(WHERE).set(entering, row * D);
  }
  return { y, final };
};

/** The same three phases over reversed time: what leaves token t is a_t (g + dy_t). */
const chunkBackward: Kernel = (call) => {
  const { D, decay, initial, sequences } = viewOf(call);
  const h = call.out.y.floats(WHERE);
  const dy = call.grad.y?.floats(WHERE);
  const like = call.in.b!.shape;
  const made = {
    a: allocate(call, like),
    b: allocate(call, like),
    initial: allocate(call, [sequences.length, D]),
  };
  const [da, db] = [made.a.floats(WHERE), made.b.floats(WHERE)];
  for (const [row, first, length] of sequences) {
    let entering = edgeOf(call.grad.final?.floats(WHERE), row, D);
    for (const part of partsOf(first, length).reverse()) {
      const [local, g] = [new Float64Array(D), entering.slice()];
      for (let t = part[0] + part[1] - 1; t >= part[0]; t--)
        for (let d = 0; d < D; d++) {
          const at = t * D + d;
          const slope = dy ? dy[at] : 0;
          const before = t > first ? h[at - D] : initial ? initial[row * D + d] : 0;
          local[d] = decay(at) * (local[d] + slope);
          db[at] = g[d] + slope;
          g[d] = decay(at) * (g[d] + slope);
          da[at] = (call.params.log ? g[d] : db[at]) * before;
        }
      const factor = productOf(part, decay, D);
      entering = entering.map((e, d) => carry(factor[d], e, local[d]));
    }
    made.initial.floats(WHERE).set(entering, row * D);
  }
  return made;
};

/** Parts of 32 tokens from zero, a carry over parts, parts from what enters them; states in f64. */
export const chunkCpu: Implementation = { forward: chunkForward, backward: chunkBackward };
