/** Operator rwkv/wkv7: the generalised delta rule of RWKV-7. */
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { dplrOperator } from '../../ops/dplr/index.js';
import { mul, neg } from '../../ops/map/index.js';
import { checkSequences, CU_SEQLENS, samplePacked } from '../../ops/sequence/index.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { formsOver } from './mirror.js';

const base = dplrOperator.record;

/** Unit removal keys, rates in (0, 1), decays in [-e^{-1/2}, 0]. */
function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  const draw = (f: () => number) => Float64Array.from({ length: sizeOf(shape) }, f);
  if (input === 'cuSeqlens') return samplePacked(dims);
  if (input === 'rate') return draw(uniform);
  if (input === 'decay') return draw(() => -0.6065 * uniform());
  if (input !== 'removal') return undefined;
  const values = draw(() => uniform() - 0.5);
  for (let at = 0; at < values.length; at += dims.K) {
    const row = values.subarray(at, at + dims.K);
    const size = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
    row.forEach((x, i) => (row[i] = x / size));
  }
  return values;
}

const op = defineOperator({
  id: 'rwkv/wkv7',
  summary:
    'matrix-valued states from which every token removes along one key and to which it adds along another (RWKV-7)',
  equation:
    'S_t = (Diag(e^{w_t}) - (kk_t * a_t) kk_t^T) S_{t-1} + k_t v_t^T; y_t = S_t^T r_t, with the removal key kk and rate a',
  inputs: [
    { name: 'r', shape: 'B T H K', half: true, doc: 'receptance: what reads the state' },
    { name: 'k', shape: 'B T H K', half: true, doc: 'replacement keys, what is written to' },
    { name: 'v', shape: 'B T H V', half: true, doc: 'values' },
    { name: 'removal', shape: 'B T H K', half: true, doc: 'kk, removal keys, of unit length' },
    {
      name: 'rate',
      shape: 'B T H K',
      half: true,
      doc: 'a, in-context learning rates in (0, 1), a lane each',
    },
    {
      name: 'decay',
      shape: 'B T H K',
      doc: 'w, natural logarithms of the decays: -e^{-1/2} sigmoid of what the token gives',
    },
    {
      name: 'initialState',
      shape: 'B H K V | S H K V',
      optional: true,
      doc: 'state before the first token; zeros when absent',
    },
    CU_SEQLENS,
  ],
  outputs: base.outputs,
  parameters: {},
  state: 'B H K V',
  check: (call) => checkSequences(call, 'r'),
  forms: formsOver(dplrOperator, ({ r, removal, rate, ...others }) => ({
    ...others,
    q: r,
    a: neg(removal!),
    b: mul(removal!, rate!),
  })),
  prefer: base.prefer,
  flops: (d, p) => base.flops(d, p) + 2 * d.B * d.T * d.H * d.K,
  bytes: (d, p) => base.bytes(d, p),
  cases: [
    { name: 'one-token', dims: { B: 2, T: 1, H: 2, K: 4, V: 3 }, with: ['initialState'] },
    { name: 'prime', dims: { B: 2, T: 13, H: 2, K: 4, V: 3 }, with: ['initialState'] },
    { name: 'chunks', dims: { B: 1, T: 67, H: 2, K: 8, V: 6 } },
    {
      name: 'packed',
      dims: { B: 1, T: 31, H: 2, K: 4, V: 5, S: 4 },
      shapes: { initialState: [4, 2, 4, 5] },
      with: ['initialState', 'cuSeqlens'],
    },
  ],
  sample,
  sources: ['rwkv-7, arXiv 2503.14456v2, section 4; shared kernel: ops/dplr'],
});

export interface Wkv7Inputs {
  /** [B,T,H,K] */
  r: Tensor;
  /** [B,T,H,K] */
  k: Tensor;
  /** [B,T,H,V] */
  v: Tensor;
  /** kk: [B,T,H,K], of unit length */
  removal: Tensor;
  /** a: [B,T,H,K], in (0, 1) */
  rate: Tensor;
  /** log-decays, in (-e^{-1/2}, 0): [B,T,H,K] */
  decay: Tensor;
  /** [B,H,K,V], or [S,H,K,V] packed */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. Its values are checked on the host; on a GPU ranges are cut to T. */
  cuSeqlens?: Tensor;
}

/**
 * The recurrence of RWKV-7: y [B,T,H,V] and finalState [B,H,K,V]. The read is inclusive and there is no scale; the bonus
 * (r . k) v of the block is not part of it. Kernels elsewhere take a = -kk and b = kk * rate: see ops/dplr.
 * Source: arXiv 2503.14456v2, section 4. States are [K,V]; the authors' are the transpose.
 */
export function wkv7(inputs: Wkv7Inputs, options: { form?: Form } = {}): { y: Tensor; finalState: Tensor } {
  const { form, ...params } = options;
  const { y, finalState } = op({ ...inputs }, params, { form });
  return { y, finalState };
}

export { op as wkv7Operator };
