/** Mamba without selection or convolution, attention without positions. */
import { describe, expect, it } from 'vitest';
import { compare } from '../../lib/core/compare.js';
import { Random } from '../../lib/core/random.js';
import { useBackend, withBackend } from '../../lib/index.js';
import {
  createLanguageModel,
  languageModel,
  parameterCount,
  parameterShapes,
  type LanguageModelConfig,
} from '../../lib/nn/language-model.js';
import { createMambaBlock, mambaMixer, type MambaConfig } from '../../lib/nn/mamba.js';
import { castTree, countParameters } from '../../lib/nn/parameters.js';
import { attentionArm, mambaArms } from '../../lib/papers/mamba/sequence-arms.js';
import { slice, sum, mul } from '../../lib/ops/index.js';
import { gradcheck } from '../../lib/tensor/gradcheck.js';
import { tensor, type Tensor } from '../../lib/tensor/tensor.js';
import { treeEntries } from '../../lib/tensor/tree.js';

const ARMS: [string, LanguageModelConfig][] = [
  ...Object.entries(mambaArms(16, 12)),
  ['attention-rope', attentionArm(16, 12, { width: 16, heads: 2, positions: 'rope' })],
  ['attention-none', attentionArm(16, 12, { width: 16, heads: 2, positions: 'none' })],
];

const random = new Random('block options');
const B = 2;
const T = 9;
const ids = Int32Array.from({ length: B * T }, () => random.int(12));

describe.each(ARMS)('the arm %s', (_, config) => {
  it('has the parameters its configuration counts, within 2 % of those of S6', () => {
    const model = createLanguageModel(config, 1);
    const made = Object.fromEntries(treeEntries(model.params).map(([path, t]) => [path, [...t.shape]]));
    expect(made).toEqual(parameterShapes(config));
    expect(countParameters(model.params)).toBe(parameterCount(config));
  });

  it.each(['cpu', 'wasm'] as const)(
    'gives the same logits step by step as in one pass (%s)',
    async (backend) => {
      await useBackend(backend);
      const model = createLanguageModel(config, 5);
      const { logits } = model.forward(model.params, tensor(ids, { shape: [B, T] }));
      let state = model.initialState(B);
      for (let t = 0; t < T; t++) {
        const step = model.step(
          model.params,
          tensor(Int32Array.from({ length: B }, (__, b) => ids[b * T + t])),
          state,
        );
        state = step.state;
        const report = compare(step.logits.dataSync(), slice(logits, 1, t, t + 1).dataSync(), {
          name: `logits at ${t}`,
          tolerance: 5e-6,
        });
        expect(report.ok, report.text).toBe(true);
      }
    },
  );
});

describe.each([32, 64])('at width %i', (width) => {
  it('every arm lies within 2 % of the parameters of S6', () => {
    const target = parameterCount(mambaArms(width, 16).s6);
    const arms = [
      ...Object.values(mambaArms(width, 16)),
      attentionArm(width, 16, { width, heads: 2, positions: 'rope' }),
      attentionArm(width, 16, { width: 1.25 * width, heads: 2, positions: 'none' }),
    ];
    for (const config of arms) expect(Math.abs(parameterCount(config) / target - 1)).toBeLessThan(0.02);
  });
});

/** What changing token 2 changes in the output at token 7, where the tokens between are as given. */
function contribution(config: MambaConfig, between: number): Float64Array {
  return withBackend('cpu', () => {
    const p = castTree(createMambaBlock(config, new Random(3)), 'f64');
    const width = config.width;
    const rows = (name: string, n: number) => {
      const values = new Float64Array(n * width);
      const stream = new Random(name);
      for (let i = 0; i < values.length; i++) values[i] = stream.normal();
      return values;
    };
    const output = (changed: string): Float64Array => {
      const parts = [rows('before', 2), rows(changed, 1), rows(`between ${between}`, 4), rows('after', 1)];
      const x = tensor(
        parts.flatMap((part) => [...part]),
        { shape: [1, 8, width], dtype: 'f64' },
      );
      return Float64Array.from(slice(mambaMixer(p, x).y, 1, 7, 8).dataSync());
    };
    const without = output('one');
    return output('other').map((value, i) => value - without[i]);
  });
}

