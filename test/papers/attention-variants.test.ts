/** Grouped queries, rotary positions and Based: what their experiments find at the smallest size. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Random } from '../../lib/core/random.js';
import { generatedText, useBackend } from '../../lib/index.js';
import { recallModel, recallState, type RecallModel } from '../../lib/papers/based/model.js';
import { recallPlan } from '../../lib/papers/based/recall.js';
import { uptrain, uptrainingPlan } from '../../lib/papers/gqa/uptraining.js';
import {
  experimentOf,
  judge,
  makeRun,
  openSetup,
  papers,
  preview,
  runExperiment,
  type Paper,
} from '../../lib/papers/index.js';
import { convergencePlan, modelWith } from '../../lib/papers/rope/convergence.js';
import { associativeRecall, shareWithin } from '../../lib/tasks/associative-recall.js';
import { parameterCount } from '../../lib/nn/index.js';
import { tensor } from '../../lib/tensor/tensor.js';
import { treeEntries, type Tree } from '../../lib/tensor/tree.js';

const { gqa, rope, based } = papers;

async function run(paper: Paper, id: string) {
  const experiment = experimentOf(paper, id);
  const setup = await openSetup({ size: 'smoke', threads: 1, ...(experiment.text ? {} : { text: 'none' }) });
  return makeRun(paper, experiment, setup, await runExperiment(experiment, { setup }));
}

/** Outcomes of the claims of an experiment at size smoke. */
async function outcomes(paper: Paper, id: string): Promise<Record<string, string>> {
  const found = await run(paper, id);
  return Object.fromEntries(
    preview(paper, [found])
      .filter(({ claim }) => experimentOf(paper, id).claims.includes(claim.id))
      .map(({ claim, judgement }) => [claim.id.slice(paper.id.length + 1), judgement.outcome]),
  );
}

beforeAll(() => useBackend('wasm'));

describe('the counted claims', () => {
  it('of grouped queries hold: a cache of G/H', async () => {
    expect(await outcomes(gqa, 'counts')).toEqual({ cache: 'supports' });
  }, 60_000);

  it('of rotary positions hold: scores of distances, a bound that falls', async () => {
    expect(await outcomes(rope, 'counts')).toEqual({
      'relative-position': 'supports',
      'long-term-decay': 'supports',
    });
  }, 60_000);

  it('of Based hold: the series, 273 and 153 features, a state that does not grow', async () => {
    expect(await outcomes(based, 'counts')).toEqual({ 'taylor-map': 'supports', 'state-bytes': 'supports' });
  }, 60_000);
});

describe('the trained and timed claims', () => {
  it.each([
    [gqa, 'timing'],
    [gqa, 'uptraining'],
    [rope, 'convergence'],
    [based, 'recall'],
  ] as [Paper, string][])(
    'of %o are measured but not judged by the smallest size',
    async (paper, id) => {
      const found = await outcomes(paper, id);
      expect(Object.values(found)).toEqual(Object.keys(found).map(() => 'not-run'));
    },
    60_000,
  );

  it('have every arm that their criteria name', async () => {
    for (const [paper, id] of [
      [gqa, 'uptraining'],
      [rope, 'convergence'],
      [based, 'recall'],
    ] as [Paper, string][]) {
      const { measurements } = await run(paper, id);
      for (const claim of experimentOf(paper, id).claims) {
        const arms = new Set(measurements[claim].map(({ arm }) => arm));
        const { pictures = [], criterion } = paper.claims.find((entry) => entry.id === claim)!;
        for (const arm of pictures.flatMap((picture) => picture.arms)) expect(arms).toContain(arm);
        const named = JSON.stringify(criterion).matchAll(/"(?:arm|against)":"([^"]*)"/g);
        for (const [, arm] of named) expect(arms).toContain(arm);
      }
    }
  }, 60_000);

  it('stay not attempted without a run, and say why they cannot be tested where they cannot', () => {
    for (const paper of [gqa, rope, based] as Paper[])
      for (const claim of paper.claims) {
        expect(judge(claim, []).word).toBe('not attempted');
        expect(Boolean(claim.criterion) !== Boolean(claim.notTestable)).toBe(true);
      }
  });
});

