/** RMSNorm and LayerNorm on WASM SIMD. */
import { parallelFor } from '../../cpu/wasm/threads.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { Tensor } from '../../tensor/tensor.js';

const ROWS = 32;
const COLUMNS = 32;

function addresses(call: Call) {
  const id = call.op.id;
  const at = (t: Tensor | undefined) => t?.pointer(id) ?? 0;
  const rows = call.in.x!.size / call.dims.D;
  const statistic = () => Tensor.empty([rows], 'f32', 'host', id);
  return { at, rows, n: call.dims.D, eps: call.params.eps as number, statistic };
}

function keepOrDrop(call: Call, saved: Record<string, Tensor>): void {
  for (const [name, t] of Object.entries(saved)) {
    if (call.training) call.saved[name] = t;
    else t.dispose();
  }
}

export const rmsNormWasm: Implementation = {
  forward: (call) => {
    const { at, rows, n, eps, statistic } = addresses(call);
    const y = allocate(call, call.in.x!.shape);
    const rstd = statistic();
    parallelFor('rmsNorm', rows, ROWS, at(call.in.x), at(call.in.weight), at(y), at(rstd), n, eps);
    keepOrDrop(call, { rstd });
    return { y };
  },
  backward: (call) => {
    const { at, rows, n } = addresses(call);
    const { rstd } = call.saved;
    const dy = call.grad.y!;
    const x = allocate(call, call.in.x!.shape);
    parallelFor('rmsNormBackward', rows, ROWS, at(call.in.x), at(call.in.weight), at(rstd), at(dy), at(x), n);
    if (!call.in.weight || !call.needs('weight')) return { x };
    const weight = allocate(call, [n]);
    parallelFor('rmsNormWeightBackward', n, COLUMNS, at(call.in.x), at(rstd), at(dy), at(weight), rows, n);
    return { x, weight };
  },
};

export const layerNormWasm: Implementation = {
  forward: (call) => {
    const { at, rows, n, eps, statistic } = addresses(call);
    const y = allocate(call, call.in.x!.shape);
    const mean = statistic();
    const rstd = statistic();
    parallelFor(
      'layerNorm',
      rows,
      ROWS,
      at(call.in.x),
      at(call.in.weight),
      at(call.in.bias),
      at(y),
      at(mean),
      at(rstd),
      n,
      eps,
    );
    keepOrDrop(call, { mean, rstd });
    return { y };
  },
  backward: (call) => {
    const { at, rows, n } = addresses(call);
    const { mean, rstd } = call.saved;
    const dy = call.grad.y!;
    const x = allocate(call, call.in.x!.shape);
    parallelFor(
      'layerNormBackward',
      rows,
      ROWS,
      at(call.in.x),
      at(call.in.weight),
      at(mean),
      at(rstd),
      at(dy),
      at(x),
      n,
    );
    if (!call.in.weight && !call.in.bias) return { x };
    const weight = allocate(call, [n]);
    const bias = allocate(call, [n]);
    parallelFor(
      'layerNormWeightBackward',
      n,
      COLUMNS,
      at(call.in.x),
      at(mean),
      at(rstd),
      at(dy),
      at(weight),
      at(bias),
      rows,
      n,
    );
    return { x, weight, bias };
  },
};
