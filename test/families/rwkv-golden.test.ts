/** The recurrences of RWKV against upstream code (test/golden/make/rwkv.py), outputs and all gradients. */
import { describe, expect, it } from 'vitest';
import { compare } from '../../lib/core/compare.js';
import type { Shape } from '../../lib/core/shape.js';
import '../../lib/cpu/index.js';
import { wkv4Operator, wkv5Operator, wkv6Operator, wkv7Operator } from '../../lib/families/rwkv/index.js';
import { withBackend, type Form } from '../../lib/tensor/backend.js';
import type { Operator } from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, formula, goldenJson } from '../nn/support.js';

interface GoldenCase {
  name: string;
  inputs: Record<string, number[]>;
  keys?: [number, number];
  decays?: [number, number];
  version?: 5 | 6;
  y: number[];
  finalState: number[];
  gradients: Record<string, number[]>;
}

type Ranges = Record<string, readonly [number, number]>;

const golden = goldenJson('rwkv.json');
const WKV56: Ranges = { decay: [2, -1] };
const WKV7: Ranges = { removal: [1, 0], rate: [1, 0.5], decay: [0.5, -0.25] };

/** The inputs of the script: scale and shift by name; the denominators of states are moved up. */
function draw(c: GoldenCase, name: string, shape: Shape, dtype: 'f32' | 'f64', ranges: Ranges): Tensor {
  const [scale, shift] = ranges[name] ?? [2, 0];
  const raise = name === 'initialState' && shape.length === 3 ? 1.5 : 0;
  const part = (i: number) => Math.floor(i / shape[2]) % 3;
  const values = formula(`${c.name}/${name}`, shape, scale).map(
    (v, i) => Math.fround(v + shift) + (part(i) === 1 ? raise : 0),
  );
  return tensor(values, { shape, dtype, device: 'host' });
}

function disagreements(
  op: Operator,
  c: GoldenCase,
  form: Form,
  arithmetic: (typeof ARITHMETICS)[number],
  ranges: Ranges,
): string[] {
  const { dtype, backend, tolerance } = arithmetic;
  return withBackend(backend, () => {
    const leaves = Object.fromEntries(
      Object.entries(c.inputs).map(([name, shape]) => [name, draw(c, name, shape, dtype, ranges)]),
    );
    const { outputs, pull } = vjp((p: Record<string, Tensor>) => op(p, {}, { form }), leaves);
    const seed = (name: string) =>
      tensor(formula(`${c.name}/d${name}`, outputs[name].shape, 2), {
        shape: outputs[name].shape,
        dtype,
        device: 'host',
      });
    const grads = pull({ y: seed('y'), finalState: seed('finalState') });
    const report = (name: string, t: Tensor, want: number[], limit: number) =>
      compare(t.dataSync(), want, { name: `${form} ${name}`, dims: t.shape, tolerance: limit });
    return [
      report('y', outputs.y, c.y, tolerance.forward),
      report('finalState', outputs.finalState, c.finalState, tolerance.forward),
      ...Object.entries(c.gradients).map(([name, want]) =>
        report(`gradient of ${name}`, grads[name], want, tolerance.gradient),
      ),
    ]
      .filter((r) => !r.ok)
      .map((r) => r.text);
  });
}

function agree(
  title: string,
  cases: GoldenCase[],
  op: (c: GoldenCase) => Operator,
  ranges: (c: GoldenCase) => Ranges,
) {
  describe(title, () => {
    for (const c of cases)
      for (const arithmetic of ARITHMETICS)
        it(`${c.name} in ${arithmetic.name}`, () => {
          for (const form of ['reference', 'recurrent', 'chunk'] as const)
            expect(disagreements(op(c), c, form, arithmetic, ranges(c))).toEqual([]);
        });
  });
}

agree(
  'wkv4 gives the outputs and all gradients of rwkv_linear_attention_cpu of transformers, through states too',
  golden.wkv4 as GoldenCase[],
  () => wkv4Operator,
  (c) => ({ k: c.keys!, decay: c.decays! }),
);
agree(
  'wkv5 and wkv6 give those of naive_recurrent_rwkv6 of flash-linear-attention at scale 1',
  golden.wkv56 as GoldenCase[],
  (c) => (c.version === 5 ? wkv5Operator : wkv6Operator),
  () => WKV56,
);
agree(
  'wkv7 gives those of dplr_recurrence of flash-linear-attention without its scale',
  golden.wkv7 as GoldenCase[],
  () => wkv7Operator,
  () => WKV7,
);
