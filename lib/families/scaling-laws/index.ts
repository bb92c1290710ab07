/**
 * Family scaling-laws: laws of loss by size, data and compute; fits that say how sure they are; what the laws recommend.
 * Derivations, sources and deviations: README.md beside this file.
 */
export { chinchilla } from './chinchilla.js';
export { compareForms, holdOut, type FailedForm, type HoldOut, type HoldOutOptions } from './compare.js';
export {
  groupBudgets,
  isoFlopParabolas,
  trainingCurveEnvelope,
  type FrontierFit,
  type FrontierOptions,
  type TrainingCurve,
  type Valley,
} from './curves.js';
export {
  checkRuns,
  deriveColumns,
  withoutHighest,
  type Columns,
  type FitData,
  type FitFlag,
} from './data.js';
export { dataConstrained } from './data-constrained.js';
export { fitLaw, inThisThread, type FitExecutor, type FitOptions, type FitProgress } from './fit.js';
export {
  chinchillaLoss,
  computeForLoss,
  computeOptimal,
  inferenceOptimal,
  optimalExponents,
  type ChinchillaConstants,
  type LifetimeCost,
  type LifetimeOptimum,
  type Optimum,
} from './frontier.js';
export { runFitJob, type FitJob, type FitJobResult, type NoiseKind } from './job.js';
export {
  kaplanCriticalBatch,
  kaplanEnoughData,
  kaplanLeast,
  kaplanND,
  kaplanOptimal,
  kaplanSteps,
} from './kaplan.js';
export {
  defineLaw,
  lawOf,
  laws,
  predictLaw,
  type Law,
  type LawInput,
  type LawParameter,
  type Point,
  type PublishedConstants,
} from './law.js';
export { moeFineGrained, moeRouted } from './moe.js';
export { downstreamError, overTraining } from './over-training.js';
export { plantedCoverage, type Coverage, type CoverageOf, type PlantedOptions } from './planted.js';
export {
  criticalBatch,
  kaplanC,
  kaplanCmin,
  kaplanD,
  kaplanN,
  powerLaw,
  powerOffset,
  powerOffsetC,
  powerOffsetD,
  powerOffsetN,
} from './power.js';
export { optimumWithInterval, predictWithBands, type Prediction, type UncertainOptimum } from './predict.js';
export { profileLikelihood, type Profile, type ProfileOptions, type ProfilePoint } from './profile.js';
export type { FitResult } from './result.js';
