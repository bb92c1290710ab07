/** A language model that answers: its loss and its predictions at the positions where a sequence task asks. */
import type { Batch, LanguageModelParameters, Trainable } from '../nn/index.js';
import { yieldToEvents } from '../nn/index.js';
import { gather } from '../ops/index/index.js';
import { argmax, mean } from '../ops/reduce/index.js';
import { crossEntropy } from '../ops/softmax/index.js';
import { reshape, slice } from '../ops/structure/index.js';
import type { Sequences } from '../tasks/sequence-task.js';
import { scope } from '../tensor/scope.js';
import { noGrad } from '../tensor/tape.js';
import { tensor, type Tensor } from '../tensor/tensor.js';
import type { Tree } from '../tensor/tree.js';

/** What an experiment on sequences needs of a model; every language model has it. */
export interface SequenceModel<P extends object = LanguageModelParameters> {
  /** Plain JSON. */
  readonly config: object;
  readonly vocabulary: number;
  readonly parameterCount: number;
  /** Fresh parameters, a function of the seed alone. */
  initialize(seed: number | string): P;
  /** Logits [B,T,V] of i32 ids [B,T]. */
  forward(params: P, ids: Tensor): { logits: Tensor };
}

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
function answerLogits<P extends object>(model: SequenceModel<P>, params: P, ids: Tensor, at: Tensor): Tensor {
  const { logits } = model.forward(params, ids);
  return gather(reshape(logits, [ids.size, model.vocabulary]), at);
}

function row(targets: Tensor, i: number): Tensor {
  return reshape(slice(targets, 0, i, i + 1), [targets.shape[1]]);
}

/** A language model whose loss is the mean cross-entropy of the answers alone, in nats an answer. */
export function answeringModel<P extends object>(model: SequenceModel<P>): Trainable<P & Tree> {
  return {
    config: { answers: true, ...model.config },
    initialize: (seed) => model.initialize(seed) as P & Tree,
    loss: (params, ids, targets) =>
      mean(crossEntropy(answerLogits(model, params, ids, row(targets, 0)), row(targets, 1))),
  };
}

/** Predictions [M] and the mean loss of a model on sequences, without gradients, a few thousand tokens at a time. */
export async function answerSequences<P extends object>(
  model: SequenceModel<P>,
  params: P,
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
    predictions.set(await best.data(), done);
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
