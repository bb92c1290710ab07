/** Linear attention whose state forgets at a rate of its own in every key lane: GLA, HGRN-2, RWKV-5 and RWKV-6. */
import { ShapeError } from '../../core/errors.js';
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { checkSequences, CU_SEQLENS, oneToken, samplePacked } from '../sequence/index.js';
import { CASES } from './cases.js';
import { chunkCpu } from './chunk.js';
import { recurrentCpu } from './forms.js';
import { chunkGpu, preferredGpuForm, recurrentGpu } from './gpu.js';
import { diagonalDecayReference } from './reference.js';
import { chunkWasm, preferredHostForm, recurrentWasm } from './wasm.js';

function check(call: Call): void {
  const { H, K, V } = call.dims;
  if (K === 0 || V === 0 || H === 0)
    throw new ShapeError(`${call.op.id}: H, K and V must be at least 1, got H = ${H}, K = ${K}, V = ${V}`);
  checkSequences(call, 'q');
}

/** Log-decays in [-least - strong, -least]; with `huge` one token in nine forgets nearly all, the others little. */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  if (input === 'cuSeqlens') return samplePacked(dims);
  if (input !== 'decay') return undefined;
  const { least = 0, strong = 1, huge = 0 } = dims;
  const draw = () => {
    if (huge === 0) return -(least + strong * uniform());
    return uniform() < 1 / 9 ? -huge * (0.5 + uniform()) : -1e-3 * uniform();
  };
  return Float64Array.from({ length: sizeOf(shape) }, draw);
}

const op = defineOperator({
  id: 'ops/diagonal-decay',
  summary: 'linear attention with a log-decay for every key lane, fixed or of the token',
  equation:
    'S_t = Diag(e^{g_t}) S_{t-1} + k_t v_t^T; y_t = scale S_t^T q_t, with a bonus u: scale (S_{t-1} + Diag(u) k_t v_t^T)^T q_t',
  inputs: [
    { name: 'q', shape: 'B T H K', half: true, doc: 'queries (receptance)' },
    { name: 'k', shape: 'B T H K', half: true, doc: 'keys' },
    { name: 'v', shape: 'B T H V', half: true, doc: 'values' },
    {
      name: 'decay',
      shape: 'B T H K | H K',
      doc: 'natural logarithms of the decays, at most 0, per token or fixed',
    },
    {
      name: 'bonus',
      shape: 'H K',
      optional: true,
      doc: 'u: weight of the token itself; the state is then read before the token enters it',
    },
    {
      name: 'initialState',
      shape: 'B H K V | S H K V',
      optional: true,
      doc: 'state before the first token; zeros when absent',
    },
    CU_SEQLENS,
  ],
  outputs: [
    { name: 'y', shape: 'B T H V', doc: 'what the queries read; dtype of v' },
    { name: 'finalState', shape: '*', doc: '[B,H,K,V], or [S,H,K,V] packed' },
  ],
  parameters: {
    scale: { type: 'number', default: 1, minimum: -3e38, maximum: 3e38, doc: 'factor on the queries' },
  },
  state: 'B H K V',
  check,
  forms: {
    reference: { cpu: diagonalDecayReference },
    recurrent: { cpu: recurrentCpu, wasm: recurrentWasm, webgpu: recurrentGpu },
    chunk: { cpu: chunkCpu, wasm: chunkWasm, webgpu: chunkGpu },
    step: {
      cpu: oneToken(recurrentCpu, 'q'),
      wasm: oneToken(recurrentWasm, 'q'),
      webgpu: oneToken(recurrentGpu, 'q'),
    },
  },
  prefer: (backend, dims) =>
    backend === 'webgpu' ? preferredGpuForm(dims) : preferredHostForm(backend, dims),
  flops: (d) => 5 * d.B * d.T * d.H * d.K * d.V,
  bytes: (d) => 4 * (d.B * d.T * d.H * (3 * d.K + 2 * d.V) + 2 * d.B * d.H * d.K * d.V),
  cases: CASES,
  sample,
  sources: [
    'gla, arXiv 2312.06635v6, equation 3 and sections 4.1 to 4.3; bonus: rwkv-5-6, arXiv 2404.05892v4, section 4; gradients by the chain rule, checked by finite differences',
  ],
});

export interface DiagonalDecayInputs {
  /** [B,T,H,K] */
  q: Tensor;
  /** [B,T,H,K] */
  k: Tensor;
  /** [B,T,H,V] */
  v: Tensor;
  /** log-decays, at most 0: [B,T,H,K] or [H,K] */
  decay: Tensor;
  /** [H,K]; makes the read exclusive */
  bonus?: Tensor;
  /** [B,H,K,V], or [S,H,K,V] packed */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. Its values are checked on the host; on a GPU ranges are cut to T. */
  cuSeqlens?: Tensor;
}

/**
 * Linear attention with diagonal decay: y [B,T,H,V] and finalState [B,H,K,V].
 * Without `bonus` y_t = scale S_t^T q_t (GLA, HGRN-2); with it y_t = scale (S_{t-1} + Diag(u) k_t v_t^T)^T q_t
 * (RWKV-5, RWKV-6). The scale is 1 unless given. Gradients flow to every float input and through both outputs.
 * Sources: arXiv 2312.06635v6, equation 3; arXiv 2404.05892v4, section 4. Deviation: every decay is exponentiated by
 * itself and decays between tokens are products of these, where the papers divide running products.
 */
export function diagonalDecay(
  inputs: DiagonalDecayInputs,
  options: { scale?: number; form?: Form } = {},
): { y: Tensor; finalState: Tensor } {
  const { form, ...params } = options;
  const { y, finalState } = op({ ...inputs }, params, { form });
  return { y, finalState };
}

export { op as diagonalDecayOperator };
