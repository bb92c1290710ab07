/** Is the tiled computation the same function? Its three updates one after the other, with and without rescaling. */
import * as math from '../../core/math.js';
import { Random } from '../../core/random.js';
import type { Measurement } from '../ledger/types.js';

const [N, D] = [96, 16];
/** Rows of keys in a tile; the last of some does not fill. */
export const TILES = [1, 7, 16, 96];

type Rows = Float64Array[];
const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/** softmax(q K^T / sqrt(D)) V from the definition. */
function dense(q: Float64Array, keys: Rows, values: Rows): Float64Array {
  const scores = keys.map((k) => dot(q, k) / Math.sqrt(D));
  const top = Math.max(...scores);
  const weights = scores.map((s) => math.exp(s - top));
  const total = weights.reduce((a, b) => a + b);
  return Float64Array.from({ length: D }, (_, c) =>
    weights.reduce((sum, w, j) => sum + (w / total) * values[j][c], 0),
  );
}

/** Algorithm 1 for one query: a running maximum, sum and output; `rescale` false leaves the old parts as they were. */
function tiled(q: Float64Array, keys: Rows, values: Rows, tile: number, rescale: boolean): Float64Array {
  let [top, total] = [-Infinity, 0];
  const out = new Float64Array(D);
  for (let j = 0; j < keys.length; j += tile) {
    const scores = keys.slice(j, j + tile).map((k) => dot(q, k) / Math.sqrt(D));
    const next = Math.max(top, ...scores);
    const factor = rescale && top > -Infinity ? math.exp(top - next) : 1;
    total *= factor;
    for (let c = 0; c < D; c++) out[c] *= factor;
    scores.forEach((s, i) => {
      const weight = math.exp(s - next);
      total += weight;
      for (let c = 0; c < D; c++) out[c] += weight * values[j + i][c];
    });
    top = next;
  }
  return out.map((value) => value / total);
}

/** Largest absolute difference of any output from the definition, in f64, by the rows of a tile. */
export function measureExactness(): Measurement[] {
  const random = new Random('exactness');
  const draw = (): Rows =>
    Array.from({ length: N }, () => Float64Array.from({ length: D }, () => 2 * random.normal()));
  const [queries, keys, values] = [draw(), draw(), draw()];
  const worst = (tile: number, rescale: boolean) =>
    Math.max(
      ...queries.map((q) => {
        const wanted = dense(q, keys, values);
        return Math.max(...tiled(q, keys, values, tile, rescale).map((v, c) => Math.abs(v - wanted[c])));
      }),
    );
  return TILES.flatMap((at) => [
    { arm: 'tiled', at, value: worst(at, true) },
    ...(at < N ? [{ arm: 'without rescaling', at, value: worst(at, false) }] : []),
  ]);
}
