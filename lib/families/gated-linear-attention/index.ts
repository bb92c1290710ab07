/** Family gated-linear-attention: linear attention that forgets by gates of the token. GLA, simple GLA, HGRN-2. */
import { ShapeError } from '../../core/errors.js';
import type { Dims } from '../../core/shape.js';
import { diagonalDecayOperator } from '../../ops/diagonal-decay/index.js';
import { scalarDecayOperator } from '../../ops/scalar-decay/index.js';
import { checkSequences, CU_SEQLENS } from '../../ops/sequence/index.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Call, type InputSpec, type ParameterSpec } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { CASES, HGRN2_CASES, sample } from './cases.js';
import { gatedForms, hgrn2Forms, simpleForms } from './forms.js';
import { gatedLinearAttentionReference, hgrn2Reference, simpleReference } from './reference.js';

export { forgetGate, gatedNorm, logSigmoid, logSigmoidGate } from './gates.js';

function check(call: Call): void {
  const { H, K, V } = call.dims;
  if (H === 0 || K === 0 || V === 0)
    throw new ShapeError(`${call.op.id}: H, K and V must be at least 1, got H = ${H}, K = ${K}, V = ${V}`);
  checkSequences(call, 'q');
}

const QUERIES: InputSpec = { name: 'q', shape: 'B T H K', half: true, doc: 'queries' };
const KEYS: InputSpec = { name: 'k', shape: 'B T H K', half: true, doc: 'keys' };
const VALUES: InputSpec = { name: 'v', shape: 'B T H V', half: true, doc: 'values' };
const STATE: InputSpec = {
  name: 'initialState',
  shape: 'B H K V | S H K V',
  optional: true,
  doc: 'state before the first token; zeros when absent',
};
const OUTPUTS = [
  { name: 'y', shape: 'B T H V', doc: 'what the queries read; dtype of v' },
  { name: 'finalState', shape: '*', doc: '[B,H,K,V], or [S,H,K,V] packed; f32' },
];
const SCALE: ParameterSpec = {
  type: 'number',
  default: undefined,
  minimum: -3e38,
  maximum: 3e38,
  doc: 'factor on the queries; default 1/sqrt(K)',
};

const common = {
  outputs: OUTPUTS,
  parameters: { scale: SCALE },
  state: 'B H K V',
  check,
  sample,
  flops: (d: Dims) => 5 * d.B * d.T * d.H * d.K * d.V,
};

const bytesOf = (lanes: (d: Dims) => number) => (d: Dims) =>
  4 * (d.B * d.T * d.H * (lanes(d) + 2 * d.V) + 2 * d.B * d.H * d.K * d.V);

const gatedOp = defineOperator({
  ...common,
  id: 'gated-linear-attention',
  summary: 'linear attention whose state forgets by a gate for every key lane of every token (GLA)',
  equation: 'S_t = Diag(e^{gk_t}) S_{t-1} + k_t v_t^T; y_t = scale S_t^T q_t',
  inputs: [
    QUERIES,
    KEYS,
    VALUES,
    { name: 'gk', shape: 'B T H K', doc: 'natural logarithms of the gates, at most 0' },
    STATE,
    CU_SEQLENS,
  ],
  forms: { reference: { cpu: gatedLinearAttentionReference }, ...gatedForms },
  prefer: (backend, dims, params) => diagonalDecayOperator.record.prefer?.(backend, dims, params),
  bytes: bytesOf((d) => 3 * d.K),
  cases: CASES,
  sources: [
    'Yang et al. 2023, GLA, arXiv 2312.06635v6, equation 3 and section 4; gradients by the chain rule, checked by finite differences',
  ],
});

const simpleOp = defineOperator({
  ...common,
  id: 'simple-gated-linear-attention',
  summary: 'linear attention whose state forgets by one gate a head and token (simple GLA)',
  equation: 'S_t = e^{g_t} S_{t-1} + k_t v_t^T; y_t = scale S_t^T q_t',
  inputs: [
    QUERIES,
    KEYS,
    VALUES,
    { name: 'g', shape: 'B T H', doc: 'natural logarithms of the gates, at most 0' },
    STATE,
    CU_SEQLENS,
  ],
  forms: { reference: { cpu: simpleReference }, ...simpleForms },
  prefer: (backend, dims, params) => scalarDecayOperator.record.prefer?.(backend, dims, params),
  bytes: bytesOf((d) => 2 * d.K + 1),
  cases: CASES,
  sources: [
    'GLA, arXiv 2312.06635v6, section 4 with one gate a head, as the library of its authors names it',
  ],
});

