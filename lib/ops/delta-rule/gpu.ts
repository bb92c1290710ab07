/** The delta rule on the GPU: by chunks, whose solves and outputs run in parallel, or token by token. */
import { stridesOf } from '../../core/shape.js';
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import type { Implementation, Kernel } from '../../tensor/operator.js';
import { stridedGpu } from '../structure/gpu.js';
import { stateRows } from '../sequence/index.js';
import { checkWidth, keep, planOf, run, scoresOf, TILE, WHERE } from './gpu-common.js';
import { gradientsGpu } from './gpu-gradient.js';

const chunkForward: Kernel = (call) => {
  const { H, K, V } = call.dims;
  const { q, v } = call.in;
  const plan = planOf(call);
  const y = gpuEmpty(WHERE, v!.shape, v!.dtype);
  const finalState = gpuEmpty(WHERE, [plan.sequences, H, K, V]);
  const scores = scoresOf(call, plan);
  const kept = keep(call, plan, scores, finalState);
  const tiles = Math.ceil(V / TILE);
  run(
    plan,
    'output',
    plan.chunks * tiles,
    { q, ...scores, ...kept, slots: plan.slots.table, y },
    { tiles, scale: plan.scale },
  );
  if (call.training) Object.assign(call.saved, kept);
  else for (const t of [kept.states, kept.errors]) t.dispose();
  for (const t of [scores.gates, scores.scores]) t.dispose();
  plan.dispose();
  return { y, finalState };
};

const recurrentForward: Kernel = (call) => {
  checkWidth(call);
  const { T, G, H, K, V } = call.dims;
  const { q, k, v, beta, decay, initialState, cuSeqlens: cu } = call.in;
  const sequences = stateRows(call);
  const shape = [sequences, H, K, V];
  const y = gpuEmpty(WHERE, v!.shape, v!.dtype);
  const finalState = initialState
    ? stridedGpu(WHERE, initialState, shape, stridesOf(shape))
    : gpuEmpty(WHERE, shape);
  const tiles = Math.ceil(V / TILE);
  const rows = sequences * H * tiles;
  const quads = Math.ceil(K / 4);
  dispatch({
    where: WHERE,
    kernel: 'ops/delta-rule/recurrent',
    defs: { F: floatType(WHERE, q!), QUADS: `${[16, 32, 64].find((n) => n >= quads)}u` },
    overrides: { DECAY: decay ? 1 : 0, SEEDED: initialState ? 1 : 0 },
    tensors: { q, k, v, beta, decay, cu, states: finalState, y },
    params: {
      ...{ rows, heads: H, groups: G, k: K, v: V, tiles, time: T, quads },
      packed: cu ? 1 : 0,
      scale: call.params.scale as number,
    },
    rows,
    work: call.dims.B * T * H * K * V * 4,
  });
  return { y, finalState };
};

/** Form `chunk`; keeps states and errors for its backward pass. */
export const chunkGpu: Implementation = { forward: chunkForward, backward: gradientsGpu };

/** Form `recurrent`; keeps nothing: its backward pass goes by chunks from the start. */
export const recurrentGpu: Implementation = { forward: recurrentForward, backward: gradientsGpu };
