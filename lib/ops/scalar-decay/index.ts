/** Matrix states that fade by one number a token and head: what linear attention, retention and SSD share. */
import { ShapeError } from '../../core/errors.js';
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { checkSequences, CU_SEQLENS, oneToken, samplePacked } from '../sequence/index.js';
import { CASES } from './cases.js';
import { chunkCpu, recurrentCpu } from './chunk.js';
import { chunkGpu, preferredGpuForm, recurrentGpu } from './gpu.js';
import { scalarDecayReference } from './reference.js';
import { decayWasm, preferredHostForm } from './wasm.js';

function check(call: Call): void {
  const { G, H, K, V } = call.dims;
  if (G === 0 || H % G !== 0)
    throw new ShapeError(
      `ops/scalar-decay: q must have a number of heads that divides the heads of v, got ${G} and ${H}`,
    );
  if (K === 0 || V === 0)
    throw new ShapeError(`ops/scalar-decay: K and V must be >= 1, got K = ${K} and V = ${V}`);
  checkSequences(call, 'q');
}

/** Decays by what the case asks for: `least` to `least + spread` below 0, in thousandths; `wild` mixes sizes. */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  const draw = (f: (i: number) => number) => Float64Array.from({ length: sizeOf(shape) }, (_, i) => f(i));
  const { least = 0, spread = 1000, wild = 0 } = dims;
  if (input === 'decay' && wild)
    return draw((i) => -uniform() * (i % 13 === 5 ? 90 : i % 7 === 1 ? 0 : 0.001));
  if (input === 'decay') return draw(() => -(least + spread * uniform()) / 1000);
  if (input === 'cuSeqlens') return samplePacked(dims);
  return undefined;
}

const op = defineOperator({
  id: 'ops/scalar-decay',
  summary: 'matrix-valued linear recurrence with one decay a token and head',
  equation: 'S_t = e^{g_t} S_{t-1} + k_t v_t^T; y_t = scale S_t^T q_t',
  inputs: [
    { name: 'q', shape: 'B T G K', half: true, doc: 'queries; value head h reads head floor(h G / H)' },
    { name: 'k', shape: 'B T G K', half: true, doc: 'keys, heads as those of q' },
    { name: 'v', shape: 'B T H V', half: true, doc: 'values' },
    {
      name: 'decay',
      shape: 'B T H | H',
      optional: true,
      doc: 'natural logarithms g <= 0 of what a token keeps of the state; 0 when absent',
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
    { name: 'y', shape: 'B T H V', doc: 'read-outs' },
    { name: 'finalState', shape: '*', doc: '[B,H,K,V], or [S,H,K,V] packed; f32' },
  ],
  parameters: {
    scale: { type: 'number', default: 1, minimum: -3e38, maximum: 3e38, doc: 'factor on the read-outs' },
  },
  state: 'B H K V',
  check,
  forms: {
    reference: { cpu: scalarDecayReference },
    recurrent: { cpu: recurrentCpu, wasm: decayWasm('scalarDecayRecurrent'), webgpu: recurrentGpu },
    chunk: { cpu: chunkCpu, wasm: decayWasm('scalarDecayChunk'), webgpu: chunkGpu },
    step: {
      cpu: oneToken(recurrentCpu, 'q'),
      wasm: oneToken(decayWasm('scalarDecayRecurrent'), 'q'),
      webgpu: oneToken(recurrentGpu, 'q'),
    },
  },
  prefer: (backend, dims) =>
    backend === 'webgpu' ? preferredGpuForm(dims) : preferredHostForm(backend, dims),
  flops: (d) => 5 * d.B * d.T * d.H * d.K * d.V,
  bytes: (d) => 4 * (d.B * d.T * (2 * d.G * d.K + 2 * d.H * d.V + d.H) + 2 * d.B * d.H * d.K * d.V),
  cases: CASES,
  sample,
  sources: [
    'mamba2, arXiv 2405.21060v1, section 6 (scalar-identity SSD in chunks); retnet, arXiv 2307.08621v4, equations 5 to 7; gradients by the chain rule, checked by finite differences',
  ],
});

export interface ScalarDecayInputs {
  /** [B,T,G,K] */
  q: Tensor;
  /** [B,T,G,K] */
  k: Tensor;
  /** [B,T,H,V]; G divides H, value head h reads query and key head floor(h G / H). */
  v: Tensor;
  /** Natural log-decay, [B,T,H] or [H], <= 0; 0 when absent. */
  decay?: Tensor;
  /** [B,H,K,V], or [S,H,K,V] packed */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. Its values are checked on the host; on a GPU ranges are cut to T. */
  cuSeqlens?: Tensor;
}

/**
 * S_t = e^{g_t} S_{t-1} + k_t v_t^T, y_t = scale S_t^T q_t: y [B,T,H,V] in the dtype of v, finalState [B,H,K,V] in f32.
 * Gradients flow to every float input and through both outputs. `scale` is 1 unless given.
 * Decays are by convention <= 0; a positive one grows the state and is computed as it stands while it does not overflow.
 * @throws ShapeError, DtypeError or ArgumentError
 */
export function scalarDecay(
  inputs: ScalarDecayInputs,
  options: { scale?: number; form?: Form } = {},
): { y: Tensor; finalState: Tensor } {
  const { form, ...params } = options;
  const { y, finalState } = op({ ...inputs }, params, { form });
  return { y, finalState };
}

/** One token (T = 1) from a state to the next: constant time and memory. */
export function scalarDecayStep(
  inputs: ScalarDecayInputs,
  options: { scale?: number } = {},
): { y: Tensor; finalState: Tensor } {
  return scalarDecay(inputs, { ...options, form: 'step' });
}

export { op as scalarDecayOperator };
