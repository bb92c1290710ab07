/** Expert parallelism: bytes of the all-to-alls around a mixture of experts, and their time by the alpha-beta model. */
import { ArgumentError, show } from '../core/errors.js';

/** Which tokens go where: P ranks hold E / P experts each, T tokens start on every rank, each chooses k experts. */
export interface ExpertExchange {
  /** T, tokens on one rank. */
  tokens: number;
  /** k, distinct experts a token chooses. */
  choices: number;
  /** Values of one token that are sent: the model's width, or a narrower one after a projection. */
  width: number;
  /** Bytes of one value on the way to the experts. */
  bytes: number;
  /** Bytes of one value on the way back; default `bytes`. */
  bytesBack?: number;
  /** P. */
  ranks: number;
  /** E, a multiple of P; needed where copies go by rank. */
  experts?: number;
  /** One copy for every choice, or one for every distinct rank that holds a chosen expert. Default choice. */
  copies?: 'choice' | 'rank';
  /** Copies by rank: a token's experts lie on at most so many ranks (device-limited routing). Default: no limit. */
  rankLimit?: number;
  /** Share of the copies that stay on their rank; default 1 / P, that of choices made without regard to ranks. */
  local?: number;
  /** Also the two all-to-alls of the backward pass; default false. */
  training?: boolean;
}

/** Bytes of one layer's exchanges. */
export interface ExchangeBytes {
  /** Copies of a token made for its experts, on its own rank or elsewhere. */
  copies: number;
  /** Bytes that leave one rank in the dispatch, in the combine, and in the gradients of the two. */
  dispatch: number;
  combine: number;
  backward: number;
  /** Sum of the four. */
  perRank: number;
  /** The sum over the tokens of the rank. */
  perToken: number;
}

function positive(caller: string, values: Record<string, number>): void {
  for (const [name, value] of Object.entries(values))
    if (!(value > 0 && value < Infinity))
      throw new ArgumentError(`${caller}: ${name} must be positive and finite, got ${show(value)}`);
}

/**
 * Expected number of distinct ranks that hold the k distinct experts of a token. Without a limit, the experts are any k of
 * E with equal chance; with device-limited routing, any k of the E M / P experts on M ranks:
 *
 *   ranks = M (1 - prod_{i<k} (M E/P - E/P - i) / (M E/P - i)), M = min(limit, P).
 *
 * Source: hypergeometric; the limit as in DeepSeek-V2 (2405.04434, section 2.2.2).
 */
export function expectedRanks(experts: number, choices: number, ranks: number, limit = ranks): number {
  positive('expectedRanks', { experts, choices, ranks, limit });
  const [own, allowed] = [experts / ranks, Math.min(limit, ranks)];
  if (!Number.isInteger(own))
    throw new ArgumentError(
      `expectedRanks: experts must be a multiple of ranks, got ${experts} and ${ranks}`,
    );
  const pool = own * allowed;
  if (!(choices <= pool))
    throw new ArgumentError(
      `expectedRanks: choices must not exceed the ${pool} experts allowed, got ${choices}`,
    );
  let none = 1;
  for (let i = 0; i < choices; i++) none *= Math.max(pool - own - i, 0) / (pool - i);
  return allowed * (1 - none);
}

/**
 * Bytes that leave one rank around one layer of experts: dispatch and combine, and in training the gradient of the combine
 * (as large as the dispatch, in its width) and of the dispatch (as large as the combine):
 *
 *   dispatch = T c (1 - local) width bytes, with c = k copies by choice or the expected distinct ranks by rank.
 *
 * `local: 0` counts what is sent including to oneself: 2 k h b per token and forward pass.
 */
export function exchangeBytes(exchange: ExpertExchange): ExchangeBytes {
  const { tokens, choices, width, bytes, ranks, training = false } = exchange;
  const { bytesBack = bytes, copies = 'choice', experts, rankLimit, local = 1 / ranks } = exchange;
  positive('exchangeBytes', { tokens, choices, width, bytes, bytesBack, ranks });
  if (!(local >= 0 && local <= 1))
    throw new ArgumentError(`exchangeBytes: local must lie in 0..1, got ${show(local)}`);
  if (copies === 'rank' && experts === undefined)
    throw new ArgumentError('exchangeBytes: experts must be given where copies go by rank, got undefined');
  const made = copies === 'rank' ? expectedRanks(experts ?? NaN, choices, ranks, rankLimit) : choices;
  const values = tokens * made * (1 - local) * width;
  const [dispatch, combine] = [values * bytes, values * bytesBack];
  // Gradients travel the ways back: of the combine's rows to the experts, of the dispatched rows to the tokens.
  const backward = training ? dispatch + combine : 0;
  const perRank = dispatch + combine + backward;
  return { copies: made, dispatch, combine, backward, perRank, perToken: perRank / tokens };
}

