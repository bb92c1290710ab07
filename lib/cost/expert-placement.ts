/** Where experts lie and where tokens start: balanced co-clustering of the two, and the traffic that remains. */
import { ArgumentError, show } from '../core/errors.js';
import { Random } from '../core/random.js';
import type { RoutingTrace } from './planted-affinity.js';

/** How often tokens of each id chose each expert. */
export interface ActivationTable {
  /** [V, L E], row by row. */
  counts: Float64Array;
  vocabulary: number;
  experts: number;
  layers: number;
}

/** Counts the choices of a trace. */
export function activationTable(trace: RoutingTrace): ActivationTable {
  const { ids, choices, vocabulary, experts, layers, perToken } = trace;
  const counts = new Float64Array(vocabulary * layers * experts);
  for (let i = 0; i < choices.length; i++) {
    const token = Math.floor(i / (layers * perToken));
    const layer = Math.floor(i / perToken) % layers;
    counts[(ids[token] * layers + layer) * experts + choices[i]] += 1;
  }
  return { counts, vocabulary, experts, layers };
}

/** Rank of each expert, the same number on every rank in every layer. */
export interface ExpertPlacement {
  ranks: number;
  /** [L,E]. */
  expertRank: Int32Array;
}

/** Experts to ranks at random, the same number to each. */
export function randomPlacement(
  shape: Pick<ActivationTable, 'experts' | 'layers'>,
  ranks: number,
  random: Random,
): ExpertPlacement {
  checkRanks('randomPlacement', shape.experts, ranks);
  const own = shape.experts / ranks;
  const expertRank = new Int32Array(shape.layers * shape.experts);
  for (let layer = 0; layer < shape.layers; layer++)
    random
      .permutation(shape.experts)
      .forEach((expert, place) => (expertRank[layer * shape.experts + expert] = Math.floor(place / own)));
  return { ranks, expertRank };
}

function checkRanks(caller: string, experts: number, ranks: number): void {
  if (!Number.isInteger(ranks) || ranks < 1 || experts % ranks !== 0)
    throw new ArgumentError(`${caller}: ranks must divide experts (${experts}), got ${show(ranks)}`);
}

/** [V,P]: choices of each id that a placement serves on each rank. */
export function rankScores(table: ActivationTable, placement: ExpertPlacement): Float64Array {
  const { counts, vocabulary } = table;
  const { ranks, expertRank } = placement;
  const units = expertRank.length;
  const scores = new Float64Array(vocabulary * ranks);
  for (let id = 0; id < vocabulary; id++)
    for (let u = 0; u < units; u++) scores[id * ranks + expertRank[u]] += counts[id * units + u];
  return scores;
}

/** The rank of the largest score among those allowed, the lowest of equal ones; -1 when none is. */
function bestRank(
  scores: ArrayLike<number>,
  at: number,
  ranks: number,
  allowed: (r: number) => boolean,
): number {
  let best = -1;
  for (let r = 0; r < ranks; r++)
    if (allowed(r) && (best < 0 || scores[at + r] > scores[at + best])) best = r;
  return best;
}

/** Ids to ranks, the most frequent first, each to its best rank that has room for it. */
function placeIds(
  scores: Float64Array,
  weight: Float64Array,
  order: readonly number[],
  ranks: number,
): Int32Array {
  const home = new Int32Array(weight.length).fill(-1);
  const total = weight.reduce((sum, w) => sum + w, 0);
  const load = new Float64Array(ranks);
  for (const id of order) {
    const room = (r: number) => load[r] === 0 || load[r] + weight[id] <= (1.1 * total) / ranks;
    let rank = bestRank(scores, id * ranks, ranks, room);
    if (rank < 0) rank = load.indexOf(Math.min(...load));
    home[id] = rank;
    load[rank] += weight[id];
  }
  return home;
}

