/** The training loop: cancellable, resumable to the bit, flat in memory, polite to the event loop. */
import { stopSignal } from '../core/ambient-signal.js';
import { ArgumentError, DeviceError, FitError } from '../core/errors.js';
import { Random } from '../core/random.js';
import { scope } from '../tensor/scope.js';
import { valueAndGrad } from '../tensor/tape.js';
import type { Tensor } from '../tensor/tensor.js';
import { treeTensors, type Tree } from '../tensor/tree.js';
import {
  decodeCheckpoint,
  encodeCheckpoint,
  type CheckpointStore,
  type Evaluation,
  type RunIdentity,
} from './checkpoint.js';
import { fileCheckpoint } from './checkpoint-files.js';
import { fingerprint } from './fingerprint.js';
import {
  clipScale,
  initialMoments,
  momentNames,
  optimizerDefaults,
  optimizerStep,
  type OptimizerOptions,
  type OptimizerState,
} from './optimizer.js';
import { decayMask, flatten, flattenAs, views, type FlatSpec } from './parameters.js';
import { rateLimited, Stopwatch, yieldToEvents, type TrainingProgress } from './progress.js';
import { constantSchedule, type Schedule } from './schedules.js';
import { checkOptions, type TrainOptions, type TrainResult } from './training-options.js';

export type { Trainable, TrainOptions, TrainResult } from './training-options.js';

/** A step whose loss is still on the device. */
interface Pending {
  step: number;
  loss: Tensor;
  squared: Tensor;
}

/**
 * Trains a model.
 * @throws FitError naming the step when the loss or the gradient is not finite; weights of the step before are not saved over
 * @throws DeviceError when the device is lost, saying how to resume
 * @throws DataError for a checkpoint that is damaged or of another run
 */
export async function train<P extends Tree>(options: TrainOptions<P>): Promise<TrainResult<P>> {
  checkOptions(options);
  const store =
    options.checkpoint?.store ??
    (options.checkpoint?.path ? fileCheckpoint(options.checkpoint.path) : undefined);
  const work = () => new Run(options, store).go();
  return store?.exclusive ? store.exclusive(work) : work();
}

class Run<P extends Tree> {
  private readonly identity: RunIdentity;
  private readonly optimizer: Required<OptimizerOptions>;
  private readonly clip: number;
  private readonly schedule: Schedule;
  private readonly random: Random;
  private readonly watch = new Stopwatch();
  private readonly report: ReturnType<typeof rateLimited<TrainingProgress>>;
  private spec!: FlatSpec;
  private state!: OptimizerState;
  private mask!: Tensor;
  private step = 0;
  private savedStep: number | undefined;
  private losses: number[] = [];
  private evaluations: Evaluation[] = [];
  private gradientNorm = NaN;
  private pending: Pending[] = [];

  constructor(
    private readonly options: TrainOptions<P>,
    private readonly store: CheckpointStore | undefined,
  ) {
    const { schedule = 1e-3, seed = 0, clip = 1 } = options;
    this.optimizer = optimizerDefaults(options.optimizer);
    this.clip = clip;
    this.schedule = typeof schedule === 'number' ? constantSchedule(schedule) : schedule;
    this.random = new Random(seed).split('data');
    // JSON has no Infinity: an absent clip means off.
    const kept = Number.isFinite(clip) ? clip : undefined;
    this.identity = { config: options.model.config, seed, optimizer: this.optimizer, clip: kept };
    this.report = rateLimited(options.onProgress, options.progressEveryMs ?? 250);
  }

  async go(): Promise<TrainResult<P>> {
    try {
      await this.begin();
      const stopped = await this.loop();
      const params = views<P>(this.state.parameters, this.spec);
      const print = await fingerprint(params, this.losses);
      return {
        params,
        step: this.step,
        stopped,
        history: { loss: this.losses, evaluations: this.evaluations },
        tokensPerSecond: this.watch.tokensPerSecond,
        seconds: this.watch.seconds,
        fingerprint: print,
      };
    } catch (error) {
      throw error instanceof DeviceError ? this.lost(error) : error;
    } finally {
      for (const t of treeTensors([this.state, this.mask, this.pending])) t.dispose();
    }
  }

  /** Fresh or resumed weights in one flat buffer. */
  private async begin(): Promise<void> {
    const { model, params, seed = 0, checkpoint } = this.options;
    const start = params ?? model.initialize(seed);
    const { flat, spec } = flatten(start);
    if (!params) for (const t of treeTensors(start)) t.dispose();
    this.spec = spec;
    this.mask = decayMask(spec, flat);
    const bytes = checkpoint?.resume ? await this.store?.load() : undefined;
    if (!bytes) {
      this.state = { parameters: flat, moments: initialMoments(this.optimizer, flat) };
      return;
    }
    const snapshot = decodeCheckpoint(bytes, spec, this.identity, momentNames(this.optimizer), flat);
    flat.dispose();
    this.state = snapshot.state;
    this.step = this.savedStep = snapshot.step;
    this.losses = [...snapshot.losses];
    this.evaluations = [...snapshot.evaluations];
  }

