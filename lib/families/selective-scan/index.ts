/** Family selective-scan: the recurrence of Mamba (S6), forward and backward. */
import { ShapeError } from '../../core/errors.js';
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { checkSequences, CU_SEQLENS, oneToken, samplePacked } from '../../ops/sequence/index.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Call, type InputSpec } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { recurrentCpu, scanWasm } from './forms.js';
import { preferredGpuForm } from './gpu-common.js';
import { chunkGpu, scanGpu, selectiveScanGpu } from './gpu.js';
import { partsCpu } from './parts.js';
import { selectiveScanReference } from './reference.js';

const optional = (name: string, shape: string, doc: string): InputSpec => ({
  name,
  shape,
  doc,
  optional: true,
});

function check(call: Call): void {
  const { D, G } = call.dims;
  if (G !== undefined && (G === 0 || D % G !== 0))
    throw new ShapeError(`selective-scan: G must divide D = ${D}, got G = ${G}`);
  checkSequences(call, 'u');
}

/** Negative rates, positive steps, otherwise normal numbers. */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  const draw = (f: () => number) => Float64Array.from({ length: sizeOf(shape) }, f);
  if (input === 'A') return draw(() => -0.1 - 4 * uniform());
  if (input === 'delta') return draw(() => (dims.least ?? 0.01) + (dims.strong ?? 1) * uniform());
  if (input === 'cuSeqlens') return samplePacked(dims);
  return undefined;
}

const op = defineOperator({
  id: 'selective-scan',
  summary: 'linear recurrence whose step size, input and read-out depend on the token (S6)',
  equation: 'h_t = e^{d_t A} h_{t-1} + d_t u_t B_t; y_t = (C_t . h_t + D u_t) silu(z_t)',
  inputs: [
    { name: 'u', shape: 'B T D', half: true, doc: 'input channels' },
    { name: 'delta', shape: 'B T D', half: true, doc: 'step sizes, before bias and softplus' },
    { name: 'A', shape: 'D N', doc: 'real rates, negative for a stable state' },
    { name: 'B', shape: 'B T G N | D N', half: true, doc: 'input vectors, per token and group, or fixed' },
    { name: 'C', shape: 'B T G N | D N', half: true, doc: 'read-out vectors, per token and group, or fixed' },
    optional('D', 'D', 'skip weight'),
    { ...optional('z', 'B T D', 'gate, through SiLU'), half: true },
    optional('deltaBias', 'D', 'added to delta'),
    optional('initialState', 'B D N | S D N', 'state before the first token; zeros when absent'),
    CU_SEQLENS,
  ],
  outputs: [
    { name: 'y', shape: 'B T D', doc: 'output channels' },
    { name: 'finalState', shape: '*', doc: '[B,D,N], or [S,D,N] packed' },
  ],
  parameters: {
    softplus: {
      type: 'boolean',
      default: false,
      doc: 'step = softplus(delta + deltaBias), the identity above 20',
    },
  },
  state: 'B D N',
  check,
  forms: {
    reference: { cpu: selectiveScanReference },
    recurrent: { cpu: recurrentCpu, wasm: scanWasm(), webgpu: selectiveScanGpu },
    chunk: { cpu: partsCpu('chunk'), wasm: scanWasm('chunk'), webgpu: chunkGpu() },
    scan: { cpu: partsCpu('scan'), wasm: scanWasm('scan'), webgpu: scanGpu },
    step: {
      cpu: oneToken(recurrentCpu, 'u'),
      wasm: oneToken(scanWasm(), 'u'),
      webgpu: oneToken(selectiveScanGpu, 'u'),
    },
  },
  prefer: (backend, dims) => (backend === 'webgpu' ? preferredGpuForm(dims) : undefined),
  flops: (d) => d.B * d.T * d.D * (7 * d.N + 2),
  bytes: (d) =>
    4 * (3 * d.B * d.T * d.D + 2 * d.B * d.T * (d.G ?? 1) * d.N + d.D * d.N + 2 * d.B * d.D * d.N),
  cases: [
    { name: 'plain', dims: { B: 2, T: 13, D: 6, N: 4, G: 1 } },
    { name: 'one-token', dims: { B: 2, T: 1, D: 5, N: 3, G: 1 }, with: ['initialState', 'D', 'z'] },
    {
      name: 'everything',
      dims: { B: 2, T: 67, D: 8, N: 16, G: 2 },
      with: ['D', 'z', 'deltaBias', 'initialState'],
      params: { softplus: true },
    },
    { name: 'invariant', dims: { B: 1, T: 17, D: 4, N: 5 }, shapes: { B: [4, 5], C: [4, 5] }, with: ['D'] },
    {
      name: 'packed',
      dims: { B: 1, T: 31, D: 6, N: 4, G: 1, S: 4 },
      shapes: { initialState: [4, 6, 4] },
      with: ['D', 'z', 'initialState', 'cuSeqlens'],
    },
    { name: 'strong-decay', dims: { B: 1, T: 29, D: 4, N: 8, G: 1, strong: 60 }, with: ['initialState'] },
    { name: 'empty', dims: { B: 2, T: 0, D: 4, N: 3, G: 1 }, with: ['initialState'] },
    { name: 'large-state', dims: { B: 1, T: 11, D: 3, N: 70, G: 1 } },
    { name: 'largest-state', dims: { B: 1, T: 37, D: 3, N: 256, G: 1 }, with: ['initialState'] },
    {
      name: 'huge-steps',
      dims: { B: 1, T: 41, D: 4, N: 8, G: 2, least: 20, strong: 40 },
      with: ['initialState'],
    },
    {
      name: 'huge-steps-softplus',
      dims: { B: 1, T: 41, D: 4, N: 8, G: 2, least: 17, strong: 43 },
      with: ['D', 'z', 'deltaBias', 'initialState'],
      params: { softplus: true },
    },
    {
      name: 'zero-steps',
      dims: { B: 1, T: 37, D: 4, N: 3, G: 1, least: 0, strong: 0 },
      with: ['initialState'],
    },
    {
      name: 'long',
      dims: { B: 1, T: 521, D: 6, N: 5, G: 3 },
      with: ['D', 'z', 'deltaBias', 'initialState'],
      params: { softplus: true },
    },
    {
      name: 'long-packed',
      dims: { B: 1, T: 821, D: 6, N: 4, G: 2, S: 4 },
      shapes: { initialState: [4, 6, 4] },
      with: ['D', 'initialState', 'cuSeqlens'],
    },
    {
      name: 'chunk-and-one',
      dims: { B: 2, T: 33, D: 5, N: 6, G: 1 },
      with: ['z', 'initialState'],
    },
    {
      name: 'wide-groups',
      dims: { B: 1, T: 49, D: 140, N: 6, G: 2 },
      with: ['D', 'z', 'deltaBias'],
      params: { softplus: true },
    },
  ],
  sample,
  sources: [
    'mamba, arXiv 2312.00752v2, equations 1 to 4 and algorithm 2; gradients by the chain rule, checked by finite differences',
  ],
});