/** A message of n bytes takes alpha + n / beta. Source: Hockney 1994, Parallel Computing 20(3). */
export interface AlphaBetaLink {
  /** alpha, in seconds. */
  latency: number;
  /** beta, in bytes per second, of one rank in one direction. */
  bandwidth: number;
}

/** P ranks in nodes of equal size; messages of a rank go out one after another. */
export interface RankNetwork {
  ranks: number;
  /** Ranks in a node; default all. */
  perNode?: number;
  /** Between ranks of a node. */
  intra: AlphaBetaLink;
  /** Between nodes; needed where there are several. */
  inter?: AlphaBetaLink;
}

/** pairwise: P - 1 rounds; ring: blocks handed on from neighbour to neighbour; hierarchical: nodes first inside, then between. */
export type AllToAllAlgorithm = 'pairwise' | 'ring' | 'hierarchical';

/** Messages of one rank within a stage: how many, of how many bytes, over which link. */
interface Stage {
  messages: number;
  bytes: number;
  link: AlphaBetaLink;
}

function stagesOf(block: number, network: RankNetwork, algorithm: AllToAllAlgorithm): Stage[] {
  const { ranks, perNode = ranks, intra, inter = intra } = network;
  const nodes = ranks / perNode;
  if (algorithm === 'pairwise')
    return [
      { messages: perNode - 1, bytes: block, link: intra },
      { messages: ranks - perNode, bytes: block, link: inter },
    ];
  if (algorithm === 'hierarchical')
    return [
      { messages: perNode - 1, bytes: nodes * block, link: intra },
      { messages: nodes - 1, bytes: perNode * block, link: inter },
    ];
  // In step i every rank hands on the P - i blocks that have not arrived; the slowest link of the ring sets the pace.
  const slow = nodes > 1 ? inter : intra;
  return Array.from({ length: ranks - 1 }, (_, i) => ({
    messages: 1,
    bytes: (ranks - 1 - i) * block,
    link: slow,
  }));
}

/**
 * Seconds of one all-to-all in which every rank sends `bytes` bytes in all to the P - 1 others, equal parts to each
 * (block m = bytes / (P - 1)); p ranks in a node, N nodes:
 *
 *   pairwise      (p - 1)(a + m/b) + (P - p)(A + m/B)
 *   hierarchical  (p - 1)(a + N m/b) + (N - 1)(A + p m/B)
 *   ring          (P - 1) A + m P (P - 1) / (2 B)
 *
 * with a, b inside a node and A, B between nodes. One message at a time, stages one after another, no contention.
 * Sources: Thakur, Rabenseifner and Gropp 2005 (pairwise exchange); the two-level exchange of Tutel (2206.03382).
 */
export function allToAllTime(
  bytes: number,
  network: RankNetwork,
  algorithm: AllToAllAlgorithm = 'pairwise',
): number {
  const { ranks, perNode = ranks, intra, inter } = network;
  if (!(bytes >= 0 && bytes < Infinity))
    throw new ArgumentError(`allToAllTime: bytes must be finite and not negative, got ${show(bytes)}`);
  if (!Number.isInteger(ranks) || ranks < 1 || !Number.isInteger(perNode) || ranks % perNode !== 0)
    throw new ArgumentError(
      `allToAllTime: ranks must be a positive multiple of perNode, got ${ranks} and ${perNode}`,
    );
  if (perNode < ranks && inter === undefined)
    throw new ArgumentError('allToAllTime: inter must be given for several nodes, got undefined');
  for (const { latency, bandwidth } of inter ? [intra, inter] : [intra])
    if (!(latency >= 0 && latency < Infinity && bandwidth > 0))
      throw new ArgumentError(
        `allToAllTime: latency must be finite, bandwidth positive, got ${latency} and ${bandwidth}`,
      );
  if (ranks === 1) return 0;
  return stagesOf(bytes / (ranks - 1), network, algorithm).reduce(
    (sum, { messages, bytes: size, link }) => sum + messages * (link.latency + size / link.bandwidth),
    0,
  );
}
