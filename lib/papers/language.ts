/** One training of a byte language model as a task: plain inputs, plain result, resumable from its checkpoint. */
import { FitError, CancelledError } from '../core/errors.js';
import { log2 } from '../core/math.js';
import { Random } from '../core/random.js';
import {
  cosineSchedule,
  evaluateWindows,
  languageModel,
  train,
  windowsOf,
  type LanguageModel,
  type LanguageModelConfig,
  type LanguageModelParameters,
} from '../nn/index.js';
import { bitsPerByte, type TrainingText } from '../tasks/text.js';
import type { Tree } from '../tensor/tree.js';
import { treeTensors } from '../tensor/tree.js';
import type { Plain, TaskContext } from './paper.js';

/** How long and on what a model trains. */
export interface Recipe {
  steps: number;
  batch: number;
  /** Bytes a window. */
  time: number;
  warmup: number;
  /** Windows scored for tuning and for reporting, from the two halves of the validation part. */
  windows: { tuning: number; reporting: number };
  /** Points of the validation curve. */
  evaluations: number;
}

/** One training. */
export interface LanguageTask {
  arm: string;
  model: LanguageModelConfig;
  recipe: Recipe;
  rate: number;
  seed: number;
}

/** What one training gave; losses in bits per byte. */
export interface LanguageResult {
  arm: string;
  rate: number;
  seed: number;
  parameters: number;
  tokens: number;
  /** On the tuning half; null when training diverged, as are the next two. */
  tuning: number | null;
  /** On the reporting half. */
  reporting: number | null;
  /** On the reporting half with its bytes shuffled. */
  shuffled: number | null;
  /** Means of the training loss over equal stretches of steps, by last step. */
  curve: { x: number[]; y: number[] };
  evaluations: { x: number[]; y: number[] };
  seconds: number;
  tokensPerSecond: number;
  fingerprint: string;
  /** Message when training diverged. */
  diverged?: string;
}

/** Windows in one forward pass of an evaluation. */
const GROUP = 16;
const CURVE_POINTS = 60;

/** The range of the text that a purpose scores: the halves of the validation part. */
export function scoredRange(
  text: TrainingText,
  purpose: 'tuning' | 'reporting',
  recipe: Recipe,
): { start: number; end: number } {
  const { split, bytes } = text.dataset;
  const half = split + Math.floor((bytes.length - split) / 2);
  const start = purpose === 'tuning' ? split : half;
  const most = Math.floor(((purpose === 'tuning' ? half : bytes.length) - start) / recipe.time);
  return { start, end: start + Math.min(recipe.windows[purpose], most) * recipe.time };
}

/** Mean loss in bits per byte of windows that follow each other; each starts without context but the byte before it. */
export async function scoreBytes(
  model: LanguageModel,
  params: LanguageModelParameters,
  bytes: Uint8Array,
  range: { start: number; end: number },
  time: number,
): Promise<number> {
  const windows = [];
  for (let from = range.start; from + time <= range.end; from += time)
    windows.push({
      inputs: Int32Array.from(bytes.subarray(from - 1, from - 1 + time)),
      targets: Int32Array.from(bytes.subarray(from, from + time)),
    });
  return bitsPerByte(await evaluateWindows(model, params, windows, { batch: GROUP }));
}

/** Bytes of a range in random order after one leading byte, and their empirical entropy in bits per byte. */
export function shuffledBytes(
  text: TrainingText,
  range: { start: number; end: number },
): { bytes: Uint8Array; entropy: number } {
  const part = Uint8Array.from(text.dataset.bytes.subarray(range.start, range.end));
  new Random('shuffled control').shuffle(part);
  const counts = new Float64Array(256);
  for (const byte of part) counts[byte]++;
  const entropy = counts.reduce(
    (sum, n) => (n > 0 ? sum - (n / part.length) * log2(n / part.length) : sum),
    0,
  );
  const bytes = new Uint8Array(part.length + 1);
  bytes.set(part, 1);
  return { bytes, entropy };
}

/** The range of `shuffledBytes` that is scored: an eighth of the reporting windows, at least one group. */
function shuffledRange(text: TrainingText, recipe: Recipe): { start: number; end: number } {
  const { start, end } = scoredRange(text, 'reporting', recipe);
  const windows = Math.min(
    (end - start) / recipe.time,
    Math.max(GROUP, Math.floor(recipe.windows.reporting / 8)),
  );
  return { start, end: start + windows * recipe.time };
}

/** Entropy of the shuffled control: no model that cannot look ahead scores below it (up to the cost of the counts). */
export function shuffledEntropy(text: TrainingText, recipe: Recipe): number {
  return shuffledBytes(text, shuffledRange(text, recipe)).entropy;
}

