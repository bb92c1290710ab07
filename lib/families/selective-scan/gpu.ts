/** Selective scan on the GPU: recurrent, with a backward scan from checkpoints. */
import { dispatch, floatType, gpuEmpty } from '../../gpu/dispatch.js';
import type { Call, Implementation, OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { sumAxisGpu, zerosGpu } from '../../ops/reduce/gpu.js';
import { stridedGpu } from '../../ops/structure/gpu.js';
import { stridesOf } from '../../core/shape.js';

const WHERE = 'selective-scan';
/** Tokens between checkpoints, and channels to a workgroup: as in kernels-wgsl. */
const CHUNK = 8;
const LANES = 64;

interface Plan {
  tokens: number;
  sequences: number;
  /** States one dispatch holds in registers. */
  width: number;
  defs: { F: 'f32' | 'f16'; N: string };
  /** Fields that every scan kernel reads. */
  params: {
    d: number;
    states: number;
    time: number;
    groups: number;
    b_varies: number;
    c_varies: number;
    packed: number;
  };
}

function planOf(call: Call): Plan {
  const { u, B, C, cuSeqlens } = call.in;
  const { B: batch, T: time, D: d, N: states } = call.dims;
  const width = states <= 4 ? 4 : 16;
  return {
    tokens: batch * time,
    sequences: cuSeqlens ? cuSeqlens.size - 1 : batch,
    width,
    defs: { F: floatType(WHERE, u!), N: `${width}u` },
    params: {
      d,
      states,
      time,
      groups: call.dims.G ?? 1,
      b_varies: B!.rank === 4 ? 1 : 0,
      c_varies: C!.rank === 4 ? 1 : 0,
      packed: cuSeqlens ? 1 : 0,
    },
  };
}

function channelTable(call: Call): Tensor {
  const { A: rates, D: skip, deltaBias: bias } = call.in;
  const { D, N } = call.dims;
  const channel = gpuEmpty(WHERE, [D, N + 2]);
  const overrides = { SKIP: skip ? 1 : 0, BIAS: bias ? 1 : 0 };
  dispatch({
    where: WHERE,
    kernel: 'families/selective-scan/channel',
    overrides,
    tensors: { rates, skip, bias, channel },
    params: { count: channel.size, states: N },
    threads: channel.size,
  });
  return channel;
}

/** The initial state as a fresh tensor that the scan may overwrite. */
function startState(call: Call, sequences: number): Tensor {
  const { D, N } = call.dims;
  const initial = call.in.initialState;
  const shape = [sequences, D, N];
  if (initial) return stridedGpu(WHERE, initial, shape, stridesOf(shape));
  return zerosGpu(WHERE, call.in.A!, shape);
}

function forward(call: Call): OptionalTensors {
  const { u, delta, B: b, C: c, z, cuSeqlens: cu } = call.in;
  const plan = planOf(call);
  const { softplus } = call.params;
  const channel = channelTable(call);
  const state = startState(call, plan.sequences);
  const y = gpuEmpty(WHERE, u!.shape);
  const count = plan.sequences * plan.params.d;
  for (let n0 = 0; n0 < plan.params.states; n0 += plan.width)
    dispatch({
      where: WHERE,
      kernel: 'families/selective-scan/recurrent',
      defs: plan.defs,
      tensors: { u, delta, channel, b, c, cu, y, state },
      params: { ...plan.params, count, n0, softplus: softplus ? 1 : 0 },
      threads: count,
      work: y.size * plan.width * 16,
    });
  channel.dispose();
  if (!z && plan.defs.F === 'f32') return { y, finalState: state };
  const gated = gpuEmpty(WHERE, u!.shape, u!.dtype);
  dispatch({
    where: WHERE,
    kernel: 'families/selective-scan/gate',
    defs: { F: plan.defs.F },
    overrides: { GATED: z ? 1 : 0 },
    tensors: { y, z, gated },
    params: { count: y.size },
    threads: y.size,
    work: y.size * 8,
  });
  if (call.training && z) call.saved.y = y;
  else y.dispose();
  return { y: gated, finalState: state };
}

interface Scanned {
  items: Tensor;
  /** [slots + S, D, N]; the last S rows end as the gradient of the initial state. */
  checkpoints: Tensor;
  slots: number;
  partial: Tensor;
  blocks: number;
  sums: Tensor;
}

function backward(call: Call): OptionalTensors {
  const plan = planOf(call);
  const channel = channelTable(call);
  const { items, dz } = prepare(call, plan, channel);
  const scanned = scan(call, plan, channel, items);
  channel.dispose();
  const grads = collect(call, plan, scanned);
  if (dz) grads.z = dz;
  for (const t of [items, scanned.checkpoints, scanned.partial, scanned.sums]) t.dispose();
  return grads;
}

function prepare(call: Call, plan: Plan, channel: Tensor): { items: Tensor; dz: Tensor | undefined } {
  const { u, delta, z } = call.in;
  const dy = call.grad.y;
  const items = gpuEmpty(WHERE, [...u!.shape, 6]);
  const dz = gpuEmpty(WHERE, z ? u!.shape : [1], u!.dtype);
  dispatch({
    where: WHERE,
    kernel: 'families/selective-scan/prepare',
    defs: { F: plan.defs.F },
    overrides: { GATED: z ? 1 : 0, DY: dy ? 1 : 0 },
    tensors: { u, delta, channel, dy, z, y: call.saved.y, items, dz },
    params: {
      count: u!.size,
      d: plan.params.d,
      states: plan.params.states,
      softplus: call.params.softplus ? 1 : 0,
    },
    threads: u!.size,
    work: u!.size * 16,
  });
  if (z) return { items, dz };
  dz.dispose();
  return { items, dz: undefined };
}

function scan(call: Call, plan: Plan, channel: Tensor, items: Tensor): Scanned {
  const { B: b, C: c, cuSeqlens: cu, initialState: initial } = call.in;
  const { d, states, time, groups, b_varies, c_varies, packed } = plan.params;
  const slots = Math.ceil(plan.tokens / CHUNK) + plan.sequences;
  const blocks = Math.ceil(d / groups / LANES);
  const varies = b_varies || c_varies;
  const made: Scanned = {
    items,
    slots,
    blocks,
    checkpoints: gpuEmpty(WHERE, [slots + plan.sequences, d, states]),
    partial: gpuEmpty(WHERE, varies ? [blocks, plan.tokens, groups, states, 2] : [2]),
    sums: gpuEmpty(WHERE, [plan.sequences, d, 3 * states + 1]),
  };
  const { checkpoints, partial, sums } = made;
  const dfinal = call.grad.finalState;
  const given = { with_initial: initial ? 1 : 0, with_dfinal: dfinal ? 1 : 0 };
  const count = plan.sequences * d;
  const rows = plan.sequences * groups * blocks;
  const work = plan.tokens * d * plan.width * 32;
  for (let n0 = 0; n0 < states; n0 += plan.width) {
    dispatch({
      where: WHERE,
      kernel: 'families/selective-scan/checkpoints',
      defs: plan.defs,
      tensors: { items, channel, b, cu, initial, dfinal, checkpoints },
      params: { count, d, states, n0, time, groups, b_varies, packed, slots, ...given },
      threads: count,
      work: work / 2,
    });
    dispatch({
      where: WHERE,
      kernel: 'families/selective-scan/adjoint',
      defs: plan.defs,
      tensors: { items, channel, b, c, cu, checkpoints, partial, sums },
      params: {
        rows,
        d,
        states,
        n0,
        time,
        tokens: plan.tokens,
        groups,
        blocks,
        b_varies,
        c_varies,
        packed,
        slots,
      },
      rows,
      work,
    });
  }
  return made;
}

/** Gradients from what the scan left: sums over sequences, over parts of channels, over tokens. */
function collect(call: Call, plan: Plan, scanned: Scanned): OptionalTensors {
  const { u, B, C, D: skip, deltaBias, initialState } = call.in;
  const { d, states, groups } = plan.params;
  const du = gpuEmpty(WHERE, u!.shape, u!.dtype);
  const ddelta = gpuEmpty(WHERE, u!.shape, u!.dtype);
  dispatch({
    where: WHERE,
    kernel: 'families/selective-scan/finish',
    defs: { F: plan.defs.F },
    tensors: { items: scanned.items, du, ddelta },
    params: { count: u!.size },
    threads: u!.size,
  });
  const grads: OptionalTensors = { u: du, delta: ddelta };
  const width = 3 * states + 1;
  const totals = sumAxisGpu(WHERE, scanned.sums, 1, plan.sequences, d * width);
  const column = (at: number) => stridedGpu(WHERE, totals, [d, states], [width, 1], at);
  grads.A = column(0);
  if (skip) grads.D = stridedGpu(WHERE, totals, [d], [width], 3 * states);
  const varying = plan.params.b_varies || plan.params.c_varies;
  const pairs = varying
    ? sumAxisGpu(WHERE, scanned.partial, 1, scanned.blocks, plan.tokens * groups * states * 2)
    : undefined;
  const strides = stridesOf([...B!.shape]).map((x) => 2 * x);
  const stridesC = stridesOf([...C!.shape]).map((x) => 2 * x);
  grads.B = narrow(
    plan.params.b_varies ? stridedGpu(WHERE, pairs!, B!.shape, strides, 0) : column(states),
    B!,
  );
  grads.C = narrow(
    plan.params.c_varies ? stridedGpu(WHERE, pairs!, C!.shape, stridesC, 1) : column(2 * states),
    C!,
  );
  if (deltaBias) {
    const flat = sumAxisGpu(WHERE, ddelta, 1, plan.tokens, d);
    grads.deltaBias = narrow(flat, deltaBias);
  }
  if (initialState) {
    const shape = initialState.shape;
    grads.initialState = stridedGpu(
      WHERE,
      scanned.checkpoints,
      shape,
      stridesOf(shape),
      scanned.slots * d * states,
    );
  }
  totals.dispose();
  pairs?.dispose();
  return grads;
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

export const selectiveScanGpu: Implementation = { forward, backward };
