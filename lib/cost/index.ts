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
export {
  attentionTraffic,
  tileShape,
  type AttentionAlgorithm,
  type AttentionTask,
  type TileShape,
  type TileVisit,
} from './attention-traffic.js';
export {
  bytesKept,
  countCost,
  liveBytes,
  operatorCost,
  peakBytes,
  type Cost,
  type OperatorCost,
} from './count.js';
export { decoderCost, type DecoderCost, type DecoderSizes, type DecoderUse } from './decoder.js';
export { deviceOf, DEVICES, machineOf, type Device } from './devices.js';
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
export { measurePeaks, type MeasuredMachine } from './peaks.js';
export { roofline, type Machine, type RooflinePoint } from './roofline.js';
export {
  crossover,
  kvCacheBytes,
  mixerCost,
  mixerStepCost,
  recurrentStateBytes,
  visiblePairs,
  type MixerCost,
  type MixerForm,
  type MixerSizes,
} from './sequence-mixers.js';
