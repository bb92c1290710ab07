/** What decides the claims of RoPE. A changed criterion needs a new entry in register.ts. */
import { ANY_SIZE, between, equal, negative, NO_SEEDS, positive } from '../claim-entries.js';
import type { Analysis, Control, Criterion } from '../ledger/types.js';

export const CONVERGENCE_CLAIMS = ['rope/faster-convergence', 'rope/with-and-without'];
export const convergenceSeeds = { tuning: [101], reporting: [1, 2, 3, 4, 5] };

const all = (of: readonly Analysis[]): Analysis => ({ kind: 'all', of });

export const relative: Criterion = {
  metric: { name: 'spread of the scores of one distance over all places, relative', unit: '' },
  analysis: all([between('rotary', 0, 1e-12), between('change of length', 0, 1e-12)]),
  controls: [
    negative('with sinusoids added the place matters', between('sinusoids added', 0.05, 1e9)),
    negative('with the query alone turned it matters too', between('only the query turned', 0.05, 1e9)),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

export const decay: Criterion = {
  metric: { name: 'bound of the score beside the vectors, mean over a window of distances', unit: '' },
  // Every window of doubled distances lies below the one before.
  analysis: between('rotary: over the window before', 0, 0.99),
  controls: [
    negative('with one frequency it does not fall', equal('one frequency: over the window before', 1, 1e-6)),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

/** Lower by more than this supports, by less refutes: the margin of the language-modelling claim of `mamba`. */
const MARGIN = 0.02;
/** arm - against, paired by seed. */
const lower = (arm: string, against: string, by = MARGIN): Analysis => ({
  ...{ kind: 'difference', arm, against, confidence: 0.95 },
  ...{ support: { below: -by }, refute: [{ above: -by }] },
});

const controls: readonly Control[] = [
  positive('rotary positions beat a model of pairs of bytes', lower('rope', 'kneser-ney-2', 0)),
  negative('on shuffled bytes rotary positions do not beat their entropy', {
    ...{ kind: 'difference', arm: 'rope-shuffled', against: 'entropy-shuffled', confidence: 0.95 },
    ...{ support: { above: 0 }, refute: [{ below: 0 }] },
  }),
  ...['learned', 'sinusoidal', 'none'].map((arm) =>
    positive(`rope and ${arm} read the same number of bytes`, {
      kind: 'predicate',
      arm: 'rope-bytes',
      predicate: { is: 'equals-arm', arm: `${arm}-bytes` },
    }),
  ),
];

const trained = (analysis: Analysis): Criterion => ({
  metric: { name: 'validation loss after equal steps', unit: 'bits per byte' },
  analysis,
  controls,
  seeds: convergenceSeeds,
  sizes: ['lesson', 'full'],
});

export const fasterConvergence = trained(all([lower('rope', 'learned'), lower('rope', 'sinusoidal')]));
export const withAndWithout = trained(lower('rope', 'none'));
