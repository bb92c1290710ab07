/** What decides the claims on cost and on language modelling. A changed criterion needs a new entry in register.ts. */
import type { Analysis, Control, Criterion, Thresholds } from '../ledger/types.js';
import { TIMING_SEEDS } from '../timed-part.js';

const constant = (arm: string): Analysis => ({ kind: 'predicate', arm, predicate: { is: 'constant' } });
const increasing = (name: string, arm: string): Control => ({
  name,
  role: 'positive',
  analysis: { kind: 'predicate', arm, predicate: { is: 'increasing' } },
});
const exactly = { tuning: [], reporting: [] };
const timed = { tuning: [], reporting: TIMING_SEEDS };

/** Exponent of time over the top 8x of the sizes. */
const slope = (arm: string, support: Thresholds['support'], refute: Thresholds['refute']): Analysis => ({
  kind: 'slope',
  arm,
  span: 8,
  confidence: 0.95,
  support,
  refute,
});
const linear = (arm: string): Analysis =>
  slope(arm, { above: 0.85, below: 1.15 }, [{ above: 1.15 }, { below: 0.85 }]);
const flat = (arm: string): Analysis => slope(arm, { below: 0.15 }, [{ above: 0.15 }]);
const steeper = (name: string, arm: string, than: number): Control => ({
  name,
  role: 'negative',
  analysis: slope(arm, { above: than }, [{ below: than }]),
});

/** arm - against, paired by seed. */
const difference = (
  arm: string,
  against: string,
  support: Thresholds['support'],
  refute: Thresholds['refute'],
  confidence: number,
): Analysis => ({
  kind: 'difference',
  arm,
  against,
  confidence,
  support,
  refute,
});
const below = (name: string, arm: string, against: string): Control => ({
  name,
  role: 'positive',
  analysis: difference(arm, against, { below: 0 }, [{ above: 0 }], 0.95),
});
const notBelow = (name: string, arm: string, against: string): Control => ({
  name,
  role: 'negative',
  analysis: difference(arm, against, { above: 0 }, [{ below: 0 }], 0.95),
});
const equal = (name: string, arm: string, other: string, relative: number): Control => ({
  name,
  role: 'positive',
  analysis: { kind: 'predicate', arm, predicate: { is: 'equals-arm', arm: other, relative } },
});

export const stateBytes: Criterion = {
  metric: { name: 'memory one sequence keeps after a context', unit: 'bytes' },
  analysis: constant('mamba'),
  controls: [increasing('the key/value cache of the transformer grows', 'transformer')],
  seeds: exactly,
  sizes: ['smoke', 'lesson', 'full'],
};

export const operations: Criterion = {
  metric: { name: 'operations that one more token costs', unit: 'floating-point operations' },
  analysis: {
    kind: 'all',
    of: [constant('selective-scan'), constant('mamba-block'), constant('mamba-step')],
  },
  controls: [
    increasing('a token of attention costs more the later it comes', 'attention'),
    increasing('a token of a transformer block costs more the later it comes', 'transformer-block'),
    increasing(
      'a step of generation with a key/value cache costs more the later it comes',
      'transformer-step',
    ),
  ],
  seeds: exactly,
  sizes: ['smoke', 'lesson', 'full'],
};

export const passTime: Criterion = {
  metric: { name: 'time of a forward pass over T tokens', unit: 's (processor time; wall time on a GPU)' },
  analysis: { kind: 'all', of: [linear('selective-scan'), linear('mamba-block')] },
  controls: [
    {
      name: 'the clock sees a linear map of every token as linear',
      role: 'positive',
      analysis: slope('linear-map', { above: 0.8, below: 1.2 }, [{ above: 1.2 }, { below: 0.8 }]),
    },
    steeper('tiled attention grows towards the square', 'attention-tiled', 1.5),
    steeper('a transformer block grows faster than linearly', 'transformer-block', 1.25),
  ],
  seeds: timed,
  sizes: ['lesson', 'full'],
};

export const stepTime: Criterion = {
  metric: {
    name: 'time of one generated token after T tokens',
    unit: 's (processor time; wall time on a GPU)',
  },
  analysis: { kind: 'all', of: [flat('scan-step'), flat('mamba-block-step')] },
  controls: [
    steeper('one query over a key/value cache takes longer the longer the cache', 'attention-step', 0.5),
    steeper('so does a transformer block with a key/value cache', 'transformer-block-step', 0.3),
  ],
  seeds: timed,
  sizes: ['lesson', 'full'],
};

export const language: Criterion = {
  metric: { name: 'validation loss', unit: 'bits per byte' },
  // Non-inferiority with a margin of 0.02: the upper end of the two-sided 90 % interval is a one-sided test at 5 %.
  analysis: difference('mamba', 'transformer', { below: 0.02 }, [{ above: 0.02 }], 0.9),
  controls: [
    equal(
      'both models have the same number of parameters within 2 %',
      'mamba-parameters',
      'transformer-parameters',
      0.02,
    ),
    equal('both models see the same number of bytes', 'mamba-bytes', 'transformer-bytes', 0),
    below('Mamba beats a bigram model', 'mamba', 'kneser-ney-2'),
    below('the transformer beats a bigram model', 'transformer', 'kneser-ney-2'),
    notBelow('on shuffled bytes Mamba does not beat their entropy', 'mamba-shuffled', 'entropy-shuffled'),
    notBelow(
      'on shuffled bytes the transformer does not beat their entropy',
      'transformer-shuffled',
      'entropy-shuffled',
    ),
  ],
  seeds: { tuning: [101], reporting: [1, 2, 3, 4, 5] },
  sizes: ['lesson', 'full'],
};

/** The byte language-model claim's criterion, whose seeds the experiment uses. */
export const languageSeeds = language.seeds;
