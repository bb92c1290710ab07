/**
 * The recurrence on the GPU, token by token or in chunks of 16 tokens. Both keep the state before every chunk and what
 * the corrections read, and share the gradients of q, k, a, b and the decays, which all chunks make at once.
 */
import { DeviceError } from '../../core/errors.js';
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import type { Call, Implementation, OptionalTensors } from '../../tensor/operator.js';
import { zeros, type Tensor } from '../../tensor/tensor.js';
import { slotsOf, type Slots } from '../sequence/gpu.js';
import { stateRows } from '../sequence/index.js';

const WHERE = 'ops/dplr';
const CHUNK = 16;
/** Elements that parts of a shared buffer are aligned to: 256 bytes, so that views bind as they are. */
const ALIGN = 64;
const aligned = (count: number) => Math.ceil(count / ALIGN) * ALIGN;
/** Most keys the kernels hold on chip. */
const MOST_KEYS = 256;

/** Sizes of a call, and its slots of time. */
interface Plan {
  heads: number;
  k: number;
  v: number;
  quads: number;
  scale: number;
  /** The longer half of a chunk. */
  reach: number;
  slots: Slots;
  /** Chunks times heads. */
  owned: number;
}

function planOf(call: Call, chunk: number): Plan {
  const { H, K, V } = call.dims;
  if (K > MOST_KEYS)
    throw new DeviceError(`${WHERE}: K must be <= ${MOST_KEYS} on the GPU, got ${K}; use wasm or cpu`);
  const slots = slotsOf(call, chunk);
  const scale = call.params.scale as number;
  const quads = Math.ceil(K / 4);
  return { heads: H, k: K, v: V, quads, scale, reach: CHUNK / 2, slots, owned: slots.count * H };
}

/** What a pass in one direction over time reads and writes. */
interface Pass {
  reverse: boolean;
  /** v, or the gradient of y. */
  values: Tensor;
  /** The state that enters, or its gradient. */
  edge: Tensor | undefined;
  /** y, or the gradient of v. */
  y: Tensor;
  /** The final state, or the gradient of the initial one. */
  last: Tensor;
  /** What enters every slot, and r or x of every token. */
  states?: Tensor;
  reads?: Tensor;
}

const flag = (on: unknown) => (on ? 1 : 0);

/** One buffer for the states that enter the slots and the reads of the tokens. */
function keptOf(plan: Plan, tokens: number): { states: Tensor; reads: Tensor; buffer: Tensor; at: number } {
  const { owned, heads, k, v } = plan;
  const at = aligned(Math.max(1, owned * k * v));
  const buffer = gpuEmpty(WHERE, [at + Math.max(1, tokens * heads * v)]);
  const states = buffer.view([plan.slots.count, heads, k, v], 0);
  return { states, reads: buffer.view([tokens, heads, v], at), buffer, at };
}

/** Whole sequences token by token. */
function recurrentPass(call: Call, plan: Plan, pass: Pass, kept?: { buffer: Tensor; at: number }): void {
  const { q, k, a, b, decay } = call.in;
  const { heads, quads, scale } = plan;
  const F = floatType(WHERE, q!);
  const tokens = call.dims.B * call.dims.T;
  const rows = gpuEmpty(WHERE, [tokens, heads, 5, 4 * quads]);
  dispatch({
    where: WHERE,
    kernel: 'ops/dplr/pack',
    defs: { F },
    tensors: { q, k, a, b, decay, rows },
    params: { count: tokens * heads * 4 * quads, k: plan.k, quads, scale },
    threads: tokens * heads * 4 * quads,
    work: tokens * heads * 40 * quads,
  });
  const parts = quads <= 16 ? 4 : 16;
  const blocks = Math.ceil(plan.v / (256 / parts));
  const count = plan.slots.sequences * heads * blocks;
  // An output must not be bound twice: a stand-in for one that is not wanted.
  const spare = kept ? undefined : gpuEmpty(WHERE, [1]);
  dispatch({
    where: WHERE,
    kernel: 'ops/dplr/recurrent',
    defs: { F, PARTS: `${parts}u` },
    tensors: {
      rows,
      values: pass.values,
      slots: plan.slots.table,
      ranges: plan.slots.ranges,
      edge: pass.edge,
      y: pass.y,
      last: pass.last,
      kept: kept?.buffer ?? spare,
    },
    params: {
      ...{ count, heads, k: plan.k, v: plan.v, quads, blocks },
      ...{ seeded: flag(pass.edge), kept: flag(kept), at_reads: kept?.at ?? 0, lanes: 256 },
      reverse: flag(pass.reverse),
    },
    rows: count,
    work: tokens * heads * plan.k * plan.v * 9,
  });
  rows.dispose();
  spare?.dispose();
}

/** Chunks: pairs and solves at once, the carry over chunks, outputs at once. */
function chunkPass(call: Call, plan: Plan, pass: Pass): void {
  const { q, k, a, b, decay } = call.in;
  const { heads, quads, owned, scale, reach, slots } = plan;
  const F = floatType(WHERE, q!);
  const record = 3 * CHUNK * CHUNK + (4 * CHUNK + 1) * 4 * quads;
  const work = gpuEmpty(WHERE, [owned, record]);
  const reverse = flag(pass.reverse);
  const sizes = { heads, k: plan.k, v: plan.v, quads, record };
  const flops = owned * CHUNK * plan.k * plan.v;
  const { table, ranges } = slots;
  const { values, edge, y, last, states, reads } = pass;
  dispatch({
    where: WHERE,
    kernel: 'ops/dplr/prepare',
    defs: { F },
    tensors: { q, k, a, b, decay, slots: table, work },
    params: { count: owned, heads, k: plan.k, quads, record, reach, scale, side: CHUNK, reverse },
    rows: owned,
    work: owned * CHUNK * CHUNK * plan.k * 16,
  });
  const columns = quads <= 16 ? 32 : 8;
  const blocks = Math.ceil(plan.v / columns);
  const count = slots.sequences * heads * blocks;
  dispatch({
    where: WHERE,
    kernel: 'ops/dplr/carry',
    defs: { F, VT: `${columns}u` },
    tensors: { work, values, slots: table, ranges, edge, states, reads, last },
    params: { ...sizes, count, blocks, seeded: flag(edge), side: CHUNK, reverse },
    rows: count,
    work: flops * 8,
  });
  const wide = Math.ceil(plan.v / 64);
  dispatch({
    where: WHERE,
    kernel: 'ops/dplr/outputs',
    defs: { F },
    tensors: { work, values, reads, states, slots: table, y },
    params: { ...sizes, count: owned * wide, blocks: wide },
    rows: owned * wide,
    work: flops * 4,
  });
  work.dispose();
}

