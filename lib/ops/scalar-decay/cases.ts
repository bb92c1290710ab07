/** Cases that every form is held to: around chunks of 16 to 64 tokens, groups, strong and absent decay, packed. */
import type { OperatorCase } from '../../tensor/operator.js';

export const CASES: readonly OperatorCase[] = [
  { name: 'plain', dims: { B: 2, T: 13, G: 3, H: 3, K: 5, V: 4 }, with: ['decay'], params: { scale: 0.5 } },
  { name: 'one-token', dims: { B: 2, T: 1, G: 1, H: 2, K: 5, V: 3 }, with: ['decay', 'initialState'] },
  { name: 'one-token-bare', dims: { B: 1, T: 1, G: 2, H: 2, K: 16, V: 24 } },
  {
    name: 'fixed-decay',
    dims: { B: 2, T: 37, G: 2, H: 4, K: 8, V: 6 },
    shapes: { decay: [4] },
    with: ['decay', 'initialState'],
    params: { scale: -0.3 },
  },
  {
    name: 'empty-fixed-decay',
    dims: { B: 2, T: 0, G: 1, H: 2, K: 4, V: 3 },
    shapes: { decay: [2] },
    with: ['decay', 'initialState'],
  },
  { name: 'no-decay', dims: { B: 1, T: 71, G: 1, H: 2, K: 6, V: 9 }, with: ['initialState'] },
  { name: 'before-chunk', dims: { B: 1, T: 31, G: 1, H: 1, K: 4, V: 7 }, with: ['decay'] },
  { name: 'chunk', dims: { B: 1, T: 64, G: 1, H: 2, K: 12, V: 8 }, with: ['decay', 'initialState'] },
  { name: 'chunk-and-one', dims: { B: 2, T: 65, G: 2, H: 2, K: 8, V: 16 }, with: ['decay'] },
  {
    name: 'half-chunk-and-one',
    dims: { B: 1, T: 33, G: 1, H: 3, K: 3, V: 5 },
    with: ['decay', 'initialState'],
  },
  {
    name: 'strong-decay',
    dims: { B: 1, T: 83, G: 1, H: 2, K: 6, V: 5, least: 20000, spread: 40000 },
    with: ['decay', 'initialState'],
  },
  {
    name: 'zero-gates',
    dims: { B: 1, T: 67, G: 1, H: 2, K: 5, V: 6, spread: 0 },
    with: ['decay', 'initialState'],
  },
  {
    name: 'wild-decay',
    dims: { B: 1, T: 197, G: 1, H: 2, K: 6, V: 10, wild: 1 },
    with: ['decay', 'initialState'],
  },
  {
    name: 'packed',
    dims: { B: 1, T: 31, G: 1, H: 2, K: 6, V: 4, S: 4 },
    shapes: { initialState: [4, 2, 6, 4] },
    with: ['decay', 'initialState', 'cuSeqlens'],
  },
  {
    name: 'packed-chunks',
    dims: { B: 1, T: 193, G: 2, H: 2, K: 5, V: 8, S: 3 },
    with: ['decay', 'cuSeqlens'],
  },
  {
    name: 'packed-long',
    dims: { B: 1, T: 821, G: 1, H: 2, K: 6, V: 5, S: 4, spread: 100 },
    shapes: { initialState: [4, 2, 6, 5] },
    with: ['decay', 'initialState', 'cuSeqlens'],
  },
  {
    name: 'packed-fixed',
    dims: { B: 1, T: 193, G: 1, H: 2, K: 4, V: 4, S: 3, spread: 50 },
    shapes: { decay: [2] },
    with: ['decay', 'cuSeqlens'],
  },
  { name: 'empty', dims: { B: 2, T: 0, G: 1, H: 2, K: 4, V: 3 }, with: ['decay', 'initialState'] },
  {
    name: 'wide',
    dims: { B: 1, T: 70, G: 1, H: 2, K: 70, V: 131, spread: 200 },
    with: ['decay', 'initialState'],
    params: { scale: 0.12 },
  },
  {
    name: 'long',
    dims: { B: 1, T: 521, G: 1, H: 2, K: 16, V: 12, spread: 60 },
    with: ['decay', 'initialState'],
  },
];
