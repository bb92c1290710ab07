import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, CancelledError, FitError } from '../../lib/core/errors.js';
import { centralGradient, minimizeNelderMead } from '../../lib/core/optimize/index.js';
import * as scaling from '../../lib/families/scaling-laws/index.js';
import { prepareRows, toInternal, toPublic } from '../../lib/families/scaling-laws/law.js';
import { fitObjective, whiten } from '../../lib/families/scaling-laws/objective.js';
import { planted, PLANTED } from './scaling-laws-planted.js';

const { fitLaw, lawOf, laws } = scaling;
const golden = (
  JSON.parse(readFileSync(new URL('../golden/scaling-laws.json', import.meta.url), 'utf8')) as {
    fits: {
      law: string;
      columns: Record<string, number[]>;
      objective: number;
      parameters: Record<string, number>;
    }[];
  }
).fits;

function near(got: number, want: number, relative: number, what = ''): void {
  expect(Math.abs(got / want - 1), `${what}: ${got} instead of ${want}`).toBeLessThan(relative);
}

describe('every law', () => {
  it.each(laws())('$id has a gradient that differences confirm, near and far from its constants', (law) => {
    const { values, points } = PLANTED[law.id];
    const rows = prepareRows(law, points);
    const at = toInternal(law, values);
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -0.15, max: 0.15, noNaN: true }), {
          minLength: at.length,
          maxLength: at.length,
        }),
        fc.nat(points.length - 1),
        (moves, i) => {
          const theta = at.map((v, k) => v + moves[k] * Math.max(Math.abs(v), 0.1) * 0.3);
          const gradient = new Float64Array(at.length);
          const f = (t: Float64Array): number => law.logPredict(t, rows, i * law.width);
          if (!Number.isFinite(law.logPredict(theta, rows, i * law.width, gradient))) return;
          const differences = centralGradient(f, theta);
          const size = Math.max(...gradient.map(Math.abs), 1e-3);
          gradient.forEach((g, k) =>
            expect(Math.abs(g - differences[k]) / size, law.parameters[k].name).toBeLessThan(2e-6),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  it.each(laws())('$id finds planted parameters again from exact runs', async (law) => {
    const { values } = PLANTED[law.id];
    const { parameters, converged, objective } = await fitLaw(law, planted(law.id));
    expect(converged).toBe(true);
    expect(objective).toBeLessThan(1e-12);
    for (const [name, value] of Object.entries(values)) near(parameters[name] ?? NaN, value, 2e-3, name);
  });

  it.each(laws())('$id says what it is, where it comes from and in which units', (law) => {
    expect(law.sources.length).toBeGreaterThan(0);
    for (const text of [law.summary, law.equation, ...law.inputs.map(({ unit }) => unit)])
      expect(text).not.toBe('');
    for (const { values, source } of law.published) {
      expect(source).not.toBe('');
      expect(Object.keys(values).sort()).toEqual(law.parameters.map(({ name }) => name).sort());
      const back = toPublic(law, toInternal(law, values));
      for (const [name, value] of Object.entries(values)) near(back[name], value, 1e-14, name);
    }
  });
});

describe('published constants', () => {
  const of = (law: string, name: string): Record<string, number> => {
    const found = lawOf(law).published.find((constants) => constants.name === name);
    if (!found) throw new Error(`no constants ${name} of ${law}`);
    return { ...found.values };
  };
  const chinchillaOf = (name: string) => of('chinchilla', name) as unknown as scaling.ChinchillaConstants;

  it('of Muennighoff et al. give the two values of the authors’ code', () => {
    const predict = (n: number, d: number, u: number): number =>
      scaling.predictLaw(scaling.dataConstrained, of('data-constrained', 'paper'), { n, d, u });
    near(predict(6.34e9, 242e9, 25e9), 2.2256440889984477, 1e-12);
    near(predict(8.67e9, 178e9, 25e9), 2.2269634075087867, 1e-12);
  });

  it('of Chinchilla put the optimum of 5.76e23 FLOP at 40.4e9 unrounded and 32.2e9 rounded; Epoch’s at 72.3e9', () => {
    const tex = scaling.computeOptimal(chinchillaOf('tex'), 5.76e23);
    near(tex.n, 40.4e9, 2e-3);
    near(tex.d, 2.379e12, 1e-3);
    near(scaling.computeOptimal(chinchillaOf('paper'), 5.76e23).n, 32.19e9, 1e-3);
    const epoch = scaling.computeOptimal(chinchillaOf('epoch'), 5.76e23);
    near(epoch.n, 72.3e9, 2e-3);
    near(epoch.d, 1.327e12, 1e-3);
    near(epoch.tokensPerParameter, 18.34, 1e-3);
    near(scaling.optimalExponents(chinchillaOf('epoch')).a, 0.51264, 1e-4);
  });

  it('of Kaplan et al. agree with each other: many tokens leave L(N), many parameters L(D)', () => {
    const joint = (n: number, d: number): number =>
      scaling.predictLaw(scaling.kaplanND, of('kaplan-nd', 'paper'), { n, d });
    near(joint(1e8, 1e30), Math.pow(6.4e13 / 1e8, 0.076), 1e-6);
    near(joint(1e30, 1e10), Math.pow(1.8e13 / 1e10, 0.103), 1e-6);
    near(scaling.predictLaw(scaling.kaplanN, of('kaplan-n', 'paper'), { n: 1.5e9 }), 2.304, 1e-3);
    near(scaling.predictLaw(scaling.kaplanCmin, of('kaplan-cmin', 'paper'), { c: 3.1e8 }), 1, 1e-12);
    near(scaling.kaplanCriticalBatch(1), 2.1e8, 1e-14);
    near(
      scaling.predictLaw(scaling.criticalBatch, of('kaplan-critical-batch', 'paper'), { loss: 2.5 }),
      scaling.kaplanCriticalBatch(2.5),
      1e-12,
    );
    const least = scaling.kaplanLeast({
      steps: 1000,
      compute: 1,
      batch: scaling.kaplanCriticalBatch(3),
      loss: 3,
    });
    expect(least.steps).toBeCloseTo(500, 9);
    expect(least.compute).toBeCloseTo(0.5, 12);
    const optimal = scaling.kaplanOptimal(1);
    expect(optimal).toEqual({ n: 1.3e9, batch: 2.0e6, steps: 5.4e3, d: 2e10 });
    expect(scaling.kaplanEnoughData(1e9)).toBeCloseTo(5e3 * Math.pow(1e9, 0.74), -3);
    expect(() => scaling.kaplanOptimal(-1)).toThrow(ArgumentError);
  });

  it('of Sardana and Frankle: 2e12 tokens of use make a 7 B model out of a 13 B one and save 17 %', () => {
    // Section 2 of the paper computes with these roundings of the exponents.
    const constants = { A: 406.4, B: 410.7, E: 1.69, alpha: 0.336, beta: 0.283 };
    const sizeOf = (logC: number): number => scaling.computeOptimal(constants, Math.exp(logC)).n;
    let [low, high] = [40, 70];
    while (high - low > 1e-9) {
      const middle = (low + high) / 2;
      if (sizeOf(middle) < 13e9) low = middle;
      else high = middle;
    }
    const plain = scaling.computeOptimal(constants, Math.exp(low));
    const best = scaling.inferenceOptimal(constants, plain.loss, { inferenceTokens: 2e12 });
    near(best.n, 7e9, 0.01);
    const whole = plain.c + 2 * plain.n * 2e12;
    near(whole - best.cost, 1.7e22, 0.01);
    near((whole - best.cost) / whole, 0.174, 0.01);
  });

  it('of Clark et al. say that more experts help until they saturate, and less for larger models', () => {
    const loss = (n: number, e: number): number =>
      scaling.predictLaw(scaling.moeRouted, of('moe-routed', 's-base'), { n, e });
    expect(loss(1e8, 8)).toBeLessThan(loss(1e8, 1));
    expect(loss(1e8, 64)).toBeLessThan(loss(1e8, 8));
    expect(loss(1e8, 1e5) / loss(1e8, 1e4)).toBeGreaterThan(0.99);
    expect(loss(1e10, 64) / loss(1e10, 1)).toBeGreaterThan(loss(1e8, 64) / loss(1e8, 1));
    // One expert is the dense model: E^ is Estart there, as in equation 2 at E = 1.
    const { a, b, c, d, Estart } = of('moe-routed', 's-base');
    near(Math.log10(loss(1e9, 1)), a * 9 + b * Math.log10(Estart) + c * 9 * Math.log10(Estart) + d, 1e-10);
  });

  it('of Krajewski et al. say that finer experts help, with falling returns', () => {
    const loss = (g: number): number =>
      scaling.predictLaw(scaling.moeFineGrained, of('moe-fine-grained', 'paper'), { n: 1e9, d: 1e11, g });
    expect(loss(4)).toBeLessThan(loss(1));
    expect(loss(1) - loss(2)).toBeGreaterThan(loss(8) - loss(16));
    near(loss(1), 0.47 + (2.1 + 18.1) / Math.pow(1e9, 0.115) + 30.8 / Math.pow(1e11, 0.147), 1e-12);
  });
});

describe('laws that are forms of each other', () => {
  it('over-training is chinchilla with equal exponents', () => {
    const [A, B, E, alpha] = [500, 900, 1.7, 0.3];
    const eta = alpha / 2;
    const law = scaling.overTraining;
    for (const [n, d] of [
      [1e8, 2e9],
      [3e9, 1e10],
      [1e7, 1e12],
    ])
      near(
        scaling.predictLaw(
          law,
          { E, a: A * Math.pow(6, eta), b: B * Math.pow(6, eta), eta },
          { c: 6 * n * d, m: d / n },
        ),
        scaling.chinchillaLoss({ A, B, E, alpha, beta: alpha }, n, d),
        1e-12,
      );
  });

  it('data-constrained is chinchilla where nothing repeats and the model is not too large', () => {
    const { values } = lawOf('data-constrained').published[0];
    const { A, B, E, alpha, beta } = values;
    near(
      scaling.predictLaw(scaling.dataConstrained, values, { n: 1e8, d: 5e10, u: 5e10 }),
      scaling.chinchillaLoss({ A, B, E, alpha, beta }, 1e8, 5e10),
      1e-13,
    );
    const loss = (d: number): number =>
      scaling.predictLaw(scaling.dataConstrained, values, { n: 1e8, d, u: 1e9 });
    expect(loss(4e9)).toBeLessThan(loss(1e9));
    expect(loss(1e12) / loss(1e11)).toBeGreaterThan(0.999);
  });
});

describe('the compute-optimal frontier', () => {
  const constants = { A: 482, B: 2085, E: 1.817, alpha: 0.348, beta: 0.366 };

  it('is the least loss on the line of a budget', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 40, max: 62, noNaN: true }),
        fc.double({ min: -2, max: 2, noNaN: true }),
        (logC, move) => {
          const c = Math.exp(logC);
          const best = scaling.computeOptimal(constants, c);
          near(6 * best.n * best.d, c, 1e-12);
          const n = best.n * Math.exp(move);
          expect(scaling.chinchillaLoss(constants, n, c / 6 / n)).toBeGreaterThanOrEqual(
            best.loss * (1 - 1e-14),
          );
        },
      ),
    );
  });

  it('is found again from its loss; a loss below E is refused', () => {
    const best = scaling.computeOptimal(constants, 5.76e23);
    near(scaling.computeForLoss(constants, best.loss).c, 5.76e23, 1e-9);
    expect(() => scaling.computeForLoss(constants, 1.8)).toThrow(FitError);
    expect(() => scaling.computeOptimal({ ...constants, alpha: NaN }, 1e20)).toThrow(ArgumentError);
  });

  it('moves to smaller models with more inference, and is the plain optimum without', () => {
    const { loss } = scaling.computeOptimal(constants, 1e22);
    const at = (inferenceTokens: number) => scaling.inferenceOptimal(constants, loss, { inferenceTokens });
    near(at(0).c, 1e22, 1e-9);
    let before = at(0).n;
    for (const tokens of [1e10, 1e11, 1e12, 1e13]) {
      const now = at(tokens);
      expect(now.n).toBeLessThan(before);
      near(now.loss, loss, 1e-12);
      // No neighbour on the line of equal loss is cheaper.
      for (const factor of [0.97, 1.03]) {
        const n = now.n * factor;
        const rest = loss - constants.E - constants.A * Math.pow(n, -constants.alpha);
        const d = Math.pow(constants.B / rest, 1 / constants.beta);
        expect(6 * n * d + 2 * n * tokens).toBeGreaterThan(now.cost);
      }
      before = now.n;
    }
    const dear = scaling.inferenceOptimal(constants, loss, { inferenceTokens: 1e12, inferencePrice: 5 });
    expect(dear.n).toBeLessThan(at(1e12).n);
    expect(() => scaling.inferenceOptimal(constants, 1.5, { inferenceTokens: 1 })).toThrow(FitError);
  });
});

