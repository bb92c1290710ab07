/**
 * Multi-query associative recall (MQAR): pairs of a key and a value come first; later each key stands once more, and its
 * value must be named. How many pairs a mixer can keep is decided by the size of its state.
 *
 * Source: Arora et al. 2023, Zoology, arXiv 2312.04927, as based, arXiv 2402.18668, uses it. Keys and values are drawn
 * without repetition from the two halves of the vocabulary; queries stand at even distances behind the pairs, the places
 * nearer to the pairs more likely by a power law. Deviation: what stands between queries is one blank token (0), not a
 * random one, so that no key comes a third time.
 */
import { ArgumentError } from '../core/errors.js';
import * as math from '../core/math.js';
import type { Random } from '../core/random.js';
import { joinSequences, LETTERS, requireWhole, type Sequences, type SequenceTask } from './sequence-task.js';

export interface RecallOptions {
  /** Tokens of a sequence, even, default 64. At least 4 a pair. */
  time?: number;
  /** Pairs, and so queries and answers, default 8. */
  pairs?: number;
  /** Kinds of tokens with the blank (0): keys below the middle, values from it; even, default 64. */
  vocabulary?: number;
  /** Exponent a of the power law a x^(a - 1) of the places of queries, default 0.01; 1 draws them evenly. */
  power?: number;
}

const BLANK = 0;

/** The task. Values are drawn evenly, so the best guess without looking is right with probability 2 / vocabulary. */
export function associativeRecall(options: RecallOptions = {}): SequenceTask {
  const { time: trained = 64, pairs = 8, vocabulary = 64, power = 0.01 } = options;
  requireWhole('associativeRecall', 'pairs', pairs, 1);
  requireWhole('associativeRecall', 'vocabulary', vocabulary, 2 * pairs + 2);
  if (vocabulary % 2 !== 0)
    throw new ArgumentError(`associativeRecall: vocabulary must be even, got ${vocabulary}`);
  if (!(power > 0 && power <= 1))
    throw new ArgumentError(`associativeRecall: power must lie in (0, 1], got ${power}`);
  requireTime('associativeRecall', trained, pairs);
  const half = vocabulary / 2;
  const row = (random: Random, time: number) => {
    const keys = random.permutation(half - 1).subarray(0, pairs);
    const values = random.permutation(half).subarray(0, pairs);
    const slots = spread(random, (time - 2 * pairs) / 2, pairs, power);
    const ids = new Int32Array(time).fill(BLANK);
    const asked = Array.from(keys, (key, i) => {
      const at = 2 * pairs + 2 * slots[i];
      ids[2 * i] = ids[at] = 1 + key;
      ids[2 * i + 1] = half + values[i];
      return { at, answer: half + values[i], distance: at - (2 * i + 1) };
    }).sort((a, b) => a.at - b.at);
    return {
      ids,
      positions: asked.map(({ at }) => at),
      answers: asked.map(({ answer }) => answer),
      distances: asked.map(({ distance }) => distance),
    };
  };
  return {
    id: 'associative-recall',
    about: `name the values of ${pairs} keys that were read before`,
    vocabulary,
    time: trained,
    chance: 1 / half,
    symbols: symbols(half),
    generate: (random, batch, time = trained): Sequences => {
      requireWhole('associativeRecall.generate', 'batch', batch, 1);
      requireTime('associativeRecall.generate', time, pairs);
      return joinSequences(Array.from({ length: batch }, () => row(random, time)));
    },
  };
}

function requireTime(where: string, time: number, pairs: number): void {
  requireWhole(where, 'time', time, 4 * pairs);
  if (time % 2 !== 0) throw new ArgumentError(`${where}: time must be even, got ${time}`);
}

/** Signs of values: digits, then Greek letters. */
const VALUES = '0123456789αβγδεζηθικλμνξοπρστυφχψω';

/** A dot, then letters for keys and signs of their own for values. */
function symbols(half: number): string[] {
  return [
    '.',
    ...Array.from({ length: half - 1 }, (_, i) => LETTERS[i] ?? `<${i}>`),
    ...Array.from({ length: half }, (_, i) => VALUES[i] ?? `[${i}]`),
  ];
}

/** `count` different slots of `slots`, one after the other, slot x with weight x^(a - 1) among those left (x from 1). */
function spread(random: Random, slots: number, count: number, power: number): number[] {
  const weights = Array.from({ length: slots }, (_, i) => math.pow(i + 1, power - 1));
  return Array.from({ length: count }, () => {
    const total = weights.reduce((a, b) => a + b, 0);
    let left = random.uniform() * total;
    let chosen = -1;
    for (let i = 0; i < slots; i++) {
      if (weights[i] === 0) continue;
      chosen = i;
      left -= weights[i];
      if (left < 0) break;
    }
    weights[chosen] = 0;
    return chosen;
  });
}

/** Share of the answers whose value was read at most `tokens` tokens before it is asked. */
export function shareWithin(sequences: Sequences, tokens: number): number {
  const near = sequences.distances.reduce((n, distance) => n + (distance <= tokens ? 1 : 0), 0);
  return near / sequences.distances.length;
}
