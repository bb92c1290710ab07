/** The naive form: matrix products with the whole score matrix in memory, O(Tq Tk) bytes. */
import { add, affine, mul, sub, tanh, where } from '../../ops/map/index.js';
import { matmul } from '../../ops/matmul/index.js';
import { amax, logsumexp, sum } from '../../ops/reduce/index.js';
import { softmax } from '../../ops/softmax/index.js';
import { broadcastTo, cast, concat, permute, reshape, slice } from '../../ops/structure/index.js';
import type { Call, Implementation, OptionalTensors } from '../../tensor/operator.js';
import { scope } from '../../tensor/scope.js';
import { noGrad, valueAndGrad } from '../../tensor/tape.js';
import { full, tensor, zeros, type Tensor } from '../../tensor/tensor.js';
import { scaleOf } from './forms.js';
import { visibilityGpu } from './gpu-visibility.js';
import { attentionSequences, blocksOf, isPlain, NOTHING, rangeOf, reachOf } from './layout.js';

/** Which pairs are seen, 1 or 0, [B, 1 or H, Tq, Tk], and their distances, [B, 1, Tq, Tk]. */
export interface Visibility {
  seen: Tensor;
  distances: Tensor;
}

/** Additive mask [Tq, keys] of causality: 0 where visible, NOTHING elsewhere (finite: softmax of it is exactly 0). */
function causalMask(Tq: number, keys: number, like: Tensor): Tensor {
  const values = new Float64Array(Tq * keys);
  for (let i = 0; i < Tq; i++) for (let j = i + 1 + keys - Tq; j < keys; j++) values[i * keys + j] = NOTHING;
  return tensor(values, { shape: [Tq, keys], dtype: like.dtype, device: like.device });
}

function visibilityHost(call: Call): Visibility {
  const { B, Tq, Tk, H } = call.dims;
  const blocks = blocksOf(call);
  const mask = call.in.blockMask?.dataSync();
  const heads = blocks && blocks.headStride > 0 ? H : 1;
  const seen = new Float64Array(B * heads * Tq * Tk);
  const distances = new Float64Array(B * Tq * Tk);
  const reach = reachOf(call.params);
  for (const s of attentionSequences(call))
    for (let i = 0; i < s.tq; i++) {
      const [low, high] = rangeOf(reach, s, i);
      for (let j = 0; j < s.tk; j++) {
        const row = s.batch * Tq + s.qBase + i;
        const column = s.kBase + j;
        distances[row * Tk + column] = Math.abs(i + s.tk - s.tq - j);
        for (let h = 0; h < heads; h++) {
          const block =
            blocks &&
            s.batch * blocks.batchStride +
              h * blocks.headStride +
              Math.floor((s.qBase + i) / blocks.size) * blocks.rowStride +
              Math.floor(column / blocks.size);
          const open = j >= low && j < high && (block === undefined || mask![block] !== 0);
          seen[((s.batch * heads + h) * Tq + s.qBase + i) * Tk + column] = Number(open);
        }
      }
    }
  const { dtype, device } = call.in.q!;
  return {
    seen: tensor(seen, { shape: [B, heads, Tq, Tk], dtype, device }),
    distances: tensor(distances, { shape: [B, 1, Tq, Tk], dtype, device }),
  };
}

/** Heads first, key heads repeated: [B, H, T, D]. */
function headsFirst(call: Call, t: Tensor): Tensor {
  const { B, H, Hkv } = call.dims;
  const [, T, own, D] = t.shape;
  if (own === H) return permute(t, [0, 2, 1, 3]);
  const spread = broadcastTo(reshape(t, [B, T, Hkv, 1, D]), [B, T, Hkv, H / Hkv, D]);
  return permute(reshape(spread, [B, T, H, D]), [0, 2, 1, 3]);
}

function scoresOf(call: Call, q: Tensor, k: Tensor): Tensor {
  return affine(matmul(headsFirst(call, q), headsFirst(call, k), { transposeB: true }), scaleOf(call), 0);
}

/** Causal or full, no row without keys. */
function plain(call: Call, { q, k, v }: Record<string, Tensor>): { y: Tensor; lse: Tensor } {
  const { Tq, Tk } = call.dims;
  const keys = (call.params.keys as number | undefined) ?? Tk;
  // Rows of a cache beyond the keys in use hold anything, NaN included: they are cut off, not masked.
  const used = (t: Tensor) => (keys < Tk ? slice(t, 1, 0, keys) : t);
  const scores = scoresOf(call, q, used(k));
  const masked = call.params.causal ? add(scores, causalMask(Tq, keys, q)) : scores;
  const y = permute(matmul(softmax(masked), headsFirst(call, used(v))), [0, 2, 1, 3]);
  return { y, lse: logsumexp(masked, -1) };
}