/** Gradients of q, k, a, b and decay from the kept states, their gradients, r and x. */
function rowGradients(call: Call, plan: Plan, dy: Tensor, forward: Kept, backward: Kept): OptionalTensors {
  const { q, k, v, a, b, decay } = call.in;
  const { heads, quads, owned, scale, reach, slots } = plan;
  const F = floatType(WHERE, q!);
  const record = 4 * CHUNK * CHUNK + (4 * CHUNK + 1) * 4 * quads;
  const work = gpuEmpty(WHERE, [owned, record]);
  dispatch({
    where: WHERE,
    kernel: 'ops/dplr/products',
    defs: { F },
    tensors: {
      x: backward.reads,
      dy,
      values: v,
      reads: forward.reads,
      states: forward.states,
      adjoints: backward.states,
      slots: slots.table,
      work,
    },
    params: { count: owned, heads, k: plan.k, v: plan.v, quads, record, side: CHUNK },
    rows: owned,
    work: owned * CHUNK * plan.k * plan.v * 8,
  });
  const plane = aligned(q!.size);
  const grads = gpuEmpty(WHERE, [5 * plane]);
  dispatch({
    where: WHERE,
    kernel: 'ops/dplr/gradient',
    defs: { F },
    tensors: { q, k, a, b, decay, work, slots: slots.table, grads },
    params: { count: owned, heads, k: plan.k, quads, record, reach, plane, scale, side: CHUNK },
    rows: owned,
    work: owned * CHUNK * CHUNK * plan.k * 24,
  });
  work.dispose();
  const made: OptionalTensors = { decay: grads.view(q!.shape, 4 * plane) };
  ['q', 'k', 'a', 'b'].forEach((name, i) => (made[name] = narrow(grads.view(q!.shape, i * plane), q!)));
  grads.dispose();
  return made;
}

/** The f32 gradient in the dtype of its input; takes the tensor over. */
function narrow(t: Tensor, like: Tensor): Tensor {
  if (t.dtype === like.dtype) return t;
  const y = gpuEmpty(WHERE, t.shape, like.dtype);
  dispatch({
    where: WHERE,
    kernel: 'ops/structure/cast',
    defs: { S: t.dtype, T: like.dtype },
    tensors: { x: t, y },
    params: { count: t.size },
    threads: t.size,
  });
  t.dispose();
  return y;
}

interface Kept {
  states: Tensor;
  reads: Tensor;
}

/** A form: the recurrence or chunks, in both directions. */
function formOf(chunked: boolean): Implementation {
  const run = (call: Call, plan: Plan, pass: Omit<Pass, 'states' | 'reads'>, wanted: boolean) => {
    const kept = chunked || wanted ? keptOf(plan, call.dims.B * call.dims.T) : undefined;
    if (chunked) chunkPass(call, plan, { ...pass, states: kept!.states, reads: kept!.reads });
    else recurrentPass(call, plan, pass, kept);
    kept?.buffer.dispose();
    return kept;
  };
  return {
    forward: (call) => {
      const { B, T, H, K, V } = call.dims;
      const v = call.in.v!;
      const keep = chunked || call.training;
      const plan = planOf(call, keep ? CHUNK : Math.max(1, T));
      const y = gpuEmpty(WHERE, [B, T, H, V], v.dtype);
      const last = gpuEmpty(WHERE, [stateRows(call), H, K, V]);
      const pass = { reverse: false, values: v, edge: call.in.initialState, y, last };
      const kept = run(call, plan, pass, call.training);
      if (kept && call.training) Object.assign(call.saved, { states: kept.states, reads: kept.reads });
      else for (const t of kept ? [kept.states, kept.reads] : []) t.dispose();
      plan.slots.dispose();
      return { y, finalState: last };
    },
    backward: (call) => {
      const { B, T, H, K, V } = call.dims;
      const v = call.in.v!;
      const plan = planOf(call, CHUNK);
      const dy = call.grad.y ?? zeros([B, T, H, V], { dtype: v.dtype, device: 'gpu' });
      const dv = gpuEmpty(WHERE, [B, T, H, V], v.dtype);
      const last = gpuEmpty(WHERE, [stateRows(call), H, K, V]);
      const pass = { reverse: true, values: dy, edge: call.grad.finalState, y: dv, last };
      const kept = run(call, plan, pass, true)!;
      const made = rowGradients(call, plan, dy, call.saved as unknown as Kept, kept);
      for (const t of [kept.states, kept.reads]) t.dispose();
      plan.slots.dispose();
      if (!call.grad.y) dy.dispose();
      if (!call.in.initialState) last.dispose();
      return { ...made, v: dv, initialState: call.in.initialState && last };
    },
  };
}

export const recurrentGpu = formOf(false);
export const chunkGpu = formOf(true);
