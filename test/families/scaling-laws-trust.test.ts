/** What a fit refuses, and what it will not put a number on. */
import { describe, expect, it } from 'vitest';
import { FitError } from '../../lib/core/errors.js';
import {
  compareForms,
  fitLaw,
  holdOut,
  lawOf,
  optimumWithInterval,
  predictLaw,
  predictWithBands,
  profileLikelihood,
  withoutHighest,
  type Columns,
} from '../../lib/families/scaling-laws/index.js';
import { Random } from '../../lib/core/random.js';
import { planted, PLANTED } from './scaling-laws-planted.js';

const good = planted('chinchilla', 0.004, 1);
const change = (name: string, f: (v: number, i: number) => number): Columns => ({
  ...good,
  [name]: good[name].map(f),
});

describe('runs that cannot be fitted are an error that names the column and the way out', () => {
  const cases: [string, Columns, RegExp][] = [
    [
      'a loss that is not positive',
      change('loss', (v, i) => (i === 3 ? -1 : v)),
      /loss must be positive and finite, got -1 at row 4/,
    ],
    [
      'NaN',
      change('d', (v, i) => (i === 0 ? NaN : v)),
      /column d must be positive and finite, got NaN at row 1/,
    ],
    ['infinity', change('n', (v, i) => (i === 0 ? Infinity : v)), /column n must be positive and finite/],
    ['sizes in billions', change('n', (v) => v / 1e9), /column n must .*units n=1e6 or n=1e9/],
    ['sizes in millions', change('n', (v) => v / 1e6), /column n must .*(fractions|millions)/],
    ['tokens in billions', change('d', (v) => v / 1e9), /column d must .*units d=1e6 or d=1e9/],
    ['tokens in millions', change('d', (v) => Math.round(v / 1e6) * 10), /tokens a parameter at the median/],
    ['a perplexity', change('loss', (v) => Math.exp(v) + 15), /perplexity must be turned into its logarithm/],
    [
      'compute that does not fit 6nd',
      { ...good, c: good.n.map((n, i) => (6 * n * good.d[i]) / 8.64e19) },
      /must fit C = 6 N D/,
    ],
    ['a missing column', { n: good.n, loss: good.loss }, /column d .* must be given, got n, loss/],
    ['columns of different lengths', { ...good, d: good.d.subarray(1) }, /column d must have 72 values/],
    [
      'no runs',
      Object.fromEntries(Object.keys(good).map((k) => [k, new Float64Array(0)])),
      /runs must have at least one row, got none/,
    ],
    [
      'too few runs',
      Object.fromEntries(Object.entries(good).map(([k, v]) => [k, v.subarray(0, 5)])),
      /at least 6 different inputs for 5 parameters, got 5/,
    ],
    [
      'the same run many times',
      Object.fromEntries(Object.entries(good).map(([k, v]) => [k, new Float64Array(50).fill(v[0])])),
      /at least 6 different inputs/,
    ],
    ['one size only', change('n', () => 1e9), /column n must vary/],
    [
      'a line of constant tokens a parameter',
      change('d', (_, i) => 20 * good.n[i] * (1 + 1e-9 * i)),
      /collinear/,
    ],
  ];
  it.each(cases)('%s', async (_, columns, message) => {
    await expect(fitLaw('chinchilla', columns)).rejects.toThrow(FitError);
    await expect(fitLaw('chinchilla', columns)).rejects.toThrow(message);
  });

  it('compute in FLOP for a law in PF-days, and the other way round', async () => {
    const c = [1e18, 1e19, 1e20, 1e21, 1e22];
    const loss = [4, 3.5, 3, 2.7, 2.5];
    await expect(fitLaw('kaplan-c', { c, loss })).rejects.toThrow(/PF-days.*units c=1\.157/);
    await expect(fitLaw('power-offset-c', { c: c.map((v) => v / 8.64e19), loss })).rejects.toThrow(
      /units c=8\.64e19/,
    );
  });
});

describe('columns that follow from others', () => {
  it('give the same fit', async () => {
    const c = good.n.map((n, i) => 6 * n * good.d[i]);
    const whole = await fitLaw('chinchilla', good);
    const made = await fitLaw('chinchilla', { n: good.n, c, loss: good.loss });
    expect(Math.abs(made.raw.beta / whole.raw.beta - 1)).toBeLessThan(1e-6);
  });

  it('lose their highest rows, the later of equals first', () => {
    const left = withoutHighest({ loss: [3, 5, 4, 5, 1], n: [1, 2, 3, 4, 5] }, 'loss', 2);
    expect([...left.n]).toEqual([1, 3, 5]);
    expect([...withoutHighest({ loss: [5, 5, 1], n: [1, 2, 3] }, 'loss', 1).n]).toEqual([1, 3]);
  });
});

