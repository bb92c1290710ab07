/** What skipping layers saves: one layer counted from its operators, a whole model by formulas. */
import { countCost } from '../../cost/index.js';
import { softmaxAttention } from '../../families/softmax-attention/index.js';
import { gather, matmul, reshape } from '../../ops/index.js';
import { scope } from '../../tensor/scope.js';
import { noGrad } from '../../tensor/tape.js';
import { ones, tensor, type Tensor } from '../../tensor/tensor.js';
import type { Measurement } from '../ledger/types.js';
import { reanalysis } from '../reanalysis.js';
import { LLAMA_8B, savedBytes, savedFlops, tokensThatFit, type Skipping } from './model.js';

const TOKENS = 1000;
const KEPT = 0.2;
const WIDTH = 16;
const HEADS = 2;

/** Operations of one small layer by part, over the rows of x, which ask the rows of `asked`. */
function layerOperations(x: Tensor, asked = x): { linear: number; attention: number; rows: number } {
  const square = ones([WIDTH, WIDTH]);
  const project = (rows: Tensor): Tensor =>
    reshape(matmul(rows, square), [1, rows.shape[0], HEADS, WIDTH / HEADS]);
  let rows = 0;
  const { cost } = countCost(() => {
    const [q, k, v] = [project(x), project(asked), project(asked)];
    rows = k.shape[1];
    const mixed = reshape(softmaxAttention(q, k, v, { causal: x === asked }), [x.shape[0], WIDTH]);
    const out = matmul(mixed, square);
    return matmul(matmul(out, ones([WIDTH, 4 * WIDTH])), ones([4 * WIDTH, WIDTH]));
  });
  const of = (op: string) => cost.operators.find((row) => row.op === op)?.flops ?? NaN;
  return { linear: of('ops/matmul'), attention: of('softmax-attention'), rows };
}

/** Counts of a layer that takes every fifth token over those of one that takes all. */
export function measureLayer(): Measurement[] {
  return scope(() =>
    noGrad(() => {
      const x = ones([TOKENS, WIDTH]);
      const ids = tensor(Int32Array.from({ length: TOKENS * KEPT }, (_, i) => i / KEPT));
      const fifth = gather(x, ids);
      const [full, sparse, asking] = [layerOperations(x), layerOperations(fifth), layerOperations(fifth, x)];
      return [
        { arm: 'projections and feed-forward', value: sparse.linear / full.linear },
        { arm: 'attention', value: sparse.attention / full.attention },
        { arm: 'rows of keys and values', value: sparse.rows / full.rows },
        { arm: 'attention that still asks all', value: asking.attention / full.attention },
      ];
    }),
  );
}

const SECOND: Skipping = { vision: 0.95, kept: KEPT, every: 2 };
const SEQUENCE = 8192;
/** Bytes of the authors' kind of GPU. */
const DEVICE = 80e9;
const INTERLEAVES = {
  'every layer': 1,
  'every second layer': 2,
  'every third layer': 3,
  'every fourth layer': 4,
};
/** Shares of vision tokens and lengths at which the saving is recorded too. */
const SHARES = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1];
const LENGTHS = [1024, 2048, 4096, 8192, 16384, 32768, 65536];

function measureSavings(saved: (skipping: Skipping) => number): Measurement[] {
  return [
    ...Object.entries(INTERLEAVES).map(([arm, every]) => ({ arm, value: saved({ ...SECOND, every }) })),
    ...Object.values(INTERLEAVES).map((at) => ({
      arm: 'one layer in so many',
      at,
      value: saved({ ...SECOND, every: at }),
    })),
    { arm: 'every second layer, all kept', value: saved({ ...SECOND, kept: 1 }) },
    ...SHARES.map((vision) => ({
      arm: 'every second layer, by share of vision tokens',
      at: vision,
      value: saved({ ...SECOND, vision }),
    })),
  ];
}

export const skipping = reanalysis({
  id: 'skipping',
  about: 'what skipping layers saves in operations and memory, layer by layer and in whole models',
  claims: ['videollm-mod/layer-cost', 'videollm-mod/training-time', 'videollm-mod/training-memory'],
  seconds: 1,
  analyse: async () => {
    const tokens = tokensThatFit(LLAMA_8B, DEVICE);
    return {
      measurements: {
        'videollm-mod/layer-cost': measureLayer(),
        'videollm-mod/training-time': [
          ...measureSavings((s) => savedFlops(LLAMA_8B, SEQUENCE, s)),
          ...LENGTHS.map((at) => ({
            arm: 'every second layer, by tokens',
            at,
            value: savedFlops(LLAMA_8B, at, SECOND),
          })),
        ],
        'videollm-mod/training-memory': [
          ...measureSavings((s) => savedBytes(LLAMA_8B, tokens, s)),
          { arm: 'every second layer, one token', value: savedBytes(LLAMA_8B, 1, SECOND) },
        ],
      },
      config: { model: { ...LLAMA_8B }, sequence: SEQUENCE, tokens, device: DEVICE, ...SECOND },
    };
  },
});
