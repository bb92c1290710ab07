/**
 * Scalar decay on the GPU: chunks in three phases (what each adds to the state, the carry, read-outs), or token by token.
 * Both keep the state before every chunk for the one backward pass, which runs the same phases over the gradients.
 */
import { DeviceError } from '../../core/errors.js';
import { dispatch, gpuEmpty } from '../../gpu/dispatch.js';
import type { Call, Implementation, OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { sumAxisGpu, zerosGpu } from '../reduce/gpu.js';
import {
  CHUNK,
  chunkStates,
  mix,
  planOf,
  tilesOf,
  WHERE,
  WIDEST,
  withOutput,
  type Plan,
} from './gpu-common.js';

function forwardChunks(call: Call): OptionalTensors {
  const { q, k, v } = call.in;
  const plan = planOf(call);
  const y = gpuEmpty(WHERE, v!.shape, v!.dtype);
  const { chunks, last } = chunkStates(call, plan);
  const { scale } = plan;
  mix(call, plan, { a: q!, b: k!, c: v!, z: chunks, y, pairScale: scale, edgeScale: scale });
  plan.dispose();
  if (call.training) call.saved.starts = chunks;
  else chunks.dispose();
  return { y, finalState: last };
}

function forwardRecurrent(call: Call): OptionalTensors {
  const { B, T, H, K, V } = call.dims;
  const { q, k, v, initialState: initial, cuSeqlens } = call.in;
  if (K > WIDEST)
    throw new DeviceError(
      `${WHERE}: K must be <= ${WIDEST} in form recurrent on the GPU, got ${K}; use the form chunk`,
    );
  if (B * T === 0) return forwardChunks(call);
  const plan = planOf(call, B * T + 1);
  const { sequences } = plan.slots;
  const per = Math.ceil(T / CHUNK);
  const y = gpuEmpty(WHERE, v!.shape, v!.dtype);
  const last = gpuEmpty(WHERE, [sequences, H, K, V]);
  const slots = cuSeqlens ? Math.floor(T / CHUNK) + sequences : sequences * per;
  if (call.training) call.saved.starts = gpuEmpty(WHERE, [slots, H, K, V]);
  const rows = sequences * H * Math.ceil(V / 16);
  withOutput(call.saved.starts, (kept) =>
    dispatch({
      where: WHERE,
      kernel: 'ops/scalar-decay/recurrent',
      defs: { ...plan.defs, ROWS: `${[4, 16, 32].find((rows) => rows * 16 >= K)!}u` },
      tensors: { q, k, v, table: plan.table, initial, y, last, kept },
      params: {
        ...plan.fields,
        rows,
        per,
        packed: cuSeqlens ? 1 : 0,
        keep: call.training ? 1 : 0,
        seeded: initial ? 1 : 0,
        scale: plan.scale,
      },
      rows,
      work: B * T * H * K * V * 5,
    }),
  );
  plan.dispose();
  return { y, finalState: last };
}

/** Gradients over heads in f32, summed over the value heads of a group, in the dtype of their input. */
function overGroups(call: Call, name: 'q' | 'k', run: (to: Tensor) => void): Tensor {
  const { B, T, G, H, K } = call.dims;
  const like = call.in[name]!;
  if (G === H) {
    const to = gpuEmpty(WHERE, like.shape, like.dtype);
    run(to);
    return to;
  }
  const parts = gpuEmpty(WHERE, [B, T, H, K]);
  run(parts);
  const sums = sumAxisGpu(WHERE, parts, B * T * G, H / G, K);
  parts.dispose();
  const made = sums.view(like.shape);
  sums.dispose();
  if (like.dtype === 'f32') return made;
  const to = gpuEmpty(WHERE, like.shape, like.dtype);
  dispatch({
    where: WHERE,
    kernel: 'ops/structure/cast',
    defs: { S: 'f32', T: like.dtype },
    tensors: { x: made, y: to },
    params: { count: to.size },
    threads: to.size,
  });
  made.dispose();
  return to;
}

/** dg from the dots that mix wrote, all in `dots`; the result takes its first part. */
function decayGradient(call: Call, plan: Plan, dy: Tensor, dots: Tensor, ends: Tensor): Tensor {
  const { B, T, H, K } = call.dims;
  const { q, k, v, decay } = call.in;
  const rows = plan.slots.count * H;
  const tiles = tilesOf(K);
  const part = plan.tokens * H;
  dispatch({
    where: WHERE,
    kernel: 'ops/scalar-decay/decay-gradient',
    defs: plan.defs,
    tensors: { q, k, v, dy, starts: call.saved.starts, ends, table: plan.table, dots },
    params: {
      ...plan.fields,
      rows,
      tokens: plan.tokens,
      at_read: part,
      at_written: part * (1 + tiles),
      tiles,
      scale: plan.scale,
    },
    rows,
    work: plan.tokens * plan.fields.heads * 2 * CHUNK * (K + plan.fields.v),
  });
  const each = dots.view([B, T, H], 0);
  if (decay!.rank === 3) return each;
  const total = sumAxisGpu(WHERE, each, 1, B * T, H);
  each.dispose();
  const made = total.view([H]);
  total.dispose();
  return made;
}

function backward(call: Call): OptionalTensors {
  const { H, K } = call.dims;
  const { q, k, v, decay, initialState } = call.in;
  const dy = call.grad.y ?? zerosGpu(WHERE, v!, v!.shape);
  const plan = planOf(call);
  const { scale, tokens } = plan;
  const starts = call.saved.starts;
  const { chunks: ends, last } = chunkStates(call, plan, dy);
  const tiles = tilesOf(K);
  const part = tokens * H;
  const dots = decay && gpuEmpty(WHERE, [part * (1 + 2 * tiles)]);
  const readAt = (e: Tensor, at: number) => dots && { e, dots, at };
  const dv = gpuEmpty(WHERE, v!.shape, v!.dtype);
  mix(call, plan, { a: k!, b: q!, c: dy, z: ends, y: dv, reverse: true, pairScale: scale, edgeScale: 1 });
  const turned = { turned: true, pairScale: scale };
  const dq = overGroups(call, 'q', (y) =>
    mix(call, plan, {
      ...turned,
      a: dy,
      b: v!,
      c: k!,
      z: starts,
      y,
      edgeScale: scale,
      read: readAt(q!, part),
    }),
  );
  const read = readAt(k!, part * (1 + tiles));
  const dk = overGroups(call, 'k', (y) =>
    mix(call, plan, { ...turned, a: v!, b: dy, c: q!, z: ends, y, reverse: true, edgeScale: 1, read }),
  );
  const made: OptionalTensors = { q: dq, k: dk, v: dv };
  if (dots) made.decay = decayGradient(call, plan, dy, dots, ends);
  if (initialState) made.initialState = last;
  else last.dispose();
  for (const t of [ends, plan, dots]) t?.dispose();
  if (!call.grad.y) dy.dispose();
  return made;
}

/** Chunks of time in parallel. */
export const chunkGpu: Implementation = { forward: forwardChunks, backward };

/** Token by token; its gradients are those of the chunks. */
export const recurrentGpu: Implementation = { forward: forwardRecurrent, backward };

/** Fewer tokens than this are not worth three phases. */
const LONG = 32;

/** The form for sizes: `recurrent` for short sequences of heads that its invocations can hold, `chunk` otherwise. */
export function preferredGpuForm(dims: Call['dims']): 'chunk' | 'recurrent' {
  const time = dims.S ? (dims.B * dims.T) / Math.max(1, dims.S) : dims.T;
  return time < LONG && dims.K <= WIDEST ? 'recurrent' : 'chunk';
}
