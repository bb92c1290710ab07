/** What the GPU forms of the delta rule share: sizes, chunks, and the phases that both passes run. */
import { DeviceError, ShapeError } from '../../core/errors.js';
import { dispatch, floatType, gpuEmpty, type Dispatch } from '../../gpu/dispatch.js';
import type { Call } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { slotsOf, type Slots } from '../sequence/gpu.js';
import { stateRows } from '../sequence/index.js';

export const WHERE = 'ops/delta-rule';
/** Tokens of a chunk, as in kernels-wgsl/shared/delta-rule. */
export const CHUNK = 32;
/** Columns of a tile of the products. */
export const TILE = 64;
/** The state of a tile of values must fit into a workgroup's memory. */
const WIDEST = 256;

/** Sizes of a call, and of its chunks. */
export interface Plan {
  defs: { F: 'f32' | 'f16' };
  sequences: number;
  tokens: number;
  slots: Slots;
  /** Workgroups of a kernel that takes a chunk and head each. */
  chunks: number;
  /** Fields that most kernels read. */
  sizes: { heads: number; groups: number; k: number; v: number };
  scale: number;
  time: number;
  dispose(): void;
}

/** @throws DeviceError where a state is too wide for the kernels, with advice */
export function checkWidth(call: Call): void {
  const { K } = call.dims;
  if (K > WIDEST)
    throw new DeviceError(`${WHERE}: K must be <= ${WIDEST} on the GPU, got ${K}; use wasm or cpu`);
}

export function planOf(call: Call): Plan {
  checkWidth(call);
  const { B, T, G, H, K, V } = call.dims;
  const slots = slotsOf(call, CHUNK);
  const widest = slots.count * H * Math.max(2 * CHUNK * CHUNK, K * V);
  if (widest >= 2 ** 31)
    throw new ShapeError(`${WHERE}: T must be small enough for 32-bit offsets, got T = ${T}`);
  return {
    defs: { F: floatType(WHERE, call.in.q!) },
    sequences: stateRows(call),
    tokens: B * T,
    slots,
    chunks: slots.count * H,
    sizes: { heads: H, groups: G, k: K, v: V },
    scale: call.params.scale as number,
    time: T,
    dispose: () => slots.dispose(),
  };
}

/** One kernel on `rows` workgroups. */
export function run(
  plan: Plan,
  kernel: string,
  rows: number,
  tensors: Dispatch['tensors'],
  params: Record<string, number>,
  overrides: Dispatch['overrides'] = {},
  defs: Record<string, string> = {},
): void {
  const { k, v } = plan.sizes;
  dispatch({
    where: WHERE,
    kernel: `ops/delta-rule/${kernel}`,
    defs: { ...plan.defs, ...defs },
    overrides,
    tensors,
    params: { rows, ...plan.sizes, ...params },
    rows,
    work: plan.chunks * CHUNK * (k * v + CHUNK * (k + v)),
  });
}

/** The gates of every token, and the triangles of every chunk. */
export interface Scores {
  gates: Tensor;
  scores: Tensor;
}

export function scoresOf(call: Call, plan: Plan): Scores {
  const { q, k, beta, decay } = call.in;
  const gates = gpuEmpty(WHERE, [plan.tokens, plan.sizes.heads, 4]);
  const scores = gpuEmpty(WHERE, [plan.chunks, 2, CHUNK, CHUNK]);
  const tensors = { q, k, beta, decay, slots: plan.slots.table, gates, scores };
  run(plan, 'scores', plan.chunks, tensors, {}, { DECAY: decay ? 1 : 0 });
  return { gates, scores };
}

/** W, the keys solved for; and where `values`, the values solved for. */
export function solve(
  call: Call,
  plan: Plan,
  { gates, scores }: Scores,
  values: boolean,
): { w: Tensor; u: Tensor } {
  const { heads, k, v } = plan.sizes;
  const w = gpuEmpty(WHERE, [plan.tokens, heads, k]);
  const u = gpuEmpty(WHERE, values ? [plan.tokens, heads, v] : [1]);
  const columns = values ? k + v : k;
  const blocks = Math.ceil(columns / TILE);
  const tensors = { k: call.in.k, v: call.in.v, gates, scores, slots: plan.slots.table, w, u };
  run(plan, 'solve', plan.chunks * blocks, tensors, { columns, blocks });
  return { w, u };
}

/** What runs from chunk to chunk; see kernels-wgsl/ops/delta-rule/carry. */
export function carry(
  call: Call,
  plan: Plan,
  at: { w: Tensor; gates: Tensor; edge: Tensor | undefined; values: Tensor; states: Tensor; last: Tensor },
  reverse: boolean,
): void {
  const { heads, k, v } = plan.sizes;
  const quads = k <= 128 ? 4 : 2;
  const tiles = Math.ceil(v / (4 * quads));
  const { edge, ...rest } = at;
  run(
    plan,
    'carry',
    plan.sequences * heads * tiles,
    { k: call.in.k, cu: call.in.cuSeqlens, edge, ...rest },
    {
      tiles,
      time: plan.time,
      per: Math.ceil(plan.time / CHUNK),
      packed: call.in.cuSeqlens ? 1 : 0,
    },
    { REVERSE: reverse ? 1 : 0, SEEDED: edge ? 1 : 0 },
    { QUADS: `${quads}u` },
  );
}

/** The states before every chunk, [slots, H, K, V], and the errors v - S'^T k, [tokens, H, V]. */
export interface Kept {
  states: Tensor;
  errors: Tensor;
}

/** Everything of the forward pass but its output. */
export function keep(call: Call, plan: Plan, scores: Scores, last: Tensor): Kept {
  const { w, u } = solve(call, plan, scores, true);
  const { k, v } = plan.sizes;
  const states = gpuEmpty(WHERE, [plan.chunks, k, v]);
  carry(call, plan, { w, gates: scores.gates, edge: call.in.initialState, values: u, states, last }, false);
  w.dispose();
  return { states, errors: u };
}
