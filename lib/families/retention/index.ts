/** Family retention: the mixer of RetNet, attention whose weights fade by a constant factor a head and token. */
import { ShapeError, show } from '../../core/errors.js';
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { scalarDecayOperator } from '../../ops/scalar-decay/index.js';
import { checkSequences, CU_SEQLENS, oneToken, samplePacked } from '../../ops/sequence/index.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Call, type Params } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { CASES } from './cases.js';
import { retentionForm } from './forms.js';
import { retentionReference } from './reference.js';

const WHERE = 'retention';

function check(call: Call): void {
  const { H, K, V } = call.dims;
  if (H === 0 || K === 0 || V === 0)
    throw new ShapeError(`${WHERE}: H, K and V must be >= 1, got H = ${H}, K = ${K} and V = ${V}`);
  checkSequences(call, 'q');
  const extra = call.params.normalize === 'retnet' ? 1 : 0;
  const state = call.in.initialState;
  if (state && (state.shape[2] !== K + extra || state.shape[3] !== V + extra))
    throw new ShapeError(
      `${WHERE}: initialState must end in [${K + extra},${V + extra}] with normalize '${call.params.normalize as string}', got ${show([...state.shape])}`,
    );
}

function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
  params: Params,
): ArrayLike<number> | undefined {
  const draw = (f: () => number) => Float64Array.from({ length: sizeOf(shape) }, f);
  if (input === 'cuSeqlens') return samplePacked(dims);
  if (input === 'decay') return draw(() => -(dims.strong ?? 0.3) * uniform());
  // The corner of a state counts tokens and is not negative.
  if (input === 'initialState' && params.normalize === 'retnet') return draw(() => 0.05 + uniform());
  return undefined;
}

const implementations = (form: Form) => {
  const made = retentionForm(form);
  return { cpu: made, wasm: made, webgpu: made };
};
const step = oneToken(retentionForm('step'), 'q');

const op = defineOperator({
  id: WHERE,
  summary: 'attention whose weights fade by a constant factor a token, one factor a head',
  equation: 'S_t = gamma_h S_{t-1} + k_t v_t^T; y_t = scale S_t^T q_t, divided as normalize says',
  inputs: [
    { name: 'q', shape: 'B T H K', half: true, doc: 'queries, rotated by the caller' },
    { name: 'k', shape: 'B T H K', half: true, doc: 'keys, rotated by the caller' },
    { name: 'v', shape: 'B T H V', half: true, doc: 'values' },
    {
      name: 'decay',
      shape: 'H',
      optional: true,
      doc: 'natural logarithm of gamma of a head, <= 0; those of RetNet when absent',
    },
    {
      name: 'initialState',
      shape: 'B H K V | S H K V | B H K+1 V+1 | S H K+1 V+1',
      optional: true,
      doc: 'state before the first token; zeros when absent; one row and column more with retnet',
    },
    CU_SEQLENS,
  ],
  outputs: [
    { name: 'y', shape: 'B T H V', doc: 'mixed values, before the norm over each head' },
    {
      name: 'finalState',
      shape: '*',
      doc: '[B,H,K,V] or packed [S,H,K,V]; with retnet a last column, the sum of keys, and a last row with the count; f32',
    },
  ],
  parameters: {
    normalize: {
      type: 'string',
      default: 'none',
      oneOf: ['none', 'retnet'],
      doc: "'retnet': divide by max(sqrt(n_t), |sum of weights|), a constant of the gradient",
    },
    scale: {
      type: 'number',
      default: 1,
      minimum: -3e38,
      maximum: 3e38,
      doc: 'factor on all weights; 1/sqrt(K) in RetNet',
    },
  },
  state: 'B H K V, with retnet B H K+1 V+1',
  check,
  forms: {
    reference: { cpu: retentionReference },
    chunk: implementations('chunk'),
    recurrent: implementations('recurrent'),
    parallel: implementations('parallel'),
    step: { cpu: step, wasm: step, webgpu: step },
  },
  prefer: (backend, dims, params) =>
    scalarDecayOperator.record.prefer?.(backend, { ...dims, G: dims.H }, params),
  flops: (d, p) =>
    d.B *
    d.T *
    d.H *
    (5 * d.K * (d.V + (p.normalize === 'retnet' ? 1 : 0)) + (p.normalize === 'retnet' ? d.V + 8 : 0)),
  bytes: (d) => 4 * (d.B * d.T * d.H * 2 * (d.K + d.V) + 2 * d.B * d.H * d.K * d.V),
  cases: CASES,
  sample,
  sources: [
    'retnet, arXiv 2307.08621v4, equations 5 (parallel), 6 (recurrent), 7 (chunk) and section 2.2 (normalisations)',
  ],
});

export interface RetentionInputs {
  /** [B,T,H,K] */
  q: Tensor;
  /** [B,T,H,K] */
  k: Tensor;
  /** [B,T,H,V] */
  v: Tensor;
  /** Log-decays [H]; those of RetNet, `retentionLogGammas`, when absent. */
  decay?: Tensor;
  /** [B,H,K,V] or packed [S,H,K,V]; [..,K+1,V+1] with `normalize: 'retnet'`. */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. */
  cuSeqlens?: Tensor;
}

export interface RetentionOptions {
  /** 'none' (default) or the row normalisations of RetNet's section 2.2. */
  normalize?: 'none' | 'retnet';
  /** On all weights, default 1; RetNet takes 1/sqrt(K). */
  scale?: number;
  form?: Form;
}

/**
 * Retention: y [B,T,H,V] and finalState [B,H,K,V]. Every form gives the same numbers, with 'retnet' too.
 * retnet, arXiv 2307.08621v4, equations 5 to 7. Gradients flow to every float input and through both outputs; the
 * divisors of 'retnet' are constants of the backward pass.
 * @throws ShapeError, DtypeError or ArgumentError
 */
export function retention(
  inputs: RetentionInputs,
  options: RetentionOptions = {},
): { y: Tensor; finalState: Tensor } {
  const { form, ...params } = options;
  const { y, finalState } = op({ ...inputs }, params, { form });
  return { y, finalState };
}

/** One token (T = 1) from a state to the next: constant time and memory. */
export function retentionStep(
  inputs: RetentionInputs,
  options: Omit<RetentionOptions, 'form'> = {},
): { y: Tensor; finalState: Tensor } {
  return retention(inputs, { ...options, form: 'step' });
}

export { op as retentionOperator };
export { retentionLogGammas } from './gammas.js';
export { retentionRotary, retentionRotaryOperator, type RetentionRotaryOptions } from './rotary.js';
