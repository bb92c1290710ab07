/** Operators rwkv/wkv5 and rwkv/wkv6: matrix states that are read before the token enters them, which has a bonus instead. */
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import { diagonalDecayOperator } from '../../ops/diagonal-decay/index.js';
import { checkSequences, CU_SEQLENS, samplePacked } from '../../ops/sequence/index.js';
import type { Form } from '../../tensor/backend.js';
import { defineOperator, type InputSpec, type OperatorCase, type Params } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { formsOver } from './mirror.js';

const base = diagonalDecayOperator.record;

const forms = formsOver(diagonalDecayOperator, ({ r, ...others }) => ({ q: r, ...others }));

function sample(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  if (input === 'cuSeqlens') return samplePacked(dims);
  // -e^raw with raw in [-6, 1], as trained models have it.
  if (input === 'decay')
    return Float64Array.from({ length: sizeOf(shape) }, () => -(0.0025 * 1097 ** uniform()));
  return undefined;
}

const CASES: readonly OperatorCase[] = [
  { name: 'one-token', dims: { B: 2, T: 1, H: 2, K: 4, V: 3 }, with: ['initialState'] },
  { name: 'prime', dims: { B: 2, T: 13, H: 2, K: 4, V: 3 }, with: ['initialState'] },
  { name: 'chunks', dims: { B: 1, T: 67, H: 2, K: 8, V: 6 } },
  {
    name: 'packed',
    dims: { B: 1, T: 31, H: 2, K: 4, V: 5, S: 4 },
    shapes: { initialState: [4, 2, 4, 5] },
    with: ['initialState', 'cuSeqlens'],
  },
];

const inputs = (decay: Pick<InputSpec, 'shape' | 'doc'>): InputSpec[] => [
  { name: 'r', shape: 'B T H K', half: true, doc: 'receptance: what reads the state' },
  { name: 'k', shape: 'B T H K', half: true, doc: 'keys' },
  { name: 'v', shape: 'B T H V', half: true, doc: 'values' },
  { name: 'decay', ...decay },
  { name: 'bonus', shape: 'H K', doc: 'u: weight of the token itself, in place of its decay' },
  {
    name: 'initialState',
    shape: 'B H K V | S H K V',
    optional: true,
    doc: 'state before the first token; zeros when absent',
  },
  CU_SEQLENS,
];

const shared = {
  outputs: base.outputs,
  parameters: {},
  state: 'B H K V',
  check: (call: Parameters<typeof checkSequences>[0]) => checkSequences(call, 'r'),
  forms,
  prefer: base.prefer,
  flops: (d: Dims, p: Params) => base.flops(d, p),
  bytes: (d: Dims, p: Params) => base.bytes(d, p),
  cases: CASES,
  sample,
};

const wkv5Op = defineOperator({
  ...shared,
  id: 'rwkv/wkv5',
  summary:
    'matrix-valued states with a fixed decay in every key lane and a bonus for the token itself (RWKV-5)',
  equation: 'y_t = (S_{t-1} + Diag(u) k_t v_t^T)^T r_t; S_t = Diag(e^w) S_{t-1} + k_t v_t^T',
  inputs: inputs({ shape: 'H K', doc: 'w, natural logarithms of the decays: -exp of the parameter' }),
  sources: ['rwkv-5-6, arXiv 2404.05892v4, section 4.1; shared kernel: ops/diagonal-decay'],
});

const wkv6Op = defineOperator({
  ...shared,
  id: 'rwkv/wkv6',
  summary: 'matrix-valued states with a decay of the token in every key lane and a bonus (RWKV-6)',
  equation: 'y_t = (S_{t-1} + Diag(u) k_t v_t^T)^T r_t; S_t = Diag(e^{w_t}) S_{t-1} + k_t v_t^T',
  inputs: inputs({
    shape: 'B T H K',
    doc: 'w_t, natural logarithms of the decays: -exp of what the token gives',
  }),
  sources: ['rwkv-5-6, arXiv 2404.05892v4, section 4.2; shared kernel: ops/diagonal-decay'],
});

export interface Wkv56Inputs {
  /** [B,T,H,K] */
  r: Tensor;
  /** [B,T,H,K] */
  k: Tensor;
  /** [B,T,H,V] */
  v: Tensor;
  /** log-decays, at most 0: [H,K] for RWKV-5, [B,T,H,K] for RWKV-6 */
  decay: Tensor;
  /** u: [H,K] */
  bonus: Tensor;
  /** [B,H,K,V], or [S,H,K,V] packed */
  initialState?: Tensor;
  /** i32 [S+1]; then B = 1. Its values are checked on the host; on a GPU ranges are cut to T. */
  cuSeqlens?: Tensor;
}

/**
 * The recurrence of RWKV-5: y [B,T,H,V] and finalState [B,H,K,V]. There is no scale. The decay is fixed, [H,K].
 * Source: arXiv 2404.05892v4, section 4.1. States are [K,V]; the authors' kernels hold them [V,K].
 */
export function wkv5(inputs: Wkv56Inputs, options: { form?: Form } = {}): { y: Tensor; finalState: Tensor } {
  const { form, ...params } = options;
  const { y, finalState } = wkv5Op({ ...inputs }, params, { form });
  return { y, finalState };
}

/**
 * The recurrence of RWKV-6: as RWKV-5 with a decay of the token, [B,T,H,K].
 * Source: arXiv 2404.05892v4, section 4.2.
 */
export function wkv6(inputs: Wkv56Inputs, options: { form?: Form } = {}): { y: Tensor; finalState: Tensor } {
  const { form, ...params } = options;
  const { y, finalState } = wkv6Op({ ...inputs }, params, { form });
  return { y, finalState };
}

export { wkv5Op as wkv5Operator, wkv6Op as wkv6Operator };
