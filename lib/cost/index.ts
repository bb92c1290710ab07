/** Costs: operations, bytes moved, bytes kept, the roofline, and expert parallelism. */
export {
  allToAllTime,
  exchangeBytes,
  expectedRanks,
  type AllToAllAlgorithm,
  type AlphaBetaLink,
  type ExchangeBytes,
  type ExpertExchange,
  type RankNetwork,
} from './all-to-all.js';
export { bytesKept, countCost, liveBytes, operatorCost, type Cost, type OperatorCost } from './count.js';
export {
  activationTable,
  coClusterExperts,
  countTraffic,
  randomPlacement,
  rankScores,
  shuffleTokens,
  tokensInBlocks,
  type ActivationTable,
  type CoClustering,
  type ExpertPlacement,
  type Traffic,
} from './expert-placement.js';
export {
  expertLayerCost,
  expertLayerTime,
  type ExpertLayer,
  type ExpertLayerCost,
  type LayerTime,
} from './mixture-of-experts.js';
export {
  plantAffinity,
  type AffinityOptions,
  type PlantedAffinity,
  type RoutingTrace,
} from './planted-affinity.js';
export { roofline, type Machine, type RooflinePoint } from './roofline.js';
