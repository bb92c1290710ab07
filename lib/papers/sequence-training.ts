/** One training of a model on a sequence task as a task: plain inputs, plain result, resumable from its checkpoint. */
import { CancelledError, FitError } from '../core/errors.js';
import { Random } from '../core/random.js';
import {
  cosineSchedule,
  languageModel,
  train,
  yieldToEvents,
  type Batch,
  type LanguageModel,
  type LanguageModelConfig,
  type LanguageModelParameters,
  type Trainable,
} from '../nn/index.js';
import { gather } from '../ops/index/index.js';
import { argmax, mean } from '../ops/reduce/index.js';
import { crossEntropy } from '../ops/softmax/index.js';
import { reshape, slice } from '../ops/structure/index.js';
import {
  scoreSequences,
  type Sequences,
  type SequenceScore,
  type SequenceTask,
} from '../tasks/sequence-task.js';
import { scope } from '../tensor/scope.js';
import { noGrad } from '../tensor/tape.js';
import { tensor, type Tensor } from '../tensor/tensor.js';
import { treeTensors, type Tree } from '../tensor/tree.js';
import type { TaskContext } from './paper.js';

type Parameters = LanguageModelParameters & Tree;

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
  generate(random: Random, count: number): Sequences;
  count: number;
}

/** One training. */
export interface SequenceTraining {
  arm: string;
  model: LanguageModelConfig;
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
  /** Mean loss in nats an answer on the tuning sequences. */
  tuning: number | null;
  /** Scores by the name of the test. */
  scores: { [test: string]: SequenceScore } | null;
  /** Means of the training loss in nats an answer over equal stretches of steps, by last step. */
  curve: { x: number[]; y: number[] };
  /** Share of right answers on the tuning sequences by step. */
  accuracy: { x: number[]; y: number[] };
  seconds: number;
  tokensPerSecond: number;
  fingerprint: string;
  /** Message when training diverged. */
  diverged?: string;
}

const CURVE_POINTS = 60;
/** Tokens of one forward pass in a test. */
const PASS_TOKENS = 8192;

/** ids [B,T], and as targets i32 [2,M]: flat positions of the answers, and the answers. */
export function answerBatch({ ids, shape, positions, answers }: Sequences): Batch {
  const targets = new Int32Array(2 * positions.length);
  targets.set(positions);
  targets.set(answers, positions.length);
  return { ids: tensor(ids, { shape }), targets: tensor(targets, { shape: [2, positions.length] }) };
}

/** Logits [M,V] at the flat positions [M] of the answers. */
function answerLogits(
  model: LanguageModel,
  params: LanguageModelParameters,
  ids: Tensor,
  at: Tensor,
): Tensor {
  const { logits } = model.forward(params, ids);
  return gather(reshape(logits, [ids.size, model.vocabulary]), at);
}

function row(targets: Tensor, i: number): Tensor {
  return reshape(slice(targets, 0, i, i + 1), [targets.shape[1]]);
}

/** A language model whose loss is the mean cross-entropy of the answers alone, in nats an answer. */
export function answeringModel(model: LanguageModel): Trainable<Parameters> {
  return {
    config: { answers: true, ...model.config },
    initialize: (seed) => model.initialize(seed) as Parameters,
    loss: (params, ids, targets) =>
      mean(crossEntropy(answerLogits(model, params, ids, row(targets, 0)), row(targets, 1))),
  };
}

/** Predictions [M] and the mean loss of a model on sequences, without gradients, a few thousand tokens at a time. */
export async function answerSequences(
  model: LanguageModel,
  params: LanguageModelParameters,
  sequences: Sequences,
  signal?: AbortSignal,
): Promise<{ predictions: Int32Array; loss: number }> {
  const [rows, time] = sequences.shape;
  const group = Math.max(1, Math.floor(PASS_TOKENS / time));
  const predictions = new Int32Array(sequences.answers.length);
  let total = 0;
  let done = 0;
  for (let from = 0; from < rows; from += group) {
    signal?.throwIfAborted();
    const part = someRows(sequences, from, Math.min(rows, from + group), done);
    const { best, losses } = scope(() =>
      noGrad(() => {
        const { ids, targets } = answerBatch(part);
        const logits = answerLogits(model, params, ids, row(targets, 0));
        return { best: argmax(logits, 1), losses: crossEntropy(logits, row(targets, 1)) };
      }),
    );
    predictions.set((await best.data()) as Int32Array, done);
    for (const value of await losses.data()) total += value;
    best.dispose();
    losses.dispose();
    done += part.answers.length;
    await yieldToEvents();
  }
  return { predictions, loss: total / predictions.length };
}

/** Rows [from, to) of sequences, whose answers begin at number `first`. */
function someRows(sequences: Sequences, from: number, to: number, first: number): Sequences {
  const { ids, positions, answers, distances, shape } = sequences;
  const time = shape[1];
  let end = first;
  while (end < positions.length && positions[end] < to * time) end++;
  return {
    ids: ids.subarray(from * time, to * time),
    shape: [to - from, time],
    positions: positions.subarray(first, end).map((position) => position - from * time),
    answers: answers.subarray(first, end),
    distances: distances.subarray(first, end),
  };
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
  const { steps, batch, warmup } = recipe;
  const model = languageModel(training.model);
  const shared = { arm, rate, seed, parameters: model.parameterCount, tokens: steps * batch * task.time };
  const started = performance.now();
  const tuned = task.generate(heldOut(task, 'tuning'), TUNING_SEQUENCES);
  let tuning = NaN;
  try {
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
        everySteps: Math.max(1, Math.ceil(steps / recipe.evaluations)),
        run: async (params) => {
          const { predictions } = await answerSequences(model, params, tuned);
          return scoreSequences(tuned, predictions).tokens;
        },
      },
      onProgress: (p) =>
        context.progress?.({
          step: p.step,
          steps: p.steps,
          loss: p.loss,
          tokensPerSecond: p.tokensPerSecond,
          secondsLeft: p.secondsLeft,
        }),
    });
    const { params, history } = result;
    if (result.stopped === 'cancelled')
      throw new CancelledError(`trainOnSequences: cancelled at step ${result.step} of ${steps}`);
    tuning = (await answerSequences(model, params, tuned, context.signal)).loss;
    const scores: { [test: string]: SequenceScore } = {};
    for (const test of tests) {
      const sequences = test.generate(heldOut(task, `test ${test.name}`), test.count);
      const { predictions } = await answerSequences(model, params, sequences, context.signal);
      scores[test.name] = scoreSequences(sequences, predictions);
    }
    for (const t of treeTensors(params)) t.dispose();
    return {
      ...shared,
      tuning,
      scores,
      curve: smooth(history.loss),
      accuracy: { x: history.evaluations.map((e) => e.step), y: history.evaluations.map((e) => e.value) },
      seconds: (performance.now() - started) / 1000,
      tokensPerSecond: result.tokensPerSecond,
      fingerprint: result.fingerprint,
    };
  } catch (error) {
    if (!(error instanceof FitError)) throw error;
    return diverged(shared, error.message, (performance.now() - started) / 1000);
  }
}

const TUNING_SEQUENCES = 256;

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

/** Means over about 60 equal stretches. */
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