/** Experts of one layer to ranks: the largest scores first, then swaps of two experts while one gains. */
function placeLayer(scores: Float64Array, experts: number, ranks: number): Int32Array {
  const own = experts / ranks;
  const rankOf = new Int32Array(experts).fill(-1);
  const taken = new Int32Array(ranks);
  const pairs = Array.from(scores, (_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
  for (const pair of pairs) {
    const [e, r] = [Math.floor(pair / ranks), pair % ranks];
    if (rankOf[e] >= 0 || taken[r] === own) continue;
    rankOf[e] = r;
    taken[r] += 1;
  }
  for (let swapped = true; swapped;) {
    swapped = false;
    for (let a = 0; a < experts; a++)
      for (let b = a + 1; b < experts; b++) {
        const [p, q] = [rankOf[a], rankOf[b]];
        const score = (e: number, r: number) => scores[e * ranks + r];
        if (score(a, q) + score(b, p) <= score(a, p) + score(b, q)) continue;
        [rankOf[a], rankOf[b]] = [q, p];
        swapped = true;
      }
  }
  return rankOf;
}

function placeExperts(table: ActivationTable, home: Int32Array, ranks: number): Int32Array {
  const { counts, vocabulary, experts, layers } = table;
  const units = layers * experts;
  const scores = new Float64Array(units * ranks);
  for (let id = 0; id < vocabulary; id++)
    if (home[id] >= 0) for (let u = 0; u < units; u++) scores[u * ranks + home[id]] += counts[id * units + u];
  const expertRank = new Int32Array(units);
  for (let layer = 0; layer < layers; layer++) {
    const part = scores.subarray(layer * experts * ranks, (layer + 1) * experts * ranks);
    expertRank.set(placeLayer(part, experts, ranks), layer * experts);
  }
  return expertRank;
}

/** Cosine of the rows of counts of two ids. */
function likeness({ counts, layers, experts }: ActivationTable, a: number, b: number): number {
  const units = layers * experts;
  let [dot, first, second] = [0, 0, 0];
  for (let u = 0; u < units; u++) {
    const [x, y] = [counts[a * units + u], counts[b * units + u]];
    dot += x * y;
    first += x * x;
    second += y * y;
  }
  return dot / Math.sqrt(first * second);
}

/** One seed id for each rank among the frequent ones: the next is the one least like those before it. */
function chooseSeeds(
  table: ActivationTable,
  frequent: readonly number[],
  ranks: number,
  first: number,
): number[] {
  const seeds = [frequent[first % frequent.length]];
  const most = frequent.map(() => -1);
  while (seeds.length < ranks) {
    const last = seeds[seeds.length - 1];
    let least = -1;
    frequent.forEach((id, i) => {
      most[i] = Math.max(most[i], likeness(table, id, last));
      if (!seeds.includes(id) && (least < 0 || most[i] < most[least])) least = i;
    });
    seeds.push(frequent[least]);
  }
  return seeds;
}

/** [V,P]: likeness of the ids in use to the seeds. */
function seedScores(table: ActivationTable, seeds: readonly number[], used: readonly number[]): Float64Array {
  const scores = new Float64Array(table.vocabulary * seeds.length);
  for (const id of used)
    seeds.forEach((seed, r) => (scores[id * seeds.length + r] = likeness(table, id, seed)));
  return scores;
}

/** What `coClusterExperts` found. */
export interface CoClustering extends ExpertPlacement {
  /** Share of the table's choices served where the id would be at home. */
  local: number;
}

/**
 * Balanced co-clustering of token ids and experts: find a rank for each id (loads within 10 %) and for each expert (equal
 * numbers in every layer), so that as many choices as possible stay on a rank. The problem is NP-hard (graph
 * partitioning); this is a heuristic: ids that differ most seed the ranks, then ids and experts are placed in turn, each
 * given the other, until nothing improves; the best of several starts. Speculative MoE (2503.04398) solves the same
 * problem by a cross-entropy search; the objective is the same, the search is not.
 */
export function coClusterExperts(
  table: ActivationTable,
  ranks: number,
  options: { starts?: number; rounds?: number } = {},
): CoClustering {
  checkRanks('coClusterExperts', table.experts, ranks);
  const { starts = 6, rounds = 30 } = options;
  const units = table.layers * table.experts;
  const weight = Float64Array.from({ length: table.vocabulary }, (_, id) =>
    table.counts.subarray(id * units, (id + 1) * units).reduce((sum, v) => sum + v, 0),
  );
  const order = Array.from(weight, (_, id) => id)
    .filter((id) => weight[id] > 0)
    .sort((a, b) => weight[b] - weight[a] || a - b);
  if (order.length < ranks)
    throw new ArgumentError(`coClusterExperts: table must hold at least ${ranks} ids, got ${order.length}`);
  const total = weight.reduce((sum, w) => sum + w, 0);
  const frequent = order.slice(0, 8 * ranks);
  let best: CoClustering | undefined;
  for (let start = 0; start < starts; start++) {
    let scores = seedScores(table, chooseSeeds(table, frequent, ranks, start), order);
    let local = -1;
    for (let round = 0; round < rounds; round++) {
      const home = placeIds(scores, weight, order, ranks);
      const placement = { ranks, expertRank: placeExperts(table, home, ranks) };
      scores = rankScores(table, placement);
      const served = order.reduce((sum, id) => sum + scores[id * ranks + home[id]], 0) / total;
      if (best === undefined || served > best.local) best = { ...placement, local: served };
      if (served <= local) break;
      local = served;
    }
  }
  return best!;
}

/** Tokens to ranks in the order of the batch, in equal blocks, as data parallelism has it. */
export function tokensInBlocks(count: number, ranks: number): Int32Array {
  return Int32Array.from({ length: count }, (_, t) => Math.floor((t * ranks) / count));
}

/**
 * Tokens to the ranks that the table expects to hold their experts, at most ceil(T / P) on each, those with the most to
 * lose first. Ids that the table has not seen fill what is left.
 */
export function shuffleTokens(
  ids: Int32Array,
  table: ActivationTable,
  placement: ExpertPlacement,
): Int32Array {
  const { ranks } = placement;
  const scores = rankScores(table, placement);
  const share = (id: number) => {
    const row = Array.from(scores.subarray(id * ranks, (id + 1) * ranks));
    const sum = row.reduce((a, b) => a + b, 0);
    const [first, second = 0] = row.sort((a, b) => b - a);
    return sum === 0 ? 0 : (first - second) / sum;
  };
  const regret = Float64Array.from(ids, share);
  const order = Array.from(ids, (_, t) => t).sort((a, b) => regret[b] - regret[a] || a - b);
  const room = new Int32Array(ranks).fill(Math.ceil(ids.length / ranks));
  const home = new Int32Array(ids.length);
  for (const t of order) {
    const rank = bestRank(scores, ids[t] * ranks, ranks, (r) => room[r] > 0);
    home[t] = rank;
    room[rank] -= 1;
  }
  return home;
}

/** Traffic of a trace. */
export interface Traffic {
  /** Share of the choices whose expert is on another rank than the token. */
  remote: number;
  /** Other ranks that a token is sent to in a layer, each counted once, on average. */
  ranksPerToken: number;
}

/** Counts the traffic of tokens at home on `home` [T] with experts placed. */
export function countTraffic(trace: RoutingTrace, home: Int32Array, placement: ExpertPlacement): Traffic {
  const { choices, layers, perToken, experts } = trace;
  let [remote, copies] = [0, 0];
  for (let t = 0; t < home.length; t++)
    for (let layer = 0; layer < layers; layer++) {
      const seen = new Set<number>();
      for (let j = 0; j < perToken; j++) {
        const expert = choices[(t * layers + layer) * perToken + j];
        const rank = placement.expertRank[layer * experts + expert];
        if (rank === home[t]) continue;
        remote += 1;
        seen.add(rank);
      }
      copies += seen.size;
    }
  return { remote: remote / choices.length, ranksPerToken: copies / (home.length * layers) };
}
