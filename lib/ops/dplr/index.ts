/** The recurrence with a diagonal-plus-low-rank transition: every token decays the state, erases and writes. */
import { ShapeError } from '../../core/errors.js';
import { Random } from '../../core/random.js';
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import type { BackendName, Form } from '../../tensor/backend.js';
import { defineOperator, type Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { checkSequences, CU_SEQLENS, oneToken, samplePacked } from '../sequence/index.js';
import { chunkCpu } from './chunk.js';
import { recurrentCpu } from './forms.js';
import { chunkGpu, recurrentGpu } from './gpu.js';
import { dplrReference } from './reference.js';
import { dplrWasm } from './wasm.js';

/** Unit vectors that `a` and `b` of a case share, from a seed of their own; `near` > 0 pulls them together. */
function directions(shape: Shape, near: number): Float64Array {
  const random = new Random(7).split('directions');
  const K = shape.at(-1)!;
  const common = Float64Array.from({ length: K }, () => random.normal());
  const made = Float64Array.from({ length: sizeOf(shape) }, () => random.normal());
  for (let at = 0; at < made.length; at += K) {
    let square = 0;
    for (let i = 0; i < K; i++) {
      made[at + i] += near * common[i];
      square += made[at + i] ** 2;
    }
    for (let i = 0; i < K; i++) made[at + i] /= Math.sqrt(square);
  }
  return made;
}

/**
 * As RWKV-7 calls it: a = -kk, b = kk alpha with unit kk and alpha in (0,1), decays in [-e^{-1/2}, 0]. Cases change that
 * by `strong` and `least` (decays in [-strong - least, -least]), `spike` (every so many tokens one decays by e^{-80}),
 * `near` (directions close to one another, alpha = 1) and `still` (a = b = 0).
 */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  const draw = (f: (i: number) => number) => Float64Array.from({ length: sizeOf(shape) }, (_, i) => f(i));
  if (input === 'cuSeqlens') return samplePacked(dims);
  if (input === 'decay') {
    const row = dims.H * dims.K;
    const spike = (i: number) => (dims.spike && Math.floor(i / row) % dims.spike === 1 ? 80 : 0);
    return draw((i) => -(dims.least ?? 0) - (dims.strong ?? 0.6065) * uniform() - spike(i));
  }
  if (input !== 'a' && input !== 'b') return undefined;
  if (dims.still) return draw(() => 0);
  const unit = directions(shape, dims.near ?? 0);
  if (input === 'a') return unit.map((x) => -x);
  let alpha = 1;
  return draw((i) => {
    if (i % dims.K === 0) alpha = dims.near ? 1 : uniform();
    return unit[i] * alpha;
  });
}

function check(call: Call): void {
  const { H, K, V } = call.dims;
  if (K === 0 || V === 0 || H === 0)
    throw new ShapeError(`${call.op.id}: H, K and V must be at least 1, got H = ${H}, K = ${K}, V = ${V}`);
  checkSequences(call, 'q');
}

const recurrentWasm = dplrWasm('recurrent', recurrentCpu);

/**
 * On a GPU there is nothing to run at once within one chunk. On WASM the forms take about as long, but from some 256
 * tokens on a state that hardly fades keeps more digits in chunks: they round its decay once in 16 tokens.
 */
function preferredForm(backend: BackendName, dims: Dims): Form | undefined {
  if (backend === 'webgpu') return dims.T > 16 ? 'chunk' : undefined;
  return backend === 'wasm' && dims.T >= 256 * (dims.S ?? 1) ? 'chunk' : undefined;
}

