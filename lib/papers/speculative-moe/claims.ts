/** The claims of Speculative MoE, each with what decides it. */
import { ANY_SIZE, claimsOf, equal, found, negative, NO_SEEDS, positive } from '../claim-entries.js';
import type { Analysis, ClaimPicture, Control, Criterion, Region } from '../ledger/types.js';
import { CLAIM_REGISTER } from './register.js';

const all = (of: readonly Analysis[]): Analysis => ({ kind: 'all', of });
const seeds = { tuning: [101, 102], reporting: [1, 2, 3, 4, 5] };
/** The affinity at which is decided: eight choices in ten are made within the id's group. */
const AFFINITY = 0.8;

const ratio = (arm: string, against: string, support: Region, refute: readonly Region[]): Analysis => ({
  kind: 'difference',
  arm,
  against,
  at: AFFINITY,
  scale: 'ratio',
  confidence: 0.95,
  support,
  refute,
});
const below = (arm: string, against: string, least: number, most: number): Analysis =>
  ratio(arm, against, { below: least }, [{ above: most }]);
const alike = (name: string, arm: string, against: string, at: number): Control =>
  negative(name, {
    kind: 'difference',
    arm,
    against,
    at,
    confidence: 0.95,
    support: { above: -0.02, below: 0.02 },
    refute: [{ below: -0.02 }, { above: 0.02 }],
  });
const asPlanted = positive(
  'the search finds a placement as good as the planted one within 5 %',
  ratio('grouped and shuffled', 'planted', { above: 0.95, below: 1.05 }, [{ below: 0.95 }, { above: 1.05 }]),
);

const remote: Criterion = {
  metric: { name: 'share of choices whose expert is on another rank', unit: '' },
  analysis: all([
    below('grouped and shuffled', 'random', 0.5, 0.8),
    below('grouped and shuffled', 'shuffled', 0.8, 1),
  ]),
  controls: [
    alike('without affinity nothing is gained', 'grouped and shuffled', 'random', 0),
    alike('grouping alone leaves as many choices remote', 'grouped', 'random', AFFINITY),
    asPlanted,
  ],
  seeds,
  sizes: ANY_SIZE,
};

const copies: Criterion = {
  metric: { name: 'other ranks that a token is sent to in a layer, each counted once', unit: 'ranks' },
  analysis: below('grouped', 'random', 0.85, 1),
  controls: [alike('without affinity nothing is gained', 'grouped', 'random', 0), asPlanted],
  seeds,
  sizes: ANY_SIZE,
};

const lossless: Criterion = {
  metric: { name: 'largest difference of an output', unit: '' },
  analysis: all(['tokens shuffled', 'experts grouped', 'both'].map((arm) => equal(arm, 0, 0))),
  controls: [
    negative(
      'experts that move without the router being told change the output',
      found('experts moved, router not told', { above: 0.01 }, [{ below: 0.01 }]),
    ),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const value = (arm: string, support: Region, refute: readonly Region[]): Analysis => ({
  kind: 'value',
  arm,
  at: AFFINITY,
  confidence: 0.95,
  support,
  refute,
});

const links: Criterion = {
  metric: { name: 'time of an expert layer with random placement over that with both', unit: '' },
  analysis: all([
    value('gain on fast links', { above: 1.05 }, [{ below: 1.02 }]),
    value('gain on slow links', { above: 1.5 }, [{ below: 1.05 }]),
  ]),
  controls: [
    negative('without affinity there is no gain on slow links', {
      kind: 'value',
      arm: 'gain on slow links',
      at: 0,
      confidence: 0.95,
      support: { above: 0.95, below: 1.05 },
      refute: [{ below: 0.95 }, { above: 1.05 }],
    }),
  ],
  seeds,
  sizes: ANY_SIZE,
};

const over = (arms: readonly string[], y: string): ClaimPicture => ({ arms, x: 'affinity', y });
const ARMS = ['random', 'grouped', 'shuffled', 'grouped and shuffled', 'planted'];

const PLANTED =
  'The affinity is planted: with chance 0.8 a choice falls into the group of the token’s id. It assumes what makes the method work; the run holds 0 to 1. How strong it is in trained models is not shown.';
const SHAPE =
  '8 ranks, 2 layers of 32 experts, 2 chosen, 2,048 ids with Zipf frequencies; tables from 16,384 tokens, traffic of 8,192 fresh ones.';
const SEARCH =
  'Ids and experts are placed in turn, from seeds that differ most, instead of the cross-entropy search of the paper; same objective.';

export const claims = claimsOf('speculative-moe', '2503.04398v3', CLAIM_REGISTER, [
  {
    name: 'remote-share',
    place: 'Abstract; speculative token shuffling and expert grouping',
    words:
      'Where ids predict experts, grouping experts and shuffling tokens together halve the remote choices, and shuffling alone does less.',
    kind: 'model',
    headline: true,
    stated: {
      text: 'Predicting the routing paths of tokens and placing tokens and experts beforehand trims the volume of communication.',
      conditions: 'trained models, real traffic',
    },
    scope: 'S1',
    criterion: remote,
    pictures: [over(ARMS, 'share of choices')],
    deviations: [PLANTED, SHAPE, SEARCH],
  },
  {
    name: 'copies',
    place: 'Abstract; speculative expert grouping',
    words: 'Grouping experts alone leaves the remote choices but gathers them on fewer ranks.',
    kind: 'model',
    stated: {
      text: 'Experts that are activated together are placed on one device.',
      conditions: 'one copy of a token for each rank, however many of its experts are there',
    },
    scope: 'S1',
    criterion: copies,
    pictures: [over(ARMS, 'other ranks of a token')],
    deviations: [PLANTED, SHAPE, SEARCH],
  },
  {
    name: 'lossless',
    place: 'Abstract',
    words: 'Outputs stay the same, bit for bit, when tokens are shuffled and experts are grouped.',
    kind: 'identity',
    stated: { text: 'Communication is trimmed losslessly.', conditions: 'any token, also mispredicted ones' },
    scope: 'S0',
    formula: true,
    criterion: lossless,
    deviations: [
      'One dropless layer of 8 experts in f32 with random weights; a capacity would drop other tokens after shuffling. Experts are found by a table; the columns of the router stay where they are.',
    ],
  },
  {
    name: 'links',
    place: 'Abstract',
    words: 'The layer becomes faster on fast links and on slow ones, more so on the slow.',
    kind: 'model',
    stated: {
      text: 'Inference frameworks are boosted significantly on fast homogeneous and slow heterogeneous interconnects.',
      conditions: 'DeepSpeed-MoE and SGLang; no figure in the abstract',
    },
    scope: 'S1',
    criterion: links,
    pictures: [over(['gain on fast links', 'gain on slow links'], 'times as fast')],
    deviations: [
      PLANTED,
      SHAPE,
      'Time by the alpha-beta model for one layer of the size of Mixtral’s on A100 at half its peak, prompts of 2,048 tokens a rank, nothing hidden behind compute; the cost of shuffling is left out.',
    ],
  },
  {
    name: 'throughput',
    place: 'Abstract',
    words: 'Speculative MoE serves more than DeepSpeed-MoE and SGLang.',
    kind: 'timing',
    headline: true,
    stated: {
      text: 'State-of-the-art inference frameworks are boosted significantly.',
      conditions: 'two clusters, trained mixtures of experts',
    },
    scope: 'S4',
    notTestable:
      'Needs several GPUs with their links, the serving frameworks, and trained models with their traffic',
  },
]);
