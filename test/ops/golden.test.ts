/** Operators against values computed by PyTorch and by upstream's reference scan (see test/golden/make/operators.py). */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compare, TOLERANCES } from '../../lib/core/compare.js';
import { operator } from '../../lib/index.js';
import { withBackend, type BackendName, type Form } from '../../lib/tensor/backend.js';
import type { OptionalTensors, Params } from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';

interface GoldenInput {
  shape: number[];
  seed: number;
  scale: number;
  shift: number;
}
interface GoldenCase {
  op: string;
  name: string;
  params: Params;
  inputs: Record<string, GoldenInput>;
  integers: Record<string, number[]>;
  outputs: Record<string, number[]>;
  gradients: Record<string, number[]>;
}

const { cases } = JSON.parse(readFileSync(new URL('../golden/operators.json', import.meta.url), 'utf8')) as {
  cases: GoldenCase[];
};

/** The formula of the script that made the file; exact in f64 and f32. */
function draw({ shape, seed, scale, shift }: GoldenInput, dtype: 'f32' | 'f64'): Tensor {
  const n = shape.reduce((p, d) => p * d, 1);
  const value = (i: number) =>
    shift + scale * (Number((BigInt(i) * 2654435761n + BigInt(seed) * 40503n) % 65536n) / 65536 - 0.5);
  return tensor(
    Float64Array.from({ length: n }, (_, i) => value(i)),
    { shape, dtype, device: 'host' },
  );
}

function check(c: GoldenCase, form: Form, backend: BackendName, dtype: 'f32' | 'f64'): string[] {
  const tolerance = dtype === 'f64' ? { forward: 1e-10, gradient: 1e-10 } : TOLERANCES[backend];
  const leaves = Object.fromEntries(Object.entries(c.inputs).map(([k, v]) => [k, draw(v, dtype)]));
  const integers: OptionalTensors = Object.fromEntries(
    Object.entries(c.integers).map(([k, v]) => [k, tensor(v, { dtype: 'i32', device: 'host' })]),
  );
  return withBackend(backend, () => {
    const { outputs, pull } = vjp(
      (p: Record<string, Tensor>) => operator(c.op)({ ...p, ...integers }, c.params, { form, backend }),
      leaves,
    );
    const seeds = Object.fromEntries(
      Object.keys(c.outputs).map((k, i) => [
        k,
        draw({ shape: [...outputs[k].shape], seed: 90 + i, scale: 2, shift: 0 }, dtype),
      ]),
    );
    const grads = pull(seeds);
    const report = (kind: string, name: string, t: Tensor, expected: number[], limit: number) =>
      compare(t.dataSync(), expected, {
        name: `${c.op} ${c.name} ${kind} ${name}`,
        dims: t.shape,
        tolerance: limit,
        floor: 1e-6,
      });
    return [
      ...Object.entries(c.outputs).map(([k, v]) => report('output', k, outputs[k], v, tolerance.forward)),
      ...Object.entries(c.gradients).map(([k, v]) => report('gradient', k, grads[k], v, tolerance.gradient)),
    ]
      .filter((r) => !r.ok)
      .map((r) => r.text);
  });
}

describe('operators give the values of independent programs, forward and backward', () => {
  for (const c of cases) {
    it(`${c.op} ${c.name}: the f64 reference to ten digits`, () => {
      expect(check(c, 'reference', 'cpu', 'f64')).toEqual([]);
    });
    const forms = operator(c.op).record.forms;
    for (const form of Object.keys(forms) as Form[])
      for (const backend of ['cpu', 'wasm'] as const)
        if (forms[form]?.[backend] && form !== 'step' && form !== 'reference')
          it(`${c.op} ${c.name}: ${form} on ${backend}`, () => {
            expect(check(c, form, backend, 'f32')).toEqual([]);
          });
  }
});
