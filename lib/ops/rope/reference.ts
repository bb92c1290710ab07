/** Rotary position embedding from its definition. */
import * as math from '../../core/math.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

/** Cosines and sines [T, K/2] of position times base^(-2i/K). */
export function rotaryTables(call: Call): { cos: Float64Array; sin: Float64Array } {
  const { T, K } = call.dims;
  const { base, offset } = call.params as Record<string, number>;
  const half = K / 2;
  const cos = new Float64Array(T * half);
  const sin = new Float64Array(T * half);
  for (let i = 0; i < half; i++) {
    const frequency = math.pow(base, (-2 * i) / K);
    for (let t = 0; t < T; t++) {
      const angle = (t + offset) * frequency;
      cos[t * half + i] = math.cos(angle);
      sin[t * half + i] = math.sin(angle);
    }
  }
  return { cos, sin };
}

/** Rotates pairs (i, i+K/2) by sign * angle; the gradient is the rotation back. */
function rotate(call: Call, x: Tensor, sign: number): Tensor {
  const { B, T, H, K } = call.dims;
  const { cos, sin } = rotaryTables(call);
  const half = K / 2;
  const y = allocate(call, x.shape);
  const [from, to] = [x.floats('rope'), y.floats('rope')];
  for (let b = 0; b < B; b++)
    for (let t = 0; t < T; t++)
      for (let h = 0; h < H; h++) {
        const at = ((b * T + t) * H + h) * K;
        for (let i = 0; i < half; i++) {
          const [c, s] = [cos[t * half + i], sign * sin[t * half + i]];
          const [p, q] = [from[at + i], from[at + half + i]];
          to[at + i] = p * c - q * s;
          to[at + half + i] = p * s + q * c;
        }
      }
  return y;
}

export const rope: Implementation = {
  forward: (call) => ({ y: rotate(call, call.in.x!, 1) }),
  backward: (call) => ({ x: rotate(call, call.grad.y!, -1) }),
};
