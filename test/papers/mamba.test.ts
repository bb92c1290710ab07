import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  baselinesOf,
  estimateExperiment,
  experimentOf,
  formatRun,
  listPapers,
  makeRun,
  openSetup,
  papers,
  preview,
  readRun,
  readRuns,
  WORDS_FILE,
  runExperiment,
  type ExperimentEvent,
  type ExperimentResult,
  type Part,
  type Run,
  type Setup,
} from '../../lib/papers/index.js';
import { figures } from '../../lib/report/index.js';
import { logLogSlope } from '../../lib/core/slopes.js';
import { languagePlan } from '../../lib/papers/mamba/models.js';
import { bestRate } from '../../lib/papers/tuned-training.js';
import { measureOperations, measureStateBytes } from '../../lib/papers/mamba/counts.js';
import { publicWords, recordedRuns } from '../../kernel/reproduce/runs.js';
import { parameterCount } from '../../lib/nn/index.js';

const { mamba } = papers;
const cost = experimentOf(mamba, 'cost');
const language = experimentOf(mamba, 'language-modelling');
let setup: Setup;
let counted: ExperimentResult;
let trained: ExperimentResult;
let runs: Run[];
const events: ExperimentEvent[] = [];

beforeAll(async () => {
  setup = await openSetup({ size: 'smoke', threads: 1 });
  counted = await runExperiment(cost, { setup, onEvent: (event) => events.push(event) });
  trained = await runExperiment(language, { setup });
  runs = [makeRun(mamba, cost, setup, counted), makeRun(mamba, language, setup, trained)];
});

describe('the experiments of mamba', () => {
  it('measure claims that have criteria, each in one experiment', () => {
    const measured = mamba.experiments.flatMap((experiment) => experiment.claims);
    const judged = mamba.claims.filter((claim) => claim.criterion).map((claim) => claim.id);
    expect([...measured].sort()).toEqual([...judged].sort());
    expect(new Set(mamba.experiments.map(({ id }) => id)).size).toBe(mamba.experiments.length);
    expect(() => experimentOf(mamba, 'nothing')).toThrow(/id must be one of cost, generation, /);
  });
});

describe('the smoke experiments of cost and language modelling', () => {
  it('estimates first, runs every part, and makes a run file that reads back', () => {
    expect(events[0].kind).toBe('estimate');
    for (const run of runs) expect(readRun(formatRun(run))).toEqual(run);
    expect(runs.map((run) => run.experiment)).toEqual(['cost', 'language-modelling']);
    expect(runs.map((run) => run.data.length)).toEqual([0, 1]);
    expect(Object.keys(counted.results)).toEqual(['counts', 'times']);
    expect(Object.keys(trained.results)).toEqual(['baselines', 'tuning', 'training']);
    expect(runs.every((run) => run.dirty)).toBe(true);
  });

  it('need a text only where they say so', async () => {
    const without = await openSetup({ size: 'smoke', threads: 1, text: 'none' });
    await runExperiment(cost, { setup: without, only: ['counts'] });
    expect(() => without.text).toThrow(/text must be opened for an experiment that reads it/);
  });

  it('makes run files that a folder gives back, and names the one that was edited', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'assay runs ü '));
    const [run] = runs;
    writeFileSync(join(folder, 'a.json'), formatRun(run));
    writeFileSync(join(folder, WORDS_FILE), '{}');
    expect(await readRuns(folder)).toEqual([run]);
    writeFileSync(join(folder, 'b.json'), formatRun({ ...run, wallSeconds: 1e6 }));
    await expect(readRuns(folder)).rejects.toThrow(/must not be edited \(.*b\.json\)/);
    expect(await readRuns(join(folder, 'none'))).toEqual([]);
    rmSync(folder, { recursive: true });
  });

  it('supports the counted claims and leaves timing and training not attempted', () => {
    const words = Object.fromEntries(
      preview(mamba, runs).map(({ claim, judgement }) => [claim.id, judgement.word]),
    );
    expect(words['mamba/state-bytes']).toBe('reproduced');
    expect(words['mamba/operations-per-token']).toBe('reproduced');
    expect(
      Object.values(words)
        .filter((word) => word !== 'reproduced')
        .every((word) => word === 'not attempted'),
    ).toBe(true);
  });

  it('draws every figure', () => {
    const made = runs.flatMap((run) => figures(mamba, run));
    expect(made.map((figure) => figure.id)).toContain('mamba-time-of-a-pass');
    expect(made.map((figure) => figure.id)).toContain('training-curves');
  });

  it('gives the same weights and losses again', async () => {
    const again = await runExperiment(language, { setup, only: ['tuning', 'training'] });
    expect(again.findings.fingerprint).toBe(trained.findings.fingerprint);
    expect(trained.findings.fingerprint).toMatch(/^[0-9a-f]{64} [0-9a-f]{64}$/);
  });
});

