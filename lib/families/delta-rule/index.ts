/** Family delta-rule: DeltaNet and Gated DeltaNet. */
import { ShapeError } from '../../core/errors.js';
import type { Dims, Shape } from '../../core/shape.js';
import { deltaRuleOperator, sampleDeltaRule, type DeltaRuleInputs } from '../../ops/delta-rule/index.js';
import { checkSequences, CU_SEQLENS, oneToken } from '../../ops/sequence/index.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Call, type InputSpec, type OperatorCase } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { deltaNetForm } from './forms.js';
import { deltaNetReference } from './reference.js';

function check(call: Call): void {
  const { G, H, K, V } = call.dims;
  if (H === 0 || K === 0 || V === 0)
    throw new ShapeError(`${call.op.id}: H, K and V must be at least 1, got H = ${H}, K = ${K} and V = ${V}`);
  if (G === 0 || H % G !== 0)
    throw new ShapeError(`${call.op.id}: q must have a number of heads that divides H = ${H}, got ${G}`);
  checkSequences(call, 'q');
}

const decay: InputSpec = { name: 'decay', shape: 'B T H', doc: 'natural log of the decay, <= 0' };

function inputs(gated: boolean): InputSpec[] {
  return [
    { name: 'q', shape: 'B T G K', half: true, doc: 'queries; value head h reads head floor(h G / H)' },
    { name: 'k', shape: 'B T G K', half: true, doc: 'keys, of unit length or made so; heads as of q' },
    { name: 'v', shape: 'B T H V', half: true, doc: 'values' },
    { name: 'beta', shape: 'B T H', half: true, doc: 'writing strengths, in (0, 1) or (0, 2)' },
    ...(gated ? [decay] : []),
    {
      name: 'initialState',
      shape: 'B H K V | S H K V',
      optional: true,
      doc: 'state before the first token; zeros when absent',
    },
    CU_SEQLENS,
  ];
}

const PARAMETERS = {
  normalize: {
    type: 'boolean',
    default: true,
    doc: 'divide queries and keys by sqrt(|x|^2 + eps) first',
  },
  eps: { type: 'number', default: 1e-6, minimum: 0, doc: 'under the root of that length' },
  scale: {
    type: 'number',
    default: undefined,
    minimum: -3e38,
    maximum: 3e38,
    doc: 'factor on what is read; default 1/sqrt(K)',
  },
} as const;

/** Keys of any length: the operators make them unit. */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  return input === 'k' && !dims.unit ? undefined : sampleDeltaRule(input, shape, uniform, dims);
}

const CASES: readonly OperatorCase[] = [
  { name: 'plain', dims: { B: 2, T: 11, G: 1, H: 2, K: 5, V: 3 }, with: ['initialState'] },
  { name: 'one-token', dims: { B: 2, T: 1, G: 2, H: 2, K: 4, V: 7 }, with: ['initialState'] },
  {
    name: 'as-they-are',
    dims: { B: 1, T: 65, G: 1, H: 2, K: 8, V: 12, unit: 1 },
    params: { normalize: false, scale: 0.7 },
  },
  {
    name: 'negative-eigenvalues',
    dims: { B: 1, T: 37, G: 2, H: 2, K: 8, V: 4, betaTo: 2 },
    params: { eps: 0.01 },
  },
  {
    name: 'packed',
    dims: { B: 1, T: 31, G: 1, H: 2, K: 6, V: 4, S: 4 },
    shapes: { initialState: [4, 2, 6, 4] },
    with: ['initialState', 'cuSeqlens'],
  },
  { name: 'empty', dims: { B: 1, T: 0, G: 1, H: 1, K: 4, V: 3 }, with: ['initialState'] },
];

const recurrent = deltaNetForm('recurrent');
const chunk = deltaNetForm('chunk');
const step = oneToken(deltaNetForm('step'), 'q');

interface About {
  id: string;
  summary: string;
  equation: string;
  sources: string[];
}

