/** Softmax, log-softmax and cross-entropy over the last axis as plain loops. */
import * as math from '../../core/math.js';
import type { FloatArray } from '../../core/dtype.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

type Row = (from: number, n: number) => void;

function rows(n: number, size: number, row: Row): void {
  for (let at = 0; at < size; at += n) row(at, n);
}

/** max + log sum e^{x - max} of one row. */
function rowLogSumExp(x: FloatArray, at: number, n: number): number {
  let m = x[at];
  for (let j = 1; j < n; j++) if (x[at + j] > m || x[at + j] !== x[at + j]) m = x[at + j];
  let s = 0;
  for (let j = 0; j < n; j++) s += math.exp(x[at + j] - m);
  return m + math.log(s);
}

function likeX(call: Call): [Tensor, FloatArray] {
  const t = allocate(call, call.in.x!.shape);
  return [t, t.floats(call.op.id)];
}

/** y = e^{x - lse}; dx = y (dy - sum y dy). */
export const softmax: Implementation = {
  forward: (call) => {
    const x = call.in.x!.floats('softmax');
    const [y, to] = likeX(call);
    rows(call.dims.D, x.length, (at, n) => {
      const lse = rowLogSumExp(x, at, n);
      for (let j = at; j < at + n; j++) to[j] = math.exp(x[j] - lse);
    });
    return { y };
  },
  backward: (call) => {
    const y = call.out.y.floats('softmax');
    const dy = call.grad.y!.floats('softmax');
    const [x, to] = likeX(call);
    rows(call.dims.D, y.length, (at, n) => {
      let dot = 0;
      for (let j = at; j < at + n; j++) dot += y[j] * dy[j];
      for (let j = at; j < at + n; j++) to[j] = y[j] * (dy[j] - dot);
    });
    return { x };
  },
};

/** y = x - lse; dx = dy - e^y sum dy. */
export const logSoftmax: Implementation = {
  forward: (call) => {
    const x = call.in.x!.floats('logSoftmax');
    const [y, to] = likeX(call);
    rows(call.dims.D, x.length, (at, n) => {
      const lse = rowLogSumExp(x, at, n);
      for (let j = at; j < at + n; j++) to[j] = x[j] - lse;
    });
    return { y };
  },
  backward: (call) => {
    const y = call.out.y.floats('logSoftmax');
    const dy = call.grad.y!.floats('logSoftmax');
    const [x, to] = likeX(call);
    rows(call.dims.D, y.length, (at, n) => {
      let total = 0;
      for (let j = at; j < at + n; j++) total += dy[j];
      for (let j = at; j < at + n; j++) to[j] = dy[j] - math.exp(y[j]) * total;
    });
    return { x };
  },
};

/** loss = lse - x[target]; dx = dloss (softmax - onehot). */
export const crossEntropy: Implementation = {
  forward: (call) => {
    const x = call.in.logits!.floats('crossEntropy');
    const targets = call.in.targets!.dataSync();
    const loss = allocate(call, call.lead);
    const to = loss.floats('crossEntropy');
    const n = call.dims.V;
    for (let r = 0; r < to.length; r++) to[r] = rowLogSumExp(x, r * n, n) - x[r * n + targets[r]];
    return { loss };
  },
  backward: (call) => {
    const x = call.in.logits!.floats('crossEntropy');
    const targets = call.in.targets!.dataSync();
    const dloss = call.grad.loss!.floats('crossEntropy');
    const logits = allocate(call, call.in.logits!.shape);
    const to = logits.floats('crossEntropy');
    const n = call.dims.V;
    for (let r = 0; r < targets.length; r++) {
      const lse = rowLogSumExp(x, r * n, n);
      for (let j = 0; j < n; j++)
        to[r * n + j] = dloss[r] * (math.exp(x[r * n + j] - lse) - (j === targets[r] ? 1 : 0));
    }
    return { logits };
  },
};
