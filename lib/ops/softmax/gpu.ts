/** Softmax, log-softmax and cross-entropy on the GPU, one workgroup a row. */
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

function rowsOf(x: Tensor): { rows: number; n: number } {
  const n = x.shape[x.rank - 1];
  return { rows: n === 0 ? 0 : x.size / n, n };
}

function rowKernel(log: number): Implementation {
  const run = (call: Call, kernel: string, like: Tensor, tensors: Record<string, Tensor | undefined>) => {
    const params = rowsOf(like);
    const defs = { F: floatType(call.op.id, like) };
    dispatch({
      where: call.op.id,
      kernel,
      defs,
      overrides: { LOG: log },
      tensors,
      params,
      rows: params.rows,
      work: like.size * 16,
    });
  };
  return {
    forward: (call) => {
      const x = call.in.x!;
      const y = allocate(call, x.shape);
      run(call, 'ops/softmax/forward', x, { x, y });
      return { y };
    },
    backward: (call) => {
      const dx = allocate(call, call.out.y.shape);
      run(call, 'ops/softmax/backward', dx, { y: call.out.y, dy: call.grad.y, dx });
      return { x: dx };
    },
  };
}

export const softmaxGpu = rowKernel(0);
export const logSoftmaxGpu = rowKernel(1);

export const crossEntropyGpu: Implementation = {
  forward: (call) => {
    const { logits, targets } = call.in;
    const params = rowsOf(logits!);
    const loss = allocate(call, logits!.shape.slice(0, -1));
    const lse = gpuEmpty(call.op.id, [params.rows, 2]);
    const defs = { F: floatType(call.op.id, logits!) };
    const tensors = { logits, targets, loss, lse };
    dispatch({
      where: call.op.id,
      kernel: 'ops/softmax/cross-entropy',
      defs,
      tensors,
      params,
      rows: params.rows,
      work: logits!.size * 16,
    });
    if (call.training) call.saved.lse = lse;
    else lse.dispose();
    return { loss };
  },
  backward: (call) => {
    const { logits, targets } = call.in;
    const dlogits = allocate(call, logits!.shape);
    const defs = { F: floatType(call.op.id, logits!) };
    const tensors = { logits, targets, lse: call.saved.lse, dloss: call.grad.loss, dlogits };
    const params = { count: logits!.size, n: rowsOf(logits!).n };
    dispatch({
      where: call.op.id,
      kernel: 'ops/softmax/cross-entropy-backward',
      defs,
      tensors,
      params,
      threads: logits!.size,
      work: logits!.size * 8,
    });
    return { logits: dlogits };
  },
};