const hgrn2Op = defineOperator({
  ...common,
  id: 'hgrn2',
  summary: 'gated linear attention whose keys are what the forget gates leave (HGRN-2)',
  equation:
    "f' = b + (1 - b) sigmoid(f); S_t = Diag(f'_t) S_{t-1} + (1 - f'_t) i_t^T; y_t = scale S_t^T silu(q_t)",
  inputs: [
    { ...QUERIES, doc: 'queries (output gates), before SiLU' },
    { name: 'f', shape: 'B T H K', half: true, doc: 'forget gates, before the sigmoid' },
    { name: 'i', shape: 'B T H V', half: true, doc: 'inputs: the values' },
    {
      name: 'lowerBound',
      shape: 'H K',
      optional: true,
      doc: 'lower bounds b of the forget gates in [0, 1); 0 when absent',
    },
    STATE,
    CU_SEQLENS,
  ],
  parameters: { scale: { ...SCALE, default: 1, doc: 'factor on the queries' } },
  forms: { reference: { cpu: hgrn2Reference }, ...hgrn2Forms },
  prefer: (backend, dims, params) => diagonalDecayOperator.record.prefer?.(backend, dims, params),
  flops: (d) => d.B * d.T * d.H * (5 * d.K * d.V + 8 * d.K),
  bytes: bytesOf((d) => 2 * d.K),
  cases: HGRN2_CASES,
  sources: [
    'Qin et al. 2024, HGRN2, arXiv 2404.07904v2, section 3; gradients by the chain rule, checked by finite differences',
  ],
});

interface Sequences {
  /** [B,H,K,V], or [S,H,K,V] packed */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. */
  cuSeqlens?: Tensor;
}

interface Mixed {
  /** [B,T,H,V] in the dtype of v */
  y: Tensor;
  /** [B,H,K,V], or [S,H,K,V] packed; f32 */
  finalState: Tensor;
}

interface Options {
  /** Default K^-1/2, of `hgrn2` 1. */
  scale?: number;
  form?: Form;
}

export interface GatedLinearAttentionInputs extends Sequences {
  /** [B,T,H,K] */
  q: Tensor;
  /** [B,T,H,K] */
  k: Tensor;
  /** [B,T,H,V] */
  v: Tensor;
  /** [B,T,H,K], natural logarithms of the gates, at most 0 */
  gk: Tensor;
}

export interface SimpleGatedLinearAttentionInputs extends Omit<GatedLinearAttentionInputs, 'gk'> {
  /** [B,T,H], natural logarithms of the gates, at most 0 */
  g: Tensor;
}

export interface Hgrn2Inputs extends Sequences {
  /** [B,T,H,K], before SiLU */
  q: Tensor;
  /** [B,T,H,K], before the sigmoid */
  f: Tensor;
  /** [B,T,H,V] */
  i: Tensor;
  /** [H,K] in [0, 1) */
  lowerBound?: Tensor;
}

/**
 * Gated linear attention (GLA, arXiv 2312.06635v6, equation 3): S_t = Diag(e^{gk_t}) S_{t-1} + k_t v_t^T,
 * y_t = scale S_t^T q_t with scale K^-1/2 unless given. Gradients flow to every float input and through both outputs.
 * @throws ShapeError, DtypeError or ArgumentError
 */
export function gatedLinearAttention(inputs: GatedLinearAttentionInputs, options: Options = {}): Mixed {
  const { form, ...params } = options;
  const { y, finalState } = gatedOp({ ...inputs }, params, { form });
  return { y, finalState };
}

/** One token (T = 1) from a state to the next: constant time and memory. */
export function gatedLinearAttentionStep(
  inputs: GatedLinearAttentionInputs,
  options: Omit<Options, 'form'> = {},
): Mixed {
  return gatedLinearAttention(inputs, { ...options, form: 'step' });
}

/**
 * Simple GLA: one gate a head and token, S_t = e^{g_t} S_{t-1} + k_t v_t^T, y_t = scale S_t^T q_t with scale K^-1/2
 * unless given. Gradients as `gatedLinearAttention`.
 * @throws ShapeError, DtypeError or ArgumentError
 */
export function simpleGatedLinearAttention(
  inputs: SimpleGatedLinearAttentionInputs,
  options: Options = {},
): Mixed {
  const { form, ...params } = options;
  const { y, finalState } = simpleOp({ ...inputs }, params, { form });
  return { y, finalState };
}

/**
 * HGRN-2 (arXiv 2404.07904v2): f' = b + (1 - b) sigmoid(f), S_t = Diag(f'_t) S_{t-1} + (1 - f'_t) i_t^T,
 * y_t = scale S_t^T silu(q_t) with scale 1 unless given. Gradients flow to every float input and through both outputs.
 * @throws ShapeError, DtypeError or ArgumentError
 */
export function hgrn2(inputs: Hgrn2Inputs, options: Options = {}): Mixed {
  const { form, ...params } = options;
  const { y, finalState } = hgrn2Op({ ...inputs }, params, { form });
  return { y, finalState };
}

/** One token (T = 1) of HGRN-2 from a state to the next: constant time and memory. */
export function hgrn2Step(inputs: Hgrn2Inputs, options: Omit<Options, 'form'> = {}): Mixed {
  return hgrn2(inputs, { ...options, form: 'step' });
}

export {
  gatedOp as gatedLinearAttentionOperator,
  hgrn2Op as hgrn2Operator,
  simpleOp as simpleGatedLinearAttentionOperator,
};
