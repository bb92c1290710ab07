/** Operator rwkv/token-shift: every token sees the one before it. */
import type { FloatArray } from '../../core/dtype.js';
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import {
  checkSequences,
  CU_SEQLENS,
  samplePacked,
  sequencesOf,
  stateRows,
} from '../../ops/sequence/index.js';
import { allocate, defineOperator, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

const WHERE = 'rwkv/token-shift';

/** Moves rows by one within each sequence: `edge` comes in at the open end and the last row that fell out goes to `out`. */
function shift(
  call: Call,
  from: FloatArray | undefined,
  edge: FloatArray | undefined,
  to: FloatArray,
  out: FloatArray,
  back: boolean,
): void {
  const { D } = call.dims;
  const row = (a: FloatArray | undefined, at: number) => a?.subarray(at * D, (at + 1) * D);
  const put = (target: FloatArray, at: number, values: FloatArray | undefined) => {
    if (values) target.set(values, at * D);
    else target.fill(0, at * D, (at + 1) * D);
  };
  for (const [s, first, length] of sequencesOf(call)) {
    const [open, end] = back ? [first + length - 1, first] : [first, first + length - 1];
    if (length > 1) {
      const [source, target] = back ? [first + 1, first] : [first, first + 1];
      if (from) to.set(from.subarray(source * D, (source + length - 1) * D), target * D);
      else to.fill(0, target * D, (target + length - 1) * D);
    }
    if (length > 0) put(to, open, row(edge, s));
    put(out, s, length > 0 ? row(from, end) : row(edge, s));
  }
}

/** y_t = x_{t-1}, by copying; the gradient is the same shift the other way. */
const shiftCpu: Implementation = {
  forward: (call) => {
    const { D } = call.dims;
    const { x, state } = call.in;
    const y = allocate(call, x!.shape);
    const finalState = allocate(call, [stateRows(call), D]);
    shift(call, x!.floats(WHERE), state?.floats(WHERE), y.floats(WHERE), finalState.floats(WHERE), false);
    return { y, finalState };
  },
  backward: (call) => {
    const { D } = call.dims;
    const dx = allocate(call, call.in.x!.shape);
    const dstate = allocate(call, [stateRows(call), D]);
    const [dy, dfinal] = [call.grad.y?.floats(WHERE), call.grad.finalState?.floats(WHERE)];
    shift(call, dy, dfinal, dx.floats(WHERE), dstate.floats(WHERE), true);
    if (call.in.state) return { x: dx, state: dstate };
    dstate.dispose();
    return { x: dx };
  },
};

function dispatchShift(call: Call, from: Tensor | undefined, edge: Tensor | undefined, back: boolean) {
  const { B, T, D } = call.dims;
  const { x, cuSeqlens: cu } = call.in;
  const S = stateRows(call);
  const to = gpuEmpty(WHERE, x!.shape, x!.dtype);
  const out = gpuEmpty(WHERE, [S, D], x!.dtype);
  const count = Math.max(B * T, S) * D;
  const flags = { PACKED: cu, BACK: back, FROM: from, EDGE: edge };
  dispatch({
    where: WHERE,
    kernel: 'families/rwkv/token-shift',
    defs: { F: floatType(WHERE, x!) },
    overrides: Object.fromEntries(Object.entries(flags).map(([name, on]) => [name, on ? 1 : 0])),
    tensors: { x: from, edge, cu, to, out_state: out },
    params: { count, tokens: B * T, d: D, time: T, sequences: S },
    threads: count,
    work: count,
  });
  return { to, out };
}

const shiftGpu: Implementation = {
  forward: (call) => {
    const { to, out } = dispatchShift(call, call.in.x, call.in.state, false);
    return { y: to, finalState: out };
  },
  backward: (call) => {
    const { to, out } = dispatchShift(call, call.grad.y, call.grad.finalState, true);
    if (call.in.state) return { x: to, state: out };
    out.dispose();
    return { x: to };
  },
};

const op = defineOperator({
  id: 'rwkv/token-shift',
  summary: 'the token before each token',
  equation: 'y_t = x_{t-1}, y_1 = state; finalState = x_T',
  inputs: [
    { name: 'x', shape: 'B T D', half: true, doc: 'tokens' },
    {
      name: 'state',
      shape: 'B D | S D',
      half: true,
      optional: true,
      doc: 'the token before the first; zeros when absent',
    },
    CU_SEQLENS,
  ],
  outputs: [
    { name: 'y', shape: 'B T D', doc: 'x one token later' },
    { name: 'finalState', shape: '*', doc: '[B,D], or [S,D] packed: the last token' },
  ],
  parameters: {},
  state: 'B D',
  check: (call) => checkSequences(call, 'x', ['state']),
  forms: { reference: { cpu: shiftCpu }, parallel: { webgpu: shiftGpu } },
  flops: () => 0,
  bytes: (d) => 8 * d.B * d.T * d.D,
  cases: [
    { name: 'plain', dims: { B: 2, T: 13, D: 6 } },
    { name: 'one-token', dims: { B: 2, T: 1, D: 5 }, with: ['state'] },
    { name: 'state', dims: { B: 3, T: 67, D: 7 }, with: ['state'] },
    {
      name: 'packed',
      dims: { B: 1, T: 31, D: 6, S: 4 },
      shapes: { state: [4, 6] },
      with: ['state', 'cuSeqlens'],
    },
    { name: 'empty', dims: { B: 2, T: 0, D: 4 }, with: ['state'] },
  ],
  sample: (input, _, __, dims) => (input === 'cuSeqlens' ? samplePacked(dims) : undefined),
  sources: ['rwkv, arXiv 2305.13048v2, section 3.1.1'],
});

/**
 * The token before each token: y [B,T,D] with y_t = x_{t-1} and y_1 = `state` [B,D] (zeros when absent), and the last token
 * as finalState [B,D]. With `cuSeqlens` (then B = 1) states have one row a sequence. Gradients flow through both outputs.
 * Source: rwkv, arXiv 2305.13048v2, section 3.1.1.
 */
export function tokenShift(
  x: Tensor,
  options: { state?: Tensor; cuSeqlens?: Tensor } = {},
): { y: Tensor; finalState: Tensor } {
  const { y, finalState } = op({ x, ...options });
  return { y, finalState };
}

export { op as tokenShiftOperator };
