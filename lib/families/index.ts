/** The algorithm families. */
export {
  alibiSlopes,
  mergeAttentionStates,
  softmaxAttention,
  softmaxAttentionWithLse,
  type AttentionOptions,
  type AttentionState,
} from './softmax-attention/index.js';
export { selectiveScan, selectiveScanStep, type SelectiveScanInputs } from './selective-scan/index.js';
export * from './scaling-laws/index.js';
export * from './moe-routing/index.js';
export { hgrn, hgrnLogGate, hgrnLowerBounds, hgrnOutput, hgrnStep, type HgrnInputs } from './hgrn/index.js';
export { hgrnMixer, type HgrnWeights } from './hgrn/mixer.js';
export * from './rwkv/index.js';
export * from './rotary/index.js';
export * from './linear-attention/index.js';
export * from './retention/index.js';
export * from './lightning-attention/index.js';
export * from './ssd/index.js';
export {
  longConvolution,
  longConvolutionStep,
  type LongConvolutionOptions,
} from './long-convolution/index.js';
export { baseConv, type BaseConvWeights } from './long-convolution/base-conv.js';
export {
  forgetGate,
  gatedLinearAttention,
  gatedLinearAttentionStep,
  gatedNorm,
  hgrn2,
  hgrn2Step,
  logSigmoid,
  logSigmoidGate,
  simpleGatedLinearAttention,
  type GatedLinearAttentionInputs,
  type Hgrn2Inputs,
  type SimpleGatedLinearAttentionInputs,
} from './gated-linear-attention/index.js';
export {
  deltaBeta,
  deltaDecay,
  deltaNet,
  gatedDeltaNet,
  type DeltaNetInputs,
  type DeltaNetOptions,
  type GatedDeltaNetInputs,
} from './delta-rule/index.js';
