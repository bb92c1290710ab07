/** Batches for training and losses on held-out text. */
import { stopSignal } from '../core/ambient-signal.js';
import { ArgumentError, ShapeError } from '../core/errors.js';
import type { Random } from '../core/random.js';
import { crossEntropy } from '../ops/softmax/index.js';
import { scope } from '../tensor/scope.js';
import { noGrad } from '../tensor/tape.js';
import { tensor, type Tensor } from '../tensor/tensor.js';
import type { LanguageModel, LanguageModelParameters } from './language-model.js';
import { yieldToEvents } from './progress.js';

/** i32 ids [B,T] and the tokens that should follow them [B,T]. */
export interface Batch {
  ids: Tensor;
  targets: Tensor;
}

/** A batch from plain arrays of B rows of T token ids. */
export function batchOf(ids: Int32Array, targets: Int32Array, shape: readonly [number, number]): Batch {
  return { ids: tensor(ids, { shape }), targets: tensor(targets, { shape }) };
}

/** Anything that draws windows of a text, such as a ByteDataset. */
export interface WindowSource {
  batch(random: Random, B: number, T: number): { inputs: Int32Array; targets: Int32Array };
}

/** The `data` function of train() for a text: B random windows of T tokens a step. */
export function windowsOf(
  source: WindowSource,
  B: number,
  T: number,
): (step: number, random: Random) => Batch {
  return (_, random) => {
    const { inputs, targets } = source.batch(random, B, T);
    return batchOf(inputs, targets, [B, T]);
  };
}

/** A held-out window; its first `skip` targets are not scored. */
export interface EvaluationWindow {
  inputs: Int32Array;
  targets: Int32Array;
  skip?: number;
}

/**
 * Mean cross-entropy in nats per scored token over windows of equal length, without gradients; divide by ln 2 for bits
 * per byte. Sums in f64 in the order of the windows, so the batch size changes the last bits of the logits at most.
 * @throws ArgumentError without windows or scored tokens; ShapeError for windows of different lengths
 */
export async function evaluateWindows(
  model: LanguageModel,
  params: LanguageModelParameters,
  windows: readonly EvaluationWindow[],
  options: { batch?: number; signal?: AbortSignal } = {},
): Promise<number> {
  const { batch = 8 } = options;
  const signal = stopSignal(options.signal);
  const T = windows[0]?.inputs.length;
  let total = 0;
  let scored = 0;
  for (let at = 0; at < windows.length; at += batch) {
    signal?.throwIfAborted();
    const group = windows.slice(at, at + batch);
    const losses = await tokenLosses(model, params, group, T);
    for (const [i, { skip = 0 }] of group.entries()) {
      for (let t = skip; t < T; t++) total += losses[i * T + t];
      scored += Math.max(0, T - skip);
    }
    await yieldToEvents();
  }
  if (scored === 0)
    throw new ArgumentError('evaluateWindows: windows must hold at least one scored token, got none');
  return total / scored;
}

/** Mean loss in nats per token over batches of equal size, without gradients. Batches are made when their turn comes. */
export async function meanLoss<P>(
  model: { loss(params: P, ids: Tensor, targets: Tensor): Tensor },
  params: P,
  batches: Iterable<() => Batch>,
): Promise<number> {
  let total = 0;
  let count = 0;
  for (const batch of batches) {
    const loss = scope(() =>
      noGrad(() => {
        const { ids, targets } = batch();
        return model.loss(params, ids, targets);
      }),
    );
    total += await loss.item();
    loss.dispose();
    count++;
    await yieldToEvents();
  }
  if (count === 0) throw new ArgumentError('meanLoss: batches must hold at least one batch, got none');
  return total / count;
}

async function tokenLosses(
  model: LanguageModel,
  params: LanguageModelParameters,
  group: readonly EvaluationWindow[],
  T: number,
): Promise<ArrayLike<number>> {
  const ids = new Int32Array(group.length * T);
  const targets = new Int32Array(group.length * T);
  for (const [i, w] of group.entries()) {
    if (w.inputs.length !== T || w.targets.length !== T)
      throw new ShapeError(
        `evaluateWindows: windows must have ${T} tokens each, got ${w.inputs.length} and ${w.targets.length}`,
      );
    ids.set(w.inputs, i * T);
    targets.set(w.targets, i * T);
  }
  const loss = scope(() =>
    noGrad(() => {
      const tensors = batchOf(ids, targets, [group.length, T]);
      return crossEntropy(model.forward(params, tensors.ids).logits, tensors.targets);
    }),
  );
  const values = await loss.data();
  loss.dispose();
  return values;
}
