/** `assay ops`: the operator records of this build. */
import { operator, operators } from '../../lib/index.js';
import type { OperatorRecord } from '../../lib/tensor/operator.js';
import { parseVerbArgs, type Verb } from './verb.js';

/** A record without its functions, as scripts read it. */
export function describeRecord(op: OperatorRecord): Record<string, unknown> {
  return {
    id: op.id,
    summary: op.summary,
    equation: op.equation,
    inputs: op.inputs.map((i) => ({
      ...i,
      optional: i.optional ?? false,
      differentiable: i.differentiable ?? true,
      dtypes: i.dtypes ?? ['f32', 'f64'],
    })),
    outputs: op.outputs,
    parameters: op.parameters,
    state: op.state,
    forms: Object.fromEntries(
      Object.entries(op.forms).map(([form, backends]) => [form, Object.keys(backends ?? {})]),
    ),
    cases: op.cases,
    sources: op.sources,
  };
}

export const verb: Verb = {
  name: 'ops',
  summary: 'list the operators: forms, backends, inputs, sources',
  usage: `Usage: assay ops [ID] [--json]

Without an id: one line an operator. With one: its whole record.`,
  run(args, context) {
    const { values, positionals } = parseVerbArgs({
      args,
      options: { json: { type: 'boolean' } },
      allowPositionals: true,
    });
    const chosen =
      positionals.length > 0
        ? positionals.map((id) => operator(id).record)
        : operators().map((o) => o.record);
    if (values.json) {
      context.json(chosen.map(describeRecord));
      return Promise.resolve(0);
    }
    for (const op of chosen) {
      const forms = Object.entries(op.forms).map(
        ([form, backends]) => `${form}(${Object.keys(backends ?? {}).join(' ')})`,
      );
      context.out(`${op.id.padEnd(24)} ${forms.join(' ').padEnd(60)} ${op.summary}`);
      if (positionals.length > 0) context.out(JSON.stringify(describeRecord(op), null, 2));
    }
    return Promise.resolve(0);
  },
};
