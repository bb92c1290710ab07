import { describe, expect, it } from 'vitest';
import { Random } from '../../lib/core/random.js';
import { associativeRecall, shareWithin } from '../../lib/tasks/associative-recall.js';
import { inductionHeads } from '../../lib/tasks/induction-heads.js';
import { selectiveCopying } from '../../lib/tasks/selective-copying.js';
import {
  drawSequence,
  joinSequences,
  scoreSequences,
  type Sequences,
  type SequenceTask,
} from '../../lib/tasks/sequence-task.js';

/** The rows of a batch with their own positions. */
function rowsOf({ ids, shape, positions, answers, distances }: Sequences) {
  const [rows, time] = shape;
  return Array.from({ length: rows }, (_, b) => {
    const own = Array.from(positions.keys()).filter((i) => Math.floor(positions[i] / time) === b);
    return {
      ids: Array.from(ids.subarray(b * time, (b + 1) * time)),
      asked: own.map((i) => ({ at: positions[i] - b * time, answer: answers[i], distance: distances[i] })),
    };
  });
}

/** Every count lies within five standard deviations of an even spread. */
function expectEven(counts: readonly number[], total: number): void {
  const p = 1 / counts.length;
  for (const count of counts)
    expect(Math.abs(count - total * p)).toBeLessThan(5 * Math.sqrt(total * p * (1 - p)));
}

const TASKS: SequenceTask[] = [
  selectiveCopying(),
  selectiveCopying({ variant: 'fixed' }),
  selectiveCopying({ variant: 'shuffled' }),
  inductionHeads(),
  associativeRecall(),
];

describe.each(TASKS)('$id', (task) => {
  it('is a function of the random stream: same stream, same sequences', () => {
    const make = (seed: number | string) => task.generate(new Random(seed), 4);
    expect(make(1)).toEqual(make(1));
    expect(make(1).ids).not.toEqual(make(2).ids);
  });

  it('asks after reading the token at each position, in rising order, with tokens of its vocabulary', () => {
    const { ids, positions, answers, shape } = task.generate(new Random(3), 16);
    expect(shape).toEqual([16, task.time]);
    for (const token of [...ids, ...answers]) {
      expect(token).toBeGreaterThanOrEqual(0);
      expect(token).toBeLessThan(task.vocabulary);
    }
    for (let i = 1; i < positions.length; i++) expect(positions[i]).toBeGreaterThan(positions[i - 1]);
  });

  it('cannot be guessed better than chance without looking: all answers are equally likely', () => {
    const { answers } = task.generate(new Random(4), 2000);
    const counts = new Map<number, number>();
    for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
    expect(counts.size).toBe(Math.round(1 / task.chance));
    expectEven([...counts.values()], answers.length);
  });

  it('has a sign for every token, and draws one sequence with its answers below', () => {
    expect(new Set(task.symbols).size).toBe(task.vocabulary);
    const [read, answer] = drawSequence(task, task.generate(new Random(5), 2), 1).split('\n');
    expect(read).toHaveLength('read    '.length + task.time);
    expect(answer.trim().length).toBeGreaterThan(6);
    expect(() => drawSequence(task, task.generate(new Random(5), 2), 2)).toThrow(
      /row must be an integer in 0\.\.1/,
    );
  });
});