  private async loop(): Promise<'done' | 'cancelled'> {
    const { steps, checkpoint, evaluate } = this.options;
    const signal = stopSignal(this.options.signal);
    this.watch.start();
    while (this.step < steps && !signal?.aborted) {
      this.advance();
      const last = this.step === steps;
      const evaluating = evaluate !== undefined && (last || this.step % evaluate.everySteps === 0);
      const saving =
        this.store !== undefined &&
        checkpoint?.everySteps !== undefined &&
        this.step % checkpoint.everySteps === 0;
      if (this.due() || last || evaluating || saving) await this.readBack();
      if (evaluating) await this.evaluate();
      if (saving && !last) await this.save();
      this.report(() => this.progress(), last);
      await yieldToEvents();
    }
    await this.readBack();
    this.watch.stop();
    if (this.store && this.savedStep !== this.step) await this.save();
    return this.step < steps ? 'cancelled' : 'done';
  }

  /** On the host every step is read at once: it costs nothing and stops a run at the first NaN. */
  private due(): boolean {
    return (
      this.state.parameters.device === 'host' || this.pending.length >= (this.options.readbackEvery ?? 10)
    );
  }

  private advance(): void {
    const step = this.step + 1;
    const learningRate = this.schedule(step);
    if (!(learningRate >= 0 && learningRate < Infinity))
      throw new ArgumentError(
        `train: schedule must give a finite rate >= 0, got ${learningRate} at step ${step}`,
      );
    const { next, pending, tokens } = scope(() => this.computeStep(step, learningRate));
    for (const t of treeTensors(this.state)) t.dispose();
    this.state = next;
    this.pending.push(pending);
    this.step = step;
    this.watch.steps++;
    this.watch.tokens += tokens;
  }

  /** Loss, gradients, clipping and update; everything but the results goes back to the pools. */
  private computeStep(
    step: number,
    learningRate: number,
  ): { next: OptimizerState; pending: Pending; tokens: number } {
    const { model, data } = this.options;
    const { ids, targets } = data(step, this.random.split(step));
    const lossOf = valueAndGrad((p: P) => model.loss(p, ids, targets));
    const { value, grads } = lossOf(views<P>(this.state.parameters, this.spec));
    const gradients = flattenAs(grads, this.spec);
    const { squared, scale } = clipScale(gradients, Number.isFinite(this.clip) ? this.clip : 1);
    const next = optimizerStep(this.optimizer, this.state, gradients, {
      step,
      learningRate,
      decayMask: this.mask,
      scale: Number.isFinite(this.clip) ? scale : undefined,
    });
    return { next, pending: { step, loss: value, squared }, tokens: ids.size };
  }

  /** Reads the losses of the steps since the last call. */
  private async readBack(): Promise<void> {
    const waiting = this.pending;
    this.pending = [];
    try {
      const values = await Promise.all(
        waiting.map(async (p) => [await p.loss.item(), await p.squared.item()]),
      );
      for (const [i, [loss, squared]] of values.entries()) {
        this.checkFinite(waiting[i].step, 'loss', loss);
        this.checkFinite(waiting[i].step, 'norm of the gradients', Math.sqrt(squared));
        this.losses.push(loss);
        this.gradientNorm = Math.sqrt(squared);
      }
    } finally {
      for (const p of waiting) for (const t of [p.loss, p.squared]) t.dispose();
    }
  }

  private checkFinite(step: number, name: string, value: number): void {
    if (Number.isFinite(value)) return;
    throw new FitError(
      `train: ${name} must be finite, got ${value} at step ${step} (learning rate ${this.schedule(step)}). ${this.kept()} ` +
        `Try a smaller learning rate, a longer warm-up or clip.`,
    );
  }

  private kept(): string {
    if (!this.store) return 'No checkpoint was asked for.';
    return this.savedStep === undefined
      ? `No checkpoint was saved yet to ${this.store.name}.`
      : `The checkpoint of step ${this.savedStep} in ${this.store.name} is intact.`;
  }

  private lost(error: DeviceError): DeviceError {
    const advice = this.store
      ? ' Open a backend again and call train with checkpoint.resume: true to go on.'
      : '';
    const message = `train: device must stay available, got "${error.message}" after step ${this.step}. ${this.kept()}${advice}`;
    return new DeviceError(message, { cause: error });
  }

  private async evaluate(): Promise<void> {
    const params = views<P>(this.state.parameters, this.spec);
    try {
      const value = await this.watch.paused(async () => this.options.evaluate!.run(params, this.step));
      this.evaluations.push({ step: this.step, value });
    } finally {
      for (const t of treeTensors(params)) t.dispose();
    }
  }

  private async save(): Promise<void> {
    const { step, state, losses, evaluations } = this;
    await this.watch.paused(async () => {
      await this.store!.save(
        await encodeCheckpoint({ step, state, losses, evaluations }, this.spec, this.identity),
      );
    });
    this.savedStep = step;
  }

  private progress(): TrainingProgress {
    return {
      step: this.step,
      steps: this.options.steps,
      loss: this.losses.at(-1) ?? NaN,
      learningRate: this.schedule(this.step),
      gradientNorm: this.gradientNorm,
      tokensPerSecond: this.watch.tokensPerSecond,
      secondsLeft: this.watch.secondsFor(this.options.steps - this.step),
      evaluation: this.evaluations.at(-1),
    };
  }
}
