/** BigMac's layer against the fine-grained one: costs by the definitions, time by the alpha-beta model. */
import { expertLayerCost, expertLayerTime, type LayerTime, type RankNetwork } from '../../cost/index.js';

/** A transformer layer whose feed-forward part is a mixture of experts. */
export interface LayerShape {
  /** h. */
  width: number;
  /** h', the width at which BigMac communicates; undefined: communication at h. */
  narrow?: number;
  /** f, inner width of an expert of the fine-grained layer. */
  inner: number;
  experts: number;
  choices: number;
  /** Experts that every token passes, on its own rank. */
  shared: number;
  /** Tokens that attention looks back on average. */
  context: number;
}

/** DeepSeekMoE 16B (2401.06066): h = 2048, 64 experts of 1408, 6 chosen, 2 shared. */
export const FINE_GRAINED: LayerShape = {
  width: 2048,
  inner: 1408,
  experts: 64,
  choices: 6,
  shared: 2,
  context: 2048,
};
/** The same with communication at an eighth of the width. */
export const BIGMAC: LayerShape = { ...FINE_GRAINED, narrow: FINE_GRAINED.width / 8 };

const BYTES = 2;
/** Of a gated expert. */
export const MATRICES = 3;

/** Inner width of an expert that works at h' and has the parameters of one of h x f: f h / h'. */
export const innerWidth = ({ width, narrow = width, inner }: LayerShape): number => (inner * width) / narrow;

/** Parameters of the experts and projections, and operations of one token in a forward pass. */
export function layerCounts(shape: LayerShape): { parameters: number; flops: number } {
  const { width, narrow, experts, choices, shared } = shape;
  const one = MATRICES * (narrow ?? width) * innerWidth(shape);
  const sharedOnes = shared * MATRICES * width * shape.inner;
  const projections = narrow === undefined ? 0 : 2 * width * narrow;
  return {
    parameters: experts * one + sharedOnes + projections + width * experts,
    flops: 2 * (choices * one + sharedOnes + projections + width * experts),
  };
}

/** What runs the layer: `tokens` start on each rank. */
export interface Cluster {
  tokens: number;
  training: boolean;
  network: RankNetwork;
  /** Share of the peak rate that matrix products reach. */
  utilisation?: number;
  overlap?: number;
}

/** A100 (bf16): 312e12 operations and 2.0e12 bytes a second. */
const MACHINE = { flops: 312e12, bandwidth: 2.0e12 };

/** Time of one layer on one rank. A training step is taken as three forward passes of compute. */
export function layerTime(shape: LayerShape, cluster: Cluster): LayerTime {
  const { width, narrow = width, context, shared, inner } = shape;
  const { tokens, training, network, utilisation = 0.5, overlap } = cluster;
  const passes = training ? 3 : 1;
  const attention = tokens * (8 * width * width + 4 * context * width);
  const flops = passes * (attention + tokens * layerCounts(shape).flops);
  // Experts of the rank serve the tokens of all ranks.
  const onRank = expertLayerCost({
    tokens: tokens * network.ranks,
    experts: shape.experts,
    choices: shape.choices,
    width: narrow,
    inner: innerWidth(shape),
    gated: true,
    bytes: BYTES,
  });
  const dense = BYTES * (4 * width * width + shared * MATRICES * width * inner);
  return expertLayerTime({
    work: { flops, bytes: passes * (onRank.weightsReadExpected / network.ranks + dense) },
    machine: { flops: utilisation * MACHINE.flops, bandwidth: MACHINE.bandwidth },
    exchange: {
      tokens,
      choices: shape.choices,
      width: narrow,
      bytes: BYTES,
      ranks: network.ranks,
      training,
    },
    network,
    overlap,
  });
}

/** 4 nodes of 8; inside a node 300e9 bytes a second and 3 us (NVLink), between nodes what is asked. */
export const clusterNetwork = (bandwidth: number, latency = 5e-6): RankNetwork => ({
  ranks: 32,
  perNode: 8,
  intra: { latency: Math.min(latency, 3e-6), bandwidth: 300e9 },
  inter: { latency, bandwidth },
});

/** Time of the fine-grained layer over that of BigMac's. */
export const gain = (cluster: Cluster, narrow = BIGMAC.narrow): number =>
  layerTime(FINE_GRAINED, cluster).seconds / layerTime({ ...FINE_GRAINED, narrow }, cluster).seconds;

/**
 * The fastest link between nodes, in bytes a second of one rank, on which the gain reaches `target`; 0 where it never
 * does. The gain falls as the link gets faster.
 */
export function fastestLink(target: number, cluster: Omit<Cluster, 'network'>): number {
  const gainAt = (bandwidth: number) => gain({ ...cluster, network: clusterNetwork(bandwidth) });
  let [low, high] = [1e3, 1e13];
  if (gainAt(low) < target) return 0;
  for (let i = 0; i < 100; i++) {
    const middle = Math.sqrt(low * high);
    if (gainAt(middle) >= target) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * Share of time spent on communication at which the gain is `target` when communication shrinks by `factor` and the rest
 * stays: gain = 1 / (1 - c (1 - 1/factor)), so c = (1 - 1/gain) / (1 - 1/factor).
 */
export const shareNeeded = (target: number, factor: number): number => (1 - 1 / target) / (1 - 1 / factor);
