/** One training of a model on a sequence task as a task: plain inputs, plain result, resumable from its checkpoint. */
import { CancelledError, FitError } from '../core/errors.js';
import { Random } from '../core/random.js';
import { cosineSchedule, languageModel, train, type LanguageModelConfig } from '../nn/index.js';
import {
  scoreSequences,
  type Sequences,
  type SequenceScore,
  type SequenceTask,
} from '../tasks/sequence-task.js';
import { treeTensors, type Tree } from '../tensor/tree.js';
import type { TaskContext } from './paper.js';
import { answerBatch, answeringModel, answerSequences, type SequenceModel } from './sequence-answers.js';

type Parameters = Tree & object;
type Model = SequenceModel<Parameters>;

/** How long a model trains on a task. */
export interface SequenceRecipe {
  steps: number;
  /** Sequences a step. */
  batch: number;
  warmup: number;
  /** Points of the curve of tuning accuracy. */
  evaluations: number;
}

/** Held-out sequences that score a model. */
export interface SequenceTest {
  name: string;
  /** A function of the random stream alone; the same sequences for every arm, rate and seed. */
  generate: (random: Random, count: number) => Sequences;
  count: number;
}

/** One training. */
export interface SequenceTraining {
  arm: string;
  /** A language model by its configuration, or any model. */
  model: LanguageModelConfig | Model;
  recipe: SequenceRecipe;
  rate: number;
  seed: number;
}

/** What one training gave; `tuning` and the scores are null when it diverged. */
export interface SequenceResult {
  arm: string;
  rate: number;
  seed: number;
  parameters: number;
  /** Tokens read in training. */
  tokens: number;
  /** Share of wrong answers on tuning sequences, the mean over sequences drawn as each test's. */
  tuning: number | null;
  /** Scores by the name of the test. */
  scores: { [test: string]: SequenceScore } | null;
  /** Means of the training loss in nats an answer over equal stretches of steps, by last step. */
  curve: { x: number[]; y: number[] };
  /** Share of right answers by step, on held-out sequences drawn as those of training. */
  accuracy: { x: number[]; y: number[] };
  seconds: number;
  tokensPerSecond: number;
  fingerprint: string;
  /** Message when training diverged. */
  diverged?: string;
}

const modelOf = ({ model }: SequenceTraining): Model => ('forward' in model ? model : languageModel(model));

const CURVE_POINTS = 40;
/** Held-out sequences behind a point of the accuracy curve, in batches of training. */
const WATCHED_BATCHES = 16;

/** Seconds a training step and a token of a test take here; other tasks may run beside it. */
export interface SequenceProbe {
  stepSeconds: number;
  /** Of all tests once. */
  testSeconds: number;
  /** Of one point of the accuracy curve. */
  curveSeconds: number;
}

/** Times real steps for about `seconds`, and one pass over a part of the tests. */
export async function probeSequences(
  training: SequenceTraining,
  task: SequenceTask,
  tests: readonly SequenceTest[],
  seconds: number,
): Promise<SequenceProbe> {
  const model = modelOf(training);
  const stepTimes: number[] = [];
  const clock = new AbortController();
  const start = performance.now();
  let last = start;
  const { params } = await train<Parameters>({
    model: answeringModel(model),
    data: (_, random) => answerBatch(task.generate(random, training.recipe.batch)),
    steps: training.recipe.steps,
    schedule: 1e-4,
    signal: clock.signal,
    progressEveryMs: 0,
    onProgress: () => {
      const now = performance.now();
      stepTimes.push((now - last) / 1000);
      last = now;
      if (now - start > seconds * 1000 && stepTimes.length > 4) clock.abort();
    },
  });
  // The engine is still compiling in the first half; the mean of the rest holds pauses of the machine too.
  const settled = stepTimes.slice(Math.floor(stepTimes.length / 2));
  const random = new Random('probe');
  const pass = async (sequences: Sequences): Promise<number> => {
    await answerSequences(model, params, sequences);
    const before = performance.now();
    await answerSequences(model, params, sequences);
    return (performance.now() - before) / 1000 / sequences.shape[0];
  };
  let testSeconds = 0;
  for (const test of tests)
    testSeconds += test.count * (await pass(test.generate(random, Math.min(8, test.count))));
  const { batch } = training.recipe;
  const curveSeconds = WATCHED_BATCHES * batch * (await pass(task.generate(random, 2 * batch)));
  for (const t of treeTensors(params)) t.dispose();
  return { stepSeconds: settled.reduce((a, b) => a + b, 0) / settled.length, testSeconds, curveSeconds };
}

/** Seconds of a training, from a probe of its arm. */
export function sequenceSeconds(recipe: SequenceRecipe, probe: SequenceProbe): number {
  const { stepSeconds, testSeconds, curveSeconds } = probe;
  // Half as many sequences tune as test.
  return recipe.steps * stepSeconds + recipe.evaluations * curveSeconds + 1.5 * testSeconds;
}

