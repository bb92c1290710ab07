/** Family softmax-attention: the quadratic opponent of every linear-time mixer. */
import { ArgumentError, show } from '../../core/errors.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type InputSpec } from '../../tensor/operator.js';
import { requireTensor, tensor, type Tensor } from '../../tensor/tensor.js';
import { ATTENTION_CASES } from './cases.js';
import { checkAttention, pairs, sampleAttention } from './check.js';
import { attentionChunkWasm, attentionStepWasm, oneQuery } from './forms.js';
import { attentionGpu, attentionStepGpu } from './gpu.js';
import { attentionParallel } from './parallel.js';
import { attentionReference } from './reference.js';

const optional = (name: string, shape: string, doc: string): InputSpec => ({
  name,
  shape,
  doc,
  optional: true,
});
const table = (name: string, shape: string, doc: string): InputSpec => ({
  ...optional(name, shape, doc),
  dtypes: ['i32'],
  differentiable: false,
});

const op = defineOperator({
  id: 'softmax-attention',
  summary: 'scaled dot-product attention with grouped key/value heads, masks, sinks and log-sum-exp',
  equation: 'y_i = sum_j softmax_j(scale q_i . k_j) v_j; lse_i = log sum_j exp(scale q_i . k_j)',
  inputs: [
    { name: 'q', shape: 'B Tq H K', half: true, doc: 'queries' },
    { name: 'k', shape: 'B Tk Hkv K', half: true, doc: 'keys; head h reads key head floor(h Hkv / H)' },
    { name: 'v', shape: 'B Tk Hkv V', half: true, doc: 'values' },
    optional('sink', 'H', 'a logit of each head that takes part in the softmax and has no value'),
    optional('alibiSlopes', 'H', 'each score loses slope times the distance in tokens'),
    table('cuSeqlensQ', 'S+1', 'starts of packed queries and the end of the last; then B = 1'),
    table('cuSeqlensK', 'S+1', 'starts of the keys of the same sequences'),
    table('keyCounts', 'B | S', 'keys in use of each sequence; the others are not read'),
    table('prefix', 'B | S', 'keys that all queries of a sequence see'),
    table('blockMask', '*', '[Tq/blockSize, Tk/blockSize] after [B,H] or less: blocks of 0 are skipped'),
  ],
  outputs: [
    { name: 'y', shape: 'B Tq H V', doc: 'mixed values' },
    { name: 'lse', shape: 'B H Tq', doc: 'log-sum-exp of the scores seen, sink included; -1e30 for none' },
  ],
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
      minimum: 0,
      doc: 'use only the first keys of a cache; default all',
    },
    windowLeft: {
      type: 'integer',
      default: -1,
      doc: 'keys to the left of its place that a query sees; -1 all',
    },
    windowRight: { type: 'integer', default: -1, doc: 'keys to the right, when not causal; -1 all' },
    softcap: {
      type: 'number',
      default: 0,
      minimum: 0,
      maximum: 3e38,
      doc: 'scores become softcap tanh(score / softcap); 0 leaves them',
    },
    blockSize: {
      type: 'integer',
      default: undefined,
      minimum: 1,
      doc: 'rows and keys of a block of blockMask',
    },
    splitSize: { type: 'integer', default: 512, minimum: 32, doc: 'keys of a part in form step' },
  },
  state: 'key/value cache [B,T,Hkv,K] and [B,T,Hkv,V]: grows with T',
  check: checkAttention,
  forms: {
    reference: { cpu: attentionReference },
    chunk: { wasm: attentionChunkWasm, webgpu: attentionGpu },
    parallel: { cpu: attentionParallel, wasm: attentionParallel, webgpu: attentionParallel },
    step: { cpu: oneQuery(attentionReference), wasm: attentionStepWasm, webgpu: attentionStepGpu },
  },
  flops: (d, p) => pairs(d, p) * (2 * d.K + 2 * d.V + 4),
  bytes: (d, p) => 4 * d.B * (d.Tq * d.H + ((p.keys as number | undefined) ?? d.Tk) * d.Hkv) * (d.K + d.V),
  cases: ATTENTION_CASES,
  sample: sampleAttention,
  floors: {
    one: {
      floor: 1,
      reason: 'with one key the gradients of q and k are exactly 0, a difference of terms of size 1',
    },
  },
  sources: [
    'Vaswani et al. 2017, arXiv 1706.03762v7, equation 1; tiling: flash-attention, arXiv 2205.14135, algorithm 1',
    'gradients in tiles: Dao 2023, arXiv 2307.08691, algorithm 2; ALiBi: Press et al. 2022, arXiv 2108.12409',
  ],
});