describe('a parameter that the runs do not identify has no number', () => {
  it.each([1, 2, 3])('when its term has vanished from all of them (noise %i)', async (seed) => {
    const n = good.n;
    // So much data that what it lowers is lost in the noise.
    const d = n.map((v, i) => Math.round(v * 3e4 * (1 + (i % 9))));
    const random = new Random(seed);
    const { values } = PLANTED.chinchilla;
    const loss = n.map(
      (v, i) => predictLaw(lawOf('chinchilla'), values, { n: v, d: d[i] }) * Math.exp(0.03 * random.normal()),
    );
    const fit = await fitLaw('chinchilla', { n, d, loss }, { bootstrap: 100 });
    expect(fit.parameters.B).toBeNull();
    expect(fit.parameters.beta).toBeNull();
    expect(fit.intervals.B).toEqual({ low: null, high: null });
    expect(fit.derived.a.value).toBeNull();
    expect(fit.flags.filter(({ code }) => code === 'unidentified').map(({ parameter }) => parameter)).toEqual(
      expect.arrayContaining(['B', 'beta']),
    );
    expect(() => optimumWithInterval(fit, 1e23)).toThrow(/must identify alpha and beta/);
  });

  it('when an offset is asked for where there is none to see', async () => {
    const points = planted('power', 0.01, 2);
    const fit = await fitLaw('power-offset', { x: points.x, loss: points.loss }, { bootstrap: 100 });
    expect(fit.parameters.E).toBeNull();
    expect(fit.flags.some(({ parameter }) => parameter === 'E')).toBe(true);
  });

  it('with the sandwich as well as with resamples', async () => {
    const points = planted('power', 0.01, 2);
    const fit = await fitLaw('power-offset', { x: points.x, loss: points.loss });
    expect(fit.intervalMethod).toBe('sandwich');
    expect(fit.parameters.E).toBeNull();
  });

  it('and its profile never rises on the open side', async () => {
    const points = planted('power', 0.01, 2);
    const fit = await fitLaw('power-offset', { x: points.x, loss: points.loss });
    const profile = profileLikelihood(fit, 'E', { step: 0.05 });
    expect(profile).toMatchObject({ identified: false, low: null });
  });
});

describe('flags', () => {
  const codes = async (columns: Columns): Promise<string[]> =>
    (await fitLaw('chinchilla', columns)).flags.map(({ code }) => code);

  it('name repeated rows, few points, points far off and inputs that nearly move together', async () => {
    expect(await codes(good)).toEqual([]);
    const twice = Object.fromEntries(Object.entries(good).map(([k, v]) => [k, [...v, ...v]]));
    expect(await codes(twice)).toContain('duplicates');
    const few = Object.fromEntries(
      Object.entries(good).map(([k, v]) => [k, v.filter((_, i) => i % 6 === 0)]),
    );
    expect(await codes(few)).toContain('few-points');
    expect(await codes(change('loss', (v, i) => (i === 40 ? 1.5 * v : v)))).toContain('large-residuals');
    const random = new Random(1);
    const d = good.n.map((v) => Math.round(20 * v * Math.exp(0.05 * random.normal())));
    const loss = good.n.map((n, i) =>
      predictLaw(lawOf('chinchilla'), PLANTED.chinchilla.values, { n, d: d[i] }),
    );
    expect(await codes({ n: good.n, d, loss })).toContain('nearly-collinear');
  });
});

describe('more flags', () => {
  it('tell computed runs from measured ones', async () => {
    const fit = await fitLaw('chinchilla', planted('chinchilla'));
    expect(fit.flags.map(({ code }) => code)).toContain('exact-fit');
  });

  it('tell a law that says more is worse', async () => {
    const x = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
    const fit = await fitLaw('power', {
      x,
      loss: x.map((v, i) => 2 * Math.pow(v, 0.05) * (1 + 0.01 * (i % 2))),
    });
    expect(fit.parameters.alpha).toBeLessThan(0);
    expect(fit.flags.map(({ code }) => code)).toContain('wrong-sign');
    // Experts that help have negative exponents.
    const good = await fitLaw('moe-routed', planted('moe-routed', 0.001, 1));
    expect(good.flags.map(({ code }) => code)).not.toContain('wrong-sign');
  });
});

