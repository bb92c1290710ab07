/** Operators that are another one with some of its inputs named or made differently: they have its forms, all of them. */
import type { BackendName, Form } from '../../tensor/backend.js';
import { composed } from '../../tensor/composed.js';
import type { Operator, OperatorRecord, OptionalTensors } from '../../tensor/operator.js';

/** Every form and backend of `op`, called with what `inputs` makes of the inputs of the call. */
export function formsOver(
  op: Operator,
  inputs: (given: OptionalTensors) => OptionalTensors,
): OperatorRecord['forms'] {
  const forms: Record<string, OperatorRecord['forms'][Form]> = {};
  for (const [form, backends] of Object.entries(op.record.forms)) {
    const names = Object.keys(backends) as BackendName[];
    forms[form] = Object.fromEntries(
      names.map((backend) => [
        backend,
        composed((given) => op(inputs(given), {}, { form: form as Form, backend })),
      ]),
    );
  }
  return forms;
}
