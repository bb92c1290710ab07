/** The claims of Based, each with what decides it. */
import { claimsOf, type ClaimEntry } from '../claim-entries.js';
import { recallByState, stateBytes, taylorFeatures, taylorMap, windowHelps } from './criteria.js';
import { CLAIM_REGISTER } from './register.js';

const SIZE = [
  'lesson: width 16, 64 tokens, 12 pairs, 64 kinds of tokens, d′ of 2, 4 and 8, a window of 4, 1.4 million tokens of training; full: width 32, 256 tokens, 48 pairs, d′ of 3, 6 and 12.',
  'Two layers, the first a window with rotary positions in every arm; the paper has short convolutions besides and wider models.',
  'Blank tokens between the queries instead of random ones; one head; no feed-forward parts.',
  'AdamW (0.9, 0.95) without weight decay, clip 1, a fifth of the steps warm-up, cosine to a tenth of the peak; one rate an arm by a tuning seed.',
  'A larger d′ has slightly more parameters (5 % from the smallest to the largest).',
];

const recallClaim: Pick<ClaimEntry, 'kind' | 'scope' | 'deviations' | 'independent'> = {
  kind: 'behaviour',
  scope: 'S2',
  deviations: SIZE,
  independent:
    'flash-linear-attention’s naive forms and PyTorch agree with both mixers: test/golden/linear-attention.json and attention.json',
};

export const claims = claimsOf('based', '2402.18668v2', CLAIM_REGISTER, [
  {
    name: 'taylor-map',
    place: 'Section 4 (Taylor linear attention)',
    words:
      'Products of the features are the exponential’s Taylor series to the second order, 273 features for 16 entries, 153 when no product is held twice.',
    kind: 'identity',
    stated: {
      text: 'phi(q).phi(k) = 1 + q.k + (q.k)²/2, the second-order Taylor approximation of exp(q.k), with feature dimension 16.',
      conditions: 'queries and keys scaled by d′^(-1/4)',
    },
    scope: 'S0',
    formula: true,
    criterion: taylorMap,
    pictures: [{ arms: ['taylor', 'taylor, each product once', '1 + elu'] }],
    deviations: ['In f64 on 64 random pairs; in exact arithmetic the difference would be 0.'],
  },
  {
    name: 'state-bytes',
    place: 'Section 4',
    words:
      'What a layer keeps is set by the feature dimension and the window, not by the length of the text: bytes grow with the square of d′.',
    kind: 'count',
    stated: {
      text: 'By varying the window size and the feature dimension the state size is chosen along the recall-memory tradeoff.',
      conditions: 'hybrid of Taylor linear attention and sliding windows',
    },
    scope: 'S0',
    formula: true,
    criterion: stateBytes,
    pictures: [
      { arms: ['taylor state', 'key/value cache'], x: 'tokens' },
      { arms: ['state over d′'], title: 'bytes by the feature dimension', x: 'd′' },
    ],
    deviations: ['f32, 16 heads, values of 64 a head; the sums of keys are counted.'],
  },
  {
    ...recallClaim,
    name: 'recall-by-state',
    place: 'Section 3, figure 2',
    words: 'The larger the state of a recurrent mixer, the more of the pairs it recalls.',
    headline: true,
    stated: {
      text: 'Recall is traded against state size: accuracy on multi-query associative recall rises with the bytes kept.',
      conditions: 'MQAR, many architectures, state sizes over several orders of magnitude',
    },
    criterion: recallByState,
    pictures: [
      { arms: ['small state', 'middle state', 'large state', 'attention', 'only windows', '1 + elu'] },
    ],
  },
  {
    ...recallClaim,
    name: 'taylor-features',
    place: 'Section 4 (choice of the feature map)',
    words: 'At no larger a state the Taylor features recall more than 1 + elu.',
    stated: {
      text: 'The Taylor feature map is competitive or best in recall among the feature maps of linear attention.',
      conditions: 'MQAR, feature maps at several dimensions',
    },
    criterion: taylorFeatures,
    pictures: [{ arms: ['middle state', '1 + elu', 'attention', 'only windows'] }],
    deviations: [
      ...SIZE,
      'The threshold of 0.05 is ours. 1 + elu has as many entries as the model is wide, the Taylor map a quarter of them at lesson.',
    ],
  },
  {
    ...recallClaim,
    name: 'window-helps',
    place: 'Section 4',
    words:
      'Linear attention alone lacks the local shifts that recall needs; beside a small window it recalls.',
    stated: {
      text: 'Linear attention alone struggles with precise local shifts and comparisons; sliding windows supply them.',
      conditions: 'Based is the combination of both',
    },
    criterion: windowHelps,
    pictures: [{ arms: ['middle state', 'without a window', 'only windows'] }],
    deviations: [
      ...SIZE,
      'Without a window both layers are linear attention, which has no positions: order reaches them by the causal sums alone. The paper’s layers have short convolutions too.',
    ],
  },
  {
    name: 'lower-bound',
    place: 'Section 3 (theory)',
    words: 'A recurrent model needs a state of at least order N bits to recall N pairs.',
    kind: 'identity',
    stated: {
      text: 'Any recurrent model that depends causally on its input needs Ω(N) bits in state to solve MQAR.',
      conditions: 'input of length N',
    },
    scope: 'S4',
    notTestable: 'A lower bound for all models is a proof, which no run of some models can test',
  },
  {
    name: 'throughput',
    place: 'Abstract',
    words: 'Generation is 24 times as fast as with FlashAttention-2.',
    kind: 'timing',
    headline: true,
    stated: {
      text: '24 times higher throughput on language generation than FlashAttention-2.',
      conditions: '1.3 billion parameters, 1,024 generated tokens, one H100',
    },
    scope: 'S4',
    notTestable:
      'Compares CUDA kernels and whole programs on an H100. A roofline bounds both from below by bytes moved and says nothing about the overheads that such a ratio holds, so a modelled figure would not test it',
  },
  {
    name: 'quality',
    place: 'Abstract',
    words:
      'At equal perplexity Based is 6.22 points ahead of other sub-quadratic models where recall matters.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'Matches Mamba in perplexity and outperforms it on recall-intensive tasks by 6.22 accuracy points.',
      conditions: 'up to 1.3 billion parameters, the Pile',
    },
    scope: 'S4',
    notTestable:
      'Needs language models of 0.4 to 1.3 billion parameters trained on billions of tokens of the Pile',
  },
]);
