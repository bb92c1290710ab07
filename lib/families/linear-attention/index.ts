/** Family linear-attention: attention whose weights are products of features, hence a state of fixed size. */
import { ShapeError, show } from '../../core/errors.js';
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { scalarDecayOperator } from '../../ops/scalar-decay/index.js';
import { checkSequences, CU_SEQLENS, oneToken, samplePacked } from '../../ops/sequence/index.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Call, type Params } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { CASES } from './cases.js';
import { featureMap, featureSize, type FeatureMap } from './feature-maps.js';
import { linearAttentionForm } from './forms.js';
import { linearAttentionReference } from './reference.js';

const WHERE = 'linear-attention';

function check(call: Call): void {
  const { G, H, K, V } = call.dims;
  if (G === 0 || H % G !== 0)
    throw new ShapeError(
      `${WHERE}: q must have a number of heads that divides the heads of v, got ${G} and ${H}`,
    );
  if (K === 0 || V === 0) throw new ShapeError(`${WHERE}: K and V must be >= 1, got K = ${K} and V = ${V}`);
  checkSequences(call, 'q');
  const columns = call.params.normalize ? V + 1 : V;
  const state = call.in.initialState;
  if (state && state.shape[3] !== columns)
    throw new ShapeError(
      `${WHERE}: initialState must have ${columns} columns ${call.params.normalize ? 'with' : 'without'} normalize (V = ${V}), got ${show([...state.shape])}`,
    );
}

/** Positive features where weights are divided by their sum, signed ones elsewhere. */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
  params: Params,
): ArrayLike<number> | undefined {
  if (input === 'cuSeqlens') return samplePacked(dims);
  if (params.normalize === false || input === 'v') return undefined;
  return Float64Array.from({ length: sizeOf(shape) }, () => 0.05 + uniform());
}

const implementations = (form: Form) => {
  const made = linearAttentionForm(form);
  return { cpu: made, wasm: made, webgpu: made };
};
const step = oneToken(linearAttentionForm('step'), 'q');

const op = defineOperator({
  id: WHERE,
  summary: 'causal attention with weights phi(q) . phi(k), normalised by their sum or not',
  equation: 'y_i = sum_{j<=i} scale q_i.k_j v_j / (sum_{j<=i} scale q_i.k_j + eps)',
  inputs: [
    {
      name: 'q',
      shape: 'B T G K',
      half: true,
      doc: 'features of queries; value head h reads head floor(h G / H)',
    },
    { name: 'k', shape: 'B T G K', half: true, doc: 'features of keys, heads as those of q' },
    { name: 'v', shape: 'B T H V', half: true, doc: 'values' },
    {
      name: 'initialState',
      shape: 'B H K V | S H K V | B H K V+1 | S H K V+1',
      optional: true,
      doc: 'state before the first token; zeros when absent; with normalize it has a last column, the sum of keys',
    },
    CU_SEQLENS,
  ],
  outputs: [
    { name: 'y', shape: 'B T H V', doc: 'mixed values' },
    {
      name: 'finalState',
      shape: '*',
      doc: '[B,H,K,V] or packed [S,H,K,V], with normalize V + 1 columns; f32',
    },
  ],
  parameters: {
    normalize: { type: 'boolean', default: true, doc: 'divide by the sum of weights plus eps' },
    eps: { type: 'number', default: 1e-6, minimum: 0, doc: 'added to the sum of weights' },
    scale: {
      type: 'number',
      default: 1,
      minimum: -3e38,
      maximum: 3e38,
      doc: 'factor on all weights, in numerator and denominator',
    },
  },
  state: 'B H K V, with normalize B H K V+1',
  check,
  forms: {
    reference: { cpu: linearAttentionReference },
    chunk: implementations('chunk'),
    recurrent: implementations('recurrent'),
    parallel: implementations('parallel'),
    step: { cpu: step, wasm: step, webgpu: step },
  },
  prefer: (backend, dims, params) => scalarDecayOperator.record.prefer?.(backend, dims, params),
  flops: (d, p) =>
    d.B *
    d.T *
    d.H *
    (5 * d.K * (p.normalize === false ? d.V : d.V + 1) + (p.normalize === false ? 0 : d.V + 1)),
  bytes: (d) => 4 * (d.B * d.T * (2 * d.G * d.K + 2 * d.H * d.V) + 2 * d.B * d.H * d.K * d.V),
  cases: CASES,
  sample,
  sources: [
    'Katharopoulos et al. 2020, arXiv 2006.16236v3, equations 9 to 12 (parallel) and 16 to 20 (recurrent)',
  ],
});

export interface LinearAttentionInputs {
  /** [B,T,G,K] */
  q: Tensor;
  /** [B,T,G,K] */
  k: Tensor;
  /** [B,T,H,V] */
  v: Tensor;
  /** [B,H,K,V] or packed [S,H,K,V]; with `normalize` V + 1 columns, the last being the sum of keys. */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. */
  cuSeqlens?: Tensor;
}

export interface LinearAttentionOptions {
  /** Map from q and k to features; without it they are features already. Projections: call `featureMap` yourself. */
  featureMap?: FeatureMap;
  /** Divide by the sum of weights plus eps, default true. */
  normalize?: boolean;
  /** Default 1e-6. */
  eps?: number;
  /** On all weights, default 1. */
  scale?: number;
  form?: Form;
}

/**
 * Causal linear attention: y [B,T,H,V] and finalState [B,H,K,V], or [B,H,K,V+1] with `normalize` (the default), where K
 * counts features. Gradients flow to every input and through both outputs.
 * Katharopoulos et al. 2020, arXiv 2006.16236v3, equations 9 to 12. Sums of weights near zero, as signed features can
 * have, give large numbers, as they stand.
 * @throws ShapeError, DtypeError or ArgumentError
 */
export function linearAttention(
  inputs: LinearAttentionInputs,
  options: LinearAttentionOptions = {},
): { y: Tensor; finalState: Tensor } {
  const { form, featureMap: map, ...params } = options;
  const mapped = map ? { q: featureMap(inputs.q, map), k: featureMap(inputs.k, map) } : {};
  const { y, finalState } = op({ ...inputs, ...mapped }, params, { form });
  return { y, finalState };
}

/** One token (T = 1) from a state to the next: constant time and memory. */
export function linearAttentionStep(
  inputs: LinearAttentionInputs,
  options: Omit<LinearAttentionOptions, 'form'> = {},
): { y: Tensor; finalState: Tensor } {
  return linearAttention(inputs, { ...options, form: 'step' });
}

/**
 * Bytes of the state of B sequences in f32: 4 B H F (V + 1), without the normaliser 4 B H F V. F is the number of
 * features, K itself when there is no map. The same after any number of tokens.
 */
export function linearAttentionStateBytes(
  dims: { B: number; H: number; K: number; V: number },
  options: Pick<LinearAttentionOptions, 'featureMap' | 'normalize'> = {},
): number {
  const features = options.featureMap ? featureSize(options.featureMap, dims.K) : dims.K;
  return 4 * dims.B * dims.H * features * (dims.V + (options.normalize === false ? 0 : 1));
}

export { op as linearAttentionOperator };
export {
  FEATURE_MAPS,
  featureMap,
  featureMapOperator,
  featureSize,
  type FeatureMap,
  type FeatureOptions,
} from './feature-maps.js';
