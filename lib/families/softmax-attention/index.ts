/** Family softmax-attention: the quadratic opponent of every linear-time mixer. */
import { ArgumentError, ShapeError } from '../../core/errors.js';
import type { Dims } from '../../core/shape.js';
import { slice } from '../../ops/structure/index.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type Call, type Params } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { attentionChunkWasm, attentionParallel, decode } from './forms.js';
import { attentionGpu } from './gpu.js';
import { attentionReference } from './reference.js';

function check(call: Call): void {
  const { Tq, Tk, H, Hkv, K, V } = call.dims;
  const keys = (call.params.keys as number | undefined) ?? Tk;
  if (Hkv === 0 || H % Hkv !== 0)
    throw new ShapeError(`softmax-attention: H must be a multiple of Hkv, got H = ${H} and Hkv = ${Hkv}`);
  if (K === 0 || V === 0)
    throw new ShapeError(`softmax-attention: K and V must be at least 1, got K = ${K} and V = ${V}`);
  if (keys > Tk || keys < 1)
    throw new ArgumentError(`softmax-attention: keys must lie in [1, ${Tk}], got ${keys}`);
  if (call.params.causal && Tq > keys)
    throw new ShapeError(
      `softmax-attention: causal q must not be longer than the keys, got Tq = ${Tq} and ${keys} keys`,
    );
}

/** Score pairs that count: all, or the causal triangle; of a cache only the rows in use. */
function pairs(d: Dims, params: Params): number {
  const keys = (params.keys as number | undefined) ?? d.Tk;
  return d.B * d.H * d.Tq * (params.causal === false ? keys : keys - (d.Tq - 1) / 2);
}

const op = defineOperator({
  id: 'softmax-attention',
  summary: 'scaled dot-product attention with grouped key/value heads',
  equation: 'y_i = sum_j softmax_j(scale q_i . k_j) v_j',
  inputs: [
    { name: 'q', shape: 'B Tq H K', half: true, doc: 'queries' },
    { name: 'k', shape: 'B Tk Hkv K', half: true, doc: 'keys; head h reads key head floor(h Hkv / H)' },
    { name: 'v', shape: 'B Tk Hkv V', half: true, doc: 'values' },
  ],
  outputs: [{ name: 'y', shape: 'B Tq H V', doc: 'mixed values' }],
  parameters: {
    scale: {
      type: 'number',
      default: undefined,
      minimum: 0,
      maximum: 3e38,
      doc: 'factor on the scores; default 1/sqrt(K)',
    },
    causal: { type: 'boolean', default: true, doc: 'query i sees keys up to i + keys - Tq' },
    keys: {
      type: 'integer',
      default: undefined,
      minimum: 1,
      doc: 'use only the first keys of a cache; default all',
    },
  },
  state: 'key/value cache [B,T,Hkv,K] and [B,T,Hkv,V]: grows with T',
  check,
  forms: {
    reference: { cpu: attentionReference },
    chunk: { wasm: attentionChunkWasm, webgpu: attentionGpu },
    parallel: { cpu: attentionParallel, wasm: attentionParallel, webgpu: attentionParallel },
    step: { cpu: decode(attentionReference), wasm: decode(attentionChunkWasm), webgpu: decode(attentionGpu) },
  },
  flops: (d, p) => pairs(d, p) * (2 * d.K + 2 * d.V + 4),
  bytes: (d, p) => 4 * d.B * (d.Tq * d.H + ((p.keys as number | undefined) ?? d.Tk) * d.Hkv) * (d.K + d.V),
  cases: [
    { name: 'prime', dims: { B: 2, Tq: 13, Tk: 13, H: 3, Hkv: 3, K: 5, V: 4 } },
    { name: 'grouped', dims: { B: 1, Tq: 7, Tk: 11, H: 4, Hkv: 2, K: 8, V: 6 } },
    {
      name: 'full',
      dims: { B: 1, Tq: 5, Tk: 9, H: 2, Hkv: 1, K: 4, V: 7 },
      params: { causal: false, scale: 0.3 },
    },
    { name: 'one', dims: { B: 2, Tq: 1, Tk: 1, H: 2, Hkv: 2, K: 4, V: 4 } },
    { name: 'decode', dims: { B: 2, Tq: 1, Tk: 37, H: 4, Hkv: 2, K: 16, V: 8 } },
    {
      name: 'cache',
      dims: { B: 2, Tq: 3, Tk: 11, H: 2, Hkv: 1, K: 4, V: 5 },
      params: { keys: 7 },
    },
    {
      name: 'cache-full',
      dims: { B: 1, Tq: 2, Tk: 70, H: 2, Hkv: 2, K: 4, V: 3 },
      params: { keys: 65, causal: false },
    },
    { name: 'tiles', dims: { B: 1, Tq: 67, Tk: 67, H: 2, Hkv: 2, K: 16, V: 16 } },
  ],
  floors: {
    one: {
      floor: 1,
      reason: 'with one key the gradients of q and k are exactly 0, a difference of terms of size 1',
    },
  },
  sources: [
    'Vaswani et al. 2017, arXiv 1706.03762v7, equation 1; tiling: flash-attention, arXiv 2205.14135, algorithm 1',
  ],
});

export interface AttentionOptions {
  scale?: number;
  causal?: boolean;
  /** Use only the first `keys` rows of k and v, as with a preallocated cache. */
  keys?: number;
  form?: Form;
}

/**
 * Softmax attention: q [B,Tq,H,K], k [B,Tk,Hkv,K], v [B,Tk,Hkv,V] give [B,Tq,H,V]. Causal by default, aligned so
 * that the last query sees all keys.
 */
export function softmaxAttention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const { form, keys, ...params } = options;
  if (keys !== undefined && k.device === 'gpu')
    return op({ q, k: slice(k, 1, 0, keys), v: slice(v, 1, 0, keys) }, params, { form }).y;
  return op({ q, k, v }, { ...params, keys }, { form }).y;
}

export { op as softmaxAttentionOperator };
