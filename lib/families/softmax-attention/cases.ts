/** The cases of softmax attention: what conformance, gradients and benches run. */
import type { OperatorCase } from '../../tensor/operator.js';

export const ATTENTION_CASES: readonly OperatorCase[] = [
  { name: 'prime', dims: { B: 2, Tq: 13, Tk: 13, H: 3, Hkv: 3, K: 5, V: 4 } },
  { name: 'grouped', dims: { B: 1, Tq: 7, Tk: 11, H: 4, Hkv: 2, K: 8, V: 6 } },
  {
    name: 'full',
    dims: { B: 1, Tq: 5, Tk: 9, H: 2, Hkv: 1, K: 4, V: 7 },
    params: { causal: false, scale: 0.3 },
  },
  { name: 'one', dims: { B: 2, Tq: 1, Tk: 1, H: 2, Hkv: 2, K: 4, V: 4 } },
  { name: 'decode', dims: { B: 2, Tq: 1, Tk: 37, H: 4, Hkv: 2, K: 16, V: 8 } },
  { name: 'cache', dims: { B: 2, Tq: 3, Tk: 11, H: 2, Hkv: 1, K: 4, V: 5 }, params: { keys: 7 } },
  {
    name: 'cache-full',
    dims: { B: 1, Tq: 2, Tk: 70, H: 2, Hkv: 2, K: 4, V: 3 },
    params: { keys: 65, causal: false },
  },
  { name: 'tiles', dims: { B: 1, Tq: 67, Tk: 67, H: 2, Hkv: 2, K: 16, V: 16 } },
  { name: 'more-queries', dims: { B: 1, Tq: 71, Tk: 33, H: 2, Hkv: 1, K: 6, V: 5 } },
  {
    name: 'window',
    dims: { B: 2, Tq: 13, Tk: 19, H: 2, Hkv: 1, K: 6, V: 5 },
    params: { windowLeft: 4, windowRight: 2, causal: false },
  },
  {
    name: 'window-causal',
    dims: { B: 1, Tq: 150, Tk: 150, H: 2, Hkv: 1, K: 8, V: 8 },
    params: { windowLeft: 20 },
  },
  {
    name: 'sink',
    dims: { B: 2, Tq: 19, Tk: 7, H: 4, Hkv: 2, K: 6, V: 5 },
    with: ['sink'],
  },
  {
    name: 'shaped',
    dims: { B: 2, Tq: 70, Tk: 81, H: 4, Hkv: 2, K: 40, V: 32 },
    with: ['sink', 'alibiSlopes', 'keyCounts', 'prefix'],
    params: { softcap: 2, windowLeft: 50 },
  },
  {
    name: 'blocks',
    dims: { B: 2, Tq: 70, Tk: 133, H: 2, Hkv: 1, K: 8, V: 12 },
    shapes: { blockMask: [2, 2, 5, 9] },
    with: ['blockMask'],
    params: { blockSize: 16 },
  },
  {
    name: 'blocks-uneven',
    dims: { B: 1, Tq: 67, Tk: 67, H: 2, Hkv: 2, K: 8, V: 4 },
    shapes: { blockMask: [10, 10] },
    with: ['blockMask', 'alibiSlopes'],
    params: { blockSize: 7, causal: false },
  },
  {
    name: 'packed',
    dims: { B: 1, Tq: 31, Tk: 40, H: 2, Hkv: 1, K: 6, V: 5, S: 4 },
    shapes: { prefix: [4] },
    with: ['cuSeqlensQ', 'cuSeqlensK', 'prefix'],
  },
  {
    name: 'packed-long',
    dims: { B: 1, Tq: 193, Tk: 300, H: 4, Hkv: 2, K: 16, V: 20, S: 3 },
    with: ['cuSeqlensQ', 'cuSeqlensK', 'sink', 'alibiSlopes'],
  },
  {
    name: 'decode-counts',
    dims: { B: 3, Tq: 1, Tk: 700, H: 4, Hkv: 1, K: 16, V: 9 },
    with: ['keyCounts', 'sink'],
  },
  {
    name: 'decode-shaped',
    dims: { B: 2, Tq: 1, Tk: 1100, H: 4, Hkv: 2, K: 24, V: 17 },
    shapes: { blockMask: [1, 1, 1, 18] },
    with: ['alibiSlopes', 'blockMask'],
    params: { softcap: 3, windowLeft: 900, blockSize: 64 },
  },
  { name: 'uneven-heads', dims: { B: 1, Tq: 33, Tk: 40, H: 2, Hkv: 2, K: 59, V: 111 } },
  { name: 'no-queries', dims: { B: 2, Tq: 0, Tk: 5, H: 2, Hkv: 1, K: 4, V: 3 } },
  { name: 'no-keys', dims: { B: 1, Tq: 3, Tk: 0, H: 2, Hkv: 1, K: 4, V: 3 }, with: ['sink'] },
  { name: 'wide', dims: { B: 1, Tq: 5, Tk: 35, H: 2, Hkv: 1, K: 256, V: 256 }, gpu: false },
];