export interface SelectiveScanInputs {
  /** [B,T,D] */
  u: Tensor;
  /** [B,T,D] */
  delta: Tensor;
  /** [D,N], negative */
  A: Tensor;
  /** [B,T,G,N] or [D,N] */
  B: Tensor;
  /** [B,T,G,N] or [D,N] */
  C: Tensor;
  /** [D] */
  D?: Tensor;
  /** [B,T,D] */
  z?: Tensor;
  /** [D] */
  deltaBias?: Tensor;
  /** [B,D,N], or [S,D,N] packed */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. Its values are checked on the host; on a GPU ranges are cut to T. */
  cuSeqlens?: Tensor;
}

/**
 * Selective scan: y [B,T,D] and finalState [B,D,N]. Discretisation: exact on A, Euler on B, as the authors' code.
 * Gradients flow to every float input and through both outputs.
 * Deviation from the paper: initial state, packed sequences and gradients of the final state are added.
 */
export function selectiveScan(
  inputs: SelectiveScanInputs,
  options: { softplus?: boolean; form?: Form } = {},
): { y: Tensor; finalState: Tensor } {
  const { form, ...params } = options;
  const { y, finalState } = op({ ...inputs }, params, { form });
  return { y, finalState };
}

/** One token (T = 1) from a state to the next: constant time and memory. */
export function selectiveScanStep(
  inputs: SelectiveScanInputs,
  options: { softplus?: boolean } = {},
): { y: Tensor; finalState: Tensor } {
  return selectiveScan(inputs, { ...options, form: 'step' });
}

export { op as selectiveScanOperator };