function shaped(call: Call, inputs: OptionalTensors): { y: Tensor; lse: Tensor } {
  const { B, Tq, Tk, H } = call.dims;
  const { q, k, v, sink, alibiSlopes } = inputs as Record<string, Tensor | undefined>;
  const { seen, distances } = q!.device === 'gpu' ? visibilityGpu(call) : visibilityHost(call);
  const cap = call.params.softcap as number;
  // Rows that nobody sees may hold anything, NaN included, and 0 times NaN is NaN.
  const used = reshape(amax(amax(seen, 1), 1), [B, Tk, 1, 1]);
  const zero = tensor([0], { shape: [1, 1, 1, 1], dtype: q!.dtype, device: q!.device });
  const clean = (t: Tensor) => where(used, t, zero);
  let scores = scoresOf(call, q!, clean(k!));
  if (cap > 0) scores = affine(tanh(affine(scores, 1 / cap, 0)), cap, 0);
  if (alibiSlopes) scores = sub(scores, mul(reshape(alibiSlopes, [1, H, 1, 1]), distances));
  const nothing = tensor([NOTHING], { shape: [1, 1, 1, 1], dtype: scores.dtype, device: scores.device });
  let logits = where(seen, scores, nothing);
  if (sink) logits = concat([logits, broadcastTo(reshape(sink, [1, H, 1, 1]), [B, H, Tq, 1])], 3);
  const all = softmax(logits);
  const p = mul(sink ? slice(all, 3, 0, Tk) : all, seen);
  const y = permute(matmul(p, headsFirst(call, clean(v!))), [0, 2, 1, 3]);
  return { y, lse: logsumexp(logits, -1) };
}

/** No query or no key at all: operators over an axis of no elements are not defined. */
function withoutPairs(call: Call, sink: Tensor | undefined): { y: Tensor; lse: Tensor } {
  const { B, Tq, H, V } = call.dims;
  const { dtype, device } = call.in.q!;
  const wide = dtype === 'f16' ? 'f32' : dtype;
  return {
    y: zeros([B, Tq, H, V], { dtype, device }),
    lse: sink
      ? broadcastTo(reshape(sink, [1, H, 1]), [B, H, Tq])
      : full([B, H, Tq], NOTHING, { dtype: wide, device }),
  };
}

/** f16 is widened first. */
function whole(call: Call, inputs: OptionalTensors): { y: Tensor; lse: Tensor } {
  const { Tq, Tk } = call.dims;
  const keys = (call.params.keys as number | undefined) ?? Tk;
  const half = inputs.q!.dtype === 'f16';
  const wide = { ...inputs };
  if (half) for (const name of ['q', 'k', 'v']) wide[name] = cast(inputs[name]!, 'f32');
  if (Tq === 0 || Tk === 0) return withoutPairs(call, inputs.sink);
  const simple = isPlain(call) && keys > 0 && !(call.params.causal && Tq > keys);
  const { y, lse } = simple ? plain(call, wide as Record<string, Tensor>) : shaped(call, wide);
  return { y: half ? cast(y, 'f16') : y, lse };
}

/** Outputs times the gradients that came for them, as one number whose gradients are the call's. */
function readOut(call: Call, inputs: OptionalTensors): Tensor {
  const outputs = whole(call, inputs);
  const wide = (t: Tensor) => (t.dtype === 'f16' ? cast(t, 'f32') : t);
  const terms = (['y', 'lse'] as const).flatMap((name) => {
    const given = call.grad[name];
    return given ? [sum(mul(wide(outputs[name]), wide(given)))] : [];
  });
  return terms.reduce((a, b) => add(a, b));
}

/** Its gradient is the tape's own; scores are made again for it. */
export const attentionParallel: Implementation = {
  forward: (call) => scope(() => noGrad(() => whole(call, call.in))),
  backward: (call) =>
    scope(() => {
      const names = ['q', 'k', 'v', 'sink', 'alibiSlopes'].filter((name) => call.in[name]);
      // Fresh handles: self-attention may pass one tensor in several places, whose gradients must stay apart.
      const leaves = Object.fromEntries(names.map((name) => [name, call.in[name]!.view()]));
      const both = valueAndGrad((p: Record<string, Tensor>) => readOut(call, { ...call.in, ...p }));
      return both(leaves).grads;
    }),
};