describe('what one token contributes to a later output', () => {
  // Strong steps, so that what a selective delta forgets is well above rounding.
  const sizes = { width: 8, stateSize: 4, convWidth: 0, dtMinimum: 0.1, dtMaximum: 1 };
  const differs = (selective: MambaConfig['selective']): number => {
    const [a, b] = [1, 2].map((between) => contribution({ ...sizes, selective }, between));
    const size = Math.hypot(...a);
    expect(size).toBeGreaterThan(1e-6);
    return Math.hypot(...a.map((value, i) => value - b[i])) / size;
  };

  it.each([
    { delta: false, b: false, c: false },
    { delta: false, b: true, c: false },
    { delta: false, b: false, c: true },
  ])('does not depend on what lies between, where delta is fixed: %j', (selective) => {
    expect(differs(selective)).toBeLessThan(1e-12);
  });

  it.each([undefined, { delta: true, b: false, c: false }])(
    'depends on what lies between, where delta is selective: %j',
    (selective) => {
      expect(differs(selective)).toBeGreaterThan(1e-3);
    },
  );
});

/** The response of the LTI mixer, with gate and nonlinearity as constants, to a nudge at one token. */
describe('the time-invariant mixer', () => {
  const config: MambaConfig = {
    width: 8,
    stateSize: 4,
    selective: { delta: false, b: false, c: false },
  };

  it('answers a sequence that begins later with the same output later', () => {
    withBackend('cpu', () => {
      const p = castTree(createMambaBlock(config, new Random(4)), 'f64');
      // Without bias silence stays silence before the sequence begins.
      p.conv!.bias = tensor(new Float64Array(16), { dtype: 'f64' });
      const run = (shift: number): Float64Array => {
        const stream = new Random('sequence');
        const values = new Float64Array(12 * 8);
        for (let i = shift * 8; i < values.length; i++) values[i] = stream.normal();
        return Float64Array.from(
          mambaMixer(p, tensor(values, { shape: [1, 12, 8], dtype: 'f64' })).y.dataSync(),
        );
      };
      const [now, later] = [run(0), run(3)];
      expect([...now.subarray(0, 72)].every((value, i) => Math.abs(value - later[i + 24]) < 1e-12)).toBe(
        true,
      );
      expect(Math.max(...now.map(Math.abs))).toBeGreaterThan(1e-3);
    });
  });

  it.each([
    config,
    { ...config, convWidth: 0 },
    { ...config, selective: { delta: true, b: false, c: false } },
    { ...config, selective: { delta: false, b: true, c: true }, convWidth: 0 },
  ])('has the right gradients: %j', (variant) => {
    withBackend('cpu', () => {
      const small = { ...variant, width: 2, stateSize: 2 };
      const p = castTree(createMambaBlock(small, new Random(5)), 'f64');
      const leaves = treeEntries(p);
      const draw = (name: string) => {
        const stream = new Random(name);
        return tensor(
          Float64Array.from({ length: 10 }, () => stream.normal()),
          { shape: [1, 5, 2], dtype: 'f64' },
        );
      };
      const weight = draw('weights of the sum');
      const rebuilt = (values: Tensor[]) => {
        const tree: Record<string, unknown> = {};
        leaves.forEach(([path], i) => {
          const [first, second] = path.split('.');
          if (second) ((tree[first] ??= {}) as Record<string, unknown>)[second] = values[i];
          else tree[first] = values[i];
        });
        return tree as typeof p;
      };
      const report = gradcheck(
        (x, ...values) => sum(mul(mambaMixer(rebuilt(values), x).y, weight)),
        [draw('input'), ...leaves.map(([, t]) => t)],
      );
      expect(report.ok, JSON.stringify(report)).toBe(true);
    });
  });
});

describe('options that cannot be', () => {
  it('are refused by name', () => {
    const mamba = (change: object) => languageModel({ kind: 'mamba', width: 8, layers: 1, ...change });
    expect(() => mamba({ selective: { d: true } })).toThrow(
      /selective must hold booleans named delta, b and c, got d: true/,
    );
    expect(() => mamba({ selective: { b: 1 } })).toThrow(/got b: 1/);
    expect(() => mamba({ convWidth: -1 })).toThrow(/convWidth must be a positive integer or 0, got -1/);
    const positions = 'sine' as 'rope';
    expect(() => languageModel({ kind: 'transformer', width: 8, layers: 1, positions })).toThrow(
      /positions must be one of rope, sinusoidal, learned, none, got/,
    );
  });

  it('allow odd heads without rotary positions', () => {
    expect(
      languageModel({ kind: 'transformer', width: 9, heads: 3, layers: 1, positions: 'none' }).parameterCount,
    ).toBeGreaterThan(0);
  });
});
