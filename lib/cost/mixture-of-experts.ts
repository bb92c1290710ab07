/** Operations and bytes of one layer of experts, and its time with the all-to-alls around it. */
import { ArgumentError, show } from '../core/errors.js';
import { pow } from '../core/math.js';
import {
  allToAllTime,
  exchangeBytes,
  type AllToAllAlgorithm,
  type ExpertExchange,
  type RankNetwork,
} from './all-to-all.js';
import { roofline, type Machine } from './roofline.js';

/** One layer of experts over T tokens. */
export interface ExpertLayer {
  /** T. */
  tokens: number;
  /** E. */
  experts: number;
  /** k. */
  choices: number;
  /** d, what an expert takes in and gives back. */
  width: number;
  /** f, inner width of one expert. */
  inner: number;
  /** Three matrices (gate, up, down) instead of two; default false. */
  gated?: boolean;
  /** Bytes of one value. */
  bytes: number;
}

/** What the layer takes in a forward pass. */
export interface ExpertLayerCost {
  /** 2 T d E operations. */
  router: number;
  /** 2 k T 2 d f operations, half as many again when gated. */
  experts: number;
  /** Bytes of gathering and scattering the k copies: 4 k T d bytes (read and written, twice). */
  permute: number;
  /** Bytes of the weights of all experts. */
  weights: number;
  /** Bytes of weights read at most: those of min(E, k T) experts. Small T is bound by them. */
  weightsRead: number;
  /** Bytes of weights read on average when every expert is equally likely: E (1 - (1 - k/E)^T) experts. */
  weightsReadExpected: number;
}

/** Costs of a layer of experts, by the definitions. */
export function expertLayerCost(layer: ExpertLayer): ExpertLayerCost {
  const { tokens, experts, choices, width, inner, gated = false, bytes } = layer;
  for (const [name, value] of Object.entries({ tokens, experts, choices, width, inner, bytes }))
    if (!(value > 0 && value < Infinity))
      throw new ArgumentError(`expertLayerCost: ${name} must be positive and finite, got ${show(value)}`);
  if (choices > experts)
    throw new ArgumentError(`expertLayerCost: choices must not exceed experts, got ${choices} of ${experts}`);
  const matrices = gated ? 3 : 2;
  const own = matrices * width * inner * bytes;
  return {
    router: 2 * tokens * width * experts,
    experts: 2 * choices * tokens * matrices * width * inner,
    permute: 4 * choices * tokens * width * bytes,
    weights: experts * own,
    weightsRead: Math.min(experts, choices * tokens) * own,
    weightsReadExpected: experts * (1 - pow(1 - choices / experts, tokens)) * own,
  };
}

/** What a layer's time is made of. */
export interface LayerTime {
  compute: number;
  /** All all-to-alls. */
  exchange: number;
  seconds: number;
  /** exchange / (compute + exchange). */
  exchangeShare: number;
}

/**
 * Time of a layer on one rank: compute by the roofline of its operations and bytes, exchanges by the alpha-beta model,
 *
 *   seconds = compute + exchange - overlap min(compute, exchange).
 *
 * `overlap` is the assumption that decides most: 0, nothing is hidden; 1, all of the shorter of the two is. Every all-to-all
 * carries an equal share of the bytes: 2 in a forward pass, 4 in training.
 */
export function expertLayerTime(layer: {
  /** Operations and bytes of one rank, all passes. */
  work: { flops: number; bytes: number };
  machine: Machine;
  exchange: ExpertExchange;
  network: RankNetwork;
  algorithm?: AllToAllAlgorithm;
  overlap?: number;
}): LayerTime {
  const { work, machine, exchange, network, algorithm, overlap = 0 } = layer;
  if (!(overlap >= 0 && overlap <= 1))
    throw new ArgumentError(`expertLayerTime: overlap must lie in 0..1, got ${show(overlap)}`);
  if (exchange.ranks !== network.ranks)
    throw new ArgumentError(
      `expertLayerTime: exchange.ranks must equal network.ranks, got ${exchange.ranks} and ${network.ranks}`,
    );
  const compute = roofline(work, machine).seconds;
  const sent = exchangeBytes(exchange);
  const passes = exchange.training === true ? 2 : 1;
  const seconds = [sent.dispatch, sent.combine].map((bytes) => allToAllTime(bytes, network, algorithm));
  const all = passes * (seconds[0] + seconds[1]);
  return {
    compute,
    exchange: all,
    seconds: compute + all - overlap * Math.min(compute, all),
    exchangeShare: all / (compute + all),
  };
}
