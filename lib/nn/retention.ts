/**
 * Multi-scale retention, the token mixer of RetNet.
 *
 *   q, k, v, g = linear maps of x;  q, k rotated by position
 *   y = out( swish(g) * norm_head( retention(q, k / sqrt(K), v) ) )
 *
 * Source: retnet, arXiv 2307.08621v4, equations 5 to 8 and section 2.2. Weights of linear maps are [out, in], without
 * biases. The norm over each head is an RMSNorm without gain, as in torchscale; the paper's text has GroupNorm. With
 * eps = 0 it removes every positive factor of a head's output, so `normalize` then changes nothing but the range of
 * numbers on the way; with eps > 0 it does change the result where outputs are small.
 */
import { ArgumentError, ShapeError, show } from '../core/errors.js';
import type { Random } from '../core/random.js';
import { retention, retentionRotary, type RetentionRotaryOptions } from '../families/retention/index.js';
import { affine, mul, silu } from '../ops/map/index.js';
import { matmul } from '../ops/matmul/index.js';
import { rmsNorm } from '../ops/norm/index.js';
import { reshape } from '../ops/structure/index.js';
import type { Form } from '../tensor/backend.js';
import { requireTensor, zeros, type Tensor } from '../tensor/tensor.js';
import { uniform } from './parameters.js';

export interface RetentionConfig {
  width: number;
  heads: number;
  /** Width of all values together, default 2 width. */
  valueWidth?: number;
  /** Of the norm over each head, default 1e-5. */
  eps?: number;
  /** Row normalisations of RetNet's section 2.2, default 'none'. */
  normalize?: 'none' | 'retnet';
  /** Positions, default RetNet's angles without xPos. */
  rotary?: Pick<RetentionRotaryOptions, 'angles' | 'base' | 'scaleBase'>;
}

/** [out, in]: q, k [width, width], v and gate [valueWidth, width], out [width, valueWidth]. */
export type RetentionParameters = { q: Tensor; k: Tensor; v: Tensor; gate: Tensor; out: Tensor };

/** State [B,H,K,V] (one row and column more with 'retnet') and how many tokens made it: rotations count on. */
export type RetentionState = { memory: Tensor; position: number };

interface Sizes {
  width: number;
  heads: number;
  values: number;
}

/** @throws ArgumentError for sizes that are not positive integers, or heads that do not divide them evenly */
function sizesOf(config: RetentionConfig): Sizes {
  const { width, heads } = config;
  const values = config.valueWidth ?? 2 * width;
  for (const [name, value] of Object.entries({ width, heads, valueWidth: values }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`retentionMixer: ${name} must be a positive integer, got ${show(value)}`);
  if (width % (2 * heads) !== 0 || values % heads !== 0)
    throw new ArgumentError(
      `retentionMixer: heads must divide width into even parts and valueWidth into parts, got ${heads} heads, width ${width}, valueWidth ${values}`,
    );
  return { width, heads, values };
}

/** Shapes of the parameters by name. */
export function retentionShapes(config: RetentionConfig): Record<keyof RetentionParameters, number[]> {
  const { width, values } = sizesOf(config);
  return {
    q: [width, width],
    k: [width, width],
    v: [values, width],
    gate: [values, width],
    out: [width, values],
  };
}

/** Fresh parameters: Xavier-uniform, the inner maps times 2^-2.5 (torchscale); `layers` scales out by 1/sqrt(layers). */
export function createRetention(config: RetentionConfig, random: Random, layers = 1): RetentionParameters {
  const shapes = retentionShapes(config);
  const draw = (name: keyof RetentionParameters, gain: number) => {
    const [rows, columns] = shapes[name];
    return uniform(random.split(name), shapes[name], gain * Math.sqrt(6 / (rows + columns)));
  };
  const inner = 2 ** -2.5;
  return {
    q: draw('q', inner),
    k: draw('k', inner),
    v: draw('v', inner),
    gate: draw('gate', inner),
    out: draw('out', 1 / Math.sqrt(layers)),
  };
}

/** State of B sequences before their first token. */
export function retentionState(config: RetentionConfig, batch: number): RetentionState {
  const { width, heads, values } = sizesOf(config);
  if (!Number.isInteger(batch) || batch < 1)
    throw new ArgumentError(`retentionState: batch must be a positive integer, got ${show(batch)}`);
  const extra = config.normalize === 'retnet' ? 1 : 0;
  return { memory: zeros([batch, heads, width / heads + extra, values / heads + extra]), position: 0 };
}

/**
 * The mixer on x [B,T,width], without norm and residual around it; `state` carries on an earlier call.
 * @returns y [B,T,width] and the state after the last token
 * @throws ShapeError or ArgumentError
 */
export function retentionMixer(
  p: RetentionParameters,
  config: RetentionConfig,
  x: Tensor,
  options: { state?: RetentionState; form?: Form } = {},
): { y: Tensor; state: RetentionState } {
  const { heads, width, values } = sizesOf(config);
  requireTensor('retentionMixer', 'x', x);
  if (x.rank !== 3 || x.shape[2] !== width)
    throw new ShapeError(`retentionMixer: x must have shape [B,T,${width}], got ${show([...x.shape])}`);
  const [B, T] = x.shape;
  const { state } = options;
  const position = state?.position ?? 0;
  const linear = (weight: Tensor) => matmul(x, weight, { transposeB: true });
  const split = (t: Tensor) => reshape(t, [B, T, heads, t.shape[2] / heads]);
  const turned = (t: Tensor) => retentionRotary(split(t), { ...config.rotary, offset: position });
  const inverse = { ...config.rotary, offset: position, inverse: true };
  // Keys carry 1/sqrt(K), as upstream, so that states can be exchanged.
  const k = retentionRotary(split(affine(linear(p.k), 1 / Math.sqrt(width / heads), 0)), inverse);
  const mixed = retention(
    { q: turned(linear(p.q)), k, v: split(linear(p.v)), initialState: state?.memory },
    { normalize: config.normalize, form: options.form ?? (T === 1 && state ? 'step' : undefined) },
  );
  const normed = reshape(rmsNorm(mixed.y, undefined, { eps: config.eps ?? 1e-5 }), [B, T, values]);
  const y = matmul(mul(silu(linear(p.gate)), normed), p.out, { transposeB: true });
  return { y, state: { memory: mixed.finalState, position: position + T } };
}
