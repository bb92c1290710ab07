/** Models, training, checkpoints and generation. */
export * from './checkpoint-files.js';
export * from './checkpoint.js';
export * from './evaluation.js';
export * from './fingerprint.js';
export * from './generate.js';
export * from './kv-cache.js';
export * from './language-model.js';
export * from './mamba.js';
export * from './optimizer.js';
export * from './parameters.js';
export { yieldToEvents, type TrainingProgress } from './progress.js';
export * from './safetensors.js';
export * from './schedules.js';
export * from './training.js';
export * from './transformer.js';
