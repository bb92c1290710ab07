/** Cases of retention: both normalisations, around chunks of 64, packed. */
import type { OperatorCase } from '../../tensor/operator.js';

const retnet = { normalize: 'retnet' };

const GIVEN: readonly OperatorCase[] = [
  { name: 'plain', dims: { B: 2, T: 13, H: 3, K: 5, V: 4 }, with: ['initialState'], params: { scale: 0.5 } },
  { name: 'one-token', dims: { B: 2, T: 1, H: 2, K: 4, V: 6 }, with: ['initialState'] },
  {
    name: 'one-token-retnet',
    dims: { B: 1, T: 1, H: 2, K: 4, V: 6 },
    shapes: { initialState: [1, 2, 5, 7] },
    with: ['initialState'],
    params: retnet,
  },
  {
    name: 'retnet',
    dims: { B: 2, T: 31, H: 2, K: 6, V: 9, strong: 0.1 },
    params: { ...retnet, scale: 0.4 },
  },
  {
    name: 'retnet-state',
    dims: { B: 1, T: 67, H: 2, K: 5, V: 3, strong: 0.02 },
    shapes: { initialState: [1, 2, 6, 4] },
    with: ['initialState'],
    params: retnet,
  },
  { name: 'before-chunk', dims: { B: 1, T: 63, H: 1, K: 7, V: 8 } },
  { name: 'chunk', dims: { B: 1, T: 64, H: 2, K: 8, V: 16 }, with: ['initialState'] },
  { name: 'chunk-and-one', dims: { B: 1, T: 65, H: 3, K: 4, V: 5 } },
  { name: 'strong-decay', dims: { B: 1, T: 71, H: 2, K: 5, V: 4, strong: 60 }, with: ['initialState'] },
  { name: 'no-decay', dims: { B: 1, T: 37, H: 2, K: 5, V: 4, strong: 0 }, with: ['initialState'] },
  {
    name: 'packed',
    dims: { B: 1, T: 31, H: 2, K: 6, V: 4, S: 4 },
    shapes: { initialState: [4, 2, 6, 4] },
    with: ['initialState', 'cuSeqlens'],
  },
  {
    name: 'packed-retnet',
    dims: { B: 1, T: 193, H: 2, K: 4, V: 5, S: 3, strong: 0.05 },
    shapes: { initialState: [3, 2, 5, 6] },
    with: ['initialState', 'cuSeqlens'],
    params: retnet,
  },
  { name: 'empty', dims: { B: 2, T: 0, H: 2, K: 4, V: 3 }, with: ['initialState'] },
  { name: 'empty-retnet', dims: { B: 2, T: 0, H: 2, K: 4, V: 3 }, params: retnet },
];

const decays: OperatorCase[] = GIVEN.map((c) => ({ ...c, with: ['decay', ...(c.with ?? [])] }));

export const CASES: readonly OperatorCase[] = [
  ...decays,
  { name: 'decays-of-retnet', dims: { B: 2, T: 37, H: 3, K: 4, V: 5 }, with: ['initialState'] },
];
