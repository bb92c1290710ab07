/** Retention over the scalar-decay operator with one decay a head, and its quadratic form. */
import { abs, maximum, sqrt } from '../../ops/map/index.js';
import { scalarDecay } from '../../ops/scalar-decay/index.js';
import { divideRows, withOnes } from '../../ops/sequence/columns.js';
import { decayParallel, type ParallelInputs } from '../../ops/sequence/decay-parallel.js';
import { cast, concat, slice } from '../../ops/structure/index.js';
import type { Form } from '../../tensor/backend.js';
import { composed } from '../../tensor/composed.js';
import type { Call, Implementation, OptionalTensors, Tensors } from '../../tensor/operator.js';
import { noGrad } from '../../tensor/tape.js';
import { ones, tensor, zeros, type Tensor } from '../../tensor/tensor.js';
import { retentionLogGammas } from './gammas.js';

/** Sums of weights do not fit f16: they are made in f32. */
const widened = (t: Tensor) => (t.dtype === 'f16' ? cast(t, 'f32') : t);

function mix(inputs: ParallelInputs, scale: number, form: Form): { y: Tensor; finalState: Tensor } {
  return form === 'parallel' ? decayParallel(inputs, scale) : scalarDecay(inputs, { scale, form });
}

/** n_t = gamma n_{t-1} + 1 [B,T,H,1] and the last one: a retention of ones. */
function counts(inputs: ParallelInputs, form: Form): { y: Tensor; finalState: Tensor } {
  const { v, decay, initialState, cuSeqlens } = inputs;
  const [B, T, H, V] = v.shape;
  const K = initialState ? initialState.shape[2] - 1 : 0;
  const like = { dtype: decay!.dtype, device: v.device };
  const one = ones([B, T, 1, 1], like);
  const before = initialState && slice(slice(initialState, 2, K, K + 1), 3, V, V + 1);
  const each = { q: one, k: one, v: ones([B, T, H, 1], like), decay, initialState: before, cuSeqlens };
  return mix(each, 1, form);
}

/**
 * y_t = scale S_t^T q_t / max(sqrt(n_t), |scale z_t . q_t|): the square root of RetNet's D over its sum and the row sum
 * of its scores at once. The row sums are one more value, a column of ones; the divisor is a constant of the gradient.
 */
function retnet(inputs: ParallelInputs, call: Call, form: Form): Tensors {
  const { q, k, v, initialState, ...rest } = inputs;
  const V = v.shape[3];
  const count = noGrad(() => counts(inputs, form));
  const start = initialState && slice(initialState, 2, 0, initialState.shape[2] - 1);
  const mixed = mix(
    { q: widened(q), k: widened(k), v: withOnes(v), initialState: start, ...rest },
    call.params.scale as number,
    form,
  );
  const divisor = noGrad(() => maximum(sqrt(count.y), abs(slice(mixed.y, 3, V, V + 1))));
  const y = cast(divideRows(mixed.y, divisor), v.dtype);
  const [rows, heads] = mixed.finalState.shape;
  const empty = zeros([rows, heads, 1, V], { dtype: count.finalState.dtype, device: v.device });
  const last = concat([empty, count.finalState], 3);
  return { y, finalState: concat([mixed.finalState, last], 2) };
}

/** RetNet's decays where none are given. */
function withDecay(inputs: ParallelInputs): ParallelInputs {
  const { q, decay } = inputs;
  if (decay) return inputs;
  const like = { dtype: q.dtype === 'f16' ? ('f32' as const) : q.dtype, device: q.device };
  return { ...inputs, decay: tensor(retentionLogGammas(q.shape[2]), like) };
}

/** The form of that name, for every backend. */
export function retentionForm(form: Form): Implementation {
  return composed((given: OptionalTensors, call) => {
    const inputs = withDecay(given as unknown as ParallelInputs);
    return call.params.normalize === 'retnet'
      ? retnet(inputs, call, form)
      : mix(inputs, call.params.scale as number, form);
  });
}
