/** Assay: claims of efficient-language-model papers, put to the test. */
export * from './core/errors.js';
export type { Dtype } from './core/dtype.js';
export { Random } from './core/random.js';
export { relativeRms } from './core/compare.js';
export { tensor, full, zeros, ones, isTensor, Tensor } from './tensor/tensor.js';
export { scope, keep } from './tensor/scope.js';
export { memory } from './tensor/memory.js';
export { grad, valueAndGrad, vjp, noGrad, checkpoint, customOp } from './tensor/tape.js';
export { gradcheck } from './tensor/gradcheck.js';
export {
  useBackend,
  openBackend,
  withBackend,
  currentBackend,
  type BackendName,
  type Form,
} from './tensor/backend.js';
export { defineOperator, operator, operators, type OperatorRecord } from './tensor/operator.js';
export { caseInputs } from './tensor/cases.js';
export { conform } from './tensor/conformance.js';
export * from './cpu/index.js';
export * from './gpu/index.js';
export * from './ops/index.js';
export * from './families/index.js';
export * from './nn/index.js';
export { ByteDataset, bitsPerByte, generatedText, openTrainingText } from './tasks/text.js';
export { entropyRate, generateText } from './tasks/entropy-source.js';
export { associativeRecall, shareWithin, type RecallOptions } from './tasks/associative-recall.js';
export { inductionHeads, type InductionTask } from './tasks/induction-heads.js';
export { selectiveCopying, type CopyingVariant } from './tasks/selective-copying.js';
export { drawSequence, scoreSequences, type Sequences, type SequenceTask } from './tasks/sequence-task.js';
export { KneserNey, kneserNeyBits } from './tasks/kneser-ney.js';
export { numberColumn, parseCsv } from './tasks/csv.js';
export { listManifests, loadBytes, loadText, pullData } from './tasks/manifest.js';
export * from './cost/index.js';
export * from './papers/index.js';
export * from './report/index.js';
