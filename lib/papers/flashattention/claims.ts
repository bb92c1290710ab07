/** The claims of FlashAttention, each with what decides it. */
import { ANY_SIZE, between, claimsOf, found, negative, NO_SEEDS, positive } from '../claim-entries.js';
import { exponent } from '../exponents.js';
import type { Analysis, Criterion } from '../ledger/types.js';
import { TIMING_SEEDS } from '../timed-part.js';
import { CLAIM_REGISTER } from './register.js';

const all = (of: readonly Analysis[]): Analysis => ({ kind: 'all', of });
const TORCH =
  'PyTorch scaled_dot_product_attention and fla naive_parallel_attn agree in outputs and gradients: test/golden/attention.json';

const exactness: Criterion = {
  metric: { name: 'largest difference of an output from softmax(QK^T)V', unit: '' },
  analysis: between('tiled', 0, 1e-12),
  controls: [
    negative(
      'tiles whose earlier parts are not rescaled give another function',
      found('without rescaling: largest', { above: 1e-3 }, [{ below: 1e-3 }], 0.95, false),
    ),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const accesses: Criterion = {
  metric: { name: 'words read from and written to main memory by a head', unit: 'words' },
  analysis: all([
    exponent('flash: words over N', 1.9, 2.1),
    exponent('flash: words over M', -1.1, -0.9),
    exponent('flash: words over d', 1.9, 2.1),
  ]),
  controls: [
    negative(
      'the naive algorithm gains nothing from a larger fast memory',
      exponent('naive: words over M', -0.01, 0.01),
    ),
    positive('the naive algorithm is quadratic in N as well', exponent('naive: words over N', 1.9, 2.1)),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const fewer: Criterion = {
  metric: { name: 'words of the naive algorithm over those of FlashAttention', unit: '' },
  analysis: found('naive over flash', { above: 3 }, [{ below: 2 }]),
  controls: [
    negative(
      'a fast memory of four rows of keys gains nothing',
      found('naive over flash, tiny memory', { below: 1 }, [{ above: 1 }]),
    ),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const memory: Criterion = {
  metric: { name: 'largest rise of memory in a forward and a backward pass', unit: 'bytes' },
  analysis: exponent('tiled', 0.9, 1.1),
  controls: [
    negative('with the scores in memory it grows with the square', exponent('scores in memory', 1.7, 2.2)),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const faster: Criterion = {
  metric: { name: 'time of a forward pass', unit: 's (processor time; wall time on a GPU)' },
  analysis: {
    kind: 'difference',
    ...{ arm: 'scores in memory', against: 'tiled', scale: 'ratio', pairing: 'paired', at: 2048 },
    ...{ confidence: 0.95, support: { above: 1.1 }, refute: [{ below: 1.0 }] },
  },
  controls: [
    positive('the clock sees a linear map of every token as linear', {
      ...{ kind: 'slope', arm: 'linear map', span: 8, confidence: 0.95 },
      ...{ support: { above: 0.8, below: 1.2 }, refute: [{ above: 1.2 }, { below: 0.8 }] },
    }),
  ],
  seeds: { tuning: [], reporting: TIMING_SEEDS },
  sizes: ['lesson', 'full'],
};

const NOT_AT_HAND =
  'Needs the authors’ training runs on A100 GPUs; what is compared there is CUDA code and wall time of whole models';

export const claims = claimsOf('flashattention', '2205.14135v2', CLAIM_REGISTER, [
  {
    name: 'exact',
    place: 'Theorem 1',
    words: 'Going over tiles with a running maximum and sum computes exactly softmax(QK^T)V.',
    kind: 'identity',
    stated: { text: 'Algorithm 1 returns O = softmax(QK^T)V.', conditions: 'any tile size' },
    scope: 'S0',
    formula: true,
    criterion: exactness,
    pictures: [{ arms: ['tiled', 'without rescaling'], x: 'keys in a tile' }],
    independent: TORCH,
    deviations: ['In f64, on 96 random queries and keys; in exact arithmetic the difference would be 0.'],
  },
  {
    name: 'memory-accesses',
    place: 'Theorem 2',
    words: 'Main memory is touched N^2 d^2 / M times instead of N d + N^2 times.',
    kind: 'count',
    headline: true,
    stated: {
      text: 'Standard attention requires Θ(Nd + N²) HBM accesses, FlashAttention Θ(N²d²/M).',
      conditions: 'd <= M <= N d',
    },
    scope: 'S0',
    formula: true,
    criterion: accesses,
    pictures: [
      { arms: ['flash: words over N', 'naive: words over N'], title: 'words over the length', x: 'N' },
      {
        arms: ['flash: words over M', 'naive: words over M'],
        title: 'words over the fast memory',
        x: 'M, words',
      },
      { arms: ['flash: words over d', 'naive: words over d'], title: 'words over the width', x: 'd' },
    ],
    deviations: [
      'Counted by walking the loops of algorithms 0 and 1 with their tile sizes, in words, forward pass of one head.',
    ],
  },
  {
    name: 'fewer-accesses',
    place: 'Section 1 and figure 2',
    words: 'At usual sizes that is several times less traffic.',
    kind: 'count',
    stated: {
      text: 'For typical values of d and M many times fewer HBM accesses (up to 9 times in figure 2).',
      conditions: 'd of 64 to 128, M around 100 KB',
    },
    scope: 'S0',
    formula: true,
    criterion: fewer,
    pictures: [{ arms: ['naive over flash', 'naive over flash, tiny memory'] }],
    deviations: [
      'N = 1,024, d = 64, M = 51,200 words of 16 bits, forward pass; the figure’s own sizes include dropout and a backward pass.',
    ],
  },
  {
    name: 'linear-memory',
    place: 'Theorem 1; section 4.3',
    words: 'What attention holds besides its inputs grows linearly with the length, not with its square.',
    kind: 'count',
    headline: true,
    stated: {
      text: 'O(N) additional memory beyond inputs and output; memory footprint linear in sequence length.',
      conditions: 'forward and backward',
    },
    scope: 'S0',
    formula: true,
    criterion: memory,
    independent: TORCH,
    deviations: [
      'Measured as the peak of the library’s own pool, in its size classes; tiles themselves live in a fixed area that does not depend on N.',
    ],
  },
  {
    name: 'faster',
    place: 'Section 4.3, figure 3 (left)',
    words: 'Attention that never writes its scores takes less time than attention that does.',
    kind: 'timing',
    headline: true,
    stated: {
      text: 'Up to 3 times faster than standard attention across sequence lengths from 128 to 2K.',
      conditions: 'forward and backward on an A100, f16',
    },
    scope: 'S2',
    criterion: faster,
    independent: TORCH,
    deviations: [
      'f32 on one thread of a CPU (or the adapter named in the run), forward pass only, 4 heads of 64, 2,048 tokens, no mask; both forms are this library’s.',
      'The threshold asks for a tenth, not for three times: a CPU’s caches are no A100.',
    ],
  },
  {
    name: 'bert',
    place: 'Abstract; section 4.1, table 1',
    words: 'BERT-large trains 15 % faster end to end.',
    kind: 'timing',
    headline: true,
    stated: {
      text: '15 % end-to-end wall-clock speed-up over the MLPerf 1.1 record.',
      conditions: 'BERT-large, length 512, 8 A100',
    },
    scope: 'S4',
    notTestable: NOT_AT_HAND,
  },
  {
    name: 'gpt-2',
    place: 'Abstract; section 4.1, table 2',
    words: 'GPT-2 trains three times faster.',
    kind: 'timing',
    headline: true,
    stated: { text: '3 times speed-up on GPT-2.', conditions: 'length 1K, against HuggingFace, 8 A100' },
    scope: 'S4',
    notTestable: NOT_AT_HAND,
  },
  {
    name: 'long-range-arena',
    place: 'Abstract; section 4.1, table 3',
    words: 'Models of the long-range arena train 2.4 times faster.',
    kind: 'timing',
    stated: { text: '2.4 times speed-up on long-range arena.', conditions: 'lengths 1K to 4K' },
    scope: 'S4',
    notTestable: NOT_AT_HAND,
  },
  {
    name: 'path-x',
    place: 'Abstract; section 4.2, table 6',
    words: 'Longer contexts give better models, the first transformers above chance on Path-X and Path-256.',
    kind: 'behaviour',
    headline: true,
    stated: { text: 'Path-X 61.4 %, Path-256 63.1 %.', conditions: 'lengths 16K and 64K' },
    scope: 'S4',
    notTestable: 'Needs training on sequences of 16K and 64K tokens for days of an A100',
  },
]);
