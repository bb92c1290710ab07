/** What tensors are not made of, and ways out of their memory or off the tape that are closed. */
import { describe, expect, it } from 'vitest';
import {
  argsort,
  broadcastTo,
  cast,
  compare,
  concat,
  cumsum,
  full,
  grad,
  logsumexp,
  noGrad,
  permute,
  reshape,
  slice,
  softmax,
  split,
  sum,
  sumTo,
  tensor,
  where,
  zeros,
  type Tensor,
} from '../../lib/index.js';
import { hostMemory } from '../../lib/tensor/host-memory.js';
import { liveTensors } from '../../lib/tensor/tensor.js';

const values = (t: Tensor) => Array.from(t.dataSync());

describe('tensor()', () => {
  it.each([
    [[1, [2]], /rectangular, got rows of different lengths or depths|instead of a row/],
    [[[1], 2], /rectangular, got the number 2 instead of a row/],
    [
      [
        [1, 2],
        [3, [4]],
      ],
      /rectangular/,
    ],
    [[[1, 2], [3]], /rectangular/],
    [[[[1]], [[2, 3]]], /rectangular/],
    [['a'], /numbers or arrays of numbers, got "a"/],
    [[1, null], /numbers or arrays of numbers, got null/],
    [new BigInt64Array(2), /typed array of numbers, got BigInt64Array\(2\)/],
    [new DataView(new ArrayBuffer(8)), /typed array of numbers/],
  ])('refuses %s', (data, message) => {
    expect(() => tensor(data as never)).toThrow(message);
  });

  it('takes empty rows and scalars', () => {
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(tensor(5).shape).toEqual([]);
  });
});

describe('full()', () => {
  it('fills every dtype and refuses what an integer cannot hold', () => {
    for (const dtype of ['f32', 'f64', 'i32', 'u32'] as const)
      expect(values(full([3], 7, { dtype }))).toEqual([7, 7, 7]);
    expect(values(full([2], 1, { dtype: 'f16' }))).toEqual([0x3c00, 0x3c00]);
    expect(() => full([3], 1.5, { dtype: 'i32' })).toThrow(/data must be integers in .* got 1.5/);
    expect(() => full([3], -1, { dtype: 'u32' })).toThrow(/got -1/);
  });

  it('names what is wrong when there is no room', () => {
    expect(() => zeros([2 ** 16, 2 ** 16])).toThrow(/bytes must fit into host memory/);
  });
});

describe('view()', () => {
  it.each([
    [[2], -1],
    [[2], 0.5],
    [[-2], 0],
    [[3], 2],
    [[1.5], 0],
    [[2], NaN],
  ])('never leaves the tensor: shape %j at %d', (shape, offset) => {
    expect(() => tensor([1, 2, 3, 4]).view(shape, offset)).toThrow(/view: shape/);
  });
});

describe('split()', () => {
  it('refuses negative sizes, which would overlap', () => {
    expect(() => split(tensor([1, 2, 3]), [-1, 4], 0)).toThrow(/split: sizes must be .* non-negative/);
  });
});

describe('cast() to integers', () => {
  it('truncates, stays inside the range and turns NaN into 0', () => {
    const x = tensor([2.7, -2.7, 1e20, -1e20, NaN, Infinity]);
    expect(values(cast(x, 'i32'))).toEqual([2, -2, 2147483647, -2147483648, 0, 2147483647]);
    expect(values(cast(x, 'u32'))).toEqual([2, 0, 4294967295, 0, 0, 4294967295]);
  });
});

describe('logsumexp', () => {
  it('of infinities alone is that infinity', () => {
    expect(values(logsumexp(tensor([-Infinity, -Infinity]), 0))).toEqual([-Infinity]);
    expect(values(logsumexp(tensor([1, Infinity]), 0))).toEqual([Infinity]);
  });
});

describe('public functions', () => {
  const none = undefined as unknown as Tensor;
  it.each<[string, () => unknown]>([
    ['reshape', () => reshape(none, [1])],
    ['permute', () => permute(none, [0])],
    ['slice', () => slice(none, 0, 0)],
    ['split', () => split(none, [1], 0)],
    ['concat', () => concat([none], 0)],
    ['broadcastTo', () => broadcastTo(none, [1])],
    ['sumTo', () => sumTo(none, [1])],
    ['cast', () => cast(none, 'f32')],
    ['sum', () => sum(none)],
    ['softmax', () => softmax(none)],
    ['cumsum', () => cumsum(none)],
    ['compare', () => compare(none, 'lt', none)],
    ['where', () => where(none, none, none)],
    ['argsort', () => argsort(none)],
  ])('%s names the argument that is no tensor', (_, call) => {
    expect(call).toThrow(/must be (a tensor|given)/);
  });

  it('say of a scalar that it has no axis', () => {
    expect(() => softmax(tensor(1))).toThrow(
      /ops\/softmax: tensor must have at least one axis, got a scalar/,
    );
    expect(() => cumsum(tensor(1))).toThrow(/at least one axis/);
  });
});

describe('to()', () => {
  it('refuses a tensor that needs a gradient, which would be lost on the way', () => {
    const run = (copy: (t: Tensor) => Tensor) => grad((t: Tensor) => sum(copy(t)))(tensor([1]));
    expect(() => run((t) => t.to('gpu'))).toThrow(/to: tensor must not need a gradient here/);
    expect(() => run((t) => noGrad(() => t.to('gpu')))).not.toThrow(/must not need a gradient/);
  });
});

describe('abandoned tensors', () => {
  it('give back their memory and leave no entry behind when they are collected', async () => {
    const { setFlagsFromString } = await import('node:v8');
    const { runInNewContext } = await import('node:vm');
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const live = () => hostMemory.stats().liveBytes;
    const [before, known] = [live(), liveTensors().length];
    for (let i = 0; i < 1000; i++) zeros([1024]);
    // The memory table would hold on to what it lists until the end of the turn, so it is not asked in between.
    for (let i = 0; i < 100 && live() > before; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      collect();
    }
    expect(live()).toBeLessThanOrEqual(before);
    expect(liveTensors().length).toBeLessThanOrEqual(known);
  });
});
