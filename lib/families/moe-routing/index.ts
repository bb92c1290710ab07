/** Family moe-routing: gates, plans, dispatch and combine of mixtures of experts. */
export { topKGate, type TopKGateOptions } from './gate.js';
export { blockExperts, planDispatch } from './plan.js';
export { planRows } from './sizes.js';
export { combine, dispatch } from './dispatch.js';
export type { DispatchOrder, DispatchPlan, PlanOptions, Routing } from './types.js';
export {
  batchPriority,
  deepseekGate,
  gshardGate,
  inputJitter,
  mixtralGate,
  switchGate,
  updateBias,
  type DeepseekOptions,
  type GshardOptions,
} from './gates/presets.js';
export { noisyTopKGate, type NoisyRouting, type NoisyTopKOptions } from './gates/noisy-top-k.js';
export {
  expertChoiceGate,
  type ExpertChoiceOptions,
  type ExpertChoiceRouting,
} from './gates/expert-choice.js';
export { sinkhornGate, sinkhornPlan, type SinkhornOptions } from './gates/sinkhorn.js';
export {
  depthCombine,
  depthGate,
  depthPredictorLoss,
  depthSelect,
  type DepthOptions,
  type DepthRouting,
} from './gates/mixture-of-depths.js';
export {
  CAPACITY_CONVENTIONS,
  capacityOf,
  type CapacityConvention,
  type CapacityOptions,
} from './capacity.js';
export {
  LOAD_BALANCING_CONVENTIONS,
  cvSquared,
  importanceLoss,
  loadBalancingLoss,
  loadLoss,
  routerZLoss,
  type LoadBalancingConvention,
  type LoadBalancingOptions,
  type RoutedScores,
  type VarianceConvention,
} from './losses.js';
export {
  denseMoe,
  moeFeedForward,
  type ExpertActivation,
  type ExpertWeights,
  type MoeOptions,
} from './layer.js';
