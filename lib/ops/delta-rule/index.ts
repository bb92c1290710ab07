/** The delta rule: a matrix state that forgets what a key held before it writes the key's new value. */
import { ShapeError } from '../../core/errors.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { checkSequences, CU_SEQLENS, oneToken } from '../sequence/index.js';
import { DELTA_RULE_CASES, sampleDeltaRule } from './cases.js';
import { chunkCpu } from './chunk.js';
import { chunkGpu, recurrentGpu } from './gpu.js';
import { recurrentCpu } from './recurrent.js';
import { deltaRuleReference } from './reference.js';
import { deltaRuleWasm } from './wasm.js';

function check(call: Call): void {
  const { G, H, K, V } = call.dims;
  if (G === 0 || H % G !== 0) throw new ShapeError(`ops/delta-rule: G must divide H = ${H}, got G = ${G}`);
  if (H === 0 || K === 0 || V === 0)
    throw new ShapeError(
      `ops/delta-rule: H, K and V must be at least 1, got H = ${H}, K = ${K} and V = ${V}`,
    );
  checkSequences(call, 'q');
}

const op = defineOperator({
  id: 'ops/delta-rule',
  summary: 'linear recurrence that corrects what its state predicts for a key, with optional scalar decay',
  equation: "S' = e^{g_t} S_{t-1}; S_t = S' + k_t (beta_t (v_t - S'^T k_t))^T; y_t = scale S_t^T q_t",
  inputs: [
    { name: 'q', shape: 'B T G K', half: true, doc: 'queries; value head h reads head floor(h G / H)' },
    { name: 'k', shape: 'B T G K', half: true, doc: 'keys, to be of unit length; heads as of q' },
    { name: 'v', shape: 'B T H V', half: true, doc: 'values' },
    { name: 'beta', shape: 'B T H', half: true, doc: 'writing strengths, in (0, 1) or (0, 2)' },
    { name: 'decay', shape: 'B T H', optional: true, doc: 'natural log of the decay, <= 0; 0 when absent' },
    {
      name: 'initialState',
      shape: 'B H K V | S H K V',
      optional: true,
      doc: 'state before the first token; zeros when absent',
    },
    CU_SEQLENS,
  ],
  outputs: [
    { name: 'y', shape: 'B T H V', doc: 'what the queries read' },
    { name: 'finalState', shape: '*', doc: '[B,H,K,V], or [S,H,K,V] packed; f32 beside f16 inputs' },
  ],
  parameters: {
    scale: { type: 'number', default: 1, minimum: -3e38, maximum: 3e38, doc: 'factor on what is read' },
  },
  state: 'B H K V',
  check,
  forms: {
    reference: { cpu: deltaRuleReference },
    recurrent: { cpu: recurrentCpu, wasm: deltaRuleWasm('recurrent'), webgpu: recurrentGpu },
    chunk: { cpu: chunkCpu, wasm: deltaRuleWasm('chunk'), webgpu: chunkGpu },
    step: {
      cpu: oneToken(recurrentCpu, 'q'),
      wasm: oneToken(deltaRuleWasm('recurrent'), 'q'),
      webgpu: oneToken(recurrentGpu, 'q'),
    },
  },
  prefer: (backend, dims) => {
    if (backend === 'cpu') return 'recurrent';
    return (dims.B * dims.T) / Math.max(1, dims.S ?? dims.B) >= 16 ? 'chunk' : 'recurrent';
  },
  flops: (d) => d.B * d.T * d.H * (7 * d.K * d.V + 2 * d.V),
  bytes: (d) => 4 * d.B * d.T * (2 * d.G * d.K + d.H * (2 * d.V + 2)) + 8 * (d.S ?? d.B) * d.H * d.K * d.V,
  cases: DELTA_RULE_CASES,
  sample: sampleDeltaRule,
  sources: [
    'DeltaNet: Yang et al. 2024, arXiv 2406.06484, section 3',
    'Gated DeltaNet: Yang et al. 2024, arXiv 2412.06464, section 3',
  ],
});

export interface DeltaRuleInputs {
  /** [B,T,G,K]; value head h reads head floor(h G / H) */
  q: Tensor;
  /** [B,T,G,K], of unit length: longer keys with beta up to 1 make the state grow without bound */
  k: Tensor;
  /** [B,T,H,V] */
  v: Tensor;
  /** [B,T,H] */
  beta: Tensor;
  /** f32 [B,T,H], natural log, <= 0 */
  decay?: Tensor;
  /** f32 [B,H,K,V], or [S,H,K,V] packed */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. Its values are checked on the host; on a GPU ranges are cut to T. */
  cuSeqlens?: Tensor;
}

export interface DeltaRuleOptions {
  /** Factor on what is read; default 1. */
  scale?: number;
  form?: Form;
}

/**
 * The (gated) delta rule: S' = e^{g_t} S_{t-1}, S_t = S' + k_t (beta_t (v_t - S'^T k_t))^T, y_t = scale S_t^T q_t.
 * Returns y [B,T,H,V] in the dtype of v and finalState [B,H,K,V] (packed [S,H,K,V]) in f32. Gradients flow to every
 * float input and through both outputs. The decay comes before the prediction. Forms: `recurrent` token by token,
 * `chunk` by the WY form (arXiv 2406.06484, section 3), `step` for one token.
 * @throws ShapeError, DtypeError, DeviceError or ArgumentError with the input's name
 */
export function deltaRule(
  inputs: DeltaRuleInputs,
  options: DeltaRuleOptions = {},
): { y: Tensor; finalState: Tensor } {
  const { form, ...params } = options;
  const { y, finalState } = op({ ...inputs }, params, { form });
  return { y, finalState };
}

export { op as deltaRuleOperator, sampleDeltaRule };
