/**
 * Feature maps of linear attention as one operator: rows of K numbers become rows of F features.
 *
 *   elu               1 + x for x > 0, else e^x                    Katharopoulos et al. 2020, arXiv 2006.16236v3, equation 7
 *   relu              max(x, 0)
 *   softmax           softmax over the K entries of a row
 *   hedgehog          softmax([f z, -f z]), z = W x + b            hedgehog, arXiv 2402.04347v1, softmax form
 *   taylor            [1, x/d^(1/4), vec(x x^T)/sqrt(2 d)], d = K  Based, arXiv 2402.18668v2
 *   taylor-symmetric  the same with each product x_i x_j, i < j, once, times sqrt(2)
 *
 * For both Taylor maps phi(q) . phi(k) = 1 + s + s^2/2 with s = q . k / sqrt(K): at least 1/2.
 */
import { ArgumentError, ShapeError, show } from '../../core/errors.js';
import { defineOperator, type Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { featureForm } from './feature-forms.js';
import { featureReference } from './feature-reference.js';

export const FEATURE_MAPS = ['elu', 'relu', 'softmax', 'hedgehog', 'taylor', 'taylor-symmetric'] as const;
export type FeatureMap = (typeof FEATURE_MAPS)[number];

/**
 * Features F of a map on rows of K. @param rows rows of the projection of `hedgehog`, K unless given
 * @throws ArgumentError for an unknown map, or sizes that are not positive integers
 */
export function featureSize(map: FeatureMap, K: number, rows = K): number {
  for (const [name, value] of Object.entries({ K, rows }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`featureSize: ${name} must be a positive integer, got ${show(value)}`);
  if (!FEATURE_MAPS.includes(map))
    throw new ArgumentError(`featureSize: map must be one of ${FEATURE_MAPS.join(', ')}, got ${show(map)}`);
  if (map === 'hedgehog') return 2 * rows;
  if (map === 'taylor') return 1 + K + K * K;
  if (map === 'taylor-symmetric') return 1 + K + (K * (K + 1)) / 2;
  return K;
}

function check(call: Call): void {
  const { weight, bias } = call.in;
  if (call.dims.K === 0) throw new ShapeError(`feature-map: x must have K >= 1, got K = 0`);
  const projected = call.params.map === 'hedgehog';
  if (!projected && (weight || bias))
    throw new ArgumentError(
      `feature-map: weight and bias must be absent unless map is hedgehog, got ${show(call.params.map)}`,
    );
  if (bias && !weight) throw new ArgumentError('feature-map: bias must come with a weight, got a bias alone');
  if (weight && bias && bias.rank !== weight.rank - 1)
    throw new ShapeError(
      `feature-map: bias must be one for all heads or one a head, as the weight, got ${show([...bias.shape])}`,
    );
}

const op = defineOperator({
  id: 'feature-map',
  summary: 'features whose products stand for the weights of attention',
  equation: 'y = phi(x), row by row',
  inputs: [
    { name: 'x', shape: 'B T H K', half: true, doc: 'queries or keys' },
    {
      name: 'weight',
      shape: 'F K | H F K',
      half: true,
      optional: true,
      doc: 'projection of hedgehog, [out, in]; identity when absent',
    },
    { name: 'bias', shape: 'F | H F', half: true, optional: true, doc: 'shift of the projection' },
  ],
  outputs: [{ name: 'y', shape: '*', doc: 'features [B,T,H,F]' }],
  parameters: {
    map: { type: 'string', default: 'elu', oneOf: FEATURE_MAPS, doc: 'which features' },
    factor: {
      type: 'number',
      default: 2,
      minimum: -3e38,
      maximum: 3e38,
      doc: 'f of hedgehog: 2 in flash-linear-attention, 1 in the paper',
    },
  },
  check,
  forms: {
    reference: { cpu: featureReference },
    parallel: { cpu: featureForm, wasm: featureForm, webgpu: featureForm },
  },
  flops: (d, p) => {
    const F = featureSize(p.map as FeatureMap, d.K, d.F);
    const each = p.map === 'hedgehog' && d.F ? 2 * d.K * d.F + 8 * F : 2 * F;
    return d.B * d.T * d.H * each;
  },
  bytes: (d, p) => 4 * d.B * d.T * d.H * (d.K + featureSize(p.map as FeatureMap, d.K, d.F)),
  cases: [
    {
      name: 'hedgehog-heads',
      dims: { B: 2, T: 5, H: 3, K: 4, F: 6 },
      shapes: { weight: [3, 6, 4], bias: [3, 6] },
      with: ['weight', 'bias'],
      params: { map: 'hedgehog' },
    },
    {
      name: 'hedgehog-shared',
      dims: { B: 1, T: 7, H: 2, K: 5, F: 5 },
      with: ['weight', 'bias'],
      params: { map: 'hedgehog', factor: 1 },
    },
    { name: 'hedgehog-identity', dims: { B: 1, T: 3, H: 2, K: 5 }, params: { map: 'hedgehog' } },
    { name: 'elu', dims: { B: 2, T: 7, H: 2, K: 9 }, params: { map: 'elu' } },
    { name: 'relu', dims: { B: 2, T: 7, H: 2, K: 9 }, params: { map: 'relu' } },
    { name: 'softmax', dims: { B: 2, T: 7, H: 2, K: 9 }, params: { map: 'softmax' } },
    { name: 'taylor', dims: { B: 1, T: 13, H: 2, K: 16 }, params: { map: 'taylor' } },
    { name: 'taylor-one', dims: { B: 1, T: 1, H: 1, K: 1 }, params: { map: 'taylor' } },
    { name: 'taylor-symmetric', dims: { B: 2, T: 5, H: 2, K: 16 }, params: { map: 'taylor-symmetric' } },
    { name: 'empty', dims: { B: 1, T: 0, H: 2, K: 3 }, params: { map: 'taylor' } },
  ],
  sources: [
    'Katharopoulos et al. 2020, arXiv 2006.16236v3, equation 7; hedgehog, arXiv 2402.04347v1; based, arXiv 2402.18668v2; flash-linear-attention 0.6.0',
  ],
});

export interface FeatureOptions {
  /** Projection of hedgehog: [F,K] for all heads or [H,F,K]. */
  weight?: Tensor;
  /** [F] or [H,F] */
  bias?: Tensor;
  /** f of hedgehog, default 2. */
  factor?: number;
}

/**
 * phi(x): [B,T,H,K] to [B,T,H,F], F by `featureSize`. Gradients flow to x, weight and bias.
 * @throws ArgumentError for an unknown map, or a weight where the map has none
 */
export function featureMap(x: Tensor, map: FeatureMap, options: FeatureOptions = {}): Tensor {
  const { weight, bias, ...params } = options;
  return op({ x, weight, bias }, { map, ...params }).y;
}

export { op as featureMapOperator };
