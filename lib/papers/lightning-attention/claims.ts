/** The claims of lightning attention and TransNormerLLM, each with what decides it. */
import { claimsOf } from '../claim-entries.js';
import { CPU_DEVIATION } from '../mixer-criteria.js';
import * as criteria from './criteria.js';
import { CLAIM_REGISTER } from './register.js';

const UPSTREAM =
  'The simple-GLA recurrence of flash-linear-attention with its lightning slopes agrees in outputs and gradients: test/golden/linear-attention.json';
const GRADIENTS = CPU_DEVIATION.replace('forward pass only', 'forward and backward pass of one mixer');
const QUALITY =
  'Needs language models of 44M to 15B parameters trained on Wikitext-103 and on a corpus of the authors that is not public; parity at a tiny size would not speak for it';

export const claims = claimsOf('lightning-attention', '2405.17381v2', CLAIM_REGISTER, [
  {
    name: 'tiles',
    place: 'Section 3, algorithms 1 and 2',
    words: 'Blocks with a running product of keys and values give the left product, forward and backward.',
    kind: 'identity',
    stated: {
      text: 'Intra-block attention by the left product and inter-block attention by the right product add up to linear attention with decay.',
      conditions: 'any block size',
    },
    scope: 'S0',
    formula: true,
    criterion: criteria.tiles,
    pictures: [
      { arms: ['tiled: outputs', 'tiled: gradients', 'blocks that do not fade'], x: 'tokens in a block' },
    ],
    independent: UPSTREAM,
    deviations: [
      'In f64, 3 heads of 96 random tokens with the slopes of the authors’ code; loops written from the algorithms, and the operator of this library.',
    ],
  },
  {
    name: 'work-per-token',
    place: 'Section 3, theorem on the complexity',
    words: 'A token costs as many operations, and moves as many words, however long the sequence is.',
    kind: 'count',
    headline: true,
    stated: { text: 'Time complexity O(nd² + nBd).', conditions: 'block size B, width d' },
    scope: 'S0',
    formula: true,
    criterion: criteria.work,
    pictures: [
      { arms: ['lightning: operations', 'left product: operations'], title: 'operations a token' },
      { arms: ['lightning: words', 'tiled attention: words'], title: 'words moved a token' },
    ],
    deviations: [
      'Counted in the loops of the forward pass of one head, d = 16, B = 64; the state of d x d words stays in fast memory, as in the algorithm.',
    ],
  },
  {
    name: 'constant-speed',
    place: 'Abstract; figure 1',
    words:
      'With as many tokens in a batch a pass takes as long, however long the sequences are: a flat line.',
    kind: 'timing',
    headline: true,
    stated: {
      text: 'Constant training speed for various sequence lengths under fixed memory consumption.',
      conditions: 'models of 400M to 3B parameters, lengths 1K to 128K, A100',
    },
    scope: 'S2',
    criterion: criteria.speed,
    pictures: [{ arms: ['lightning', 'tiled attention'], x: 'tokens of a sequence' }],
    independent: UPSTREAM,
    deviations: [
      GRADIENTS,
      '2 heads of 64, batches of 2,048 tokens and lengths 256 to 2,048 (lesson), 8,192 and 1,024 to 8,192 (full); the mixer alone, not a model.',
    ],
  },
  {
    name: 'blocks-instead-of-cumsum',
    place: 'Abstract; section 3',
    words: 'Blocks are faster than a cumulative sum of states, which keeps linear attention from its speed.',
    kind: 'timing',
    stated: {
      text: 'Because of cumulative sums earlier implementations cannot reach their theoretical advantage; blocks make them unnecessary.',
      conditions: 'causal attention on a GPU',
    },
    scope: 'S2',
    criterion: criteria.blocks,
    pictures: [{ arms: ['cumulative sum', 'lightning', 'token by token'] }],
    independent: UPSTREAM,
    deviations: [
      CPU_DEVIATION,
      '2 heads of 32 without decay, 2,048 tokens; the cumulative sum is this library’s, over all T states in memory.',
      'A loop that goes token by token and keeps its state in the cache of a core (arm "token by token") is timed beside both: what it shows is that the cost is the memory of the sum, not the order of the tokens.',
      'The threshold of 1.5 is ours.',
    ],
  },
  {
    name: 'crossing',
    place: 'Figures on the speed of the attention modules; abstract',
    words:
      'From a length on that a roofline of the machine foretells, it is faster than tiled softmax attention.',
    kind: 'timing',
    stated: {
      text: 'Its runtime grows linearly with the length, that of FlashAttention with the square. A length at which they cross is not stated.',
      conditions: 'attention modules alone on an A100',
    },
    scope: 'S2',
    criterion: criteria.crossing,
    pictures: [
      { arms: ['lightning', 'tiled attention'], x: 'tokens of a sequence', y: 's for a batch' },
      { arms: ['measured crossing', 'predicted crossing'], title: 'crossings', y: 'tokens', x: 'repetition' },
    ],
    independent: UPSTREAM,
    deviations: [
      CPU_DEVIATION,
      'The prediction is ours: counted operations and bytes of both under the two roofs that a product and a copy of this library reach on the machine, measured before. It knows neither exponentials nor what a call costs.',
      'The threshold of a factor of three either way is ours.',
    ],
  },
  {
    name: 'throughput',
    place: 'Abstract; figure 1; section 5',
    words:
      'TransNormerLLM processes more tokens a second on a GPU than transformers with FlashAttention-2 and other linear models.',
    kind: 'timing',
    headline: true,
    stated: {
      text: 'Notably more efficient than other language models.',
      conditions: 'models of 400M to 3B parameters, A100-80GB',
    },
    scope: 'S4',
    notTestable: 'Compares CUDA and Triton programs for whole models of at least 400M parameters on an A100',
  },
  {
    name: 'wikitext-103',
    place: 'Section 5',
    words:
      'TransNormerLLM has a lower perplexity on Wikitext-103 than transformers and other efficient models.',
    kind: 'behaviour',
    headline: true,
    stated: { text: 'The lowest perplexity of the table.', conditions: 'about 44M parameters, Wikitext-103' },
    scope: 'S4',
    notTestable: QUALITY,
  },
  {
    name: 'parity',
    place: 'Abstract; section 5',
    words: 'Models of 1B to 15B parameters are on par with transformers of their size on benchmarks.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'Performs on par with state-of-the-art language models of conventional transformer structure.',
      conditions: '1B, 7B and 15B parameters, up to 2T tokens',
    },
    scope: 'S4',
    notTestable: QUALITY,
  },
  {
    name: 'ablations',
    place: 'Section 5, ablations',
    words: 'Decay, gates, the simple norm and mixed positions each lower the loss of TransNormerLLM.',
    kind: 'behaviour',
    stated: { text: 'Each part of the architecture improves the loss.', conditions: '385M parameters' },
    scope: 'S4',
    notTestable:
      'Differences of hundredths of the loss at 385M parameters, below what seeds vary at a size that fits here',
  },
]);
