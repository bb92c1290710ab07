/** One query of every head against caches with many, a few and one key/value head, timed side by side. */
import { softmaxAttention } from '../families/softmax-attention/index.js';
import { matmul } from '../ops/matmul/index.js';
import type { TimedPart } from './timed-part.js';

const BATCH = 4;
const SIZE = 64;
/** Query heads. */
export const DECODE_HEADS = 8;
/** Key/value heads by arm. */
export const DECODE_ARMS = { 'multi-head': 8, 'grouped: 2 heads': 2, 'multi-query': 1 } as const;

export const decodeTimes: TimedPart = {
  name: 'decode',
  about: 'one query of 8 heads against caches of 8, 2 and 1 key/value heads',
  at: {
    smoke: [64, 128, 256],
    lesson: [1024, 2048, 4096, 8192],
    full: [4096, 8192, 16384, 32768],
  },
  growth: () => 1,
  cases: (bench, contexts) => {
    const q = bench.normal(BATCH, 1, DECODE_HEADS, SIZE);
    const weight = bench.normal(SIZE, SIZE);
    return contexts.flatMap((at) => {
      const x = bench.normal(at, SIZE);
      const arms = Object.entries(DECODE_ARMS).map(([arm, heads]) => {
        const [k, v] = [0, 1].map(() => bench.normal(BATCH, at, heads, SIZE));
        return { arm, at, run: () => softmaxAttention(q, k, v, { form: 'step' }) };
      });
      return [...arms, { arm: 'linear map', at, run: () => matmul(x, weight) }];
    });
  },
};
