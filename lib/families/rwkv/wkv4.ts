/** Operator rwkv/wkv4: the element-wise attention of RWKV-4, forward and backward. */
import { sizeOf, type Shape } from '../../core/shape.js';
import { checkSequences, CU_SEQLENS, oneToken, samplePacked } from '../../ops/sequence/index.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Call, type OperatorCase } from '../../tensor/operator.js';
import type { Dims } from '../../core/shape.js';
import type { Tensor } from '../../tensor/tensor.js';
import { wkv4Chunk, wkv4Recurrent } from './wkv4-forms.js';
import { preferredWkv4Form, wkv4ChunkGpu, wkv4RecurrentGpu } from './wkv4-gpu.js';
import { wkv4Reference } from './wkv4-reference.js';
import { wkv4Wasm } from './wkv4-wasm.js';

const check = (call: Call): void => checkSequences(call, 'k');

/**
 * Keys of standard deviation about 1, or of a range `range` either way; log-decays in [-least - strong, -least]; states
 * with a positive denominator.
 */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  const { least = 0, strong = 1, range = 0 } = dims;
  const draw = (f: (i: number) => number) => Float64Array.from({ length: sizeOf(shape) }, (_, i) => f(i));
  if (input === 'cuSeqlens') return samplePacked(dims);
  if (input === 'decay') return draw(() => -(least + strong * uniform()));
  if (input === 'k' && range > 0) return draw(() => 2 * range * (uniform() - 0.5));
  if (input !== 'initialState') return undefined;
  const part = (i: number) => Math.floor(i / shape[2]) % 3;
  return draw((i) => (part(i) === 1 ? 0.25 + uniform() : 2 * (uniform() - 0.5)));
}

const packed = (D: number, T: number, S: number): Pick<OperatorCase, 'dims' | 'shapes' | 'with'> => ({
  dims: { B: 1, T, D, S },
  shapes: { initialState: [S, 3, D] },
  with: ['initialState', 'cuSeqlens'],
});

const CASES: readonly OperatorCase[] = [
  { name: 'plain', dims: { B: 2, T: 13, D: 6 } },
  { name: 'one-token', dims: { B: 2, T: 1, D: 5 }, with: ['initialState'] },
  { name: 'first-token', dims: { B: 2, T: 1, D: 5 } },
  { name: 'state', dims: { B: 2, T: 67, D: 9 }, with: ['initialState'] },
  { name: 'packed', ...packed(6, 31, 4) },
  { name: 'long-packed', ...packed(5, 821, 4) },
  { name: 'packed-chunks', ...packed(3, 193, 3) },
  { name: 'before-chunk', dims: { B: 1, T: 63, D: 4 }, with: ['initialState'] },
  { name: 'chunk', dims: { B: 2, T: 64, D: 4 }, with: ['initialState'] },
  { name: 'after-chunk', dims: { B: 1, T: 65, D: 4 }, with: ['initialState'] },
  { name: 'no-decay', dims: { B: 1, T: 131, D: 4, strong: 0 }, with: ['initialState'] },
  {
    name: 'strong-decay',
    dims: { B: 1, T: 29, D: 4, least: 20, strong: 40 },
    with: ['initialState'],
  },
  // e^k alone would overflow from 89 on.
  { name: 'huge-keys', dims: { B: 1, T: 97, D: 7, range: 120, strong: 3 }, with: ['initialState'] },
  { name: 'many-channels', dims: { B: 2, T: 37, D: 131 }, with: ['initialState'] },
  { name: 'empty', dims: { B: 2, T: 0, D: 4 }, with: ['initialState'] },
];

const op = defineOperator({
  id: 'rwkv/wkv4',
  summary: 'weighted mean of the values so far, weights fading at a fixed rate a channel (RWKV-4)',
  equation:
    'y_t = (sum_{i<t} e^{(t-1-i) w + k_i} v_i + e^{u + k_t} v_t) / (the same without v), carried as (aa, bb, pp)',
  inputs: [
    { name: 'k', shape: 'B T D', half: true, doc: 'keys: logarithms of the weights' },
    { name: 'v', shape: 'B T D', half: true, doc: 'values' },
    {
      name: 'decay',
      shape: 'D',
      doc: 'w, natural logarithms of the decays, at most 0: -exp of the parameter',
    },
    { name: 'bonus', shape: 'D', doc: 'u, added to the key of the token that is read' },
    {
      name: 'initialState',
      shape: 'B 3 D | S 3 D',
      optional: true,
      doc: 'aa, bb, pp before the first token: numerator aa e^pp, denominator bb e^pp; (0, 0, -1e38) when absent',
    },
    CU_SEQLENS,
  ],
  outputs: [
    { name: 'y', shape: 'B T D', doc: 'weighted means; dtype of v' },
    { name: 'finalState', shape: '*', doc: '[B,3,D], or [S,3,D] packed' },
  ],
  parameters: {},
  state: 'B 3 D',
  check,
  forms: {
    reference: { cpu: wkv4Reference },
    recurrent: { cpu: wkv4Recurrent, wasm: wkv4Wasm, webgpu: wkv4RecurrentGpu },
    chunk: { cpu: wkv4Chunk, webgpu: wkv4ChunkGpu() },
    step: {
      cpu: oneToken(wkv4Recurrent, 'k'),
      wasm: oneToken(wkv4Wasm, 'k'),
      webgpu: oneToken(wkv4RecurrentGpu, 'k'),
    },
  },
  prefer: (backend, dims) => (backend === 'webgpu' ? preferredWkv4Form(dims) : undefined),
  // Four exponentials at about 4 operations each and 14 others a channel and token.
  flops: (d) => 30 * d.B * d.T * d.D,
  bytes: (d) => 4 * (3 * d.B * d.T * d.D + 2 * d.D + 6 * d.B * d.D),
  cases: CASES,
  sample,
  sources: [
    'rwkv, arXiv 2305.13048v2, section 3.1.2 (WKV operator) and the appendix on its stable recurrence; gradients by the chain rule, checked by finite differences',
  ],
});

export interface Wkv4Inputs {
  /** [B,T,D] */
  k: Tensor;
  /** [B,T,D] */
  v: Tensor;
  /** log-decays w, at most 0: [D] */
  decay: Tensor;
  /** u: [D] */
  bonus: Tensor;
  /** aa, bb, pp: [B,3,D], or [S,3,D] packed */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. Its values are checked on the host; on a GPU ranges are cut to T. */
  cuSeqlens?: Tensor;
}

/**
 * WKV of RWKV-4: y [B,T,D] and finalState [B,3,D]. `decay` is the natural logarithm of the decay (what the authors call w
 * before they negate it is ln(-decay)). The receptance gate is not part of it.
 * The state is (aa, bb, pp) with aa e^pp the sum of weighted values and bb e^pp that of weights; pp is the largest exponent.
 * Gradients flow to every float input and through both outputs, through the choice of pp too.
 * Source: rwkv, arXiv 2305.13048v2, section 3.1.2. Deviation: packed sequences and gradients of the state.
 */
export function wkv4(inputs: Wkv4Inputs, options: { form?: Form } = {}): { y: Tensor; finalState: Tensor } {
  const { form, ...params } = options;
  const { y, finalState } = op({ ...inputs }, params, { form });
  return { y, finalState };
}

/** One token (T = 1) from a state to the next: constant time and memory. */
export function wkv4Step(inputs: Wkv4Inputs): { y: Tensor; finalState: Tensor } {
  return wkv4(inputs, { form: 'step' });
}

export { op as wkv4Operator };
