/** Papers about linear mixers: what their experiments find at the smallest size, and how crossings are read off. */
import { describe, expect, it } from 'vitest';
import { Random } from '../../lib/core/random.js';
import {
  experimentOf,
  judge,
  makeRun,
  openSetup,
  papers,
  preview,
  runExperiment,
  type ExperimentResult,
  type Paper,
} from '../../lib/papers/index.js';
import {
  chunkForm,
  drawHead,
  farthest,
  noWork,
  parallelForm,
  recurrentForm,
} from '../../lib/papers/decay-forms.js';
import {
  crossings,
  measuredCrossing,
  predictedCrossing,
} from '../../lib/papers/lightning-attention/times.js';
import { measureDeployment } from '../../lib/papers/retnet/deployment.js';
import { KEY_RANGES, measureStability } from '../../lib/papers/rwkv/stable.js';

const { retnet, 'lightning-attention': lightning, rwkv } = papers;
const ALL: readonly Paper[] = [retnet, lightning, rwkv];

interface Found {
  outcomes: Record<string, string>;
  controls: boolean;
  result: ExperimentResult;
}

/** Outcomes of the claims of an experiment at size smoke, and whether all controls passed. */
async function found(paper: Paper, id: string): Promise<Found> {
  const setup = await openSetup({ size: 'smoke', threads: 1, text: 'none' });
  const experiment = experimentOf(paper, id);
  const result = await runExperiment(experiment, { setup });
  const judged = preview(paper, [makeRun(paper, experiment, setup, result)]).filter(({ claim }) =>
    experiment.claims.includes(claim.id),
  );
  return {
    outcomes: Object.fromEntries(
      judged.map(({ claim, judgement }) => [claim.id.slice(paper.id.length + 1), judgement.outcome]),
    ),
    controls: judged.every(({ judgement }) => judgement.controls.every(({ passed }) => passed)),
    result,
  };
}

describe('the counted claims', () => {
  it('of RetNet hold: one function, its normalisations, linear operations, a state that does not grow', async () => {
    const { outcomes, controls } = await found(retnet, 'counts');
    expect(outcomes).toEqual({
      representations: 'supports',
      'score-normalisation': 'supports',
      operations: 'supports',
      'state-bytes': 'supports',
    });
    expect(controls).toBe(true);
  }, 120_000);

  it('of lightning attention hold: the left product in tiles, as much work for every token', async () => {
    const { outcomes, controls } = await found(lightning, 'counts');
    expect(outcomes).toEqual({ tiles: 'supports', 'work-per-token': 'supports' });
    expect(controls).toBe(true);
  }, 120_000);

  it('of RWKV hold: the stable recurrence, linear operations, a state that does not grow', async () => {
    const { outcomes, controls } = await found(rwkv, 'counts');
    expect(outcomes).toEqual({
      'stable-recurrence': 'supports',
      operations: 'supports',
      'state-bytes': 'supports',
    });
    expect(controls).toBe(true);
  }, 120_000);
});

describe('the loops written out from the papers', () => {
  const head = drawHead(new Random('loops'), 37, 3, 5);

  it('give one function by any chunk, and another one without fading', () => {
    const wanted = parallelForm(head, 0.9);
    expect(farthest(recurrentForm(head, 0.9), wanted)).toBeLessThan(1e-12);
    for (const chunk of [1, 2, 36, 37, 64]) {
      expect(farthest(chunkForm(head, 0.9, chunk), wanted)).toBeLessThan(1e-12);
      if (chunk < 37)
        expect(farthest(chunkForm(head, 0.9, chunk, { fade: false }), wanted)).toBeGreaterThan(1e-3);
    }
  });

  it('count what they do: 5 K V a token recurrently, (T + 1) (K + V) in parallel', () => {
    const [recurrent, parallel] = [noWork(), noWork()];
    recurrentForm(head, 0.9, recurrent);
    parallelForm(head, 0.9, parallel);
    expect(recurrent.flops).toBe(37 * 5 * 3 * 5);
    expect(parallel.flops).toBe(37 * 38 * (3 + 5));
  });

  it('of WKV lose no output to keys of any size but in the naive form', async () => {
    const made = await measureStability();
    const of = (arm: string) => made.filter((m) => m.arm === arm);
    expect(of('with a maximum, f32').map(({ at }) => at)).toEqual(KEY_RANGES);
    for (const { value } of of('with a maximum, f32')) expect(value).toBeLessThan(1e-3);
    for (const { at, value } of of('naive in f32: lost outputs')) expect(value > 0).toBe(at! > 88);
  });
});

