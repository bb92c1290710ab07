/** Family lightning-attention: linear attention with a constant decay a head, un-normalised (Lightning Attention 1, 2). */
import { ShapeError } from '../../core/errors.js';
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { neg } from '../../ops/map/index.js';
import { rmsNorm } from '../../ops/norm/index.js';
import { scalarDecay, scalarDecayOperator } from '../../ops/scalar-decay/index.js';
import { decayParallel, type ParallelInputs } from '../../ops/sequence/decay-parallel.js';
import { checkSequences, CU_SEQLENS, oneToken, samplePacked } from '../../ops/sequence/index.js';
import type { Form } from '../../tensor/backend.js';
import { composed } from '../../tensor/composed.js';
import { defineOperator, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { lightningAttentionReference } from './reference.js';

const WHERE = 'lightning-attention';

function check(call: Call): void {
  const { H, K, V } = call.dims;
  if (H === 0 || K === 0 || V === 0)
    throw new ShapeError(`${WHERE}: H, K and V must be >= 1, got H = ${H}, K = ${K} and V = ${V}`);
  checkSequences(call, 'q');
}

function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  if (input === 'cuSeqlens') return samplePacked(dims);
  if (input === 'slopes')
    return Float64Array.from({ length: sizeOf(shape) }, () => (dims.strong ?? 0.3) * uniform());
  return undefined;
}

/** Lightning Attention 1 is the tiled quadratic product, 2 the chunk form: here both are one recurrence in forms. */
function form(name: Form): Implementation {
  return composed(({ slopes, ...given }, call) => {
    const inputs = { ...given, decay: neg(slopes!) } as unknown as ParallelInputs;
    const scale = call.params.scale as number;
    return name === 'parallel' ? decayParallel(inputs, scale) : scalarDecay(inputs, { scale, form: name });
  });
}

const implementations = (name: Form) => {
  const made = form(name);
  return { cpu: made, wasm: made, webgpu: made };
};
const step = oneToken(form('step'), 'q');

const op = defineOperator({
  id: WHERE,
  summary: 'linear attention with a constant decay a head and no normaliser',
  equation: 'y_i = scale sum_{j<=i} e^{-s_h (i-j)} (q_i . k_j) v_j',
  inputs: [
    { name: 'q', shape: 'B T H K', half: true, doc: 'queries' },
    { name: 'k', shape: 'B T H K', half: true, doc: 'keys' },
    { name: 'v', shape: 'B T H V', half: true, doc: 'values' },
    { name: 'slopes', shape: 'H', doc: 'decay rates s >= 0, lambda = e^{-s}' },
    {
      name: 'initialState',
      shape: 'B H K V | S H K V',
      optional: true,
      doc: 'state before the first token; zeros when absent',
    },
    CU_SEQLENS,
  ],
  outputs: [
    { name: 'y', shape: 'B T H V', doc: 'mixed values; not normalised' },
    { name: 'finalState', shape: '*', doc: '[B,H,K,V], or [S,H,K,V] packed; f32' },
  ],
  parameters: {
    scale: { type: 'number', default: 1, minimum: -3e38, maximum: 3e38, doc: 'factor on the read-outs' },
  },
  state: 'B H K V',
  check,
  forms: {
    reference: { cpu: lightningAttentionReference },
    chunk: implementations('chunk'),
    recurrent: implementations('recurrent'),
    parallel: implementations('parallel'),
    step: { cpu: step, wasm: step, webgpu: step },
  },
  prefer: (backend, dims, params) =>
    scalarDecayOperator.record.prefer?.(backend, { ...dims, G: dims.H }, params),
  flops: (d) => 5 * d.B * d.T * d.H * d.K * d.V,
  bytes: (d) => 4 * (d.B * d.T * d.H * 2 * (d.K + d.V) + 2 * d.B * d.H * d.K * d.V),
  cases: [
    {
      name: 'plain',
      dims: { B: 2, T: 13, H: 3, K: 5, V: 4 },
      with: ['initialState'],
      params: { scale: 0.5 },
    },
    { name: 'one-token', dims: { B: 2, T: 1, H: 2, K: 4, V: 6 }, with: ['initialState'] },
    { name: 'before-chunk', dims: { B: 1, T: 63, H: 2, K: 9, V: 4 } },
    { name: 'chunk', dims: { B: 1, T: 64, H: 1, K: 8, V: 16 }, with: ['initialState'] },
    { name: 'chunk-and-one', dims: { B: 1, T: 65, H: 3, K: 4, V: 7 } },
    { name: 'never-forgets', dims: { B: 1, T: 31, H: 2, K: 5, V: 3, strong: 0 }, with: ['initialState'] },
    { name: 'strong-decay', dims: { B: 1, T: 67, H: 3, K: 5, V: 4, strong: 50 }, with: ['initialState'] },
    {
      name: 'packed',
      dims: { B: 1, T: 193, H: 2, K: 6, V: 4, S: 3 },
      shapes: { initialState: [3, 2, 6, 4] },
      with: ['initialState', 'cuSeqlens'],
    },
    { name: 'empty', dims: { B: 2, T: 0, H: 2, K: 4, V: 3 }, with: ['initialState'] },
  ],
  sample,
  sources: [
    'lightning-attention, arXiv 2405.17381v2; lightning-attention-2, arXiv 2401.04658v1, algorithms 1 and 2',
  ],
});

export interface LightningAttentionInputs {
  /** [B,T,H,K] */
  q: Tensor;
  /** [B,T,H,K] */
  k: Tensor;
  /** [B,T,H,V] */
  v: Tensor;
  /** [H], by one of the builders or of your own; >= 0. */
  slopes: Tensor;
  /** [B,H,K,V], or packed [S,H,K,V] */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. */
  cuSeqlens?: Tensor;
}

/**
 * Lightning attention: y [B,T,H,V] and finalState [B,H,K,V]. There is no scale but the one given (default 1) and no
 * normaliser: a layer puts a norm behind it (`simpleRmsNorm` in TransNormerLLM), or it trains badly.
 * lightning-attention-2, arXiv 2401.04658v1, algorithms 1 and 2. Gradients flow to every float input, slopes included.
 * @throws ShapeError, DtypeError or ArgumentError
 */
export function lightningAttention(
  inputs: LightningAttentionInputs,
  options: { scale?: number; form?: Form } = {},
): { y: Tensor; finalState: Tensor } {
  const { form: wanted, ...params } = options;
  const { y, finalState } = op({ ...inputs }, params, { form: wanted });
  return { y, finalState };
}

/** One token (T = 1) from a state to the next: constant time and memory. */
export function lightningAttentionStep(
  inputs: LightningAttentionInputs,
  options: { scale?: number } = {},
): { y: Tensor; finalState: Tensor } {
  return lightningAttention(inputs, { ...options, form: 'step' });
}

/** x / sqrt(mean(x^2) + eps) over the last axis, without a gain: the norm of TransNormerLLM; eps 1e-6 there. */
export function simpleRmsNorm(x: Tensor, options: { eps?: number } = {}): Tensor {
  return rmsNorm(x, undefined, { eps: options.eps ?? 1e-6 });
}

export { op as lightningAttentionOperator };
export { lightningPaperSlopes, lightningRetnetSlopes, lightningSlopes, type LayerPlace } from './slopes.js';
