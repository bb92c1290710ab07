/** Linear attention: laws of every form, feature maps, and upstream's numbers (test/golden/make/linear_attention.py). */
import { describe, expect, it } from 'vitest';
import '../../lib/cpu/index.js';
import {
  FEATURE_MAPS,
  featureMap,
  featureMapOperator,
  featureSize,
  linearAttention,
  linearAttentionOperator,
  linearAttentionStateBytes,
  linearAttentionStep,
  type FeatureMap,
} from '../../lib/families/linear-attention/index.js';
import { mul, neg } from '../../lib/ops/map/index.js';
import { sum } from '../../lib/ops/reduce/index.js';
import { scalarDecay } from '../../lib/ops/scalar-decay/index.js';
import { caseInputs } from '../../lib/tensor/cases.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, formula, goldenJson } from '../nn/support.js';
import { describeLaws, drawer, expectClose, goldenDisagreements, type GoldenCase } from './mixer-support.js';

type LinearCase = GoldenCase & { scale?: number; normalize?: boolean; eps?: number; featureMap?: FeatureMap };
const golden = goldenJson('linear-attention.json') as unknown as {
  linear: LinearCase[];
  features: GoldenCase[];
  onnx: { name: string; dims: number[]; scale: number; outputs: Record<string, number[]> }[];
};
const FORMS = ['chunk', 'recurrent', 'parallel'] as const;

const host = (shape: number[], values: ArrayLike<number>) =>
  tensor(Float64Array.from(values), { shape, dtype: 'f64', device: 'host' });

/** A fixed read-out, so that no gradient is a plain sum. */
const readOut = (y: Tensor) => sum(mul(y, host([...y.shape], drawer(5).normal(y.shape).values)));

describe('linear attention with its normaliser', () => {
  describeLaws({
    op: linearAttentionOperator,
    forms: FORMS,
    timed: ['v', 'q', 'k'],
    state: [2, 5, 4],
    width: 6,
    inputs: (T, draw) => ({
      q: draw.uniform([1, T, 1, 5], 0.05, 1),
      k: draw.uniform([1, T, 1, 5], 0.05, 1),
      v: draw.normal([1, T, 2, 3]),
    }),
    states: (rows, draw) => draw.uniform([rows, 2, 5, 4], 0.05, 1),
  });
});

describe('linear attention without a normaliser', () => {
  describeLaws({
    op: linearAttentionOperator,
    params: { normalize: false, scale: 0.3 },
    forms: FORMS,
    timed: ['v', 'q', 'k'],
    state: [2, 6, 4],
    width: 8,
    inputs: (T, draw) => ({
      q: draw.normal([1, T, 2, 6]),
      k: draw.normal([1, T, 2, 6]),
      v: draw.normal([1, T, 2, 4]),
    }),
    states: (rows, draw) => draw.normal([rows, 2, 6, 4]),
  });

  it('is the scalar-decay recurrence with no decay', () => {
    const draw = drawer(4);
    const [q, k, v] = [
      [1, 9, 2, 4],
      [1, 9, 2, 4],
      [1, 9, 2, 3],
    ].map((s) => host(s, draw.normal(s).values));
    const one = linearAttention({ q, k, v }, { normalize: false, form: 'reference' });
    const two = scalarDecay({ q, k, v }, { form: 'reference' });
    expectClose(one.y.dataSync(), two.y.dataSync(), 1e-14, 'y');
  });
});