describe('fitLaw', () => {
  it.each(golden)(
    'finds what SciPy finds for $law on noisy runs',
    async ({ law, columns, objective, parameters }) => {
      const fit = await fitLaw(law, columns);
      expect(fit.converged).toBe(true);
      expect(fit.objective).toBeLessThan(objective * (1 + 1e-8));
      near(fit.objective, objective, 1e-6);
      for (const [name, value] of Object.entries(parameters)) near(fit.raw[name], value, 2e-3, name);
    },
  );

  it('is at a minimum that Nelder and Mead confirm', async () => {
    const { law, columns } = golden[0];
    const fit = await fitLaw(law, columns);
    const problem = fitObjective(lawOf(law), fit.data.rows, fit.data.response);
    const start = problem.reduce(fit.theta).map((v) => v * 1.02);
    const other = minimizeNelderMead((x) => problem.objective(x, new Float64Array(5)), start, {
      maxIterations: 20000,
    });
    expect(other.objective).toBeGreaterThan(fit.objective * (1 - 1e-10));
    near(other.objective, fit.objective, 1e-3);
  });

  it('gives the same bits for any executor, in whatever order jobs are done', async () => {
    const { law, columns } = golden[0];
    const backwards: scaling.FitExecutor = (jobs) => {
      const results: scaling.FitJobResult[] = [];
      for (let i = jobs.length - 1; i >= 0; i--) results[i] = scaling.runFitJob(structuredClone(jobs[i]));
      return Promise.resolve(results);
    };
    const plain = await fitLaw(law, columns, { bootstrap: 60, seed: 3 });
    const other = await fitLaw(law, columns, { bootstrap: 60, seed: 3, executor: backwards });
    expect(JSON.stringify(other)).toBe(JSON.stringify(plain));
    expect((await fitLaw(law, columns, { bootstrap: 60, seed: 4 })).intervals).not.toEqual(plain.intervals);
  });

  it('does not depend on the order of the runs, and follows a change of units', async () => {
    const { columns } = golden[0];
    const fit = await fitLaw('chinchilla', columns);
    const turned = Object.fromEntries(Object.entries(columns).map(([name, v]) => [name, [...v].reverse()]));
    const other = await fitLaw('chinchilla', turned);
    near(other.objective, fit.objective, 1e-9);
    near(other.raw.alpha, fit.raw.alpha, 1e-5);
    const tenfold = await fitLaw('chinchilla', { ...columns, n: columns.n.map((v) => 10 * v) });
    near(tenfold.objective, fit.objective, 1e-9);
    near(tenfold.raw.A, fit.raw.A * Math.pow(10, fit.raw.alpha), 1e-4);
  });

  it('reports progress, and stops when it is cancelled', async () => {
    const seen: scaling.FitProgress[] = [];
    const { columns } = golden[1];
    await fitLaw('power-offset-n', columns, { bootstrap: 60, onProgress: (p) => seen.push(p) });
    expect(seen.filter(({ stage }) => stage === 'bootstrap').map(({ done }) => done)).toEqual([25, 50, 60]);
    const controller = new AbortController();
    const run = fitLaw('power-offset-n', columns, {
      bootstrap: 500,
      signal: controller.signal,
      onProgress: ({ stage }) => stage === 'bootstrap' && controller.abort(),
    });
    await expect(run).rejects.toThrow(CancelledError);
  });

  it('holds parameters fixed or equal, and never counts them as uncertain', async () => {
    const { columns } = golden[0];
    const fixed = await fitLaw('chinchilla', columns, { fixed: { E: 1.75 }, bootstrap: 30 });
    expect(fixed.parameters.E).toBeCloseTo(1.75, 12);
    expect(fixed.intervals.E.high).toBeCloseTo(1.75, 12);
    const equal = await fitLaw('chinchilla', columns, { equal: { beta: 'alpha' } });
    expect(equal.raw.beta).toBe(equal.raw.alpha);
    expect(equal.objective).toBeGreaterThan((await fitLaw('chinchilla', columns)).objective);
    await expect(fitLaw('chinchilla', columns, { fixed: { gamma: 1 } })).rejects.toThrow(
      /must have parameter/,
    );
    await expect(fitLaw('chinchilla', columns, { delta: -1 })).rejects.toThrow(ArgumentError);
    await expect(fitLaw('nothing', columns)).rejects.toThrow(/lawOf: id must be one of/);
    await expect(
      fitLaw('power', { x: [1, 2, 3, 4], loss: [4, 3, 2, 1] }, { starts: 'grid' }),
    ).rejects.toThrow(/no grid/);
  });

  it('says that it hit a limit, and then gives no number', async () => {
    const fit = await fitLaw('chinchilla', golden[0].columns, {
      starts: [{ A: 400, B: 400, E: 1.5, alpha: 0.3, beta: 0.3 }],
      tolerances: { maxIterations: 2 },
      polish: false,
    });
    expect(fit).toMatchObject({ stopReason: 'iteration-limit', converged: false });
    expect(Object.values(fit.parameters)).toEqual([null, null, null, null, null]);
    expect(fit.flags.map(({ code }) => code)).toContain('not-converged');
    expect(() => scaling.predictWithBands(fit, [{ n: 1e9, d: 1e10 }])).toThrow(FitError);
  });

  it('whitens a ridge into a bowl without moving its values', () => {
    const { columns } = golden[0];
    const data = scaling.checkRuns(lawOf('chinchilla'), columns);
    const problem = fitObjective(lawOf('chinchilla'), data.rows, data.response);
    const center = toInternal(lawOf('chinchilla'), { A: 400, B: 1900, E: 1.75, alpha: 0.34, beta: 0.35 });
    const scale = problem.objective(center, new Float64Array(5));
    const white = whiten(problem.objective, center, problem.curvature(center), scale);
    const z = Float64Array.of(0.3, -0.2, 0.1, 0.4, -0.5);
    const gradient = new Float64Array(5);
    const value = white.objective(z, gradient);
    near(value * scale, problem.objective(white.toX(z), new Float64Array(5)), 1e-13);
    centralGradient((at) => white.objective(at, new Float64Array(5)), z).forEach((v, i) =>
      expect(Math.abs(v - gradient[i])).toBeLessThan(1e-6),
    );
  });
});
