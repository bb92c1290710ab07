/** Causal depthwise convolution on WASM SIMD. */
import * as calls from '../../cpu/wasm/calls.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { zeros, type Tensor } from '../../tensor/tensor.js';

const ID = 'ops/causal-conv1d';
const at = (t: Tensor | undefined) => t?.pointer(ID) ?? 0;
const sizes = ({ dims: { B, T, D, W } }: Call) => ({ B, T, D, W });

export const causalConv1dWasm: Implementation = {
  forward: (call) => {
    const { B, T, D, W } = call.dims;
    const { x, weight, bias, state } = call.in;
    const y = allocate(call, [B, T, D]);
    const finalState = allocate(call, [B, D, W - 1]);
    calls.conv1d(
      sizes(call),
      { x: at(x), w: at(weight), bias: at(bias), state: at(state), y: at(y), final: at(finalState) },
      false,
    );
    return { y, finalState };
  },
  backward: (call) => {
    const { B, T, D, W } = call.dims;
    const { x, weight, bias, state } = call.in;
    const dy = call.grad.y ?? zeros([B, T, D], { device: 'host' });
    const made = {
      x: allocate(call, [B, T, D]),
      weight: allocate(call, [D, W]),
      bias: bias && allocate(call, [D]),
      state: state && allocate(call, [B, D, W - 1]),
    };
    calls.conv1dBackward(
      sizes(call),
      {
        x: at(x),
        w: at(weight),
        bias: at(bias),
        state: at(state),
        dy: at(dy),
        dfinal: at(call.grad.finalState),
        dx: at(made.x),
        dw: at(made.weight),
        dbias: at(made.bias),
        dstate: at(made.state),
      },
      false,
    );
    if (!call.grad.y) dy.dispose();
    return made;
  },
};