describe('upstream agrees, with all gradients', () => {
  for (const c of golden.linear)
    for (const arithmetic of ARITHMETICS)
      it(`${c.name} (flash-linear-attention) in ${arithmetic.name}`, () => {
        const { scale, normalize = false, eps, featureMap: map } = c;
        const maps: (FeatureMap | undefined)[] = map === 'taylor' ? ['taylor', 'taylor-symmetric'] : [map];
        for (const one of maps)
          for (const form of ['reference', ...FORMS] as const)
            expect(
              goldenDisagreements(
                c,
                arithmetic,
                ({ q, k, v, initialState }) =>
                  linearAttention(
                    { q, k, v, initialState },
                    { scale, normalize, eps, featureMap: one, form },
                  ),
                c.name === 'normalised' ? { initialState: [1, 0.5] } : {},
              ),
            ).toEqual([]);
      });

  it("hedgehog has flash-linear-attention's features, factor 2 included", () => {
    const c = golden.features.find((f) => f.name === 'hedgehog')!;
    for (const arithmetic of ARITHMETICS)
      expect(
        goldenDisagreements(c, arithmetic, ({ x, weight, bias }) => ({
          y: featureMap(x, 'hedgehog', { weight, bias }),
        })),
      ).toEqual([]);
  });

  it("taylor-symmetric has upstream's 153 features (here 15 of d = 4) in another order", () => {
    const c = golden.features.find((f) => f.name === 'taylor-symmetric')!;
    const x = host(c.inputs.x, formula('taylor-symmetric/x', c.inputs.x, 2));
    const ours = Array.from(featureMap(x, 'taylor-symmetric').dataSync());
    const sorted = Array.from({ length: ours.length / 15 }, (_, r) =>
      ours.slice(15 * r, 15 * r + 15).sort((a, b) => a - b),
    );
    expectClose(sorted.flat(), c.outputs.y, 1e-11, 'features');
  });

  it('ONNX LinearAttention agrees, with key heads repeated for more query heads', () => {
    for (const { name, dims, scale, outputs } of golden.onnx) {
      const [B, T, Hq, H, K, V] = dims;
      const draw = (part: string, shape: number[], size: number, shift = 0) =>
        host(
          shape,
          formula(`${name}/${part}`, shape, size).map((v) => Math.fround(v + shift)),
        );
      const each = Hq / H;
      /** A head of keys, values, decays or states for each of its query heads. */
      const repeated = (t: Tensor, axis: number) => {
        const inner = t.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
        const from = t.dataSync();
        const shape = t.shape.map((n, i) => (i === axis ? Hq : n));
        const values = Float64Array.from({ length: t.size * each }, (_, i) => {
          const [head, rest] = [Math.floor(i / inner), i % inner];
          return from[(Math.floor(head / Hq) * H + Math.floor((head % Hq) / each)) * inner + rest];
        });
        return host(shape, values);
      };
      const decay = name === 'onnx-gated' ? repeated(draw('decay', [B, T, H], 1, -0.5), 2) : undefined;
      const { y, finalState } = scalarDecay(
        {
          q: draw('q', [B, T, Hq, K], 2),
          k: repeated(draw('k', [B, T, H, K], 2), 2),
          v: repeated(draw('v', [B, T, H, V], 2), 2),
          initialState: repeated(draw('initialState', [B, H, K, V], 2), 1),
          decay,
        },
        { scale, form: 'reference' },
      );
      expectClose(y.dataSync(), outputs.y, 5e-6, `${name} y`);
      const heads = Array.from(finalState.dataSync()).filter((_, i) => Math.floor(i / (K * V)) % each === 0);
      expectClose(heads, outputs.finalState, 5e-6, `${name} state`);
    }
  });
});

