/** The algorithm families. */
export { softmaxAttention, type AttentionOptions } from './softmax-attention/index.js';
export { selectiveScan, selectiveScanStep, type SelectiveScanInputs } from './selective-scan/index.js';
export * from './scaling-laws/index.js';
export * from './moe-routing/index.js';
