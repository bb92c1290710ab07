/** Softmax attention against PyTorch, flash-linear-attention and ONNX's reference (test/golden/make/attention.py). */
import { describe, expect, it } from 'vitest';
import { compare } from '../../lib/core/compare.js';
import '../../lib/index.js';
import { softmaxAttention, type AttentionOptions } from '../../lib/families/softmax-attention/index.js';
import { withBackend, type Form } from '../../lib/tensor/backend.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, formula, goldenJson } from '../nn/support.js';

interface GoldenCase {
  name: string;
  source: string;
  B: number;
  Tq: number;
  Tk: number;
  H: number;
  Hkv: number;
  K: number;
  V: number;
  options: AttentionOptions;
  extra: { keys?: number[] };
  y: number[];
  gradients: Record<string, number[]>;
}

const golden = goldenJson('attention.json');
const cases = golden.cases as GoldenCase[];

/** The elements that the script keeps. */
function kept(t: Tensor): number[] {
  const step = Math.floor(t.size / (golden.kept as number)) | 1;
  return Array.from(t.dataSync()).filter((_, i) => i % step === 0);
}

function disagreements(c: GoldenCase, form: Form, arithmetic: (typeof ARITHMETICS)[number]): string[] {
  const { dtype, backend, tolerance } = arithmetic;
  const draw = (name: string, shape: number[], scale: number) =>
    tensor(formula(`${c.name}/${name}`, shape, scale), { shape, dtype, device: 'host' });
  return withBackend(backend, () => {
    const leaves: Record<string, Tensor> = {
      q: draw('q', [c.B, c.Tq, c.H, c.K], 4),
      k: draw('k', [c.B, c.Tk, c.Hkv, c.K], 4),
      v: draw('v', [c.B, c.Tk, c.Hkv, c.V], 2),
    };
    if (c.gradients.sink) leaves.sink = draw('sink', [c.H], 4);
    const keys = c.extra.keys && tensor(Int32Array.from(c.extra.keys), { device: 'host' });
    const { outputs, pull } = vjp(
      ({ q, k, v, sink }: Record<string, Tensor>) => ({
        y: softmaxAttention(q, k, v, { ...c.options, keys, sink, form }),
      }),
      leaves,
    );
    const grads = pull({ y: draw('dy', [c.B, c.Tq, c.H, c.V], 2) });
    const report = (name: string, t: Tensor, want: number[], limit: number) =>
      compare(kept(t), want, { name: `${form} ${name}`, tolerance: limit });
    return [
      report('y', outputs.y, c.y, tolerance.forward),
      ...Object.entries(c.gradients).map(([name, want]) =>
        report(`gradient of ${name}`, grads[name], want, tolerance.gradient),
      ),
    ]
      .filter((r) => !r.ok)
      .map((r) => r.text);
  });
}

const FORMS: Record<string, Form[]> = {
  f64: ['reference', 'parallel'],
  'f32 on cpu': ['parallel'],
  'f32 on wasm': ['chunk', 'parallel'],
};

describe.each(ARITHMETICS)('softmax attention in $name equals upstream, gradients included', (arithmetic) => {
  it.each(cases)('$name: $source', (c) => {
    // The f64 reference is slow by its nature.
    const forms = FORMS[arithmetic.name].filter((form) => form !== 'reference' || c.Tq * c.Tk < 100_000);
    const one = c.Tq === 1 && arithmetic.name === 'f32 on wasm' ? (['step'] as const) : [];
    expect([...forms, ...one].flatMap((form) => disagreements(c, form, arithmetic))).toEqual([]);
  });
});
