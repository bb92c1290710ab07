/** DeltaNet's forms: keys and queries of unit length, then the shared operator. */
import { deltaRule, type DeltaRuleInputs } from '../../ops/delta-rule/index.js';
import { affine } from '../../ops/map/index.js';
import { rmsNorm } from '../../ops/norm/index.js';
import type { Form } from '../../tensor/backend.js';
import { composed } from '../../tensor/composed.js';
import type { Implementation, OptionalTensors } from '../../tensor/operator.js';

/** The form of that name, for every backend. */
export function deltaNetForm(form: Form): Implementation {
  return composed((given: OptionalTensors, call) => {
    const inputs = given as unknown as DeltaRuleInputs;
    const { K } = call.dims;
    const root = 1 / Math.sqrt(K);
    const scale = (call.params.scale as number | undefined) ?? root;
    if (!call.params.normalize) return deltaRule(inputs, { scale, form });
    // x / sqrt(|x|^2 + eps) is x / sqrt(mean(x^2) + eps / K) / sqrt(K); the query's last factor goes into the scale.
    const eps = (call.params.eps as number) / K;
    const q = rmsNorm(inputs.q, undefined, { eps });
    const k = affine(rmsNorm(inputs.k, undefined, { eps }), root, 0);
    return deltaRule({ ...inputs, q, k }, { scale: scale * root, form });
  });
}
