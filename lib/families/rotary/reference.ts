/** Rotation of pairs by a table of cosines and sines, from its definition. */
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

/** y = R x, or R^T x for sign = -1: the gradient of a rotation with magnitudes. */
function rotate(call: Call, x: Tensor, sign: number): Tensor {
  const { B, T, H, K, P, J } = call.dims;
  const table = call.in.table!.floats('rotary');
  const positions = call.in.positions?.dataSync();
  const interleaved = call.params.pairing === 'interleaved';
  const y = allocate(call, x.shape);
  const [from, to] = [x.floats('rotary'), y.floats('rotary')];
  for (let row = 0; row < B * T; row++) {
    const p = positions ? positions[row] : (row % T) + (call.params.offset as number);
    for (let h = 0; h < H; h++) {
      const at = (row * H + h) * K;
      for (let j = 0; j < J; j++) {
        const [first, second] = interleaved ? [at + 2 * j, at + 2 * j + 1] : [at + j, at + J + j];
        const [c, s] = [table[p * J + j], sign * table[(P + p) * J + j]];
        to[first] = from[first] * c - from[second] * s;
        to[second] = from[first] * s + from[second] * c;
      }
      for (let j = 2 * J; j < K; j++) to[at + j] = from[at + j];
    }
  }
  return y;
}

export const rotaryReference: Implementation = {
  forward: (call) => ({ y: rotate(call, call.in.x!, 1) }),
  backward: (call) => ({ x: rotate(call, call.grad.y!, -1) }),
};
