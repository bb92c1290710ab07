/** One training of the grid: fresh generated text, each byte seen once, scored where every byte has a context. */
import { CancelledError, FitError } from '../../core/errors.js';
import { Random } from '../../core/random.js';
import {
  batchOf,
  cosineSchedule,
  evaluateWindows,
  languageModel,
  train,
  type Batch,
  type EvaluationWindow,
  type LanguageModelParameters,
} from '../../nn/index.js';
import { generateText, idealCode } from '../../tasks/entropy-source.js';
import { bitsPerByte } from '../../tasks/text.js';
import { treeTensors, type Tree } from '../../tensor/tree.js';
import type { TaskContext } from '../paper.js';
import { BATCH, embeddingParameters, gridModel, peakRate, TIME, warmupOf, type Place } from './plan.js';

/** A training; `windows` are scored. */
export interface GridTask extends Place {
  seed: number;
  windows: number;
}

/** What it gave. */
export interface GridResult extends Place {
  seed: number;
  /** Without and with embedding and head. */
  parameters: number;
  total: number;
  /** In bits per byte; null when training diverged. */
  loss: number | null;
  /** Means of the training loss over 20 stretches, by last step. */
  curve: { x: number[]; y: number[] };
  seconds: number;
  fingerprint: string;
}

/** Bytes of each window that count: its second half, so that every byte has half a window of context. */
const SCORED = TIME / 2;
const EVALUATION_SEED = 'scaling grid: evaluation';
const CURVE_POINTS = 20;

/** The text that all models are scored on. */
function evaluationText(windows: number): Uint8Array {
  return generateText(EVALUATION_SEED, (windows + 1) * SCORED + 1);
}

function evaluationWindows(windows: number): EvaluationWindow[] {
  const text = evaluationText(windows);
  return Array.from({ length: windows }, (_, i) => {
    const start = i * SCORED;
    return {
      inputs: Int32Array.from(text.subarray(start, start + TIME)),
      targets: Int32Array.from(text.subarray(start + 1, start + 1 + TIME)),
      skip: SCORED,
    };
  });
}

/** Bits per byte that the ideal coder, which knows source and past, spends on the bytes scored. */
export function evaluationFloor(windows: number): number {
  const { bits, bytes } = idealCode(evaluationText(windows), SCORED + 1);
  return bits / bytes;
}

/** Windows of the training text in random order, each once. */
function trainingData({ width, bytes, seed }: GridTask): (step: number) => Batch {
  const name = `scaling grid: ${width} ${bytes} ${seed}`;
  const text = generateText(name, bytes + 1);
  const order = new Random(name).permutation(bytes / TIME);
  return (step) => {
    const inputs = new Int32Array(BATCH * TIME);
    const targets = new Int32Array(BATCH * TIME);
    for (let row = 0; row < BATCH; row++) {
      const start = order[(step * BATCH + row) % order.length] * TIME;
      inputs.set(text.subarray(start, start + TIME), row * TIME);
      targets.set(text.subarray(start + 1, start + TIME + 1), row * TIME);
    }
    return batchOf(inputs, targets, [BATCH, TIME]);
  };
}

/** Trains and scores one model. Divergence is a result, not an error. */
export async function trainGridPoint(task: GridTask, context: TaskContext): Promise<GridResult> {
  const { width, bytes, seed } = task;
  const model = languageModel(gridModel(width));
  const steps = bytes / (BATCH * TIME);
  const peak = peakRate(width);
  const started = performance.now();
  const total = model.parameterCount;
  const shared = { width, bytes, seed, total, parameters: total - embeddingParameters(width) };
  try {
    const result = await train<LanguageModelParameters & Tree>({
      model,
      data: trainingData(task),
      steps,
      schedule: cosineSchedule({ peak, steps, warmup: warmupOf(steps), floor: peak / 10 }),
      seed: `${width} ${bytes} ${seed}`,
      ...(context.signal ? { signal: context.signal } : {}),
      ...(context.checkpoint
        ? {
            checkpoint: {
              path: context.checkpoint,
              resume: true,
              everySteps: Math.max(1, Math.ceil(steps / 4)),
            },
          }
        : {}),
      onProgress: ({ step, loss, tokensPerSecond, secondsLeft }) =>
        context.progress?.({ step, steps, loss: bitsPerByte(loss), tokensPerSecond, secondsLeft }),
    });
    if (result.stopped === 'cancelled')
      throw new CancelledError(`trainGridPoint: cancelled at step ${result.step} of ${steps}`);
    const loss = bitsPerByte(
      await evaluateWindows(model, result.params, evaluationWindows(task.windows), { batch: 16 }),
    );
    for (const t of treeTensors(result.params)) t.dispose();
    return {
      ...shared,
      loss,
      curve: smooth(result.history.loss),
      seconds: (performance.now() - started) / 1000,
      fingerprint: result.fingerprint,
    };
  } catch (error) {
    if (!(error instanceof FitError)) throw error;
    const seconds = (performance.now() - started) / 1000;
    return { ...shared, loss: null, curve: { x: [], y: [] }, seconds, fingerprint: 'diverged' };
  }
}

function smooth(losses: readonly number[]): { x: number[]; y: number[] } {
  const stretch = Math.max(1, Math.ceil(losses.length / CURVE_POINTS));
  const [x, y]: [number[], number[]] = [[], []];
  for (let from = 0; from < losses.length; from += stretch) {
    const part = losses.slice(from, from + stretch);
    x.push(from + part.length);
    y.push(bitsPerByte(part.reduce((sum, v) => sum + v, 0) / part.length));
  }
  return { x, y };
}

/** Seconds a byte takes: what a longer of two short trainings takes beyond the shorter, which pays for the start. */
export async function probeGridPoint(task: GridTask): Promise<number> {
  const [short, long] = [32, 96].map((steps) => steps * BATCH * TIME);
  const timed = async (bytes: number): Promise<number> =>
    (await trainGridPoint({ ...task, bytes, windows: 16 }, {})).seconds;
  const [once, thrice] = [await timed(short), await timed(long)];
  return Math.max(thrice - once, thrice / 10) / (long - short);
}
