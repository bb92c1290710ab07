/** Chinchilla's approaches 1 and 2 on curves and valleys made from a known law. */
import { describe, expect, it } from 'vitest';
import { FitError } from '../../lib/core/errors.js';
import { Random } from '../../lib/core/random.js';
import {
  chinchillaLoss,
  computeOptimal,
  groupBudgets,
  isoFlopParabolas,
  optimalExponents,
  trainingCurveEnvelope,
  type TrainingCurve,
} from '../../lib/families/scaling-laws/index.js';

const LAW = { A: 482, B: 2085, E: 1.817, alpha: 0.348, beta: 0.366 };
const spaced = (low: number, high: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => low * Math.pow(high / low, i / (count - 1)));

/** Sizes around the optimum of each budget, as in the paper's nine budgets. */
function valleys(noise: number, seed: number, spread = 4): { n: number[]; c: number[]; loss: number[] } {
  const random = new Random(seed);
  const out = { n: [] as number[], c: [] as number[], loss: [] as number[] };
  for (const c of [6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21])
    for (const factor of spaced(1 / spread, spread, 9)) {
      const n = computeOptimal(LAW, c).n * factor;
      out.n.push(n);
      out.c.push(c);
      out.loss.push(chinchillaLoss(LAW, n, c / 6 / n) * Math.exp(noise * random.normal()));
    }
  return out;
}

describe('isoFlopParabolas', () => {
  it('finds the exponents of the law and an interval that holds them', () => {
    const { a, b } = optimalExponents(LAW);
    const fit = isoFlopParabolas(valleys(0.001, 1), { seed: 1 });
    expect(fit.optima).toHaveLength(9);
    expect(Math.abs(fit.a.estimate - a)).toBeLessThan(0.02);
    expect(fit.a.low).toBeLessThan(a);
    expect(fit.a.high).toBeGreaterThan(a);
    expect(Math.abs(fit.a.estimate + fit.b.estimate - 1)).toBeLessThan(1e-9);
    expect(Math.abs(fit.b.estimate - b)).toBeLessThan(0.02);
    for (const optimum of fit.optima)
      expect(Math.abs(Math.log(optimum.n / computeOptimal(LAW, optimum.c).n))).toBeLessThan(0.15);
  });

  it('is exact for parabolas', () => {
    const c = [1e18, 1e19, 1e20].flatMap((v) => Array<number>(5).fill(v));
    const n = c.map((v, i) => Math.sqrt(v) * 0.1 * Math.exp(((i % 5) - 2.3) * 0.4));
    const loss = c.map((v, i) => 3 + 0.1 * Math.pow(Math.log(n[i] / (Math.sqrt(v) * 0.1)), 2));
    const fit = isoFlopParabolas({ n, c, loss }, { bootstrap: 0 });
    expect(fit.a.estimate).toBeCloseTo(0.5, 10);
    expect(fit.optima[1].n / 1e9).toBeCloseTo(Math.sqrt(1e19) / 1e10, 8);
    expect(fit.optima[1].loss).toBeCloseTo(3, 9);
    expect(fit.a).toMatchObject({ low: -Infinity, high: Infinity });
  });

  it('leaves out budgets without a minimum among their sizes, and names them', () => {
    const data = valleys(0, 1);
    // The largest budget only tried small sizes.
    data.c.forEach((c, i) => {
      if (c === 3e21) data.n[i] /= 40;
      data.loss[i] = chinchillaLoss(LAW, data.n[i], c / 6 / data.n[i]);
    });
    const fit = isoFlopParabolas(data);
    expect(fit.optima).toHaveLength(8);
    expect(fit.dropped).toEqual([{ c: 3e21, reason: expect.stringMatching(/outside|no minimum/) as string }]);
    expect(() => isoFlopParabolas({ n: [1e8, 2e8], c: [1e19, 1e19], loss: [3, 2.9] })).toThrow(FitError);
    expect(() => isoFlopParabolas({ n: [1e8], c: [NaN], loss: [3] })).toThrow(/c must be positive/);
  });

  it('puts budgets that nearly agree together', () => {
    expect(groupBudgets([1e19, 3e19, 1.04e19, 3.1e19, 0.98e19])).toEqual([
      [4, 0, 2],
      [1, 3],
    ]);
  });
});

/** A run of one size seen at many budgets, as if each point were a finished training. */
function curve(n: number, low: number, high: number, noise = 0, seed = 0): TrainingCurve {
  const random = new Random(seed);
  const c = spaced(low, high, 60);
  return { n, c, loss: c.map((v) => chinchillaLoss(LAW, n, v / 6 / n) * Math.exp(noise * random.normal())) };
}

describe('trainingCurveEnvelope', () => {
  const sizes = spaced(5e7, 2e10, 28);
  const curves = sizes.map((n, i) => curve(n, 1e17, 1e22, 5e-5, i));

  it('finds the exponents of the law', () => {
    const { a } = optimalExponents(LAW);
    const fit = trainingCurveEnvelope(curves, { bootstrap: 60, seed: 2 });
    expect(Math.abs(fit.a.estimate - a)).toBeLessThan(0.02);
    expect(fit.a.low).toBeLessThan(fit.a.estimate);
    expect(fit.a.high).toBeGreaterThan(fit.a.estimate);
    expect(fit.optima.length).toBeGreaterThan(700);
    expect(fit.dropped.length).toBeGreaterThan(0);
    // A run on the envelope is nowhere worse than the law's optimum allows.
    for (const { c, loss } of fit.optima.slice(0, 50))
      expect(loss).toBeLessThan(1.005 * computeOptimal(LAW, c).loss);
  });

  it('leaves out budgets at which the smallest or the largest model is best', () => {
    const long = sizes.map((n) => curve(n, 1e17, 1e24));
    const { dropped } = trainingCurveEnvelope(long, { bootstrap: 0 });
    expect(new Set(dropped.map(({ reason }) => reason))).toEqual(
      new Set(['the smallest model is the best', 'the largest model is the best']),
    );
  });

  it('refuses curves that are not curves', () => {
    expect(() => trainingCurveEnvelope(curves.slice(0, 2))).toThrow(/three sizes or more/);
    expect(() => trainingCurveEnvelope([{ n: 1e8, c: [1e18], loss: [3] }])).toThrow(/two points or more/);
    expect(() => trainingCurveEnvelope([{ n: 1e8, c: [2e18, 1e18], loss: [3, 3] }])).toThrow(/ascending/);
    expect(() => trainingCurveEnvelope([{ n: 1e8, c: [1e18, 2e18], loss: [3, NaN] }])).toThrow(
      /positive and finite/,
    );
  });
});
