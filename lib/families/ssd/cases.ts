/** Cases of SSD: groups, limits, softplus, strong decay, around chunks of 64, packed. */
import type { OperatorCase } from '../../tensor/operator.js';

const soft = { softplus: true };

export const CASES: readonly OperatorCase[] = [
  {
    name: 'plain',
    dims: { B: 2, T: 7, H: 2, P: 3, G: 1, N: 4 },
    with: ['D', 'dtBias', 'initialState'],
    params: soft,
  },
  { name: 'bare', dims: { B: 2, T: 13, H: 3, P: 4, G: 3, N: 5 } },
  {
    name: 'one-token',
    dims: { B: 2, T: 1, H: 4, P: 3, G: 2, N: 6 },
    with: ['D', 'dtBias', 'initialState'],
    params: soft,
  },
  {
    name: 'skip-by-channel',
    dims: { B: 1, T: 31, H: 4, P: 5, G: 2, N: 3 },
    shapes: { D: [4, 5] },
    with: ['D', 'dtBias'],
    params: soft,
  },
  {
    name: 'limits',
    dims: { B: 1, T: 29, H: 2, P: 4, G: 1, N: 6 },
    with: ['D', 'initialState'],
    params: { dtMinimum: 0.2, dtMaximum: 0.7 },
  },
  { name: 'before-chunk', dims: { B: 1, T: 63, H: 2, P: 6, G: 1, N: 4 }, with: ['initialState'] },
  { name: 'chunk', dims: { B: 1, T: 64, H: 2, P: 8, G: 2, N: 16 } },
  { name: 'chunk-and-one', dims: { B: 1, T: 65, H: 2, P: 12, G: 1, N: 8 }, with: ['D'], params: soft },
  {
    name: 'huge-steps',
    dims: { B: 1, T: 41, H: 2, P: 5, G: 1, N: 4, least: 20, strong: 40 },
    with: ['D', 'dtBias', 'initialState'],
    params: soft,
  },
  {
    name: 'zero-steps',
    dims: { B: 1, T: 37, H: 2, P: 4, G: 2, N: 3, least: 0, strong: 0 },
    with: ['initialState'],
  },
  {
    name: 'packed',
    dims: { B: 1, T: 31, H: 2, P: 4, G: 1, N: 5, S: 4 },
    shapes: { initialState: [4, 2, 5, 4] },
    with: ['D', 'initialState', 'cuSeqlens'],
    params: soft,
  },
  {
    name: 'packed-chunks',
    dims: { B: 1, T: 193, H: 2, P: 5, G: 2, N: 4, S: 3 },
    shapes: { initialState: [3, 2, 4, 5] },
    with: ['dtBias', 'initialState', 'cuSeqlens'],
    params: soft,
  },
  { name: 'empty', dims: { B: 2, T: 0, H: 2, P: 3, G: 1, N: 4 }, with: ['D', 'initialState'] },
];
