/** WKV of RWKV-4 on WASM: channels in the SIMD lanes, units are sequences x blocks of channels. */
import { wasmKernels } from '../../cpu/wasm/module.js';
import { withTemporary } from '../../cpu/wasm/temporary.js';
import { parallelFor } from '../../cpu/wasm/threads.js';
import { stateRows } from '../../ops/sequence/index.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { Tensor } from '../../tensor/tensor.js';

const WHERE = 'rwkv/wkv4';
/** Tokens between kept states, as in assembly/scan-common.ts. */
const CHUNK = 16;

const at = (t: Tensor | undefined) => t?.pointer(WHERE) ?? 0;

/** Threads pay off from about 2^16 channel tokens. */
function grain(call: Call, units: number): number {
  const { B, T, D } = call.dims;
  return B * T * D < 1 << 16 ? units : 1;
}

/** One pass over time; keeps the state every 16 tokens, from which the backward pass makes the others again. */
export const wkv4Wasm: Implementation = {
  forward: (call) => {
    const { B, T, D } = call.dims;
    const { k, v, decay, bonus, initialState, cuSeqlens } = call.in;
    const S = stateRows(call);
    const y = allocate(call, k!.shape);
    const finalState = allocate(call, [S, 3, D]);
    if (call.training) {
      const rows = Math.floor((B * T) / CHUNK) + S + 1;
      call.saved.kept = Tensor.empty([rows, 4, D], 'f32', 'host', WHERE);
    }
    const units = wasmKernels().wkv4Units(S, D);
    const inputs = [at(k), at(v), at(decay), at(bonus), at(initialState)];
    const outputs = [at(y), at(finalState), at(call.saved.kept)];
    parallelFor('wkv4', units, grain(call, units), ...inputs, ...outputs, T, D, at(cuSeqlens));
    return { y, finalState };
  },
  backward: (call) => {
    const { T, D } = call.dims;
    const { k, v, decay, bonus, initialState, cuSeqlens } = call.in;
    const S = stateRows(call);
    const [dk, dv] = [allocate(call, k!.shape), allocate(call, v!.shape)];
    const [dw, du] = [allocate(call, [D]), allocate(call, [D])];
    const dh0 = initialState && allocate(call, initialState.shape);
    withTemporary([8 * S * D], (sums) => {
      const units = wasmKernels().wkv4Units(S, D);
      const inputs = [at(k), at(v), at(decay), at(bonus), at(initialState)];
      const seeds = [at(call.saved.kept), at(call.out.finalState), at(call.grad.y), at(call.grad.finalState)];
      const outputs = [at(dk), at(dv), at(dh0), sums];
      const rest = [T, D, at(cuSeqlens), S];
      parallelFor('wkv4Backward', units, grain(call, units), ...inputs, ...seeds, ...outputs, ...rest);
      parallelFor('sumColumns', D, 4096, sums, at(dw), S, D);
      parallelFor('sumColumns', D, 4096, sums + 4 * S * D, at(du), S, D);
    });
    return { k: dk, v: dv, decay: dw, bonus: du, initialState: dh0 };
  },
};
