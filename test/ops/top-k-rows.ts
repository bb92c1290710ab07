/** Rows on which a top-k can go wrong, and the definition it is held to. */
import { Random } from '../../lib/core/random.js';

const random = new Random(5);
const fill = (n: number, draw: (i: number) => number) => Float32Array.from({ length: n }, (_, i) => draw(i));
const pickOne = (...choices: number[]) => choices[Math.floor(random.uniform() * choices.length)];

/** Rows of n numbers by what is hard in them. */
export function hardRows(n: number): Record<string, Float32Array> {
  return {
    'normal numbers': fill(n, () => random.normal()),
    'all equal': fill(n, () => -2.5),
    'both zeros': fill(n, () => pickOne(0, -0)),
    'few distinct values': fill(n, () => pickOne(-1, 0, -0, 1, 3)),
    'infinities and NaN': fill(n, () => pickOne(NaN, Infinity, -Infinity, 1, -1, 3.4e38, -3.4e38)),
    denormals: fill(n, () => pickOne(1e-45, -1e-45, 3e-42, -3e-42, 1.1754942e-38, 0, -0)),
    'neighbouring bits': fill(n, () => 1 + Math.floor(random.uniform() * 300) * 2 ** -23),
    'every exponent': fill(n, () => (random.uniform() - 0.5) * 2 ** Math.floor(random.uniform() * 250 - 125)),
    rising: fill(n, (i) => i),
    falling: fill(n, (i) => -i),
  };
}

/** Indices of the k largest: NaN counts as positive infinity, the two zeros are equal, lower indices come first. */
export function largest(row: Float32Array, k: number): number[] {
  const key = (i: number) => (Number.isNaN(row[i]) ? Infinity : row[i]);
  return Array.from(row, (_, i) => i)
    .sort((i, j) => (key(i) === key(j) ? i - j : key(i) > key(j) ? -1 : 1))
    .slice(0, k);
}
