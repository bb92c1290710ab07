/** The Taylor feature map and the state it leads to, in numbers. */
import { Random } from '../../core/random.js';
import {
  featureMap,
  featureSize,
  linearAttention,
  type FeatureMap,
} from '../../families/linear-attention/index.js';
import { kvCacheBytes } from '../../cost/index.js';
import { scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import { zeros } from '../../tensor/tensor.js';
import { doubles, inDoubles } from '../host-doubles.js';
import type { Measurement } from '../ledger/types.js';

/** Entries of a query or key before the map (d'), heads and entries of a value head. */
const KEY = 16;
const HEADS = 16;
const VALUE = 64;
const ROWS = 64;

/** Largest |phi(q) . phi(k) - (1 + s + s^2/2)| over rows of random queries and keys, s = q . k / sqrt(d'). */
async function mapError(map: FeatureMap): Promise<number> {
  const random = new Random('feature map');
  const draw = () => Float64Array.from({ length: ROWS * KEY }, () => random.normal());
  const [query, key] = [draw(), draw()];
  const { q, k } = await inDoubles(() => ({
    q: featureMap(doubles(query, 1, ROWS, 1, KEY), map),
    k: featureMap(doubles(key, 1, ROWS, 1, KEY), map),
  }));
  const size = featureSize(map, KEY);
  const dot = (a: Float64Array, b: Float64Array, row: number, n: number) => {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += a[row * n + i] * b[row * n + i];
    return sum;
  };
  let worst = 0;
  for (let row = 0; row < ROWS; row++) {
    const s = dot(query, key, row, KEY) / Math.sqrt(KEY);
    worst = Math.max(worst, Math.abs(dot(q, k, row, size) - (1 + s + (s * s) / 2)));
  }
  return worst;
}

/** The map's products against the series, and its features counted in the tensors it makes. */
export async function measureMap(): Promise<Measurement[]> {
  const counted = (map: FeatureMap) =>
    scope(() => noGrad(() => featureMap(zeros([1, 1, 1, KEY]), map).shape[3]));
  return [
    { arm: 'taylor', value: await mapError('taylor') },
    { arm: 'taylor, each product once', value: await mapError('taylor-symmetric') },
    { arm: '1 + elu', value: await mapError('elu') },
    { arm: 'features: taylor', value: counted('taylor') },
    { arm: 'features: each product once', value: counted('taylor-symmetric') },
  ];
}

const CONTEXTS = [16, 64, 256];
/** d' whose states are counted. */
const KEYS = [8, 16, 32];
const WINDOW = 64;

/** Bytes in f32 of what linear attention hands on after `tokens`, the sums of keys included. */
function carried(tokens: number, key: number, map: FeatureMap): number {
  return scope(() =>
    noGrad(() => {
      const x = () => zeros([1, tokens, 1, key]);
      const v = zeros([1, tokens, 1, VALUE]);
      return HEADS * 4 * linearAttention({ q: x(), k: x(), v }, { featureMap: map }).finalState.size;
    }),
  );
}

const cache = (tokens: number, window?: number): number =>
  kvCacheBytes({
    ...{ layers: 1, keyValueHeads: HEADS, key: VALUE, tokens, bytes: 4 },
    ...(window ? { window } : {}),
  });

/** Bytes of one layer of each kind for one sequence. */
export function measureState(): Measurement[] {
  return [
    ...CONTEXTS.flatMap((at) => [
      { arm: 'taylor state', at, value: carried(at, KEY, 'taylor-symmetric') },
      { arm: 'key/value cache', at, value: cache(at) },
    ]),
    ...[1024, 4096, 16384].map((at) => ({ arm: 'window of 64', at, value: cache(at, WINDOW) })),
    ...KEYS.map((at) => ({ arm: 'state over d′', at, value: carried(1, at, 'taylor') })),
  ];
}
