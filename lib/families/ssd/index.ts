/** Family ssd: the recurrence of Mamba-2, a selective state space with one rate a head. */
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { scalarDecayOperator } from '../../ops/scalar-decay/index.js';
import { checkSequences, CU_SEQLENS, oneToken, samplePacked } from '../../ops/sequence/index.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { CASES } from './cases.js';
import { ssdForm } from './forms.js';
import { ssdReference } from './reference.js';

function check(call: Call): void {
  const { G, H, N, P } = call.dims;
  if (G === 0 || H % G !== 0) throw new ShapeError(`ssd: G must divide H = ${H}, got G = ${G}`);
  if (N === 0 || P === 0) throw new ShapeError(`ssd: N and P must be >= 1, got N = ${N} and P = ${P}`);
  const { dtMinimum, dtMaximum } = call.params as Record<string, number>;
  if (dtMinimum > dtMaximum)
    throw new ArgumentError(`ssd: dtMinimum must be <= dtMaximum, got ${dtMinimum} and ${dtMaximum}`);
  checkSequences(call, 'x');
}

/** Negative rates, positive steps, otherwise normal numbers. */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  const draw = (f: () => number) => Float64Array.from({ length: sizeOf(shape) }, f);
  if (input === 'A') return draw(() => -0.1 - 2 * uniform());
  if (input === 'dt') return draw(() => (dims.least ?? 0.01) + (dims.strong ?? 1) * uniform());
  if (input === 'cuSeqlens') return samplePacked(dims);
  return undefined;
}

const implementations = (form: Form) => {
  const made = ssdForm(form);
  return { cpu: made, wasm: made, webgpu: made };
};
const step = oneToken(ssdForm('step'), 'x');
const optional = (name: string, shape: string, doc: string) => ({ name, shape, doc, optional: true });

const op = defineOperator({
  id: 'ssd',
  summary: 'selective state space with one rate a head and matrix states (Mamba-2)',
  equation:
    'S_t = e^{A d_t} S_{t-1} + d_t B_t x_t^T; y_t = S_t^T C_t + D x_t; d = clamp(softplus(dt + dtBias))',
  inputs: [
    { name: 'x', shape: 'B T H P', half: true, doc: 'input channels by head' },
    { name: 'dt', shape: 'B T H', doc: 'step sizes, before bias, softplus and limits' },
    { name: 'A', shape: 'H', doc: 'rates, negative for a stable state' },
    { name: 'B', shape: 'B T G N', half: true, doc: 'input vectors; head h reads group floor(h G / H)' },
    { name: 'C', shape: 'B T G N', half: true, doc: 'read-out vectors, groups as those of B' },
    optional('D', 'H | H P', 'skip weight of a head or of each of its channels'),
    optional('dtBias', 'H', 'added to dt'),
    optional('initialState', 'B H N P | S H N P', 'state before the first token; zeros when absent'),
    CU_SEQLENS,
  ],
  outputs: [
    { name: 'y', shape: 'B T H P', doc: 'output channels, before the gate' },
    { name: 'finalState', shape: '*', doc: '[B,H,N,P], or [S,H,N,P] packed; f32' },
  ],
  parameters: {
    softplus: { type: 'boolean', default: false, doc: 'softplus(dt + dtBias), the identity above 20' },
    dtMinimum: {
      type: 'number',
      default: 0,
      minimum: -3e38,
      maximum: 3e38,
      doc: 'least step, after softplus',
    },
    dtMaximum: { type: 'number', default: 3e38, minimum: -3e38, maximum: 3e38, doc: 'largest step' },
  },
  state: 'B H N P',
  check,
  forms: {
    reference: { cpu: ssdReference },
    chunk: implementations('chunk'),
    recurrent: implementations('recurrent'),
    parallel: implementations('parallel'),
    step: { cpu: step, wasm: step, webgpu: step },
  },
  prefer: (backend, dims, params) =>
    scalarDecayOperator.record.prefer?.(backend, { ...dims, K: dims.N, V: dims.P }, params),
  flops: (d) => d.B * d.T * d.H * (5 * d.N * d.P + 3 * d.P + 4),
  bytes: (d) => 4 * (d.B * d.T * (2 * d.H * d.P + d.H + 2 * d.G * d.N) + 2 * d.B * d.H * d.N * d.P),
  cases: CASES,
  sample,
  sources: [
    'mamba2, arXiv 2405.21060v1, sections 5 (scalar-identity SSMs), 6 (chunks) and 7 (block); gradients by the chain rule, checked by finite differences',
  ],
});

export interface SsdInputs {
  /** [B,T,H,P] */
  x: Tensor;
  /** [B,T,H] */
  dt: Tensor;
  /** [H], negative */
  A: Tensor;
  /** [B,T,G,N]; G divides H, head h reads group floor(h G / H). */
  B: Tensor;
  /** [B,T,G,N] */
  C: Tensor;
  /** [H] or [H,P] */
  D?: Tensor;
  /** [H] */
  dtBias?: Tensor;
  /** [B,H,N,P], or packed [S,H,N,P]: keys before values. Upstream keeps [B,H,P,N]. */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. */
  cuSeqlens?: Tensor;
}

export interface SsdOptions {
  /** Step = softplus(dt + dtBias). */
  softplus?: boolean;
  /** Limits of the step after softplus, default [0, Infinity]; no gradient flows to dt where they hold. */
  dtLimit?: readonly [number, number];
  form?: Form;
}

/**
 * SSD: y [B,T,H,P] in the dtype of x and finalState [B,H,N,P] in f32. The gate z is left to `gatedRmsNorm`.
 * mamba2, arXiv 2405.21060v1, section 5. Gradients flow to every float input and through both outputs.
 * Deviation from the authors' code: the state is [N,P], not [P,N]; T need not be a multiple of a chunk; a step has
 * the limits too, which transformers' cached step leaves out.
 * @throws ShapeError, DtypeError or ArgumentError
 */
export function ssd(inputs: SsdInputs, options: SsdOptions = {}): { y: Tensor; finalState: Tensor } {
  const { form, dtLimit, ...params } = options;
  if (dtLimit !== undefined && !(Array.isArray(dtLimit) && dtLimit.length === 2 && dtLimit[0] <= dtLimit[1]))
    throw new ArgumentError(`ssd: dtLimit must be [least, largest], got ${show(dtLimit)}`);
  const within = (v: number) => Math.min(Math.max(v, -3e38), 3e38);
  const limits = dtLimit && { dtMinimum: within(dtLimit[0]), dtMaximum: within(dtLimit[1]) };
  const { y, finalState } = op({ ...inputs }, { ...params, ...limits }, { form });
  return { y, finalState };
}

/** One token (T = 1) from a state to the next: constant time and memory. */
export function ssdStep(
  inputs: SsdInputs,
  options: Omit<SsdOptions, 'form'> = {},
): { y: Tensor; finalState: Tensor } {
  return ssd(inputs, { ...options, form: 'step' });
}

export { op as ssdOperator };
export { gatedRmsNorm, gatedRmsNormOperator, type GatedRmsNormOptions } from './gated-norm.js';
