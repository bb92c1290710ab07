/** Cases of linear attention: with and without normaliser, grouped heads, around chunks of 64, packed. */
import type { OperatorCase } from '../../tensor/operator.js';

const raw = { normalize: false };

export const CASES: readonly OperatorCase[] = [
  {
    name: 'normalized',
    dims: { B: 2, T: 13, G: 2, H: 2, K: 5, V: 4 },
    shapes: { initialState: [2, 2, 5, 5] },
    with: ['initialState'],
    params: { scale: 0.5, eps: 1e-3 },
  },
  {
    name: 'plain',
    dims: { B: 2, T: 13, G: 1, H: 3, K: 4, V: 6 },
    with: ['initialState'],
    params: { ...raw, scale: -0.7 },
  },
  { name: 'one-token', dims: { B: 2, T: 1, G: 1, H: 2, K: 6, V: 3 }, params: { eps: 0.5 } },
  {
    name: 'one-token-state',
    dims: { B: 1, T: 1, G: 2, H: 2, K: 6, V: 3 },
    with: ['initialState'],
    params: raw,
  },
  { name: 'before-chunk', dims: { B: 1, T: 63, G: 1, H: 2, K: 7, V: 5 } },
  { name: 'chunk', dims: { B: 1, T: 64, G: 2, H: 2, K: 8, V: 12 }, params: raw },
  { name: 'chunk-and-one', dims: { B: 1, T: 65, G: 1, H: 1, K: 16, V: 15 } },
  {
    name: 'packed',
    dims: { B: 1, T: 31, G: 1, H: 2, K: 6, V: 4, S: 4 },
    shapes: { initialState: [4, 2, 6, 5] },
    with: ['initialState', 'cuSeqlens'],
  },
  {
    name: 'packed-chunks',
    dims: { B: 1, T: 193, G: 2, H: 2, K: 5, V: 3, S: 3 },
    shapes: { initialState: [3, 2, 5, 3] },
    with: ['initialState', 'cuSeqlens'],
    params: raw,
  },
  { name: 'empty', dims: { B: 2, T: 0, G: 1, H: 2, K: 4, V: 3 }, with: ['initialState'], params: raw },
  { name: 'empty-normalized', dims: { B: 2, T: 0, G: 1, H: 2, K: 4, V: 3 } },
  { name: 'based', dims: { B: 1, T: 67, G: 1, H: 1, K: 273, V: 32 } },
];