const op = defineOperator({
  id: 'ops/dplr',
  summary: 'linear recurrence whose transition is a diagonal decay plus a rank-one correction (RWKV-7)',
  equation: 'S_t = Diag(e^{g_t}) S_{t-1} + b_t (a_t^T S_{t-1}) + k_t v_t^T; y_t = scale S_t^T q_t',
  inputs: [
    { name: 'q', shape: 'B T H K', half: true, doc: 'what reads the state (receptance)' },
    { name: 'k', shape: 'B T H K', half: true, doc: 'where a value is written' },
    { name: 'v', shape: 'B T H V', half: true, doc: 'values' },
    { name: 'a', shape: 'B T H K', half: true, doc: 'what the correction reads from the state' },
    { name: 'b', shape: 'B T H K', half: true, doc: 'where the correction is written' },
    { name: 'decay', shape: 'B T H K', doc: 'logarithm of the decay, at most 0' },
    {
      name: 'initialState',
      shape: 'B H K V | S H K V',
      optional: true,
      doc: 'state before the first token; zeros when absent',
    },
    CU_SEQLENS,
  ],
  outputs: [
    { name: 'y', shape: 'B T H V', doc: 'what was read, with the current token' },
    { name: 'finalState', shape: '*', doc: '[B,H,K,V], or [S,H,K,V] packed' },
  ],
  parameters: {
    scale: { type: 'number', default: 1, minimum: -3e38, maximum: 3e38, doc: 'factor of q' },
  },
  state: 'B H K V',
  check,
  forms: {
    reference: { cpu: dplrReference },
    recurrent: { cpu: recurrentCpu, wasm: recurrentWasm, webgpu: recurrentGpu },
    chunk: { cpu: chunkCpu, wasm: dplrWasm('chunk', chunkCpu), webgpu: chunkGpu },
    step: {
      cpu: oneToken(recurrentCpu, 'q'),
      wasm: oneToken(recurrentWasm, 'q'),
      webgpu: oneToken(recurrentGpu, 'q'),
    },
  },
  prefer: preferredForm,
  flops: (d) => 9 * d.B * d.T * d.H * d.K * d.V,
  bytes: (d) => 4 * d.B * d.H * (d.T * (5 * d.K + 2 * d.V) + 2 * d.K * d.V),
  cases: [
    { name: 'plain', dims: { B: 2, T: 13, H: 2, K: 6, V: 5 } },
    { name: 'one-token', dims: { B: 2, T: 1, H: 3, K: 8, V: 12 }, with: ['initialState'] },
    {
      name: 'chunk-less-one',
      dims: { B: 1, T: 15, H: 2, K: 16, V: 8 },
      with: ['initialState'],
      params: { scale: 0.25 },
    },
    { name: 'chunk', dims: { B: 1, T: 16, H: 2, K: 12, V: 20 }, with: ['initialState'] },
    { name: 'chunk-and-one', dims: { B: 2, T: 17, H: 1, K: 20, V: 7 }, with: ['initialState'] },
    { name: 'prime', dims: { B: 1, T: 67, H: 2, K: 33, V: 19 }, with: ['initialState'] },
    { name: 'wide', dims: { B: 1, T: 37, H: 1, K: 70, V: 72 }, with: ['initialState'] },
    { name: 'widest', dims: { B: 1, T: 83, H: 1, K: 130, V: 12 }, with: ['initialState'] },
    { name: 'long', dims: { B: 1, T: 521, H: 2, K: 16, V: 12 }, with: ['initialState'] },
    {
      name: 'strong-decay',
      dims: { B: 1, T: 41, H: 2, K: 8, V: 12, least: 20, strong: 40 },
      with: ['initialState'],
    },
    {
      name: 'spiked-decay',
      dims: { B: 1, T: 83, H: 1, K: 12, V: 8, spike: 5, strong: 0.01 },
      with: ['initialState'],
    },
    { name: 'no-decay', dims: { B: 1, T: 37, H: 2, K: 16, V: 8, strong: 0 }, with: ['initialState'] },
    { name: 'no-correction', dims: { B: 1, T: 37, H: 2, K: 8, V: 12, still: 1 }, with: ['initialState'] },
    {
      name: 'correlated',
      dims: { B: 1, T: 67, H: 1, K: 16, V: 12, near: 8, strong: 0.01 },
      with: ['initialState'],
    },
    {
      name: 'packed',
      dims: { B: 1, T: 31, H: 2, K: 8, V: 12, S: 4 },
      shapes: { initialState: [4, 2, 8, 12] },
      with: ['initialState', 'cuSeqlens'],
    },
    {
      name: 'packed-chunks',
      dims: { B: 1, T: 193, H: 2, K: 12, V: 8, S: 3 },
      with: ['cuSeqlens'],
    },
    { name: 'empty', dims: { B: 2, T: 0, H: 2, K: 4, V: 3 }, with: ['initialState'] },
  ],
  sample,
  sources: [
    'rwkv, RWKV-7 (arXiv 2503.14456v2): the transition of the time mixing; gradients by the chain rule, checked by finite differences',
  ],
});

export interface DplrInputs {
  /** [B,T,H,K] */
  q: Tensor;
  /** [B,T,H,K] */
  k: Tensor;
  /** [B,T,H,V] */
  v: Tensor;
  /** [B,T,H,K] */
  a: Tensor;
  /** [B,T,H,K] */
  b: Tensor;
  /** [B,T,H,K], natural logarithm, at most 0 */
  decay: Tensor;
  /** [B,H,K,V], or [S,H,K,V] packed */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1 */
  cuSeqlens?: Tensor;
}

/**
 * S_t = Diag(e^{decay_t}) S_{t-1} + b_t (a_t^T S_{t-1}) + k_t v_t^T, y_t = scale S_t^T q_t: y [B,T,H,V] in the dtype of
 * v, finalState [B,H,K,V] in f32 (f64 for f64 inputs). RWKV-7 passes a = -kk and b = kk alpha with unit kk.
 * Gradients flow to every float input and through both outputs. Deviations from RWKV-7: the state is stored as
 * [K,V], any V and K (on a GPU K <= 256), packed sequences; upstream inverts the update in its backward pass, here states
 * are computed again. Exponents are never positive, whatever the decays.
 * @throws ShapeError, ArgumentError when shapes or cuSeqlens do not fit
 */
export function dplr(
  inputs: DplrInputs,
  options: { scale?: number; form?: Form } = {},
): { y: Tensor; finalState: Tensor } {
  const { form, ...params } = options;
  const { y, finalState } = op({ ...inputs }, params, { form });
  return { y, finalState };
}

/** One token (T = 1) from a state to the next: constant time and memory. */
export function dplrStep(
  inputs: DplrInputs,
  options: { scale?: number } = {},
): { y: Tensor; finalState: Tensor } {
  return dplr(inputs, { ...options, form: 'step' });
}

export { op as dplrOperator };
