/**
 * Induction heads: a special token is followed by some value; when the special token comes again, the value that
 * followed it last time must be named.
 *
 * Source: mamba, arXiv 2312.00752v2, section 4.1.2 and appendix E.1 (vocabulary 16, trained at length 256, one query at
 * the end of each sequence); Olsson et al. 2022, arXiv 2209.11895.
 *
 * Training sequences are chains of such episodes: every later special token asks for what followed the one before, and
 * the token after it is the value of the next episode. So each sequence has many queries (a deviation), while every
 * answer still has to cross the whole distance to the last special token: no query tells the answer of another one.
 * Tests have the paper's form: one special token anywhere, and one at the end that asks.
 */
import type { Random } from '../core/random.js';
import { joinSequences, LETTERS, requireWhole, type Sequences, type SequenceTask } from './sequence-task.js';
import { randomPlaces } from './selective-copying.js';

export interface InductionOptions {
  /** Tokens of a training sequence, default 64. */
  time?: number;
  /** Most queries of a training sequence, default 8; each sequence has 1 to this many, all equally likely. */
  queries?: number;
  /** Kinds of tokens with the special one (0), default 16. */
  vocabulary?: number;
}

/** An induction task also draws the sequences that test it. */
export interface InductionTask extends SequenceTask {
  /** Sequences of the paper's form: one episode, its query at the last of `time` tokens. */
  generateTest(random: Random, batch: number, time: number): Sequences;
}

const SPECIAL = 0;

/** The task. Values are drawn evenly, so chance is 1 / (vocabulary - 1). */
export function inductionHeads(options: InductionOptions = {}): InductionTask {
  const { time: trained = 64, queries = 8, vocabulary = 16 } = options;
  requireWhole('inductionHeads', 'queries', queries, 1);
  requireWhole('inductionHeads', 'time', trained, 2 * queries + 1);
  requireWhole('inductionHeads', 'vocabulary', vocabulary, 3);
  const values = vocabulary - 1;
  const row = (random: Random, time: number, specials: readonly number[]) => {
    const ids = Int32Array.from({ length: time }, () => 1 + random.int(values));
    for (const place of specials) ids[place] = SPECIAL;
    const later = specials.slice(1);
    return {
      ids,
      positions: later,
      answers: later.map((_, i) => ids[specials[i] + 1]),
      distances: later.map((place, i) => place - specials[i] - 1),
    };
  };
  return {
    id: 'induction-heads',
    about: 'name the token that followed the special token the last time',
    vocabulary,
    time: trained,
    chance: 1 / values,
    symbols: ['*', ...Array.from({ length: values }, (_, i) => LETTERS[i] ?? `<${i}>`)],
    generate: (random, batch, time = trained): Sequences => {
      requireWhole('inductionHeads.generate', 'batch', batch, 1);
      requireWhole('inductionHeads.generate', 'time', time, 2 * queries + 1);
      return joinSequences(
        Array.from({ length: batch }, () => row(random, time, spreadPlaces(random, time, queries))),
      );
    },
    generateTest: (random, batch, time): Sequences => {
      requireWhole('inductionHeads.generateTest', 'batch', batch, 1);
      requireWhole('inductionHeads.generateTest', 'time', time, 3);
      return joinSequences(
        Array.from({ length: batch }, () => row(random, time, [random.int(time - 2), time - 1])),
      );
    },
  };
}

/** Places of 2 to `queries` + 1 special tokens with at least one token between two of them. */
function spreadPlaces(random: Random, time: number, queries: number): number[] {
  const count = 2 + random.int(queries);
  // Places without neighbours are places of a row shorter by count - 1, each pushed on by those before it.
  return randomPlaces(random, time - count + 1, count).map((place, i) => place + i);
}
