import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArgumentError, FitError, ShapeError } from '../../lib/core/errors.js';
import {
  bisectRoot,
  centralGradient,
  cholesky,
  choleskySolve,
  hessian,
  inverse,
  isConverged,
  minimizeFromAll,
  minimizeLbfgs,
  minimizeNelderMead,
  multiply,
  strongWolfe,
  symmetricEigen,
  type Objective,
} from '../../lib/core/optimize/index.js';

interface GoldenMinimum {
  name: string;
  start: number[];
  default: { x: number[]; f: number; iterations: number; evaluations: number };
  tight: { x: number[]; f: number };
}
const golden = (
  JSON.parse(readFileSync(new URL('../golden/scaling-laws.json', import.meta.url), 'utf8')) as {
    minima: GoldenMinimum[];
  }
).minima;

const rosenbrock: Objective = (x, g) => {
  g.fill(0);
  let f = 0;
  for (let i = 0; i + 1 < x.length; i++) {
    const bend = x[i + 1] - x[i] * x[i];
    f += 100 * bend * bend + (1 - x[i]) * (1 - x[i]);
    g[i] += -400 * x[i] * bend - 2 * (1 - x[i]);
    g[i + 1] += 200 * bend;
  }
  return f;
};
const beale: Objective = (x, g) => {
  const [u, v] = x;
  let f = 0;
  g.fill(0);
  [1.5, 2.25, 2.625].forEach((y, i) => {
    const p = i + 1;
    const r = y - u * (1 - Math.pow(v, p));
    f += r * r;
    g[0] -= 2 * r * (1 - Math.pow(v, p));
    g[1] += 2 * r * u * p * Math.pow(v, p - 1);
  });
  return f;
};
/** Its minimum stands at (7/3, -2): neither at zero nor on an axis. */
const booth: Objective = (x, g) => {
  const [u, v] = [3 * (x[0] - 2), x[1] + 5];
  const [a, b] = [u + 2 * v - 7, 2 * u + v - 5];
  g[0] = 3 * (2 * a + 4 * b);
  g[1] = 4 * a + 2 * b;
  return a * a + b * b;
};
const powell: Objective = ([p, q, r, s], g) => {
  const [a, b, c, d] = [p + 10 * q, r - s, q - 2 * r, p - s];
  g[0] = 2 * a + 40 * d ** 3;
  g[1] = 20 * a + 4 * c ** 3;
  g[2] = 10 * b - 8 * c ** 3;
  g[3] = -10 * b - 40 * d ** 3;
  return a * a + 5 * b * b + c ** 4 + 10 * d ** 4;
};
const functions: Record<string, Objective> = { rosenbrock, beale, booth, powell };
const valueOf =
  (f: Objective) =>
  (x: Float64Array): number =>
    f(x, new Float64Array(x.length));