describe('counted claims', () => {
  it('see a state that stays and a cache that grows with the context exactly', () => {
    const bytes = measureStateBytes([8, 16, 64]);
    const of = (arm: string) => bytes.filter((m) => m.arm === arm).map((m) => m.value);
    expect(new Set(of('mamba')).size).toBe(1);
    // Two layers of 64 channels: 3 inputs of the convolution and 16 states each, in f32.
    expect(of('mamba')[0]).toBe(2 * 64 * (3 + 16) * 4);
    expect(of('transformer')).toEqual([8, 16, 64].map((context) => 2 * context * 32 * 4));
  });

  it('are the twin of the timed slopes: operations of a pass grow with exponent 1, of attention towards 2', () => {
    const marginal = measureOperations([64, 128, 256, 512, 1024, 2048]);
    const total = (arm: string) => {
      const own = marginal.filter((m) => m.arm === arm);
      // Operations of the first T tokens, up to a constant: a sum of what each further token costs.
      let sum = 0;
      return own.map((m, i) => (sum += m.value * (i === 0 ? 64 : (m.at as number) / 2)));
    };
    const slope = (arm: string) => logLogSlope([64, 128, 256, 512, 1024], total(arm), { span: 8 }).estimate;
    expect(slope('selective-scan')).toBeCloseTo(1, 6);
    expect(slope('mamba-block')).toBeCloseTo(1, 6);
    expect(slope('attention')).toBeGreaterThan(1.8);
    expect(slope('transformer-block')).toBeGreaterThan(1.3);
  });
});

describe('the language-model plan', () => {
  it('compares models whose parameters agree within 2 % and tries at least four rates on seeds of their own', () => {
    for (const size of ['lesson', 'full'] as const) {
      const plan = languagePlan(size);
      const ratio = parameterCount(plan.mamba) / parameterCount(plan.transformer);
      expect(Math.abs(ratio - 1)).toBeLessThan(0.02);
      expect(plan.rates.length).toBeGreaterThanOrEqual(4);
    }
    const { seeds } = mamba.claims.find((claim) => claim.id === 'mamba/language-modelling')!.criterion!;
    expect(seeds.reporting.length).toBeGreaterThanOrEqual(5);
    expect(seeds.tuning.some((seed) => seeds.reporting.includes(seed))).toBe(false);
  });

  it('chooses the rate with the least tuning loss and never one that diverged', () => {
    const done = (rate: number, tuning: number | null) => ({
      task: { id: `${rate}`, inputs: {} },
      result: { arm: 'a', rate, tuning },
    });
    const results = { tuning: [done(1, null), done(2, 2.5), done(3, 2.4), done(4, 2.6)] };
    expect(bestRate(results, 'a', [1, 2, 3, 4])).toBe(3);
  });

  it('names a part that does not exist and leaves out parts that the budget does not hold', async () => {
    await expect(runExperiment(cost, { setup, only: ['nothing'] })).rejects.toThrow(
      /only must hold parts of cost/,
    );
    const estimate = await estimateExperiment(cost, { setup });
    const budget = estimate.parts[0].seconds;
    const short = await runExperiment(cost, { setup, estimate, budget });
    expect(short.skipped.map((entry) => entry.part)).toEqual(['times']);
  });

  it('leaves out a part whose earlier part is left out, so that no untuned model is judged', async () => {
    const training = language.parts(setup).find((part) => part.name === 'training');
    expect(training?.needs).toEqual(['tuning']);
    const quick = (name: string, seconds: number, needs?: string[]): Part => ({
      name,
      about: name,
      isolated: false,
      seconds: () => seconds,
      tasks: () => [],
      run: async () => null,
      ...(needs ? { needs } : {}),
    });
    const parts = () => [quick('tuning', 10), quick('training', 1, ['tuning'])];
    const experiment = { ...language, parts };
    const short = await runExperiment(experiment, { setup, budget: 5 });
    expect(short.skipped.map((entry) => entry.part)).toEqual(['tuning', 'training']);
    expect(short.skipped[1].reason).toMatch(/needs the results of tuning/);
    expect((await runExperiment(experiment, { setup, budget: 20 })).skipped).toEqual([]);
  });

  it('reads baselines of a foreign run without trusting them', () => {
    const row = { name: 'a', value: 'Infinity', unit: 'u', note: 'n' };
    const config = { baselines: [row, { ...row, name: 7 }, null, 'text'] };
    expect(baselinesOf({ config } as unknown as Run)).toEqual([{ ...row, value: Infinity }]);
  });

  it('stops when it is cancelled', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(runExperiment(cost, { setup, signal: controller.signal })).rejects.toThrow(/cancelled/);
  });
});

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('the public words', () => {
  it('follow from the recorded runs; a word that changes needs a new words.json beside them', async () => {
    for (const paper of listPapers()) {
      const folder = join(root, 'notebooks', 'results', paper.id);
      const words = publicWords(paper, await recordedRuns(root, paper.id));
      const file = join(folder, WORDS_FILE);
      if (existsSync(file)) expect(words, file).toEqual(JSON.parse(readFileSync(file, 'utf8')));
      else
        expect(
          Object.values(words).every((word) => word === 'not attempted'),
          `${file} must exist`,
        ).toBe(true);
    }
  });

  it('have no folder of results without a paper', () => {
    const results = join(root, 'notebooks', 'results');
    const entries = existsSync(results) ? readdirSync(results, { withFileTypes: true }) : [];
    const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    expect(folders.filter((name) => !listPapers().some((paper) => paper.id === name))).toEqual([]);
  });
});
