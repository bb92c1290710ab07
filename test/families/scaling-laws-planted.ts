/** Plausible constants and a generated design for every law, for tests that plant a truth. */
import { exp } from '../../lib/core/math.js';
import { Random } from '../../lib/core/random.js';
import { lawOf, predictLaw, type Point } from '../../lib/families/scaling-laws/index.js';

const spaced = (low: number, high: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.round(low * exp((Math.log(high / low) * i) / (count - 1))));

const grid = (axes: Record<string, readonly number[]>): Point[] =>
  Object.entries(axes).reduce<Point[]>(
    (points, [name, values]) =>
      points.flatMap((point) => values.map((value) => ({ ...point, [name]: value }))),
    [{}],
  );

const N = spaced(4e7, 1.6e10, 8);
const D = spaced(1e9, 4e11, 9);
const decades = (from: number, count: number): number[] =>
  Array.from({ length: count }, (_, i) => from * Math.pow(10, i / 3));
const paper = (law: string, at = 0): Record<string, number> => ({ ...lawOf(law).published[at].values });

export const PLANTED: Record<string, { values: Record<string, number>; points: Point[] }> = {
  power: { values: { xc: 1e13, alpha: 0.08 }, points: decades(1e3, 15).map((x) => ({ x })) },
  'kaplan-n': { values: paper('kaplan-n'), points: N.map((n) => ({ n })) },
  'kaplan-d': { values: paper('kaplan-d'), points: D.map((d) => ({ d })) },
  'kaplan-c': { values: paper('kaplan-c'), points: decades(1e-5, 15).map((c) => ({ c })) },
  'kaplan-cmin': { values: paper('kaplan-cmin'), points: decades(1e-5, 15).map((c) => ({ c })) },
  'kaplan-critical-batch': {
    values: paper('kaplan-critical-batch'),
    points: [2, 2.5, 3, 3.5, 4, 5, 6].map((loss) => ({ loss })),
  },
  'power-offset': { values: { E: 1.7, A: 40, alpha: 0.3 }, points: decades(1e3, 18).map((x) => ({ x })) },
  'power-offset-n': {
    values: { E: 1.7, A: 40, alpha: 0.2 },
    points: spaced(1e6, 1e11, 14).map((n) => ({ n })),
  },
  'power-offset-d': {
    values: { E: 1.9, A: 900, alpha: 0.3 },
    points: spaced(1e7, 1e12, 14).map((d) => ({ d })),
  },
  'power-offset-c': {
    values: { E: 1.8, A: 3000, alpha: 0.16 },
    points: decades(1e16, 18).map((c) => ({ c })),
  },
  'kaplan-nd': {
    values: paper('kaplan-nd'),
    points: grid({ n: spaced(1e5, 1e9, 7), d: spaced(1e7, 2e10, 7) }),
  },
  'kaplan-steps': {
    values: paper('kaplan-steps'),
    points: grid({ n: spaced(1e5, 1e9, 7), s: spaced(1e3, 3e5, 7) }),
  },
  chinchilla: {
    values: { A: 482.01, B: 2085.43, E: 1.8172, alpha: 0.3478, beta: 0.3658 },
    points: grid({ n: N, d: D }),
  },
  'data-constrained': {
    values: paper('data-constrained'),
    points: grid({ n: spaced(2e7, 8e9, 6), d: spaced(1e9, 9e11, 7), u: [1e9, 6e9, 4e10] }),
  },
  'over-training': {
    values: paper('over-training'),
    points: grid({ c: decades(1e16, 12), m: [5, 20, 80, 320, 640] }),
  },
  'downstream-error': {
    values: { eps: 0.85, k: 2.08, gamma: 0.756 },
    points: [2, 2.3, 2.6, 2.9, 3.2, 3.5, 4, 4.5, 5, 6].map((loss) => ({ loss })),
  },
  'moe-fine-grained': {
    values: paper('moe-fine-grained'),
    points: grid({ n: spaced(1e7, 3e10, 6), d: spaced(1e9, 1e12, 6), g: [1, 2, 4, 8, 16] }),
  },
  'moe-routed': {
    values: paper('moe-routed'),
    points: grid({ n: spaced(1e7, 2e9, 6), e: [1, 2, 4, 8, 16, 64, 128, 512] }),
  },
};

/** Runs of a law at its design, exact or with normal noise of the logarithm. */
export function planted(id: string, noise = 0, seed = 0): Record<string, Float64Array> {
  const law = lawOf(id);
  const { values, points } = PLANTED[id];
  const random = new Random(seed).split(id);
  const columns = Object.fromEntries(
    law.inputs.map(({ name }) => [name, Float64Array.from(points, (point) => point[name])]),
  );
  return {
    ...columns,
    [law.response.name]: Float64Array.from(
      points,
      (point) => predictLaw(law, values, point) * exp(noise === 0 ? 0 : noise * random.normal()),
    ),
  };
}
