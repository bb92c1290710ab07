/** Host forms: tiled online softmax on WASM, and one query against a cache in parts of the key axis. */
import * as calls from '../../cpu/wasm/calls.js';
import * as math from '../../core/math.js';
import { ArgumentError } from '../../core/errors.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import { Tensor, zeros } from '../../tensor/tensor.js';
import { attentionSequences, blocksOf, isPlain, reachOf } from './layout.js';

const WHERE = 'softmax-attention';
const at = (t: Tensor | undefined) => t?.pointer(WHERE) ?? 0;

/** The factor on the scores. */
export function scaleOf(call: Call): number {
  return (call.params.scale as number | undefined) ?? 1 / Math.sqrt(call.dims.K);
}

function wasmDims(call: Call): calls.AttentionDims {
  const { B, Tq, Tk, H, Hkv, K, V } = call.dims;
  const keys = (call.params.keys as number | undefined) ?? Tk;
  const causal = Boolean(call.params.causal);
  return { B, Tq, Tk: keys, capacity: Tk, H, Hkv, K, V, scale: scaleOf(call), causal };
}

function extraOf(call: Call): calls.AttentionExtra {
  const blocks = blocksOf(call);
  return {
    sequences: attentionSequences(call),
    ...reachOf(call.params),
    softcap: call.params.softcap as number,
    alibi: at(call.in.alibiSlopes),
    sink: at(call.in.sink),
    mask: blocks && { at: at(call.in.blockMask), ...blocks },
  };
}

/** Without masks beyond causality the kernels need no tables. They take maxima before scaling, so not for scale 0. */
const tablesOf = (call: Call) => (isPlain(call) && scaleOf(call) > 0 ? undefined : extraOf(call));

function outputsOf(call: Call): { y: Tensor; lse: Tensor } {
  const { B, Tq, H, V } = call.dims;
  return { y: allocate(call, [B, Tq, H, V]), lse: Tensor.empty([B, H, Tq], 'f32', 'host', WHERE) };
}

const inputsOf = (call: Call) => ({ q: at(call.in.q), k: at(call.in.k), v: at(call.in.v) });

/** Gradient of the sink from delta = dy.y - dlse: a head's probabilities of its sink times -delta, summed. */
function sinkGradient(call: Call, delta: Float32Array): Tensor {
  const { B, Tq, H } = call.dims;
  const made = allocate(call, [H]);
  const sums = made.dataSync() as Float32Array;
  const sink = call.in.sink!.dataSync();
  const lse = call.out.lse.dataSync();
  for (let h = 0; h < H; h++) {
    let sum = 0;
    for (let b = 0; b < B; b++)
      for (let n = (b * H + h) * Tq, end = n + Tq; n < end; n++) sum -= math.exp(sink[h] - lse[n]) * delta[n];
    sums[h] = sum;
  }
  return made;
}

/** Gradient of the slopes: minus the sums of ds |distance| of a head. */
function slopeGradient(call: Call, rows: Float32Array): Tensor {
  const { B, Tq, H } = call.dims;
  const made = allocate(call, [H]);
  const sums = made.dataSync() as Float32Array;
  for (let h = 0; h < H; h++) {
    let sum = 0;
    for (let b = 0; b < B; b++) for (let n = (b * H + h) * Tq, end = n + Tq; n < end; n++) sum -= rows[n];
    sums[h] = sum;
  }
  return made;
}

/** dq, dk, dv with recomputed tiles: O(T) memory. */
const backward: Kernel = (call) => {
  const { q, k, v, sink, alibiSlopes } = call.in as Record<string, Tensor>;
  const { B, Tq, H } = call.dims;
  const dims = wasmDims(call);
  const dy = call.grad.y ?? zeros(call.out.y.shape, { dtype: 'f32', device: 'host' });
  const rows = () => Tensor.empty([B, H, Tq], 'f32', 'host', WHERE);
  const [delta, slopes] = [rows(), alibiSlopes ? rows() : undefined];
  calls.attentionDelta(dims, { o: at(call.out.y), dO: at(dy), delta: at(delta) });
  const values = delta.dataSync() as Float32Array;
  const dlse = call.grad.lse?.dataSync();
  if (dlse) for (let n = 0; n < values.length; n++) values[n] -= dlse[n];
  const made: Record<string, Tensor> = {};
  for (const [name, t] of Object.entries({ q, k, v })) made[name] = allocate(call, t.shape);
  const to = { dq: at(made.q), dk: at(made.k), dv: at(made.v), slopes: at(slopes) };
  const saved = { lse: at(call.out.lse), delta: at(delta), dO: at(dy) };
  calls.attentionBackward(dims, { ...inputsOf(call), ...saved, ...to }, tablesOf(call));
  if (sink) made.sink = sinkGradient(call, values);
  if (slopes) made.alibiSlopes = slopeGradient(call, slopes.dataSync() as Float32Array);
  for (const t of [delta, slopes, call.grad.y ? undefined : dy]) t?.dispose();
  return made;
};

/** Tiled online softmax: O(T) memory; the backward pass recomputes tiles from the log-sum-exp. */
export const attentionChunkWasm: Implementation = {
  forward: (call) => {
    const { y, lse } = outputsOf(call);
    calls.attention(wasmDims(call), { ...inputsOf(call), o: at(y), lse: at(lse) }, tablesOf(call));
    return { y, lse };
  },
  backward,
};

/** Heads whose scores of 32 keys fit a thread's scratch memory, which the parts of a decode need. */
const MOST_HEADS = 8000;

/** One query: its keys in parts, each by itself, merged by their log-sum-exp. The same bits on any threads. */
export const attentionStepWasm = oneQuery({
  forward: (call) => {
    if (call.dims.H > MOST_HEADS) return attentionChunkWasm.forward(call);
    const { y, lse } = outputsOf(call);
    const size = (call.params.splitSize as number | undefined) ?? 512;
    const to = { ...inputsOf(call), o: at(y), lse: at(lse) };
    calls.attentionDecode(wasmDims(call), to, extraOf(call), size);
    return { y, lse };
  },
  backward,
});

/** Refuses more than one query. */
export function oneQuery(implementation: Implementation): Implementation {
  const forward: Kernel = (call) => {
    if (call.dims.Tq !== 1)
      throw new ArgumentError(`${WHERE}: q must hold one token in form step, got Tq = ${call.dims.Tq}`);
    return implementation.forward(call);
  };
  return { ...implementation, forward };
}
