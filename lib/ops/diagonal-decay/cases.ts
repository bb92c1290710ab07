/** Sizes and decays that every form of the operator is held to. */
import type { OperatorCase } from '../../tensor/operator.js';

const FIXED = (H: number, K: number) => ({ decay: [H, K] });

export const CASES: readonly OperatorCase[] = [
  { name: 'plain', dims: { B: 2, T: 7, H: 2, K: 4, V: 3 } },
  { name: 'one-token', dims: { B: 2, T: 1, H: 3, K: 5, V: 4 }, with: ['initialState', 'bonus'] },
  { name: 'one-token-inclusive', dims: { B: 1, T: 1, H: 2, K: 8, V: 6 }, with: ['initialState'] },
  { name: 'one-token-fresh', dims: { B: 1, T: 1, H: 2, K: 8, V: 6 } },
  {
    name: 'fixed-bonus',
    dims: { B: 2, T: 13, H: 2, K: 5, V: 7 },
    shapes: FIXED(2, 5),
    with: ['bonus', 'initialState'],
    params: { scale: 0.5 },
  },
  { name: 'sub-chunk', dims: { B: 1, T: 17, H: 3, K: 6, V: 5 }, with: ['initialState'] },
  { name: 'chunk-less-one', dims: { B: 1, T: 63, H: 2, K: 8, V: 12 }, with: ['initialState', 'bonus'] },
  {
    name: 'chunk',
    dims: { B: 1, T: 64, H: 2, K: 12, V: 8 },
    with: ['initialState'],
    params: { scale: 0.25 },
  },
  { name: 'chunk-and-one', dims: { B: 2, T: 65, H: 1, K: 8, V: 16 }, with: ['initialState', 'bonus'] },
  { name: 'prime', dims: { B: 1, T: 131, H: 2, K: 20, V: 12 } },
  { name: 'wide', dims: { B: 1, T: 37, H: 1, K: 67, V: 35 }, with: ['initialState', 'bonus'] },
  { name: 'fixed', dims: { B: 1, T: 97, H: 2, K: 9, V: 6 }, shapes: FIXED(2, 9), with: ['initialState'] },
  {
    name: 'packed',
    dims: { B: 1, T: 31, H: 2, K: 4, V: 5, S: 4 },
    shapes: { initialState: [4, 2, 4, 5] },
    with: ['initialState', 'cuSeqlens'],
  },
  {
    name: 'packed-bonus',
    dims: { B: 1, T: 193, H: 2, K: 6, V: 4, S: 3 },
    with: ['bonus', 'cuSeqlens'],
  },
  {
    name: 'packed-fixed',
    dims: { B: 1, T: 821, H: 1, K: 5, V: 6, S: 4 },
    shapes: { ...FIXED(1, 5), initialState: [4, 1, 5, 6] },
    with: ['bonus', 'initialState', 'cuSeqlens'],
  },
  {
    name: 'strong-decay',
    dims: { B: 1, T: 83, H: 2, K: 7, V: 4, least: 20, strong: 40 },
    with: ['initialState'],
  },
  {
    name: 'strong-decay-bonus',
    dims: { B: 1, T: 83, H: 1, K: 8, V: 4, least: 20, strong: 40 },
    with: ['initialState', 'bonus'],
  },
  { name: 'no-decay', dims: { B: 1, T: 71, H: 2, K: 6, V: 5, strong: 0 }, with: ['initialState'] },
  {
    name: 'huge-then-tiny',
    dims: { B: 1, T: 150, H: 2, K: 8, V: 6, huge: 300 },
    with: ['initialState'],
  },
  {
    name: 'huge-then-tiny-bonus',
    dims: { B: 1, T: 77, H: 2, K: 8, V: 6, huge: 3000 },
    with: ['initialState', 'bonus'],
  },
  { name: 'empty', dims: { B: 2, T: 0, H: 2, K: 4, V: 3 }, with: ['initialState'] },
  { name: 'empty-bonus', dims: { B: 1, T: 0, H: 2, K: 4, V: 3 }, with: ['bonus'] },
];