export interface AttentionOptions {
  /** Factor on the scores; default 1/sqrt(K). */
  scale?: number;
  /** Default true: query i sees keys up to i + keys - Tq. */
  causal?: boolean;
  /** Use only the first rows of k and v, as with a preallocated cache: one number, or i32 [B] (packed [S]). */
  keys?: number | Tensor;
  /** Keys to the left and right of its own place that a query sees, both inclusive; -1 does not bound. */
  window?: readonly [left: number, right: number];
  /** c > 0: scores become c tanh(score / c), before everything that follows. */
  softcap?: number;
  /** [H]: slopes m of the bias -m |distance|; see `alibiSlopes`. */
  alibiSlopes?: Tensor | readonly number[];
  /** A logit without a value, [H] or one number for all heads. 0 is softmax-plus-one. */
  sink?: Tensor | number | readonly number[];
  /** i32 [B] (packed [S]): the first keys of each sequence, seen by all its queries (prefix-LM). */
  prefix?: Tensor;
  /** i32 [Tq/size, Tk/size] after [B,H], [H] or nothing: blocks of 0 are skipped. */
  blockMask?: Tensor;
  /** Rows and keys of a block; needed with blockMask. */
  blockSize?: number;
  /** i32 [S+1]: starts of packed sequences and the end of the last, for queries and keys alike; then B = 1. */
  cuSeqlens?: Tensor;
  /** The same where queries and keys have lengths of their own. */
  cuSeqlensQ?: Tensor;
  cuSeqlensK?: Tensor;
  /** Keys that one part of a decode (form step) takes; default 512. */
  splitSize?: number;
  form?: Form;
}

function perHead(q: Tensor, value: Tensor | number | readonly number[] | undefined): Tensor | undefined {
  if (value === undefined || (typeof value === 'object' && 'dtype' in value)) return value;
  const values = typeof value === 'number' ? new Array<number>(q.shape[2]).fill(value) : [...value];
  return tensor(values, { dtype: q.dtype === 'f64' ? 'f64' : 'f32', device: q.device });
}

function starts(options: AttentionOptions): { cuSeqlensQ?: Tensor; cuSeqlensK?: Tensor } {
  const { cuSeqlens, cuSeqlensQ = cuSeqlens, cuSeqlensK = cuSeqlens } = options;
  return { cuSeqlensQ, cuSeqlensK };
}

/**
 * Softmax attention with its log-sum-exp: q [B,Tq,H,K], k [B,Tk,Hkv,K], v [B,Tk,Hkv,V] give y [B,Tq,H,V] and lse
 * [B,H,Tq] (f32 beside f16). Gradients flow through both outputs, to q, k, v, sink and slopes. A row that sees no key
 * is 0 with lse -1e30 (or the sink's logit). Causal by default, aligned so that the last query sees all keys.
 * @throws ShapeError, DtypeError or ArgumentError for what does not fit
 */
export function softmaxAttentionWithLse(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions = {},
): { y: Tensor; lse: Tensor } {
  requireTensor('softmaxAttention', 'q', q);
  const { form, keys, window = [-1, -1], scale, causal, softcap, blockSize, splitSize } = options;
  if (!Array.isArray(window) || window.length !== 2)
    throw new ArgumentError(`softmaxAttention: window must be [left, right], got ${show(window)}`);
  const count = typeof keys === 'object' ? undefined : keys;
  const inputs = {
    ...{ q, k, v, prefix: options.prefix, blockMask: options.blockMask, ...starts(options) },
    keyCounts: typeof keys === 'object' ? keys : undefined,
    sink: perHead(q, options.sink),
    alibiSlopes: perHead(q, options.alibiSlopes),
  };
  const given = Object.fromEntries(Object.entries(inputs).filter(([, t]) => t !== undefined));
  const [windowLeft, windowRight] = window as readonly [number, number];
  const params = { scale, causal, keys: count, windowLeft, windowRight, softcap, blockSize, splitSize };
  const { y, lse } = op(given, params, { form });
  return { y, lse };
}

/**
 * Softmax attention: q [B,Tq,H,K], k [B,Tk,Hkv,K], v [B,Tk,Hkv,V] give [B,Tq,H,V]. Causal by default, aligned so that the
 * last query sees all keys; options for windows, sinks, softcap, ALiBi, prefixes, block masks and packed sequences.
 * Gradients flow to q, k, v, sink and slopes.
 * @throws ShapeError, DtypeError or ArgumentError for what does not fit
 */
export function softmaxAttention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  return softmaxAttentionWithLse(q, k, v, options).y;
}

export { alibiSlopes } from './slopes.js';
export { mergeAttentionStates, type AttentionState } from './merge.js';
export { op as softmaxAttentionOperator };
