/** A whole HGRN mixer: maps, gates, recurrence, gated norm. */
import { silu } from '../../ops/map/index.js';
import { matmul } from '../../ops/matmul/index.js';
import type { Form } from '../../tensor/backend.js';
import type { Tensor } from '../../tensor/tensor.js';
import { hgrnLogGate, hgrnOutput } from './gates.js';
import { hgrn } from './index.js';

/** Weights of one mixer, maps as [out, in]. */
export interface HgrnWeights {
  /** [D,E] to the inputs, before SiLU. */
  input: Tensor;
  /** [D,E] to the forget gate, before its sigmoid. */
  forget: Tensor;
  /** [D,E] to the output gate. */
  gate: Tensor;
  /** [D], gain of the norm. */
  norm?: Tensor;
  /** [E,D] */
  output: Tensor;
}

/**
 * A whole mixer on x [B,T,E]: i = silu(input x), forget gates from `forget` and the layer's bound [D], recurrence,
 * gated norm, output map. Returns y [B,T,E] and finalState [B,D].
 */
export function hgrnMixer(
  x: Tensor,
  weights: HgrnWeights,
  options: {
    lowerBound?: Tensor;
    initialState?: Tensor;
    cuSeqlens?: Tensor;
    eps?: number;
    form?: Form;
  } = {},
): { y: Tensor; finalState: Tensor } {
  const { lowerBound, initialState, cuSeqlens, eps = 1e-5, form } = options;
  const map = (weight: Tensor, t = x) => matmul(t, weight, { transposeB: true });
  const i = silu(map(weights.input));
  const g = hgrnLogGate(map(weights.forget), lowerBound);
  const { y: h, finalState } = hgrn({ i, g, initialState, cuSeqlens }, { form });
  return { y: map(weights.output, hgrnOutput(h, map(weights.gate), weights.norm, { eps })), finalState };
}
