/** The claims of RetNet, each with what decides it. */
import { claimsOf } from '../claim-entries.js';
import { CPU_DEVIATION } from '../mixer-criteria.js';
import * as criteria from './criteria.js';
import { CLAIM_REGISTER } from './register.js';

const UPSTREAM =
  'torchscale MultiScaleRetention and flash-linear-attention naive_retention agree in outputs and gradients: test/golden/linear-attention.json';
const TRAINING =
  'Needs trainings of 1.3B to 6.7B parameters on 100B tokens of a corpus that is not public; a tiny model would say nothing about an order that the paper itself sees from 2B parameters on';
const ROOFLINE =
  'Weights and keys and values in 16 bits, states in f32, feed-forward 2 d, values 2 d, a tied vocabulary of 100,000; time by the roofline of the maker’s peaks for bytes and operations of one generated token.';
const BATCH =
  'The statement names no batch; computed with 8 sequences, a number at which the stated saving of memory comes out.';

export const claims = claimsOf('retnet', '2307.08621v4', CLAIM_REGISTER, [
  {
    name: 'representations',
    place: 'Section 2.1, equations 5, 6 and 7',
    words: 'The parallel, the recurrent and the chunkwise representation compute the same function.',
    kind: 'identity',
    stated: { text: 'Retention has three equivalent representations.', conditions: 'any chunk size' },
    scope: 'S0',
    formula: true,
    criterion: criteria.representations,
    pictures: [{ arms: ['chunkwise', 'chunks that do not fade'], x: 'tokens in a chunk' }],
    independent: UPSTREAM,
    deviations: [
      'In f64, 4 heads of 96 random tokens with the decays of the paper; loops written from the equations, and the operator of this library.',
    ],
  },
  {
    name: 'score-normalisation',
    place: 'Section 2.2, retention score normalisation',
    words: 'Dividing keys and scores to keep numbers in range changes nothing after the norm of each head.',
    kind: 'identity',
    stated: {
      text: 'GroupNorm is scale-invariant, so the normalisations do not affect the output.',
      conditions: 'the norm follows directly',
    },
    scope: 'S0',
    formula: true,
    criterion: criteria.normalisation,
    pictures: [{ arms: ['eps = 0', 'eps = 1e-5', 'before the norm'] }],
    independent: UPSTREAM,
    deviations: [
      'Exact only with eps = 0 in the norm; a real layer has eps > 0, and then it is an approximation (the control shows by how much).',
      'The division of the keys by sqrt(K) is a constant here; outputs in f64.',
    ],
  },
  {
    name: 'operations',
    place: 'Section 2.1; table 1',
    words:
      'Operations grow with the square of the length in parallel and linearly by chunks or token by token.',
    kind: 'count',
    headline: true,
    stated: {
      text: 'The chunkwise representation encodes long sequences with linear complexity; a step of the recurrent one is O(1).',
      conditions: 'chunk size fixed',
    },
    scope: 'S0',
    formula: true,
    criterion: criteria.operations,
    pictures: [{ arms: ['parallel', 'chunkwise', 'recurrent'] }],
    deviations: [
      'Multiplications and additions counted in the loops of one head with K = V = 16, chunks of 64.',
    ],
  },
  {
    name: 'state-bytes',
    place: 'Abstract; table 1',
    words: 'What a layer carries from token to token does not grow with the context.',
    kind: 'count',
    headline: true,
    stated: { text: 'The recurrent representation enables O(1) inference.', conditions: 'any context' },
    scope: 'S0',
    formula: true,
    criterion: criteria.stateBytes,
    pictures: [{ arms: ['retention', 'key/value cache'] }],
    independent: UPSTREAM,
    deviations: ['One layer of width 64 with 2 heads, untrained; bytes of all live tensors.'],
  },
  {
    name: 'time-of-a-pass',
    place: 'Section 2.1; table 1',
    words: 'The time of a pass grows linearly by chunks, towards the square in the parallel representation.',
    kind: 'timing',
    stated: {
      text: 'Linear complexity of the chunkwise representation for long sequences.',
      conditions: 'stated as a complexity, not as a time',
    },
    scope: 'S2',
    criterion: criteria.passTime,
    independent: UPSTREAM,
    deviations: [
      CPU_DEVIATION,
      '4 heads with K = 32 and V = 64, batch 1; lengths to 2,048, by chunks to 8,192 at size full.',
    ],
  },
  {
    name: 'time-of-a-step',
    place: 'Section 3.4, figure 6',
    words: 'The time of a generated token does not grow with the tokens before it.',
    kind: 'timing',
    headline: true,
    stated: {
      text: 'Throughput of RetNet does not depend on the length, that of a transformer drops.',
      conditions: '6.7B parameters, one A100-80GB',
    },
    scope: 'S2',
    criterion: criteria.stepTime,
    independent: UPSTREAM,
    deviations: [
      CPU_DEVIATION,
      'The mixer of one layer alone, 4 heads with K = 32 and V = 64; contexts to 8,192 (lesson).',
    ],
  },
  {
    name: 'memory-saved',
    place: 'Section 1; figure 1',
    words: 'At 8k tokens a 6.7B model needs 70 % less memory than a transformer with a key/value cache.',
    kind: 'model',
    headline: true,
    stated: { text: 'Saves 70 % of memory.', conditions: '7B model, 8k tokens, A100-80GB' },
    scope: 'S1',
    criterion: criteria.memorySaved,
    pictures: [{ arms: ['memory saved'], x: 'tokens in the context' }],
    deviations: [ROOFLINE, BATCH],
  },
  {
    name: 'throughput',
    place: 'Section 1; figure 1',
    words: 'At 8k tokens a 6.7B model generates 8.4 times as many tokens a second.',
    kind: 'model',
    headline: true,
    stated: { text: 'Decodes 8.4 times faster.', conditions: '7B model, 8k tokens, A100-80GB' },
    scope: 'S1',
    criterion: criteria.throughput,
    pictures: [
      { arms: ['throughput ratio', 'throughput ratio, largest batch of each'], x: 'tokens in the context' },
    ],
    deviations: [
      ROOFLINE,
      BATCH,
      'The thresholds ask for 8.4 within a factor of two. A roofline knows no kernels: the programs that were measured may be far above it, each by its own factor.',
    ],
  },
  {
    name: 'training-cost',
    place: 'Section 1; section 3.3',
    words: 'Training needs 25 to 50 % less memory and is seven times as fast as a standard transformer.',
    kind: 'timing',
    headline: true,
    stated: {
      text: '25 to 50 % memory saving and 7 times acceleration over a standard transformer, and an advantage over FlashAttention.',
      conditions: '1.3B to 13B parameters, length 8,192, 8 A100-80GB',
    },
    scope: 'S4',
    notTestable:
      'Compares programs for whole models on eight A100; most of the factor over the standard transformer is that it writes its scores, which the claims of flashattention measure',
  },
  {
    name: 'latency',
    place: 'Section 3.4, figure 6',
    words: 'Latency stays the same over batch sizes and lengths.',
    kind: 'timing',
    stated: {
      text: 'Latency of RetNet keeps almost the same across batch sizes and input lengths.',
      conditions: '6.7B parameters, one A100-80GB',
    },
    scope: 'S4',
    notTestable:
      'Holds where reading 13 GB of weights hides everything else; no machine of this project can hold such a model',
  },
  {
    name: 'language-modelling',
    place: 'Section 3.2, figure 5',
    words: 'From 2B parameters on RetNet has a lower perplexity than a transformer.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'RetNet tends to outperform transformers when the model is larger than 2B.',
      conditions: '1.3B, 2.7B and 6.7B parameters, 100B tokens',
    },
    scope: 'S4',
    notTestable: TRAINING,
  },
  {
    name: 'tasks',
    place: 'Section 3.2, table 3',
    words: 'A 6.7B RetNet is better than a transformer on zero-shot and 4-shot tasks.',
    kind: 'behaviour',
    stated: {
      text: 'Better average accuracy zero-shot and few-shot.',
      conditions: '6.7B parameters, seven tasks',
    },
    scope: 'S4',
    notTestable: TRAINING,
  },
  {
    name: 'other-mixers',
    place: 'Section 3.5',
    words: 'RetNet has a lower perplexity than RWKV, H3, Hyena and Linear Transformer.',
    kind: 'behaviour',
    stated: {
      text: 'RetNet outperforms previous methods in and out of domain.',
      conditions: '200M parameters, 10K steps of 0.5M tokens',
    },
    scope: 'S4',
    notTestable:
      'The order of five architectures at 200M parameters on 5B tokens of a mixed corpus; a reduced size may reverse it and then refute nothing',
  },
  {
    name: 'ablations',
    place: 'Section 3.6',
    words: 'Gate, norm over heads, decay, different decays and large heads each lower the perplexity.',
    kind: 'behaviour',
    stated: { text: 'Every design choice improves perplexity.', conditions: '200M parameters' },
    scope: 'S4',
    notTestable:
      'Differences of a few tenths of perplexity at 200M parameters, far below what seeds vary at a size that fits here',
  },
]);