/** Trains and scores one model. Divergence is a result, not an error. */
export async function trainLanguageModel(
  task: LanguageTask,
  text: TrainingText,
  context: TaskContext,
): Promise<LanguageResult> {
  const { arm, recipe, rate, seed } = task;
  const { steps, batch, time } = recipe;
  const model = languageModel(task.model);
  const shared = { arm, rate, seed, parameters: model.parameterCount, tokens: steps * batch * time };
  const started = performance.now();
  const tuning = scoredRange(text, 'tuning', recipe);
  try {
    const result = await train<LanguageModelParameters & Tree>({
      model,
      data: windowsOf(text.dataset, batch, time),
      steps,
      schedule: cosineSchedule({ peak: rate, steps, warmup: recipe.warmup, floor: rate / 10 }),
      seed,
      ...(context.signal ? { signal: context.signal } : {}),
      ...(context.checkpoint
        ? {
            checkpoint: {
              path: context.checkpoint,
              resume: true,
              everySteps: Math.max(1, Math.floor(steps / 6)),
            },
          }
        : {}),
      evaluate: {
        everySteps: Math.max(1, Math.ceil(steps / recipe.evaluations)),
        run: (params) => scoreBytes(model, params, text.dataset.bytes, tuning, time),
      },
      onProgress: (p) =>
        context.progress?.({
          step: p.step,
          steps: p.steps,
          loss: bitsPerByte(p.loss),
          tokensPerSecond: p.tokensPerSecond,
          secondsLeft: p.secondsLeft,
        }),
    });
    if (result.stopped === 'cancelled')
      throw new CancelledError(`trainLanguageModel: cancelled at step ${result.step} of ${steps}`);
    const { params } = result;
    const control = shuffledBytes(text, shuffledRange(text, recipe));
    const reporting = await scoreBytes(
      model,
      params,
      text.dataset.bytes,
      scoredRange(text, 'reporting', recipe),
      time,
    );
    const shuffled = await scoreBytes(
      model,
      params,
      control.bytes,
      { start: 1, end: control.bytes.length },
      time,
    );
    for (const t of treeTensors(params)) t.dispose();
    const { evaluations, loss } = result.history;
    return {
      ...shared,
      tuning: evaluations[evaluations.length - 1].value,
      reporting,
      shuffled,
      curve: smooth(loss),
      evaluations: { x: evaluations.map((e) => e.step), y: evaluations.map((e) => e.value) },
      seconds: (performance.now() - started) / 1000,
      tokensPerSecond: result.tokensPerSecond,
      fingerprint: result.fingerprint,
    };
  } catch (error) {
    if (!(error instanceof FitError)) throw error;
    const empty = { x: [], y: [] };
    return {
      ...shared,
      ...{ tuning: null, reporting: null, shuffled: null, curve: empty, evaluations: empty },
      ...{
        seconds: (performance.now() - started) / 1000,
        tokensPerSecond: 0,
        fingerprint: 'diverged',
        diverged: error.message,
      },
    };
  }
}

/** Means over about 60 equal stretches, in bits per byte. */
function smooth(losses: readonly number[]): { x: number[]; y: number[] } {
  const stretch = Math.max(1, Math.ceil(losses.length / CURVE_POINTS));
  const x: number[] = [];
  const y: number[] = [];
  for (let start = 0; start < losses.length; start += stretch) {
    const part = losses.slice(start, start + stretch);
    x.push(start + part.length);
    y.push(bitsPerByte(part.reduce((a, b) => a + b, 0) / part.length));
  }
  return { x, y };
}

/** Seconds a training step and a scored window take here, from a short training; other tasks may run beside it. */
export interface LanguageProbe {
  arm: string;
  stepSeconds: number;
  windowSeconds: number;
}

/** Times real steps for about `seconds`. */
export async function probeLanguageModel(
  task: LanguageTask,
  text: TrainingText,
  seconds = 2,
): Promise<LanguageProbe> {
  const { recipe, model: config } = task;
  const { batch, time } = recipe;
  const model = languageModel(config);
  const stepTimes: number[] = [];
  const clock = new AbortController();
  const start = performance.now();
  let last = start;
  const result = await train<LanguageModelParameters & Tree>({
    model,
    data: windowsOf(text.dataset, batch, time),
    steps: recipe.steps,
    schedule: 1e-4,
    seed: 0,
    signal: clock.signal,
    progressEveryMs: 0,
    onProgress: () => {
      const now = performance.now();
      stepTimes.push((now - last) / 1000);
      last = now;
      if (now - start > seconds * 1000 && stepTimes.length > 4) clock.abort();
    },
  });
  // The first steps compile; the mean of the rest holds pauses of the machine too.
  const settled = stepTimes.slice(Math.min(3, stepTimes.length - 1));
  const stepSeconds = settled.reduce((a, b) => a + b, 0) / settled.length;
  const { start: from } = scoredRange(text, 'tuning', recipe);
  const before = performance.now();
  await scoreBytes(model, result.params, text.dataset.bytes, { start: from, end: from + GROUP * time }, time);
  const windowSeconds = (performance.now() - before) / 1000 / GROUP;
  for (const t of treeTensors(result.params)) t.dispose();
  return { arm: task.arm, stepSeconds, windowSeconds };
}

/** Seconds that trainings take one after the other, from a probe of their arm. */
export function trainingSeconds(task: LanguageTask, probe: LanguageProbe): number {
  const { steps, windows, evaluations } = task.recipe;
  const scored = windows.tuning * evaluations + windows.reporting * 1.125;
  return steps * probe.stepSeconds + scored * probe.windowSeconds;
}

/** Wall time of tasks taken in order by the first free worker. */
export function makespan(seconds: readonly number[], workers: number): number {
  if (seconds.length === 0) return 0;
  const free = new Array<number>(Math.max(1, workers)).fill(0);
  for (const duration of seconds) {
    const next = free.indexOf(Math.min(...free));
    free[next] += duration;
  }
  return Math.max(...free);
}

/** A task's inputs as plain data and back. */
export const asPlain = (value: unknown): Plain => JSON.parse(JSON.stringify(value)) as Plain;
