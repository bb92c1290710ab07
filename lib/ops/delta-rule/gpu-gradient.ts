/** The backward pass of the GPU forms of the delta rule, by chunks. */
import { dispatch, gpuEmpty } from '../../gpu/dispatch.js';
import type { Call, Kernel, OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { sumAxisGpu } from '../reduce/gpu.js';
import {
  carry,
  CHUNK,
  keep,
  planOf,
  run,
  scoresOf,
  solve,
  TILE,
  WHERE,
  type Kept,
  type Plan,
  type Scores,
} from './gpu-common.js';

/** What the two halves of the backward pass share. */
interface Work extends Kept, Scores {
  /** The adjoint of what keys read. */
  du: Tensor;
  dstates: Tensor;
}

/** Gradients of all inputs, from what the forward pass kept or from the start. */
export const gradientsGpu: Kernel = (call) => {
  const plan = planOf(call);
  const scores = scoresOf(call, plan);
  const kept = keptOf(call, plan, scores);
  const { work, initialState } = adjoints(call, plan, { ...scores, ...kept });
  const made: OptionalTensors = solveAdjoints(call, plan, work);
  Object.assign(made, keyGradients(call, plan, work));
  if (call.in.initialState) made.initialState = initialState;
  else initialState.dispose();
  for (const t of [scores.gates, scores.scores, work.du, work.dstates]) t.dispose();
  if (!call.saved.states) for (const t of [kept.states, kept.errors]) t.dispose();
  plan.dispose();
  return made;
};

function keptOf(call: Call, plan: Plan, scores: Scores): Kept {
  const { states, errors } = call.saved;
  if (states && errors) return { states, errors };
  const { heads, k, v } = plan.sizes;
  const last = gpuEmpty(WHERE, [plan.sequences, heads, k, v]);
  const kept = keep(call, plan, scores, last);
  last.dispose();
  return kept;
}

/** Adjoints of u, of the states after every chunk and of the initial one. */
function adjoints(call: Call, plan: Plan, known: Kept & Scores): { work: Work; initialState: Tensor } {
  const { heads, k, v } = plan.sizes;
  const { y: dy, finalState: edge } = call.grad;
  const du = gpuEmpty(WHERE, [plan.tokens, heads, v]);
  const dstates = gpuEmpty(WHERE, [plan.chunks, k, v]);
  const tiles = Math.ceil(v / TILE);
  const blocks = 1 + Math.ceil(k / CHUNK);
  run(
    plan,
    'adjoint-local',
    plan.chunks * tiles * blocks,
    { q: call.in.q, dy, gates: known.gates, scores: known.scores, slots: plan.slots.table, du, dstates },
    { tiles, blocks, scale: plan.scale },
    { DY: dy ? 1 : 0 },
  );
  const { w, u } = solve(call, plan, known, false);
  const last = gpuEmpty(WHERE, [plan.sequences, heads, k, v]);
  carry(call, plan, { w, gates: known.gates, edge, values: du, states: dstates, last }, true);
  w.dispose();
  u.dispose();
  return { work: { ...known, du, dstates }, initialState: last };
}

/** Gradients of values and beta; leaves the adjoint of what keys read in du. */
function solveAdjoints(call: Call, plan: Plan, { gates, scores, errors, du }: Work): OptionalTensors {
  const { v, beta } = call.in;
  const dv = gpuEmpty(WHERE, v!.shape, v!.dtype);
  const dbeta = gpuEmpty(WHERE, beta!.shape, beta!.dtype);
  const tensors = { gates, scores, errors, slots: plan.slots.table, du, dv, dbeta };
  run(plan, 'solve-adjoint', plan.chunks, tensors, {});
  return { v: dv, beta: dbeta };
}

/** Gradients of queries, keys and decays. */
function keyGradients(call: Call, plan: Plan, work: Work): OptionalTensors {
  const { q, k, decay } = call.in;
  const { gates, scores, errors, states, du, dstates } = work;
  const { heads, groups, k: width } = plan.sizes;
  const slots = plan.slots.table;
  const dy = call.grad.y;
  const overrides = { DY: dy ? 1 : 0 };
  const dscores = gpuEmpty(WHERE, [plan.chunks, 2, CHUNK, CHUNK]);
  const ddecay = gpuEmpty(WHERE, call.in.beta!.shape);
  const given = { dy, du, errors, gates, slots };
  run(
    plan,
    'score-gradient',
    plan.chunks,
    { ...given, scores, dscores, ddecay },
    { scale: plan.scale },
    overrides,
  );
  const plane = plan.tokens * heads * width;
  const through = gpuEmpty(WHERE, [3, plane]);
  const tiles = Math.ceil(width / TILE);
  run(
    plan,
    'through',
    plan.chunks * tiles * 3,
    { ...given, states, dstates, through },
    { tiles, plane, scale: plan.scale },
    overrides,
  );
  if (decay)
    run(
      plan,
      'decay-gradient',
      plan.chunks,
      { q, k, through, states, dstates, gates, slots, ddecay },
      { plane },
    );
  const own = heads === groups;
  const type = own ? q!.dtype : 'f32';
  const [dq, dk] = [0, 1].map(() => gpuEmpty(WHERE, [plan.tokens, heads, width], type));
  run(
    plan,
    'within',
    plan.chunks * tiles * 2,
    { q, k, dscores, through, slots, dq, dk },
    { tiles, plane },
    {},
    {
      Y: own ? plan.defs.F : 'f32',
    },
  );
  dscores.dispose();
  through.dispose();
  const made: OptionalTensors = { q: overHeads(plan, dq, q!), k: overHeads(plan, dk, k!) };
  if (decay) made.decay = ddecay;
  else ddecay.dispose();
  return made;
}

/** Sums the heads that share a key head; takes the tensor over. */
function overHeads(plan: Plan, t: Tensor, like: Tensor): Tensor {
  const { heads, groups, k } = plan.sizes;
  const shared = heads / groups;
  const summed = shared > 1 ? sumAxisGpu(WHERE, t, plan.tokens * groups, shared, k) : t.view();
  t.dispose();
  const shaped = narrow(summed, like);
  summed.dispose();
  return shaped;
}

/** In the dtype and shape of its input. */
function narrow(t: Tensor, like: Tensor): Tensor {
  if (t.dtype === like.dtype) return t.view(like.shape);
  const y = gpuEmpty(WHERE, like.shape, like.dtype);
  dispatch({
    where: WHERE,
    kernel: 'ops/structure/cast',
    defs: { S: t.dtype, T: like.dtype },
    tensors: { x: t, y },
    params: { count: t.size },
    threads: t.size,
  });
  return y;
}
