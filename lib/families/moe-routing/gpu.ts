/** Gate, dispatch and combine on the GPU. */
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import { allocate, type Call, type Implementation } from '../../tensor/operator.js';
import { combineBy, dispatchBy, type Movement } from './movement.js';

const GATE = 'moe-routing/gate';

/** Lanes a token, and what both kernels of the gate share. */
function gateCommon(call: Call) {
  const { T, E } = call.dims;
  const k = call.params.k as number;
  const lanes = [8, 16, 32].find((l) => E <= 2 * l) ?? 64;
  return {
    where: GATE,
    params: { tokens: T, n: E, k, scale: call.params.scale as number },
    rows: Math.ceil((T * lanes) / 64),
    overrides: {
      LANES: lanes,
      SIGMOID: call.params.score === 'sigmoid' ? 1 : 0,
      CHOSEN: call.params.normalize === 'chosen' ? 1 : 0,
    },
    work: T * (E * (k + 8) + 16 * k),
  };
}

export const gateGpu: Implementation = {
  forward: (call) => {
    const { logits, bias, mask } = call.in;
    const { T, E } = call.dims;
    const common = gateCommon(call);
    const weights = allocate(call, [T, common.params.k]);
    const experts = gpuEmpty(GATE, [T, common.params.k], 'i32');
    const probabilities = allocate(call, [T, E]);
    dispatch({
      ...common,
      kernel: 'families/moe-routing/gate',
      defs: { M: mask && mask.dtype === 'i32' ? 'i32' : 'f32' },
      overrides: { ...common.overrides, BIASED: bias ? 1 : 0, MASKED: mask ? 1 : 0 },
      tensors: { logits, bias, mask, weights, experts, probabilities },
    });
    return { weights, experts, probabilities };
  },
  backward: (call) => {
    const logits = call.in.logits;
    const { experts, probabilities } = call.out;
    const dweights = call.grad.weights;
    const dprobabilities = call.grad.probabilities;
    const common = gateCommon(call);
    const dlogits = allocate(call, [call.dims.T, call.dims.E]);
    dispatch({
      ...common,
      kernel: 'families/moe-routing/gate-gradient',
      overrides: {
        ...common.overrides,
        WEIGHTS: dweights ? 1 : 0,
        PROBABILITIES: dprobabilities ? 1 : 0,
      },
      tensors: { logits, probabilities, experts, dweights, dprobabilities, dlogits },
    });
    return { logits: dlogits };
  },
};

const kernels: Movement = {
  spread: (call, x, source, weights, k) => {
    const D = x.shape[1];
    const rows = allocate(call, [source.size, D], x.dtype);
    dispatch({
      where: call.op.id,
      kernel: 'families/moe-routing/spread',
      defs: { F: floatType(call.op.id, x) },
      overrides: { WEIGHTED: weights ? 1 : 0 },
      tensors: { x, source, weights, rows },
      params: { count: rows.size, d: D, k, choices: x.shape[0] * k },
      threads: rows.size,
    });
    return rows;
  },
  collect: (call, rows, slots, weights) => {
    const T = slots.shape[0];
    const k = slots.shape[1];
    const D = rows.shape[1];
    const y = allocate(call, [T, D], rows.dtype);
    dispatch({
      where: call.op.id,
      kernel: 'families/moe-routing/collect',
      defs: { F: floatType(call.op.id, rows) },
      overrides: { WEIGHTED: weights ? 1 : 0 },
      tensors: { rows, slots, weights, y },
      params: { count: y.size, d: D, k, rows: rows.shape[0] },
      threads: y.size,
      work: 2 * y.size * k,
    });
    return y;
  },
  dots: (call, x, rows, slots) => {
    const D = x.shape[1];
    const dots = gpuEmpty(call.op.id, slots.shape);
    dispatch({
      where: call.op.id,
      kernel: 'families/moe-routing/dots',
      defs: { F: floatType(call.op.id, x) },
      tensors: { x, rows, slots, dots },
      params: { choices: slots.size, d: D, k: slots.shape[1], rows: rows.shape[0] },
      rows: slots.size,
      work: 2 * slots.size * D,
    });
    return dots;
  },
};

export const dispatchGpu = dispatchBy(kernels);
export const combineGpu = combineBy(kernels);
