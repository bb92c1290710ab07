/** Remote choices of tokens whose experts follow from their ids, more or less, by where experts and tokens are put. */
import {
  activationTable,
  coClusterExperts,
  countTraffic,
  expertLayerCost,
  expertLayerTime,
  plantAffinity,
  randomPlacement,
  shuffleTokens,
  tokensInBlocks,
  type AffinityOptions,
  type RankNetwork,
  type Traffic,
} from '../../cost/index.js';
import { Random } from '../../core/random.js';

export const RANKS = 8;
/** Two layers of 32 experts, two chosen, over 2,048 ids; every group fits one rank. */
export const PLANTED: Omit<AffinityOptions, 'affinity'> = {
  vocabulary: 2048,
  experts: 32,
  layers: 2,
  choices: 2,
  groups: RANKS,
};
/** Tokens from which the tables are counted, and fresh ones on which traffic is. */
export const TOKENS = { seen: 16384, fresh: 8192 } as const;
export const AFFINITIES = [0, 0.2, 0.4, 0.6, 0.8, 1];

/** The ways of placing experts and tokens. */
export const PLACEMENTS = ['random', 'grouped', 'shuffled', 'grouped and shuffled', 'planted'] as const;
export type Placement = (typeof PLACEMENTS)[number];

/** Traffic of fresh tokens by placement; grouping and shuffling know the seen tokens alone. */
export function measureTraffic(affinity: number, seed: number | string): Record<Placement, Traffic> {
  const truth = plantAffinity({ ...PLANTED, affinity }, seed);
  const random = new Random('speculative').split(seed);
  const table = activationTable(truth.draw(TOKENS.seen, random.split('seen')));
  const fresh = truth.draw(TOKENS.fresh, random.split('fresh'));
  const anywhere = randomPlacement(table, RANKS, random.split('placement'));
  const grouped = coClusterExperts(table, RANKS);
  const planted = { ranks: RANKS, expertRank: truth.expertGroup };
  const blocks = tokensInBlocks(TOKENS.fresh, RANKS);
  const shuffled = (placement: typeof planted) =>
    countTraffic(fresh, shuffleTokens(fresh.ids, table, placement), placement);
  return {
    random: countTraffic(fresh, blocks, anywhere),
    grouped: countTraffic(fresh, blocks, grouped),
    shuffled: shuffled(anywhere),
    'grouped and shuffled': shuffled(grouped),
    planted: shuffled(planted),
  };
}

/** Two ways of joining 8 GPUs: all over NVLink (300e9 bytes/s each way), or two nodes over 25 Gbit/s a GPU. */
export const NETWORKS: { readonly [name in 'fast' | 'slow']: RankNetwork } = {
  fast: { ranks: RANKS, intra: { latency: 3e-6, bandwidth: 300e9 } },
  slow: {
    ranks: RANKS,
    perNode: 4,
    intra: { latency: 3e-6, bandwidth: 300e9 },
    inter: { latency: 10e-6, bandwidth: 25e9 / 8 },
  },
};
/** Mixtral 8x7B's width and inner width with the 32 experts planted; prompts of 2,048 tokens on each rank. */
const LAYER = { tokens: 2048, width: 4096, inner: 14336, bytes: 2 };

/** Seconds of one expert layer in inference when a share of its choices is remote; nothing hidden behind compute. */
export function layerSeconds(network: RankNetwork, remote: number): number {
  const { tokens, width, bytes } = LAYER;
  const { experts, choices } = PLANTED;
  const cost = expertLayerCost({ ...LAYER, tokens, experts, choices, gated: true });
  return expertLayerTime({
    work: { flops: cost.experts + cost.router, bytes: cost.permute + cost.weights / RANKS },
    // A100 (bf16) at half its peak.
    machine: { flops: 156e12, bandwidth: 2.0e12 },
    exchange: { tokens, choices, width, bytes, ranks: RANKS, local: 1 - remote },
    network,
  }).seconds;
}