function define(about: About, gated: boolean) {
  return defineOperator({
    ...about,
    id: about.id,
    check,
    sample,
    inputs: inputs(gated),
    outputs: [
      { name: 'y', shape: 'B T H V', doc: 'what the queries read' },
      { name: 'finalState', shape: '*', doc: '[B,H,K,V], or [S,H,K,V] packed; f32 beside f16 inputs' },
    ],
    parameters: PARAMETERS,
    state: 'B H K V',
    forms: {
      reference: { cpu: deltaNetReference },
      recurrent: { cpu: recurrent, wasm: recurrent, webgpu: recurrent },
      chunk: { cpu: chunk, wasm: chunk, webgpu: chunk },
      step: { cpu: step, wasm: step, webgpu: step },
    },
    prefer: (backend, dims, params) => deltaRuleOperator.record.prefer?.(backend, dims, params),
    flops: (d) => deltaRuleOperator.record.flops(d, {}) + 6 * d.B * d.T * d.G * d.K,
    bytes: (d) => deltaRuleOperator.record.bytes(d, {}),
    cases: CASES,
  });
}

const deltaNetOperator = define(
  {
    id: 'delta-net',
    summary: 'linear attention that corrects what its state predicts for a key',
    equation:
      'S_t = (I - beta_t k_t k_t^T) S_{t-1} + beta_t k_t v_t^T; y_t = scale S_t^T q_t; q, k of unit length',
    sources: [
      'Schlag, Irie and Schmidhuber 2021, arXiv 2102.11174, section 4',
      'Yang et al. 2024, arXiv 2406.06484',
    ],
  },
  false,
);

const gatedDeltaNetOperator = define(
  {
    id: 'gated-delta-net',
    summary: 'the delta rule with a scalar decay of the state before each correction',
    equation:
      'S_t = e^{g_t} (I - beta_t k_t k_t^T) S_{t-1} + beta_t k_t v_t^T; y_t = scale S_t^T q_t; q, k of unit length',
    sources: ['Yang, Kautz and Hatamizadeh 2024, arXiv 2412.06464, section 3'],
  },
  true,
);

export type DeltaNetInputs = Omit<DeltaRuleInputs, 'decay'>;
/** Those of DeltaNet and the log-decays, f32 [B,T,H], <= 0. */
export type GatedDeltaNetInputs = DeltaNetInputs & { decay: Tensor };

export interface DeltaNetOptions {
  /** Divide queries and keys by sqrt(|x|^2 + eps) first; default true. */
  normalize?: boolean;
  /** Default 1e-6. */
  eps?: number;
  /** Factor on what is read; default 1/sqrt(K). */
  scale?: number;
  form?: Form;
}

/** What both return: y [B,T,H,V] in the dtype of v, finalState [B,H,K,V] (packed [S,H,K,V]) in f32. */
export interface DeltaNetOutputs {
  y: Tensor;
  finalState: Tensor;
}

/**
 * DeltaNet: S_t = (I - beta_t k_t k_t^T) S_{t-1} + beta_t k_t v_t^T, y_t = scale S_t^T q_t (arXiv 2406.06484), with
 * queries and keys made unit unless `normalize: false`. Gradients flow to every float input and through both outputs.
 * @throws ShapeError, DtypeError, DeviceError or ArgumentError with the input's name
 */
export function deltaNet(inputs: DeltaNetInputs, options: DeltaNetOptions = {}): DeltaNetOutputs {
  const { form, ...params } = options;
  const { y, finalState } = deltaNetOperator({ ...inputs }, params, { form });
  return { y, finalState };
}

/**
 * Gated DeltaNet: S_t = e^{g_t} (I - beta_t k_t k_t^T) S_{t-1} + beta_t k_t v_t^T (arXiv 2412.06464, section 3); the
 * decay comes before the correction. Otherwise as `deltaNet`; `deltaDecay` and `deltaBeta` make its gates.
 */
export function gatedDeltaNet(inputs: GatedDeltaNetInputs, options: DeltaNetOptions = {}): DeltaNetOutputs {
  const { form, ...params } = options;
  const { y, finalState } = gatedDeltaNetOperator({ ...inputs }, params, { form });
  return { y, finalState };
}

export { deltaBeta, deltaDecay } from './gates.js';
export { deltaNetOperator, gatedDeltaNetOperator };
