/** Lightning attention: laws of every form, the three conventions of slopes, upstream's numbers. */
import { describe, expect, it } from 'vitest';
import '../../lib/cpu/index.js';
import {
  lightningAttention,
  lightningAttentionOperator,
  lightningAttentionStep,
  lightningPaperSlopes,
  lightningRetnetSlopes,
  lightningSlopes,
  simpleRmsNorm,
} from '../../lib/families/lightning-attention/index.js';
import { linearAttention } from '../../lib/families/linear-attention/index.js';
import { retention } from '../../lib/families/retention/index.js';
import { tensor } from '../../lib/tensor/tensor.js';
import { ARITHMETICS, goldenJson } from '../nn/support.js';
import { describeLaws, drawer, expectClose, goldenDisagreements, type GoldenCase } from './mixer-support.js';

const golden = goldenJson('linear-attention.json') as unknown as {
  lightning: (GoldenCase & { layer: number; layers: number })[];
  slopes: { rule: string; heads: number; layer: number; layers: number; slopes: number[] }[];
};
const FORMS = ['chunk', 'recurrent', 'parallel'] as const;
const host = (shape: number[], values: ArrayLike<number>) =>
  tensor(Float64Array.from(values), { shape, dtype: 'f64', device: 'host' });

describe('lightning attention', () => {
  describeLaws({
    op: lightningAttentionOperator,
    params: { scale: 0.4 },
    forms: FORMS,
    timed: ['v', 'q', 'k'],
    state: [3, 5, 4],
    width: 12,
    inputs: (T, draw) => ({
      q: draw.normal([1, T, 3, 5]),
      k: draw.normal([1, T, 3, 5]),
      v: draw.normal([1, T, 3, 4]),
      slopes: draw.uniform([3], 0.1, 1),
    }),
    states: (rows, draw) => draw.normal([rows, 3, 5, 4]),
  });

  for (const [i, c] of golden.lightning.entries())
    for (const arithmetic of ARITHMETICS)
      it(`with the paper's slopes of layer ${c.layer} agrees with flash-linear-attention in ${arithmetic.name}`, () => {
        const values = lightningPaperSlopes(4, golden.lightning[i]);
        const slopes = tensor(values, { dtype: arithmetic.dtype, device: 'host' });
        for (const form of ['reference', ...FORMS] as const)
          expect(
            goldenDisagreements(c, arithmetic, ({ q, k, v }) =>
              lightningAttention({ q, k, v, slopes }, { form }),
            ),
          ).toEqual([]);
      });

  it('is linear attention when nothing decays, and retention with the gammas of RetNet', () => {
    const draw = drawer(3);
    const [q, k, v] = [5, 5, 4].map((d) => host([2, 70, 3, d], draw.normal([2, 70, 3, d]).values));
    for (const form of FORMS) {
      const still = lightningAttention({ q, k, v, slopes: host([3], [0, 0, 0]) }, { form });
      const linear = linearAttention({ q, k, v }, { normalize: false, form });
      expectClose(still.y.dataSync(), linear.y.dataSync(), 1e-12, 'no decay');
      const fading = lightningAttention({ q, k, v, slopes: host([3], lightningRetnetSlopes(3)) }, { form });
      const retained = retention({ q, k, v }, { form });
      expectClose(fading.y.dataSync(), retained.y.dataSync(), 1e-12, 'gammas');
      expectClose(fading.finalState.dataSync(), retained.finalState.dataSync(), 1e-12, 'state');
    }
  });

  it('refuses a T other than 1 in the step, and states of another number of sequences', () => {
    const zero = (...shape: number[]) => host(shape, new Float64Array(shape.reduce((a, b) => a * b)));
    const x = { q: zero(1, 2, 1, 3), k: zero(1, 2, 1, 3), v: zero(1, 2, 1, 2), slopes: zero(1) };
    expect(() => lightningAttentionStep(x)).toThrow(
      'lightning-attention: q must hold one token in form step, got T = 2',
    );
    expect(() => lightningAttention({ ...x, initialState: zero(2, 1, 3, 2) })).toThrow(
      'lightning-attention: initialState must have one row a sequence (1), got 2',
    );
  });
});

describe('slopes', () => {
  it("of the authors are ALiBi's, for numbers of heads that are no power of two as well", () => {
    for (const { heads, slopes } of golden.slopes.filter((s) => s.rule === 'alibi'))
      expectClose(lightningSlopes(heads), slopes, 1e-11, `${heads} heads`);
  });

  it("of the authors fade over layers, to 1e-5 of themselves in the last: transformers' MiniMax but for its 1e-5", () => {
    for (const { heads, layer, layers, slopes } of golden.slopes.filter((s) => s.rule === 'minimax')) {
      const ours = lightningSlopes(heads, { layer, layers });
      // MiniMax divides by L - 1 + 1e-5, the authors by L - 1.
      ours.forEach((s, h) => expect(Math.abs(s - slopes[h])).toBeLessThan(1e-5 * lightningSlopes(heads)[h]));
    }
    expect(lightningSlopes(1, { layer: 0, layers: 1 })[0] / lightningSlopes(1)[0]).toBeCloseTo(1 + 1e-5, 12);
  });

  it('of the three conventions are the written ones for four heads, and very different', () => {
    expect(lightningSlopes(4)).toEqual([0.25, 0.0625, 0.015625, 0.00390625]);
    expect(lightningPaperSlopes(4)).toEqual([0, 2, 4, 6]);
    expect(lightningPaperSlopes(4, { layer: 1, layers: 2 })).toEqual([0, 1, 2, 3]);
    expectClose(lightningRetnetSlopes(2), [0.0317486983145803, 0.0157483569681392], 1e-14, 'retnet');
  });

  it('want whole numbers of heads and a layer that exists', () => {
    expect(() => lightningSlopes(0)).toThrow('lightningSlopes: heads must be a positive integer, got 0');
    expect(() => lightningPaperSlopes(4, { layer: 4, layers: 4 })).toThrow(
      'lightningPaperSlopes: layer must lie in [0, 4), got 4',
    );
  });
});

it('SimpleRMSNorm divides by the root mean square and has no gain', () => {
  expectClose(
    simpleRmsNorm(host([1, 2], [3, 4]), { eps: 0 }).dataSync(),
    [3, 4].map((v) => v / Math.sqrt(12.5)),
    1e-15,
    'norm',
  );
});
