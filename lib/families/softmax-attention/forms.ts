/** Faster forms: scores materialised by matrix products, tiled online softmax on WASM, one-query decode. */
import * as calls from '../../cpu/wasm/calls.js';
import { ArgumentError } from '../../core/errors.js';
import { matmul } from '../../ops/matmul/index.js';
import { broadcastTo, permute, reshape, slice } from '../../ops/structure/index.js';
import { add, affine, mul } from '../../ops/map/index.js';
import { softmax } from '../../ops/softmax/index.js';
import { allocate, type Call, type Implementation, type Kernel } from '../../tensor/operator.js';
import { noGrad, valueAndGrad } from '../../tensor/tape.js';
import { scope } from '../../tensor/scope.js';
import { sum } from '../../ops/reduce/index.js';
import { Tensor, tensor } from '../../tensor/tensor.js';
import { attentionView } from './reference.js';

/** Additive mask [Tq, keys] of causality: 0 where visible, -1e30 elsewhere (finite: softmax of it is exactly 0). */
function mask(Tq: number, keys: number, like: Tensor): Tensor {
  const values = new Float64Array(Tq * keys);
  for (let i = 0; i < Tq; i++) for (let j = i + 1 + keys - Tq; j < keys; j++) values[i * keys + j] = -1e30;
  return tensor(values, { shape: [Tq, keys], dtype: like.dtype, device: like.device });
}

/** softmax(scale Q K^T + mask) V with all scores in memory: O(Tq Tk) bytes. */
function materialised(call: Call, q: Tensor, k: Tensor, v: Tensor): Tensor {
  const { B, Tq, Tk, H, Hkv, K, V } = call.dims;
  const scale = (call.params.scale as number | undefined) ?? 1 / Math.sqrt(K);
  const keys = (call.params.keys as number | undefined) ?? Tk;
  // Rows of a cache beyond the keys in use hold anything, NaN included: they are cut off, not masked.
  const used = (t: Tensor) => (keys < Tk ? slice(t, 1, 0, keys) : t);
  const heads = (t: Tensor, n: number, d: number) => {
    const spread =
      H === Hkv || t === q
        ? t
        : reshape(broadcastTo(reshape(t, [B, n, Hkv, 1, d]), [B, n, Hkv, H / Hkv, d]), [B, n, H, d]);
    return permute(spread, [0, 2, 1, 3]);
  };
  const scores = affine(matmul(heads(q, Tq, K), heads(used(k), keys, K), { transposeB: true }), scale, 0);
  const masked = call.params.causal ? add(scores, mask(Tq, keys, q)) : scores;
  return permute(matmul(softmax(masked), heads(used(v), keys, V)), [0, 2, 1, 3]);
}

/** The naive form: matrix products with the whole score matrix; its gradient is the tape's own. */
export const attentionParallel: Implementation = {
  forward: (call) => ({
    y: scope(() => noGrad(() => materialised(call, call.in.q!, call.in.k!, call.in.v!))),
  }),
  backward: (call) =>
    scope(() => {
      const { q, k, v } = call.in as Record<string, Tensor>;
      const dot = valueAndGrad((p: { q: Tensor; k: Tensor; v: Tensor }) =>
        sum(mul(materialised(call, p.q, p.k, p.v), call.grad.y!)),
      );
      // Fresh handles: self-attention may pass one tensor in several places, whose gradients must stay apart.
      return dot({ q: q.view(), k: k.view(), v: v.view() }).grads;
    }),
};

const at = (t: Tensor | undefined) => t?.pointer('softmax-attention') ?? 0;

function wasmDims(call: Call) {
  const { B, Tq, Tk, H, Hkv, K, V } = call.dims;
  const { scale, keys } = attentionView(call);
  return { B, Tq, Tk: keys, capacity: Tk, H, Hkv, K, V, scale, causal: Boolean(call.params.causal) };
}

/** Tiled online softmax: O(T) memory; keeps log-sum-exp per query, the backward pass recomputes tiles. */
export const attentionChunkWasm: Implementation = {
  forward: (call) => {
    const { B, Tq, H, V } = call.dims;
    const y = allocate(call, [B, Tq, H, V]);
    const lse = call.training ? Tensor.empty([B, H, Tq], 'f32', 'host', 'softmax-attention') : undefined;
    calls.attention(wasmDims(call), {
      q: at(call.in.q),
      k: at(call.in.k),
      v: at(call.in.v),
      o: at(y),
      lse: at(lse),
    });
    if (lse) call.saved.logsumexp = lse;
    return { y };
  },
  backward: (call) => {
    const { q, k, v } = call.in as Record<string, Tensor>;
    const made = { q: allocate(call, q.shape), k: allocate(call, k.shape), v: allocate(call, v.shape) };
    calls.attentionBackward(wasmDims(call), {
      q: at(q),
      k: at(k),
      v: at(v),
      o: at(call.out.y),
      lse: at(call.saved.logsumexp),
      dO: at(call.grad.y),
      dq: at(made.q),
      dk: at(made.k),
      dv: at(made.v),
    });
    return made;
  },
};

/** Decode: one query against a cache of T keys. */
export function decode(implementation: Implementation): Implementation {
  const forward: Kernel = (call) => {
    if (call.dims.Tq !== 1)
      throw new ArgumentError(
        `softmax-attention: q must hold one token in form step, got Tq = ${call.dims.Tq}`,
      );
    return implementation.forward(call);
  };
  return { ...implementation, forward };
}
