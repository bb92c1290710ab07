/** Tier adapter: NaN, infinities and ties give the same answer on every backend; integers out of range stay inside. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  amax,
  argmax,
  argsort,
  cast,
  clamp,
  closeGpu,
  crossEntropy,
  gather,
  grad,
  maximum,
  minimum,
  relu,
  selectiveScan,
  softmax,
  softmaxAttention,
  sum,
  tensor,
  topK,
  withBackend,
  type Tensor,
} from '../../lib/index.js';
import { COLD, openAdapter } from './support.js';

const { context, reason } = await openAdapter();
afterAll(() => closeGpu());

const ROW = [1, NaN, -Infinity, 1, Infinity, 0, -0, NaN, -2, 1];
const onGpu = (values: number[], shape?: number[]) =>
  tensor(Float32Array.from(values), { shape, device: 'gpu' });
const ids = (values: number[]) => tensor(Int32Array.from(values), { device: 'gpu' });
const read = async (t: Tensor) => Array.from(await t.data());

describe(`ordering on ${context ? 'this adapter' : `a GPU (skipped: ${reason})`}`, () => {
  const orders: [string, (t: Tensor) => Tensor][] = [
    ['topK indices', (t) => topK(t, 7).indices],
    ['topK values', (t) => topK(t, 7).values],
    ['argsort', (t) => argsort(t)],
    ['argsort descending', (t) => argsort(t, { descending: true })],
    ['argmax', (t) => argmax(t, -1)],
  ];
  it.runIf(context).each(orders)(
    'of NaN, infinities, zeros and ties equals the host: %s',
    { timeout: COLD },
    async (_, order) => {
      const host = withBackend('cpu', () =>
        order(tensor(Float32Array.from([...ROW, ...ROW.map((v) => -v)]), { shape: [2, 10], device: 'host' })),
      );
      expect(await read(order(onGpu([...ROW, ...ROW.map((v) => -v)], [2, 10])))).toEqual(await read(host));
    },
  );
});

describe(`NaN on ${context ? 'this adapter' : `a GPU (skipped: ${reason})`}`, () => {
  const spreading: [string, (t: Tensor) => Tensor][] = [
    ['relu', relu],
    ['clamp', (t) => clamp(t, -1, 1)],
    ['maximum', (t) => maximum(t, onGpu([0, 0, 0, 0], [1, 4]))],
    ['minimum, second', (t) => minimum(onGpu([0, 0, 0, 0], [1, 4]), t)],
    ['amax', (t) => amax(t, -1)],
    ['softmax', softmax],
    ['crossEntropy', (t) => crossEntropy(t, ids([0]))],
  ];
  it.runIf(context).each(spreading)('spreads through %s', { timeout: COLD }, async (_, op) => {
    expect((await read(op(onGpu([1, 2, NaN, 0], [1, 4])))).some(Number.isNaN)).toBe(true);
    expect((await read(op(onGpu([1, 2, 3, 0], [1, 4])))).some(Number.isNaN)).toBe(false);
  });

  it.runIf(context).each(['q', 'k', 'v'])(
    'in %s reaches every output of attention that sees it and no other',
    { timeout: COLD },
    async (name) => {
      const at = (n: string) => {
        const values = Array.from({ length: 6 }, (_, i) => Math.sin(i));
        if (n === name) values[3] = NaN;
        return onGpu(values, [1, 3, 1, 2]);
      };
      const y = await read(softmaxAttention(at('q'), at('k'), at('v'), { form: 'chunk' }));
      expect(y.slice(0, 2).some(Number.isNaN)).toBe(false);
      expect(y.slice(2, 4).some(Number.isNaN)).toBe(true);
    },
  );
});

describe(`integers out of range on ${context ? 'this adapter' : `a GPU (skipped: ${reason})`}`, () => {
  it.runIf(context)('are clamped into the table by gather', { timeout: COLD }, async () => {
    expect(await read(gather(onGpu([10, 20, 30], [3, 1]), ids([-5, 1, 99])))).toEqual([10, 20, 30]);
  });

  it.runIf(context)(
    'become the ends of the range when floats are cast, NaN 0',
    { timeout: COLD },
    async () => {
      const [nan, high, low, up, down] = await read(cast(onGpu([NaN, 1e20, -1e20, 2.7, -2.7]), 'i32'));
      expect([nan, low, up, down]).toEqual([0, -2147483648, 2, -2]);
      expect(high).toBeGreaterThanOrEqual(2147483520);
      expect(await read(cast(ids([-1, 5]), 'u32'))).toEqual([4294967295, 5]);
    },
  );

  it.runIf(context)('are clamped by cross-entropy, in the gradient too', { timeout: COLD }, async () => {
    const gradient = (target: number) =>
      read(grad((t: Tensor) => sum(crossEntropy(t, ids([target]))))(onGpu([1, 2, 3], [1, 3])));
    expect(await gradient(-7)).toEqual(await gradient(0));
    expect(await gradient(7)).toEqual(await gradient(2));
  });

  it.runIf(context)('in cuSeqlens read no token beyond T', { timeout: COLD }, async () => {
    const token = () => onGpu([1, 1], [1, 2, 1]);
    const scan = (starts: number[]) =>
      read(
        selectiveScan({
          u: token(),
          delta: token(),
          A: onGpu([-1], [1, 1]),
          B: onGpu([1], [1, 1]),
          C: onGpu([1], [1, 1]),
          cuSeqlens: ids(starts),
        }).finalState,
      );
    expect(await scan([0, 900000])).toEqual(await scan([0, 2]));
  });
});
