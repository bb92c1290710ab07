/** Intervals of planted laws hold the truth as often as they say. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../lib/core/random.js';
import { plantedCoverage } from '../../lib/families/scaling-laws/index.js';
import { leastCovered } from './coverage-bound.js';
import { planted, PLANTED } from './scaling-laws-planted.js';

describe('plantedCoverage', () => {
  const columns = planted('chinchilla');
  const random = new Random('noise');
  // Heavy tails: a normal divided by an independent size, about Student's t, median size 0.3 % as in real runs.
  const residuals = Float64Array.from(columns.loss, () => {
    const size = Math.sqrt(
      (random.normal() ** 2 + random.normal() ** 2 + random.normal() ** 2 + random.normal() ** 2) / 4,
    );
    return (0.004 * random.normal()) / size;
  });
  const truth = PLANTED.chinchilla.values;

  it('is that of a 90 % interval over 40 trials, within what 40 trials can tell', async () => {
    const { quantities, converged } = await plantedCoverage('chinchilla', columns, {
      truth,
      residuals,
      trials: 40,
      resamples: 80,
      seed: 11,
    });
    expect(converged).toBe(40);
    for (const name of ['E', 'alpha', 'beta', 'a']) {
      expect(quantities[name].covered, name).toBeGreaterThanOrEqual(leastCovered(40, 0.82));
      // Intervals so wide that they hold anything would be caught here.
      expect(quantities[name].medianWidth, name).toBeLessThan(0.2);
    }
  });

  it('knows how few of few trials are too few', () => {
    expect(leastCovered(40, 0.82)).toBe(25 / 40);
    expect(leastCovered(200, 0.82)).toBeGreaterThan(0.72);
  });

  it('does not depend on who does the trials, and draws noise as asked', async () => {
    const options = { truth, residuals, trials: 3, resamples: 20, seed: 1 };
    const one = await plantedCoverage('chinchilla', columns, options);
    expect(await plantedCoverage('chinchilla', columns, options)).toEqual(one);
    const signs = await plantedCoverage('chinchilla', columns, { ...options, noise: 'own-sign' });
    expect(signs.quantities).not.toEqual(one.quantities);
    await expect(plantedCoverage('chinchilla', columns, { ...options, residuals: [0] })).rejects.toThrow(
      /residuals must have one value a run/,
    );
  });
});
