/** The claims of the Pythia paper, each with what decides it. */
import { ANY_SIZE, claimsOf, found, negative, NO_SEEDS, positive } from '../claim-entries.js';
import type { Analysis, Criterion } from '../ledger/types.js';
import { CLAIM_REGISTER } from './register.js';

/** Less than a point of accuracy, either way, is no clear benefit and no clear harm. */
const within = (arm: string): Analysis =>
  found(arm, { above: -0.01, below: 0.01 }, [{ above: 0.01 }, { below: -0.01 }]);

const deduplication: Criterion = {
  metric: { name: 'accuracy of deduplicated less plain models after training, over eight sizes', unit: '' },
  analysis: {
    kind: 'all',
    of: [within('benefit on the mean of eight tasks'), within('benefit on LAMBADA')],
  },
  controls: [
    positive(
      'the same test sees the benefit of training itself',
      found('benefit of training', { above: 0.05 }, [{ below: 0.05 }]),
    ),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const orderOfSizes: Criterion = {
  metric: { name: 'share of neighbouring sizes of which the larger is better at LAMBADA', unit: '' },
  analysis: found('share in order at late steps', { above: 0.95 }, [{ below: 0.8 }]),
  controls: [
    negative(
      'before training sizes are in no order',
      found('share in order before training', { below: 0.8 }, [{ above: 0.8 }]),
    ),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const SEEN = 'The values follow from fixed data: they were seen before the criterion was registered.';
const SOURCE =
  "The results in the project's repository (pythia-v1), 27 of 154 checkpoints; eight tasks as one table.";
const SAME_ROWS =
  'In that repository the rows of the 2.8B model up to step 1,000 are the same numbers with and without deduplication; no claim rests on them.';

export const claims = claimsOf('pythia', '2304.01373v2', CLAIM_REGISTER, [
  {
    name: 'deduplication',
    place: 'Section 2.6 (novel observations in evaluation)',
    words: 'Training on deduplicated data brings no clear benefit.',
    kind: 'reanalysis',
    stated: {
      text: 'Deduplication of the Pile has no clear benefit on language modelling performance.',
      conditions: 'eight sizes from 70M to 12B parameters, about 300 billion tokens each',
    },
    scope: 'S4',
    criterion: deduplication,
    deviations: [
      SOURCE,
      SAME_ROWS,
      'The eight sizes are taken as the sample; one model was trained for each.',
      SEEN,
    ],
  },
  {
    name: 'order-of-sizes',
    place: 'Appendix with zero-shot results by step',
    words:
      'After a tenth of training a larger model of the suite is better at LAMBADA than the next smaller one.',
    kind: 'reanalysis',
    stated: {
      text: 'Curves of zero-shot accuracy over training for all sizes.',
      conditions: '16 models, same data in the same order',
    },
    scope: 'S4',
    criterion: orderOfSizes,
    deviations: [
      'The paper shows these curves; that they are in order is our reading of them, and the one statement about size and step that the table can decide.',
      SOURCE,
      SAME_ROWS,
      SEEN,
    ],
  },
  {
    name: 'memorisation-order',
    place: 'Section 3.2',
    words: 'Where a sequence stands in training does not decide whether it is memorised.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'Memorised sequences follow a Poisson process in time.',
      conditions: '146M sequences, 12B parameters',
    },
    scope: 'S4',
    notTestable: 'It needs the checkpoints of the suite and the order of its training data',
  },
  {
    name: 'term-frequency',
    place: 'Section 3.3',
    words:
      'Accuracy on a fact follows its frequency in training, more so the larger the model and the later the step.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'The correlation of accuracy and term frequency appears from 2.8B parameters and half of training on.',
      conditions: 'arithmetic and question answering, few-shot',
    },
    scope: 'S4',
    notTestable: 'It needs the checkpoints of the suite and counts over its training data',
  },
]);
