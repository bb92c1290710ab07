/** Words and operations of one step of incremental attention, counted from the operators that run. */
import { countCost } from '../../cost/index.js';
import { softmaxAttention } from '../../families/softmax-attention/index.js';
import { matmul } from '../../ops/matmul/index.js';
import { scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import { zeros, type Tensor } from '../../tensor/tensor.js';
import type { Measurement } from '../ledger/types.js';

/** Model width d, heads h; head size d / h. */
const WIDTH = 256;
const HEADS = 8;
const SIZE = WIDTH / HEADS;
const BATCH = 32;
/** Tokens in the cache, up to the model's width as in the paper's analysis. */
export const CONTEXTS = [32, 64, 128, 256];

interface Step {
  words: number;
  flops: number;
  /** Words of keys and values. */
  cache: number;
}

/** Projections of one token for each sequence, and attention to n cached positions. */
function step(tokens: number, keyValueHeads: number, batch: number): Step {
  const { cost } = scope(() =>
    countCost(() =>
      noGrad(() => {
        const x = zeros([batch, WIDTH]);
        const project = (columns: number): Tensor => matmul(x, zeros([WIDTH, columns]));
        project(WIDTH);
        project(2 * keyValueHeads * SIZE);
        const cache = () => zeros([batch, tokens, keyValueHeads, SIZE]);
        softmaxAttention(zeros([batch, 1, HEADS, SIZE]), cache(), cache(), { form: 'step' });
        project(WIDTH);
      }),
    ),
  );
  return { words: cost.bytes / 4, flops: cost.flops, cache: 2 * batch * tokens * keyValueHeads * SIZE };
}

/** Words over operations after n tokens, less that after one: what the cache adds. */
function added(tokens: number, keyValueHeads: number): number {
  const [now, start] = [step(tokens, keyValueHeads, BATCH), step(1, keyValueHeads, BATCH)];
  return (now.words - start.words) / now.flops;
}

/** Ratio of memory access to arithmetic by context, and how much smaller the part of the cache is with one head. */
export function measureIntensity(): Measurement[] {
  return CONTEXTS.flatMap((at) => {
    const [many, one] = [added(at, HEADS), added(at, 1)];
    const ratio = (heads: number) => {
      const { words, flops } = step(at, heads, BATCH);
      return words / flops;
    };
    return [
      { arm: 'multi-head', at, value: ratio(HEADS) },
      { arm: 'multi-query', at, value: ratio(1) },
      { arm: 'multi-head: part of the cache', at, value: many },
      { arm: 'multi-query: part of the cache', at, value: one },
      { arm: 'without a cache', at, value: step(1, HEADS, BATCH).words / step(1, HEADS, BATCH).flops },
    ];
  });
}

/** Words of keys and values read by a step. */
export function measureCache(): Measurement[] {
  return CONTEXTS.flatMap((at) => {
    const of = (heads: number) => step(at, heads, 1).words - step(at, heads, 1).cache;
    // The same reads but for the cache: what is left must not depend on the context.
    return [
      { arm: 'multi-head', at, value: step(at, HEADS, 1).cache },
      { arm: 'h times multi-query', at, value: HEADS * step(at, 1, 1).cache },
      { arm: 'all other words', at, value: of(HEADS) },
    ];
  });
}
