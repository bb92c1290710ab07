/** The claims of VideoLLM-MoD, each with what decides it. */
import { ANY_SIZE, between, claimsOf, equal, found, negative, NO_SEEDS, positive } from '../claim-entries.js';
import type { Analysis, ClaimPicture, Criterion } from '../ledger/types.js';
import { CLAIM_REGISTER } from './register.js';

const all = (of: readonly Analysis[]): Analysis => ({ kind: 'all', of });

const layer: Criterion = {
  metric: {
    name: 'operations of a layer that keeps a fifth of its tokens, over those of one that keeps all',
    unit: '',
  },
  analysis: all([
    equal('projections and feed-forward', 0.2, 1e-12),
    // A causal layer over T tokens sees T (T + 1) / 2 pairs: a little more than 0.04 for the fifth.
    between('attention', 0.04, 0.041),
  ]),
  controls: [
    negative(
      'where skipped tokens are still asked, attention costs far more than a 25th',
      found('attention that still asks all', { above: 0.1 }, [{ below: 0.1 }]),
    ),
    positive(
      'the share of the keys and values kept is that of the tokens',
      equal('rows of keys and values', 0.2, 1e-12),
    ),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

/** Ten points to either side of the figure; every layer and every third one lie outside. */
const near = (arm: string, stated: number): Analysis =>
  found(arm, { above: stated - 0.1, below: stated + 0.1 }, [
    { below: stated - 0.1 },
    { above: stated + 0.1 },
  ]);
const far = (arm: string, stated: number): Analysis =>
  found(arm, { above: stated + 0.1 }, [{ below: stated + 0.1 }]);
const less = (arm: string, stated: number): Analysis =>
  found(arm, { below: stated - 0.1 }, [{ above: stated - 0.1 }]);
const nothing = (arm: string): Analysis => found(arm, { below: 0.001 }, [{ above: 0.001 }]);

const time: Criterion = {
  metric: { name: 'share of the operations of a training step saved', unit: '' },
  analysis: near('every second layer', 0.42),
  controls: [
    negative('sparse layers throughout would save more', far('every layer', 0.42)),
    negative('every third layer would save less', less('every third layer', 0.42)),
    negative('keeping all tokens saves nothing', nothing('every second layer, all kept')),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const memory: Criterion = {
  metric: { name: 'share of the memory of a training step saved', unit: '' },
  analysis: near('every second layer', 0.3),
  controls: [
    negative('sparse layers throughout would save more', far('every layer', 0.3)),
    negative('every third layer would save less', less('every third layer', 0.3)),
    negative('where weights are all, nothing is saved', nothing('every second layer, one token')),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const savings = (stated: number, ...more: ClaimPicture[]): ClaimPicture[] => [
  {
    arms: ['one layer in so many'],
    x: 'one layer in so many is sparse',
    y: 'share saved',
    levels: [{ name: 'stated', value: stated }],
  },
  {
    arms: ['every second layer, by share of vision tokens'],
    x: 'share of vision tokens',
    y: 'share saved',
    levels: [{ name: 'stated', value: stated }],
  },
  ...more,
];

const SEEN = 'The values follow from formulas: they were seen before the criterion was registered.';
const MODEL = [
  'A count for Llama 3 8B, no measurement: operations stand for time, so what does not shrink with them (the vision encoder, loading, short kernels) is left out.',
  'Vision tokens are 95 % of the sequence; a fifth of them is kept by every second layer. How the layers alternate and how long the sequences are was not read off the paper.',
  SEEN,
];

export const claims = claimsOf('videollm-mod', '2408.16730v1', CLAIM_REGISTER, [
  {
    name: 'layer-cost',
    place: 'Abstract (skipping layers for 80 % of the vision tokens)',
    words:
      'A layer that takes a fifth of the vision tokens costs a fifth in projections and feed-forward and a 25th in attention.',
    kind: 'identity',
    stated: {
      text: 'In a layer the computation of a high proportion of vision tokens is skipped; they are passed on directly.',
      conditions: 'for example 80 %',
    },
    scope: 'S0',
    formula: true,
    criterion: layer,
    deviations: [
      'Operations by the operator records at the sizes that occur, 1,000 tokens of vision alone; skipped tokens neither ask nor are asked.',
    ],
  },
  {
    name: 'training-time',
    place: 'Abstract',
    words: 'About 42 % of the time of training is saved: what every second layer gives.',
    kind: 'model',
    headline: true,
    stated: {
      text: 'About 42 % of the time is saved over the entire training.',
      conditions: '80 % of the vision tokens skipped in the chosen layers; the authors’ GPUs and data',
    },
    scope: 'S1',
    criterion: time,
    pictures: savings(0.42, {
      arms: ['every second layer, by tokens'],
      y: 'share saved',
      levels: [{ name: 'stated', value: 0.42 }],
    }),
    deviations: [...MODEL, 'Sequences of 8,192 tokens.'],
  },
  {
    name: 'training-memory',
    place: 'Abstract',
    words: 'About 30 % of the memory of training is saved: what every second layer gives on a full GPU.',
    kind: 'model',
    headline: true,
    stated: {
      text: 'About 30 % of the memory is saved over the entire training.',
      conditions: 'as above',
    },
    scope: 'S1',
    criterion: memory,
    pictures: savings(0.3),
    deviations: [
      ...MODEL,
      'As many tokens as fill 80 GB without skipping; frozen weights in bf16, all activations kept, attention that keeps no scores.',
    ],
  },
  {
    name: 'quality',
    place: 'Abstract',
    words: 'Skipping preserves or improves the results of the model that computes everything.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'Performance is preserved or even improved against the vanilla model.',
      conditions: 'narration, forecasting and summarization on COIN, Ego4D and Ego-Exo4D',
    },
    scope: 'S4',
    notTestable: 'Needs an 8B model, a vision encoder, and video data sets that are not freely at hand',
  },
]);
