/** Scores of rotated queries and keys: what they depend on, and how their bound falls with the distance. */
import { Random } from '../../core/random.js';
import { rotary, rotaryFrequencies, rotaryTable } from '../../families/rotary/index.js';
import { doubles, inDoubles } from '../host-doubles.js';
import type { Measurement } from '../ledger/types.js';
import { sinusoids } from '../../nn/index.js';
import * as math from '../../core/math.js';

const SIZE = 64;
/** Distances of query and key. */
export const DISTANCES = [0, 1, 7, 64, 512];
/** Places of the key: the score of a distance is taken at each. */
const PLACES = [0, 1, 5, 50, 300, 1000];
const LENGTH = 1 + PLACES[PLACES.length - 1] + DISTANCES[DISTANCES.length - 1];

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < SIZE; i++) sum += a[i] * b[i];
  return sum;
};

/** One vector as if it stood at every position: turned by the operator, or with sinusoids added. */
async function placed(vector: Float64Array): Promise<{ turned: Float64Array; added: Float64Array }> {
  const everywhere = Float64Array.from({ length: LENGTH * SIZE }, (_, i) => vector[i % SIZE]);
  const table = sinusoids(0, LENGTH, SIZE);
  const { turned } = await inDoubles(() => ({
    turned: rotary(
      doubles(everywhere, 1, LENGTH, 1, SIZE),
      rotaryTable(rotaryFrequencies(SIZE), { length: LENGTH, dtype: 'f64', device: 'host' }),
      { pairing: 'interleaved' },
    ),
  }));
  return { turned, added: everywhere.map((value, i) => value + table[i]) };
}

/**
 * How far the scores of one distance lie apart over all places of the pair, over the largest of them. The same with
 * sinusoids added, and with only the query turned. And how far lengths change.
 */
export async function measureRelative(): Promise<Measurement[]> {
  const random = new Random('relative positions');
  const draw = () => Float64Array.from({ length: SIZE }, () => random.normal());
  const [query, key] = [draw(), draw()];
  const [q, k] = [await placed(query), await placed(key)];
  const at = (rows: Float64Array, place: number) => rows.subarray(place * SIZE, (place + 1) * SIZE);
  const spread = (score: (m: number, n: number) => number, distance: number) => {
    const scores = PLACES.map((place) => score(place + distance, place));
    return (Math.max(...scores) - Math.min(...scores)) / Math.max(...scores.map(Math.abs));
  };
  const length = Math.sqrt(dot(query, query));
  return DISTANCES.flatMap((distance) => [
    { arm: 'rotary', at: distance, value: spread((m, n) => dot(at(q.turned, m), at(k.turned, n)), distance) },
    {
      arm: 'sinusoids added',
      at: distance,
      value: spread((m, n) => dot(at(q.added, m), at(k.added, n)), distance),
    },
    { arm: 'only the query turned', at: distance, value: spread((m) => dot(at(q.turned, m), key), distance) },
    {
      arm: 'change of length',
      at: distance,
      value: Math.abs(Math.sqrt(dot(at(q.turned, distance), at(q.turned, distance))) / length - 1),
    },
  ]);
}

/** Width of the bound's rotation. */
const BOUND_SIZE = 128;
/** First distances of the windows [d, 2d). */
export const WINDOWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/** Mean over j of |S_j|, S_j = sum_{i<j} e^(i distance theta_i): what bounds the score beside the vectors themselves. */
function bound(frequencies: Float64Array, distance: number): number {
  let [real, imaginary, total] = [0, 0, 0];
  for (const frequency of frequencies) {
    real += math.cos(distance * frequency);
    imaginary += math.sin(distance * frequency);
    total += Math.sqrt(real * real + imaginary * imaginary);
  }
  return total / frequencies.length;
}

/** The bound, as the mean of windows of distances that double, and each over the one before. */
export function measureDecay(): Measurement[] {
  const arms = {
    rotary: rotaryFrequencies(BOUND_SIZE).frequencies,
    'one frequency': new Float64Array(BOUND_SIZE / 2).fill(1),
  };
  return Object.entries(arms).flatMap(([arm, frequencies]) => {
    const means = WINDOWS.map((first) => {
      let sum = 0;
      for (let distance = first; distance < 2 * first; distance++) sum += bound(frequencies, distance);
      return sum / first;
    });
    return WINDOWS.flatMap((at, i) => [
      { arm, at, value: means[i] },
      ...(i > 0 ? [{ arm: `${arm}: over the window before`, at, value: means[i] / means[i - 1] }] : []),
    ]);
  });
}
