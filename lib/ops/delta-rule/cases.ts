/** Cases of the delta rule and how their inputs are drawn. */
import { sizeOf, type Dims, type Shape } from '../../core/shape.js';
import type { OperatorCase } from '../../tensor/operator.js';
import { samplePacked } from '../sequence/index.js';

/** Rows of unit length; those of an `alike` case point nearly the same way. */
function unitRows(shape: Shape, uniform: () => number, alike: boolean): Float64Array {
  const width = shape[shape.length - 1];
  const rows = sizeOf(shape) / Math.max(1, width);
  const common = Float64Array.from({ length: width }, () => (alike ? 2 * uniform() - 1 : 0));
  const spread = alike ? 0.02 : 1;
  const values = new Float64Array(rows * width);
  for (let r = 0; r < rows; r++) {
    const row = values.subarray(r * width, (r + 1) * width);
    for (let c = 0; c < width; c++) row[c] = common[c] + spread * (2 * uniform() - 1);
    const size = Math.sqrt(row.reduce((sum, x) => sum + x * x, 0));
    for (let c = 0; c < width; c++) row[c] /= size;
  }
  return values;
}

/**
 * Unit keys, beta in (0, 1) and decays in (-0.5, 0) unless the dims of a case say otherwise: `alike` keys, beta in
 * [betaFrom, betaTo], decays in [-decayTo, -decayFrom], or `uneven`: tiny ones with a huge one every seventh token.
 */
export function sampleDeltaRule(
  input: string,
  shape: Shape,
  uniform: () => number,
  dims: Dims,
): ArrayLike<number> | undefined {
  const draw = (f: (i: number) => number) => Float64Array.from({ length: sizeOf(shape) }, (_, i) => f(i));
  const { betaFrom = 0, betaTo = 1, decayFrom = 0, decayTo = 0.5 } = dims;
  if (input === 'k') return unitRows(shape, uniform, Boolean(dims.alike));
  if (input === 'beta') return draw(() => betaFrom + (betaTo - betaFrom) * uniform());
  if (input === 'decay' && dims.uneven)
    return draw((i) => (Math.floor(i / shape[2]) % 7 === 3 ? -50 : -1e-3 * uniform()));
  if (input === 'decay') return draw(() => -(decayFrom + (decayTo - decayFrom) * uniform()));
  if (input === 'cuSeqlens') return samplePacked(dims);
  return undefined;
}

/** C = 64 in the chunk forms. */
export const DELTA_RULE_CASES: readonly OperatorCase[] = [
  { name: 'plain', dims: { B: 2, T: 13, G: 2, H: 2, K: 5, V: 3 }, with: ['decay', 'initialState'] },
  { name: 'no-decay', dims: { B: 1, T: 17, G: 1, H: 1, K: 4, V: 6 } },
  {
    name: 'one-token',
    dims: { B: 2, T: 1, G: 1, H: 2, K: 4, V: 7 },
    with: ['decay', 'initialState'],
    params: { scale: 0.5 },
  },
  { name: 'one-token-fresh', dims: { B: 1, T: 1, G: 2, H: 2, K: 8, V: 8 } },
  {
    name: 'grouped',
    dims: { B: 2, T: 63, G: 2, H: 4, K: 16, V: 8 },
    with: ['decay', 'initialState'],
    params: { scale: 0.25 },
  },
  { name: 'one-chunk', dims: { B: 1, T: 64, G: 1, H: 2, K: 8, V: 20 }, with: ['decay', 'initialState'] },
  { name: 'chunk-and-one', dims: { B: 2, T: 65, G: 1, H: 1, K: 12, V: 8 }, with: ['initialState'] },
  { name: 'prime', dims: { B: 1, T: 197, G: 1, H: 2, K: 16, V: 24 }, with: ['decay', 'initialState'] },
  { name: 'wide', dims: { B: 1, T: 131, G: 1, H: 1, K: 64, V: 72 }, with: ['decay', 'initialState'] },
  {
    name: 'widest',
    dims: { B: 1, T: 70, G: 1, H: 1, K: 128, V: 33 },
    with: ['decay', 'initialState'],
    gpu: false,
  },
  {
    name: 'alike-keys',
    dims: { B: 1, T: 150, G: 1, H: 2, K: 16, V: 16, alike: 1, betaFrom: 1, betaTo: 1 },
    with: ['initialState'],
  },
  {
    name: 'negative-eigenvalues',
    dims: { B: 1, T: 139, G: 1, H: 2, K: 16, V: 16, betaTo: 2 },
    with: ['decay', 'initialState'],
  },
  {
    name: 'zero-beta',
    dims: { B: 1, T: 71, G: 1, H: 1, K: 8, V: 8, betaTo: 0 },
    with: ['decay', 'initialState'],
  },
  {
    name: 'strong-decay',
    dims: { B: 1, T: 83, G: 1, H: 2, K: 8, V: 8, decayFrom: 20, decayTo: 60 },
    with: ['decay', 'initialState'],
  },
  {
    name: 'uneven-decay',
    dims: { B: 1, T: 137, G: 1, H: 2, K: 8, V: 8, uneven: 1 },
    with: ['decay', 'initialState'],
  },
  {
    name: 'zero-decay',
    dims: { B: 1, T: 67, G: 1, H: 2, K: 8, V: 4, decayTo: 0 },
    with: ['decay'],
  },
  {
    name: 'packed',
    dims: { B: 1, T: 31, G: 1, H: 2, K: 6, V: 4, S: 4 },
    shapes: { initialState: [4, 2, 6, 4] },
    with: ['decay', 'initialState', 'cuSeqlens'],
  },
  {
    name: 'packed-chunks',
    dims: { B: 1, T: 193, G: 1, H: 2, K: 8, V: 12, S: 3 },
    shapes: { initialState: [3, 2, 8, 12] },
    with: ['decay', 'initialState', 'cuSeqlens'],
  },
  { name: 'empty', dims: { B: 2, T: 0, G: 1, H: 1, K: 4, V: 3 }, with: ['decay', 'initialState'] },
];
