/** Linear attention over the scalar-decay operator without decay, and its quadratic form. */
import { scalarDecay } from '../../ops/scalar-decay/index.js';
import { divideByColumn, withOnes } from '../../ops/sequence/columns.js';
import { decayParallel } from '../../ops/sequence/decay-parallel.js';
import { cast } from '../../ops/structure/index.js';
import type { Form } from '../../tensor/backend.js';
import { composed } from '../../tensor/composed.js';
import type { Call, Implementation, OptionalTensors, Tensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';

type Inputs = { q: Tensor; k: Tensor; v: Tensor; initialState?: Tensor; cuSeqlens?: Tensor };

/** Sums of weights do not fit f16 (a thousand features over a thousand tokens): they are made in f32. */
const widened = (t: Tensor) => (t.dtype === 'f16' ? cast(t, 'f32') : t);

function mix(inputs: Inputs, scale: number, form: Form): { y: Tensor; finalState: Tensor } {
  return form === 'parallel' ? decayParallel(inputs, scale) : scalarDecay(inputs, { scale, form });
}

/** Values get a column of ones: the sum of weights is then one more value, and its state one more column. */
function normalized({ q, k, v, ...rest }: Inputs, call: Call, form: Form): Tensors {
  const inputs = { q: widened(q), k: widened(k), v: withOnes(v), ...rest };
  const { y: n, finalState } = mix(inputs, call.params.scale as number, form);
  return { y: cast(divideByColumn(n, call.params.eps as number), v.dtype), finalState };
}

/** The form of that name, for every backend. */
export function linearAttentionForm(form: Form): Implementation {
  return composed((given: OptionalTensors, call) =>
    call.params.normalize
      ? normalized(given as Inputs, call, form)
      : mix(given as Inputs, call.params.scale as number, form),
  );
}
