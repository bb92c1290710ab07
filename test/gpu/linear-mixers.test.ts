/** Tier adapter: linear attention, retention, lightning attention and SSD in f16 storage, over thousands of tokens, in steps. */
import { afterAll, describe, expect, it } from 'vitest';
import { closeGpu } from '../../lib/index.js';
import { compare, rms, TOLERANCES } from '../../lib/core/compare.js';
import { float16FromBits, getFloat16Bits } from '../../lib/core/float16.js';
import { Random } from '../../lib/core/random.js';
import { sizeOf, type Shape } from '../../lib/core/shape.js';
import { lightningAttentionOperator } from '../../lib/families/lightning-attention/index.js';
import { linearAttentionOperator } from '../../lib/families/linear-attention/index.js';
import { retentionOperator } from '../../lib/families/retention/index.js';
import { ssdOperator } from '../../lib/families/ssd/index.js';
import type { Form } from '../../lib/tensor/backend.js';
import type { Operator, Params } from '../../lib/tensor/operator.js';
import { vjp } from '../../lib/tensor/tape.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());
const half = context?.features.has('shader-f16') ? '' : reason || 'the adapter lacks shader-f16';

interface Mixer {
  op: Operator;
  params: Params;
  /** Shapes for T tokens, those of the halves first; the first input has the shape of y. */
  shapes(T: number): Record<string, Shape>;
  halves: readonly string[];
  state: Shape;
}

const qkv = (T: number) => ({ v: [1, T, 2, 6], q: [1, T, 2, 8], k: [1, T, 2, 8] });
const MIXERS: Mixer[] = [
  {
    op: linearAttentionOperator,
    params: {},
    shapes: qkv,
    halves: ['v', 'q', 'k'],
    state: [1, 2, 8, 7],
  },
  {
    op: retentionOperator,
    params: { normalize: 'retnet', scale: 0.35 },
    shapes: (T) => ({ ...qkv(T), decay: [2] }),
    halves: ['v', 'q', 'k'],
    state: [1, 2, 9, 7],
  },
  {
    op: lightningAttentionOperator,
    params: { scale: 0.35 },
    shapes: (T) => ({ ...qkv(T), slopes: [2] }),
    halves: ['v', 'q', 'k'],
    state: [1, 2, 8, 6],
  },
  {
    op: ssdOperator,
    params: { softplus: true },
    shapes: (T) => ({ x: [1, T, 2, 6], B: [1, T, 1, 8], C: [1, T, 1, 8], dt: [1, T, 2], A: [2], D: [2] }),
    halves: ['x', 'B', 'C'],
    state: [1, 2, 8, 6],
  },
];

const toHalf = (v: number) => float16FromBits(getFloat16Bits(v));
type Values = Record<string, { shape: Shape; values: Float64Array }>;

function draw(m: Mixer, T: number, rounded: boolean): { x: Values; seeds: Values } {
  const random = new Random(T);
  const one = (name: string, shape: Shape) => {
    const fixed: Record<string, () => number> = {
      decay: () => -0.02 - 0.3 * random.uniform(),
      slopes: () => 0.02 + 0.3 * random.uniform(),
      A: () => -0.2 - random.uniform(),
      dt: () => 2 * random.uniform() - 2,
    };
    const positive = m.op === linearAttentionOperator && name !== 'v' && name !== 'y';
    const f = fixed[name] ?? (positive ? () => 0.1 + random.uniform() : () => random.normal());
    const round = rounded && (m.halves.includes(name) || name === 'y') ? toHalf : Math.fround;
    return { shape, values: Float64Array.from({ length: sizeOf(shape) }, () => round(f())) };
  };
  const shapes = m.shapes(T);
  const x = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, one(name, shape)]));
  return { x, seeds: { y: one('y', shapes[m.halves[0]]), finalState: one('finalState', m.state) } };
}

async function run(
  m: Mixer,
  { x, seeds }: { x: Values; seeds: Values },
  where: { form?: Form; device: 'gpu' | 'host'; half: boolean },
): Promise<Record<string, Float64Array>> {
  const { device } = where;
  const make = ([name, { shape, values }]: [string, Values[string]]): [string, Tensor] => {
    const small = where.half && (m.halves.includes(name) || name === 'y');
    const dtype = device === 'host' ? 'f64' : small ? 'f16' : 'f32';
    return [name, tensor(values, { shape, dtype, device })];
  };
  const { outputs, pull } = vjp(
    (p: Record<string, Tensor>) => m.op(p, m.params, { form: where.form }),
    Object.fromEntries(Object.entries(x).map(make)),
  );
  const grads = pull(Object.fromEntries(Object.entries(seeds).map(make)));
  const found: Record<string, Float64Array> = {};
  for (const [name, t] of [
    ...Object.entries(outputs),
    ...Object.entries(grads).map(([k, g]) => [`d${k}`, g] as const),
  ])
    found[name] = Float64Array.from(await t.data());
  return found;
}

for (const m of MIXERS) {
  const name = m.op.record.id;
  describe.skipIf(half !== '')(`${name} in f16 ${half}`, { timeout: COLD }, () => {
    it.each(['chunk', 'recurrent', 'parallel'] as const)(
      '%s is as exact as rounding allows: twice its error, gradients three times',
      async (form) => {
        const drawn = draw(m, 97, true);
        const exact = await run(m, drawn, { form: 'reference', device: 'host', half: false });
        const got = await run(m, drawn, { form, device: 'gpu', half: true });
        for (const key of ['y', ...m.halves.map((h) => `d${h}`)]) {
          const rounding = rms(exact[key].map((v) => toHalf(v) - v));
          const error = rms(exact[key].map((v, i) => got[key][i] - v));
          expect(error, `${key} ${error} ${rounding}`).toBeLessThanOrEqual(
            (key === 'y' ? 2 : 3) * rounding + 1e-7,
          );
        }
      },
    );
  });

  describe.skipIf(!context)(`${name} over thousands of tokens ${reason}`, { timeout: COLD }, () => {
    it('agrees with the reference, forward and backward', async () => {
      const drawn = draw(m, 2111, false);
      const want = await run(m, drawn, { form: 'reference', device: 'host', half: false });
      const got = await run(m, drawn, { device: 'gpu', half: false });
      for (const [key, values] of Object.entries(want)) {
        const tolerance = TOLERANCES.webgpu[key.startsWith('d') ? 'gradient' : 'forward'];
        const report = compare(got[key], values, { name: `${name} ${key}`, tolerance });
        expect(report.ok, report.text).toBe(true);
      }
    });
  });
}
