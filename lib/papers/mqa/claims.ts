/** The claims of multi-query attention, each with what decides it. */
import { ANY_SIZE, claimsOf, negative, NO_SEEDS, positive } from '../claim-entries.js';
import { exponent } from '../exponents.js';
import type { Criterion, Predicate } from '../ledger/types.js';
import { TIMING_SEEDS } from '../timed-part.js';
import { CLAIM_REGISTER } from './register.js';

const holds = (arm: string, predicate: Predicate) => ({ kind: 'predicate' as const, arm, predicate });

const intensity: Criterion = {
  metric: { name: 'words moved for one operation of a step', unit: 'words' },
  analysis: {
    kind: 'all',
    of: [
      // Proportional to n: slightly less, as operations grow with the cache too.
      exponent('multi-head: part of the cache', 0.8, 1.1),
      exponent('multi-query: part of the cache', 0.6, 1.1),
      holds('multi-head', { is: 'increasing' }),
    ],
  },
  controls: [
    negative('without a cache nothing depends on the context', holds('without a cache', { is: 'constant' })),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const cache: Criterion = {
  metric: { name: 'words of keys and values that a step reads', unit: 'words' },
  analysis: holds('multi-head', { is: 'equals-arm', arm: 'h times multi-query' }),
  controls: [negative('all other words stay', holds('all other words', { is: 'constant' }))],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const time: Criterion = {
  metric: {
    name: 'time of attention for one generated token',
    unit: 's (processor time; wall time on a GPU)',
  },
  analysis: {
    ...{ kind: 'difference', arm: 'multi-head', against: 'multi-query', scale: 'ratio', pairing: 'paired' },
    ...{ at: 8192, confidence: 0.95, support: { above: 1.5 }, refute: [{ below: 1.1 }] },
  },
  controls: [
    positive('the clock sees a linear map of every token as linear', {
      ...{ kind: 'slope', arm: 'linear map', span: 8, confidence: 0.95 },
      ...{ support: { above: 0.8, below: 1.2 }, refute: [{ above: 1.2 }, { below: 0.8 }] },
    }),
  ],
  seeds: { tuning: [], reporting: TIMING_SEEDS },
  sizes: ['lesson', 'full'],
};

export const claims = claimsOf('mqa', '1911.02150v1', CLAIM_REGISTER, [
  {
    name: 'intensity',
    place: 'Sections 2.4.1 and 3.1',
    words: 'What a step moves for an operation grows with n/d because of the cache of keys and values.',
    kind: 'count',
    headline: true,
    stated: {
      text: 'The ratio of memory access to arithmetic is Θ(n/d + 1/b) with many heads and Θ(1/d + n/(dh) + 1/b) with one.',
      conditions: 'incremental inference, n <= d, k = v = d/h',
    },
    scope: 'S0',
    formula: true,
    criterion: intensity,
    pictures: [{ arms: ['multi-head', 'multi-query', 'without a cache'], x: 'tokens in the cache n' }],
    deviations: [
      'd = 256, h = 8, b = 32; words and operations by the operator records of projections and attention.',
    ],
  },
  {
    name: 'cache',
    place: 'Section 3.1',
    words: 'One shared head makes the keys and values h times smaller.',
    kind: 'count',
    stated: {
      text: 'The size of the K and V tensors that are reloaded is reduced by a factor of h.',
      conditions: 'h query heads',
    },
    scope: 'S0',
    formula: true,
    criterion: cache,
    pictures: [
      { arms: ['multi-head', 'h times multi-query', 'all other words'], x: 'tokens in the cache n' },
    ],
    deviations: ['h = 8, one sequence.'],
  },
  {
    name: 'faster-step',
    place: 'Section 4.3, table 3',
    words: 'Attention of a generated token takes much less time with one shared head.',
    kind: 'timing',
    headline: true,
    stated: {
      text: 'Much faster incremental decoding.',
      conditions: 'translation model on a TPU v2, batch 1024',
    },
    scope: 'S2',
    criterion: time,
    independent:
      'PyTorch scaled_dot_product_attention agrees in outputs and gradients: test/golden/attention.json',
    deviations: [
      'The attention of one layer alone, 8 query heads of 64, batch 4, 8,192 tokens, f32 on one thread of a CPU (or the adapter named in the run).',
      'The threshold of 1.5 is ours: of 8 times fewer words only what is bound by memory can gain.',
    ],
  },
  {
    name: 'quality',
    place: 'Abstract; section 4.2, tables 1 and 2',
    words: 'Quality is hardly worse.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'Only minor quality degradation from the baseline.',
      conditions: 'WMT14 translation, billion-word language model',
    },
    scope: 'S4',
    notTestable:
      'Needs translation and language models of 200 million parameters trained on data sets that are not at hand; a tiny model would say nothing about a minor loss at that size',
  },
]);
