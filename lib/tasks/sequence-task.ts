/**
 * Synthetic tasks on token sequences with exact answers at given positions; nothing else is scored.
 * Made on purpose for one ability, so that a failure says which one is lacking.
 */
import { ArgumentError, ShapeError } from '../core/errors.js';
import type { Random } from '../core/random.js';

/** B sequences of T tokens with M answers in all. */
export interface Sequences {
  /** [B,T] */
  ids: Int32Array;
  shape: readonly [number, number];
  /** [M], b T + t in rising order: after reading token t of sequence b the model must name the answer. */
  positions: Int32Array;
  /** [M] tokens. */
  answers: Int32Array;
  /** [M] tokens from where the answer was read to where it is asked. */
  distances: Int32Array;
}

/** A task: how its sequences are drawn. */
export interface SequenceTask {
  id: string;
  /** What must be done, in one sentence. */
  about: string;
  /** Number of token kinds. */
  vocabulary: number;
  /** Tokens of a sequence in training. */
  time: number;
  /** Expected accuracy of the best guess that does not look at the sequence. */
  chance: number;
  /** A sign for each token in drawings. */
  symbols: readonly string[];
  /** B sequences of `time` tokens (default that of training): a function of the random stream alone. */
  generate(random: Random, batch: number, time?: number): Sequences;
}

/** Letters for data tokens in drawings. */
export const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** Puts sequences that were made one by one into one batch. */
export function joinSequences(
  rows: readonly { ids: Int32Array; positions: number[]; answers: number[]; distances: number[] }[],
): Sequences {
  const time = rows[0]?.ids.length ?? 0;
  const ids = new Int32Array(rows.length * time);
  rows.forEach((row, b) => {
    if (row.ids.length !== time)
      throw new ShapeError(
        `joinSequences: rows must have ${time} tokens each, got ${row.ids.length} in row ${b}`,
      );
    ids.set(row.ids, b * time);
  });
  return {
    ids,
    shape: [rows.length, time],
    positions: Int32Array.from(rows.flatMap((row, b) => row.positions.map((t) => b * time + t))),
    answers: Int32Array.from(rows.flatMap((row) => row.answers)),
    distances: Int32Array.from(rows.flatMap((row) => row.distances)),
  };
}

/** Share of right answers, of sequences with all answers right, and of right answers by distance. */
export interface SequenceScore {
  tokens: number;
  sequences: number;
  /** Share of predictions that are right for the answer after their own: chance, unless something else is scored. */
  mismatched: number;
  /** Upper ends of the distance classes (powers of two), answers in each and the share that is right. */
  distances: { upTo: number; count: number; tokens: number }[];
}

/** Scores predictions [M] for sequences. Without answers the shares are NaN. */
export function scoreSequences(sequences: Sequences, predictions: ArrayLike<number>): SequenceScore {
  const { answers, positions, distances, shape } = sequences;
  if (predictions.length !== answers.length)
    throw new ShapeError(
      `scoreSequences: predictions must hold ${answers.length} tokens, got ${predictions.length}`,
    );
  const wrongRows = new Set<number>();
  const rows = new Set<number>();
  const classes = new Map<number, { count: number; right: number }>();
  let right = 0;
  let mismatched = 0;
  answers.forEach((answer, i) => {
    const row = Math.floor(positions[i] / shape[1]);
    const upTo = 2 ** Math.ceil(Math.log2(Math.max(1, distances[i])));
    const own = classes.get(upTo) ?? { count: 0, right: 0 };
    classes.set(upTo, own);
    rows.add(row);
    own.count++;
    if (predictions[i] === answers[(i + 1) % answers.length]) mismatched++;
    if (predictions[i] === answer) {
      own.right++;
      right++;
    } else wrongRows.add(row);
  });
  return {
    tokens: right / answers.length,
    sequences: 1 - wrongRows.size / rows.size,
    mismatched: mismatched / answers.length,
    distances: [...classes]
      .sort(([a], [b]) => a - b)
      .map(([upTo, { count, right: hits }]) => ({ upTo, count, tokens: hits / count })),
  };
}

/** One sequence as two lines of text: its tokens, and below them the answers where they are asked. */
export function drawSequence(task: SequenceTask, sequences: Sequences, row = 0): string {
  const [rows, time] = sequences.shape;
  if (!Number.isInteger(row) || row < 0 || row >= rows)
    throw new ArgumentError(`drawSequence: row must be an integer in 0..${rows - 1}, got ${row}`);
  const tokens = Array.from(sequences.ids.subarray(row * time, (row + 1) * time), (id) => task.symbols[id]);
  const below = new Array<string>(time).fill(' ');
  sequences.positions.forEach((position, i) => {
    if (Math.floor(position / time) === row) below[position % time] = task.symbols[sequences.answers[i]];
  });
  return `read    ${tokens.join('')}\nanswer  ${below.join('').trimEnd()}`;
}

/** @throws ArgumentError unless `value` is an integer >= least */
export function requireWhole(where: string, name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least)
    throw new ArgumentError(`${where}: ${name} must be an integer >= ${least}, got ${value}`);
}
