/** The claims of the Mamba paper, each with what decides it. */
import { CLAIM_REGISTER } from './register.js';
import type { Analysis, Claim, Control, Criterion, Thresholds } from '../ledger/types.js';
import { TIMING_SEEDS } from './times.js';

const PAPER = 'mamba';
const ARXIV = '2312.00752v2';

type Entry = Omit<Claim, 'paper' | 'arxiv' | 'registered' | 'deviations' | 'headline'> &
  Partial<Pick<Claim, 'deviations' | 'headline'>>;

function claim(entry: Entry): Claim {
  const registered = CLAIM_REGISTER[entry.id] ?? [];
  return { paper: PAPER, arxiv: ARXIV, headline: false, deviations: [], registered, ...entry };
}

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

const stateBytes: Criterion = {
  metric: { name: 'memory one sequence keeps after a context', unit: 'bytes' },
  analysis: constant('mamba'),
  controls: [increasing('the key/value cache of the transformer grows', 'transformer')],
  seeds: exactly,
  sizes: ['smoke', 'lesson', 'full'],
};

const operations: Criterion = {
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

const passTime: Criterion = {
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

const stepTime: Criterion = {
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

const language: Criterion = {
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

const TORCH =
  'Hugging Face transformers 4.39.3 (MambaMixer) and a block of PyTorch operations agree in output and all gradients: test/golden/mamba-block.json and transformer-block.json';
const CPU_DEVIATION = 'f32 on the CPU backend (or the adapter named in the run) instead of bf16 on an A100.';
const BOTH_HALVES = 'Forward pass only; batch 1; weights random, not trained.';

export const claims: readonly Claim[] = [
  claim({
    id: 'mamba/state-bytes',
    place: 'Section 1 (fast training and inference); section 3.1',
    words:
      'What Mamba carries from token to token does not grow with the context, while the cache of attention does.',
    kind: 'count',
    stated: {
      text: 'Generation takes constant time per step because no cache of previous elements is needed.',
      conditions: 'any model of the architecture',
    },
    scope: 'S0',
    formula: true,
    criterion: stateBytes,
    independent: TORCH,
    deviations: ['A small untrained model; the bytes counted do not depend on weights.'],
  }),
  claim({
    id: 'mamba/operations-per-token',
    place: 'Section 1 (fast training and inference); section 3.3',
    words:
      'One more token costs Mamba the same number of operations wherever it stands; it costs attention more and more.',
    kind: 'count',
    headline: true,
    stated: {
      text: 'Computation scales linearly in sequence length.',
      conditions: 'scan and model, training and generation',
    },
    scope: 'S0',
    formula: true,
    criterion: operations,
    independent: TORCH,
    deviations: [
      'Operations of the forward pass by the formulas of the operator records at the sizes that occur; an exponential counts as one.',
    ],
  }),
  claim({
    id: 'mamba/time-of-a-pass',
    place: 'Section 4.5, figure 8 (left)',
    words:
      'The time of the scan, and of a whole Mamba block, grows linearly with the sequence; tiled attention grows towards the square.',
    kind: 'timing',
    headline: true,
    stated: {
      text: 'The scan is linear in the length and passes the fastest attention known to the authors (FlashAttention-2) beyond 2K tokens.',
      conditions: 'scan with N = 16, lengths 512 to 512K, A100',
    },
    scope: 'S2',
    criterion: passTime,
    independent: TORCH,
    deviations: [
      CPU_DEVIATION,
      BOTH_HALVES,
      'Lengths to 4,096 (lesson) or 16,384 (full); sequential scan in time, not a parallel one.',
    ],
  }),
  claim({
    id: 'mamba/time-of-a-step',
    place: 'Section 1 (fast training and inference); section 4.5, figure 8 (right)',
    words:
      'The time of one generated token does not grow with the tokens before it; with a key/value cache it does.',
    kind: 'timing',
    stated: { text: 'Generation takes constant time per step.', conditions: 'recurrent mode, no cache' },
    scope: 'S2',
    criterion: stepTime,
    independent: TORCH,
    deviations: [CPU_DEVIATION, BOTH_HALVES, 'One block, not a whole model.'],
  }),
  claim({
    id: 'mamba/language-modelling',
    place: 'Section 4.2.1, figure 4',
    words: 'A Mamba model reaches the loss of a strong transformer of equal size after the same data.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'Mamba is the first attention-free model to match a very strong transformer recipe ("Transformer++").',
      conditions: '125M to 1.3B parameters on the Pile, Chinchilla token counts, contexts 2,048 and 8,192',
    },
    scope: 'S2',
    criterion: language,
    independent: TORCH,
    deviations: [
      'About 164 thousand parameters (lesson) on bytes of one text; windows of 128 bytes; 614 thousand bytes seen.',
      'AdamW with a cosine schedule to a tenth of the peak; one rate per arm, chosen among five by the tuning seed on the first half of the validation part; reported on the second half.',
      'Each validation window starts without context.',
      'Neither model is trained out: a Kneser-Ney 5-gram model of the whole training part is better than both. With so few bytes the short convolution of Mamba alone may decide.',
    ],
  }),
  claim({
    id: 'mamba/selective-copying',
    place: 'Section 4.1.1, table 1',
    words: 'Selection, not the architecture around it, solves the selective copying task.',
    kind: 'behaviour',
    stated: {
      text: 'Accuracy 99.8 % with S6 in a Mamba block, 18.3 % with S4 alone.',
      conditions: 'two layers, length 4,096, vocabulary 16',
    },
    scope: 'S2',
    notTestable: 'It can be tested at reduced size, but no experiment for it is registered yet',
  }),
  claim({
    id: 'mamba/induction-heads',
    place: 'Section 4.1.2, table 2',
    words:
      'Trained on length 256, Mamba solves induction heads up to a million tokens; nothing else goes beyond twice its training length.',
    kind: 'behaviour',
    stated: {
      text: 'Perfect extrapolation to 4,000 times the training length.',
      conditions: 'two layers, vocabulary 16',
    },
    scope: 'S2',
    notTestable: 'It can be tested at reduced size, but no experiment for it is registered yet',
  }),
  claim({
    id: 'mamba/generation-throughput',
    place: 'Abstract; section 4.5, figure 8 (right)',
    words: 'Mamba generates four to five times as many tokens a second as a transformer of its size.',
    kind: 'timing',
    headline: true,
    stated: {
      text: '4 to 5 times higher inference throughput.',
      conditions: '1.4B and 6.9B parameters, one A100 80 GB, prompt 2,048, largest batch that fits',
    },
    scope: 'S4',
    notTestable:
      'The gain comes from batches that fill the 80 GB of an A100 with models of 1.4B parameters and more',
  }),
  claim({
    id: 'mamba/twice-its-size',
    place: 'Abstract; section 4.2.2, table 3',
    words: 'Mamba-3B beats transformers of its size and matches those of twice its size downstream.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'Mamba-3B matches transformers twice its size.',
      conditions: '300B tokens of the Pile, zero-shot common-sense tasks',
    },
    scope: 'S4',
    notTestable: 'Training 3B parameters on 300B tokens is out of reach of any machine this project runs on',
  }),
  claim({
    id: 'mamba/million-length',
    place: 'Abstract; sections 4.3 and 4.4, figures 5 to 7',
    words: 'Quality on DNA and audio keeps improving with contexts up to a million tokens.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'Performance improves with context up to million-length sequences.',
      conditions: 'HG38 and YouTubeMix pretraining',
    },
    scope: 'S4',
    notTestable: 'It needs pretraining on the human genome and on raw audio with contexts of a million steps',
  }),
  claim({
    id: 'mamba/fused-scan',
    place: 'Section 4.5, figure 8 (left)',
    words: 'The fused scan is 20 to 40 times as fast as a standard scan in PyTorch.',
    kind: 'timing',
    stated: {
      text: 'Up to 20 to 40 times faster than a standard scan implementation in PyTorch.',
      conditions: 'CUDA kernel on an A100',
    },
    scope: 'S4',
    notTestable: 'It compares a CUDA kernel with PyTorch on an A100; neither is part of this project',
  }),
];