describe('selective copying', () => {
  it('asks for the data tokens in the order in which they stand, one at each cue', () => {
    const task = selectiveCopying({ context: 20, marked: 5, vocabulary: 9 });
    for (const { ids, asked } of rowsOf(task.generate(new Random(1), 50))) {
      expect(ids.slice(20)).toEqual([8, 8, 8, 8, 8]);
      const data = ids.slice(0, 20).filter((token) => token !== 0);
      expect(asked.map(({ answer }) => answer)).toEqual(data);
      const places = [...ids.slice(0, 20).keys()].filter((t) => ids[t] !== 0);
      expect(asked.map(({ at, distance }) => at - distance)).toEqual(places);
    }
  });

  it('puts data tokens at every place equally often, and at the same places when fixed', () => {
    const places = (variant: 'random' | 'fixed') =>
      rowsOf(selectiveCopying({ context: 12, marked: 3, variant }).generate(new Random(2), 3000)).map(
        ({ ids }) => [...ids.slice(0, 12).keys()].filter((t) => ids[t] !== 0),
      );
    const random = places('random').flat();
    expectEven(
      Array.from({ length: 12 }, (_, t) => random.filter((place) => place === t).length),
      random.length,
    );
    expect(new Set(places('fixed').map(String))).toEqual(new Set(['0,4,8']));
  });

  it('shuffled: even the right tokens are right only by chance', () => {
    const task = selectiveCopying({ context: 16, marked: 4, vocabulary: 8, variant: 'shuffled' });
    const sequences = task.generate(new Random(6), 4000);
    const seen = rowsOf(sequences).flatMap(({ ids }) => ids.slice(0, 16).filter((token) => token !== 0));
    const n = seen.length;
    const { tokens } = scoreSequences(sequences, seen);
    expect(Math.abs(tokens - task.chance)).toBeLessThan(5 * Math.sqrt((task.chance * (1 - task.chance)) / n));
  });

  it('refuses sizes that cannot be', () => {
    expect(() => selectiveCopying({ context: 3, marked: 4 })).toThrow(
      /context must be an integer >= 4, got 3/,
    );
    expect(() => selectiveCopying({ vocabulary: 3 })).toThrow(/vocabulary must be an integer >= 4/);
    expect(() => selectiveCopying({ variant: 'other' as never })).toThrow(
      /variant must be one of random, fixed, shuffled/,
    );
    expect(() => selectiveCopying().generate(new Random(1), 0)).toThrow(/batch must be an integer >= 1/);
  });
});

describe('multi-query associative recall', () => {
  const task = associativeRecall({ time: 40, pairs: 6, vocabulary: 20 });
  const rows = rowsOf(task.generate(new Random(1), 400));

  it('gives pairs of different keys and different values, then asks every key once for its value', () => {
    for (const { ids, asked } of rows) {
      const keys = Array.from({ length: 6 }, (_, i) => ids[2 * i]);
      const values = Array.from({ length: 6 }, (_, i) => ids[2 * i + 1]);
      expect(new Set(keys).size).toBe(6);
      expect(new Set(values).size).toBe(6);
      expect(keys.every((key) => key >= 1 && key < 10)).toBe(true);
      expect(values.every((value) => value >= 10)).toBe(true);
      expect(asked.map(({ at }) => ids[at]).sort()).toEqual([...keys].sort());
      for (const { at, answer, distance } of asked) {
        expect(answer).toBe(values[keys.indexOf(ids[at])]);
        expect(ids[at - distance]).toBe(answer);
        expect(at % 2).toBe(0);
      }
      expect(ids.slice(12).filter((token) => token !== 0)).toHaveLength(6);
    }
  });

  it('puts queries behind the pairs more often, or evenly with power 1', () => {
    const first = (power: number) => {
      const drawn = associativeRecall({ time: 64, pairs: 2, vocabulary: 20, power });
      const places = rowsOf(drawn.generate(new Random(2), 4000)).flatMap(({ asked }) =>
        asked.map(({ at }) => (at - 4) / 2),
      );
      return Array.from({ length: 30 }, (_, slot) => places.filter((place) => place === slot).length);
    };
    expectEven(first(1), 8000);
    const [near, next] = first(0.01);
    expect(near).toBeGreaterThan(1.5 * next);
  });

  it('fills every slot when there is no room, and says how many answers a reach covers', () => {
    const full = associativeRecall({ time: 16, pairs: 4, vocabulary: 12 }).generate(new Random(3), 20);
    for (const { ids } of rowsOf(full))
      expect([8, 10, 12, 14].every((t) => ids[t] !== 0 && ids[t + 1] === 0)).toBe(true);
    expect(shareWithin(full, 16)).toBe(1);
    expect(shareWithin(full, 0)).toBe(0);
    const near = [...full.distances].filter((distance) => distance <= 5).length;
    expect(shareWithin(full, 5)).toBe(near / 80);
  });

  it('refuses sizes that cannot be', () => {
    expect(() => associativeRecall({ time: 30, pairs: 8 })).toThrow(/time must be an integer >= 32, got 30/);
    expect(() => associativeRecall({ time: 41, pairs: 8 })).toThrow(/time must be even, got 41/);
    expect(() => associativeRecall({ vocabulary: 12, pairs: 8 })).toThrow(/vocabulary must be .* >= 18/);
    expect(() => associativeRecall({ vocabulary: 65 })).toThrow(/vocabulary must be even/);
    expect(() => associativeRecall({ power: 0 })).toThrow(/power must lie in \(0, 1\], got 0/);
    expect(() => associativeRecall().generate(new Random(1), 2, 20)).toThrow(/time must be an integer >= 32/);
  });
});

