/** Operators shared by the families. */
export * from './structure/index.js';
export * from './map/index.js';
export * from './reduce/index.js';
export * from './matmul/index.js';
export * from './grouped-matmul/index.js';
export * from './index/index.js';
export * from './softmax/index.js';
export * from './norm/index.js';
export * from './conv/index.js';
export * from './scan/index.js';
export {
  deltaRule,
  deltaRuleOperator,
  type DeltaRuleInputs,
  type DeltaRuleOptions,
} from './delta-rule/index.js';
export * from './scalar-decay/index.js';
export * from './rope/index.js';
export { diagonalDecay, diagonalDecayOperator, type DiagonalDecayInputs } from './diagonal-decay/index.js';
export * from './optim/index.js';
export * from './random/index.js';
export * from './dplr/index.js';
