import { describe, expect, it } from 'vitest';
import {
  experimentOf,
  makeRun,
  openSetup,
  paperOf,
  preview,
  readRun,
  formatRun,
  runExperiment,
} from '../../lib/papers/index.js';
import { analyseGrid } from '../../lib/papers/kaplan-scaling-laws/analysis.js';
import { gridSeeds } from '../../lib/papers/kaplan-scaling-laws/claims.js';
import {
  BATCH,
  embeddingParameters,
  gridModel,
  gridPlan,
  peakRate,
  placesOf,
  TIME,
} from '../../lib/papers/kaplan-scaling-laws/plan.js';
import { evaluationFloor, type GridResult } from '../../lib/papers/kaplan-scaling-laws/training.js';
import { analyse } from '../../lib/papers/ledger/analysis.js';
import { Random } from '../../lib/core/random.js';
import { languageModel } from '../../lib/nn/index.js';
import { entropyRate } from '../../lib/tasks/entropy-source.js';

const paper = paperOf('kaplan-scaling-laws');
const grid = experimentOf(paper, 'grid');
const setup = await openSetup({ size: 'smoke', threads: 1, text: 'none' });

describe('the grid of tiny models', () => {
  it('trains at least twenty places with three seeds, four sizes and four amounts of data, and hides the largest', () => {
    for (const size of ['lesson', 'full'] as const) {
      const plan = gridPlan(size);
      const places = placesOf(plan);
      expect(places.length).toBeGreaterThanOrEqual(20);
      expect(Math.min(plan.widths.length, plan.bytes.length)).toBeGreaterThanOrEqual(4);
      expect(gridSeeds.reporting.length).toBe(3);
      expect(plan.hidden.width).toBeGreaterThan(Math.max(...plan.widths));
      expect(plan.hidden.bytes).toBeGreaterThan(Math.max(...plan.bytes));
      for (const { bytes } of [...places, plan.hidden]) expect(bytes % (BATCH * TIME)).toBe(0);
      expect(places[0]).toEqual({ width: Math.max(...plan.widths), bytes: Math.max(...plan.bytes) });
    }
  });

  it('keeps seeds from 900 on for pilots, and has one rule for the learning rate', () => {
    expect(gridSeeds.reporting.every((seed) => seed < 900)).toBe(true);
    expect([8, 16, 32, 64].map(peakRate)).toEqual([0.02, 0.02, 0.01, 0.005]);
  });

  it('counts embedding and head apart', () => {
    const model = languageModel(gridModel(16));
    const total = model.parameterCount;
    expect(total - embeddingParameters(16)).toBe(6224);
  });

  it('scores on bytes on which the ideal coder spends about the entropy rate', () => {
    expect(Math.abs(evaluationFloor(1024) - entropyRate().bitsPerByte)).toBeLessThan(0.02);
  });
});

describe('the smoke experiment of the grid', () => {
  it('trains, fits and makes a run that reads back, repeats, and judges nothing', async () => {
    const first = await runExperiment(grid, { setup });
    const run = makeRun(paper, grid, setup, first);
    expect(readRun(formatRun(run))).toEqual(run);
    expect(Object.keys(first.results)).toEqual(['training', 'fit']);
    expect(Object.keys(run.measurements).sort()).toEqual([...grid.claims].sort());
    const words = preview(paper, [run]).map(({ judgement }) => judgement.word);
    expect(new Set(words)).toEqual(new Set(['not attempted']));
    const again = await runExperiment(grid, { setup, only: ['training'] });
    expect(again.findings.fingerprint).toBe(first.findings.fingerprint);
  });
});

/** Results of a law with a floor at the entropy, or elsewhere. */
function plantedResults(floor: number, hiddenFactor = 1): GridResult[] {
  const plan = gridPlan('lesson');
  const random = new Random('planted grid');
  return [...placesOf(plan), plan.hidden].flatMap(({ width, bytes }) =>
    gridSeeds.reporting.map((seed): GridResult => {
      const total = languageModel(gridModel(width)).parameterCount;
      const parameters = total - embeddingParameters(width);
      const law = floor + 15 / parameters ** 0.4 + 900 / bytes ** 0.6;
      const factor = width === plan.hidden.width ? hiddenFactor : 1;
      const loss = factor * law * (1 + 0.004 * random.normal());
      return {
        ...{ width, bytes, seed, total, parameters, loss },
        ...{ curve: { x: [], y: [] }, seconds: 0, fingerprint: '' },
      };
    }),
  );
}

async function outcomes(results: GridResult[]): Promise<Record<string, string>> {
  const { measurements } = await analyseGrid(results, gridPlan('lesson'));
  return Object.fromEntries(
    Object.entries(measurements).map(([id, own]) => {
      const { criterion } = paper.claims.find((claim) => claim.id === id)!;
      return [id.split('/')[1], analyse(criterion!.analysis, own, criterion!.seeds.reporting).outcome];
    }),
  );
}

describe('the criteria of the grid on planted runs', () => {
  it('support a floor at the entropy and a hidden run on the law', async () => {
    const found = await outcomes(plantedResults(entropyRate().bitsPerByte));
    expect(found).toMatchObject({ entropy: 'supports', prediction: 'supports' });
  });

  it('refute a floor elsewhere and a hidden run off the law', async () => {
    const found = await outcomes(plantedResults(1, 0.85));
    expect(found).toMatchObject({ entropy: 'refutes', prediction: 'refutes' });
  });

  it('stay open when a training diverged', async () => {
    const results = plantedResults(entropyRate().bitsPerByte).map((result, i) =>
      i === 0 ? { ...result, loss: null } : result,
    );
    expect(Object.values(await outcomes(results))).toContain('inconclusive');
    expect(Object.values(await outcomes(results))).not.toContain('refutes');
  });
});
