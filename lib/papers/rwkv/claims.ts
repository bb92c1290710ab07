/** The claims of RWKV (version 4), each with what decides it. */
import { claimsOf } from '../claim-entries.js';
import { CPU_DEVIATION } from '../mixer-criteria.js';
import * as criteria from './criteria.js';
import { CLAIM_REGISTER } from './register.js';

const UPSTREAM =
  'The loop of Hugging Face transformers (rwkv_linear_attention_cpu) agrees in outputs, states and gradients: test/golden/rwkv.json';
const TRAINED =
  'Needs RWKV-4 of 169M to 14B parameters trained on the Pile; no weights of this version are among the data sets of this project, and those it has are tiny models of versions 5.2 and 7';

export const claims = claimsOf('rwkv', '2305.13048v2', CLAIM_REGISTER, [
  {
    name: 'stable-recurrence',
    place: 'Section 3.1.2; the appendix on time mixing as a recurrent cell',
    words:
      'Carried under one exponent, the largest so far, the recurrence gives the weighted sum of all tokens without overflow.',
    kind: 'identity',
    stated: {
      text: 'WKV is a recurrence; in a stable form exponents are shifted by a running maximum.',
      conditions: 'any keys',
    },
    scope: 'S0',
    formula: true,
    criterion: criteria.recurrence,
    pictures: [
      {
        arms: ['with a maximum', 'with a maximum, f32', 'operator: recurrent', 'operator: chunk'],
        x: 'largest size of a key',
      },
      {
        arms: ['naive in f32: lost outputs'],
        title: 'outputs lost by the naive form',
        x: 'largest size of a key',
        y: '',
      },
    ],
    independent: UPSTREAM,
    deviations: [
      '8 channels of 96 tokens with uniform keys; loops in f64 and with every operation rounded to f32, and the operator of this library in f64.',
      'In f32 a thousandth is allowed: adding a small decay to an exponent near 120 is rounded at every token.',
    ],
  },
  {
    name: 'operations',
    place: 'Table 1',
    words: 'Operations grow linearly with the tokens and with the width.',
    kind: 'count',
    headline: true,
    stated: { text: 'Time O(Td), against O(T²d) of a transformer.', conditions: 'inference of T tokens' },
    scope: 'S0',
    formula: true,
    criterion: criteria.operations,
    pictures: [{ arms: ['over tokens', 'attention over tokens'] }],
    deviations: [
      'Counted in the loop of the stable recurrence, an exponential as one. The linear maps of a layer are O(Td²) in both architectures; the table leaves them out, and so do we.',
    ],
  },
  {
    name: 'state-bytes',
    place: 'Abstract; table 1',
    words: 'What a layer carries from token to token does not grow with the context.',
    kind: 'count',
    headline: true,
    stated: { text: 'Constant memory during inference; space O(d).', conditions: 'any context' },
    scope: 'S0',
    formula: true,
    criterion: criteria.stateBytes,
    pictures: [{ arms: ['rwkv', 'key/value cache'] }],
    independent: UPSTREAM,
    deviations: [
      'The states of the recurrences of one layer of width 64: three rows of WKV and the last token of time and channel mixing.',
    ],
  },
  {
    name: 'time-of-a-pass',
    place: 'Abstract; table 1',
    words: 'The time of a pass grows linearly with its tokens.',
    kind: 'timing',
    stated: { text: 'Linear scaling in memory and computation.', conditions: 'stated as a complexity' },
    scope: 'S2',
    criterion: criteria.passTime,
    independent: UPSTREAM,
    deviations: [
      CPU_DEVIATION,
      'WKV of 512 channels alone, batch 1; lengths to 4,096 (lesson) or 16,384 (full).',
    ],
  },
  {
    name: 'time-of-a-step',
    place: 'Abstract; the section on inference, cumulative time of generated text',
    words: 'The time of a generated token does not grow with the tokens before it.',
    kind: 'timing',
    headline: true,
    stated: {
      text: 'Constant computational complexity during inference; the time of generating grows linearly with the tokens.',
      conditions: 'models beside transformers of similar sizes',
    },
    scope: 'S2',
    criterion: criteria.stepTime,
    independent: UPSTREAM,
    deviations: [
      CPU_DEVIATION,
      'WKV of 512 channels alone, beside 8 heads of 64; contexts to 8,192 (lesson).',
    ],
  },
  {
    name: 'context-lowers-loss',
    place: 'The figure of the mean test loss on the Pile over the context length',
    words: 'A trained model predicts the same text better the more of the text before it it has read.',
    kind: 'behaviour',
    stated: {
      text: 'Mean test loss decreases with the context length, so the state makes use of it.',
      conditions: 'RWKV-4 of 7B and 14B parameters with contexts to 8,192, the Pile',
    },
    scope: 'S4',
    notTestable:
      'No weights of this version are among the data sets of this project. Its tiny RWKV-5.2 has decays near 1/e in every lane and forgets within some 30 bytes, its tiny RWKV-7 is barely trained: neither could show what longer contexts give (docs/pilots/rwkv.md)',
  },
  {
    name: 'scaling',
    place: 'Section 4, scaling laws',
    words: 'Loss follows a power law of compute, as for transformers.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'A linear fit in log-log of the Pareto points has r² = 0.994, and 0.875 one order beyond.',
      conditions: '45 models on the Pile',
    },
    scope: 'S4',
    notTestable:
      'The losses of the 45 models are not published with the paper, and training them is out of reach',
  },
  {
    name: '14b',
    place: 'Abstract',
    words: 'The architecture trains at 14B parameters.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'By far the largest dense recurrent network trained so far.',
      conditions: '14B parameters',
    },
    scope: 'S4',
    notTestable: 'No machine of this project can train or hold 14B parameters',
  },
  {
    name: 'parity',
    place: 'Abstract; section 5',
    words: 'RWKV performs like transformers of its size.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'On par with similarly sized transformers.',
      conditions: '169M to 14B parameters, the Pile, twelve zero-shot tasks',
    },
    scope: 'S4',
    notTestable: TRAINED,
  },
  {
    name: 'long-range-arena',
    place: 'The appendix on the long-range arena',
    words: 'On the long-range arena it is second to S4 only.',
    kind: 'behaviour',
    stated: { text: 'Second only to S4 in five data sets.', conditions: 'lengths 1K to 16K' },
    scope: 'S4',
    notTestable: 'Needs trainings on sequences of 1K to 16K tokens of data sets that are not at hand',
  },
  {
    name: 'recall',
    place: 'Section on limitations',
    words: 'A state of fixed size may limit the recall of details over very long contexts.',
    kind: 'behaviour',
    stated: {
      text: 'May limit performance on tasks that require recalling minutiae over very long contexts.',
      conditions: 'none',
    },
    scope: 'S4',
    notTestable:
      'Stated as a possibility, without task, size or figure, so that no outcome could contradict it; recall is measured under papers that state a number',
  },
  {
    name: 'prompts',
    place: 'Section on limitations; the appendix on prompts',
    words: 'It depends more than transformers on the order of a prompt.',
    kind: 'behaviour',
    stated: {
      text: 'Prompt engineering matters more: information must come after the question that asks for it, or be repeated.',
      conditions: 'RWKV-4 14B',
    },
    scope: 'S4',
    notTestable: TRAINED,
  },
]);