describe('minimizeLbfgs', () => {
  it.each(golden)('takes the steps of L-BFGS-B on $name from $start', ({ name, start, default: want }) => {
    const got = minimizeLbfgs(functions[name], start, {
      objectiveTolerance: 2.220446049250313e-9,
      gradientTolerance: 1e-5,
    });
    expect(isConverged(got.stopReason)).toBe(true);
    // Rounding is amplified step by step, so a search may differ by a few evaluations.
    expect(Math.abs(got.iterations - want.iterations)).toBeLessThanOrEqual(3);
    expect(Math.abs(got.evaluations - want.evaluations)).toBeLessThanOrEqual(6);
    want.x.forEach((value, i) => expect(Math.abs(got.x[i] - value)).toBeLessThan(2e-3));
  });

  it.each(golden)(
    'reaches the minimum of $name from $start with tight tolerances',
    ({ name, start, tight }) => {
      const got = minimizeLbfgs(functions[name], start, { objectiveTolerance: 0, gradientTolerance: 1e-9 });
      expect(got.stopReason).toBe('converged-gradient');
      expect(got.gradientNorm).toBeLessThanOrEqual(1e-9);
      expect(got.objective).toBeLessThan(1e-15);
      // Powell's function is flat to fourth order: x is known to the fourth root of its value.
      const loose = name === 'powell' ? 5e-4 : 1e-7;
      tight.x.forEach((value, i) => expect(Math.abs(got.x[i] - value)).toBeLessThan(loose));
    },
  );

  it('solves random convex quadratics wherever their minimum is and however they are scaled', () => {
    const number = fc.double({ min: -5, max: 5, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(number, { minLength: 9, maxLength: 9 }),
        fc.tuple(number, number, number),
        (m, at) => {
          const f: Objective = (x, g) => {
            const d = x.map((v, i) => v - at[i]);
            // A A^T + I is positive definite.
            const rows = [0, 1, 2].map((i) => m[3 * i] * d[0] + m[3 * i + 1] * d[1] + m[3 * i + 2] * d[2]);
            for (let j = 0; j < 3; j++)
              g[j] = 2 * (rows[0] * m[j] + rows[1] * m[3 + j] + rows[2] * m[6 + j]) + 2 * d[j];
            return rows.reduce((sum, v) => sum + v * v, 0) + d.reduce((sum, v) => sum + v * v, 0);
          };
          const got = minimizeLbfgs(f, [10, -10, 3], { objectiveTolerance: 0, gradientTolerance: 1e-8 });
          expect(isConverged(got.stopReason)).toBe(true);
          at.forEach((value, i) => expect(Math.abs(got.x[i] - value)).toBeLessThan(1e-6));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('says why it stopped', () => {
    const reason = (f: Objective, start: number[], options = {}): string =>
      minimizeLbfgs(f, start, options).stopReason;
    expect(reason(rosenbrock, [-1.2, 1], { maxIterations: 3 })).toBe('iteration-limit');
    expect(reason(rosenbrock, [-1.2, 1], { shouldStop: () => true })).toBe('stopped');
    expect(reason(rosenbrock, [1, 1])).toBe('converged-gradient');
    expect(reason(rosenbrock, [-1.2, 1], { objectiveTolerance: 10 })).toBe('converged-objective');
    expect(reason(() => NaN, [1])).toBe('not-finite');
    expect(
      reason(
        (_, g) => {
          g[0] = NaN;
          return 1;
        },
        [1],
      ),
    ).toBe('not-finite');
    // A gradient that points the wrong way: no step can go down.
    expect(
      reason(
        (x, g) => {
          g[0] = -2 * x[0];
          return x[0] * x[0];
        },
        [1],
      ),
    ).toBe('line-search-failed');
  });

  it('stops where it is asked to, with the best point so far', () => {
    let left = 5;
    const got = minimizeLbfgs(rosenbrock, [-1.2, 1], { shouldStop: () => left-- === 0 });
    expect(got).toMatchObject({ stopReason: 'stopped', iterations: 5 });
    expect(got.objective).toBeLessThan(24.2);
    expect(got.objective).toBe(valueOf(rosenbrock)(got.x));
  });

  it('comes back from steps that leave the domain', () => {
    const f: Objective = (x, g) => {
      g[0] = 1 - 1 / x[0];
      return x[0] > 0 ? x[0] - Math.log(x[0]) : NaN;
    };
    const got = minimizeLbfgs(f, [1e-3], { firstStep: 1e3, objectiveTolerance: 0, gradientTolerance: 1e-9 });
    expect(got.stopReason).toBe('converged-gradient');
    expect(got.x[0]).toBeCloseTo(1, 8);
  });

  it('refuses an empty start and negative options', () => {
    expect(() => minimizeLbfgs(rosenbrock, [])).toThrow(ArgumentError);
    expect(() => minimizeLbfgs(rosenbrock, [1, 2], { memory: 0 })).toThrow(/minimizeLbfgs: options must/);
  });

  it('gives the same bits every time', () => {
    const run = (): number[] => [...minimizeLbfgs(rosenbrock, [-1.2, 1, 0.3, 2]).x];
    expect(run()).toEqual(run());
  });
});

describe('strongWolfe', () => {
  it('accepts only steps that meet both conditions', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 50, noNaN: true }),
        fc.double({ min: 1e-3, max: 30, noNaN: true }),
        (place, first) => {
          const f = (t: number) => ({
            step: t,
            value: (t - place) ** 4 + (t - place) ** 2,
            slope: 4 * (t - place) ** 3 + 2 * (t - place),
          });
          const start = f(0);
          let last = start;
          const found = strongWolfe((t) => (last = f(t)), start, first, { curvature: 0.1 });
          expect(found.ok).toBe(true);
          expect(last.value).toBeLessThanOrEqual(start.value + 1e-3 * last.step * start.slope);
          expect(Math.abs(last.slope)).toBeLessThanOrEqual(0.1 * Math.abs(start.slope));
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('minimizeNelderMead', () => {
  it.each(golden.filter(({ name, start }) => name !== 'powell' && start.length === 2))(
    'agrees with the gradient method on $name from $start',
    ({ name, start, tight }) => {
      const got = minimizeNelderMead(valueOf(functions[name]), start, { maxIterations: 5000 });
      expect(got.stopReason).toBe('converged-objective');
      expect(got.gradientNorm).toBeNaN();
      tight.x.forEach((value, i) => expect(Math.abs(got.x[i] - value)).toBeLessThan(1e-5));
    },
  );

  it('says why it stopped', () => {
    const f = valueOf(rosenbrock);
    expect(minimizeNelderMead(f, [-1.2, 1], { maxIterations: 3 }).stopReason).toBe('iteration-limit');
    expect(minimizeNelderMead(f, [-1.2, 1], { shouldStop: () => true }).stopReason).toBe('stopped');
    expect(minimizeNelderMead(() => NaN, [1, 2]).stopReason).toBe('not-finite');
    expect(() => minimizeNelderMead(f, [])).toThrow(ArgumentError);
  });
});

describe('minimizeFromAll', () => {
  /** Two valleys; the one at +2 is deeper. */
  const twoValleys: Objective = ([x], g) => {
    g[0] = 4 * x * (x * x - 4) - 0.5;
    return (x * x - 4) ** 2 - 0.5 * x;
  };

  it('keeps the lowest of all starts and counts what became of each', () => {
    const { best, results, summary } = minimizeFromAll(twoValleys, [[-3], [-1], [3], [NaN]]);
    expect(best?.x[0]).toBeGreaterThan(2);
    expect(results).toHaveLength(4);
    expect(summary).toMatchObject({ count: 4, converged: 3 });
    expect(summary.reasons['not-finite']).toBe(1);
  });

  it('leaves out the rest when it is stopped, and has no best where nothing is finite', () => {
    let asked = 0;
    const stopped = minimizeFromAll(twoValleys, [[-3], [3]], {
      maxIterations: 1,
      shouldStop: () => asked++ > 0,
    });
    expect(stopped.summary.count).toBe(1);
    expect(minimizeFromAll(() => NaN, [[1]]).best).toBeUndefined();
  });
});

describe('small matrices', () => {
  const matrix = Float64Array.of(4, 1, 0.5, 1, 3, -0.25, 0.5, -0.25, 2);

  it('are factored, solved and inverted', () => {
    const L = cholesky(matrix) as Float64Array;
    const x = choleskySolve(L, Float64Array.of(1, 2, 3));
    [0, 1, 2].forEach((i) =>
      expect(matrix[3 * i] * x[0] + matrix[3 * i + 1] * x[1] + matrix[3 * i + 2] * x[2]).toBeCloseTo(
        i + 1,
        13,
      ),
    );
    multiply(matrix, inverse(matrix) as Float64Array).forEach((v, at) =>
      expect(v).toBeCloseTo(at % 4 === 0 ? 1 : 0, 13),
    );
  });

  it('that are not positive definite have no factor and no inverse', () => {
    expect(cholesky(Float64Array.of(1, 2, 2, 1))).toBeUndefined();
    expect(inverse(Float64Array.of(0, 0, 0, 0))).toBeUndefined();
    expect(cholesky(Float64Array.of(NaN))).toBeUndefined();
    expect(() => cholesky(new Float64Array(3))).toThrow(ShapeError);
  });

  it('have eigenvectors that make them diagonal, values ascending', () => {
    const { values, vectors } = symmetricEigen(matrix);
    expect([...values]).toEqual([...values].sort((a, b) => a - b));
    vectors.forEach((v, k) =>
      [0, 1, 2].forEach((i) => {
        const image = matrix[3 * i] * v[0] + matrix[3 * i + 1] * v[1] + matrix[3 * i + 2] * v[2];
        expect(image).toBeCloseTo(values[k] * v[i], 12);
      }),
    );
    expect(values.reduce((sum, v) => sum + v, 0)).toBeCloseTo(9, 12);
  });
});

describe('derivatives by differences', () => {
  it('agree with the formulas', () => {
    for (const [name, f] of Object.entries(functions)) {
      const x = name === 'powell' ? [1.3, -0.4, 0.7, 2.1] : [1.3, -0.4];
      const g = new Float64Array(x.length);
      f(Float64Array.from(x), g);
      centralGradient(valueOf(f), x).forEach((v, i) =>
        expect(Math.abs(v - g[i])).toBeLessThan(1e-6 * (1 + Math.abs(g[i]))),
      );
    }
  });

  it('give the Hessian of a quadratic', () => {
    hessian(booth, [5, -7]).forEach((v, at) => expect(v).toBeCloseTo([90, 24, 24, 10][at], 4));
  });
});

describe('bisectRoot', () => {
  it('finds the root to the last bits', () => {
    expect(bisectRoot((x) => x * x - 2, 0, 2)).toBeCloseTo(Math.SQRT2, 15);
    expect(bisectRoot((x) => 3 - x, 0, 3)).toBe(3);
  });

  it('needs a change of sign', () => {
    expect(() => bisectRoot((x) => x * x + 1, -1, 1)).toThrow(FitError);
    expect(() => bisectRoot(() => NaN, -1, 1)).toThrow(FitError);
  });
});
