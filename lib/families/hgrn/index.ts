/** Family hgrn: the gated linear recurrence of HGRN, element by element, with its gates. */
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { preferredGpuForm } from '../../ops/scan/gpu-recurrence.js';
import { checkSequences, CU_SEQLENS, oneToken, samplePacked } from '../../ops/sequence/index.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { hgrnForm, hgrnWasm } from './forms.js';
import { hgrnReference } from './reference.js';

export { hgrnLogGate, hgrnLowerBounds, hgrnOutput } from './gates.js';

/** Logarithms of gates: up to `strong` below 0, or as small as 1e-6 where a case says so. */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  if (input === 'cuSeqlens') return samplePacked(dims);
  if (input !== 'g') return undefined;
  return Float64Array.from({ length: sizeOf(shape) }, () => -(dims.strong ?? 1) * uniform());
}

const recurrent = hgrnForm('recurrent');

const op = defineOperator({
  id: 'hgrn',
  summary: 'gated linear recurrence, element by element (HGRN)',
  equation: 'h_t = f_t h_{t-1} + (1 - f_t) i_t, f_t = e^{g_t}',
  inputs: [
    { name: 'i', shape: 'B T D', half: true, doc: 'inputs' },
    { name: 'g', shape: 'B T D', half: true, doc: 'natural logarithms of the forget gates, <= 0' },
    {
      name: 'initialState',
      shape: 'B D | S D',
      optional: true,
      doc: 'state before the first token; zeros when absent',
    },
    CU_SEQLENS,
  ],
  outputs: [
    { name: 'y', shape: 'B T D', doc: 'states after every token' },
    { name: 'finalState', shape: '*', doc: '[B,D], or [S,D] packed' },
  ],
  parameters: {},
  state: 'B D',
  check: (call) => checkSequences(call, 'i'),
  forms: {
    reference: { cpu: hgrnReference },
    recurrent: { cpu: recurrent, wasm: hgrnWasm(false), webgpu: recurrent },
    chunk: { cpu: hgrnForm('chunk'), wasm: hgrnWasm(true), webgpu: hgrnForm('chunk') },
    step: {
      cpu: oneToken(hgrnForm('step'), 'i'),
      wasm: oneToken(hgrnWasm(false), 'i'),
      webgpu: oneToken(hgrnForm('step'), 'i'),
    },
  },
  prefer: (backend, dims) => (backend === 'webgpu' ? preferredGpuForm(dims) : undefined),
  flops: (d: Dims) => 5 * d.B * d.T * d.D,
  bytes: (d: Dims) => 4 * (3 * d.B * d.T * d.D + 2 * (d.S ?? d.B) * d.D),
  cases: [
    { name: 'plain', dims: { B: 2, T: 13, D: 5 }, with: ['initialState'] },
    { name: 'one-token', dims: { B: 2, T: 1, D: 6 }, with: ['initialState'] },
    { name: 'no-state', dims: { B: 2, T: 67, D: 9 } },
    { name: 'empty', dims: { B: 2, T: 0, D: 4 }, with: ['initialState'] },
    { name: 'open-gates', dims: { B: 1, T: 29, D: 5, strong: 1e-6 }, with: ['initialState'] },
    { name: 'strong-decay', dims: { B: 1, T: 257, D: 6, strong: 60 }, with: ['initialState'] },
    {
      name: 'packed',
      dims: { B: 1, T: 31, D: 6, S: 4 },
      shapes: { initialState: [4, 6] },
      with: ['initialState', 'cuSeqlens'],
    },
    { name: 'packed-chunks', dims: { B: 1, T: 193, D: 17, S: 3 }, with: ['cuSeqlens'] },
    { name: 'long', dims: { B: 1, T: 521, D: 18, strong: 0.1 }, with: ['initialState'] },
  ],
  sample,
  sources: [
    'Qin et al. 2023, HGRN, arXiv 2311.04823, section 3.2 (real form); gradients by the chain rule, checked by finite differences',
  ],
});

export interface HgrnInputs {
  /** [B,T,D] */
  i: Tensor;
  /** [B,T,D], natural logarithm of the forget gate, <= 0 */
  g: Tensor;
  /** [B,D], or [S,D] packed */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. */
  cuSeqlens?: Tensor;
}

/**
 * States h_t = e^{g_t} h_{t-1} + (1 - e^{g_t}) i_t: y [B,T,D] and finalState [B,D]. Gradients flow to i, g and
 * initialState through both outputs. Deviation from the paper: the state is real, without the phase.
 */
export function hgrn(inputs: HgrnInputs, options: { form?: Form } = {}): { y: Tensor; finalState: Tensor } {
  const { form, ...params } = options;
  const { y, finalState } = op({ ...inputs }, params, { form });
  return { y, finalState };
}

/** One token (T = 1) from a state to the next: constant time and memory. */
export function hgrnStep(inputs: HgrnInputs): { y: Tensor; finalState: Tensor } {
  return hgrn(inputs, { form: 'step' });
}

export { op as hgrnOperator };
