import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../lib/core/random.js';
import { useBackend } from '../../lib/index.js';
import { languageModel } from '../../lib/nn/index.js';
import { answerBatch, answeringModel, answerSequences } from '../../lib/papers/sequence-answers.js';
import { trainOnSequences, type SequenceTraining } from '../../lib/papers/sequence-training.js';
import { crossEntropy } from '../../lib/ops/index.js';
import { inductionHeads } from '../../lib/tasks/induction-heads.js';
import { selectiveCopying } from '../../lib/tasks/selective-copying.js';

const task = inductionHeads({ time: 12, queries: 2, vocabulary: 5 });
const model = languageModel({ kind: 'mamba', width: 8, layers: 1, vocabulary: 5, stateSize: 4 });
const training = (steps: number): SequenceTraining => ({
  arm: 's6',
  model: model.config,
  recipe: { steps, batch: 4, warmup: 2, evaluations: 2 },
  rate: 1e-2,
  seed: 1,
});
const tests = [
  { name: '24', count: 16, generate: (random: Random, n: number) => task.generateTest(random, n, 24) },
];

beforeAll(() => useBackend('wasm'));

describe('the loss of a sequence task', () => {
  it('is the mean cross-entropy of the answers and of nothing else', () => {
    const sequences = task.generate(new Random(1), 6);
    const params = model.initialize(2);
    const { ids, targets } = answerBatch(sequences);
    const loss = answeringModel(model).loss(params, ids, targets).dataSync()[0];
    const everywhere = new Int32Array(sequences.ids.length);
    sequences.positions.forEach((at, i) => (everywhere[at] = sequences.answers[i]));
    const all = crossEntropy(
      model.forward(params, ids).logits,
      answerBatch({ ...sequences, ids: everywhere }).ids,
    ).dataSync();
    const own = [...sequences.positions].map((at) => all[at]);
    expect(loss).toBeCloseTo(own.reduce((a, b) => a + b, 0) / own.length, 5);
  });

  it('is the same whether sequences are scored in one pass or in many', async () => {
    const long = inductionHeads({ time: 200, queries: 3, vocabulary: 5 });
    const sequences = long.generate(new Random(3), 90);
    const params = model.initialize(2);
    const { predictions, loss } = await answerSequences(model, params, sequences);
    const { ids, targets } = answerBatch(sequences);
    const whole = answeringModel(model).loss(params, ids, targets).dataSync()[0];
    expect(loss).toBeCloseTo(whole, 5);
    expect(predictions).toHaveLength(sequences.answers.length);
    const logits = model.forward(params, ids).logits.dataSync();
    const best = [...sequences.positions].map((at) => {
      const row = [...logits.subarray(at * 5, at * 5 + 5)];
      return row.indexOf(Math.max(...row));
    });
    expect([...predictions]).toEqual(best);
  });
});

describe('a training on sequences', () => {
  it('repeats bit for bit and reports what it did', async () => {
    const [a, b] = [
      await trainOnSequences(training(6), task, tests, {}),
      await trainOnSequences(training(6), task, tests, {}),
    ];
    expect(a.fingerprint).toBe(b.fingerprint);
    expect(a.scores).toEqual(b.scores);
    expect(a.tokens).toBe(6 * 4 * 12);
    expect(a.accuracy.x).toEqual([3, 6]);
    expect(a.curve.y.every(Number.isFinite)).toBe(true);
    expect(Object.keys(a.scores!)).toEqual(['24']);
    expect(JSON.parse(JSON.stringify(a))).toEqual(a);
  });

  it('goes on from its checkpoint to the same weights', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'assay sequences '));
    const checkpoint = join(folder, 'one.safetensors');
    const whole = await trainOnSequences(training(12), task, tests, {});
    const stop = new AbortController();
    const interrupted = trainOnSequences(training(12), task, tests, {
      checkpoint,
      signal: stop.signal,
      progress: ({ step }) => step >= 1 && stop.abort(),
    });
    await expect(interrupted).rejects.toThrow(/cancelled at step/);
    const resumed = await trainOnSequences(training(12), task, tests, { checkpoint });
    expect(resumed.fingerprint).toBe(whole.fingerprint);
    rmSync(folder, { recursive: true });
  });

  it('reports divergence as a result', async () => {
    const result = await trainOnSequences({ ...training(40), rate: 1e30 }, task, tests, {});
    expect(result).toMatchObject({ tuning: null, scores: null, fingerprint: 'diverged' });
    expect(result.diverged).toMatch(/must be finite/);
  });

  it('learns: a small S6 recalls after a few hundred steps, and its held-out sequences are never trained on', async () => {
    const small = selectiveCopying({ context: 6, marked: 1, vocabulary: 5 });
    const seen = new Set<string>();
    const held = {
      name: 'held',
      count: 200,
      generate: (random: Random, n: number) => small.generate(random, n),
    };
    const { scores } = await trainOnSequences(
      {
        ...training(150),
        model: { kind: 'mamba', width: 16, layers: 1, vocabulary: 5, stateSize: 4 },
        recipe: { steps: 150, batch: 16, warmup: 10, evaluations: 1 },
        rate: 2e-2,
      },
      { ...small, generate: (random, n) => (seen.add(String(random.key)), small.generate(random, n)) },
      [held],
      {},
    );
    expect(scores!['held'].tokens).toBeGreaterThan(0.95);
    // One stream for each step and one for tuning; the test has its own.
    expect(seen.size).toBe(151);
  });
});
