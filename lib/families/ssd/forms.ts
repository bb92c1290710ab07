/** SSD over the scalar-decay operator, and its quadratic form: the dual that gives it its name. */
import { add, clamp, mul, softplus } from '../../ops/map/index.js';
import { scalarDecay } from '../../ops/scalar-decay/index.js';
import { decayParallel } from '../../ops/sequence/decay-parallel.js';
import { cast } from '../../ops/structure/index.js';
import type { Form } from '../../tensor/backend.js';
import { composed } from '../../tensor/composed.js';
import type { Call, Implementation, OptionalTensors } from '../../tensor/operator.js';
import type { Tensor } from '../../tensor/tensor.js';
import { addSkip, scaleRows } from './rows.js';

/** The step of each token and head: softplus, then the limits. */
function stepOf(dt: Tensor, dtBias: Tensor | undefined, { params }: Call): Tensor {
  const shifted = dtBias ? add(dt, dtBias) : dt;
  const positive = params.softplus ? softplus(shifted) : shifted;
  const { dtMinimum, dtMaximum } = params as Record<string, number>;
  // Softplus is never below 0.
  const free = params.softplus && dtMinimum <= 0 && dtMaximum >= 3e38;
  return free ? positive : clamp(positive, dtMinimum, dtMaximum);
}

/** Steps times x, and what is read out of them, would be rounded twice in f16: they are made in f32. */
const widened = (t: Tensor) => (t.dtype === 'f16' ? cast(t, 'f32') : t);

/** v_t = step x_t, decay A step, q = C, k = B. */
export function ssdForm(form: Form): Implementation {
  return composed((given: OptionalTensors, call) => {
    const { dt, A } = given as Record<string, Tensor>;
    const [x, B, C] = [given.x!, given.B!, given.C!].map(widened);
    const { D, dtBias, initialState, cuSeqlens } = given;
    const step = stepOf(dt, dtBias, call);
    const v = scaleRows(x, step);
    const inputs = { q: C, k: B, v, decay: mul(step, A), initialState, cuSeqlens };
    const mixed = form === 'parallel' ? decayParallel(inputs) : scalarDecay(inputs, { form });
    const y = D ? addSkip(mixed.y, x, D) : mixed.y;
    return { y: cast(y, given.x!.dtype), finalState: mixed.finalState };
  });
}
