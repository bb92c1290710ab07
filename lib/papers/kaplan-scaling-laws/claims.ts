/** Claims of Kaplan et al. 2020, three of them at the size of a lesson, each with what decides it. */
import { entropyRate } from '../../tasks/entropy-source.js';
import { claimsOf, found, negative, positive } from '../claim-entries.js';
import type { Analysis, ClaimPicture, Control, Criterion } from '../ledger/types.js';
import { gridPlan } from './plan.js';
import { CLAIM_REGISTER } from './register.js';

/** Seeds from 900 on belong to pilots. */
export const gridSeeds = { tuning: [], reporting: [1, 2, 3] } as const;

function criterion(
  metric: { name: string; unit: string },
  analysis: Analysis,
  controls: readonly Control[],
): Criterion {
  return { metric, analysis, controls, seeds: gridSeeds, sizes: ['lesson', 'full'] };
}

const inside = (arm: string): Analysis => found(arm, { above: 0, below: 1 }, [{ above: 1 }, { below: 0 }]);

const entropy = criterion(
  { name: 'place of the entropy rate in the 95 % interval of E (0 and 1 are its ends)', unit: '' },
  inside('place of the entropy in the interval of E'),
  [
    positive(
      'the interval says something: it is narrower than half the entropy',
      found('width of the interval of E', { below: 0.35 }, [{ above: 0.35 }]),
    ),
  ],
);

const prediction = criterion(
  { name: 'places of the hidden runs in the 95 % band of single runs (0 and 1 are its ends)', unit: '' },
  inside('place of the hidden runs in the band'),
  [
    negative(
      'the band says something: the best run of the grid lies above it',
      found('place of the best run of the grid in the band', { above: 1 }, [{ below: 1 }]),
    ),
  ],
);

const embeddings = criterion(
  { name: 'shift of the exponent of size by counting embeddings, in half-widths of its interval', unit: '' },
  found('shift of the exponent in half-widths', { above: 1 }, [{ below: 0.5 }]),
  [
    positive(
      'embeddings are most of the smallest model',
      found('least size with over without embeddings', { above: 2 }, [{ below: 2 }]),
    ),
    positive(
      'and little of the largest',
      found('largest size with over without embeddings', { below: 1.5 }, [{ above: 1.5 }]),
    ),
  ],
);

/** All losses by data; the hidden run is the last line. */
const LOSSES: ClaimPicture = {
  arms: [
    ...new Set(
      (['lesson', 'full'] as const).flatMap((size) => [
        ...gridPlan(size).widths,
        gridPlan(size).hidden.width,
      ]),
    ),
  ]
    .sort((a, b) => a - b)
    .map((width) => `loss of width ${width}`),
  title: 'loss by data and width',
  x: 'bytes trained on',
  y: 'bits per byte',
  levels: [{ name: 'entropy rate of the text', value: entropyRate().bitsPerByte }],
};

const TINY = [
  'Transformers of 1,600 to 25,000 parameters without embeddings (lesson) on generated text, 0.26 to 2.1 million bytes, each seen once; the hidden run has 56,000 parameters and 3.1 million bytes. Exponents of such models are those of this text and this range, never those of the paper.',
  'Peak learning rate by one rule, 0.32 over the width and at most 0.02, from a pilot with seed 901; depth 2 throughout; batch of 512 bytes.',
  'Windows of 64 bytes; the second half of each is scored, so that each byte has 32 to 63 bytes of context.',
  "Huber's corner at 5 % of the loss, about the scatter of single runs of this size.",
];

export const claims = claimsOf('kaplan-scaling-laws', '2001.08361v1', CLAIM_REGISTER, [
  {
    name: 'entropy',
    place: 'Section 6.3; equation 1.5',
    words: 'Extrapolated to infinite size and data, the loss of a grid of models is the entropy of the text.',
    kind: 'behaviour',
    stated: {
      text: 'The trends must level off, since natural language has non-zero entropy; where they do may estimate the entropy per token.',
      conditions: 'a conjecture of the authors; their laws have no constant term',
    },
    scope: 'S2',
    criterion: entropy,
    pictures: [LOSSES],
    deviations: [
      'The law has a constant term, E + A/N^alpha + B/D^beta (Hoffmann et al. 2022).',
      'The entropy rate counts names that come back after hundreds of bytes as free; a window of 64 bytes does not reach them, which puts the floor of these models a few hundredths of a bit above it.',
      ...TINY,
    ],
  },
  {
    name: 'prediction',
    place: 'Section 1.1 (smooth power laws); section 4',
    words: 'A law fitted to small runs predicts a larger one.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'Performance depends on size, data and compute by power laws over more than six orders of magnitude, so that larger runs can be predicted.',
      conditions: '768 to 1.5 billion parameters without embeddings',
    },
    scope: 'S2',
    criterion: prediction,
    deviations: [
      'Extrapolated by a factor of 1.5 in data and 2.2 in size, not by orders of magnitude; the law is that of Hoffmann et al.',
      ...TINY,
    ],
  },
  {
    name: 'embeddings',
    place: 'Section 3.2, figure 6',
    words: 'Whether embeddings are counted changes what the curve of loss by size looks like.',
    kind: 'behaviour',
    stated: {
      text: 'Without embeddings the models follow one trend; with them the trend is obscured.',
      conditions: 'models of different depths',
    },
    scope: 'S2',
    criterion: embeddings,
    deviations: [
      'One depth; what is measured is the exponent of loss by size at the most data, not whether depths fall on one curve.',
      ...TINY,
    ],
  },
  {
    name: 'exponents',
    place: 'Section 1.2, equations 1.1 to 1.3',
    words: 'The exponents of loss by size, data and compute are 0.076, 0.095 and 0.050.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'alpha_N = 0.076, alpha_D = 0.095, alpha_C = 0.050.',
      conditions: 'WebText2, vocabulary of 50,257, up to 1.5 billion parameters',
    },
    scope: 'S4',
    notTestable:
      'The exponents belong to that text, vocabulary and range, the runs are not published, and training them is out of reach here; exponents of tiny models say nothing about them',
  },
  {
    name: 'optimal-allocation',
    place: 'Section 6.1, equation 1.7',
    words: 'The best size grows as compute to the 0.73.',
    kind: 'behaviour',
    headline: true,
    stated: { text: 'N ~ C^0.73.', conditions: 'compute-efficient training below the critical batch size' },
    scope: 'S4',
    notTestable:
      'It needs the runs of the paper; chinchilla/equal-scaling re-analyses published runs of others, which disagree with it',
  },
  {
    name: 'shape',
    place: 'Section 3.1, figure 5',
    words: 'Depth and width hardly matter at equal size.',
    kind: 'behaviour',
    stated: {
      text: 'Loss changes by a few per cent while the aspect ratio changes by a factor of 40.',
      conditions: '50 million parameters without embeddings',
    },
    scope: 'S2',
    notTestable: 'It can be tested at reduced size, but no experiment for it is registered yet',
  },
]);
