/** The claims of RoPE, each with what decides it. */
import { claimsOf, type ClaimEntry } from '../claim-entries.js';
import { decay, fasterConvergence, relative, withAndWithout } from './criteria.js';
import { CLAIM_REGISTER } from './register.js';

const RECIPE = [
  'Byte models of 130 thousand parameters (lesson: width 64, 2 layers, 2 heads, SwiGLU, RMSNorm before each part) on Tiny Shakespeare, 300 steps of 8 windows of 128 bytes; full: width 128, 4 layers, 5,000 steps of 16 windows of 256 bytes.',
  'AdamW (0.9, 0.95, weight decay 0.1), clip 1, a tenth of the steps warm-up, cosine to a tenth of the peak; one rate an arm by a tuning seed.',
  'Learned positions start at the size of the embedding (0.02) and are 8,192 parameters more; sinusoids of size 1 are added to embeddings of variance 1.',
];
const NO_DATA = 'on data that is not at hand';

const trained: Pick<ClaimEntry, 'kind' | 'scope' | 'independent'> = {
  kind: 'behaviour',
  scope: 'S2',
  independent:
    'A block with rotary positions agrees with one written in PyTorch: test/golden/transformer-block.json; the rotation with transformers: rotary.json',
};

export const claims = claimsOf('rope', '2104.09864v5', CLAIM_REGISTER, [
  {
    name: 'relative-position',
    place: 'Sections 3.2 and 3.4.1',
    words: 'Scores of turned queries and keys depend on their distance alone, and turning changes no length.',
    kind: 'identity',
    stated: {
      text: 'q_m . k_n = x_m^T W_q^T R(n - m) W_k x_n with an orthogonal matrix R.',
      conditions: 'positions by rotation of pairs of entries',
    },
    scope: 'S0',
    formula: true,
    criterion: relative,
    pictures: [
      { arms: ['rotary', 'sinusoids added', 'only the query turned'], x: 'distance of query and key' },
    ],
    independent: 'transformers’ rotary embedding agrees: test/golden/rotary.json',
    deviations: ['One random query and key of 64 entries at six places up to 1,000, in f64.'],
  },
  {
    name: 'long-term-decay',
    place: 'Sections 3.3 and 3.4.3, figure 2',
    words: 'The bound of the score falls as the distance grows.',
    kind: 'count',
    stated: {
      text: 'The mean of |S_i| over the partial sums of e^(i(m-n)theta) decays as the relative distance grows, with theta_i = 10000^(-2i/d).',
      conditions: 'figure 2: relative distances up to about 250',
    },
    scope: 'S0',
    formula: true,
    criterion: decay,
    pictures: [{ arms: ['rotary', 'one frequency'], x: 'distance' }],
    deviations: [
      'd = 128, means over windows of distances that double, from 1 to 1,023. Single distances rise and fall around them.',
      'Beyond about 4,000 the means no longer fall, which is outside what is claimed. The bound says nothing about scores that are far below it.',
    ],
  },
  {
    ...trained,
    name: 'faster-convergence',
    place: 'Section 4.2, figure 3 (left)',
    words: 'After equal steps the loss is lower than with positions added to the embedding.',
    headline: true,
    stated: {
      text: 'RoFormer experiences faster convergence than vanilla BERT in masked-language pre-training.',
      conditions: 'BERT base, English Wikipedia and BookCorpus; learned absolute positions',
    },
    criterion: fasterConvergence,
    pictures: [{ arms: ['rope', 'learned', 'sinusoidal', 'none'] }],
    deviations: [
      'Causal byte models, not masked ones; learned positions are those of BERT, sinusoids those of the transformer that section 4.1 compares with.',
      ...RECIPE,
      'A difference of at least 0.02 bits per byte, the margin of the language-modelling claim of mamba. It speaks of early training: how long the gap lasts is not asked.',
    ],
  },
  {
    ...trained,
    name: 'with-and-without',
    place: 'Section 4.4, figure 3 (right)',
    words: 'A character-level model has a lower loss with rotary positions than without after equal steps.',
    stated: {
      text: 'Substituting RoPE into Performer leads to rapid convergence and lower loss under the same number of training steps.',
      conditions: 'Performer of 12 layers, Enwik8, length 1,024',
    },
    criterion: withAndWithout,
    pictures: [{ arms: ['rope', 'none'] }],
    deviations: [
      'Softmax attention, not Performer’s; without positions the causal mask alone tells the order.',
      ...RECIPE,
    ],
  },
  {
    name: 'translation',
    place: 'Section 4.1, table 1',
    words: 'Translation is better than with the sinusoids of the transformer.',
    kind: 'behaviour',
    stated: { text: 'BLEU of 27.5 against 27.3.', conditions: 'WMT14 English to German' },
    scope: 'S4',
    notTestable: `Needs an encoder and decoder trained on 4.5 million sentence pairs ${NO_DATA}; a difference of 0.2 BLEU lies within what seeds do`,
  },
  {
    name: 'glue',
    place: 'Section 4.3, table 2',
    words: 'Fine-tuned on GLUE, RoFormer is ahead of BERT on three of six tasks.',
    kind: 'behaviour',
    stated: { text: 'Significantly better on three of six GLUE tasks.', conditions: 'BERT base' },
    scope: 'S4',
    notTestable: `Needs masked-language pre-training at BERT’s size ${NO_DATA}, and fine-tuning of each task`,
  },
  {
    name: 'long-chinese-text',
    place: 'Section 4.5',
    words: 'Accuracy on long Chinese texts rises with the length that is read.',
    kind: 'behaviour',
    stated: { text: 'Accuracy on CAIL2019-SCM rises at 1,024 tokens.', conditions: 'pre-trained in stages' },
    scope: 'S4',
    notTestable: `Needs a pre-trained Chinese model and a corpus of law cases ${NO_DATA}`,
  },
]);
