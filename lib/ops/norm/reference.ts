/** RMSNorm and LayerNorm over the last axis as plain loops; statistics in f64. */
import type { FloatArray } from '../../core/dtype.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';

interface RowView {
  x: FloatArray;
  n: number;
  eps: number;
  weight: FloatArray | undefined;
}

function rowView(call: Call): RowView {
  const id = call.op.id;
  return {
    x: call.in.x!.floats(id),
    n: call.dims.D,
    eps: call.params.eps as number,
    weight: call.in.weight?.floats(id),
  };
}

/** Mean (0 for RMSNorm) and 1/sqrt(variance or mean square + eps) of one row. */
function statistics(v: RowView, at: number, centred: boolean): [number, number] {
  let m = 0;
  if (centred) {
    for (let j = 0; j < v.n; j++) m += v.x[at + j];
    m /= v.n;
  }
  let s = 0;
  for (let j = 0; j < v.n; j++) s += (v.x[at + j] - m) ** 2;
  return [m, 1 / Math.sqrt(s / v.n + v.eps)];
}

/** xhat = (x - m) r, y = xhat w + b; dx = r (g - mean(g)[centred] - xhat mean(g xhat)), g = dy w. */
function norm(centred: boolean): Implementation {
  return {
    forward: (call) => {
      const v = rowView(call);
      const bias = call.in.bias?.floats(call.op.id);
      const y = allocate(call, call.in.x!.shape);
      const to = y.floats(call.op.id);
      for (let at = 0; at < to.length; at += v.n) {
        const [m, r] = statistics(v, at, centred);
        for (let j = 0; j < v.n; j++)
          to[at + j] = (v.x[at + j] - m) * r * (v.weight ? v.weight[j] : 1) + (bias ? bias[j] : 0);
      }
      return { y };
    },
    backward: (call) => normBackward(call, centred),
  };
}

function normBackward(call: Call, centred: boolean): ReturnType<Implementation['forward']> {
  const v = rowView(call);
  const dy = call.grad.y!.floats(call.op.id);
  const x = allocate(call, call.in.x!.shape);
  const dx = x.floats(call.op.id);
  const dWeight = new Float64Array(v.n);
  const dBias = new Float64Array(v.n);
  for (let at = 0; at < dx.length; at += v.n) {
    const [m, r] = statistics(v, at, centred);
    let meanG = 0;
    let meanGX = 0;
    for (let j = 0; j < v.n; j++) {
      const hat = (v.x[at + j] - m) * r;
      const g = dy[at + j] * (v.weight ? v.weight[j] : 1);
      meanG += g / v.n;
      meanGX += (g * hat) / v.n;
      dWeight[j] += dy[at + j] * hat;
      dBias[j] += dy[at + j];
    }
    for (let j = 0; j < v.n; j++) {
      const hat = (v.x[at + j] - m) * r;
      dx[at + j] = r * (dy[at + j] * (v.weight ? v.weight[j] : 1) - (centred ? meanG : 0) - hat * meanGX);
    }
  }
  const vector = (name: string, sums: Float64Array) => {
    if (!call.in[name] || !call.needs(name)) return undefined;
    const t = allocate(call, [v.n]);
    (t.floats(call.op.id) as Float64Array).set(sums);
    return t;
  };
  return { x, weight: vector('weight', dWeight), bias: vector('bias', dBias) };
}

export const rmsNorm = norm(false);
export const layerNorm = norm(true);
