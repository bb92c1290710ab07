/** Attention that never writes its scores against attention that does, timed side by side. */
import { softmaxAttention } from '../../families/softmax-attention/index.js';
import { matmul } from '../../ops/matmul/index.js';
import type { TimedPart } from '../timed-part.js';

const HEADS = 4;
const SIZE = 64;

export const times: TimedPart = {
  name: 'times',
  about: 'a forward pass tiled and with the scores in memory, over growing lengths',
  at: {
    smoke: [64, 128, 256],
    lesson: [256, 512, 1024, 2048],
    full: [1024, 2048, 4096, 8192],
  },
  growth: (arm) => (arm === 'linear map' ? 1 : 2),
  cases: (bench, lengths) => {
    const weight = bench.normal(HEADS * SIZE, HEADS * SIZE);
    return lengths.flatMap((at) => {
      const [q, k, v] = [0, 1, 2].map(() => bench.normal(1, at, HEADS, SIZE));
      const x = bench.normal(1, at, HEADS * SIZE);
      const attention = (form: 'chunk' | 'parallel') => () =>
        softmaxAttention(q, k, v, { form, causal: false });
      return [
        { arm: 'tiled', at, run: attention('chunk') },
        { arm: 'scores in memory', at, run: attention('parallel') },
        { arm: 'linear map', at, run: () => matmul(x, weight) },
      ];
    });
  },
};
