/** Optimisers over the flat parameter buffer, and clipping without a readback. */
import { ArgumentError, show } from '../core/errors.js';
import { affine, minimum, rsqrt } from '../ops/map/index.js';
import { adamW, sgd } from '../ops/optim/index.js';
import { sumSquares } from '../ops/reduce/index.js';
import { reshape } from '../ops/structure/index.js';
import { zeros, type Tensor } from '../tensor/tensor.js';

/** AdamW (default) or SGD; the learning rate comes from the schedule. */
export type OptimizerOptions =
  | { kind?: 'adamw'; beta1?: number; beta2?: number; eps?: number; weightDecay?: number }
  | { kind: 'sgd'; momentum?: number; weightDecay?: number };

/** Weights and the optimiser's own buffers, all flat [P]. */
export type OptimizerState = { parameters: Tensor; moments: Record<string, Tensor> };

/** Every option with its default: AdamW 0.9, 0.95, 1e-8, 0.1 as in the language-model recipes of mamba, section E.2. */
export function optimizerDefaults(options: OptimizerOptions = {}): Required<OptimizerOptions> {
  if (options.kind === 'sgd') return { momentum: 0, weightDecay: 0, ...options };
  if (options.kind !== undefined && options.kind !== 'adamw')
    throw new ArgumentError(
      `train: optimizer.kind must be adamw or sgd, got ${show((options as { kind: unknown }).kind)}`,
    );
  return { beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.1, ...options, kind: 'adamw' };
}

/** Names of the optimiser's buffers, as in checkpoints. */
export function momentNames(options: OptimizerOptions): readonly string[] {
  return options.kind === 'sgd' ? ['velocity'] : ['m', 'v'];
}

/** Zero buffers for flat parameters. */
export function initialMoments(options: OptimizerOptions, parameters: Tensor): Record<string, Tensor> {
  const zero = () => zeros(parameters.shape, { dtype: parameters.dtype, device: parameters.device });
  return Object.fromEntries(momentNames(options).map((name) => [name, zero()]));
}

/**
 * Factor [1] that brings gradients to a global norm of at most `limit`, and their squared norm. Nothing is read back.
 * Source: Pascanu et al. 2013, arXiv 1211.5063v2, algorithm 1.
 */
export function clipScale(gradients: Tensor, limit: number): { squared: Tensor; scale: Tensor } {
  const squared = sumSquares(gradients);
  // The tiny summand keeps a zero gradient finite; it is below one ulp of any norm that matters.
  const inverse = rsqrt(affine(reshape(squared, [1]), 1, 1e-30));
  return { squared, scale: minimum(affine(inverse, limit, 0), 1) };
}

/** One step; fresh tensors come back. */
export function optimizerStep(
  options: Required<OptimizerOptions>,
  state: OptimizerState,
  gradients: Tensor,
  at: { step: number; learningRate: number; decayMask?: Tensor; scale?: Tensor },
): OptimizerState {
  const { learningRate, step, scale } = at;
  const { parameters, moments } = state;
  if (options.kind === 'sgd') {
    const { momentum, weightDecay } = options;
    const next = sgd(
      { parameters, gradients, velocity: moments.velocity, scale },
      { learningRate, momentum, weightDecay },
    );
    return { parameters: next.parameters, moments: { velocity: next.velocity } };
  }
  const { beta1, beta2, eps, weightDecay } = options;
  const next = adamW(
    { parameters, gradients, m: moments.m, v: moments.v, decayMask: at.decayMask, scale },
    { learningRate, beta1, beta2, eps, weightDecay, step },
  );
  return { parameters: next.parameters, moments: { m: next.m, v: next.v } };
}