describe('feature maps', () => {
  it('have gradients that equal finite differences', () => {
    for (const c of featureMapOperator.record.cases.filter((k) => k.dims.T > 0 && k.dims.K < 16)) {
      const inputs = caseInputs(featureMapOperator.record, c, { float: 'f64' });
      const names = Object.keys(inputs);
      const report = gradcheck(
        (...given: Tensor[]) =>
          readOut(
            featureMapOperator(Object.fromEntries(names.map((n, i) => [n, given[i]])), c.params, {
              form: 'reference',
              backend: 'cpu',
            }).y,
          ),
        names.map((n) => inputs[n]!),
      );
      expect(report.ok, `${c.name} ${JSON.stringify(report)}`).toBe(true);
    }
  });

  it('of Taylor type multiply to 1 + s + s^2/2 with s = q.k / sqrt(d), in d^2 + d + 1 or half as many features', () => {
    expect(featureSize('taylor', 16)).toBe(273);
    expect(featureSize('taylor-symmetric', 16)).toBe(153);
    const draw = drawer(2);
    const [a, b] = [draw.normal([1, 1, 1, 16]), draw.normal([1, 1, 1, 16])];
    const s = a.values.reduce((sum, v, i) => sum + v * b.values[i], 0) / 4;
    for (const map of ['taylor', 'taylor-symmetric'] as const) {
      const [p, q] = [a, b].map((x) => Array.from(featureMap(host([1, 1, 1, 16], x.values), map).dataSync()));
      const product = p.reduce((sum, v, i) => sum + v * q[i], 0);
      expect(Math.abs(product - (1 + s + (s * s) / 2))).toBeLessThan(1e-12);
    }
  });

  it('of type elu have slope 1 at 0 and stay positive far below', () => {
    const x = host([1, 1, 1, 3], [0, -30, 5]);
    const values = Array.from(featureMap(x, 'elu').dataSync());
    expectClose(values, [1, 9.357622968840175e-14, 6], 1e-14, 'elu + 1');
    expect(values[1]).toBeGreaterThan(0);
    const slope = gradcheck((t: Tensor) => featureMap(t, 'elu'), [host([1, 1, 1, 1], [0])], { step: 1e-6 });
    expect(slope.ok).toBe(true);
  });

  it('are told apart by name and refuse weights they have no use for', () => {
    const x = host([1, 2, 1, 4], new Float64Array(8));
    expect(() => featureMap(x, 'tanh' as FeatureMap)).toThrow('feature-map: map must be one of');
    expect(() => featureMap(x, 'relu', { weight: host([4, 4], new Float64Array(16)) })).toThrow(
      'feature-map: weight and bias must be absent unless map is hedgehog',
    );
    expect(() => featureMap(x, 'hedgehog', { wieght: x } as never)).toThrow(
      'feature-map: parameters must be among map, factor, got "wieght"',
    );
    expect(() => featureSize('taylor', 1.5)).toThrow('featureSize: K must be a positive integer, got 1.5');
    expect(() => featureSize('tanh' as FeatureMap, 4)).toThrow('featureSize: map must be one of');
    expect(FEATURE_MAPS.map((m) => featureSize(m, 4))).toEqual([4, 4, 4, 8, 21, 15]);
  });
});

describe('the state', () => {
  it('has the bytes that the function says, whatever came before', () => {
    const draw = drawer(6);
    for (const T of [1, 40]) {
      const [q, k, v] = [draw.normal([2, T, 2, 4]), draw.normal([2, T, 2, 4]), draw.normal([2, T, 2, 3])].map(
        ({ shape, values }) => tensor(values, { shape, dtype: 'f32', device: 'host' }),
      );
      const { finalState } = linearAttention({ q, k, v }, { featureMap: 'taylor' });
      const bytes = linearAttentionStateBytes({ B: 2, H: 2, K: 4, V: 3 }, { featureMap: 'taylor' });
      expect(bytes).toBe(4 * finalState.size);
      const bare = linearAttention({ q, k, v }, { normalize: false }).finalState;
      expect(linearAttentionStateBytes({ B: 2, H: 2, K: 4, V: 3 }, { normalize: false })).toBe(4 * bare.size);
    }
  });

  it('of the first token with eps = 0 gives the value itself, and eps acts as written', () => {
    const [q, k, v] = [
      host([1, 1, 1, 2], [1, 2]),
      host([1, 1, 1, 2], [0.5, 0.25]),
      host([1, 1, 1, 2], [3, -1]),
    ];
    expectClose(linearAttention({ q, k, v }, { eps: 0 }).y.dataSync(), [3, -1], 1e-15, 'y');
    expectClose(linearAttention({ q, k, v }, { eps: 1 }).y.dataSync(), [1.5, -0.5], 1e-15, 'y');
    expectClose(linearAttention({ q, k, v: neg(v) }, { eps: 1 }).y.dataSync(), [-1.5, 0.5], 1e-15, 'y');
  });

  it('must have the column of the normaliser exactly when there is one', () => {
    const q = host([1, 1, 1, 2], [1, 2]);
    const wrong = host([1, 1, 2, 2], [0, 0, 0, 0]);
    expect(() => linearAttention({ q, k: q, v: q, initialState: wrong })).toThrow(
      'linear-attention: initialState must have 3 columns with normalize (V = 2), got [1, 1, 2, 2]',
    );
    expect(() =>
      linearAttentionStep(
        { q, k: q, v: q, initialState: host([1, 1, 2, 3], [0, 0, 0, 0, 0, 0]) },
        { normalize: false },
      ),
    ).toThrow('linear-attention: initialState must have 2 columns without normalize');
  });
});
