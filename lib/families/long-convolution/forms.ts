/** Long convolution on WASM, in chunks of tokens, and token by token. */
import * as calls from '../../cpu/wasm/convolution-calls.js';
import { parallelFor } from '../../cpu/wasm/threads.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import { keep } from '../../tensor/scope.js';
import { tensor, type Tensor } from '../../tensor/tensor.js';
import { tapsOf, transformBits, twiddles } from './fft.js';
import { addFinalGradient, finalState } from './reference.js';

const WHERE = 'long-convolution';
const at = (t: Tensor | undefined) => t?.pointer(WHERE) ?? 0;

/** Tables in use; the oldest goes when a new one comes. */
const tables = new Map<number, Tensor>();
const MOST_TABLES = 4;

function tableOf(bits: number): Tensor {
  const known = tables.get(bits);
  if (known) return known;
  const made = keep(tensor(twiddles(2 ** bits), { dtype: 'f32', device: 'host' }));
  tables.set(bits, made);
  if (tables.size > MOST_TABLES) {
    const [oldest, t] = [...tables][0];
    tables.delete(oldest);
    t.dispose();
  }
  return made;
}

function dimsOf(call: Call): calls.LongConvolutionDims {
  const { B, T, D } = call.dims;
  const W = tapsOf(call);
  return { B, T, D, W, bits: transformBits(W - 1 + T) };
}

/** Eight channels to a transform, four SIMD lanes of complex numbers. */
export const parallelWasm: Implementation = {
  forward: (call) => {
    const { u, filter, initialState } = call.in;
    const y = allocate(call, u!.shape);
    const dims = dimsOf(call);
    const inputs = { u: at(u), past: at(initialState), filter: at(filter), y: at(y) };
    if (dims.T > 0) calls.longConvolution(dims, { ...inputs, twiddles: at(tableOf(dims.bits)) });
    return { y, finalState: finalState(call) };
  },
  backward: (call) => {
    const { u, filter, initialState } = call.in;
    const made = {
      u: allocate(call, u!.shape),
      filter: allocate(call, filter!.shape),
      initialState: initialState && allocate(call, initialState.shape),
    };
    const dims = dimsOf(call);
    // Taps that meet no input get nothing.
    made.filter.floats(WHERE).fill(0);
    if (dims.T > 0 && call.grad.y)
      calls.longConvolutionBackward(dims, {
        u: at(u),
        past: at(initialState),
        filter: at(filter),
        dy: at(call.grad.y),
        du: at(made.u),
        dpast: at(made.initialState),
        dfilter: at(made.filter),
        twiddles: at(tableOf(dims.bits)),
      });
    else for (const t of [made.u, made.initialState]) t?.floats(WHERE).fill(0);
    addFinalGradient(call, made.u.floats(WHERE), made.initialState?.floats(WHERE));
    return made;
  },
};

/** Direct sums on WASM, for one token; the backward pass is that of the transforms. */
export const directWasm: Implementation = {
  forward: (call) => {
    const { B, T, D, W } = call.dims;
    const { u, filter, initialState } = call.in;
    const y = allocate(call, u!.shape);
    const inputs = [at(u), at(initialState), at(filter), at(y), T, D, W];
    parallelFor('longConvolutionDirect', B * Math.ceil(D / 4), 1 + Math.floor(65536 / W), ...inputs);
    return { y, finalState: finalState(call) };
  },
  backward: parallelWasm.backward!,
};

/** Tokens of a chunk. */
const CHUNK = 64;

/** Rows from..to of the time axis of a tensor [B, rows, D], one after another for every sequence. */
function rowsOf(t: Tensor, from: number, to: number): Tensor {
  const [B, rows, D] = t.shape;
  const x = t.floats(WHERE);
  const values = new Float64Array(B * (to - from) * D);
  for (let b = 0; b < B; b++)
    values.set(x.subarray((b * rows + from) * D, (b * rows + to) * D), b * (to - from) * D);
  return tensor(values, { shape: [B, to - from, D], dtype: t.dtype, device: 'host' });
}

/** Chunks of 64 tokens in order, each from the inputs before it: memory does not grow with the length. */
const chunkForward =
  (parallel: Implementation): Kernel =>
  (call) => {
    const { B, T, D } = call.dims;
    const y = allocate(call, call.in.u!.shape);
    const to = y.floats(WHERE);
    let { initialState } = call.in;
    for (let t = 0; t < T; t += CHUNK) {
      const size = Math.min(CHUNK, T - t);
      const inputs = { ...call.in, u: rowsOf(call.in.u!, t, t + size), initialState };
      const made = parallel.forward({ ...call, in: inputs, dims: { ...call.dims, T: size } });
      const from = made.y!.floats(WHERE);
      for (let b = 0; b < B; b++) to.set(from.subarray(b * size * D, (b + 1) * size * D), (b * T + t) * D);
      for (const used of [inputs.u, made.y!]) used.dispose();
      if (initialState !== call.in.initialState) initialState?.dispose();
      initialState = made.finalState;
    }
    if (initialState !== call.in.initialState) initialState?.dispose();
    return { y, finalState: finalState(call) };
  };

/** Chunks through the transforms of a backend; the backward pass is that of one transform. */
export const chunked = (parallel: Implementation): Implementation => ({
  forward: chunkForward(parallel),
  backward: parallel.backward!,
});