describe('induction heads', () => {
  it('asks at every later special token for what followed the one before', () => {
    const task = inductionHeads({ time: 24, queries: 5, vocabulary: 6 });
    for (const { ids, asked } of rowsOf(task.generate(new Random(1), 200))) {
      const specials = [...ids.keys()].filter((t) => ids[t] === 0);
      expect(asked).toEqual(
        specials.slice(1).map((at, i) => ({
          at,
          answer: ids[specials[i] + 1],
          distance: at - specials[i] - 1,
        })),
      );
      // A value is never the special token, so no query stands where a value is read.
      expect(asked.every(({ distance, answer }) => distance >= 1 && answer !== 0)).toBe(true);
    }
  });

  it('has one query to the most allowed in a sequence, all equally often, anywhere', () => {
    const rows = rowsOf(inductionHeads({ time: 24, queries: 4 }).generate(new Random(2), 4000));
    const counts = [1, 2, 3, 4].map((n) => rows.filter(({ asked }) => asked.length === n).length);
    expectEven(counts, rows.length);
    const single = rows.filter(({ asked }) => asked.length === 1).map(({ asked }) => asked[0]);
    expect(Math.max(...single.map(({ distance }) => distance))).toBe(22);
    expect(Math.min(...single.map(({ distance }) => distance))).toBe(1);
  });

  it('tests in the form of the paper: one episode, its query at the last token, its start anywhere', () => {
    const task = inductionHeads({ time: 24, queries: 4 });
    const rows = rowsOf(task.generateTest(new Random(3), 3000, 50));
    for (const { ids, asked } of rows) {
      expect(ids).toHaveLength(50);
      expect(ids.filter((token) => token === 0)).toHaveLength(2);
      expect(asked.map(({ at }) => at)).toEqual([49]);
      expect(asked[0].answer).toBe(ids[ids.indexOf(0) + 1]);
    }
    expectEven(
      Array.from({ length: 48 }, (_, i) => rows.filter(({ asked }) => asked[0].distance === i + 1).length),
      rows.length,
    );
  });

  it('refuses sizes that cannot be', () => {
    expect(() => inductionHeads({ time: 16, queries: 8 })).toThrow(/time must be an integer >= 17, got 16/);
    expect(() => inductionHeads().generateTest(new Random(1), 4, 2)).toThrow(/time must be an integer >= 3/);
  });
});

describe('scores of sequences', () => {
  const sequences = joinSequences([
    { ids: Int32Array.of(1, 2, 3, 4), positions: [1, 3], answers: [5, 6], distances: [1, 3] },
    { ids: Int32Array.of(1, 2, 3, 4), positions: [0, 2], answers: [7, 8], distances: [1, 4] },
  ]);

  it('count answers, whole sequences and answers by distance', () => {
    expect(sequences.positions).toEqual(Int32Array.of(1, 3, 4, 6));
    expect(scoreSequences(sequences, [5, 0, 7, 8])).toEqual({
      tokens: 0.75,
      sequences: 0.5,
      mismatched: 0,
      distances: [
        { upTo: 1, count: 2, tokens: 1 },
        { upTo: 4, count: 2, tokens: 0.5 },
      ],
    });
  });

  it('tell what the next answer would give: chance for a model that is right', () => {
    expect(scoreSequences(sequences, [6, 7, 0, 5]).mismatched).toBe(0.75);
    const task = inductionHeads();
    const many = task.generateTest(new Random(1), 20_000, 3);
    const score = scoreSequences(many, many.answers);
    expect(score.tokens).toBe(1);
    expect(Math.abs(score.mismatched - task.chance)).toBeLessThan(5 * Math.sqrt(task.chance / 20_000));
  });

  it('refuse predictions and rows that do not fit', () => {
    expect(() => scoreSequences(sequences, [1])).toThrow(/predictions must hold 4 tokens, got 1/);
    const row = { positions: [], answers: [], distances: [] };
    expect(() =>
      joinSequences([
        { ids: Int32Array.of(1), ...row },
        { ids: Int32Array.of(1, 2), ...row },
      ]),
    ).toThrow(/rows must have 1 tokens each, got 2 in row 1/);
  });
});
