/** The claims of the Mamba paper, each with what decides it. */
import { CLAIM_REGISTER } from './register.js';
import type { Claim } from '../ledger/types.js';
import { language, operations, passTime, stateBytes, stepTime } from './criteria.js';
import { generationClaim } from './generation-claim.js';
import { sequenceClaims } from './sequence-claims.js';
import { GENERATION_PICTURES, SEQUENCE_PICTURES } from './pictures.js';

const PAPER = 'mamba';
const ARXIV = '2312.00752v2';

type Entry = Omit<Claim, 'paper' | 'arxiv' | 'registered' | 'deviations' | 'headline'> &
  Partial<Pick<Claim, 'deviations' | 'headline'>>;

function claim(entry: Entry): Claim {
  const registered = CLAIM_REGISTER[entry.id] ?? [];
  return { paper: PAPER, arxiv: ARXIV, headline: false, deviations: [], registered, ...entry };
}

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
  ...sequenceClaims.map((entry) =>
    claim({ ...entry, independent: TORCH, pictures: SEQUENCE_PICTURES[entry.id] }),
  ),
  claim({
    ...generationClaim,
    independent: TORCH,
    pictures: GENERATION_PICTURES,
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
    notTestable:
      'It needs pretraining on the human genome and on raw audio with contexts of a million steps; a genome of 48,502 bases cannot stand in for it (docs/pilots/mamba-dna.md)',
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
