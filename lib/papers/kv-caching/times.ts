/** One generated token with a cache and without, timed side by side. */
import { KeyValueCache, createTransformerBlock, normal, transformerBlock } from '../../nn/index.js';
import { matmul } from '../../ops/matmul/index.js';
import { slice } from '../../ops/structure/index.js';
import { scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import type { TimedPart } from '../timed-part.js';

const WIDTH = 128;
const HEADS = 2;

export const times: TimedPart = {
  name: 'times',
  about: 'one more token of a transformer block with a cache and by reading everything again',
  at: {
    smoke: [64, 128, 256],
    lesson: [128, 256, 512, 1024, 2048],
    full: [1024, 2048, 4096, 8192, 16384],
  },
  growth: (arm) => (arm === 'reading everything again' ? 1.5 : arm === 'with a cache' ? 0.5 : 1),
  cases: (bench, contexts) => {
    const config = { width: WIDTH, heads: HEADS, mlp: 'swiglu' as const };
    const block = bench.own(createTransformerBlock(config, bench.random.split('block')));
    const weight = bench.normal(WIDTH, WIDTH);
    return contexts.flatMap((at) => {
      const x = bench.normal(1, at + 1, WIDTH);
      const last = bench.own(slice(x, 1, at, at + 1));
      const cache = bench.keep(new KeyValueCache({ batch: 1, heads: HEADS, size: WIDTH / HEADS }, at + 1));
      scope(() => {
        const draw = (time: number) => normal(bench.random, [1, time, HEADS, WIDTH / HEADS], 1);
        noGrad(() => cache.attend(draw(at), draw(at), draw(at)));
      });
      return [
        {
          arm: 'with a cache',
          at,
          run: () => {
            cache.truncate(at);
            return transformerBlock(config, block, last, cache);
          },
        },
        { arm: 'reading everything again', at, run: () => transformerBlock(config, block, x) },
        { arm: 'linear map', at, run: () => matmul(x, weight) },
      ];
    });
  },
};