describe('profiles', () => {
  it('rise on both sides of an identified parameter, at about the bounds of the bootstrap', async () => {
    const fit = await fitLaw('chinchilla', good, { bootstrap: 200 });
    for (const name of ['E', 'alpha', 'beta', 'B']) {
      const profile = profileLikelihood(fit, name);
      expect(profile.identified).toBe(true);
      const { low, high } = fit.intervals[name] as { low: number; high: number };
      expect(profile.low).toBeLessThan(fit.raw[name]);
      expect(profile.high).toBeGreaterThan(fit.raw[name]);
      const ratio = ((profile.high as number) - (profile.low as number)) / (high - low);
      expect(ratio).toBeGreaterThan(0.4);
      expect(ratio).toBeLessThan(2.5);
      for (const { rise } of profile.points) expect(rise).toBeGreaterThan(-1e-3);
    }
    expect(() => profileLikelihood(fit, 'gamma')).toThrow(/parameter must be one of A, B, E, alpha, beta/);
  });
});

describe('predictions', () => {
  it('have bands that widen away from the runs, and say how far away they are', async () => {
    const fit = await fitLaw('chinchilla', good, { bootstrap: 100 });
    const [inside, outside] = predictWithBands(fit, [
      { n: 1e9, d: 2e10 },
      { n: 1e13, d: 1e14 },
    ]);
    const width = ({ low, high }: { low: number; high: number }): number => Math.log(high / low);
    expect(width(outside.band)).toBeGreaterThan(3 * width(inside.band));
    expect(width(inside.run)).toBeGreaterThan(width(inside.band));
    expect(inside).toMatchObject({ beyond: 1, flags: [] });
    expect(outside.flags.map(({ code }) => code)).toEqual(['extrapolates']);
    expect(inside.band.low).toBeLessThan(inside.value);
    expect(inside.value).toBeLessThan(inside.band.high);
  });

  it('need resamples', async () => {
    const fit = await fitLaw('chinchilla', good);
    expect(() => predictWithBands(fit, [{ n: 1e9, d: 2e10 }])).toThrow(/at least 20 finite resamples/);
  });

  it('of the optimum hold its interval around it', async () => {
    const fit = await fitLaw('chinchilla', good, { bootstrap: 100 });
    const { n, d } = optimumWithInterval(fit, 5.76e23);
    expect(n.low).toBeLessThan(n.estimate);
    expect(n.estimate).toBeLessThan(n.high);
    expect(6 * n.estimate * d.estimate).toBeCloseTo(5.76e23, -12);
    const other = await fitLaw('power-offset-n', { n: good.n, loss: good.loss }, { bootstrap: 30 });
    expect(() => optimumWithInterval(other, 1e23)).toThrow(/must be of chinchilla/);
  });
});

describe('held-out runs', () => {
  it('are the ones with the most compute, and the true form predicts them best', async () => {
    const { forms, failed } = await compareForms(
      ['power-offset-n', 'chinchilla', 'kaplan-nd', 'kaplan-steps'],
      good,
      {
        holdout: 0.2,
        bootstrap: 60,
      },
    );
    expect(forms[0].law).toBe('chinchilla');
    expect(forms[0]).toMatchObject({ heldOut: 14, trained: 58, which: 'largest' });
    expect(forms[0].rms).toBeLessThan(0.012);
    expect(forms[0].covered).toBeGreaterThan(0.5);
    const largest = Math.max(...forms[0].fit.data.points.map(({ n, d }) => n * d));
    const all = [...good.n].map((n, i) => n * good.d[i]).sort((a, b) => a - b);
    expect(largest).toBeLessThanOrEqual(all[58]);
    expect(failed.map(({ law }) => law)).toEqual(['kaplan-steps']);
    expect(failed[0].error).toMatch(/column s/);
  });

  it('can be random, by seed', async () => {
    const sizes = async (seed: number): Promise<number[]> =>
      (await holdOut('chinchilla', good, { holdout: 0.3, which: 'random', seed })).fit.data.points.map(
        ({ n }) => n,
      );
    expect(await sizes(1)).toEqual(await sizes(1));
    expect(await sizes(1)).not.toEqual(await sizes(2));
    await expect(holdOut('chinchilla', good, { holdout: 1.5 })).rejects.toThrow(/holdout must lie between/);
  });
});
