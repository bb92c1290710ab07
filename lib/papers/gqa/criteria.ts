/** What decides the claims of grouped-query attention. A changed criterion needs a new entry in register.ts. */
import { ANY_SIZE, negative, NO_SEEDS, positive } from '../claim-entries.js';
import type { Analysis, Control, Criterion } from '../ledger/types.js';
import { TIMING_SEEDS } from '../timed-part.js';

export const UPTRAINING_CLAIMS = ['gqa/conversion', 'gqa/near-multi-head'];
export const uptrainingSeeds = { tuning: [101], reporting: [1, 2, 3, 4, 5] };

const all = (of: readonly Analysis[]): Analysis => ({ kind: 'all', of });
const equalsShare = (groups: number): Analysis => ({
  kind: 'predicate',
  arm: `${groups} of 8 heads`,
  predicate: { is: 'equals-arm', arm: `${groups} of 8 heads: G/H` },
});

export const cache: Criterion = {
  metric: { name: 'bytes of keys and values, over those of multi-head attention', unit: '' },
  analysis: all([1, 2, 4, 8].map(equalsShare)),
  controls: [
    negative('the weights of queries and outputs do not depend on the groups', {
      kind: 'predicate',
      arm: 'query and output weights',
      predicate: { is: 'constant' },
    }),
    positive('the cache grows with the groups', {
      kind: 'predicate',
      arm: 'cache',
      predicate: { is: 'increasing' },
    }),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

export const between: Criterion = {
  metric: {
    name: 'time of attention for one generated token',
    unit: 's (processor time; wall time on a GPU)',
  },
  analysis: {
    kind: 'ordering',
    arms: ['multi-query', 'grouped: 2 heads', 'multi-head'],
    at: 8192,
    confidence: 0.95,
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

/** arm - against, paired by seed: below supports, above refutes. */
const below = (arm: string, against: string, by: number): Analysis => ({
  ...{ kind: 'difference', arm, against, confidence: 0.95 },
  ...{ support: { below: by }, refute: [{ above: by }] },
});
const above = (arm: string, against: string, by: number): Analysis => ({
  ...{ kind: 'difference', arm, against, confidence: 0.95 },
  ...{ support: { above: by }, refute: [{ below: by }] },
});

/** Largest difference that counts as close to multi-head attention, in bits per byte. */
const MARGIN = 0.05;

const controls: readonly Control[] = [
  positive(
    'the conversion itself loses much, so that there is something to regain',
    above('1 head, mean, before', 'before uptraining', 0.1),
  ),
  negative('the same steps without a conversion change little', {
    ...{ kind: 'difference', arm: 'multi-head', against: 'before uptraining', confidence: 0.95 },
    ...{ support: { above: -MARGIN, below: MARGIN }, refute: [{ above: MARGIN }, { below: -MARGIN }] },
  }),
];

const trained = (analysis: Analysis): Criterion => ({
  metric: { name: 'validation loss after uptraining', unit: 'bits per byte' },
  analysis,
  controls,
  seeds: uptrainingSeeds,
  sizes: ['lesson', 'full'],
});

export const conversion = trained({
  kind: 'ordering',
  arms: ['1 head, mean', '1 head, first', '1 head, random'],
  confidence: 0.95,
});

export const nearMultiHead = trained(
  all([below('2 heads, mean', 'multi-head', MARGIN), below('2 heads, mean', '1 head, mean', 0)]),
);
