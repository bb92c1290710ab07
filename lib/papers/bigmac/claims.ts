/** The claims of BigMac, each with what decides it. */
import { ANY_SIZE, between, claimsOf, found, negative, NO_SEEDS, positive } from '../claim-entries.js';
import type { Analysis, ClaimPicture, Criterion, Predicate } from '../ledger/types.js';
import { CLAIM_REGISTER } from './register.js';

const holds = (arm: string, predicate: Predicate): Analysis => ({ kind: 'predicate', arm, predicate });
const all = (of: readonly Analysis[]): Analysis => ({ kind: 'all', of });
const same = (arm: string, other: string): Analysis => holds(arm, { is: 'equals-arm', arm: other });

const bytes: Criterion = {
  metric: { name: 'bytes of one token to its experts and back', unit: 'bytes' },
  analysis: all([same('fine-grained', '2 k h b'), same('bigmac', "2 k h' b")]),
  controls: [
    negative(
      'a fine-grained expert that is narrower inside is sent as much as before',
      holds('narrow inside only', { is: 'constant' }),
    ),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const parameters: Criterion = {
  metric: { name: 'BigMac over fine-grained, at equal experts', unit: '' },
  analysis: all([between('parameters', 0.95, 1.05), between('operations of a token', 0.9, 1.1)]),
  controls: [
    negative(
      'experts that keep their inner width lose most of their parameters',
      found('parameters with the old inner width', { below: 0.5 }, [{ above: 0.5 }]),
    ),
  ],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

/** 100 Gbit/s shared by the 8 GPUs of a node, which many clusters have or exceed. */
const COMMON_LINK = 100e9 / 8 / 8;
/** 25 Gbit/s shared by 8, slower than what such nodes are built with. */
const POOR_LINK = 25e9 / 8 / 8;
const reached = (arm: string): Analysis =>
  found(arm, { above: COMMON_LINK }, [{ below: POOR_LINK }], 0.95, false);

const limits = (pass: string) => [
  negative(
    `${pass}: without a cost of communication there is no gain`,
    found(`${pass}: gain on a free network`, { below: 1.02 }, [{ above: 1.02 }]),
  ),
  negative(
    `${pass}: where latency is all, there is no gain`,
    found(`${pass}: gain where latency is all`, { below: 1.02 }, [{ above: 1.02 }]),
  ),
  positive(
    `${pass}: where bytes are all, the gain is the ratio of the widths`,
    between(`${pass}: gain where bytes are all`, 7.9, 8.1),
  ),
];

const training: Criterion = {
  metric: { name: 'fastest link between nodes on which a layer gains 3.09', unit: 'bytes/s of one rank' },
  analysis: reached('training: fastest link'),
  controls: limits('training'),
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const inference: Criterion = {
  metric: { name: 'fastest link between nodes on which a layer gains 3.11', unit: 'bytes/s of one rank' },
  analysis: all([reached('prompt: fastest link'), reached('generation: fastest link')]),
  controls: [...limits('prompt'), ...limits('generation')],
  seeds: NO_SEEDS,
  sizes: ANY_SIZE,
};

const gains = (passes: readonly string[], stated: number): ClaimPicture => ({
  arms: passes.map((pass) => `${pass}: gain by Gbit/s`),
  title: 'gain of a layer',
  x: 'link between nodes, Gbit/s of one rank',
  y: 'times as fast',
  levels: [{ name: `stated: ${stated}`, value: stated }],
});

const SEEN = 'The values follow from formulas: they were seen before the criterion was registered.';
const MODEL = [
  'A model of one layer, no measurement: A100 at half its peak, 4 nodes of 8 ranks, messages one after another, nothing hidden behind compute (the run also holds the value with all of it hidden), communication at h/8.',
  'The layer is that of DeepSeekMoE 16B with 2,048 tokens of context; the widths and the cluster behind the stated figure are not known to us.',
  SEEN,
];
const TOKENS = '4,096 tokens a rank for training and prompts, 64 for generation.';

export const claims = claimsOf('bigmac', '2502.16927v2', CLAIM_REGISTER, [
  {
    name: 'bytes-per-token',
    place: 'Abstract (descend, communicate, communicate, ascend)',
    words: "Descending before the all-to-alls reduces their bytes from 2 k h b to 2 k h' b a token.",
    kind: 'count',
    stated: {
      text: 'Projections at the entrance and exit of the expert let communication take place at a very low dimension.',
      conditions: 'any fine-grained mixture of experts',
    },
    scope: 'S0',
    formula: true,
    criterion: bytes,
    pictures: [{ arms: ['fine-grained', 'bigmac', 'narrow inside only'], x: "h/h'" }],
    deviations: ['Bytes of the rows in f32 that a small program hands to its experts and takes back.'],
  },
  {
    name: 'equal-parameters',
    place: 'Abstract',
    words:
      'With as many experts, about the same parameters and operations fit when experts are wider inside by h/h’.',
    kind: 'identity',
    stated: {
      text: 'The same number of experts and a similar number of total parameters as fine-grained models.',
      conditions: 'experts redesigned for the low dimension',
    },
    scope: 'S0',
    formula: true,
    criterion: parameters,
    deviations: [
      'The inner width f h/h’ is our reading of the redesign: it keeps the parameters of an expert.',
      SEEN,
    ],
  },
  {
    name: 'training-latency',
    place: 'Abstract',
    words: 'A link that data centres use makes the layer three times as fast in training.',
    kind: 'model',
    headline: true,
    stated: {
      text: 'End-to-end latency of training is reduced by up to 3.09 times.',
      conditions: 'Megatron and Tutel; cluster and shapes as in the paper',
    },
    scope: 'S1',
    criterion: training,
    pictures: [gains(['training'], 3.09)],
    deviations: [...MODEL, TOKENS],
  },
  {
    name: 'inference-throughput',
    place: 'Abstract',
    words: 'A link that data centres use makes the layer three times as fast in inference.',
    kind: 'model',
    headline: true,
    stated: {
      text: 'Throughput of inference is increased by up to 3.11 times.',
      conditions: 'DeepSpeed-Inference; cluster and shapes as in the paper',
    },
    scope: 'S1',
    criterion: inference,
    pictures: [gains(['prompt', 'generation'], 3.11)],
    deviations: [...MODEL, TOKENS],
  },
  {
    name: 'quality',
    place: 'Abstract',
    words: 'Models with BigMac layers are as good as fine-grained ones or better.',
    kind: 'behaviour',
    headline: true,
    stated: {
      text: 'Comparable or even better model quality than fine-grained mixtures of experts.',
      conditions: 'same experts, similar total parameters, the authors’ pre-training',
    },
    scope: 'S4',
    notTestable:
      'Needs language models pre-trained with both layers; neither such weights nor the compute to train them are at hand, and tiny models would say nothing about quality at that size',
  },
]);
