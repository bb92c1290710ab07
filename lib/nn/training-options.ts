/** What a training run is given and gives back. */
import { ArgumentError, show } from '../core/errors.js';
import type { Random } from '../core/random.js';
import type { Tensor } from '../tensor/tensor.js';
import type { CheckpointStore, Evaluation } from './checkpoint.js';
import type { Batch } from './evaluation.js';
import type { OptimizerOptions } from './optimizer.js';
import type { TrainingProgress } from './progress.js';
import type { Schedule } from './schedules.js';

/** What the loop needs of a model; language models fit. */
export interface Trainable<P> {
  /** Plain JSON; a checkpoint of another configuration is refused. */
  readonly config: unknown;
  initialize(seed: number | string): P;
  /** Scalar loss in nats per token. */
  loss(params: P, ids: Tensor, targets: Tensor): Tensor;
}

export interface TrainOptions<P> {
  model: Trainable<P>;
  /** Start here instead of at model.initialize(seed); not changed, not disposed. */
  params?: P;
  /**
   * The batch of a step (from 1). Must depend on its arguments only: then a resumed run sees the same data. It runs in
   * a scope: tensors made inside are disposed after the step.
   */
  data: (step: number, random: Random) => Batch;
  steps: number;
  /** Learning rate by step, or one rate; default 1e-3. */
  schedule?: Schedule | number;
  optimizer?: OptimizerOptions;
  /** Largest global gradient norm, default 1; Infinity is off. */
  clip?: number;
  /** Of initialisation and data, default 0. */
  seed?: number | string;
  /** Stops after the current step, saves a checkpoint and returns with `stopped: 'cancelled'`. */
  signal?: AbortSignal;
  onProgress?: (progress: TrainingProgress) => void;
  /** At most one report in this time, default 250. The last step is always reported. */
  progressEveryMs?: number;
  checkpoint?: {
    path?: string;
    store?: CheckpointStore;
    /** Default: only at the end and when cancelled. */
    everySteps?: number;
    /** Continue from what the store holds, if anything; default false. */
    resume?: boolean;
  };
  evaluate?: { everySteps: number; run: (params: P, step: number) => number | Promise<number> };
  /** On a GPU losses are read back once in so many steps, default 10. */
  readbackEvery?: number;
}

export interface TrainResult<P> {
  /** Dispose the tensors (treeTensors) when done. */
  params: P;
  step: number;
  stopped: 'done' | 'cancelled';
  history: { loss: number[]; evaluations: Evaluation[] };
  /** Speed of this call, evaluations and saves left out. */
  tokensPerSecond: number;
  seconds: number;
  /** Of weights and losses, see fingerprint(). */
  fingerprint: string;
}

/** @throws ArgumentError naming the option */
export function checkOptions<P>(options: TrainOptions<P>): void {
  const whole = (name: string, value: number | undefined, least: number) => {
    if (value !== undefined && (!Number.isInteger(value) || value < least))
      throw new ArgumentError(`train: ${name} must be an integer >= ${least}, got ${show(value)}`);
  };
  whole('steps', options.steps ?? NaN, 0);
  whole('checkpoint.everySteps', options.checkpoint?.everySteps, 1);
  whole('evaluate.everySteps', options.evaluate?.everySteps, 1);
  whole('readbackEvery', options.readbackEvery, 1);
  if (options.clip !== undefined && !(options.clip > 0))
    throw new ArgumentError(`train: clip must be positive, got ${show(options.clip)}`);
  if (options.checkpoint && !options.checkpoint.path && !options.checkpoint.store)
    throw new ArgumentError('train: checkpoint must have a path or a store, got neither');
}
