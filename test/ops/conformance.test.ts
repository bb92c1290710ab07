import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operators } from '../../lib/index.js';
import { caseInputs, casesOf } from '../../lib/tensor/cases.js';
import { conform, isDifferentiable } from '../../lib/tensor/conformance.js';
import { hostMemory } from '../../lib/tensor/host-memory.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import { mul, sum, add } from '../../lib/ops/index.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { Random } from '../../lib/core/random.js';
import type { BackendName, Form } from '../../lib/tensor/backend.js';
import type { OperatorRecord, Tensors } from '../../lib/tensor/operator.js';

// A NaN whose bits no kernel writes shows elements that were not written.
beforeAll(() => void (hostMemory.poison = 0x7fc0dead));
afterAll(() => void (hostMemory.poison = undefined));

/** Existing form and backend pairs; `wasm` also runs what falls back on the TypeScript kernel. */
function pairs(op: OperatorRecord, backend: BackendName): Form[] {
  return (Object.keys(op.forms) as Form[]).filter((form) => op.forms[form]?.[backend]);
}

for (const backend of ['cpu', 'wasm'] as const) {
  describe(`every form on ${backend} equals the f64 reference, forward and backward`, () => {
    for (const op of operators())
      for (const form of pairs(op.record, backend))
        for (const c of casesOf(op.record, form))
          it(`${op.record.id} ${form} ${c.name}`, async () => {
            const failed = (await conform(op, c, form, backend)).filter((r) => !r.ok);
            expect(failed.map((r) => r.text)).toEqual([]);
          });
  });
}

/** A fixed random read-out turns all differentiable outputs into one number. */
function readOut(op: OperatorRecord, outputs: Tensors): Tensor {
  const parts = op.outputs
    .filter((o) => o.differentiable !== false)
    .map((o) => {
      const t = outputs[o.name];
      const random = new Random(3).split(o.name);
      const weights = tensor(
        Float64Array.from({ length: t.size }, () => random.normal()),
        { shape: t.shape, dtype: 'f64', device: 'host' },
      );
      return sum(mul(t, weights));
    });
  return parts.reduce((a, b) => add(a, b));
}

describe('gradients of the references equal finite differences in f64', () => {
  for (const op of operators()) {
    // A cast to f32 has no digits left for a difference quotient; its gradient is checked above.
    if (!isDifferentiable(op.record) || op.record.id === 'ops/cast') continue;
    const c =
      op.record.cases.find((k) => Object.values(k.dims).every((d) => d <= 20) && k.name !== 'empty') ??
      op.record.cases[0];
    it(`${op.record.id} ${c.name}`, () => {
      const inputs = caseInputs(op.record, c, { float: 'f64' });
      const names = op.record.inputs
        .filter((i) => i.differentiable !== false && inputs[i.name])
        .map((i) => i.name);
      const fn = (...given: Tensor[]) =>
        readOut(
          op.record,
          op({ ...inputs, ...Object.fromEntries(names.map((n, i) => [n, given[i]])) }, c.params, {
            form: 'reference',
            backend: 'cpu',
          }),
        );
      const report = gradcheck(
        fn,
        names.map((n) => inputs[n]!),
      );
      expect(report.ok, JSON.stringify({ ...report, input: names[report.input] })).toBe(true);
    });
  }
});
