/** Softmax rows and cross-entropy on WASM SIMD. */
import type { KernelName } from '../../cpu/wasm/module.js';
import { parallelFor } from '../../cpu/wasm/threads.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { Tensor } from '../../tensor/tensor.js';

const GRAIN = 32;

function overRows(forward: KernelName): Implementation {
  const at = (t: Tensor, call: Call) => t.pointer(call.op.id);
  return {
    forward: (call) => {
      const x = call.in.x!;
      const y = allocate(call, x.shape);
      parallelFor(forward, x.size / call.dims.D, GRAIN, at(x, call), at(y, call), call.dims.D);
      return { y };
    },
    backward: (call) => {
      const x = allocate(call, call.in.x!.shape);
      const rows = x.size / call.dims.D;
      parallelFor(
        `${forward}Backward` as KernelName,
        rows,
        GRAIN,
        at(call.out.y, call),
        at(call.grad.y!, call),
        at(x, call),
        call.dims.D,
      );
      return { x };
    },
  };
}

export const softmaxWasm = overRows('softmax');
export const logSoftmaxWasm = overRows('logSoftmax');

export const crossEntropyWasm: Implementation = {
  forward: (call) => {
    const { logits, targets } = call.in;
    const loss = allocate(call, call.lead);
    const logsumexp = Tensor.empty([loss.size], 'f32', 'host', 'ops/cross-entropy');
    const p = (t: Tensor) => t.pointer('ops/cross-entropy');
    parallelFor(
      'crossEntropy',
      loss.size,
      GRAIN,
      p(logits!),
      p(targets!),
      p(loss),
      p(logsumexp),
      call.dims.V,
    );
    if (call.training) call.saved.logsumexp = logsumexp;
    else logsumexp.dispose();
    return { loss };
  },
  backward: (call) => {
    const { logits, targets } = call.in;
    const made = allocate(call, logits!.shape);
    const p = (t: Tensor) => t.pointer('ops/cross-entropy');
    const lse = call.saved.logsumexp;
    parallelFor(
      'crossEntropyBackward',
      targets!.size,
      GRAIN,
      p(logits!),
      p(targets!),
      p(lse),
      p(call.grad.loss!),
      p(made),
      call.dims.V,
    );
    return { logits: made };
  },
};
