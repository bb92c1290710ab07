/** Claims about key/value caches, each with what decides it. */
import { ANY_SIZE, between, claimsOf, found, negative, NO_SEEDS, positive } from '../claim-entries.js';
import { exponent } from '../exponents.js';
import type { Analysis, Criterion } from '../ledger/types.js';
import { TIMING_SEEDS } from '../timed-part.js';
import { CLAIM_REGISTER } from './register.js';

const slope = (arm: string, above: number | undefined, below: number | undefined): Analysis => ({
  ...{ kind: 'slope', arm, span: 8, confidence: 0.95 },
  support: { ...(above === undefined ? {} : { above }), ...(below === undefined ? {} : { below }) },
  refute: [
    ...(above === undefined ? [] : [{ below: above }]),
    ...(below === undefined ? [] : [{ above: below }]),
  ],
});

const logits: Criterion = {
  metric: { name: 'relative difference of the logits from those of a whole pass', unit: '' },
  analysis: between('cached', 0, 1e-5),
  controls: [
    negative(
      'the cache of another text gives other logits',
      found('cache of another text: smallest', { above: 1e-2 }, [{ below: 1e-2 }], 0.95, false),
    ),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const operations: Criterion = {
  metric: { name: 'operations of attention for one generated token', unit: 'floating-point operations' },
  analysis: exponent('with a cache', 0.95, 1.05),
  controls: [
    positive('reading everything again costs the square', exponent('reading everything again', 1.9, 2.05)),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const bytes: Criterion = {
  metric: { name: 'memory that a sequence keeps', unit: 'bytes' },
  analysis: { kind: 'predicate', arm: 'cache', predicate: { is: 'equals-arm', arm: '2 L H d T b' } },
  controls: [
    positive('it grows with every token', {
      kind: 'predicate',
      arm: 'cache',
      predicate: { is: 'increasing' },
    }),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const time: Criterion = {
  metric: { name: 'time of one generated token', unit: 's (processor time; wall time on a GPU)' },
  analysis: {
    kind: 'all',
    of: [
      {
        ...{ kind: 'difference', arm: 'reading everything again', against: 'with a cache', scale: 'ratio' },
        ...{ pairing: 'paired', at: 2048, confidence: 0.95, support: { above: 20 }, refute: [{ below: 5 }] },
      },
      slope('with a cache', undefined, 1),
    ],
  },
  controls: [
    positive(
      'reading everything again takes longer the longer the context',
      slope('reading everything again', 0.9, undefined),
    ),
    positive('the clock sees a linear map of every token as linear', slope('linear map', 0.8, 1.2)),
  ],
  seeds: { tuning: [], reporting: TIMING_SEEDS },
  sizes: ['lesson', 'full'],
};

const PLACE = 'Section 2.4 (incremental inference)';
const SMALL = 'A small untrained transformer (2 layers of width 64, 4 heads).';
const TORCH =
  'PyTorch scaled_dot_product_attention agrees in outputs and gradients: test/golden/attention.json; a transformer block in PyTorch: test/golden/transformer-block.json';

export const claims = claimsOf('kv-caching', '1911.02150v1', CLAIM_REGISTER, [
  {
    name: 'same-logits',
    place: PLACE,
    words: 'Keys and values of earlier tokens need not be computed again: the logits stay what they were.',
    kind: 'identity',
    stated: {
      text: 'The keys and values of earlier positions are carried from step to step.',
      conditions: 'causal attention',
    },
    scope: 'S0',
    formula: true,
    criterion: logits,
    independent: TORCH,
    deviations: [`${SMALL} In f32 the two orders of sums differ by rounding; 1e-5 is allowed.`],
  },
  {
    name: 'operations-per-token',
    place: PLACE,
    words: 'One more token costs attention as much as there are tokens, not the square of it.',
    kind: 'count',
    stated: {
      text: 'A step attends from one query to the keys of all positions so far.',
      conditions: 'incremental inference',
    },
    scope: 'S0',
    formula: true,
    criterion: operations,
    deviations: [`${SMALL} Operations by the operator record at the sizes that occur.`],
  },
  {
    name: 'bytes',
    place: PLACE,
    words: 'The cache takes 2 L H d T b bytes.',
    kind: 'count',
    stated: {
      text: 'Keys and values of every position, layer and head are kept.',
      conditions: 'multi-head attention',
    },
    scope: 'S0',
    formula: true,
    criterion: bytes,
    deviations: [`${SMALL} Bytes of all live tensors, with room for exactly the tokens seen.`],
  },
  {
    name: 'time',
    place: PLACE,
    words: 'Generating with a cache takes a small part of the time of reading everything again.',
    kind: 'timing',
    stated: {
      text: 'Nothing is stated in numbers: caching is taken for granted.',
      conditions: 'autoregressive generation',
    },
    scope: 'S2',
    criterion: time,
    independent: TORCH,
    deviations: [
      'One block of width 128 on one thread of a CPU (or the adapter named in the run); contexts to 2,048 tokens.',
      'The topic has no figure of its own; 20 times at 2,048 tokens is our threshold, a hundredth of what the counts allow.',
    ],
  },
]);