describe('uptraining', () => {
  const text = generatedText(undefined, 60_000);
  const task = { ...uptrainingPlan('smoke'), seed: 7 };

  it('repeats bit for bit, goes on from one model, and holds every conversion', async () => {
    const [a, b] = [await uptrain(task, text, {}), await uptrain(task, text, {})];
    expect(a).toEqual(b);
    expect(a.branches.map(({ arm }) => arm)).toEqual([
      'multi-head',
      ...['2 heads', '1 head'].flatMap((heads) => ['mean', 'first', 'random'].map((p) => `${heads}, ${p}`)),
    ]);
    expect(a.branches[0].converted).toBe(a.trained);
    expect(new Set(a.branches.map(({ converted }) => converted)).size).toBe(7);
  }, 60_000);

  it('stops when it is cancelled', async () => {
    const stop = new AbortController();
    stop.abort();
    await expect(uptrain(task, text, { signal: stop.signal })).rejects.toThrow(/cancelled/);
  });
});

describe('the models of the recall experiment', () => {
  const arms = Object.entries(recallPlan('lesson').arms);
  const models = arms.map(([arm, { model }]) => [arm, model] as [string, RecallModel]);

  it.each(models)('%s: parameters are counted right, and no token sees a later one', (_, config) => {
    const model = recallModel(config);
    const params = model.initialize(1);
    const count = treeEntries(params as Tree).reduce((n, [, t]) => n + t.size, 0);
    expect(model.parameterCount).toBe(count);
    const random = new Random('recall model');
    const ids = Int32Array.from({ length: 24 }, () => random.int(64));
    const logits = (later: number) => {
      const changed = ids.map((id, i) => (i % 12 > 7 ? later : id));
      return model
        .forward(params, tensor(changed, { shape: [2, 12] }))
        .logits.dataSync()
        .slice();
    };
    const [a, b] = [logits(1), logits(2)];
    for (let t = 0; t < 12; t++) {
      const rows = [0, 12].map((start) => (start + t) * 64);
      const same = rows.every((row) => a.slice(row, row + 64).every((value, i) => value === b[row + i]));
      expect(same).toBe(t <= 7);
    }
  });

  it('keep bytes in the order of their names, windows the fewest of those that attend', () => {
    const bytes = Object.fromEntries(models.map(([arm, model]) => [arm, recallState(model, 64)]));
    expect(bytes['small state']).toBeLessThan(bytes['middle state']);
    expect(bytes['middle state']).toBeLessThan(bytes['large state']);
    expect(bytes['large state']).toBeLessThan(bytes['attention']);
    expect(bytes['only windows']).toBe(2 * 4 * 2 * 16 * 4);
    expect(bytes['without a window']).toBeGreaterThan(bytes['middle state']);
  });

  it('two windows of 4 see six tokens back', () => {
    const config = arms.find(([arm]) => arm === 'only windows')![1].model;
    const model = recallModel(config);
    const params = model.initialize(1);
    const last = (changed: number) => {
      const ids = Int32Array.from({ length: 10 }, (_, i) => (i === changed ? 5 : 1));
      return [
        ...model
          .forward(params, tensor(ids, { shape: [1, 10] }))
          .logits.dataSync()
          .slice(9 * 64),
      ];
    };
    expect(last(3)).not.toEqual(last(0));
    expect(last(2)).toEqual(last(0));
  });

  it('are asked mostly for what windows cannot see', () => {
    const task = associativeRecall(arms[0][1].task);
    expect(shareWithin(task.generate(new Random(1), 500), 6)).toBeLessThan(0.03);
  });
});

describe('the models of the convergence experiment', () => {
  it('differ in nothing but positions', () => {
    const plan = convergencePlan('lesson');
    const count = (positions: 'rope' | 'none' | 'sinusoidal' | 'learned') =>
      parameterCount(modelWith(plan, positions));
    expect(count('sinusoidal')).toBe(count('rope'));
    expect(count('none')).toBe(count('rope'));
    expect(count('learned')).toBe(count('rope') + 128 * 64);
  });
});
