/**
 * Selective copying: among noise stand a few data tokens at random places; after the sequence they must be named in
 * order. How far apart they stand differs from sequence to sequence, so counting steps is not enough: what to keep
 * depends on what is read.
 *
 * Source: mamba, arXiv 2312.00752v2, section 4.1.1, figure 2 and appendix E.1 (length 4,096, 16 data tokens, vocabulary
 * 16 with the noise token). Layout as in the copying task there: T tokens of noise and data, then one cue token for each
 * answer; the answer is asked at the cue.
 */
import { ArgumentError, show } from '../core/errors.js';
import type { Random } from '../core/random.js';
import { joinSequences, LETTERS, requireWhole, type Sequences, type SequenceTask } from './sequence-task.js';

export const COPYING_VARIANTS = ['random', 'fixed', 'shuffled'] as const;
/**
 * random: the task. fixed: the data tokens stand at the same, evenly spaced places in every sequence, so that counting
 * steps is enough. shuffled: the answers are drawn anew, independent of the sequence, so that no model can beat chance.
 */
export type CopyingVariant = (typeof COPYING_VARIANTS)[number];

export interface CopyingOptions {
  variant?: CopyingVariant;
  /** Tokens before the cues, default 64. */
  context?: number;
  /** Data tokens, and so cues and answers, default 8. */
  marked?: number;
  /** Kinds of tokens with noise (0) and cue (the last), default 16. */
  vocabulary?: number;
}

const NOISE = 0;

/**
 * The task. Data tokens are drawn evenly and independently, so the best guess without looking is right with probability
 * 1 / (vocabulary - 2): `chance`. In `shuffled` no model does better, whatever it computes.
 */
export function selectiveCopying(options: CopyingOptions = {}): SequenceTask {
  const { variant = 'random', context = 64, marked = 8, vocabulary = 16 } = options;
  if (!COPYING_VARIANTS.includes(variant))
    throw new ArgumentError(
      `selectiveCopying: variant must be one of ${COPYING_VARIANTS.join(', ')}, got ${show(variant)}`,
    );
  requireWhole('selectiveCopying', 'marked', marked, 1);
  requireWhole('selectiveCopying', 'context', context, marked);
  requireWhole('selectiveCopying', 'vocabulary', vocabulary, 4);
  const data = vocabulary - 2;
  const draw = (random: Random, length: number) => {
    const places = variant === 'fixed' ? evenPlaces(length, marked) : randomPlaces(random, length, marked);
    const ids = new Int32Array(length + marked).fill(NOISE);
    ids.fill(vocabulary - 1, length);
    const tokens = places.map(() => 1 + random.int(data));
    places.forEach((place, i) => (ids[place] = tokens[i]));
    return {
      ids,
      positions: places.map((_, i) => length + i),
      answers: variant === 'shuffled' ? places.map(() => 1 + random.int(data)) : tokens,
      distances: places.map((place, i) => length + i - place),
    };
  };
  return {
    id: `selective-copying-${variant}`,
    about:
      variant === 'shuffled'
        ? `name ${marked} tokens that have nothing to do with the ${context} tokens read`
        : `name the ${marked} data tokens among ${context} tokens in order`,
    vocabulary,
    time: context + marked,
    chance: 1 / data,
    symbols: ['.', ...signs(data), '?'],
    generate: (random, batch, time = context + marked): Sequences => {
      requireWhole('selectiveCopying.generate', 'batch', batch, 1);
      requireWhole('selectiveCopying.generate', 'time', time, 2 * marked);
      return joinSequences(Array.from({ length: batch }, () => draw(random, time - marked)));
    },
  };
}

const signs = (count: number): string[] => Array.from({ length: count }, (_, i) => LETTERS[i] ?? `<${i}>`);

/** `count` different places in rising order, each choice equally likely. */
export function randomPlaces(random: Random, length: number, count: number): number[] {
  const chosen = random.permutation(length).subarray(0, count);
  return Array.from(chosen).sort((a, b) => a - b);
}

/** The first place of each of `count` equal stretches. */
function evenPlaces(length: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor((i * length) / count));
}