/** Sequences of training, of tuning and of each test come from streams of their own, so no model is scored on its data. */
const heldOut = (task: SequenceTask, purpose: string): Random => new Random(`${task.id} ${purpose}`);

/** Trains and scores one model. Divergence is a result, not an error. */
export async function trainOnSequences(
  training: SequenceTraining,
  task: SequenceTask,
  tests: readonly SequenceTest[],
  context: TaskContext,
): Promise<SequenceResult> {
  const { arm, recipe, rate, seed } = training;
  const model = modelOf(training);
  const tokens = recipe.steps * recipe.batch * task.time;
  const shared = { arm, rate, seed, parameters: model.parameterCount, tokens };
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  try {
    const { params, history, tokensPerSecond, fingerprint } = await fit(training, model, task, context);
    const scored = await scoreTests(model, params, task, tests, context);
    for (const t of treeTensors(params)) t.dispose();
    return {
      ...shared,
      ...scored,
      curve: smooth(history.loss),
      accuracy: { x: history.evaluations.map((e) => e.step), y: history.evaluations.map((e) => e.value) },
      seconds: seconds(),
      tokensPerSecond,
      fingerprint,
    };
  } catch (error) {
    if (!(error instanceof FitError)) throw error;
    return diverged(shared, error.message, seconds());
  }
}

async function fit(
  { recipe, rate, seed }: SequenceTraining,
  model: Model,
  task: SequenceTask,
  context: TaskContext,
) {
  const { steps, batch, warmup, evaluations } = recipe;
  const watched = task.generate(heldOut(task, 'curve'), WATCHED_BATCHES * batch);
  const result = await train<Parameters>({
    model: answeringModel(model),
    data: (_, random) => answerBatch(task.generate(random, batch)),
    steps,
    schedule: cosineSchedule({ peak: rate, steps, warmup, floor: rate / 10 }),
    optimizer: { kind: 'adamw', weightDecay: 0 },
    seed,
    ...(context.signal ? { signal: context.signal } : {}),
    ...checkpointOf(context, steps),
    evaluate: {
      everySteps: Math.max(1, Math.ceil(steps / evaluations)),
      run: async (params) => {
        const { predictions } = await answerSequences(model, params, watched);
        return scoreSequences(watched, predictions).tokens;
      },
    },
    onProgress: ({ step, loss, tokensPerSecond, secondsLeft }) =>
      context.progress?.({ step, steps, loss, tokensPerSecond, secondsLeft }),
  });
  if (result.stopped === 'cancelled')
    throw new CancelledError(`trainOnSequences: cancelled at step ${result.step} of ${steps}`);
  return result;
}

/** Every test, and its tuning sequences: half as many, from a stream of their own. */
async function scoreTests(
  model: Model,
  params: Parameters,
  task: SequenceTask,
  tests: readonly SequenceTest[],
  { signal }: TaskContext,
): Promise<Pick<SequenceResult, 'tuning' | 'scores'>> {
  const score = async (purpose: string, test: SequenceTest, count: number) => {
    const sequences = test.generate(heldOut(task, `${purpose} ${test.name}`), count);
    const { predictions } = await answerSequences(model, params, sequences, signal);
    return scoreSequences(sequences, predictions);
  };
  let wrong = 0;
  const scores: { [test: string]: SequenceScore } = {};
  for (const test of tests) {
    wrong += 1 - (await score('tuning', test, Math.ceil(test.count / 2))).tokens;
    scores[test.name] = await score('test', test, test.count);
  }
  return { tuning: wrong / tests.length, scores };
}

function checkpointOf({ checkpoint }: TaskContext, steps: number) {
  if (checkpoint === undefined) return {};
  return { checkpoint: { path: checkpoint, resume: true, everySteps: Math.max(1, Math.floor(steps / 6)) } };
}

function diverged(
  shared: Pick<SequenceResult, 'arm' | 'rate' | 'seed' | 'parameters' | 'tokens'>,
  message: string,
  seconds: number,
): SequenceResult {
  const empty = { x: [], y: [] };
  return {
    ...shared,
    tuning: null,
    scores: null,
    curve: empty,
    accuracy: empty,
    seconds,
    tokensPerSecond: 0,
    fingerprint: 'diverged',
    diverged: message,
  };
}

/** Means over about 40 equal stretches. */
function smooth(losses: readonly number[]): { x: number[]; y: number[] } {
  const stretch = Math.max(1, Math.ceil(losses.length / CURVE_POINTS));
  const x: number[] = [];
  const y: number[] = [];
  for (let start = 0; start < losses.length; start += stretch) {
    const part = losses.slice(start, start + stretch);
    x.push(start + part.length);
    y.push(part.reduce((a, b) => a + b, 0) / part.length);
  }
  return { x, y };
}
