/** The claim that Mamba's throughput in generation leaves a cached transformer behind, and what decides it. */
import type { Analysis, Claim, Control, Criterion, Thresholds } from '../ledger/types.js';
import { TIMING_SEEDS } from '../timed-part.js';

/** Tokens before the one that is timed, and sequences side by side, where the claim is judged. */
export const JUDGED = {
  contexts: [32, 512, 1024, 2048, 4096, 8192],
  batches: [1, 4, 16],
} as const;

const { contexts, batches } = JUDGED;
const [shortest, longest] = [contexts[0], contexts[contexts.length - 1]];
const confidence = 0.95;

/** Exponent of an arm over the top 8x of the contexts, or over all batches. */
const slope = (
  arm: string,
  support: Thresholds['support'],
  refute: Thresholds['refute'],
  span?: number,
): Analysis => ({ kind: 'slope', arm, ...(span ? { span } : {}), confidence, support, refute });

/** Mean of an arm after `at` tokens. */
const value = (
  arm: string,
  at: number,
  support: Thresholds['support'],
  refute: Thresholds['refute'],
): Analysis => ({ kind: 'value', arm, at, confidence, support, refute });

const risesWithContext = batches.map((batch) =>
  slope(`ratio-batch${batch}`, { above: 0.25 }, [{ below: 0.25 }], 8),
);
const risesWithBatch = contexts
  .filter((context) => context >= 2048)
  .map((context) => slope(`ratio-context${context}`, { above: 0.15 }, [{ below: 0.15 }]));
/** Mamba's tokens a second over the transformer's after `at` tokens, paired by round. */
const ratio = (
  batch: number,
  at: number,
  support: Thresholds['support'],
  refute: Thresholds['refute'],
): Analysis => ({
  kind: 'difference',
  scale: 'ratio',
  arm: `mamba-batch${batch}`,
  against: `transformer-batch${batch}`,
  at,
  confidence,
  support,
  refute,
});
const crossesOne = batches.flatMap((batch) => [
  ratio(batch, shortest, { below: 1 }, [{ above: 1 }]),
  ratio(batch, longest, { above: 1 }, [{ below: 1 }]),
]);

const staysOne = batches.flatMap((batch): Control[] => [
  {
    name: `Mamba against itself does not rise with the context (batch ${batch})`,
    role: 'negative',
    analysis: slope(
      `self-batch${batch}`,
      { above: -0.15, below: 0.15 },
      [{ above: 0.15 }, { below: -0.15 }],
      8,
    ),
  },
  {
    name: `Mamba against itself is as fast after ${longest} tokens as after ${shortest} (batch ${batch})`,
    role: 'negative',
    analysis: value(`self-batch${batch}`, longest, { above: 0.75, below: 1.33 }, [
      { above: 1.33 },
      { below: 0.75 },
    ]),
  },
]);

export const generationCriterion: Criterion = {
  metric: {
    name: "tokens a second of Mamba over a transformer's with a key/value cache, one generated token after T tokens",
    unit: 'ratio (of processor times on one thread)',
  },
  analysis: { kind: 'all', of: [...risesWithContext, ...risesWithBatch, ...crossesOne] },
  controls: [
    {
      name: 'one query over keys and values takes longer the more there are',
      role: 'positive',
      analysis: slope('attention', { above: 0.5 }, [{ below: 0.5 }], 8),
    },
    {
      name: 'both models have the same number of parameters within 2 %',
      role: 'positive',
      analysis: {
        kind: 'predicate',
        arm: 'mamba-parameters',
        predicate: { is: 'equals-arm', arm: 'transformer-parameters', relative: 0.02 },
      },
    },
    ...staysOne,
  ],
  seeds: { tuning: [], reporting: TIMING_SEEDS },
  sizes: ['lesson', 'full'],
};

/** Everything of the claim but the paper's own fields, which `claim()` adds. */
export const generationClaim: Omit<Claim, 'paper' | 'arxiv' | 'registered' | 'headline'> = {
  id: 'mamba/generation-ratio',
  place: 'Section 4.5, figure 8 (right)',
  words:
    'Beside a transformer of equal size with a key/value cache, Mamba gains in tokens a second with the context and with the batch: behind after a few tokens, ahead after thousands.',
  kind: 'timing',
  stated: {
    text: 'Without a key/value cache Mamba generates with much higher throughput than a transformer of similar size, the more so the larger the batch.',
    conditions: '1.4B and 6.9B parameters, one A100 80 GB, prompt 2,048, batches 1 to 128',
  },
  scope: 'S2',
  criterion: generationCriterion,
  deviations: [
    'About 532 thousand parameters (lesson) or 1.9 million (full), weights random, f32 on one CPU thread in processor time instead of f16 on an A100.',
    'Single steps after a context of random keys, values and states; reading the prompt and choosing the token are not timed.',
    'Contexts of 32 to 8,192 tokens at every batch, where the figure has one prompt length; batches to 16.',
    'At 32 tokens the ratio hardly depends on the batch: it rises with the batch only where the cache is long enough to matter, and is judged from 2,048 tokens on.',
    'As many key/value heads as query heads: grouped heads would make the cache smaller and move the crossing to longer contexts.',
    'Not measured on a GPU, where this cache is copied for every token.',
  ],
};