describe('the model of a deployment', () => {
  const made = measureDeployment();
  const value = (arm: string, at: number) => made.find((m) => m.arm === arm && m.at === at)!.value;

  it('saves memory and gains throughput with the context, and costs both without one', () => {
    for (const arm of ['memory saved', 'throughput ratio']) {
      const series = [1, 1024, 2048, 4096, 8192].map((at) => value(arm, at));
      expect([...series].sort((a, b) => a - b)).toEqual(series);
    }
    expect(value('memory saved', 1)).toBeLessThan(0);
    expect(value('throughput ratio', 1)).toBeLessThan(1);
  });

  it('gives the figures of the paper where the reading of it does: 67 % of the memory, 2.7 or 8.8 times the throughput', () => {
    expect(value('memory saved', 8192)).toBeCloseTo(0.67, 2);
    expect(value('throughput ratio', 8192)).toBeCloseTo(2.67, 2);
    expect(value('throughput ratio, largest batch of each', 8192)).toBeCloseTo(8.76, 2);
  });
});

describe('a crossing', () => {
  const times = (linear: (at: number) => number, quadratic: (at: number) => number) =>
    [32, 64, 128, 256].flatMap((at) => [
      { arm: 'lightning', seed: 1, at, value: linear(at) },
      { arm: 'tiled attention', seed: 1, at, value: quadratic(at) },
    ]);

  it('of power laws is found exactly, between two lengths', () => {
    const made = times(
      () => 1,
      (at) => at / 100,
    );
    expect(measuredCrossing(made, 1)).toBeCloseTo(100, 9);
  });

  it('is the shortest length where one is ahead everywhere, and none where it is nowhere', () => {
    const [one, two] = [() => 1, () => 2];
    expect(measuredCrossing(times(one, two), 1)).toBe(32);
    expect(measuredCrossing(times(two, one), 1)).toBeUndefined();
  });

  it('is foretold where counted work is equal when both are bound by operations', () => {
    const machine = {
      flops: 1e10,
      bandwidth: 1e12,
      backend: 'wasm' as const,
      side: 768,
      words: 1,
    };
    // 2 (K + V) (T + 1) / 2 operations a token against C (K + V) + 4 K V: T + 1 = 64 + 2 64.
    expect(predictedCrossing(machine)).toBe(191);
    const arms = crossings(
      times(
        () => 1,
        (at) => at / 100,
      ),
      machine,
    ).map(({ arm }) => arm);
    expect(arms).toEqual(['measured crossing', 'predicted crossing']);
  });
});

describe('the timed claims', () => {
  it.each([
    [retnet, 'timing'],
    [lightning, 'timing'],
    [lightning, 'crossing'],
    [rwkv, 'timing'],
  ])(
    'of $id are measured but not judged by the smallest size ($1)',
    async (paper, id) => {
      const { outcomes, result } = await found(paper, id);
      expect(Object.values(outcomes)).toEqual(Object.keys(outcomes).map(() => 'not-run'));
      for (const values of Object.values(result.findings.measurements))
        expect(values.filter(({ at, value }) => at !== undefined && value > 0).length).toBeGreaterThan(5);
    },
    120_000,
  );

  it('stay not attempted without a run, and say why they cannot be tested where they cannot', () => {
    for (const paper of ALL)
      for (const claim of paper.claims) {
        expect(judge(claim, []).word).toBe('not attempted');
        expect(Boolean(claim.criterion) !== Boolean(claim.notTestable)).toBe(true);
      }
  });
});
